/*
 * Hooks of what reads from and writes to sockets, so that a lost MPTCP connection ends in an error
 * and never in a call that hangs, see wait.h; MSG_OOB, which MPTCP would put into the stream; and
 * descriptors that are passed on.
 *
 * Reads are made as the application makes them. A write to an MPTCP socket is made without SIGPIPE,
 * which a lost connection does not bring, and if it may block, without that: what is left over is
 * wait.c's. What a watched connection begins with is shown to tls.c. All other writes cost the look
 * at one word.
 *
 * stdio does not call these functions, neither do io_uring and the raw system call. See hook.h.
 */
#include "hook.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "next.h"
#include "tls.h"
#include "wait.h"

/* The call of the next library, as the application has made ours. */
#define IO_CALL(name, ...)                                                                         \
        (__builtin_expect(next_functions()->name != NULL, 1) ? next_functions()->name(__VA_ARGS__) \
                                                             : hook_missing())

/*
 * A connection of MPTCP's, or accepted from one of its listeners, in a process without a sandbox;
 * known: its fd_flags(), which writes read once, since they are what each of them costs.
 */
static inline bool io_is_ours(uint32_t known) {
        return (known & (FD_KIND | FD_CONNECTED)) == (FD_MPTCP | FD_CONNECTED) && !fd_is_confined();
}

static inline bool io_may_block(int fd) {
        return (fd_flags(fd) & (FD_KIND | FD_CONNECTED | FD_NONBLOCK)) ==
                               (FD_MPTCP | FD_CONNECTED) &&
               !fd_is_confined();
}

static HOOK_APART void io_judge_error(int fd) {
        if ((errno == ENOTCONN || errno == EPIPE) && io_is_ours(fd_flags(fd)) && wait_is_dead(fd))
                errno = ETIMEDOUT;
}

/* The result of a call that was made as the application has made it. */
static inline ssize_t io_result(int fd, ssize_t r) {
        if (__builtin_expect(r < 0, 0))
                io_judge_error(fd);
        return r;
}

/* Reading: the last three are glibc's for _FORTIFY_SOURCE, which end the program if n > room. */

#define IO_READER(name, arguments, ...)                           \
        HOOK_DECLARE(ssize_t, name, arguments);                   \
                                                                  \
        ssize_t hook_##name arguments {                           \
                return io_result(fd, IO_CALL(name, __VA_ARGS__)); \
        }

IO_READER(read, (int fd, void *data, size_t n), fd, data, n);
IO_READER(readv, (int fd, const struct iovec *parts, int n), fd, parts, n);
IO_READER(recv, (int fd, void *data, size_t n, int flags), fd, data, n, flags);
IO_READER(recvfrom,
          (int fd, void *data, size_t n, int flags, struct sockaddr *address, socklen_t *len), fd,
          data, n, flags, address, len);
IO_READER(__read_chk, (int fd, void *data, size_t n, size_t room), fd, data, n, room);
IO_READER(__recv_chk, (int fd, void *data, size_t n, size_t room, int flags), fd, data, n, room,
          flags);
IO_READER(__recvfrom_chk,
          (int fd, void *data, size_t n, size_t room, int flags, struct sockaddr *address,
           socklen_t *len),
          fd, data, n, room, flags, address, len);

/* Writing */

/*
 * May this be sent in parts? With MSG_ZEROCOPY not on TCP, which an MPTCP listener has accepted:
 * each call ends with one completion, and those who count them would free what is still in use.
 */
static inline bool io_may_part(int fd, uint32_t known, int flags) {
        return io_is_ours(known) && (!(flags & MSG_ZEROCOPY) || wait_is_mptcp(fd));
}

/* With MSG_OOB an MPTCP socket puts the byte into the stream, where no receiver expects it. */
static bool io_refuses(int fd, int flags) {
        if (!(flags & MSG_OOB) || !wait_is_mptcp(fd))
                return false;
        errno = EOPNOTSUPP;
        return true;
}

/* What a write is made with: a socket that does not block is left to say so by itself. */
static inline int io_flags(uint32_t known) {
        return known & FD_NONBLOCK ? MSG_NOSIGNAL : WAIT_FLAGS;
}

