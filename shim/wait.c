#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include "decide.h"
#include "fd.h"
#include "next.h"

/* Linux 5.16, include/uapi/linux/mptcp.h */
#define WAIT_SOL_MPTCP       284
#define WAIT_MPTCP_INFO      1
#define WAIT_INFO_FALLBACK   0x01u
#define WAIT_INFO_REMOTE_KEY 0x02u

/* The beginning of struct mptcp_info */
struct wait_info {
        uint8_t counts[8];
        uint32_t flags;
};

#define WAIT_PAUSE_MSEC 10

enum wait_condition {
        WAIT_READY,
        WAIT_BROKEN,   /* POLLERR or POLLHUP */
        WAIT_ELSE,     /* no MPTCP socket */
        WAIT_NONBLOCK, /* O_NONBLOCK is set */
};

struct wait {
        int fd;
        int64_t deadline_msec; /* CLOCK_MONOTONIC; -1: none */
        bool stalled;          /* there was room, but no memory for it */
};

/* A message, and how much of it has been sent. */
struct wait_send {
        const struct msghdr *message;
        int flags;
        size_t total;
        size_t sent;
};

/* Asking the kernel */

static bool wait_get(int fd, int level, int name, void *ret_value, socklen_t len) {
        return next_functions()->getsockopt(fd, level, name, ret_value, &len) == 0;
}

static bool wait_is_hung_up(int fd) {
        struct pollfd polled = { .fd = fd, .events = POLLRDHUP };

        return next_functions()->poll(&polled, 1, 0) == 1 &&
               (polled.revents & (POLLHUP | POLLRDHUP | POLLERR)) == POLLHUP;
}

bool wait_is_dead(int fd) {
        struct wait_info info = { .flags = 0 };
        int saved = errno;
        bool dead = wait_is_hung_up(fd) &&
                    wait_get(fd, WAIT_SOL_MPTCP, WAIT_MPTCP_INFO, &info, sizeof(info)) &&
                    (info.flags & (WAIT_INFO_FALLBACK | WAIT_INFO_REMOTE_KEY)) ==
                                    WAIT_INFO_REMOTE_KEY;

        errno = saved;
        return dead;
}

bool wait_is_mptcp(int fd) {
        int protocol = 0, saved = errno;

        (void)wait_get(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, sizeof(protocol));
        if (protocol != DECIDE_IPPROTO_MPTCP)
                fd_begin(fd, FD_OTHER);
        errno = saved;
        return protocol == DECIDE_IPPROTO_MPTCP;
}

/* Waiting */

