#include "engine.h"
#include "net.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "../util/cleanup.h"

#define PAUSE_USEC 500000u /* a busy loop is late, too, but not so late */

const char *counter_name(enum counter counter) {
        static const char *const names[_COUNTER_MAX] = {
                [COUNTER_EVENTS] = "events",
                [COUNTER_OVERRUNS] = "overruns",
                [COUNTER_CONNECTIONS] = "connections",
                [COUNTER_CONNECTIONS_ADOPTED] = "connections_adopted",
                [COUNTER_CONNECTIONS_LOST] = "connections_lost",
                [COUNTER_CONNECTIONS_REFUSED] = "connections_refused",
                [COUNTER_SUBFLOWS_CREATED] = "subflows_created",
                [COUNTER_SUBFLOWS_FAILED] = "subflows_failed",
                [COUNTER_SUBFLOWS_DEAD] = "subflows_dead",
                [COUNTER_SUBFLOWS_SURPLUS] = "subflows_surplus",
                [COUNTER_INTRUDERS] = "intruders",
                [COUNTER_RETRIES_HELD] = "retries_held",
                [COUNTER_ACTIONS_FAILED] = "actions_failed",
                [COUNTER_ACTIONS_DROPPED] = "actions_dropped",
                [COUNTER_PLUGIN_ERRORS] = "plugin_errors",
                [COUNTER_HINTS] = "hints",
                [COUNTER_HINTS_REFUSED] = "hints_refused",
                [COUNTER_HINTS_DROPPED] = "hints_dropped",
                [COUNTER_SOCKETS_DEMOTED] = "sockets_demoted",
                [COUNTER_SOCKETS_FELL_BACK] = "sockets_fell_back",
                [COUNTER_BLACKHOLES] = "blackholes",
                [COUNTER_PROBES] = "probes",
        };

        return names[counter];
}

int engine_init(struct engine *engine, uint64_t random) {
        int r;

        *engine = (struct engine){ .random = random | 1, .queue = ACTION_QUEUE_NULL };
        r = model_init(&engine->model);
        if (r == 0)
                r = trace_init(&engine->trace);
        if (r == 0)
                r = engine_init_profiles(engine);
        if (r < 0)
                engine_done(engine);
        return r;
}

static void engine_stop_each(struct connection *connection, void *userdata) {
        engine_stop_plugin(userdata, connection);
}

void engine_done(struct engine *engine) {
        if (engine->model.buckets)
                model_each(&engine->model, engine_stop_each, engine);
        model_done(&engine->model);
        engine_done_profiles(engine);
        trace_done(&engine->trace);
        action_queue_done(&engine->queue);
        ARRAY_DONE(&engine->gone);
        ARRAY_DONE(&engine->strays);
        ARRAY_DONE(&engine->changed);
        ARRAY_DONE(&engine->roles);
        ARRAY_DONE(&engine->advised);
        routing_done(&engine->routing);
        *engine = (struct engine){ 0 };
}

/* Connections */

/* model_add() has made room for it. */
static void engine_add_initial(struct engine *engine, struct connection *connection,
                               const struct mptcpize_address *remote, uint32_t flags) {
        struct subflow *added, initial = {
                .is = {
                        .size = sizeof(initial.is),
                        .local = connection->local,
                        .remote = *remote,
                        .state = MPTCPIZE_SUBFLOW_ESTABLISHED,
                        .flags = MPTCPIZE_SUBFLOW_INITIAL |
                                 (flags & MPTCPIZE_VIEW_SERVER ? 0 : MPTCPIZE_SUBFLOW_OURS),
                        .ifindex = engine_ifindex(engine, &connection->local),
                },
                .is.changed_usec = engine->now_usec,
        };
        const int r = connection_add_subflow(connection, &initial, &added);

        assert(r == 0);
        (void)r;
}

