/*
 * Connections that have lost their last subflow.
 *
 * The kernel keeps such a connection for net.mptcp.close_timeout, then tells the application. But
 * its clock stands while a join is under way (Linux 6.18, __mptcp_close_ssk()), for up to 134 s if
 * nothing answers, and whoever keeps trying keeps the application waiting for ever. So joins are
 * tried for a few seconds only, and again when the network of this host has changed, which may have
 * brought a path; those that have not been answered by then are aborted.
 *
 * A subflow whose path is lost, but which the kernel has not given up, counts as one: TCP survives
 * a pulled cable, too.
 */
#include "engine.h"

#include <errno.h>

#define ORPHAN_USEC 5000000u

static bool engine_is_orphan(const struct connection *connection) {
        return connection->state != CONNECTION_NEW &&
               !connection_count(connection, SUBFLOWS_KEPT, NULL);
}

void engine_note_orphan(struct engine *engine, struct connection *connection) {
        if (!connection->orphan_usec && engine_is_orphan(connection)) {
                connection->orphan_usec = engine->now_usec + ORPHAN_USEC;
                engine_trace_note(engine, connection, NULL,
                                  "no subflow is left: joins are tried for 5 s, then the kernel "
                                  "may end it");
        }
        engine_pardon_orphan(engine, connection);
}

static const char *join_is_hopeless(const struct engine *engine,
                                    const struct connection *connection,
                                    const struct subflow *join) {
        (void)engine, (void)connection, (void)join;
        return "no subflow is left, and an unanswered join delays the end";
}

void engine_end_orphan(struct engine *engine, struct connection *connection) {
        engine_give_up_joins(engine, connection, join_is_hopeless, ETIMEDOUT);
}

void engine_hope_again(struct engine *engine, struct connection *connection) {
        if (!connection->orphan_usec)
                return;
        connection->orphan_usec = engine->now_usec + ORPHAN_USEC;
        engine_schedule(engine, connection);
}

bool engine_has_hope(const struct engine *engine, const struct connection *connection) {
        return !connection->orphan_usec || engine->now_usec < connection->orphan_usec;
}
