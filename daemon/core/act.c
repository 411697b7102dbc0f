/*
 * Actions on their way to the kernel: noted in the model, numbered, told, and put into the queue.
 * What was to be checked has been checked before.
 */
#include "engine.h"

#include <string.h>

/* For a while, what the peer closes may be due to that: retry.c. */
static void act_note_withdrawal(const struct engine *engine, uint32_t token) {
        struct connection *connection = model_find(&engine->model, token);

        if (connection)
                connection->withdrawn_usec = engine->now_usec;
}

/* A comparison before all others: what they want may be of connections that are long gone. */
int engine_push(struct engine *engine, struct action *action) {
        struct trace_line line = {
                .usec = engine->now_usec,
                .token = action->token,
                .kind = TRACE_ACTION,
                .action = action->type,
                .off = action->type == ACTION_BACKUP && !action->backup,
                .local = action->local,
                .remote = action->remote,
        };
        int r;

        action->serial = ++engine->serial;
        if (!action->serial)
                action->serial = ++engine->serial;
        r = action->type == ACTION_SNAPSHOT ? action_queue_push_first(&engine->queue, action)
                                            : action_queue_push(&engine->queue, action);
        if (r < 0) {
                engine->counters[COUNTER_ACTIONS_DROPPED]++;
                return r;
        }
        engine->n_questions += action->type == ACTION_QUERY;
        if (action->type == ACTION_WITHDRAW)
                act_note_withdrawal(engine, action->token);
        if (action->type >= ACTION_QUERY && action->type != ACTION_ABORT)
                return 0;
        memcpy(line.reason, action->reason, sizeof(line.reason));
        trace_add(&engine->trace, &line);
        return 0;
}

/*
 * After a loss of events, or among many short connections, most of what waits is for those that
 * have ended since. An announcement counts as a user of its listener, so that its end must follow.
 */
static bool engine_is_moot(const struct engine *engine, const struct action *action) {
        return action->type != ACTION_SNAPSHOT && action->type != ACTION_RELEASE &&
               action->type != ACTION_ANNOUNCE && !model_find(&engine->model, action->token);
}

const struct action *engine_next_action(struct engine *engine) {
        const struct action *action;

        while ((action = action_queue_peek(&engine->queue)) && engine_is_moot(engine, action)) {
                engine->n_questions -= action->type == ACTION_QUERY && engine->n_questions > 0;
                action_queue_pop(&engine->queue);
        }
        return action;
}

static int act_create(struct engine *engine, struct connection *connection, struct action *action) {
        struct subflow *added, pending = {
                .is = {
                        .size = sizeof(pending.is),
                        .local = action->local,
                        .remote = action->remote,
                        .state = MPTCPIZE_SUBFLOW_PENDING,
                        .flags = MPTCPIZE_SUBFLOW_OURS |
                                 (action->backup ? MPTCPIZE_SUBFLOW_BACKUP : 0),
                        .ifindex = action->ifindex ? action->ifindex
                                                   : engine_ifindex(engine, &action->local),
                },
                .is.changed_usec = engine->now_usec,
        };
        int r = connection_local_id(connection, &action->local, &action->local_id);

        if (r < 0)
                return r;
        pending.is.local_id = action->local_id;
        r = connection_add_subflow(connection, &pending, &added);
        if (r < 0)
                return r;
        r = engine_push(engine, action);
        if (r < 0) {
                connection_remove_subflow(connection, added);
                return r;
        }
        added->serial = action->serial;
        added->asked = true;
        added->free = connection->joins == JOINS_FREE;
        added->ordered = action->ordered;
        added->pinned = action->ordered && action->backup;
        engine->counters[COUNTER_SUBFLOWS_CREATED]++;
        return 0;
}

int engine_act(struct engine *engine, struct connection *connection, struct action *action) {
        struct subflow *subflow;
        int r;

        if (action->type == ACTION_CREATE)
                return act_create(engine, connection, action);
        if (action->type == ACTION_ANNOUNCE || action->type == ACTION_WITHDRAW) {
                r = connection_local_id(connection, &action->local, &action->local_id);
                if (r < 0)
                        return r;
        }
        if (action->type == ACTION_ANNOUNCE)
                return engine_announce(engine, connection, action);
        r = engine_push(engine, action);
        if (r == 0 && action->type == ACTION_WITHDRAW)
                engine_release(engine, connection, &action->local);
        if (r < 0 || action->type != ACTION_DESTROY)
                return r;
        subflow = connection_find_subflow(connection, &action->local, &action->remote);
        if (subflow)
                subflow->is.state = MPTCPIZE_SUBFLOW_CLOSING;
        return 0;
}