/* Is that the end of a write of n bytes? Of one that does not block any count is, and EAGAIN. */
static inline bool io_is_done(uint32_t known, size_t n, ssize_t r) {
        return (r >= 0 && (size_t)r == n) || ((known & FD_NONBLOCK) && (r >= 0 || errno == EAGAIN));
}

static inline struct msghdr io_message(const struct iovec *parts, size_t n) {
        const union {
                const struct iovec *parts;
                struct iovec *writable;
        } all = { .parts = parts };

        return (struct msghdr){ .msg_iov = all.writable, .msg_iovlen = n };
}

/* The same of these parts, of which there is mostly one, and no error: then they can be read. */
static inline bool io_is_all(uint32_t known, const struct iovec *parts, size_t n, ssize_t r) {
        struct msghdr message;

        if ((n == 1 && parts->iov_len == (size_t)r) || (known & FD_NONBLOCK))
                return true;
        message = io_message(parts, n);
        return wait_total(&message) == (size_t)r;
}

static struct iovec io_part(const void *data, size_t n) {
        const union {
                const void *data;
                void *writable;
        } base = { .data = data };

        return (struct iovec){ .iov_base = base.writable, .iov_len = n };
}

/* Is what is sent on this connection of use to tls.c? Asked before the call, which ends the hook.
 */
static inline bool io_is_watched(uint32_t known) {
        return __builtin_expect((known & FD_HELLO) != 0, 0);
}

/* The result of a write on a watched connection. What was sent is read after the kernel. */
static HOOK_APART ssize_t io_show_parts(int fd, const struct iovec *parts, size_t n, ssize_t r) {
        if (r > 0)
                tls_sent(fd, parts, n, (size_t)r);
        return r;
}

static HOOK_APART ssize_t io_show(int fd, const void *data, ssize_t r) {
        const struct iovec part = io_part(data, r > 0 ? (size_t)r : 0);

        return io_show_parts(fd, &part, 1, r);
}

static HOOK_APART ssize_t io_show_message(int fd, const struct msghdr *message, ssize_t r) {
        return r > 0 ? io_show_parts(fd, message->msg_iov, message->msg_iovlen, r) : r;
}

/* What is left over of a write of one part. See wait_finish(). */
static HOOK_APART ssize_t io_finish(int fd, const void *data, size_t n, int flags, int saved,
                                    ssize_t r) {
        struct iovec part = io_part(data, n);
        const struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        return wait_finish(fd, &message, flags, saved, r);
}

static HOOK_APART ssize_t io_write(int fd, const void *data, size_t n, uint32_t known) {
        int saved = errno;
        ssize_t r = next_functions()->send(fd, data, n, io_flags(known));

        if (io_is_done(known, n, r))
                return r;
        r = io_finish(fd, data, n, 0, saved, r);
        return r == WAIT_AS_CALLED ? next_functions()->write(fd, data, n) : r;
}

/* write() of nothing does more to some sockets than to send nothing. */
HOOK_DECLARE(ssize_t, write, (int fd, const void *data, size_t n));

ssize_t hook_write(int fd, const void *data, size_t n) {
        const uint32_t known = fd_flags(fd);

        if (!io_is_ours(known) || !n)
                return io_result(fd, IO_CALL(write, fd, data, n));
        if (io_is_watched(known))
                return io_show(fd, data, io_write(fd, data, n, known));
        return io_write(fd, data, n, known);
}

static HOOK_APART ssize_t io_writev(int fd, const struct iovec *parts, int n, uint32_t known) {
        const struct msghdr message = io_message(parts, (size_t)n);
        int saved = errno;
        ssize_t r = next_functions()->sendmsg(fd, &message, io_flags(known));

        if (r >= 0 && io_is_all(known, parts, (size_t)n, r))
                return r;
        r = wait_finish(fd, &message, 0, saved, r);
        return r == WAIT_AS_CALLED ? next_functions()->writev(fd, parts, n) : r;
}

HOOK_DECLARE(ssize_t, writev, (int fd, const struct iovec *parts, int n));

