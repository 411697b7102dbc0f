/*
 * Sockets in every state, see matrix.h. The socket under test is made and moved by the calls that
 * programs use; what it talks to by system calls, which no library can hook.
 *
 * Peers are closed first and hard, so that thousands of connections leave nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "matrix.h"
#include "support.h"

enum { PATIENCE_MSEC = 20000 };

const char *const matrix_state_names[_MATRIX_STATE_MAX] = {
        [MATRIX_FRESH] = "fresh",
        [MATRIX_BOUND] = "bound",
        [MATRIX_LISTENING] = "listening",
        [MATRIX_CONNECTED] = "connected",
        [MATRIX_FALLBACK] = "fallback",
        [MATRIX_ACCEPTED] = "accepted",
        [MATRIX_ACCEPTED_TCP] = "accepted-tcp",
        [MATRIX_DISCONNECTED] = "disconnected",
};

static struct {
        int here, there;   /* network namespaces */
        int own, protocol; /* of the socket under test, of its peers */
        int listeners[2][2];
} matrix;

__attribute__((noreturn)) static void matrix_die(const char *what) {
        (void)fprintf(stderr, "FAIL: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

static int matrix_must(long result, const char *what) {
        if (result < 0)
                matrix_die(what);
        return (int)result;
}

const char *matrix_error(long result) {
        const char *name = strerrorname_np(errno);

        return result >= 0 ? "0" : name ? name : "unknown";
}

static void matrix_enter(int netns) {
        (void)matrix_must(setns(netns, CLONE_NEWNET), "setns");
}

static int raw_socket(int domain, int protocol) {
        return matrix_must(support_kernel_socket(domain, SOCK_STREAM | SOCK_CLOEXEC, protocol),
                           "socket");
}

/* The wildcard address with port 0: bound to one address, a socket would stay TCP. */
static socklen_t matrix_any(int domain, struct sockaddr_storage *ret_address) {
        *ret_address = (struct sockaddr_storage){ .ss_family = (sa_family_t)domain };
        return domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* Where a listener can be reached that is there, or here: the last byte of an address tells. */
static socklen_t matrix_address(int listener, int domain, bool there,
                                struct sockaddr_storage *ret_address) {
        socklen_t len = sizeof(*ret_address);
        struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;

        (void)matrix_must(getsockname(listener, (struct sockaddr *)ret_address, &len),
                          "getsockname");
        if (domain == AF_INET) {
                in->sin_addr.s_addr = htonl(there ? 0xc00002fe : 0xc0000201);
        } else {
                in6->sin6_addr = (struct in6_addr){ .s6_addr = { 0x20, 1, 0x0d, 0xb8, 0, 1 } };
                in6->sin6_addr.s6_addr[15] = there ? 0xfe : 1;
        }
        return len;
}

static int raw_listener(int domain, int protocol) {
        struct sockaddr_storage any;
        socklen_t len = matrix_any(domain, &any);
        int fd;

        matrix_enter(matrix.there);
        fd = raw_socket(domain, protocol);
        matrix_enter(matrix.here);
        (void)matrix_must(syscall(SYS_bind, fd, &any, len), "bind");
        (void)matrix_must(syscall(SYS_listen, fd, 16), "listen");
        return fd;
}

void matrix_init(const char *path, int own, int protocol) {
        matrix.here = matrix_must(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open");
        matrix.there = matrix_must(open(path, O_RDONLY | O_CLOEXEC), path);
        matrix.own = own;
        matrix.protocol = protocol;
        for (int i = 0; i < 2; i++) {
                const int domain = i ? AF_INET6 : AF_INET;

                matrix.listeners[i][0] = raw_listener(domain, matrix.protocol);
                matrix.listeners[i][1] = raw_listener(domain, IPPROTO_TCP);
        }
}

static bool matrix_is_accepted(enum matrix_state state) {
        return state == MATRIX_ACCEPTED || state == MATRIX_ACCEPTED_TCP;
}

void matrix_open(struct matrix_socket *s, int domain, enum matrix_state state) {
        const bool there = state == MATRIX_LISTENING || matrix_is_accepted(state);

        *s = MATRIX_SOCKET_NULL;
        s->domain = domain;
        matrix_enter(there ? matrix.there : matrix.here);
        s->fd = matrix_must(socket(domain, SOCK_STREAM | SOCK_CLOEXEC, matrix.own), "socket");
        matrix_enter(matrix.here);
}

static void matrix_connect(struct matrix_socket *s, bool tcp) {
        const int listener = matrix.listeners[s->domain == AF_INET6][tcp];
        struct sockaddr_storage address;
        socklen_t len = matrix_address(listener, s->domain, true, &address);

        (void)matrix_must(connect(s->fd, (struct sockaddr *)&address, len), "connect");
        s->other = matrix_must(syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC), "accept");
}

static void matrix_bind(const struct matrix_socket *s) {
        struct sockaddr_storage any;
        socklen_t len = matrix_any(s->domain, &any);

        (void)matrix_must(bind(s->fd, (struct sockaddr *)&any, len), "bind");
}

static void matrix_listen(const struct matrix_socket *s) {
        matrix_bind(s);
        (void)matrix_must(listen(s->fd, 16), "listen");
}

static void matrix_accept(struct matrix_socket *s, bool tcp) {
        struct sockaddr_storage address;
        socklen_t len;

        if (s->listener < 0) {
                matrix_listen(s);
                s->listener = s->fd;
        }
        len = matrix_address(s->listener, s->domain, true, &address);
        s->other = raw_socket(s->domain, tcp ? IPPROTO_TCP : matrix.protocol);
        (void)matrix_must(syscall(SYS_connect, s->other, &address, len), "connect");
        s->fd = matrix_must(accept4(s->listener, NULL, NULL, SOCK_CLOEXEC), "accept4");
}

static void matrix_disconnect(struct matrix_socket *s) {
        const struct sockaddr_storage none = { .ss_family = AF_UNSPEC };

        matrix_connect(s, false);
        (void)matrix_must(connect(s->fd, (const struct sockaddr *)&none, sizeof(none)), "connect");
}

void matrix_advance(struct matrix_socket *s, enum matrix_state state) {
        switch (state) {
        case MATRIX_BOUND:
                matrix_bind(s);
                break;
        case MATRIX_LISTENING:
                matrix_listen(s);
                break;
        case MATRIX_CONNECTED:
        case MATRIX_FALLBACK:
                matrix_connect(s, state == MATRIX_FALLBACK);
                break;
        case MATRIX_ACCEPTED:
        case MATRIX_ACCEPTED_TCP:
                matrix_accept(s, state == MATRIX_ACCEPTED_TCP);
                break;
        case MATRIX_DISCONNECTED:
                matrix_disconnect(s);
                break;
        case MATRIX_FRESH:
        case _MATRIX_STATE_MAX:
                break;
        }
}

void matrix_close(struct matrix_socket *s) {
        const struct linger hard = { .l_onoff = 1 };

        if (s->other >= 0) {
                (void)syscall(SYS_setsockopt, s->other, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
                (void)syscall(SYS_close, s->other);
        }
        (void)close(s->fd);
        if (s->listener >= 0 && s->listener != s->fd)
                (void)close(s->listener);
        *s = MATRIX_SOCKET_NULL;
}

int matrix_wait(int fd, short events) {
        struct pollfd entry = { .fd = fd, .events = events };

        if (matrix_must(poll(&entry, 1, PATIENCE_MSEC), "poll") == 0) {
                errno = ETIMEDOUT;
                matrix_die("poll");
        }
        return entry.revents;
}
