/*
 * The matrix of socket options: what a program sees of a TCP socket, option by option and state by
 * state, as lines of text that can be compared with those of another run: plain TCP, MPTCP as the
 * kernel has it, or through the preload library.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* How the value of an option is shown. */
enum matrix_show {
        MATRIX_INT, /* as numbers */
        MATRIX_LEN, /* only its length: the rest differs from socket to socket */
        MATRIX_TEXT,
};

struct matrix_option {
        int level;
        int name;
        const char *text;
        enum matrix_show show;
        const void *value; /* to set; NULL: it is only read */
        socklen_t len;
        bool alone; /* no connection can be made with it set */
};

extern const struct matrix_option matrix_options[];
extern const size_t matrix_n_options;

/* How far the socket under test is. */
enum matrix_state {
        MATRIX_FRESH,
        MATRIX_BOUND,
        MATRIX_LISTENING,
        MATRIX_CONNECTED,
        MATRIX_FALLBACK, /* connected to a TCP server */
        MATRIX_ACCEPTED,
        MATRIX_ACCEPTED_TCP, /* from a TCP client */
        MATRIX_DISCONNECTED, /* connected once, then connect(AF_UNSPEC) */
        _MATRIX_STATE_MAX
};

extern const char *const matrix_state_names[_MATRIX_STATE_MAX];

/* A socket under test, made and used by calls that can be hooked, and what it talks to. */
struct matrix_socket {
        int domain;
        int fd;
        int other;    /* the peer, past all hooks; -1: none */
        int listener; /* what fd was accepted from; -1: it was not */
};

#define MATRIX_SOCKET_NULL                                          \
        (struct matrix_socket) {                                    \
                .domain = 0, .fd = -1, .other = -1, .listener = -1, \
        }

/*
 * The two ends of the link: this network namespace and that at path. protocol is that of all peers
 * but the TCP ones; own is what socket() is called with. Ends the program on failure, as do the
 * other functions.
 */
void matrix_init(const char *path, int own, int protocol);

/* A socket that will become state, as it is before anything was done to it. */
void matrix_open(struct matrix_socket *s, int domain, enum matrix_state state);

/* Brings it there. */
void matrix_advance(struct matrix_socket *s, enum matrix_state state);

void matrix_close(struct matrix_socket *s);

/* Waits until poll() reports one of events, or anything that it always reports; what it reports. */
int matrix_wait(int fd, short events);

/* "0" for success, else the name of errno. */
const char *matrix_error(long result);

/* The rows that are no options: ioctls, data path, TCP_INFO. */
void matrix_run_data(int domain);
