/*
 * What becomes of a program's sockets, in numbers: a file that `mptcpctl run --verbose` makes, the
 * library maps at the start of each program (MPTCPIZE_REPORT names it), and all of them count in.
 *
 * A row is claimed by the first one who has something to count in it. No locks: a row is filled
 * before its key is stored, and two who fill one at the same time make two rows of one meaning,
 * which the reader adds up. A full table counts in its last row, "other".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define REPORT_VARIABLE "MPTCPIZE_REPORT"
#define REPORT_MAGIC    0x3152706du /* "mpR1" */
#define REPORT_ROWS     128u
#define REPORT_WHAT     56u

enum report_kind {
        REPORT_UPGRADED = 1, /* made MPTCP; what: "" */
        REPORT_REFUSED,      /* the kernel made no MPTCP socket, so it is TCP; what: the errno */
        REPORT_POLICY,       /* made TCP, or made it before use, by policy; what: the reason */
        REPORT_DEMOTED,      /* made TCP for an option; what: its name */
        REPORT_KEPT,         /* should have become TCP and could not; what: why */
        REPORT_FELL_BACK,    /* MPTCP here, TCP on the wire; what: "" or why */
        REPORT_OPTION,       /* accepted without effect; what: the option's name */
        REPORT_KEY,          /* a connection's key for join authentication; what: where it went */
        _REPORT_KIND_MAX
};

struct report_row {
        uint32_t key; /* 0: free, REPORT_CLAIMED: being filled, else kind << 24 | detail */
        uint32_t count;
        char what[REPORT_WHAT]; /* with its NUL */
};

struct report {
        uint32_t magic;
        uint32_t n; /* REPORT_ROWS */
        struct report_row rows[REPORT_ROWS];
};

/* Makes a report of zeroed memory. */
void report_init(struct report *report);

/* Is it one? The size is that of the mapping. */
int report_is_valid(const struct report *report, size_t size);

/*
 * Counts one more of (kind, detail); detail tells those of one kind apart (< 2^24), what says it
 * for people and is copied, cut at REPORT_WHAT. Safe in signal handlers and between processes.
 */
void report_count(struct report *report, enum report_kind kind, uint32_t detail, const char *what);