struct connection *engine_add(struct engine *engine, uint32_t token,
                              const struct mptcpize_address *local,
                              const struct mptcpize_address *remote, uint32_t flags,
                              const char *how) {
        const bool full = engine->model.n_connections >= engine->limits.max_connections;
        struct connection *connection;

        if (full || model_add(&engine->model, token, local, remote, &connection) < 0) {
                engine_show(engine, TRACE_NOTE, token, local, remote,
                            full ? "not managed: there are as many connections as may be"
                                 : "not managed: there is no memory for it");
                if (!full)
                        engine_starve(engine);
                return NULL;
        }
        connection->flags = flags;
        connection->created_usec = engine->now_usec;
        engine_route_remotes(engine, connection);
        engine_take_advice(engine, connection);
        if (engine_is_own(engine, remote))
                connection->state = CONNECTION_LOCAL;
        else if (connection->state != CONNECTION_KERNEL)
                engine_start_plugin(engine, connection);
        engine_show(engine, TRACE_ADDED, token, local, remote,
                    connection->state == CONNECTION_LOCAL    ? "left alone: its peer is this host"
                    : connection->state == CONNECTION_KERNEL ? "left alone: not ours"
                                                             : how);
        engine_begin_permit(engine, connection);
        engine_touch(engine, connection);
        if (!engine->sweep_usec)
                engine->sweep_usec = engine->now_usec + ENGINE_SWEEP_USEC;
        engine->counters[COUNTER_CONNECTIONS]++;
        return connection;
}

void engine_remove(struct engine *engine, struct connection *connection, const char *reason) {
        engine_show(engine, TRACE_REMOVED, connection->token, &connection->local,
                    &connection->remotes.items[0].address, reason);
        engine_stop_plugin(engine, connection);
        engine_release_all(engine, connection);
        engine_note_gone(engine, connection, NULL);
        engine_forget(engine, connection->slot);
        model_remove(&engine->model, connection);
        if (!engine->model.n_connections && !engine->unsure && !engine->starved)
                engine->sweep_usec = 0;
}

void engine_establish(struct engine *engine, struct connection *connection) {
        if (connection->state != CONNECTION_NEW)
                return;
        connection->state = CONNECTION_ESTABLISHED;
        engine_schedule_measurement(engine, connection);
        engine_wake(engine, connection, WATCH_FASTEST_USEC);
        engine_decide_simple(engine, connection,
                             connection->adopted ? MPTCPIZE_EVENT_ADOPTED
                                                 : MPTCPIZE_EVENT_ESTABLISHED);
}

/* Events of the kernel */

static uint32_t engine_flags(const struct mptcp_event *event) {
        return (event->flags & EVENT_MPTCP_SERVER ? MPTCPIZE_VIEW_SERVER : 0) |
               (event->flags & EVENT_MPTCP_DENY_JOIN_INITIAL ? MPTCPIZE_VIEW_DENY_JOIN_INITIAL : 0);
}

/* A comparison may have found the connection first, and it can't see what the peer wants. */
static void engine_tell(struct engine *engine, struct connection *connection, uint32_t flags) {
        const uint32_t told = MPTCPIZE_VIEW_SERVER | MPTCPIZE_VIEW_DENY_JOIN_INITIAL;
        /* Before it is established no peer has announced anything. */
        const bool heard = connection->heard || connection->state == CONNECTION_NEW;

        if ((connection->flags & told) != flags || connection->heard != heard)
                engine_touch(engine, connection);
        connection->flags = (connection->flags & ~told) | flags;
        connection->heard = heard;
}

/* The connection of an event that has all of it; made if there is none. */
static struct connection *engine_known(struct engine *engine, const struct mptcp_event *event) {
        struct connection *connection = model_find(&engine->model, event->token);

        if (connection) {
                engine_tell(engine, connection, engine_flags(event));
        } else {
                connection = engine_add(engine, event->token, &event->local, &event->remote,
                                        engine_flags(event),
                                        event->flags & EVENT_MPTCP_SERVER ? "opened by the peer"
                                                                          : "opened by this host");
                if (!connection) {
                        engine->counters[COUNTER_CONNECTIONS_REFUSED]++;
                        return NULL;
                }
                connection->ids_known = connection->heard = true;
                engine_add_initial(engine, connection, &event->remote, connection->flags);
        }
        return connection;
}

static void engine_on_created(struct engine *engine, const struct event *event) {
        struct connection *stale = model_find(&engine->model, event->mptcp.token);

        /* A token is reused only after the end of a connection: its end was lost. */
        if (stale && !address_equal(&stale->local, &event->mptcp.local))
                engine_remove(engine, stale, "another one has its token: its end was lost");
        (void)engine_known(engine, &event->mptcp);
}

static void engine_on_established(struct engine *engine, const struct event *event) {
        struct connection *connection = engine_known(engine, &event->mptcp);

        if (connection)
                engine_establish(engine, connection);
}

