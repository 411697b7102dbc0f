/*
 * connect(), bind(), listen(), accept(): where it comes out what an MPTCP socket is for, and
 * whether the policy wants it so. See hook.h.
 */
#include "hook.h"

#include <net/if.h>
#include <stddef.h>
#include <string.h>

#include "decide.h"
#include "demote.h"
#include "hint.h"
#include "next.h"
#include "option.h"
#include "tls.h"
#include "wait.h"

/* Judging */

static struct policy_address hook_local(const struct next *next, int fd) {
        struct sockaddr_storage local;
        socklen_t len = sizeof(local);

        if (next->getsockname(fd, (struct sockaddr *)&local, &len) < 0)
                return (struct policy_address){ 0 };
        return policy_address(&local, len);
}

static struct policy_text hook_device(const struct next *next, int fd, char name[IFNAMSIZ]) {
        socklen_t len = IFNAMSIZ;

        if (next->getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len) < 0)
                return (struct policy_text){ NULL, 0 };
        return (struct policy_text){ name, strnlen(name, len) };
}

/* Makes fd TCP if the policy has something against the call. */
static void hook_judge(int fd, uint32_t flags, const struct policy_call *asked) {
        const struct next *next = next_functions();
        struct policy_call call = *asked;
        struct policy_verdict verdict = { .mptcp = true };
        int saved = errno;
        char name[IFNAMSIZ];

        if ((flags & FD_BOUND) && !fd_is_confined())
                call.local = hook_local(next, fd);
        if ((flags & FD_DEVICE) && !fd_is_confined())
                call.device = hook_device(next, fd, name);
        decide_call(&call, &verdict);
        if (!verdict.mptcp)
                (void)demote(fd, REPORT_POLICY, verdict.reason, policy_reason_name(verdict.reason));
        errno = saved;
}

void hook_connecting(int fd, const struct sockaddr *address, socklen_t len) {
        struct policy_call call = { .direction = POLICY_CONNECT };
        uint32_t flags = fd_flags(fd);

        if (!hook_is_fresh(flags))
                return;
        call.remote = policy_address(address, len);
        if (call.remote.family != 0)
                hook_judge(fd, flags, &call);
}

/* A connection of which the daemon wants a key. Nothing is sent on it yet. */
static inline void hook_watch(int fd) {
        if (__builtin_expect(decide_wants_keys(), 0) && !fd_is_confined())
                tls_watch(fd);
}

void hook_connected(int fd, ssize_t result) {
        uint32_t flags = fd_flags(fd);

        if (!hook_is_fresh(flags) || (result < 0 && errno != EINPROGRESS && errno != EINTR))
                return;
        fd_set_flags(fd, FD_CONNECTED);
        hook_watch(fd);
        if (result >= 0)
                demote_settle(fd);
        hint_send(fd, HINT_CONNECT, option_user_timeout(fd), NULL);
}

/* Hooks */

static bool hook_disconnects(const struct sockaddr *address, socklen_t len) {
        return address && len >= (socklen_t)sizeof(sa_family_t) && address->sa_family == AF_UNSPEC;
}

/* Fresh again; but what was done to a connection is not all in the record. */
static void hook_disconnected(int fd, int result) {
        if (result < 0)
                return;
        if (fd_flags(fd) & FD_UNNOTED)
                fd_set_flags(fd, FD_INEXACT);
        fd_clear_flags(fd, FD_CONNECTED | FD_SETTLED | FD_FELL_BACK | FD_UNNOTED | FD_HELLO);
}

HOOK_DECLARE(int, connect, (int fd, const struct sockaddr *address, socklen_t len));

int hook_connect(int fd, const struct sockaddr *address, socklen_t len) {
        const struct next *next = next_functions();
        int r;

        if (__builtin_expect(!next->connect, 0))
                return hook_missing();
        if ((fd_flags(fd) & FD_KIND) != FD_MPTCP)
                return next->connect(fd, address, len);
        hook_connecting(fd, address, len);
        r = next->connect(fd, address, len);
        if (hook_disconnects(address, len))
                hook_disconnected(fd, r);
        else
                hook_connected(fd, r);
        return r;
}

HOOK_DECLARE(int, bind, (int fd, const struct sockaddr *address, socklen_t len));

