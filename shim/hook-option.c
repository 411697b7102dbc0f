/*
 * setsockopt(), getsockopt(), ioctl(): a program sees the options of TCP. See option.h, hook.h.
 *
 * The call is made first, and what it costs through here is a look at the descriptor's word. Only
 * when the kernel refuses, and for the few things that it answers otherwise than for TCP, the table
 * is asked, and then the kernel, whether this is an MPTCP socket at all.
 */
#include "hook.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "decide.h"
#include "demote.h"
#include "hint.h"
#include "next.h"
#include "option.h"

/* <linux/sockios.h>, the same on all architectures that have no number of their own. */
#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

/* An option as the application names it. */
struct hook_option {
        int fd;
        int level;
        int name;
};

static int hook_ask(const struct next *next, int fd, int level, int name) {
        socklen_t len = sizeof(int);
        int value = -1;

        return next->getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

/*
 * A socket from before this program, as from socket activation: it can't become TCP, but options
 * are remembered for it from now on.
 */
static void hook_adopt(const struct next *next, int fd) {
        bool listens = hook_ask(next, fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;

        fd_begin(fd, FD_MPTCP | FD_SHARED | (listens ? FD_LISTENING : FD_CONNECTED));
}

/* Is it an MPTCP socket? The kernel knows; our word is mended. errno is not kept. */
static bool hook_is_mptcp(const struct next *next, int fd) {
        uint32_t kind = fd_flags(fd) & FD_KIND;
        int protocol;

        if (kind == FD_OTHER || fd_is_confined())
                return kind == FD_MPTCP;
        protocol = hook_ask(next, fd, SOL_SOCKET, SO_PROTOCOL);
        if (protocol == DECIDE_IPPROTO_MPTCP && kind == FD_UNKNOWN)
                hook_adopt(next, fd);
        else if (protocol >= 0 && protocol != DECIDE_IPPROTO_MPTCP)
                fd_begin(fd, FD_OTHER);
        return protocol == DECIDE_IPPROTO_MPTCP;
}

/* The row for what was refused on an MPTCP socket; NULL: the refusal stands. errno is not kept. */
static const struct option *hook_find_row(const struct next *next, const struct hook_option *o) {
        const struct option *row = option_find(o->level, o->name);

        if (!row || !hook_is_mptcp(next, o->fd))
                return NULL;
        /* An IPv4 socket has none of these under TCP either. */
        if (o->level == IPPROTO_IPV6 && !fd_is_confined() &&
            hook_ask(next, o->fd, SOL_SOCKET, SO_DOMAIN) != AF_INET6)
                return NULL;
        return row;
}

/* Setting */

static bool hook_is_receive_timeout(const struct hook_option *o) {
        return o->level == SOL_SOCKET && (o->name == SO_RCVTIMEO_OLD || o->name == SO_RCVTIMEO_NEW);
}

static bool hook_is_device(const struct hook_option *o) {
        return o->level == SOL_SOCKET &&
               (o->name == SO_BINDTODEVICE || o->name == SO_BINDTOIFINDEX);
}

/* The kernel has taken it. Noted for demotion, or because it takes now what it refused before. */
static void hook_note_set(const struct hook_option *o, const void *value, socklen_t len) {
        const uint32_t flags = fd_flags(o->fd);
        const struct fd_option *known;

        if ((flags & FD_KIND) != FD_MPTCP)
                return;
        if (hook_is_receive_timeout(o))
                fd_set_flags(o->fd, FD_TIMEOUT);
        if (hook_is_device(o))
                fd_set_flags(o->fd, FD_DEVICE);
        known = flags & FD_ACCEPTED ? fd_find_option(o->fd, o->level, o->name) : NULL;
        if (!(flags & FD_CONNECTED) || known)
                fd_note_option(o->fd, o->level, o->name, value ? value : "", value ? len : 0,
                               false);
        else if (!(flags & FD_UNNOTED))
                fd_set_flags(o->fd, FD_UNNOTED);
}

static int hook_accept_option(const struct hook_option *o, const struct option *row,
                              const void *value, socklen_t len) {
        int number, r = option_parse(row, value, len, &number);

        if (r < 0) {
                errno = -r;
                return -1;
        }
        fd_note_option(o->fd, o->level, o->name, value, len, true);
        hint_count(REPORT_OPTION, option_index(row), row->text);
        if (o->level == IPPROTO_TCP && o->name == TCP_USER_TIMEOUT &&
            (fd_flags(o->fd) & FD_CONNECTED))
                hint_send(o->fd, HINT_OPTION, (uint32_t)number, NULL);
        return 0;
}

static bool hook_may_demote(const struct option *row) {
        struct decide_policy policy;
        uint32_t needed = (row->flags & OPTION_KTLS ? POLICY_APP_KTLS : 0) |
                          (row->flags & OPTION_PACING ? POLICY_APP_PACING : 0);

        if (!needed)
                return true;
        decide_policy(&policy);
        return (policy.flags & needed) == needed;
}

static int hook_demote_option(const struct next *next, const struct hook_option *o,
                              const struct option *row, const void *value, socklen_t len) {
        if (hook_may_demote(row) &&
            demote(o->fd, REPORT_DEMOTED, option_index(row), row->text) == DEMOTE_DONE)
                return next->setsockopt(o->fd, o->level, o->name, value, len);
        if (row->flags & OPTION_NO_ULP)
                errno = ENOENT;
        return -1;
}

/* What the table makes of a refusal. errno: that of the refusal; on success, not kept. */
static int hook_set_refused(const struct next *next, const struct hook_option *o, const void *value,
                            socklen_t len) {
        const int error = errno;
        const bool bind = error == EINVAL && (fd_flags(o->fd) & FD_CONNECTED);
        const struct option *row;

        if (error != EOPNOTSUPP && error != ENOPROTOOPT && !bind)
                return -1;
        row = hook_find_row(next, o);
        errno = error;
        if (!row || bind != !!(row->flags & OPTION_BIND))
                return -1;
        if (row->verb == OPTION_ACCEPT)
                return hook_accept_option(o, row, value, len);
        if (row->verb == OPTION_DEMOTE)
                return hook_demote_option(next, o, row, value, len);
        return -1;
}

/* What the kernel is not to be told. */
static int hook_set_withheld(const struct next *next, const struct hook_option *o,
                             const void *value, socklen_t len) {
        const struct option *row = hook_find_row(next, o);

        return row ? hook_accept_option(o, row, value, len)
                   : next->setsockopt(o->fd, o->level, o->name, value, len);
}

HOOK_DECLARE(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len));

int hook_setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
        const struct next *next = next_functions();
        const int saved = errno;
        int r;

        if (__builtin_expect(!next->setsockopt, 0))
                return hook_missing();
        if (__builtin_expect(option_is_withheld(level, name), 0) &&
            (fd_flags(fd) & FD_KIND) == FD_MPTCP) {
                r = hook_set_withheld(next, &(struct hook_option){ fd, level, name }, value, len);
                if (r == 0)
                        errno = saved;
                return r;
        }
        r = next->setsockopt(fd, level, name, value, len);
        if ((fd_flags(fd) & FD_KIND) == FD_OTHER)
                return r;
        if (__builtin_expect(r == 0, 1)) {
                hook_note_set(&(struct hook_option){ fd, level, name }, value, len);
                return 0;
        }
        r = hook_set_refused(next, &(struct hook_option){ fd, level, name }, value, len);
        if (r == 0)
                errno = saved;
        return r;
}

