/*
 * Waiting on MPTCP sockets where the kernel's own wait would not end, and telling a connection that
 * has died from one that was closed. Measured on Linux 6.18, both ends MPTCP, all paths lost:
 *
 * net.mptcp.close_timeout after its last subflow has gone, the kernel gives the connection up.
 * Readers that sleep in it are woken and get ENOTCONN (never 0, the end of file), so do poll(),
 * select() and epoll, with POLLHUP and without POLLRDHUP; a write fails with EPIPE. Only who sleeps
 * in a write is never woken. Therefore readers sleep in the kernel, and only their error is looked
 * at; writers send without blocking and sleep in poll().
 *
 * What a dead connection is: it polls POLLHUP without POLLRDHUP and POLLERR, and MPTCP_INFO has the
 * peer's key (MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED) and no fallback. After a close, of any kind and
 * by whomever, there is POLLRDHUP; before connect(), after a failed or dissolved one there is no
 * key; and after a fallback to TCP the kernel gives TCP's own errors, to writers, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What is added to the flags of a write that wait_finish() is to see. */
#define WAIT_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)

/* Has this connection died? false for all that is no MPTCP socket. errno is kept. */
bool wait_is_dead(int fd);

/*
 * Is this an MPTCP socket to the kernel, too? If it is none, which is so with what a listener has
 * accepted from TCP, its word says so from now on. errno is kept.
 */
bool wait_is_mptcp(int fd);

/* The kernel's MAX_RW_COUNT, with pages of 4096 bytes. */
#define WAIT_WRITE_MAX 0x7ffff000u

/* How much a write of this message writes at most. */
static inline size_t wait_total(const struct msghdr *message) {
        size_t total = 0;

        for (size_t i = 0; message->msg_iov && i < message->msg_iovlen; i++) {
                if (message->msg_iov[i].iov_len > WAIT_WRITE_MAX - total)
                        return WAIT_WRITE_MAX;
                total += message->msg_iov[i].iov_len;
        }
        return total;
}

/* A result of wait_finish(). */
#define WAIT_AS_CALLED ((ssize_t)-2)

/*
 * Ends what sendmsg(fd, message, flags | WAIT_FLAGS) has begun: sent is what that returned, errno
 * its error, saved the errno before it. flags: as the application has them. Returns what the
 * application gets, with errno, as from a blocking call: all has been sent; or a part, and then
 * came a signal, an error or the end of SO_SNDTIMEO; or it is -1 with EAGAIN (timed out, or the
 * socket does not block), EINTR, ETIMEDOUT (dead) or the kernel's error.
 *
 * WAIT_AS_CALLED: nothing has been sent, and the call is to be made as the application has made it.
 * Either it is not for us (no MPTCP socket), or its error comes with SIGPIPE, which the kernel then
 * sends.
 *
 * The message is read only once the kernel has read it.
 */
ssize_t wait_finish(int fd, const struct msghdr *message, int flags, int saved, ssize_t sent);

/* Moves up to n bytes to the socket; what sendfile() and splice() have in common. */
typedef ssize_t wait_move_func(void *call, size_t n);

/*
 * The same for calls that can't be told not to block: calls move() when there is room, with no more
 * than there surely is room for, until n bytes are moved or move() returns less than it was to
 * move; if not whole, once. Another writer on the same socket can take the room meanwhile: then
 * move() sleeps in the kernel.
 */
ssize_t wait_move(int fd, size_t n, bool whole, wait_move_func *move, void *call);

/*
 * Before accept() on a listening MPTCP socket with FD_TIMEOUT, since the kernel's accept() does not
 * know SO_RCVTIMEO. 0: go on, it will not sleep (unless another thread is faster), or shall sleep
 * for ever; -EAGAIN: timed out; -EINTR. errno is kept.
 */
int wait_for_accept(int fd);