static void engine_on_closed(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->mptcp.token);

        if (connection)
                engine_remove(engine, connection, "closed");
}

static void engine_on_announced(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->mptcp.token);
        struct mptcpize_remote remote = {
                .size = sizeof(remote),
                .address = event->mptcp.remote,
                .id = event->mptcp.remote_id,
                .ifindex = model_route_ifindex(&engine->model, &event->mptcp.remote),
        };
        struct mptcpize_event decision = { .size = sizeof(decision),
                                           .type = MPTCPIZE_EVENT_ANNOUNCED,
                                           .remote = &remote };
        int r;

        if (!connection || remote.id == 0)
                return;
        if (!address_is_host(&remote.address) || engine_is_own(engine, &remote.address)) {
                engine_trace_note(engine, connection, NULL,
                                  "announced address ignored: it leads to no other host");
                return;
        }
        r = connection_add_remote(connection, &remote);
        if (r < 0) {
                engine_trace_note(engine, connection, NULL,
                                  "announced address ignored: there is no room for it");
                return;
        }
        if (r > 0)
                engine_touch(engine, connection);
        if (engine_pardon_announced(engine, connection, &remote.address, r == 0) || r > 0)
                engine_decide(engine, connection, &decision);
}

static void engine_on_removed(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->mptcp.token);
        struct mptcpize_event decision = { .size = sizeof(decision),
                                           .type = MPTCPIZE_EVENT_WITHDRAWN };
        struct mptcpize_remote gone, *known;

        if (!connection || !event->mptcp.remote_id)
                return;
        known = connection_find_remote(connection, event->mptcp.remote_id);
        if (!known)
                return;
        gone = *known;
        decision.remote = &gone;
        connection_remove_remote(connection, gone.id);
        engine_touch(engine, connection);
        engine_decide(engine, connection, &decision);
}

/* Events of subflows */

static struct subflow *engine_joined(struct engine *engine, struct connection *connection,
                                     const struct mptcp_event *event) {
        struct subflow *subflow =
                        connection_find_subflow(connection, &event->local, &event->remote);
        struct subflow joined = {
                .is = { .size = sizeof(joined.is), .local = event->local, .remote = event->remote },
        };
        int r = subflow ? 0 : connection_add_subflow(connection, &joined, &subflow);

        if (r == -ENOMEM)
                engine_starve(engine);
        if (r < 0)
                return NULL;
        if (subflow->is.flags & MPTCPIZE_SUBFLOW_OURS && !subflow->expired)
                subflow->join_usec = (uint32_t)(engine->now_usec - subflow->is.changed_usec);
        subflow->is.local = event->local;
        subflow->is.remote = event->remote;
        subflow->is.local_id = event->local_id;
        subflow->is.remote_id = event->remote_id;
        subflow->is.state = MPTCPIZE_SUBFLOW_ESTABLISHED;
        subflow->is.ifindex = engine_bound_ifindex(engine, &event->local, event->ifindex);
        if (event->backup)
                subflow->is.flags |= MPTCPIZE_SUBFLOW_BACKUP_REMOTE;
        subflow->is.changed_usec = subflow->established_usec = engine->now_usec;
        return subflow;
}

/* One of the joins that were under way, or the peer, has saved what was given up. */
static void engine_revive(struct engine *engine, struct connection *connection) {
        if (connection->state != CONNECTION_ENDING)
                return;
        connection->state = CONNECTION_ESTABLISHED;
        engine_schedule_measurement(engine, connection);
}

static void engine_on_sub_established(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->mptcp.token);
        struct mptcpize_address local = address_without_port(&event->mptcp.local);
        struct subflow *subflow;
        bool former;

        if (!connection || engine_probe_established(engine, connection, &event->mptcp))
                return;
        subflow = engine_joined(engine, connection, &event->mptcp);
        if (!subflow) {
                engine->counters[COUNTER_ACTIONS_DROPPED]++;
                return;
        }
        if (event->mptcp.local_id &&
            !engine_is_announced(connection, &local, event->mptcp.local_id))
                (void)connection_learn_id(connection, &local, event->mptcp.local_id);
        former = subflow->former;
        subflow->former = subflow->expired = false;
        connection->orphan_usec = 0;
        engine_revive(engine, connection);
        engine_wake(engine, connection, WATCH_FASTEST_USEC);
        engine_mend_backup(engine, connection, subflow);
        engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_ESTABLISHED, &subflow->is,
                              0);
        /* The profile may be another one than when it was asked for. */
        engine_judge_paths(engine, connection);
        engine_trim(engine, connection);
        engine_end_unwanted(engine, connection);
        if (former)
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_ADOPTED);
}

