/*
 * What became of actions: the kernel's answers change the model, and tell the plugin when what it
 * wanted could not be had.
 *
 * An answer and the events that it causes come by different ways and in any order, so each of
 * them is handled as if the other had or had not been seen already.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>

static struct subflow *engine_subflow_of(struct connection *connection, uint32_t serial) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].serial == serial)
                        return &connection->subflows.items[i];
        return NULL;
}

static void engine_trace_failure(struct engine *engine, const struct outcome_event *outcome) {
        struct trace_line line = {
                .usec = engine->now_usec,
                .token = outcome->action.token,
                .kind = TRACE_FAILED,
                .action = outcome->action.type,
                .off = outcome->action.type == ACTION_BACKUP && !outcome->action.backup,
                .error = outcome->error,
                .local = outcome->action.local,
                .remote = outcome->action.remote,
        };

        snprintf(line.reason, sizeof(line.reason), "%s", outcome->message);
        trace_add(&engine->trace, &line);
        engine->counters[COUNTER_ACTIONS_FAILED]++;
}

void engine_tell_refused(struct engine *engine, struct connection *connection,
                         const struct outcome_event *outcome) {
        struct mptcpize_action action = {
                .size = sizeof(action),
                .type = outcome->action.type == ACTION_ANNOUNCE ? MPTCPIZE_ACTION_ANNOUNCE
                                                                : MPTCPIZE_ACTION_CREATE,
                .local = outcome->action.local,
                .remote = outcome->action.remote,
                .ifindex = outcome->action.ifindex,
                .backup = outcome->action.backup,
                .reason = outcome->action.reason,
        };
        struct mptcpize_event event = { .size = sizeof(event),
                                        .type = MPTCPIZE_EVENT_REFUSED,
                                        .error = outcome->error,
                                        .action = &action };

        engine_decide(engine, connection, &event);
}

/* Of the seconds that a connection without a subflow has, the question has taken some already. */
static void engine_hurry_orphan(struct engine *engine, struct connection *connection,
                                const struct action *create) {
        const struct refusal *refusal =
                        connection_find_refusal(connection, &create->local, &create->remote);

        if (refusal && refusal->permit)
                engine_note_orphan(engine, connection);
}

/* The kernel does not honour the interface of joins: from now on rules of ours lead them. */
static void engine_on_unbound(struct engine *engine) {
        if (engine->model.unbound)
                return;
        engine->model.unbound = true;
        engine->net_changed = engine->routes_changed = true;
}

static void engine_on_create_done(struct engine *engine, struct connection *connection,
                                  const struct outcome_event *outcome) {
        struct subflow *subflow = engine_subflow_of(connection, outcome->action.serial);

        if (subflow && subflow->expired && outcome->error < 0) {
                connection_remove_subflow(connection, subflow);
                return;
        }
        if (subflow && outcome->unbound) /* the event came before */
                engine_mend_backup(engine, connection, subflow);
        if (!subflow || subflow->is.state != MPTCPIZE_SUBFLOW_PENDING)
                return;
        if (outcome->error == 0) {
                subflow->asked = false;
                subflow->is.changed_usec = engine->now_usec;
                engine_schedule(engine, connection);
                return;
        }
        connection_remove_subflow(connection, subflow);
        engine_refuse(engine, connection, &outcome->action.local, &outcome->action.remote,
                      outcome->error, 0);
        engine_hurry_orphan(engine, connection, &outcome->action);
        /* It may be the kernel's own path manager that has this connection: ask. */
        if (outcome->error == -EINVAL) {
                struct action query = { .type = ACTION_QUERY, .token = connection->token };

                (void)engine_push(engine, &query);
        }
        if (!outcome->action.ordered)
                engine_tell_refused(engine, connection, outcome);
}

static void engine_on_destroy_done(struct engine *engine, struct connection *connection,
                                   const struct outcome_event *outcome) {
        struct subflow *subflow = connection_find_subflow(connection, &outcome->action.local,
                                                          &outcome->action.remote);
        struct mptcpize_subflow gone;

        /* The end of a join comes as an event, later. */
        if (!subflow || subflow->is.state != MPTCPIZE_SUBFLOW_CLOSING || subflow->expired)
                return;
        if (outcome->error < 0 && outcome->error != -ESRCH && outcome->error != -ENOENT) {
                subflow->is.state = MPTCPIZE_SUBFLOW_DEAD;
                connection->orphan_usec = 0; /* it was, if this was taken for the last one */
                if (subflow->intruder && outcome->action.type == ACTION_DESTROY)
                        engine_destroy_unpermitted(engine, connection);
                return;
        }
        gone = subflow->is;
        engine_note_gone(engine, connection, &gone);
        connection_note_unheard(connection, &gone);
        connection_remove_subflow(connection, subflow);
        engine_note_orphan(engine, connection);
        engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_CLOSED, &gone, 0);
}

