/*
 * Joins that are under way: how long they may be, how many of them, and how many the peer may have.
 *
 * The kernel waits 134 s for an answer to a join (Linux 6.18, tcp_syn_retries), in which it counts
 * as one of the subflows that a connection may have. A SYN that is not answered within seconds is
 * lost on this path; so it is aborted, and the pair of addresses is tried again as after any
 * timeout.
 *
 * What is aborted stays in the model, closing, until the kernel has told its end: the event comes
 * later than the answer to the command, and must not be taken for the end of the next try. A join
 * that is established at the last moment is taken back.
 *
 * The kernel knows no limits when a path manager runs in user space, neither for joins of ours nor
 * for the peer's (Linux 6.18: 300 subflows on one connection), so all limits are here:
 *
 *   max_joins        under way at a time, of one connection
 *   max_retries      of all connections in a minute: a bucket that holds so many and is filled at
 *                    that rate. What finds it empty waits as long again as it has waited, so
 *                    that those who wait don't all come back at once. A connection without any
 *                    subflow doesn't wait, because it would be dead by then.
 *   max_accepted     joins of the peer's that stay; the kernel asks nobody before it takes one, so
 *                    what is beyond is destroyed as soon as it is seen
 */
#include "engine.h"

#include <errno.h>

#define JOIN_USEC   3000000u /* two SYNs, and a second more for the answer to the third */
#define MINUTE_USEC 60000000u

static bool subflow_is_join(const struct subflow *subflow) {
        return subflow->is.state == MPTCPIZE_SUBFLOW_PENDING &&
               (subflow->is.flags & (MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_INITIAL)) ==
                               MPTCPIZE_SUBFLOW_OURS;
}

uint64_t engine_join_deadline(const struct engine *engine, const struct connection *connection) {
        uint64_t deadline = UINT64_MAX;

        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *subflow = &connection->subflows.items[i];
                const uint64_t until = subflow->is.changed_usec + JOIN_USEC;

                /* The kernel's answer comes in any case, and then the time begins. */
                if (subflow_is_join(subflow) && !subflow->asked && until > engine->now_usec &&
                    until < deadline)
                        deadline = until;
        }
        return deadline;
}

void engine_mend_backup(struct engine *engine, const struct connection *connection,
                        const struct subflow *subflow) {
        const uint32_t ours = MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_BACKUP;
        struct action action = { .type = ACTION_BACKUP,
                                 .token = connection->token,
                                 .local = subflow->is.local,
                                 .remote = subflow->is.remote,
                                 .backup = true,
                                 .reason = "this kernel takes no flags for joins" };

        if (engine->model.unbound && subflow->is.state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
            (subflow->is.flags & (ours | MPTCPIZE_SUBFLOW_INITIAL)) == ours)
                (void)engine_push(engine, &action);
}

int engine_give_up_join(struct engine *engine, const struct connection *connection,
                        struct subflow *subflow, const char *reason) {
        int r = engine_push_close(engine, connection, ACTION_ABORT, &subflow->is.local,
                                  &subflow->is.remote, subflow->is.ifindex, reason);

        subflow->is.state = MPTCPIZE_SUBFLOW_CLOSING;
        subflow->is.changed_usec = engine->now_usec;
        subflow->expired = true;
        return r;
}

void engine_give_up_joins(struct engine *engine, struct connection *connection, join_judge_fn judge,
                          int error) {
        struct mptcpize_subflow gone[LIMIT_SUBFLOWS];
        size_t n = 0;

        for (size_t i = 0; i < connection->subflows.n; i++) {
                struct subflow *subflow = &connection->subflows.items[i];
                const char *reason = subflow_is_join(subflow) ? judge(engine, connection, subflow)
                                                              : NULL;

                if (!reason || !engine_may_act(engine, connection))
                        continue;
                (void)engine_give_up_join(engine, connection, subflow, reason);
                gone[n++] = subflow->is;
        }
        for (size_t i = 0; i < n; i++)
                engine_refuse(engine, connection, &gone[i].local, &gone[i].remote, -error, 0);
        if (n)
                engine_note_orphan(engine, connection);
        for (size_t i = 0; i < n; i++)
                engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_CLOSED, &gone[i],
                                      error);
}

static const char *join_is_late(const struct engine *engine, const struct connection *connection,
                                const struct subflow *join) {
        (void)connection;
        return !join->asked && join->is.changed_usec + JOIN_USEC <= engine->now_usec
                               ? "no answer within 3 s"
                               : NULL;
}

void engine_expire_joins(struct engine *engine, struct connection *connection) {
        engine_give_up_joins(engine, connection, join_is_late, ETIMEDOUT);
}

bool engine_has_joins_enough(const struct engine *engine, const struct connection *connection,
                             size_t planned) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                planned += subflow_is_join(&connection->subflows.items[i]);
        return planned >= engine->limits.max_joins;
}

bool engine_take_retry(struct engine *engine, const struct connection *connection,
                       struct refusal *refusal) {
        const struct mptcpize_subflow pair = { .local = refusal->local, .remote = refusal->remote };
        const uint64_t each = MINUTE_USEC / engine->limits.max_retries;
        const uint64_t empty = engine->now_usec + each * engine->limits.max_retries;
        uint64_t full = engine->retries_usec > engine->now_usec ? engine->retries_usec
                                                                : engine->now_usec;

        if (full + each > empty && !connection->orphan_usec) {
                engine->counters[COUNTER_RETRIES_HELD]++;
                refusal->until_usec =
                                engine->now_usec + engine_backoff_usec(engine, refusal->tries);
                if (!refusal->held)
                        engine_trace_note(engine, connection, &pair,
                                          "retry put off: as many as may be in a minute");
                refusal->held = true;
                return false;
        }
        refusal->held = false;
        engine->retries_usec = full + each < empty ? full + each : empty;
        return true;
}

static bool subflow_is_accepted(const struct subflow *subflow) {
        return subflow->is.state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
               !(subflow->is.flags & (MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_INITIAL));
}

void engine_destroy_surplus(struct engine *engine, struct connection *connection) {
        uint32_t n = 0;

        if (connection->state != CONNECTION_ESTABLISHED)
                return;
        for (size_t i = 0; i < connection->subflows.n; i++) {
                if (!subflow_is_accepted(&connection->subflows.items[i]) ||
                    ++n <= engine->limits.max_accepted)
                        continue;
                if (!engine_may_act(engine, connection))
                        return;
                engine->counters[COUNTER_SUBFLOWS_SURPLUS]++;
                (void)engine_close(engine, connection, &connection->subflows.items[i],
                                   ACTION_DESTROY,
                                   "more joins of the peer's than max_accepted allows");
        }
}
