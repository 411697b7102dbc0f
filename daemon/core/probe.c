/*
 * Paths that deliver, and then don't.
 *
 * Whoever only receives sends nothing that could stay unanswered, and can't tell a dead path from a
 * sender that pauses. So it asks: with another join between the addresses of the subflow, as
 * backup, so that nobody sends data over it. Any answer, a refusal too, says that the path is
 * alive, and the join is aborted; then the path is left in peace for a while. If several joins,
 * which the kernel alone would not send so fast, stay without an answer, it's dead. What arrives on
 * the path itself meanwhile ends the question.
 *
 * Where joins need permission (permit.c) the peer is asked for it first, on the same path, several
 * times: its no is an answer, and if there is none, that is as good as several joins without one.
 *
 * Only where a join of ours was once answered is another one's silence worth anything, and only
 * what this host has joined itself is probed: a peer that joined us may take none. Joins of a probe
 * are in no list of subflows: no plugin sees them, and no limit and no refusal counts them. What
 * the kernel says of them is known by the addresses, and is taken for a probe's only if no subflow
 * that is asked for has the same.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool probe_is_of(const struct probe *probe, const struct subflow *subflow) {
        return address_equal(&probe->local, &subflow->is.local) &&
               address_equal(&probe->remote, &subflow->is.remote);
}

static bool probe_is_late(const struct engine *engine, const struct probe *probe) {
        return !probe->running && engine->now_usec > probe->ended_usec + PROBE_LINGER_USEC;
}

/* Is a join under way between these that isn't a probe's? Remote port 0: any. */
static bool probe_has_rival(const struct connection *connection,
                            const struct mptcpize_address *local,
                            const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *subflow = &connection->subflows.items[i];
                const struct mptcpize_subflow *is = &subflow->is;
                bool join = is->state == MPTCPIZE_SUBFLOW_PENDING || subflow->expired;

                if ((join && address_same_host(&is->local, local) &&
                     address_same_host(&is->remote, remote)) ||
                    (address_equal(&is->local, local) && address_equal(&is->remote, remote)))
                        return true;
        }
        return false;
}

bool engine_is_probe(const struct engine *engine, const struct connection *connection,
                     const struct mptcpize_address *local, const struct mptcpize_address *remote) {
        const struct probe *probe = connection->probe;

        return probe && !probe_is_late(engine, probe) && address_same_host(local, &probe->local) &&
               address_same_host(remote, &probe->target) &&
               (!remote->port || remote->port == probe->target.port) &&
               !probe_has_rival(connection, local, remote);
}

/* Ending */

static void engine_end_probe(struct engine *engine, struct connection *connection,
                             const char *reason) {
        struct probe *probe = connection->probe;
        struct mptcpize_address local = address_without_port(&probe->local);

        /* The kernel has none of a connection that fell back. */
        for (uint8_t i = 0; i < probe->open && engine_may_act(engine, connection); i++)
                (void)engine_push_close(engine, connection, ACTION_ABORT, &local,
                                        &connection->probe->target, 0, reason);
        probe->open = 0;
        probe->running = false;
        probe->ended_usec = engine->now_usec;
}

static struct subflow *probe_subflow(struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (probe_is_of(connection->probe, &connection->subflows.items[i]))
                        return &connection->subflows.items[i];
        return NULL;
}

/* No other probe for a while. */
static void engine_hold_probe(struct engine *engine, struct connection *connection) {
        struct subflow *subflow = probe_subflow(connection);
        uint64_t pause;

        if (!subflow)
                return;
        pause = (uint64_t)PROBE_HOLD_USEC << (subflow->holds < 8 ? subflow->holds : 8);
        subflow->holds += subflow->holds < UINT8_MAX;
        subflow->hold_usec = engine->now_usec +
                             (pause < PROBE_HOLD_MAX_USEC ? pause : PROBE_HOLD_MAX_USEC);
}

static void engine_probe_answered(struct engine *engine, struct connection *connection) {
        if (!connection->probe->running)
                return;
        engine_hold_probe(engine, connection);
        engine_end_probe(engine, connection, "the path is alive: no need for more of the probe");
}

void engine_check_probe(struct engine *engine, struct connection *connection,
                        const struct subflow *lost) {
        const struct subflow *subflow;

        if (!connection->probe || !connection->probe->running)
                return;
        subflow = probe_subflow(connection);
        if (!subflow || subflow == lost || subflow->is.state != MPTCPIZE_SUBFLOW_ESTABLISHED)
                engine_end_probe(engine, connection, "the probe is over: its path is gone");
}

/* What the kernel says */

