/*
 * Local addresses that are short of free ports.
 *
 * A join without a local port is bound to one that is free on its address, wherever it goes to, and
 * one that a join had within the last minute (TIME_WAIT) isn't. When most are taken the kernel
 * searches for long, and no other command is carried out meanwhile (13 ms, Linux 6.18); when all
 * are, it answers EADDRINUSE. So on a host of many short connections joins would hold up each
 * other, and what others need. After either sign joins from that address are put off, but for those
 * of connections that have no subflow left: after a long search until no more than a twentieth of
 * the time goes into such searches, after one in vain for some seconds.
 */
#include "engine.h"

#include <errno.h>
#include "../util/cleanup.h"

#define SEARCH_USEC  5000u /* of processor time: no command takes that long otherwise */
#define SEARCH_SHARE 20u   /* a search is followed by so many times as long without one */
#define PAUSE_USEC   5000000u
#define SPREAD_USEC  PAUSE_USEC /* within which those that were put off come back */

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

/* How long to leave an address alone; 0: the search was a quick one. */
static uint64_t scarcity_pause(const struct outcome_event *outcome) {
        if (outcome->error == -EADDRINUSE)
                return PAUSE_USEC;
        return outcome->cpu_usec < SEARCH_USEC ? 0 : (uint64_t)outcome->cpu_usec * SEARCH_SHARE;
}

void engine_note_search(struct engine *engine, const struct outcome_event *outcome) {
        const struct action *action = &outcome->action;
        const uint64_t pause = scarcity_pause(outcome);

        if (action->local.port || !pause)
                return;
        *engine_scarcity(engine, &action->local) = (struct scarcity){
                .local = address_without_port(&action->local),
                .until_usec = engine->now_usec + pause,
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
        refusal->until_usec = scarcity->until_usec + engine_random(engine) % SPREAD_USEC;
        engine->counters[COUNTER_RETRIES_HELD]++;
        if (!refusal->held)
                engine_trace_note(engine, connection, &pair,
                                  "put off: hardly a free port is left on the local address");
        refusal->held = true;
        return true;
}