ssize_t hook_writev(int fd, const struct iovec *parts, int n) {
        const uint32_t known = fd_flags(fd);

        if (!io_is_ours(known) || n <= 0 || n > IOV_MAX)
                return io_result(fd, IO_CALL(writev, fd, parts, n));
        if (io_is_watched(known))
                return io_show_parts(fd, parts, (size_t)n, io_writev(fd, parts, n, known));
        return io_writev(fd, parts, n, known);
}

static HOOK_APART ssize_t io_send(int fd, const void *data, size_t n, int flags, uint32_t known) {
        int saved = errno;
        ssize_t r;

        if (io_refuses(fd, flags))
                return -1;
        r = next_functions()->send(fd, data, n, flags | io_flags(known));
        if (io_is_done(known, n, r))
                return r;
        r = io_finish(fd, data, n, flags, saved, r);
        return r == WAIT_AS_CALLED ? next_functions()->send(fd, data, n, flags) : r;
}

HOOK_DECLARE(ssize_t, send, (int fd, const void *data, size_t n, int flags));

ssize_t hook_send(int fd, const void *data, size_t n, int flags) {
        const uint32_t known = fd_flags(fd);

        if (!io_may_part(fd, known, flags))
                return IO_CALL(send, fd, data, n, flags);
        if (io_is_watched(known))
                return io_show(fd, data, io_send(fd, data, n, flags, known));
        return io_send(fd, data, n, flags, known);
}

static HOOK_APART ssize_t io_sendto(int fd, const void *data, size_t n, int flags,
                                    const struct sockaddr *address, socklen_t len) {
        const uint32_t known = fd_flags(fd);
        int saved = errno;
        ssize_t r;

        if (io_refuses(fd, flags))
                return -1;
        r = next_functions()->sendto(fd, data, n, flags | io_flags(known), address, len);
        if (io_is_done(known, n, r))
                return r;
        r = io_finish(fd, data, n, flags, saved, r);
        return r == WAIT_AS_CALLED ? next_functions()->sendto(fd, data, n, flags, address, len) : r;
}

HOOK_DECLARE(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags));

/* Does this connect the socket, with the first data? */
static inline bool io_opens(uint32_t known, int flags) {
        return (flags & MSG_FASTOPEN) && hook_is_fresh(known) && !fd_is_confined();
}

/*
 * The kernel has no MSG_FASTOPEN for MPTCP (before Linux 6.2), or it is off: then it is what it
 * would be to a server that is not known yet, whatever TCP says.
 */
static ssize_t io_open_slowly(int fd, const struct msghdr *message, int flags, int saved) {
        struct msghdr rest = { .msg_iov = message->msg_iov, .msg_iovlen = message->msg_iovlen };
        int r = IO_CALL(connect, fd, message->msg_name, message->msg_namelen);

        hook_connected(fd, r);
        if (r < 0)
                return -1;
        errno = saved;
        return hook_sendmsg(fd, &rest, flags & ~MSG_FASTOPEN);
}

/*
 * Without blocking, so that the daemon hears of a connection when it is made, and not when all has
 * been sent.
 */
static HOOK_APART ssize_t io_open(int fd, const struct msghdr *message, int flags) {
        int saved = errno;
        uint32_t known;
        ssize_t r;

        hook_connecting(fd, message->msg_name, message->msg_namelen);
        known = fd_flags(fd);
        if (!hook_is_fresh(known))
                return IO_CALL(sendmsg, fd, message, flags);
        r = IO_CALL(sendmsg, fd, message, flags | io_flags(known));
        if (r < 0 && errno == EOPNOTSUPP && message->msg_name)
                return io_open_slowly(fd, message, flags, saved);
        hook_connected(fd, r);
        if (r < 0 || !io_is_all(known, message->msg_iov, message->msg_iovlen, r))
                r = wait_finish(fd, message, flags & ~MSG_FASTOPEN, saved, r);
        if (r == WAIT_AS_CALLED)
                r = IO_CALL(sendmsg, fd, message, flags);
        return io_is_watched(fd_flags(fd)) ? io_show_message(fd, message, r) : r;
}