static int64_t wait_now_msec(void) {
        struct timespec now = { .tv_sec = 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* name: SO_RCVTIMEO or SO_SNDTIMEO. Cut to what poll() takes, which is 24 days. */
static int64_t wait_deadline_msec(int fd, int name) {
        struct timeval timeout = { .tv_sec = 0 };
        int64_t msec;

        if (!wait_get(fd, SOL_SOCKET, name, &timeout, sizeof(timeout)) ||
            (timeout.tv_sec == 0 && timeout.tv_usec == 0))
                return -1;
        msec = timeout.tv_sec >= INT_MAX / 1000
                               ? INT_MAX
                               : (int64_t)timeout.tv_sec * 1000 + (timeout.tv_usec + 999) / 1000;
        return wait_now_msec() + msec;
}

/* For poll(): -1 is for ever. */
static int wait_left_msec(const struct wait *wait) {
        int64_t left;

        if (wait->deadline_msec < 0)
                return -1;
        left = wait->deadline_msec - wait_now_msec();
        return left > 0 ? (int)left : 0;
}

static bool wait_is_nonblock(int fd) {
        int flags = next_functions()->fcntl(fd, F_GETFL);

        if (flags < 0 || !(flags & O_NONBLOCK))
                return false;
        fd_set_flags(fd, FD_NONBLOCK);
        return true;
}

/* WAIT_READY: wait; else why not. */
static enum wait_condition wait_begin(struct wait *wait, int fd) {
        if (!wait_is_mptcp(fd))
                return WAIT_ELSE;
        if (wait_is_nonblock(fd))
                return WAIT_NONBLOCK;
        *wait = (struct wait){ .fd = fd, .deadline_msec = wait_deadline_msec(fd, SO_SNDTIMEO) };
        return WAIT_READY;
}

/*
 * Would the kernel's own wait have gone on after the signal handler that has ended ours? poll() is
 * never restarted, and does not say which signal it was, so all handlers have to have SA_RESTART:
 * a program with one that has not must know EINTR, and may need it (alarm() as a timeout).
 * With a timeout the kernel does not restart either, socket(7).
 */
static bool wait_is_restarted(const struct wait *wait) {
        struct sigaction action;

        if (wait->deadline_msec >= 0)
                return false;
        for (int number = 1; number < _NSIG; number++)
                if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
                    action.sa_handler != SIG_IGN && !(action.sa_flags & SA_RESTART))
                        return false;
        return true;
}

/*
 * WAIT_READY, WAIT_BROKEN, -EAGAIN (timed out), -EINTR, or why poll() can't be used. A socket that
 * has room and yet no memory for it polls POLLOUT all the time: there only time can help.
 */
static int wait_for(const struct wait *wait, short events) {
        struct pollfd polled = { .fd = wait->fd };
        int left = wait_left_msec(wait), timeout = left, r;

        if (!wait->stalled)
                polled.events = events;
        if (wait->stalled && (left < 0 || left > WAIT_PAUSE_MSEC))
                timeout = WAIT_PAUSE_MSEC;
        r = next_functions()->poll(&polled, 1, timeout);
        if (r < 0)
                return -errno;
        if (r == 0)
                return timeout == left ? -EAGAIN : WAIT_READY;
        return polled.revents & (POLLERR | POLLHUP) ? WAIT_BROKEN : WAIT_READY;
}

/* Until there is room. restart: nothing has been done yet that a signal would have to report. */
static int wait_for_room(const struct wait *wait, bool restart) {
        int r;

        do
                r = wait_for(wait, POLLOUT);
        while (r == -EINTR && restart && wait_is_restarted(wait));
        return r;
}

int wait_for_accept(int fd) {
        int saved = errno, r = WAIT_READY;
        struct wait wait = { .fd = fd, .deadline_msec = -1 };

        if (!wait_is_nonblock(fd)) {
                wait.deadline_msec = wait_deadline_msec(fd, SO_RCVTIMEO);
                if (wait.deadline_msec >= 0)
                        r = wait_for(&wait, POLLIN);
        }
        errno = saved;
        return r == -EAGAIN || r == -EINTR ? r : 0;
}

/* Sending */

/*
 * One more attempt: first what is left of the part that was cut, by itself, then all others. Name
 * and control data have gone with the first attempt.
 */
static int wait_try(int fd, struct wait_send *send, int flags) {
        struct msghdr rest = { .msg_iov = send->message->msg_iov,
                               .msg_iovlen = send->message->msg_iovlen };
        size_t skip = send->sent;
        struct iovec cut;
        ssize_t r;

        for (; skip && skip >= rest.msg_iov->iov_len; rest.msg_iov++, rest.msg_iovlen--)
                skip -= rest.msg_iov->iov_len;
        if (skip) {
                cut.iov_base = (char *)rest.msg_iov->iov_base + skip;
                cut.iov_len = rest.msg_iov->iov_len - skip;
                rest.msg_iov = &cut;
                rest.msg_iovlen = 1;
        }
        r = next_functions()->sendmsg(fd, &rest, send->flags | flags);
        if (r < 0)
                return -errno;
        send->sent += (size_t)r;
        return 0;
}

/*
 * Waits and sends until all is sent. After a part of it, an error that poll() knows of is left to
 * the next call, as the kernel does.
 */
static int wait_send_rest(struct wait *wait, struct wait_send *send) {
        int r;

        while (send->sent < send->total) {
                r = wait_for_room(wait, send->sent == 0);
                if (r == WAIT_BROKEN && send->sent)
                        return -EPIPE;
                if (r < 0)
                        return r;
                r = wait_try(wait->fd, send, WAIT_FLAGS);
                if (r < 0 && r != -EAGAIN)
                        return r;
                wait->stalled = r == -EAGAIN;
        }
        return 0;
}

/* The rest, by sockets that can be left to sleep in the kernel. */
static int wait_send_plainly(int fd, struct wait_send *send) {
        int r = 0;

        while (r == 0 && send->sent < send->total)
                r = wait_try(fd, send, MSG_NOSIGNAL);
        return r;
}

/* Goes on after the first attempt. r: what came of that; 0, -EAGAIN or -EINPROGRESS. */
static int wait_go_on(int fd, struct wait_send *send, int r) {
        enum wait_condition condition;
        struct wait wait;

        send->total = wait_total(send->message);
        if (send->sent == send->total || (send->flags & MSG_DONTWAIT))
                return r;
        condition = wait_begin(&wait, fd);
        if (condition == WAIT_READY)
                return wait_send_rest(&wait, send);
        if (condition == WAIT_ELSE)
                return send->sent ? wait_send_plainly(fd, send) : -ENOTSOCK;
        return r;
}

/*
 * What these errors say takes nothing away from the socket, so that the call can be made again:
 * EPIPE comes with a signal then, and the others are how files and sockets that are not MPTCP's
 * refuse our call, and how poll() refuses under RLIMIT_NOFILE 0.
 */
static bool wait_is_repeatable(int error) {
        return error == EPIPE || error == ENOTSOCK || error == EOPNOTSUPP || error == EINVAL;
}

ssize_t wait_finish(int fd, const struct msghdr *message, int flags, int saved, ssize_t sent) {
        struct wait_send send = { .message = message, .flags = flags };
        int r = sent < 0 ? -errno : 0;

        if (r == 0)
                send.sent = (size_t)sent;
        if (r == 0 || r == -EAGAIN || r == -EINPROGRESS) /* TCP_FASTOPEN_CONNECT: it connects */
                r = wait_go_on(fd, &send, r);
        if (r == 0 || send.sent) {
                errno = saved;
                return (ssize_t)send.sent;
        }
        if (r == -EPIPE && wait_is_dead(fd))
                r = -ETIMEDOUT;
        if (wait_is_repeatable(-r)) {
                (void)wait_is_mptcp(fd);
                errno = saved;
                return WAIT_AS_CALLED;
        }
        errno = -r;
        return -1;
}

/* Moving */

/* Once a socket polls POLLOUT, a third of its buffer is free (sk_stream_is_writeable()). */
static size_t wait_room(int fd) {
        int buffer = 0;

        if (!wait_get(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) || buffer < 4)
                return 1;
        return (size_t)buffer / 4;
}

/* A closed connection is left to move(), which gets the error and SIGPIPE with it. */
static int wait_move_some(const struct wait *wait, size_t n, bool first, wait_move_func *move,
                          void *call, size_t *ret_moved) {
        int r = wait_for_room(wait, first);
        ssize_t moved;

        if (r == WAIT_BROKEN && !first)
                return -EPIPE;
        if (r == WAIT_BROKEN && wait_is_dead(wait->fd))
                return -ETIMEDOUT;
        if (r == -EAGAIN || r == -EINTR)
                return r;
        moved = move(call, n);
        if (moved < 0)
                return errno == EPIPE && wait_is_dead(wait->fd) ? -ETIMEDOUT : -errno;
        *ret_moved = (size_t)moved;
        return 0;
}

ssize_t wait_move(int fd, size_t n, bool whole, wait_move_func *move, void *call) {
        size_t done = 0, moved = 0, wanted;
        int saved = errno, r;
        struct wait wait;

        if (wait_begin(&wait, fd) != WAIT_READY) {
                errno = saved;
                return move(call, n);
        }
        do {
                wanted = wait_room(fd);
                if (wanted > n - done)
                        wanted = n - done;
                r = wait_move_some(&wait, wanted, done == 0, move, call, &moved);
                if (r < 0)
                        break;
                done += moved;
        } while (whole && moved == wanted && done < n);
        if (r < 0 && done == 0) {
                errno = -r;
                return -1;
        }
        errno = saved;
        return (ssize_t)done;
}
