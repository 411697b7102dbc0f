/*
 * The functions behind ours: those of the next library that has them (RTLD_NEXT), so that other
 * preload libraries keep working.
 *
 * Resolved all at once, in the constructor, because dlsym() takes the linker's lock and is thus
 * best not called in a signal handler; or at the first hook, since constructors of others may run
 * before ours. Two threads that resolve at the same time store the same values.
 */
#pragma once

#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* result, name, arguments; all that the hooks are for or make use of */
#define NEXT_FUNCTIONS(X)                                                                          \
        X(int, socket, (int domain, int type, int protocol))                                       \
        X(int, close, (int fd))                                                                    \
        X(int, connect, (int fd, const struct sockaddr *address, socklen_t len))                   \
        X(int, bind, (int fd, const struct sockaddr *address, socklen_t len))                      \
        X(int, listen, (int fd, int backlog))                                                      \
        X(int, accept, (int fd, struct sockaddr *address, socklen_t *len))                         \
        X(int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags))             \
        X(int, getsockname, (int fd, struct sockaddr *address, socklen_t *len))                    \
        X(int, getpeername, (int fd, struct sockaddr *address, socklen_t *len))                    \
        X(int, close_range, (unsigned int first, unsigned int last, int flags))                    \
        X(void, closefrom, (int first))                                                            \
        X(int, dlclose, (void *handle))                                                            \
        X(int, dup, (int fd))                                                                      \
        X(int, dup2, (int fd, int to))                                                             \
        X(int, dup3, (int fd, int to, int flags))                                                  \
        X(int, fcntl, (int fd, int command, ...))                                                  \
        X(int, fcntl64, (int fd, int command, ...))                                                \
        X(int, ioctl, (int fd, unsigned long request, ...))                                        \
        X(int, epoll_ctl, (int epfd, int operation, int fd, struct epoll_event *event))            \
        X(pid_t, fork, (void))                                                                     \
        X(int, prctl, (int option, ...))                                                           \
        X(int, poll, (struct pollfd * fds, nfds_t n, int timeout))                                 \
        X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len))        \
        X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len))             \
        X(ssize_t, send, (int fd, const void *data, size_t n, int flags))                          \
        X(ssize_t, sendto,                                                                         \
          (int fd, const void *data, size_t n, int flags, const struct sockaddr *address,          \
           socklen_t len))                                                                         \
        X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))                     \
        X(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned int n, int flags))            \
        X(ssize_t, write, (int fd, const void *data, size_t n))                                    \
        X(ssize_t, writev, (int fd, const struct iovec *parts, int n))                             \
        X(ssize_t, sendfile, (int fd, int from, off_t *offset, size_t n))                          \
        X(ssize_t, sendfile64, (int fd, int from, off64_t *offset, size_t n))                      \
        X(ssize_t, splice,                                                                         \
          (int from, off64_t *from_offset, int fd, off64_t *offset, size_t n, unsigned int flags)) \
        X(ssize_t, recv, (int fd, void *data, size_t n, int flags))                                \
        X(ssize_t, recvfrom,                                                                       \
          (int fd, void *data, size_t n, int flags, struct sockaddr *address, socklen_t *len))     \
        X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))                           \
        X(ssize_t, read, (int fd, void *data, size_t n))                                           \
        X(ssize_t, readv, (int fd, const struct iovec *parts, int n))                              \
        X(ssize_t, __read_chk, (int fd, void *data, size_t n, size_t room))                        \
        X(ssize_t, __recv_chk, (int fd, void *data, size_t n, size_t room, int flags))             \
        X(ssize_t, __recvfrom_chk,                                                                 \
          (int fd, void *data, size_t n, size_t room, int flags, struct sockaddr *address,         \
           socklen_t *len))

struct next {
#define NEXT_MEMBER(result, name, arguments) result(*name) arguments;
        NEXT_FUNCTIONS(NEXT_MEMBER)
#undef NEXT_MEMBER
};

extern struct next next_table;
extern _Atomic uint32_t next_ready;

/* Fills the table. errno is kept. */
void next_resolve(void);

/* The table, filled. A function that no library has is NULL there: only its own hook may meet it.
 */
static inline const struct next *next_functions(void) {
        if (__builtin_expect(!atomic_load_explicit(&next_ready, memory_order_acquire), 0))
                next_resolve();
        return &next_table;
}
