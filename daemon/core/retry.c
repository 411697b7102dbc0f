/*
 * What becomes of a pair of addresses at which a subflow failed: whether, and when, it is tried
 * again.
 */
#include "engine.h"

#include <errno.h>

/* Retry after a failure: 1, 2, 4 .. 64 s, eight times. */
#define RETRY_FIRST_USEC    1000000u
#define RETRY_TRIES         8u
#define RETRY_FORGET_USEC   64000000u /* a subflow that lived so long starts afresh */
#define RETRY_LAST_USEC     4000000u  /* at most, while no subflow is left */
#define REFUSED_WITHIN_USEC 1000000u

uint64_t engine_lived(const struct engine *engine, const struct subflow *subflow) {
        if (subflow->is.state == MPTCPIZE_SUBFLOW_PENDING)
                return 0;
        /* No peer opens a connection only to refuse its first subflow. */
        if (subflow->is.flags & MPTCPIZE_SUBFLOW_INITIAL)
                return RETRY_FORGET_USEC;
        return engine->now_usec - subflow->is.changed_usec + 1;
}

static uint64_t engine_retry_usec(struct engine *engine, const struct refusal *refusal) {
        uint64_t wait = (uint64_t)RETRY_FIRST_USEC << (refusal->tries - 1);

        if (refusal->final || refusal->tries > RETRY_TRIES)
                return UINT64_MAX;
        switch (refusal->error) {
        case 0:
        case -ENOTCONN:
        case -EINVAL:
                return UINT64_MAX;
        default:
                return engine->now_usec + wait;
        }
}

void engine_refuse(struct engine *engine, struct connection *connection,
                   const struct mptcpize_address *local, const struct mptcpize_address *remote,
                   int error, uint64_t lived_usec) {
        struct refusal *refusal = connection_get_refusal(connection, local, remote);

        engine->counters[COUNTER_SUBFLOWS_FAILED]++;
        if (!refusal)
                return;
        if (lived_usec > RETRY_FORGET_USEC)
                refusal->tries = 0;
        refusal->tries += refusal->tries <= RETRY_TRIES;
        refusal->error = error;
        /* Linux closes a join that is over its limit right after it was established. */
        refusal->final = error == -ECONNREFUSED ||
                         (error == 0 && lived_usec && lived_usec < REFUSED_WITHIN_USEC);
        /* A long-lived one that the peer closed in good order is tried again like a lost one. */
        if (error == 0 && lived_usec >= REFUSED_WITHIN_USEC)
                refusal->error = -ECONNRESET;
        refusal->until_usec = engine_retry_usec(engine, refusal);
        engine_schedule(engine, connection);
}

/*
 * With nothing left to carry the data the first failure of a pair costs no wait, later ones a
 * short one, and nothing is given up: the peer keeps the connection for its close_timeout.
 */
void engine_pardon_orphan(struct engine *engine, struct connection *connection) {
        if (connection_live_subflows(connection))
                return;
        for (size_t i = 0; i < connection->refusals.n; i++) {
                struct refusal *refusal = &connection->refusals.items[i];

                if (refusal->final)
                        continue;
                if (refusal->tries <= 1)
                        refusal->until_usec = 0;
                else if (refusal->until_usec > engine->now_usec + RETRY_LAST_USEC)
                        refusal->until_usec = engine->now_usec + RETRY_LAST_USEC;
        }
        engine_schedule(engine, connection);
}