/* There was no join. What could not be asked was not left without an answer. */
static void engine_probe_refused(struct engine *engine, struct connection *connection, int error) {
        const bool asked = connection->joins == JOINS_ASK;

        if (asked && error == -ETIMEDOUT) {
                connection->probe->n = PROBE_JOINS;
        } else if (asked && (error == -EACCES || error == -ENOBUFS)) {
                engine_probe_answered(engine, connection);
        } else {
                engine_hold_probe(engine, connection);
                engine_end_probe(engine, connection, "the probe is over: no join is possible");
        }
}

bool engine_probe_outcome(struct engine *engine, struct connection *connection,
                          const struct outcome_event *outcome) {
        struct probe *probe = connection->probe;

        if (!probe || outcome->action.type != ACTION_CREATE ||
            outcome->action.serial != probe->serial)
                return false;
        probe->asked = false;
        if (outcome->error == 0) {
                probe->sent_usec = engine->now_usec;
                return true;
        }
        probe->open -= probe->open > 0;
        if (probe->running)
                engine_probe_refused(engine, connection, outcome->error);
        return true;
}

bool engine_probe_established(struct engine *engine, struct connection *connection,
                              const struct mptcp_event *event) {
        if (!engine_is_probe(engine, connection, &event->local, &event->remote))
                return false;
        if (connection->state != CONNECTION_FALLBACK)
                (void)engine_push_close(engine, connection, ACTION_ABORT, &event->local,
                                        &connection->probe->target,
                                        engine_bound_ifindex(engine, &event->local, event->ifindex),
                                        "the path is alive: the probe has done its work");
        connection->probe->open -= connection->probe->open > 0;
        engine_probe_answered(engine, connection);
        return true;
}

bool engine_probe_closed(struct engine *engine, struct connection *connection,
                         const struct mptcp_event *event) {
        struct probe *probe = connection->probe;

        if (!engine_is_probe(engine, connection, &event->local, &event->remote))
                return false;
        probe->open -= probe->open > 0;
        /* Of these the peer knows; others are of this host, or of a router that can't reach it. */
        if (event->error == ECONNREFUSED || event->error == ECONNRESET || event->error == 0)
                engine_probe_answered(engine, connection);
        return true;
}

/* Asking */

/* Has this remote address answered a join of ours? */
static bool probe_is_joined(const struct connection *connection,
                            const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *is = &connection->subflows.items[i].is;

                if (is->state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    is->flags & MPTCPIZE_SUBFLOW_OURS && !(is->flags & MPTCPIZE_SUBFLOW_INITIAL) &&
                    address_equal(&is->remote, remote))
                        return true;
        }
        return false;
}

/* Whatever id it is announced under, too. */
static bool probe_is_denied(const struct connection *connection,
                            const struct mptcpize_address *remote) {
        return connection->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL &&
               address_equal(remote, &connection->remotes.items[0].address);
}

/* The subflow's own remote address if that takes joins, or else another one; NULL: none does. */
static const struct mptcpize_address *probe_find_target(const struct connection *connection,
                                                        const struct subflow *subflow) {
        const struct mptcpize_address *other = NULL;

        for (size_t i = 0; i < connection->remotes.n; i++) {
                const struct mptcpize_remote *remote = &connection->remotes.items[i];

                if (remote->address.family != subflow->is.local.family ||
                    !probe_is_joined(connection, &remote->address) ||
                    probe_is_denied(connection, &remote->address))
                        continue;
                if (address_equal(&remote->address, &subflow->is.remote))
                        return &remote->address;
                other = &remote->address;
        }
        return other;
}

static void engine_probe_again(struct engine *engine, struct connection *connection,
                               const struct subflow *subflow) {
        struct probe *probe = connection->probe;
        struct action action = {
                .type = ACTION_CREATE,
                .token = connection->token,
                .local = address_without_port(&probe->local),
                .remote = probe->target,
                .ifindex = subflow->is.ifindex,
                .local_id = subflow->is.local_id,
                .backup = true,
        };

        snprintf(action.reason, sizeof(action.reason),
                 "a probe: is the path alive? nothing has arrived for %u ms",
                 subflow->is.last_data_recv_msec);
        if (engine_push(engine, &action) < 0)
                return;
        probe->serial = action.serial;
        probe->sent_usec = engine->now_usec;
        probe->asked = true;
        probe->n++;
        probe->open++;
}

static void engine_start_probe(struct engine *engine, struct connection *connection,
                               const struct subflow *subflow) {
        const struct mptcpize_address *target = probe_find_target(connection, subflow);
        const struct mptcpize_address local = address_without_port(&subflow->is.local);

        if (!target || probe_has_rival(connection, &local, target) ||
            !engine_may_join(connection) || !engine_may_act(engine, connection))
                return;
        if (!connection->probe)
                connection->probe = calloc(1, sizeof(*connection->probe));
        if (!connection->probe)
                return;
        *connection->probe = (struct probe){
                .local = subflow->is.local,
                .remote = subflow->is.remote,
                .target = *target,
                .running = true,
                .started_usec = engine->now_usec,
                .sent_usec = engine->now_usec,
        };
        engine->counters[COUNTER_PROBES]++;
        engine_probe_again(engine, connection, subflow);
        engine_wake(engine, connection, WATCH_FASTEST_USEC);
}

