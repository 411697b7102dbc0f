/*
 * What becomes of a pair of addresses at which a subflow failed: whether, and when, it is tried
 * again.
 *
 * Refused: never, unless the peer announces the address afresh. So are ECONNREFUSED and EACCES; a
 * reset that MP_TCPRST doesn't call transient (RFC 8684, 3.6: T is 0), of a join, or with a reason
 * but 1, of a subflow that worked; and a join that the peer closes in good order as soon as it is
 * established, which is how Linux says that it has subflows enough (6.18, mptcp_finish_join()).
 *
 * Stripped: when a link or an address of this host changes. A join that is closed without an error
 * before it was established got an answer without MP_JOIN, from something on the way (RFC 8684,
 * 3.2).
 *
 * Without permission: where joins need it (permit.c), a no to the question for it, or no answer, is
 * no refusal for ever, since the peer may have room or know the address later: like anything else
 * below, but all anew when joins are allowed, and when the peer announces the address again.
 *
 * Anything else: after 1, 2, 4 .. 64 s and up to a quarter more, eight times; all anew when a link
 * comes up or an address appears.
 *
 * What an operator has removed is like refused, but is tried when there is nothing else: decide.c.
 *
 * Nor is it a refusal, or stripped, if the peer was told a short while ago that an address is gone,
 * and closes a join without saying why: Linux closes what joins from there in the meantime, too,
 * since a new subflow of that address has the same id (6.18, mptcp_pm_rm_addr_or_subflow()). A link
 * that is down for a moment would lose its path for good.
 *
 * Of a plain RST the kernel tells as of an MP_TCPRST with T and reason 0: it has cut a working path
 * for a moment, as a firewall does that has lost its state, and is no refusal.
 */
#include "engine.h"

#include <errno.h>

#define RETRY_FIRST_USEC   1000000u
#define RETRY_LONGEST_USEC 64000000u
#define RETRY_TRIES        8u
#define RETRY_FORGET_USEC  64000000u /* a subflow that lived so long starts afresh */
#define RETRY_LAST_USEC    4000000u  /* at most, while no subflow carries data */
#define REFUSED_USEC       100000u   /* and two round trips: how fast a peer says no */

/*
 * The kernel repeats an announcement until its echo arrives, within two seconds (Linux 6.18). What
 * comes so long after a failure is meant.
 */
#define REPEATED_USEC 10000000u

/* How long after RM_ADDR the peer may be at it: the path that takes it there may be a slow one. */
#define WITHDRAWN_USEC 10000000u

/*
 * Reason 1 of MP_TCPRST, "MPTCP-specific error" (RFC 8684, 3.6). Of a subflow that was established
 * it's an accident: Linux 6.18 sometimes takes what another path sends again for a wrong mapping
 * (DSSNotMatching), and says so with T 0.
 */
#define RESET_PROTOCOL 1u

enum verdict {
        VERDICT_LATER,    /* try again, by and by */
        VERDICT_STRIPPED, /* ... when a link or an address changes */
        VERDICT_REFUSED   /* never */
};

/* How long it was established: 0 if it never was, else at least 1. */
static uint64_t engine_lived(const struct engine *engine, const struct subflow *subflow) {
        if (subflow->is.state == MPTCPIZE_SUBFLOW_PENDING)
                return 0;
        /* No peer opens a connection only to refuse its first subflow. */
        if (subflow->is.flags & MPTCPIZE_SUBFLOW_INITIAL || !subflow->established_usec)
                return RETRY_FORGET_USEC + 1;
        return engine->now_usec - subflow->established_usec + 1;
}

uint64_t engine_backoff_usec(struct engine *engine, unsigned int tries) {
        uint64_t wait = (uint64_t)RETRY_FIRST_USEC << (tries - 1);

        if (wait > RETRY_LONGEST_USEC)
                wait = RETRY_LONGEST_USEC;
        return wait + engine_random(engine) % (wait / 4 + 1);
}

