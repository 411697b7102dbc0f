/*
 * What the library tells others: counters for `mptcpctl run --verbose` (policy/report.h) and
 * datagrams for the daemon (policy/hint.h). Both are nothing when nobody asked for them.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "policy/hint.h"
#include "policy/report.h"

/* Maps the report that MPTCPIZE_REPORT names. From the constructor only. */
void hint_init(void);

/* Counts in the report, see report_count(). */
void hint_count(enum report_kind kind, uint32_t detail, const char *what);

extern struct report *_Atomic hint_report;

/* Does anybody count? If not, what only counting needs to know need not be found out. */
static inline int hint_is_counting(void) {
        return atomic_load_explicit(&hint_report, memory_order_relaxed) != NULL;
}

/*
 * Tells the daemon of the socket fd: opens a socket, sends without waiting, closes it. Does nothing
 * if the policy has "hints": false, there is no daemon's database, or the process has confined
 * itself (fd_is_confined()). text may be NULL. errno is kept.
 */
void hint_send(int fd, enum hint_kind kind, uint32_t user_timeout_msec, const char *text);

/*
 * Gives the daemon a key for join authentication of the connection fd. 0, or a negative errno:
 * -ECONNREFUSED, -ENOENT: there is no daemon; -EAGAIN: it is busy; -EPERM: the process has confined
 * itself; -EACCES: the policy has "hints": false; or what socket() and sendmsg() fail with. errno
 * is kept.
 */
int hint_send_key(int fd, const uint8_t key[HINT_KEY_BYTES]);

/* Overwrites a secret, which no compiler leaves out. explicit_bzero() is not in every libc. */
static inline void hint_cleanse(void *secret, size_t n) {
        memset(secret, 0, n);
        __asm__ volatile("" : : "r"(secret) : "memory");
}