/* Verdicts */

static uint64_t download_rtt(const struct subflow *subflow) {
        return subflow->is.rtt_usec > subflow->pipe_usec ? subflow->is.rtt_usec
                                                         : subflow->pipe_usec;
}

static uint64_t probe_answer_usec(const struct subflow *subflow) {
        uint64_t usec = download_rtt(subflow) * PROBE_ANSWER_RTTS;

        return usec > PROBE_ANSWER_USEC ? usec : PROBE_ANSWER_USEC;
}

static uint64_t engine_lose_download(struct engine *engine, struct connection *connection,
                                     struct subflow *subflow) {
        char text[LIMIT_REASON];

        snprintf(text, sizeof(text), "path lost: nothing arrived for %u ms, %u joins unanswered",
                 subflow->is.last_data_recv_msec, (unsigned int)connection->probe->n);
        engine_end_probe(engine, connection, "the probe is over: the path is lost");
        engine_lose(engine, connection, subflow, text);
        return 0;
}

static uint64_t engine_follow_probe(struct engine *engine, struct connection *connection,
                                    struct subflow *subflow) {
        const struct probe *probe = connection->probe;
        uint64_t answer = probe_answer_usec(subflow);
        uint64_t due = probe->sent_usec > engine->resumed_usec ? probe->sent_usec
                                                               : engine->resumed_usec;

        due += probe->n < PROBE_JOINS ? answer / 2 : answer;
        connection->moved = true; /* it is to be watched until the end */
        if (engine_heard_usec(subflow) > probe->started_usec) {
                engine_end_probe(engine, connection, "the path is alive: it has delivered");
                return UINT64_MAX;
        }
        if (probe->asked || engine->now_usec < due)
                return probe->asked ? engine->now_usec : due;
        if (probe->n == PROBE_JOINS)
                return engine_lose_download(engine, connection, subflow);
        if (probe_is_denied(connection, &probe->target)) { /* which may be known only now */
                engine_end_probe(engine, connection, "the probe is over: its peer denies joins");
                return UINT64_MAX;
        }
        if (!engine_may_join(connection)) {
                engine_end_probe(engine, connection, "the probe is over: joins need permission");
                return UINT64_MAX;
        }
        engine_probe_again(engine, connection, subflow);
        return engine->now_usec + answer / 2;
}

static uint64_t download_patience(const struct subflow *subflow) {
        uint64_t usec = download_rtt(subflow) * DOWNLOAD_QUIET_RTTS;

        return usec > DOWNLOAD_QUIET_USEC ? usec : DOWNLOAD_QUIET_USEC;
}

bool engine_was_delivering(const struct subflow *subflow) {
        return subflow->deliveries >=
               (subflow->holds ? DOWNLOAD_DELIVERIES_HELD : DOWNLOAD_DELIVERIES);
}

/* Nothing is to be expected from a peer that was asked to use another one. */
static bool download_is_reserve(const struct connection *connection,
                                const struct subflow *subflow) {
        if (!(subflow->is.flags & MPTCPIZE_SUBFLOW_BACKUP))
                return false;
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *is = &connection->subflows.items[i].is;

                if (is->state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    !(is->flags & MPTCPIZE_SUBFLOW_BACKUP))
                        return true;
        }
        return false;
}

uint64_t engine_judge_download(struct engine *engine, struct connection *connection,
                               struct subflow *subflow) {
        bool probing = connection->probe && connection->probe->running;
        uint64_t quiet = (uint64_t)subflow->is.last_data_recv_msec * WATCH_MSEC;
        bool delivering = engine_was_delivering(subflow);

        if (download_is_reserve(connection, subflow)) {
                if (probing && probe_is_of(connection->probe, subflow))
                        engine_end_probe(engine, connection, "the path is in reserve now");
                subflow->deliveries = 0;
                return UINT64_MAX;
        }
        if (probing && probe_is_of(connection->probe, subflow))
                return engine_follow_probe(engine, connection, subflow);
        if (quiet < download_patience(subflow))
                return delivering ? subflow->is.sample_usec + download_patience(subflow) - quiet
                                  : UINT64_MAX;
        /* One at a time, and each in its time. */
        if (delivering && (probing || engine->now_usec < subflow->hold_usec))
                return probing ? engine->now_usec : subflow->hold_usec;
        subflow->deliveries = 0;
        if (!delivering || !(subflow->is.flags & MPTCPIZE_SUBFLOW_OURS))
                return UINT64_MAX;
        engine_start_probe(engine, connection, subflow);
        return engine->now_usec + probe_answer_usec(subflow) / 2;
}