static uint64_t engine_retry_usec(struct engine *engine, const struct refusal *refusal) {
        if (refusal->final || refusal->stripped || refusal->tries > RETRY_TRIES)
                return UINT64_MAX;
        /* The kernel won't take back these until something else has changed. */
        if (refusal->error == -ENOTCONN || refusal->error == -EINVAL)
                return UINT64_MAX;
        return engine->now_usec + engine_backoff_usec(engine, refusal->tries);
}

static void engine_note_verdict(struct engine *engine, const struct connection *connection,
                                const struct refusal *refusal) {
        const struct mptcpize_subflow pair = { .local = refusal->local, .remote = refusal->remote };

        if (refusal->final)
                engine_trace_note(engine, connection, &pair,
                                  "refused: not tried again unless the peer announces it afresh");
        else if (refusal->stripped)
                engine_trace_note(engine, connection, &pair,
                                  "MPTCP is taken out on the way: waits for a change of links");
        else if (refusal->tries == RETRY_TRIES + 1)
                engine_trace_note(engine, connection, &pair,
                                  "failed too often: waits for a change of the network");
}

static void engine_fail(struct engine *engine, struct connection *connection,
                        struct refusal *refusal, int error, uint64_t lived_usec,
                        enum verdict verdict) {
        if (refusal && refusal->ordered)
                return;
        engine->counters[COUNTER_SUBFLOWS_FAILED]++;
        if (!refusal)
                return;
        if (lived_usec > RETRY_FORGET_USEC)
                refusal->tries = 0;
        refusal->tries += refusal->tries <= RETRY_TRIES;
        refusal->error = error;
        refusal->final = verdict == VERDICT_REFUSED;
        refusal->stripped = verdict == VERDICT_STRIPPED;
        refusal->since_usec = engine->now_usec;
        refusal->until_usec = engine_retry_usec(engine, refusal);
        engine_note_verdict(engine, connection, refusal);
        engine_schedule(engine, connection);
}

static bool error_refuses(int error) {
        return error == -ECONNREFUSED || error == -EACCES;
}

/* What the question for permission ends with. */
static bool error_permits_not(int error) {
        return error == -EACCES || error == -EKEYREJECTED || error == -ENOBUFS ||
               error == -ETIMEDOUT;
}

void engine_refuse(struct engine *engine, struct connection *connection,
                   const struct mptcpize_address *local, const struct mptcpize_address *remote,
                   int error, uint64_t lived_usec) {
        struct refusal *refusal = connection_get_refusal(connection, local, remote);
        const bool permit = connection->auth && error_permits_not(error);

        engine_fail(engine, connection, refusal, error, lived_usec,
                    error_refuses(error) && !permit ? VERDICT_REFUSED : VERDICT_LATER);
        if (refusal && !refusal->ordered)
                refusal->permit = permit;
}

void engine_refuse_lost(struct engine *engine, struct connection *connection,
                        const struct subflow *lost) {
        engine_refuse(engine, connection, &lost->is.local, &lost->is.remote, -ETIMEDOUT,
                      engine_lived(engine, lost));
}

/* Within two round trips and a little more a peer that doesn't want a join has said so. */
static bool subflow_is_young(const struct subflow *subflow, uint64_t lived_usec) {
        uint64_t rtt = subflow->is.sample_usec ? subflow->is.rtt_usec : subflow->join_usec;

        return lived_usec && lived_usec <= 2 * rtt + REFUSED_USEC;
}

static bool engine_has_withdrawn(const struct engine *engine, const struct connection *connection) {
        return connection->withdrawn_usec &&
               engine->now_usec - connection->withdrawn_usec < WITHDRAWN_USEC;
}