static void engine_on_backup_done(struct connection *connection,
                                  const struct outcome_event *outcome) {
        struct subflow *subflow = connection_find_subflow(connection, &outcome->action.local,
                                                          &outcome->action.remote);

        if (!subflow || subflow->is.state == MPTCPIZE_SUBFLOW_PENDING)
                return;
        if (outcome->error < 0) {
                subflow->pinned &= !outcome->action.ordered;
                return;
        }
        subflow->is.flags &= ~MPTCPIZE_SUBFLOW_BACKUP;
        if (outcome->action.backup)
                subflow->is.flags |= MPTCPIZE_SUBFLOW_BACKUP;
}

/*
 * The kernel forgets the id of an address when a subflow from there is destroyed or can't be
 * created, even if others share it (Linux 6.18), and then has nothing to take back. The peer would
 * not be told, and keep sending into a lost path. So the id is noted again, for which there is no
 * other way than to announce it, which tells the peer nothing new; and then taken back.
 */
static void engine_withdraw_again(struct engine *engine, struct connection *connection,
                                  const struct action *withdraw, struct local_id *id) {
        struct action announce = {
                .type = ACTION_ANNOUNCE,
                .token = connection->token,
                .local = id->address,
                .local_id = id->id,
                .reason = "the kernel has forgotten the id: noted again, to take it back",
        };
        struct action again = *withdraw;

        id->renewed = true;
        if (engine_push(engine, &announce) == 0)
                (void)engine_push(engine, &again);
}

static void engine_on_withdraw_done(struct engine *engine, struct connection *connection,
                                    const struct outcome_event *outcome) {
        struct local_id *id = connection_find_id(connection, outcome->action.local_id);

        /* Id 0 is forgotten with its last subflow, and of that the peer knows. */
        if (!id || !id->id || (outcome->error < 0 && outcome->error != -EINVAL))
                return;
        /* Another address may have it by now; or a list is on its way that tells what is so. */
        if (!address_same_host(&id->address, &outcome->action.local) ||
            !engine_may_act(engine, connection))
                return;
        id->free = outcome->error == 0;
        if (outcome->error == 0)
                id->renewed = id->held = false;
        else if (!id->renewed && connection->state == CONNECTION_ESTABLISHED)
                engine_withdraw_again(engine, connection, &outcome->action, id);
        else {
                id->free = true;
                engine_trace_note(engine, connection, NULL,
                                  "the peer can't be told: the kernel has forgotten the id");
        }
}

/* Some actions find done already what they were to do. */
static bool outcome_is_failure(const struct outcome_event *outcome) {
        switch (outcome->error) {
        case 0:
                return false;
        case -ENOENT:
                return outcome->action.type != ACTION_ABORT;
        case -EINVAL:
                return outcome->action.type != ACTION_WITHDRAW;
        case -ECANCELED: /* given up while the peer was asked for permission */
                return outcome->action.type != ACTION_CREATE;
        default:
                return true;
        }
}

void engine_on_outcome(struct engine *engine, const struct outcome_event *outcome) {
        struct connection *connection = model_find(&engine->model, outcome->action.token);

        if (outcome->action.type == ACTION_SNAPSHOT) {
                engine_on_compared(engine, outcome->error);
                return;
        }
        if (outcome->action.type == ACTION_QUERY && engine->n_questions > 0)
                engine->n_questions--;
        if (outcome->action.type == ACTION_CREATE)
                engine_note_search(engine, outcome);
        if (outcome->unbound)
                engine_on_unbound(engine);
        if (!connection)
                return;
        if (outcome->action.type == ACTION_MEASURE) {
                engine_on_measure_done(engine, connection, outcome);
                return;
        }
        if (engine_probe_outcome(engine, connection, outcome))
                return;
        if (outcome_is_failure(outcome))
                engine_trace_failure(engine, outcome);
        switch (outcome->action.type) {
        case ACTION_CREATE:
                engine_on_create_done(engine, connection, outcome);
                break;
        case ACTION_DESTROY:
        case ACTION_ABORT:
                engine_on_destroy_done(engine, connection, outcome);
                break;
        case ACTION_BACKUP:
                engine_on_backup_done(connection, outcome);
                break;
        case ACTION_QUERY:
                engine_on_query(engine, connection, outcome->error);
                break;
        case ACTION_ANNOUNCE:
                engine_on_announce_done(engine, connection, outcome);
                break;
        case ACTION_WITHDRAW:
                engine_on_withdraw_done(engine, connection, outcome);
                engine_touch(engine, connection);
                break;
        case ACTION_RELEASE:
        case ACTION_SNAPSHOT:
        case ACTION_MEASURE:
        case _ACTION_MAX:
                break;
        }
}
