/*
 * The kernel is the truth: compares the model with a snapshot of all MPTCP connections, after a
 * start, a loss of events, and every few seconds, because some connections end without an event
 * (a peer's MP_FASTCLOSE, Linux 6.18) and a fallback to TCP gives none.
 *
 * A snapshot is older than the events that came since it was begun, so whatever changed later is
 * left as it is. A connection that is found alive is adopted, and its plugin decides at once; but
 * before anything is done its address ids are asked for (GET_ADDR), because the kernel refuses
 * another pairing. If it refuses even that, the connection belongs to the kernel's own path manager
 * or is gone. Most connections need nothing, so most are never asked.
 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>

#define RETRY_USEC 100000u /* after a comparison that could not be used */
/* After the one that made up for a loss: what was being set up then could not be told yet. */
#define SECOND_USEC 300000u

#define TCP_STATE_ESTABLISHED 1 /* include/net/tcp_states.h */
#define TCP_STATE_SYN_SENT    2
#define TCP_STATES_CLOSED     (1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 9 | 1u << 11)

struct comparison {
        struct engine *engine;
        const struct snapshot *snapshot;
};

void engine_compare(struct engine *engine) {
        struct action action = { .type = ACTION_SNAPSHOT };

        engine->sweep_usec = engine->model.n_connections || engine->unsure || engine->starved
                                             ? engine->now_usec + ENGINE_SWEEP_USEC
                                             : 0;
        if (engine->comparing)
                return;
        engine->compare_again = false;
        engine->compared_usec = engine->now_usec;
        engine->comparing = engine_push(engine, &action) == 0;
        if (engine->comparing)
                engine->starved = false;
        else
                engine->sweep_usec = engine->now_usec + RETRY_USEC;
}

void engine_make_sure(struct engine *engine) {
        engine->unsure = true;
        engine->compare_again = engine->comparing;
        engine_compare(engine);
}

void engine_starve(struct engine *engine) {
        engine->starved = true;
        if (!engine->comparing)
                engine->sweep_usec = engine->now_usec + RETRY_USEC;
}

void engine_on_compared(struct engine *engine, int error) {
        bool useless = error < 0 || engine->gone_lost || engine->starved;

        engine->comparing = engine->gone_lost = false;
        ARRAY_DONE(&engine->gone);
        if (engine->compare_again) {
                engine_compare(engine);
        } else if (useless) {
                engine->sweep_usec = engine->now_usec + RETRY_USEC;
        } else {
                if (engine->unsure)
                        engine->sweep_usec = engine->now_usec + SECOND_USEC;
                engine->unsure = false;
                engine->compared = true;
                if (!engine->model.n_connections)
                        engine->sweep_usec = 0;
        }
}

void engine_note_gone(struct engine *engine, const struct connection *connection,
                      const struct mptcpize_subflow *subflow) {
        struct gone gone = {
                .token = connection->token,
                .local = subflow ? subflow->local : ADDRESS_NULL,
                .remote = subflow ? subflow->remote : ADDRESS_NULL,
        };

        if (engine->comparing && ARRAY_APPEND(&engine->gone, gone, LIMIT_GONE) < 0)
                engine->gone_lost = true;
}

static int gone_compare(const void *pa, const void *pb) {
        const struct gone *a = pa, *b = pb;

        return a->token < b->token ? -1 : a->token > b->token;
}

/* The first one of that token, or where it would be: they are in order. */
static size_t gone_find(const struct engine *engine, uint32_t token) {
        return ARRAY_LOWER_BOUND(&engine->gone, token, token);
}

/*
 * The event that would have made it known was lost, or came before we listened; so those that
 * follow have to wait until a comparison has found the connection, or an address that its peer
 * announced meanwhile would never be joined. The first two make it known.
 */