/* Getting */

/* The value that was accepted, or what the option has if nobody has set it. */
static int hook_value(const struct hook_option *o, const struct option *row) {
        const struct fd_option *known = fd_find_option(o->fd, o->level, o->name);
        int number = row->initial;

        if (known)
                (void)option_parse(row, known->value, known->len, &number);
        return number;
}

/* The kernel has an MTU for the subflow, but shows it elsewhere. */
static int hook_mtu(const struct next *next, int fd, int *ret_mtu) {
        struct tcp_info info = { 0 };
        socklen_t len = sizeof(info);

        if (fd_is_confined() || next->getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
            info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_LISTEN || info.tcpi_pmtu == 0)
                return -ENOTCONN;
        *ret_mtu = (int)info.tcpi_pmtu;
        return 0;
}

static int hook_get_refused(const struct next *next, const struct hook_option *o, void *value,
                            socklen_t *len) {
        const int error = errno;
        const struct option *row;
        int number = 0, r = 0;

        if ((error != EOPNOTSUPP && error != ENOPROTOOPT) || !value || !len)
                return -1;
        row = hook_find_row(next, o);
        errno = error;
        if (!row || row->answer == OPTION_ERROR)
                return -1;
        if (row->answer == OPTION_MTU)
                r = hook_mtu(next, o->fd, &number);
        else if (row->answer == OPTION_VALUE)
                number = hook_value(o, row);
        if (r == 0 && (int)*len < 0)
                r = -EINVAL;
        if (r < 0) {
                errno = -r;
                return -1;
        }
        *len = row->answer == OPTION_EMPTY ? 0 : option_format(row, number, value, *len);
        return 0;
}

/* Of the subflow, which knows nothing of the end of the connection's stream. */
static void hook_mend_info(const struct next *next, int fd, void *value, socklen_t len) {
        struct pollfd entry = { .fd = fd, .events = POLLRDHUP };
        const int saved = errno;
        uint8_t *state = value;

        if (len > 0 && *state == TCP_ESTABLISHED && !fd_is_confined() && hook_is_mptcp(next, fd) &&
            next->poll(&entry, 1, 0) == 1 && (entry.revents & POLLRDHUP))
                *state = TCP_CLOSE_WAIT;
        errno = saved;
}

