/*
 * Local addresses that are short of free ports.
 *
 * A join without a local port is bound to one that is free on its address, wherever it goes to, and
 * one that a join had within the last minute (TIME_WAIT) isn't. When most are taken the kernel
 * searches for long, and no other command is carried out meanwhile (13 ms, Linux 6.18); when all
 * are, it answers EADDRINUSE. So on a host of many short connections joins would hold up each
 * other, and what others need. After either sign joins from that address are put off for some
 * seconds, but for those of connections that have no subflow left.
 */
#include "engine.h"

#include <errno.h>
#include "../util/cleanup.h"

#define SEARCH_USEC 5000u    /* of processor time: no command takes that long otherwise */
#define PAUSE_USEC  5000000u /* and up to twice as long, so that not all come back at once */

/* Its entry, or else the one whose pause ends first. */
static struct scarcity *engine_scarcity(struct engine *engine,
                                        const struct mptcpize_address *local) {
        struct scarcity *first = &engine->scarcities[0];

        for (size_t i = 0; i < ARRAY_SIZE(engine->scarcities); i++) {
                if (address_same_host(&engine->scarcities[i].local, local))
                        return &engine->scarcities[i];
                if (engine->scarcities[i].until_usec < first->until_usec)
                        first = &engine->scarcities[i];
        }
        return first;
}

void engine_note_search(struct engine *engine, const struct outcome_event *outcome) {
        const struct action *action = &outcome->action;

        if (action->local.port ||
            (outcome->cpu_usec < SEARCH_USEC && outcome->error != -EADDRINUSE))
                return;
        *engine_scarcity(engine, &action->local) = (struct scarcity){
                .local = address_without_port(&action->local),
                .until_usec = engine->now_usec + PAUSE_USEC,
        };
}

bool engine_is_scarce(struct engine *engine, struct connection *connection,
                      const struct mptcpize_address *local, const struct mptcpize_address *remote) {
        const struct mptcpize_subflow pair = { .local = *local, .remote = *remote };
        const struct scarcity *scarcity = engine_scarcity(engine, local);
        struct refusal *refusal;

        if (local->port || scarcity->until_usec <= engine->now_usec ||
            !address_same_host(&scarcity->local, local) ||
            !connection_count(connection, SUBFLOWS_CARRYING, NULL))
                return false;
        refusal = connection_get_refusal(connection, local, remote);
        if (!refusal || refusal->until_usec > engine->now_usec)
                return true;
        refusal->until_usec = scarcity->until_usec + engine_random(engine) % PAUSE_USEC;
        engine->counters[COUNTER_RETRIES_HELD]++;
        if (!refusal->held)
                engine_trace_note(engine, connection, &pair,
                                  "put off: hardly a free port is left on the local address");
        refusal->held = true;
        return true;
}