void engine_note_stray(struct engine *engine, const struct event *event) {
        const struct stray stray = { .type = event->type, .event = event->mptcp };

        if (!engine->comparing || event->type <= EVENT_ESTABLISHED ||
            model_find(&engine->model, event->mptcp.token))
                return;
        if (ARRAY_APPEND(&engine->strays, stray, LIMIT_STRAYS) < 0)
                engine->compare_again = true;
}

static void engine_handle_strays(struct engine *engine) {
        for (size_t i = 0; i < engine->strays.n; i++) {
                const struct event event = { .type = engine->strays.items[i].type,
                                             .usec = engine->now_usec,
                                             .mptcp = engine->strays.items[i].event };

                if (model_find(&engine->model, event.mptcp.token))
                        engine_handle(engine, &event);
        }
        ARRAY_DONE(&engine->strays);
}

/* Has it ended since the snapshot was asked for? */
static bool comparison_is_gone(const struct comparison *comparison, uint32_t token,
                               const struct mptcpize_address *local,
                               const struct mptcpize_address *remote) {
        const struct engine *engine = comparison->engine;

        for (size_t i = gone_find(engine, token); i < engine->gone.n; i++) {
                const struct gone *gone = &engine->gone.items[i];

                if (gone->token != token)
                        break;
                if (address_equal(&gone->local, local) && address_equal(&gone->remote, remote))
                        return true;
        }
        return false;
}

static void comparison_begin(struct connection *connection, void *userdata) {
        (void)userdata;
        connection->listed = connection->seen = connection->opened = false;
        for (size_t i = 0; i < connection->subflows.n; i++)
                connection->subflows.items[i].seen = false;
}

/* Connections */

static void comparison_adopt(struct comparison *comparison, const struct snapshot_connection *row) {
        struct engine *engine = comparison->engine;
        struct connection *connection = engine_add(engine, row->token, &row->local, &row->remote,
                                                   MPTCPIZE_VIEW_SERVER, "found alive");

        if (!connection) {
                /* Those that there was an event of are counted already. */
                engine->counters[COUNTER_CONNECTIONS_REFUSED] += engine->unsure;
                return;
        }
        /* "Server" until its initial subflow says that we opened it. */
        connection->listed = connection->seen = connection->adopted = true;
        connection_learn_uid(connection, row->uid);
        engine->counters[COUNTER_CONNECTIONS_ADOPTED]++;
        engine_trace_note(engine, connection, NULL,
                          connection->heard ? "found alive, and remembered"
                                            : "found alive; unknown: what its peer announced, and "
                                              "if it denies joins to its first address");
}

/*
 * The program has closed it, and the kernel only says good-bye to the peer: there was an event. A
 * server's socket that nobody has accepted yet belongs to no program either, but is still open.
 */
static bool row_is_closed(const struct snapshot_connection *row) {
        return row->uid == UINT32_MAX && TCP_STATES_CLOSED >> row->state & 1;
}

static void comparison_connection(struct comparison *comparison,
                                  const struct snapshot_connection *row) {
        struct engine *engine = comparison->engine;
        struct connection *connection = model_find(&engine->model, row->token);

        if (!connection) {
                if (row->state == TCP_STATE_ESTABLISHED && !(row->flags & SNAPSHOT_FALLBACK) &&
                    !comparison_is_gone(comparison, row->token, &ADDRESS_NULL, &ADDRESS_NULL))
                        comparison_adopt(comparison, row);
                return;
        }
        connection->listed = true;
        connection->seen = !row_is_closed(row);
        connection_learn_uid(connection, row->uid);
        if (row->flags & SNAPSHOT_FALLBACK && connection->state <= CONNECTION_ESTABLISHED) {
                connection->state = CONNECTION_FALLBACK;
                engine_trace_note(engine, connection, NULL,
                                  "fell back to TCP: no more subflows are possible");
        }
}

/* Subflows */