static void engine_on_sub_closed(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->mptcp.token);
        struct subflow *subflow, gone;

        if (!connection || engine_probe_closed(engine, connection, &event->mptcp))
                return;
        subflow = connection_find_ended(connection, &event->mptcp.local, &event->mptcp.remote);
        /* Only of a join that is under way the port isn't known. */
        if ((!subflow || !subflow->is.local.port) &&
            connection_take_unheard(connection, &event->mptcp.local, &event->mptcp.remote))
                return;
        if (!subflow)
                return;
        gone = *subflow;
        if (event->mptcp.local.port) /* that of a join may not be known yet */
                gone.is.local = event->mptcp.local;
        engine_note_gone(engine, connection, &gone.is);
        connection_remove_subflow(connection, subflow);
        if (gone.is.flags & MPTCPIZE_SUBFLOW_OURS && gone.is.state <= MPTCPIZE_SUBFLOW_ESTABLISHED)
                engine_refuse_closed(engine, connection, &gone, &event->mptcp);
        engine_note_orphan(engine, connection);
        if (!gone.expired)
                engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_CLOSED, &gone.is,
                                      event->mptcp.error);
}

static void engine_on_sub_priority(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->mptcp.token);
        struct subflow *subflow;

        if (!connection)
                return;
        subflow = connection_find_subflow(connection, &event->mptcp.local, &event->mptcp.remote);
        if (!subflow)
                return;
        subflow->is.flags &= ~MPTCPIZE_SUBFLOW_BACKUP_REMOTE;
        if (event->mptcp.backup)
                subflow->is.flags |= MPTCPIZE_SUBFLOW_BACKUP_REMOTE;
        engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_PRIORITY, &subflow->is, 0);
}

static void engine_on_overrun(struct engine *engine, const struct event *event) {
        (void)event;
        engine->counters[COUNTER_OVERRUNS]++;
        engine_make_sure(engine);
}

static void engine_on_started(struct engine *engine, const struct event *event) {
        (void)event;
        engine_make_sure(engine);
}

/* Time */

static struct connection *engine_of_node(struct heap_node *node) {
        return CONTAINER_OF(node, struct connection, deadline);
}

static void engine_on_tick(struct engine *engine, const struct event *event) {
        struct heap_node *node;

        (void)event;
        while ((node = heap_first(&engine->model.deadlines)) && node->key <= engine->now_usec) {
                struct connection *connection = engine_of_node(node);
                bool timer = connection->timer_usec && connection->timer_usec <= engine->now_usec;

                heap_remove(&engine->model.deadlines, node);
                if (timer) /* before the plugin can arm the next one */
                        connection->timer_usec = 0;
                if (connection->grace_usec <= engine->now_usec)
                        (void)engine_end_grace(connection);
                engine_expire_joins(engine, connection);
                if (!engine_has_hope(engine, connection))
                        engine_end_orphan(engine, connection);
                engine_decide_simple(engine, connection,
                                     timer ? MPTCPIZE_EVENT_TIMER : MPTCPIZE_EVENT_LOCALS_CHANGED);
                engine_schedule(engine, connection);
        }
        engine_measure_due(engine);
        if (engine->sweep_usec && engine->sweep_usec <= engine->now_usec)
                engine_compare(engine);
}

uint64_t engine_deadline(const struct engine *engine) {
        const struct heap_node *first = heap_first(&engine->model.deadlines);
        const struct heap_node *measurement = heap_first(&engine->model.measurements);
        uint64_t deadline = first ? first->key : UINT64_MAX;

        if (measurement && measurement->key < deadline)
                deadline = measurement->key;
        if (engine->relist_usec && engine->relist_usec < deadline)
                deadline = engine->relist_usec;
        return engine->sweep_usec && engine->sweep_usec < deadline ? engine->sweep_usec : deadline;
}

/* Configuration */

