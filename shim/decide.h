/*
 * What the policy says of this program's sockets.
 *
 * Two databases are asked: the system's, which the daemon compiles, and the user's own. A user's
 * policy that matches this program decides, but not against a policy of the system that says "off"
 * or requires authentication; what matches neither is the system's default (policy/eval.h).
 *
 * A database that is rewritten counts from the next call on. What was found out of it is kept in
 * one atomic word, so that a call costs two loads and a compare, and no system call. Safe in signal
 * handlers, threads and vfork children.
 */
#pragma once

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "policy/eval.h"
#include "policy/hint.h"

enum {
        /* Linux 5.6, include/uapi/linux/in.h; our own copy since libc headers may lack it. */
        DECIDE_IPPROTO_MPTCP = 262,
        DECIDE_SETS = 8, /* options of "sets" that count */
};

/* What this program's policy says of more than one socket. */
struct decide_policy {
        uint32_t flags; /* POLICY_APP_* */
        uint32_t mode;  /* enum policy_mode; 0 without a policy */
        uint32_t auth;  /* enum policy_auth */
        uint32_t n_sets;
        struct policy_set sets[DECIDE_SETS];
        char name[HINT_TEXT]; /* "": no policy matches */
};

/*
 * The protocol to ask the kernel for when the application calls socket(domain, type, protocol), if
 * the policy has nothing against it: DECIDE_IPPROTO_MPTCP when the call asks for a TCP socket, and
 * protocol itself, which means "leave this call alone", in every other case. A call that asks for
 * MPTCP already is left alone too: its error belongs to the application. Pure; cannot fail.
 *
 * A TCP socket is what inet_create() in net/ipv4/af_inet.c (inet6_create() in net/ipv6/af_inet6.c)
 * makes one: SOCK_STREAM with protocol 0 or IPPROTO_TCP. Types with bits other than SOCK_NONBLOCK
 * and SOCK_CLOEXEC are left alone: the kernel refuses them, and the refusal stays the original one.
 */
static inline int decide_protocol(int domain, int type, int protocol) {
        if (domain != AF_INET && domain != AF_INET6)
                return protocol;
        if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
                return protocol;
        if (protocol != 0 && protocol != IPPROTO_TCP)
                return protocol;

        return DECIDE_IPPROTO_MPTCP;
}

/*
 * Maps the databases. From the constructor only; before it there is no database. What is not fit is
 * ignored, with one line on stderr if MPTCPIZE_DEBUG is in the environment. errno is kept.
 */
void decide_init(void);

/*
 * The shortcut of socket(): while both databases have the generations that were seen when nothing
 * spoke against MPTCP and nothing else was to be done, nothing has to be looked at again.
 */
struct decide_shortcut {
        const uint32_t *_Atomic generations[2]; /* in the databases; system's, user's */
        _Atomic uint64_t open;                  /* what decide_seen() was then; 0: closed */
};

extern struct decide_shortcut decide_shortcut;

/* Both generations, in one number that is never 0. */
static inline uint64_t decide_seen(void) {
        const uint32_t *system =
                        atomic_load_explicit(&decide_shortcut.generations[0], memory_order_acquire);
        const uint32_t *user =
                        atomic_load_explicit(&decide_shortcut.generations[1], memory_order_acquire);

        return (uint64_t)__atomic_load_n(system, __ATOMIC_RELAXED) << 33 |
               (uint64_t)__atomic_load_n(user, __ATOMIC_RELAXED) << 1 | 1;
}

static inline bool decide_is_open(void) {
        return decide_seen() == atomic_load_explicit(&decide_shortcut.open, memory_order_relaxed);
}

/* Opens the shortcut for what decide_seen() was before decide_socket(); 0 closes it. */
void decide_open_shortcut(uint64_t seen);

/*
 * What the policy has against MPTCP, as far as is known at socket(); and whether it has options to
 * be set on upgraded sockets.
 */
enum policy_reason decide_socket(bool *ret_has_sets);

/* What the policy says of one call. */
void decide_call(const struct policy_call *call, struct policy_verdict *ret_verdict);

/* The policy itself. */
void decide_policy(struct decide_policy *ret_policy);

/*
 * Does the daemon want the keys of this program's sessions? Not if the policy has no "auth", or a
 * shared key for it, or no hints; nor if there is no daemon. Costs little.
 */
bool decide_wants_keys(void);

/* Is there a database of the daemon, which means that there is or was a daemon? */
bool decide_has_daemon(void);