static struct subflow *comparison_add_subflow(struct comparison *comparison,
                                              struct connection *connection,
                                              const struct snapshot_subflow *row) {
        int32_t ifindex = engine_bound_ifindex(comparison->engine, &row->local, row->ifindex);
        struct subflow *added, found = {
                .is = {
                        .size = sizeof(found.is),
                        .local = row->local,
                        .remote = row->remote,
                        .local_id = row->local_id,
                        .remote_id = row->remote_id,
                        .state = MPTCPIZE_SUBFLOW_PENDING,
                        .ifindex = ifindex,
                },
                .is.changed_usec = comparison->snapshot->started_usec,
        };

        /* The address of a join of ours was ours, also if it has gone since. */
        if (row->flags & SNAPSHOT_JOIN_LOC && row->ifindex)
                found.is.ifindex = row->ifindex;
        if (connection_add_subflow(connection, &found, &added) == 0)
                return added;
        if (connection->subflows.n < LIMIT_SUBFLOWS)
                engine_starve(comparison->engine);
        return NULL;
}

static void comparison_set_flags(struct subflow *subflow, uint32_t flags) {
        uint32_t is = subflow->is.flags & MPTCPIZE_SUBFLOW_INITIAL;

        if (!(flags & (SNAPSHOT_JOIN_LOC | SNAPSHOT_JOIN_REM)))
                is |= MPTCPIZE_SUBFLOW_INITIAL;
        if (flags & (SNAPSHOT_JOIN_LOC | SNAPSHOT_MCAP_LOC))
                is |= MPTCPIZE_SUBFLOW_OURS;
        if (flags & SNAPSHOT_BKUP_LOC)
                is |= MPTCPIZE_SUBFLOW_BACKUP;
        if (flags & SNAPSHOT_BKUP_REM)
                is |= MPTCPIZE_SUBFLOW_BACKUP_REMOTE;
        subflow->is.flags = is;
}

/* What an adopted connection's subflows tell of the connection. */
static void comparison_learn(const struct engine *engine, struct connection *connection,
                             const struct snapshot_subflow *row) {
        struct mptcpize_address local = address_without_port(&row->local);
        struct mptcpize_remote remote = { .size = sizeof(remote),
                                          .address = row->remote,
                                          .id = row->remote_id,
                                          .ifindex = model_route_ifindex(&engine->model,
                                                                         &row->remote) };

        if (row->local_id)
                (void)connection_learn_id(connection, &local, row->local_id);
        /* The initial subflow says who opened it; without it, a join of ours to where it was
         * opened. */
        if (row->flags & SNAPSHOT_JOIN_LOC
                            ? row->remote.port == connection->remotes.items[0].address.port
                            : !(row->flags & SNAPSHOT_JOIN_REM) && row->flags & SNAPSHOT_MCAP_LOC)
                connection->flags &= ~MPTCPIZE_VIEW_SERVER;
        /* An address that we joined takes joins; one that joined us may not. */
        if (row->flags & SNAPSHOT_JOIN_LOC && row->remote_id)
                (void)connection_add_remote(connection, &remote);
}

/* Its event was lost, or it was there before us. */
static void comparison_establish(struct comparison *comparison, const struct connection *connection,
                                 struct subflow *subflow, const struct snapshot_subflow *row) {
        subflow->is.state = MPTCPIZE_SUBFLOW_ESTABLISHED;
        subflow->is.remote_id = row->remote_id;
        subflow->expired = false;
        subflow->late = connection->created_usec < comparison->snapshot->started_usec;
        if (subflow->late)
                engine_trace_note(comparison->engine, connection, &subflow->is,
                                  "subflow established without an event");
}

/*
 * The kernel lists connections by their place in a hash chain, and may leave one out when another
 * of its chain ends meanwhile. Those that have ended have no established subflow; but only once,
 * because that could be of one whose token was taken away.
 */
static void comparison_doubt(struct connection *connection, const struct snapshot_subflow *row) {
        if (!connection->listed && !connection->doubted && row->state == TCP_STATE_ESTABLISHED)
                connection->seen = true;
}

