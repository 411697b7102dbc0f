/*
 * Destinations to which a SYN that asks for MPTCP gets no answer.
 *
 * The kernel (Linux 6.12) gives such a connection up to TCP after a few seconds, and then switches
 * MPTCP off for the whole network namespace, for net.mptcp.blackhole_timeout. That one destination
 * is kept out by the policy database instead, for as long, and the kernel's switch is set back. Not
 * again and again: where many destinations are lost, it is the network that swallows MPTCP; and
 * where the destination isn't found, every try costs a connection its seconds.
 *
 * This is the book-keeping. No I/O: time comes in, and what is to be done is asked for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/event.h"
#include "policy/format.h"

struct blackhole {
        struct mptcpize_address to; /* port 0 */
        uint64_t since_usec;        /* 0: before this daemon */
        uint64_t until_usec;
};

enum blackhole_state {
        BLACKHOLE_NONE,    /* the kernel has not switched MPTCP off, as far as we know */
        BLACKHOLE_LOOKING, /* it has; which destination was it? */
        BLACKHOLE_WAITING, /* not found: the switch is set back after a pause */
        BLACKHOLE_DUE,     /* the switch is to be set back now */
        BLACKHOLE_REARMED, /* the switch has been set back */
        BLACKHOLE_OFF,     /* left to the kernel, too much is lost */
        _BLACKHOLE_STATE_MAX
};

struct blackholes {
        struct blackhole list[LIMIT_BLACKHOLES];
        size_t n;
        enum blackhole_state state;
        uint64_t count;      /* how often the kernel has counted one, since our start */
        uint64_t last_usec;  /* when it did last; 0: never */
        uint64_t due_usec;   /* end of LOOKING, WAITING and OFF */
        uint64_t pause_usec; /* the last one of WAITING */
        bool unknown;        /* this kernel does not count them */
};

/* The kernel has counted more. */
void blackholes_notice(struct blackholes *blackholes, uint64_t n, uint64_t now_usec);

/*
 * Looks for the destination in a snapshot, if one is looked for and the snapshot is new enough:
 * a connection to it that fell back to TCP, of which the SYN was sent again at least retransmits
 * times. True: the list has changed; those in it last until timeout_usec from now.
 */
bool blackholes_look(struct blackholes *blackholes, const struct snapshot *snapshot,
                     uint32_t retransmits, uint64_t now_usec, uint64_t timeout_usec);

/* Time has passed. True: the list has changed. */
bool blackholes_tick(struct blackholes *blackholes, uint64_t now_usec, uint64_t timeout_usec);

/* When blackholes_tick() has something to do; UINT64_MAX: never. */
uint64_t blackholes_deadline(const struct blackholes *blackholes);

/* Of BLACKHOLE_DUE: the switch has been set back, or that can't be done. */
void blackholes_rearmed(struct blackholes *blackholes, bool done, uint64_t now_usec,
                        uint64_t timeout_usec);

/* Takes a row of the database, as an earlier daemon has left it. */
void blackholes_recall(struct blackholes *blackholes, const struct policy_blackhole *row);

/* As the database has them; how many are in rows. */
size_t blackholes_rows(const struct blackholes *blackholes,
                       struct policy_blackhole rows[static LIMIT_BLACKHOLES]);

/* Sentence for people. */
const char *blackhole_state_name(enum blackhole_state state);
