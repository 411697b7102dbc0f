/*
 * Paths that are lost by the measure of the application: TCP_USER_TIMEOUT, which MPTCP sockets
 * refuse, and which a hint brings instead. Connections that have one are measured a few times
 * within it, whether they are idle or not.
 *
 * The clock of a subflow starts at the first sample that finds data unacknowledged, or unsent: that
 * is what a device without a carrier or a window of zero leaves of it, and tcp(7) counts both. It
 * starts again whenever something is acknowledged; so a subflow is never given up before its time,
 * and at most a little more than one period after it. Others take over what it had. The last one is
 * closed all the same, since that is what was asked for, and with it those that only wait for their
 * path to come back: the kernel then ends the connection after net.mptcp.close_timeout, unless a
 * join that is under way, or the peer, saves it.
 *
 * They are aborted: SUBFLOW_DESTROY sends a FIN behind the data, which waits for an acknowledgement
 * for minutes, and as long as the first subflow does so the kernel thinks that there is one and
 * doesn't start the clock of close_timeout (Linux 6.18, __mptcp_close_ssk()). That is also so for
 * one that was closed in this way long before; and it has to go before the last one, because the
 * clock starts when a subflow is closed, and the kernel takes that one for closed already.
 */
#include "engine.h"

#include <stdio.h>

#define PARTS      4u
#define PERIOD_MIN 100000u
#define PERIOD_MAX 5000000u
#define MSEC       ((uint64_t)1000)

uint64_t engine_silence_period(const struct connection *connection) {
        uint64_t usec = connection->advice.user_timeout_msec * MSEC / PARTS;

        if (usec < PERIOD_MIN)
                return PERIOD_MIN;
        return usec < PERIOD_MAX ? usec : PERIOD_MAX;
}

static bool silence_has_other(const struct connection *connection, const struct subflow *silent) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (&connection->subflows.items[i] != silent &&
                    connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_ESTABLISHED)
                        return true;
        return false;
}

/* Is the first subflow still to be closed, as one of those that are there? */
static bool silence_has_first(const struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *is = &connection->subflows.items[i].is;

                if ((is->state == MPTCPIZE_SUBFLOW_ESTABLISHED ||
                     is->state == MPTCPIZE_SUBFLOW_DEAD) &&
                    address_equal(&is->local, &connection->local) &&
                    address_equal(&is->remote, &connection->remotes.items[0].address))
                        return true;
        }
        return false;
}

/* Those that wait for their path would keep the connection alive. */
static void engine_end_dead(struct engine *engine, struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_DEAD)
                        (void)engine_close(engine, connection, &connection->subflows.items[i],
                                           ACTION_ABORT,
                                           "no other subflow is left, and this one's path is lost");
}

static void engine_end(struct engine *engine, struct connection *connection,
                       struct subflow *silent) {
        if (!silence_has_first(connection))
                (void)engine_push_close(
                                engine, connection, ACTION_ABORT, &connection->local,
                                &connection->remotes.items[0].address,
                                engine_ifindex(engine, &connection->local),
                                "the kernel still tries to close the first subflow in good order");
        if (!engine_close(engine, connection, silent, ACTION_ABORT,
                          "the last subflow: the application's user timeout has run out"))
                return;
        engine_end_dead(engine, connection);
        connection->state = CONNECTION_ENDING;
        engine_schedule_measurement(engine, connection);
}

static void engine_silenced(struct engine *engine, struct connection *connection,
                            struct subflow *silent) {
        char text[LIMIT_REASON];

        snprintf(text, sizeof(text), "nothing acknowledged within the user timeout of %u ms",
                 connection->advice.user_timeout_msec);
        if (silence_has_other(connection, silent)) {
                engine_lose(engine, connection, silent, text);
                return;
        }
        engine->counters[COUNTER_SUBFLOWS_DEAD]++;
        engine_trace_note(engine, connection, &silent->is, text);
        engine_end(engine, connection, silent);
}

void engine_note_silence(const struct engine *engine, struct subflow *subflow,
                         const struct measure *measure) {
        if (!measure->unacked && !measure->notsent)
                subflow->silent_usec = 0;
        else if (!subflow->silent_usec || subflow->is.bytes_acked != measure->bytes_acked)
                subflow->silent_usec = engine->now_usec;
}

bool engine_judge_silence(struct engine *engine, struct connection *connection,
                          struct subflow *subflow) {
        uint64_t since = subflow->silent_usec > engine->resumed_usec ? subflow->silent_usec
                                                                     : engine->resumed_usec;

        if (!subflow->silent_usec || !connection->advice.user_timeout_msec ||
            connection->state != CONNECTION_ESTABLISHED ||
            engine->now_usec - since < connection->advice.user_timeout_msec * MSEC ||
            !engine_may_act(engine, connection))
                return false;
        engine_silenced(engine, connection, subflow);
        return true;
}