static void comparison_subflow(struct comparison *comparison, const struct snapshot_subflow *row) {
        struct connection *connection = model_find(&comparison->engine->model, row->token);
        struct subflow *subflow;

        if (!connection)
                return;
        comparison_doubt(connection, row);
        subflow = connection_find_subflow(connection, &row->local, &row->remote);
        if (!subflow &&
            ((row->state != TCP_STATE_ESTABLISHED && row->state != TCP_STATE_SYN_SENT) ||
             comparison_is_gone(comparison, row->token, &row->local, &row->remote) ||
             engine_is_probe(comparison->engine, connection, &row->local, &row->remote)))
                return;
        if (!subflow)
                subflow = comparison_add_subflow(comparison, connection, row);
        if (!subflow)
                return;
        subflow->seen = true;
        /* Of several joins between two addresses each is to be another row. */
        if (!subflow->is.local.port)
                subflow->is.local = row->local;
        if (row->state == TCP_STATE_ESTABLISHED &&
            (subflow->is.state == MPTCPIZE_SUBFLOW_PENDING || subflow->expired))
                comparison_establish(comparison, connection, subflow, row);
        comparison_set_flags(subflow, row->flags);
        if (connection->adopted)
                comparison_learn(comparison->engine, connection, row);
        if (row->state == TCP_STATE_ESTABLISHED)
                engine_take_row(comparison->engine, connection, subflow, &row->measure,
                                comparison->snapshot->started_usec);
        /* Joins are possible once the initial subflow is fully established. */
        if (row->flags & SNAPSHOT_FULLY_EST)
                connection->opened = true;
}

static void comparison_drop_subflows(struct comparison *comparison, struct connection *connection) {
        struct engine *engine = comparison->engine;

        for (size_t i = connection->subflows.n; i-- > 0;) {
                struct subflow *subflow = &connection->subflows.items[i];
                struct mptcpize_subflow gone = subflow->is;
                bool expired;

                if (subflow->seen || (subflow->asked && gone.state == MPTCPIZE_SUBFLOW_PENDING) ||
                    subflow->is.changed_usec >= comparison->snapshot->started_usec)
                        continue;
                expired = subflow->expired;
                connection_remove_subflow(connection, subflow);
                if (expired) /* which has been told */
                        continue;
                engine_trace_note(engine, connection, &gone, "subflow ended without an event");
                engine_note_orphan(engine, connection);
                engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_CLOSED, &gone, 0);
        }
}

/* A plugin that waits for the end of a join must hear of it. */
static void comparison_tell_late(struct comparison *comparison, struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                if (!connection->subflows.items[i].late)
                        continue;
                connection->subflows.items[i].late = false;
                connection->orphan_usec = 0;
                engine_decide_subflow(comparison->engine, connection,
                                      MPTCPIZE_EVENT_SUBFLOW_ESTABLISHED,
                                      &connection->subflows.items[i].is, 0);
        }
}

static void comparison_end(struct connection *connection, void *userdata) {
        struct comparison *comparison = userdata;
        struct engine *engine = comparison->engine;
        /* Found without a subflow: it has lost all that it had, and little time is left to it. */
        const bool bare = connection->adopted && connection->listed && !connection->subflows.n &&
                          connection->state == CONNECTION_NEW;

        if (!connection->seen && connection->created_usec < comparison->snapshot->started_usec) {
                engine->counters[COUNTER_CONNECTIONS_LOST]++;
                engine_trace_note(engine, connection, NULL, "ended without an event");
                engine_remove(engine, connection, "ended without an event");
                return;
        }
        connection->doubted = connection->seen && !connection->listed &&
                              connection->created_usec < comparison->snapshot->started_usec;
        if (connection->doubted)
                engine->sweep_usec = engine->now_usec + RETRY_USEC;
        comparison_drop_subflows(comparison, connection);
        connection->opened |= bare;
        /* Not before all of its subflows have been seen: the plugin would make them twice. */
        if (connection->opened)
                engine_establish(engine, connection);
        if (bare)
                engine_note_orphan(engine, connection);
        comparison_tell_late(comparison, connection);
        engine_destroy_surplus(engine, connection);
        engine_end_unwanted(engine, connection);
        engine_schedule(engine, connection); /* joins under way that were found have their time */
        /* There was no room for the question, or it had no answer. */
        if (connection->ids_wanted)
                (void)engine_may_act(engine, connection);
}

