/*
 * Sockets that the supervisor makes for others, and makes TCP again while nothing has happened to
 * them yet.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervise-process.h"

#define BOOK_ENTRIES 4096u

/* Which sockets we made, and for whom: those of before may be overwritten by those of now. */
struct book {
        struct {
                uint64_t cookie;
                pid_t pid;
        } entries[BOOK_ENTRIES];
};

void book_add(struct book *book, int fd, pid_t pid);
bool book_has(const struct book *book, int fd);

/* Makes a socket that belongs to that user, as far as sockets do. Returns it, or -errno. */
int socket_make(int domain, int type, int protocol, uint32_t uid);

/* Sets what the policy wants to be set; what the kernel refuses stays as it is. */
void socket_apply(int fd, const struct policy_read *read, const struct policy_app *app);

enum socket_state {
        SOCKET_READY,   /* it can be made TCP */
        SOCKET_USED,    /* connected, connecting or listening */
        SOCKET_SHARED,  /* another descriptor or process has it, too */
        SOCKET_WATCHED, /* an epoll instance waits for it */
        SOCKET_CROWDED, /* too many descriptors to look through */
        _SOCKET_STATE_MAX
};

/* May a socket in the book, of which copy is ours and fd the process's, be replaced? */
enum socket_state socket_check(const struct book *book, const struct process *process, int fd,
                               int copy);

/* Words for people; NULL for SOCKET_READY and SOCKET_USED, about which there is nothing to say. */
const char *socket_state_name(enum socket_state state);

/*
 * A TCP socket with options and flags of the socket old; not bound yet. Returns it, or -errno:
 * something can't be taken over.
 */
int socket_twin(int old, uint32_t uid);
