/*
 * What the policy says of this program's sockets.
 *
 * Two databases are asked: the system's, which the daemon compiles, and the user's own. A user's
 * policy that matches this program decides, but not against a policy of the system that says "off";
 * what matches neither is the system's default (policy/eval.h).
 *
 * A database that is rewritten counts from the next call on. What was found out of it is kept in
 * one atomic word, so that a call costs two loads and a compare, and no system call. Safe in signal
 * handlers, threads and vfork children.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

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
        uint32_t n_sets;
        struct policy_set sets[DECIDE_SETS];
        char name[HINT_TEXT]; /* "": no policy matches */
};

/*
 * The protocol to ask the kernel for when the application calls socket(domain, type, protocol), if
 * the policy has nothing against it: DECIDE_IPPROTO_MPTCP when the call asks for a TCP socket, and
 * protocol itself, which means "leave this call alone", in every other case. A call that asks for
 * MPTCP already is left alone too: its error belongs to the application. Pure; cannot fail.
 */
int decide_protocol(int domain, int type, int protocol);

/*
 * Maps the databases. From the constructor only; before it there is no database. What is not fit is
 * ignored, with one line on stderr if MPTCPIZE_DEBUG is in the environment. errno is kept.
 */
void decide_init(void);

/*
 * What the policy has against MPTCP, as far as is known at socket(); and whether it has options to
 * be set on upgraded sockets.
 */
enum policy_reason decide_socket(bool *ret_has_sets);

/* What the policy says of one call. */
void decide_call(const struct policy_call *call, struct policy_verdict *ret_verdict);

/* The policy itself. */
void decide_policy(struct decide_policy *ret_policy);

/* Is there a database of the daemon, which means that there is or was a daemon? */
bool decide_has_daemon(void);