void engine_on_snapshot(struct engine *engine, const struct snapshot *snapshot) {
        struct comparison comparison = { .engine = engine, .snapshot = snapshot };

        /* Too much has changed to tell old from new: a quieter moment will come. */
        if (engine->gone_lost)
                return;
        if (engine->gone.n > 1)
                qsort(engine->gone.items, engine->gone.n, sizeof(*engine->gone.items),
                      gone_compare);
        model_each(&engine->model, comparison_begin, NULL);
        for (size_t i = 0; i < snapshot->connections.n; i++)
                comparison_connection(&comparison, &snapshot->connections.items[i]);
        for (size_t i = 0; i < snapshot->subflows.n; i++)
                comparison_subflow(&comparison, &snapshot->subflows.items[i]);
        engine_handle_strays(engine);
        model_each(&engine->model, comparison_end, &comparison);
        engine_check_listeners(engine, snapshot);
        /* What was found may lie on a path that was lost before we looked. */
        engine->net_changed = true;
}

/* Address ids of adopted connections */

void engine_ask_ids(struct engine *engine, struct connection *connection) {
        struct action query = { .type = ACTION_QUERY, .token = connection->token };

        if (!connection->ids_asked && connection->state <= CONNECTION_ESTABLISHED)
                connection->ids_asked = engine_push(engine, &query) == 0;
}

/* Is it left alone: in plain TCP, or in other hands? */
static bool connection_is_alien(const struct connection *connection) {
        return connection->state == CONNECTION_FALLBACK || connection->state == CONNECTION_KERNEL ||
               connection->state == CONNECTION_LOCAL;
}

bool engine_may_act(struct engine *engine, struct connection *connection) {
        if (connection_is_alien(connection))
                return false;
        if (connection->ids_known)
                return true;
        connection->ids_wanted = true;
        engine_ask_ids(engine, connection);
        return false;
}

void engine_on_entries(struct engine *engine, const struct entries_event *entries) {
        struct connection *connection = model_find(&engine->model, entries->token);

        if (!connection)
                return;
        for (size_t i = 0; i < entries->n; i++)
                if (entries->entries[i].id)
                        (void)connection_learn_id(connection, &entries->entries[i].address,
                                                  entries->entries[i].id);
}

/* The kernel knew other ids than we did, and refused; now we know them: one more try. */
static void reconcile_pardon(struct connection *connection) {
        for (size_t i = 0; i < connection->refusals.n; i++)
                if (connection->refusals.items[i].error == -EINVAL &&
                    connection->refusals.items[i].tries == 1)
                        connection->refusals.items[i].until_usec = 0;
}

/* What was held back until now, joins of a connection without a subflow, too. */
static void reconcile_act(struct engine *engine, struct connection *connection) {
        engine_hope_again(engine, connection);
        if (connection->state == CONNECTION_ESTABLISHED)
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_ADOPTED);
        engine_bury(engine, connection);
        engine_trim(engine, connection);
        engine_expire_joins(engine, connection);
}

void engine_on_query(struct engine *engine, struct connection *connection, int error) {
        connection->ids_asked = false;
        engine_touch(engine, connection);
        if (error == -EINVAL) {
                connection->state = CONNECTION_KERNEL;
                engine_stop_plugin(engine, connection);
                engine_schedule(engine, connection);
                engine_trace_note(engine, connection, NULL,
                                  "not ours: the kernel's own path manager has it, or it is gone");
                return;
        }
        if (error < 0)
                return;
        if (connection->ids_known) {
                reconcile_pardon(connection);
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_LOCALS_CHANGED);
                return;
        }
        connection->ids_known = true;
        if (connection->ids_wanted)
                reconcile_act(engine, connection);
}