static ssize_t io_open_part(int fd, const void *data, size_t n, int flags,
                            const struct sockaddr *address, socklen_t len) {
        const union {
                const struct sockaddr *address;
                void *writable;
        } name = { .address = address };
        struct iovec part = io_part(data, n);
        const struct msghdr message = {
                .msg_name = name.writable, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1
        };

        return io_open(fd, &message, flags);
}

HOOK_DECLARE(ssize_t, sendto,
             (int fd, const void *data, size_t n, int flags, const struct sockaddr *address,
              socklen_t len));

ssize_t hook_sendto(int fd, const void *data, size_t n, int flags, const struct sockaddr *address,
                    socklen_t len) {
        const uint32_t known = fd_flags(fd);

        if (io_may_part(fd, known, flags)) {
                if (io_is_watched(known))
                        return io_show(fd, data, io_sendto(fd, data, n, flags, address, len));
                return io_sendto(fd, data, n, flags, address, len);
        }
        return io_opens(known, flags) ? io_open_part(fd, data, n, flags, address, len)
                                      : IO_CALL(sendto, fd, data, n, flags, address, len);
}

/* Messages */

typedef void io_note(int fd);

static void io_note_descriptors(const unsigned char *data, size_t n, io_note *note) {
        int fd;

        for (; n >= sizeof(fd); data += sizeof(fd), n -= sizeof(fd)) {
                memcpy(&fd, data, sizeof(fd));
                note(fd);
        }
}

/*
 * Descriptors that were passed on with a message, once the kernel has read or written it. Not by
 * the macros of <sys/socket.h>, one of which calls a function that only glibc has.
 */
static HOOK_APART void io_note_passed(const struct msghdr *message, io_note *note) {
        const unsigned char *control = message->msg_control;
        size_t left = message->msg_controllen;
        struct cmsghdr header;

        while (left >= sizeof(header)) {
                memcpy(&header, control, sizeof(header));
                if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > left)
                        return;
                if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS)
                        io_note_descriptors(control + CMSG_LEN(0), header.cmsg_len - CMSG_LEN(0),
                                            note);
                if (CMSG_ALIGN(header.cmsg_len) > left)
                        return;
                control += CMSG_ALIGN(header.cmsg_len);
                left -= CMSG_ALIGN(header.cmsg_len);
        }
}

/* Nothing is known of it: what is known of its number is of another life. */
static void io_note_received(int fd) {
        fd_begin(fd, FD_UNKNOWN);
}

HOOK_DECLARE(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags));

ssize_t hook_recvmsg(int fd, struct msghdr *message, int flags) {
        ssize_t r = io_result(fd, IO_CALL(recvmsg, fd, message, flags));

        if (r >= 0 && message->msg_controllen)
                io_note_passed(message, io_note_received);
        return r;
}

static HOOK_APART ssize_t io_sendmsg(int fd, const struct msghdr *message, int flags,
                                     uint32_t known) {
        int saved = errno;
        ssize_t r;

        if (io_refuses(fd, flags))
                return -1;
        r = next_functions()->sendmsg(fd, message, flags | io_flags(known));
        if (r < 0 || !io_is_all(known, message->msg_iov, message->msg_iovlen, r)) {
                r = wait_finish(fd, message, flags, saved, r);
                if (r == WAIT_AS_CALLED)
                        r = next_functions()->sendmsg(fd, message, flags);
        }
        if (r >= 0 && message->msg_controllen)
                io_note_passed(message, fd_note_sharing);
        return r;
}

ssize_t hook_sendmsg(int fd, const struct msghdr *message, int flags) {
        const uint32_t known = fd_flags(fd);
        ssize_t r;

        if (io_may_part(fd, known, flags)) {
                if (io_is_watched(known))
                        return io_show_message(fd, message, io_sendmsg(fd, message, flags, known));
                return io_sendmsg(fd, message, flags, known);
        }
        r = io_opens(known, flags) ? io_open(fd, message, flags)
                                   : IO_CALL(sendmsg, fd, message, flags);
        if (r >= 0 && message->msg_controllen)
                io_note_passed(message, fd_note_sharing);
        return r;
}