static void engine_reconfigure(struct connection *connection, void *userdata) {
        struct engine *engine = userdata;

        if (connection->state == CONNECTION_LOCAL || connection->state == CONNECTION_KERNEL)
                return;
        engine_start_plugin(engine, connection);
        if (connection->state == CONNECTION_ESTABLISHED)
                connection->unasked = true;
        else
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_CONFIGURED);
        (void)engine_check_permit(engine, connection);
}

static void engine_on_configured(struct engine *engine, const struct event *event) {
        model_each(&engine->model, engine_stop_each, engine);
        engine->conf = event->configured.conf;
        engine->limits = conf_limits(engine->conf);
        engine_set_profiles(engine, &event->configured);
        engine->net_changed = true; /* roles */
        engine_settle(engine);
        model_each(&engine->model, engine_reconfigure, engine);
        engine_begin_follow(engine);
}

static void engine_on_snapshot_event(struct engine *engine, const struct event *event) {
        engine_on_snapshot(engine, event->snapshot);
}

static void engine_on_outcome_event(struct engine *engine, const struct event *event) {
        engine_on_outcome(engine, &event->outcome);
}

static void engine_on_entries_event(struct engine *engine, const struct event *event) {
        engine_on_entries(engine, &event->entries);
}

typedef void (*engine_event_fn)(struct engine *engine, const struct event *event);

static const engine_event_fn engine_handlers[_EVENT_MAX] = {
        [EVENT_CREATED] = engine_on_created,
        [EVENT_ESTABLISHED] = engine_on_established,
        [EVENT_CLOSED] = engine_on_closed,
        [EVENT_ANNOUNCED] = engine_on_announced,
        [EVENT_REMOVED] = engine_on_removed,
        [EVENT_SUB_ESTABLISHED] = engine_on_sub_established,
        [EVENT_SUB_CLOSED] = engine_on_sub_closed,
        [EVENT_SUB_PRIORITY] = engine_on_sub_priority,
        [EVENT_LISTENER_CLOSED] = engine_on_listener_closed,
        [EVENT_OVERRUN] = engine_on_overrun,
        [EVENT_LINK] = engine_on_link,
        [EVENT_LINK_GONE] = engine_on_link,
        [EVENT_ADDRESS] = engine_on_address,
        [EVENT_ADDRESS_GONE] = engine_on_address,
        [EVENT_ROUTE] = engine_on_route,
        [EVENT_ROUTE_GONE] = engine_on_route,
        [EVENT_RULE] = engine_on_rule,
        [EVENT_RULE_GONE] = engine_on_rule,
        [EVENT_FILTER] = engine_on_filter,
        [EVENT_NET_BEGIN] = engine_on_net_begin,
        [EVENT_NET_END] = engine_on_net_end,
        [EVENT_SNAPSHOT] = engine_on_snapshot_event,
        [EVENT_ENTRIES] = engine_on_entries_event,
        [EVENT_MEASURED] = engine_on_measured,
        [EVENT_OUTCOME] = engine_on_outcome_event,
        [EVENT_STARTED] = engine_on_started,
        [EVENT_TICK] = engine_on_tick,
        [EVENT_CONFIGURED] = engine_on_configured,
        [EVENT_HINT] = engine_on_hint,
        [EVENT_OWNER] = engine_on_owner,
        [EVENT_ASSIGNED] = engine_on_assigned,
        [EVENT_COUNTERS] = engine_on_counters,
        [EVENT_JOINS] = engine_on_joins,
        [EVENT_INTRUDER] = engine_on_intruder,
};

void engine_handle(struct engine *engine, const struct event *event) {
        if (engine_handlers[event->type])
                engine_handlers[event->type](engine, event);
}

/*
 * Something was due long ago: the loop, or the whole host, was stopped. What looks like silence
 * since then may only be answers that nobody could take in.
 */
static void engine_note_pause(struct engine *engine, uint64_t usec) {
        const uint64_t due = engine_deadline(engine);

        if (due < UINT64_MAX && usec > due + PAUSE_USEC)
                engine->resumed_usec = usec;
}

void engine_feed(struct engine *engine, const struct event *event) {
        assert(engine->conf || event->type == EVENT_CONFIGURED);
        engine_note_pause(engine, event->usec);
        engine->now_usec = event->usec;
        engine->counters[COUNTER_EVENTS]++;
        if (event->type <= EVENT_SUB_PRIORITY) {
                engine_trace_event(engine, event->type, &event->mptcp);
                engine_note_stray(engine, event);
        }
        engine_handle(engine, event);
}