int hook_bind(int fd, const struct sockaddr *address, socklen_t len) {
        struct policy_call call = { .direction = POLICY_BIND };
        const struct next *next = next_functions();
        uint32_t flags = fd_flags(fd);
        int r;

        if (__builtin_expect(!next->bind, 0))
                return hook_missing();
        if (!hook_is_fresh(flags))
                return next->bind(fd, address, len);
        call.local = policy_address(address, len);
        if (call.local.family != 0)
                hook_judge(fd, flags & ~FD_BOUND, &call);
        r = next->bind(fd, address, len);
        if (r == 0)
                fd_set_flags(fd, FD_BOUND);
        return r;
}

/* Whether a word that says otherwise is wrong is worth a system call to a program that listens. */
static bool hook_listens(const struct next *next, int fd) {
        int saved = errno, listens = 0;
        socklen_t len = sizeof(listens);

        if (!fd_is_confined())
                (void)next->getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
        errno = saved;
        return listens;
}

HOOK_DECLARE(int, listen, (int fd, int backlog));

int hook_listen(int fd, int backlog) {
        struct policy_call call = { .direction = POLICY_LISTEN };
        const struct next *next = next_functions();
        uint32_t flags = fd_flags(fd);
        int r;

        if (__builtin_expect(!next->listen, 0))
                return hook_missing();
        if (!hook_is_fresh(flags) || hook_listens(next, fd))
                return next->listen(fd, backlog);
        hook_judge(fd, flags, &call);
        r = next->listen(fd, backlog);
        if (r == 0 && (fd_flags(fd) & FD_KIND) == FD_MPTCP) {
                fd_set_flags(fd, FD_LISTENING);
                hint_send(fd, HINT_LISTEN, option_user_timeout(fd), NULL);
        }
        return r;
}

/*
 * A client without MPTCP gets a real TCP socket from an MPTCP listener, and that has inherited what
 * the listener's subflow has: but not the options that the kernel refused to the listener.
 */
static void hook_inherit_options(const struct next *next, int listener, int fd) {
        int saved = errno, protocol = DECIDE_IPPROTO_MPTCP;
        socklen_t len = sizeof(protocol);

        (void)next->getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
        if (protocol != DECIDE_IPPROTO_MPTCP)
                fd_begin(fd, FD_OTHER);
        hook_copy_options(listener, fd, protocol != DECIDE_IPPROTO_MPTCP);
        errno = saved;
}

/* One from before this program, as from socket activation, is asked once what it is. */
static uint32_t hook_listener(int fd) {
        uint32_t flags = fd_flags(fd);

        if (__builtin_expect((flags & FD_KIND) != FD_UNKNOWN, 1))
                return flags;
        fd_begin(fd, FD_CLOSED | FD_LISTENING);
        return fd_flags(fd);
}

/* Waits for a connection if there is a timeout, which MPTCP's accept() does not know. */
static bool hook_awaits(int listener) {
        uint32_t flags = hook_listener(listener);
        int r;

        /* Others may have set it, too. */
        if ((flags & FD_KIND) != FD_MPTCP || !(flags & (FD_TIMEOUT | FD_SHARED)) ||
            fd_is_confined())
                return true;
        r = wait_for_accept(listener);
        if (r < 0)
                errno = -r;
        return r == 0;
}

static int hook_accepted(const struct next *next, int listener, int fd, int type) {
        uint32_t flags = fd_flags(listener);

        if (fd < 0)
                return fd;
        if ((flags & FD_KIND) != FD_MPTCP) {
                fd_begin(fd, flags & FD_KIND);
                return fd;
        }
        fd_begin(fd, FD_MPTCP | FD_CONNECTED | (type & SOCK_NONBLOCK ? FD_NONBLOCK : 0));
        hook_watch(fd);
        if ((flags & FD_ACCEPTED) && !fd_is_confined())
                hook_inherit_options(next, listener, fd);
        return fd;
}

HOOK_DECLARE(int, accept, (int fd, struct sockaddr *address, socklen_t *len));

int hook_accept(int fd, struct sockaddr *address, socklen_t *len) {
        const struct next *next = next_functions();

        if (__builtin_expect(!next->accept, 0))
                return hook_missing();
        if (!hook_awaits(fd))
                return -1;
        return hook_accepted(next, fd, next->accept(fd, address, len), 0);
}

HOOK_DECLARE(int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags));

int hook_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) {
        const struct next *next = next_functions();

        if (__builtin_expect(!next->accept4, 0))
                return hook_missing();
        if (!hook_awaits(fd))
                return -1;
        return hook_accepted(next, fd, next->accept4(fd, address, len, flags), flags);
}