/* withdrawn: an address of ours, a short while ago. */
static enum verdict verdict_of(const struct subflow *gone, const struct mptcp_event *event,
                               uint64_t lived_usec, bool withdrawn) {
        bool young = subflow_is_young(gone, lived_usec);

        if (event->reset && event->reset_transient)
                return VERDICT_LATER;
        if (withdrawn && !event->reset_reason && (event->reset || !event->error))
                return VERDICT_LATER;
        if (event->reset && (!lived_usec || young || event->reset_reason) &&
            !(lived_usec && event->reset_reason == RESET_PROTOCOL))
                return VERDICT_REFUSED;
        if (error_refuses(-event->error))
                return VERDICT_REFUSED;
        if (event->error)
                return VERDICT_LATER;
        if (!lived_usec)
                return VERDICT_STRIPPED;
        return young && !gone->is.bytes_received ? VERDICT_REFUSED : VERDICT_LATER;
}

void engine_refuse_closed(struct engine *engine, struct connection *connection,
                          const struct subflow *gone, const struct mptcp_event *event) {
        uint64_t lived_usec = engine_lived(engine, gone);
        enum verdict verdict = verdict_of(gone, event, lived_usec,
                                          engine_has_withdrawn(engine, connection));
        struct refusal *refusal;
        int error = -event->error;

        /* A peer that has learnt of protection closes what it hasn't admitted: with permission it
         * is another matter. */
        if (connection->auth && gone->free && connection->joins != JOINS_FREE)
                return;

        /* One that worked and that the peer closed in good order is tried again like a lost one. */
        if (!error && verdict == VERDICT_LATER)
                error = -ECONNRESET;
        refusal = connection_get_refusal(connection, &gone->is.local, &gone->is.remote);
        engine_fail(engine, connection, refusal, error, lived_usec, verdict);
        if (refusal && !refusal->ordered)
                refusal->permit = connection->auth && gone->free;
}

/*
 * With nothing left to carry the data the first failure of a pair costs no wait, later ones a
 * short one, and nothing is given up: the peer keeps the connection for its close_timeout.
 */
void engine_pardon_orphan(struct engine *engine, struct connection *connection) {
        /* Without any at all there are only seconds, and a join may take three of them. */
        const uint64_t last = engine->now_usec +
                              (connection->orphan_usec ? RETRY_FIRST_USEC : RETRY_LAST_USEC);

        if (connection_count(connection, SUBFLOWS_CARRYING, NULL))
                return;
        for (size_t i = 0; i < connection->refusals.n; i++) {
                struct refusal *refusal = &connection->refusals.items[i];

                if (refusal->final)
                        continue;
                if (refusal->tries <= 1)
                        refusal->until_usec = 0;
                else if (!refusal->stripped && refusal->until_usec > last)
                        refusal->until_usec = last;
        }
        engine_schedule(engine, connection);
}

bool engine_pardon_announced(struct engine *engine, struct connection *connection,
                             const struct mptcpize_address *remote, bool repeated) {
        bool pardoned = false;

        for (size_t i = connection->refusals.n; i-- > 0;) {
                const struct refusal *refusal = &connection->refusals.items[i];

                if (!address_equal(&refusal->remote, remote) ||
                    (repeated && refusal->error != -EKEYREJECTED &&
                     (!refusal->tries || engine->now_usec - refusal->since_usec < REPEATED_USEC)))
                        continue;
                ARRAY_REMOVE(&connection->refusals, i);
                pardoned = true;
        }
        return pardoned;
}

void engine_pardon_permitted(struct engine *engine, struct connection *connection) {
        for (size_t i = connection->refusals.n; i-- > 0;) {
                const struct refusal *refusal = &connection->refusals.items[i];

                if (refusal->permit || (!refusal->tries && refusal->error == -EACCES))
                        ARRAY_REMOVE(&connection->refusals, i);
        }
        engine_schedule(engine, connection);
}

void engine_pardon_changed(struct engine *engine, struct connection *connection, bool only_routes) {
        for (size_t i = connection->refusals.n; i-- > 0;) {
                struct refusal *refusal = &connection->refusals.items[i];

                if (refusal->final || (only_routes && refusal->stripped))
                        continue;
                /* Routes may change all the time: one more try, but no new count of them. */
                if (only_routes && refusal->tries)
                        refusal->until_usec = 0;
                else
                        ARRAY_REMOVE(&connection->refusals, i);
        }
        engine_schedule(engine, connection);
}
