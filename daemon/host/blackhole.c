#include "blackhole.h"

#include <string.h>
#include <sys/socket.h>

#include "../core/address.h"

#define LOOK_USEC      12000000u /* a comparison with the kernel has been made by then */
#define PAUSE_MIN_USEC 60000000u
#define NETWORK_USEC   300000000u
#define NETWORK_HOLES  4u /* as many within NETWORK_USEC: it is the network */
#define USEC_PER_SEC   1000000u
#define TCP_SYN_SENT   2 /* include/net/tcp_states.h */

/* The list */

static struct blackhole *blackholes_find(struct blackholes *blackholes,
                                         const struct mptcpize_address *to) {
        for (size_t i = 0; i < blackholes->n; i++)
                if (address_equal(&blackholes->list[i].to, to))
                        return &blackholes->list[i];
        return NULL;
}

/* The oldest makes room. True: it is new. */
static bool blackholes_add(struct blackholes *blackholes, const struct blackhole *added) {
        struct blackhole *known = blackholes_find(blackholes, &added->to);

        if (known)
                return false;
        if (blackholes->n == LIMIT_BLACKHOLES)
                memmove(blackholes->list, blackholes->list + 1,
                        --blackholes->n * sizeof(*blackholes->list));
        blackholes->list[blackholes->n++] = *added;
        return true;
}

static bool blackholes_expire(struct blackholes *blackholes, uint64_t now) {
        const size_t before = blackholes->n;
        size_t n = 0;

        for (size_t i = 0; i < before; i++)
                if (blackholes->list[i].until_usec > now)
                        blackholes->list[n++] = blackholes->list[i];
        blackholes->n = n;
        return n != before;
}

static size_t blackholes_recent(const struct blackholes *blackholes, uint64_t now) {
        size_t n = 0;

        for (size_t i = 0; i < blackholes->n; i++)
                n += blackholes->list[i].since_usec &&
                     blackholes->list[i].since_usec + NETWORK_USEC > now;
        return n;
}

/* States */

void blackholes_notice(struct blackholes *blackholes, uint64_t n, uint64_t now_usec) {
        blackholes->count += n;
        blackholes->last_usec = now_usec;
        blackholes->state = BLACKHOLE_LOOKING;
        blackholes->due_usec = now_usec + LOOK_USEC;
}

static void blackholes_leave(struct blackholes *blackholes, uint64_t now, uint64_t timeout) {
        blackholes->state = BLACKHOLE_OFF;
        blackholes->due_usec = now + timeout;
}

static void blackholes_found(struct blackholes *blackholes, uint64_t now, uint64_t timeout) {
        blackholes->pause_usec = 0;
        blackholes->due_usec = 0;
        if (blackholes_recent(blackholes, now) >= NETWORK_HOLES)
                blackholes_leave(blackholes, now, timeout);
        else
                blackholes->state = BLACKHOLE_DUE;
}

/* Pauses get longer; one that is as long as the kernel's own time needs nothing of us. */
static void blackholes_not_found(struct blackholes *blackholes, uint64_t now, uint64_t timeout) {
        blackholes->pause_usec =
                        blackholes->pause_usec ? 2 * blackholes->pause_usec : PAUSE_MIN_USEC;
        if (blackholes->pause_usec >= timeout) {
                blackholes->pause_usec = timeout;
                blackholes_leave(blackholes, now, timeout);
                return;
        }
        blackholes->state = BLACKHOLE_WAITING;
        blackholes->due_usec = now + blackholes->pause_usec;
}

bool blackholes_tick(struct blackholes *blackholes, uint64_t now_usec, uint64_t timeout_usec) {
        if (blackholes->due_usec && blackholes->due_usec <= now_usec) {
                blackholes->due_usec = 0;
                if (blackholes->state == BLACKHOLE_LOOKING)
                        blackholes_not_found(blackholes, now_usec, timeout_usec);
                else if (blackholes->state == BLACKHOLE_WAITING)
                        blackholes->state = BLACKHOLE_DUE;
                else if (blackholes->state == BLACKHOLE_OFF)
                        blackholes->state = BLACKHOLE_NONE;
        }
        return blackholes_expire(blackholes, now_usec);
}