/* As the kernel does it: message by message, until one fails or goes out in part. */
static int io_sendmmsg(int fd, struct mmsghdr *messages, unsigned int n, int flags) {
        unsigned int i = 0;
        int saved = errno;
        ssize_t r = 0;

        while (i < n && i < IOV_MAX) {
                r = hook_sendmsg(fd, &messages[i].msg_hdr, flags);
                if (r < 0)
                        break;
                messages[i].msg_len = (unsigned int)r;
                if ((size_t)r < wait_total(&messages[i++].msg_hdr))
                        break;
        }
        if (i == 0 && r < 0)
                return -1;
        errno = saved;
        return (int)i;
}

HOOK_DECLARE(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned int n, int flags));

int hook_sendmmsg(int fd, struct mmsghdr *messages, unsigned int n, int flags) {
        const uint32_t known = fd_flags(fd);
        int r;

        if (io_may_part(fd, known, flags) || io_opens(known, flags))
                return io_sendmmsg(fd, messages, n, flags);
        r = IO_CALL(sendmmsg, fd, messages, n, flags);
        for (int i = 0; i < r; i++)
                io_note_passed(&messages[i].msg_hdr, fd_note_sharing);
        return r;
}

/* Moving */

struct io_sendfile {
        int fd, from;
        off_t *offset;
};

static ssize_t on_sendfile(void *call, size_t n) {
        const struct io_sendfile *c = call;

        return IO_CALL(sendfile, c->fd, c->from, c->offset, n);
}

HOOK_DECLARE(ssize_t, sendfile, (int fd, int from, off_t *offset, size_t n));

ssize_t hook_sendfile(int fd, int from, off_t *offset, size_t n) {
        struct io_sendfile call = { fd, from, offset };

        return io_result(fd, io_may_block(fd) && n ? wait_move(fd, n, true, on_sendfile, &call)
                                                   : on_sendfile(&call, n));
}

struct io_sendfile64 {
        int fd, from;
        off64_t *offset;
};

static ssize_t on_sendfile64(void *call, size_t n) {
        const struct io_sendfile64 *c = call;

        return IO_CALL(sendfile64, c->fd, c->from, c->offset, n);
}

HOOK_DECLARE(ssize_t, sendfile64, (int fd, int from, off64_t *offset, size_t n));

ssize_t hook_sendfile64(int fd, int from, off64_t *offset, size_t n) {
        struct io_sendfile64 call = { fd, from, offset };

        return io_result(fd, io_may_block(fd) && n ? wait_move(fd, n, true, on_sendfile64, &call)
                                                   : on_sendfile64(&call, n));
}

struct io_splice {
        int from, fd;
        off64_t *from_offset, *offset;
        unsigned int flags;
};

static ssize_t on_splice(void *call, size_t n) {
        const struct io_splice *c = call;

        return IO_CALL(splice, c->from, c->from_offset, c->fd, c->offset, n, c->flags);
}

/* A pipe that has nothing is not waited for with SPLICE_F_NONBLOCK, so no room is, either. */
static bool io_has_nothing(int from, unsigned int flags) {
        struct pollfd polled = { .fd = from, .events = POLLIN };

        return (flags & SPLICE_F_NONBLOCK) && next_functions()->poll(&polled, 1, 0) == 0;
}

/* From a pipe, or to one: the other end may be a socket. A part is what callers have to expect. */
HOOK_DECLARE(ssize_t, splice,
             (int from, off64_t *from_offset, int fd, off64_t *offset, size_t n,
              unsigned int flags));

ssize_t hook_splice(int from, off64_t *from_offset, int fd, off64_t *offset, size_t n,
                    unsigned int flags) {
        struct io_splice call = { from, fd, from_offset, offset, flags };

        if (io_may_block(fd) && n && !io_has_nothing(from, flags))
                return io_result(fd, wait_move(fd, n, false, on_splice, &call));
        return io_result(io_is_ours(fd_flags(from)) ? from : fd, on_splice(&call, n));
}