/* The kernel has answered, for a socket that may be MPTCP. */
static void hook_mend_answer(const struct next *next, const struct hook_option *o, void *value,
                             socklen_t *len) {
        static const int protocol = DECIDE_IPPROTO_MPTCP, tcp = IPPROTO_TCP;
        const struct fd_option *known;
        const struct option *row;

        if (o->level == SOL_SOCKET && o->name == SO_PROTOCOL && *len <= sizeof(protocol) &&
            memcmp(value, &protocol, *len) == 0)
                memcpy(value, &tcp, *len);
        else if (o->level == SOL_SOCKET && o->name == SO_ERROR)
                demote_settle(o->fd);
        else if (o->level == IPPROTO_TCP && o->name == TCP_INFO)
                hook_mend_info(next, o->fd, value, *len);
        else if (o->level == IPPROTO_TCP && o->name == TCP_ULP && *len > 0 &&
                 memcmp(value, "mptcp", *len < 6 ? *len : 6) == 0)
                *len = 0;
        if (!(fd_flags(o->fd) & FD_ACCEPTED))
                return;
        known = fd_find_option(o->fd, o->level, o->name);
        row = known && known->accepted ? option_find(o->level, o->name) : NULL;
        if (row && row->answer == OPTION_VALUE)
                *len = option_format(row, hook_value(o, row), value, *len);
}

HOOK_DECLARE(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len));

int hook_getsockopt(int fd, int level, int name, void *value, socklen_t *len) {
        const struct next *next = next_functions();
        const int saved = errno;
        int r;

        if (__builtin_expect(!next->getsockopt, 0))
                return hook_missing();
        r = next->getsockopt(fd, level, name, value, len);
        if ((fd_flags(fd) & FD_KIND) == FD_OTHER)
                return r;
        if (__builtin_expect(r == 0, 1)) {
                hook_mend_answer(next, &(struct hook_option){ fd, level, name }, value, len);
                return 0;
        }
        r = hook_get_refused(next, &(struct hook_option){ fd, level, name }, value, len);
        if (r == 0)
                errno = saved;
        return r;
}

uint32_t option_user_timeout(int fd) {
        const struct fd_option *known = fd_find_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT);
        uint32_t msec;

        if (!known || !known->accepted || known->len < sizeof(msec))
                return 0;
        memcpy(&msec, known->value, sizeof(msec));
        return msec;
}

/* ioctl() */

/*
 * First poll(), then the number again: a FIN that poll() has seen is in the number, while one that
 * comes between the two makes it one too high only this once, as it may come behind any call.
 */
static void hook_mend_readable(const struct next *next, int fd, int *number) {
        struct pollfd entry = { .fd = fd, .events = POLLIN | POLLRDHUP };
        int again;

        if (fd_is_confined() || !hook_is_mptcp(next, fd) || next->poll(&entry, 1, 0) != 1 ||
            !(entry.revents & (POLLRDHUP | POLLHUP)) || next->ioctl(fd, FIONREAD, &again) < 0)
                return;
        *number = option_readable(again, entry.revents);
}

static void hook_note_ioctl(int fd, unsigned int request, const int *argument) {
        if ((fd_flags(fd) & FD_KIND) != FD_MPTCP)
                return;
        if (request == FIONBIO && *argument)
                fd_set_flags(fd, FD_NONBLOCK);
        else if (request == FIONBIO)
                fd_clear_flags(fd, FD_NONBLOCK);
        else if (request == FIOSETOWN || request == SIOCSPGRP)
                fd_set_flags(fd, FD_OWNED);
}

/* What is to be done about a call that has had this result. */
static int hook_mend_ioctl(const struct next *next, int fd, unsigned int request, int *argument,
                           int r) {
        const int error = errno;

        if (request == FIONREAD && r == 0 && *argument > 0) {
                hook_mend_readable(next, fd, argument);
        } else if (request == SIOCATMARK && r < 0 && error == ENOTTY && argument &&
                   hook_is_mptcp(next, fd)) {
                /* MPTCP has no urgent data. */
                *argument = 0;
                r = 0;
        } else if (r == 0) {
                hook_note_ioctl(fd, request, argument);
        }
        errno = error;
        return r;
}

static bool hook_is_of_interest(unsigned int request) {
        return request == FIONREAD || request == SIOCATMARK || request == FIONBIO ||
               request == FIOSETOWN || request == SIOCSPGRP;
}

HOOK_DECLARE(int, ioctl, (int fd, unsigned long request, ...));

int hook_ioctl(int fd, unsigned long request, ...) {
        const struct next *next = next_functions();
        const int saved = errno;
        void *argument;
        va_list list;
        int r;

        va_start(list, request);
        argument = va_arg(list, void *);
        va_end(list);
        if (__builtin_expect(!next->ioctl, 0))
                return hook_missing();
        r = next->ioctl(fd, request, argument);
        if (!hook_is_of_interest((unsigned int)request) || (fd_flags(fd) & FD_KIND) == FD_OTHER)
                return r;
        r = hook_mend_ioctl(next, fd, (unsigned int)request, argument, r);
        if (r == 0)
                errno = saved;
        return r;
}

/* glibc's makes the system call by itself. */
HOOK_DECLARE(int, sockatmark, (int fd));

int hook_sockatmark(int fd) {
        int mark = 0;

        return hook_ioctl(fd, SIOCATMARK, &mark) < 0 ? -1 : mark != 0;
}