uint64_t blackholes_deadline(const struct blackholes *blackholes) {
        uint64_t deadline = blackholes->due_usec ? blackholes->due_usec : UINT64_MAX;

        for (size_t i = 0; i < blackholes->n; i++)
                if (blackholes->list[i].until_usec < deadline)
                        deadline = blackholes->list[i].until_usec;
        return deadline;
}

void blackholes_rearmed(struct blackholes *blackholes, bool done, uint64_t now_usec,
                        uint64_t timeout_usec) {
        blackholes->due_usec = 0;
        if (done)
                blackholes->state = BLACKHOLE_REARMED;
        else
                blackholes_leave(blackholes, now_usec, timeout_usec);
}

/* Looking */

static bool snapshot_fell_back(const struct snapshot *snapshot, uint32_t token) {
        for (size_t i = 0; i < snapshot->connections.n; i++)
                if (snapshot->connections.items[i].token == token)
                        return snapshot->connections.items[i].flags & SNAPSHOT_FALLBACK;
        return false;
}

/*
 * The initial subflow of a client that has asked for MPTCP and whose peer has not answered that:
 * one that was told not to ask has no token, and one of a server has seen the peer ask.
 */
static bool subflow_is_suspect(const struct snapshot_subflow *subflow, uint32_t retransmits) {
        return subflow->state != TCP_SYN_SENT && subflow->syn_retransmits >= retransmits &&
               !(subflow->flags & (SNAPSHOT_MCAP_REM | SNAPSHOT_JOIN_LOC | SNAPSHOT_JOIN_REM));
}

bool blackholes_look(struct blackholes *blackholes, const struct snapshot *snapshot,
                     uint32_t retransmits, uint64_t now_usec, uint64_t timeout_usec) {
        bool changed = false;

        if (blackholes->state != BLACKHOLE_LOOKING ||
            snapshot->started_usec < blackholes->last_usec)
                return false;
        for (size_t i = 0; i < snapshot->subflows.n; i++) {
                const struct snapshot_subflow *subflow = &snapshot->subflows.items[i];
                const struct blackhole added = { .to = address_without_port(&subflow->remote),
                                                 .since_usec = now_usec,
                                                 .until_usec = now_usec + timeout_usec };

                if (subflow_is_suspect(subflow, retransmits) &&
                    snapshot_fell_back(snapshot, subflow->token))
                        changed |= blackholes_add(blackholes, &added);
        }
        if (changed)
                blackholes_found(blackholes, now_usec, timeout_usec);
        else
                blackholes_not_found(blackholes, now_usec, timeout_usec);
        return changed;
}

/* The database */

void blackholes_recall(struct blackholes *blackholes, const struct policy_blackhole *row) {
        struct blackhole recalled = { .until_usec = (uint64_t)row->until * USEC_PER_SEC };

        if (address_init(&recalled.to, row->to.bytes, row->to.family == 4 ? 4 : 16, 0) == 0)
                (void)blackholes_add(blackholes, &recalled);
}

size_t blackholes_rows(const struct blackholes *blackholes,
                       struct policy_blackhole rows[static LIMIT_BLACKHOLES]) {
        for (size_t i = 0; i < blackholes->n; i++) {
                const struct blackhole *blackhole = &blackholes->list[i];
                const bool is4 = blackhole->to.family == AF_INET;

                rows[i] = (struct policy_blackhole){
                        .to = { .family = is4 ? 4 : 6, .len = is4 ? 32 : 128 },
                        .until = (uint32_t)(blackhole->until_usec / USEC_PER_SEC),
                };
                memcpy(rows[i].to.bytes, blackhole->to.bytes, is4 ? 4 : 16);
        }
        return blackholes->n;
}

const char *blackhole_state_name(enum blackhole_state state) {
        static const char *const names[_BLACKHOLE_STATE_MAX] = {
                [BLACKHOLE_NONE] = "none",
                [BLACKHOLE_LOOKING] = "looking for the destination",
                [BLACKHOLE_WAITING] = "MPTCP is off for a while: the destination is not known",
                [BLACKHOLE_DUE] = "MPTCP is switched on again",
                [BLACKHOLE_REARMED] = "MPTCP is on again",
                [BLACKHOLE_OFF] = "the network loses MPTCP: off, until the kernel tries again",
        };

        return state < _BLACKHOLE_STATE_MAX ? names[state] : "unknown";
}
