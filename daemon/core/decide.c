/*
 * From the model to the plugin and back: builds the view, calls decide(), and checks what comes.
 *
 * Actions are collected while the plugin runs and done after it has returned, so that the view
 * doesn't move under it. Invariant: an action that passed the checks stays right while the rest of
 * the same decision is checked, because the actions before it count.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TIMER_MAX_USEC (UINT64_MAX / 4) /* no sum with a time overflows; for ever, for people */

struct decision {
        struct mptcpize_sink sink; /* first: the plugin gets its address */
        struct engine *engine;
        struct connection *connection;
        uint64_t timer_usec;
        uint64_t watch_usec;
        bool timer_set;
        bool watch_set;
        bool urgent;
        size_t n_creates, n;
        struct action *actions; /* LIMIT_ACTIONS_DECISION of them */
};

/* Plugin states */

/* The options were tried when they were read, so they can't be wrong here. */
static void plugin_configure(const struct mptcpize_plugin *plugin, void *state,
                             const struct conf_option *options, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(options[i].plugin, plugin->name) == 0)
                        (void)plugin->config(state, options[i].key, options[i].value);
}

void engine_start_plugin(struct engine *engine, struct connection *connection) {
        const struct conf_profile *profile = engine_profile(engine, connection)->conf;
        const struct mptcpize_plugin *plugin = profile->plugin;

        if (!plugin)
                return;
        if (plugin->init(&connection->plugin_state) < 0) {
                connection->plugin_state = NULL;
                engine->counters[COUNTER_PLUGIN_ERRORS]++;
                return;
        }
        connection->plugin = plugin;
        plugin_configure(plugin, connection->plugin_state, engine->conf->options.items,
                         engine->conf->options.n);
        plugin_configure(plugin, connection->plugin_state, profile->options.items,
                         profile->options.n);
}

void engine_stop_plugin(struct engine *engine, struct connection *connection) {
        (void)engine;
        if (connection->plugin_state)
                connection->plugin->done(connection->plugin_state);
        connection->plugin = NULL;
        connection->plugin_state = NULL;
        connection->unasked = false;
        connection->timer_usec = connection->watch_usec = 0;
}

/* As if it had not been asked yet. */
static void engine_restart_plugin(struct engine *engine, struct connection *connection) {
        engine_stop_plugin(engine, connection);
        engine_start_plugin(engine, connection);
}

/* Checks */

static const struct mptcpize_local *decision_local(const struct decision *decision,
                                                   const struct mptcpize_action *wanted) {
        const struct locals *locals = engine_locals(decision->engine, decision->connection);

        for (size_t i = 0; i < locals->n; i++) {
                const struct mptcpize_local *local = &locals->items[i].is;

                if (address_same_host(&local->address, &wanted->local) &&
                    (!wanted->ifindex || wanted->ifindex == local->ifindex))
                        return local;
        }
        return NULL;
}

static const struct mptcpize_remote *decision_remote(const struct connection *connection,
                                                     const struct mptcpize_address *address) {
        for (size_t i = 0; i < connection->remotes.n; i++)
                if (address_equal(&connection->remotes.items[i].address, address))
                        return &connection->remotes.items[i];
        return NULL;
}

/* Is there such a subflow, or one asked for in this decision? A dead one is to be replaced. */
static bool decision_has_pair(const struct decision *decision,
                              const struct mptcpize_action *wanted) {
        const struct connection *connection = decision->connection;

        if (wanted->flags & MPTCPIZE_CREATE_ANOTHER)
                return false;
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *subflow = &connection->subflows.items[i].is;

                if (subflow->state <= MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    address_same_host(&subflow->local, &wanted->local) &&
                    (!wanted->local.port || wanted->local.port == subflow->local.port) &&
                    address_equal(&subflow->remote, &wanted->remote))
                        return true;
        }
        for (size_t i = 0; i < decision->n; i++)
                if (decision->actions[i].type == ACTION_CREATE &&
                    address_equal(&decision->actions[i].local, &wanted->local) &&
                    address_equal(&decision->actions[i].remote, &wanted->remote))
                        return true;
        return false;
}

/* Of two subflows with the same ports nobody could say which of them is meant. */
static bool decision_uses_port(const struct decision *decision,
                               const struct mptcpize_action *wanted) {
        for (size_t i = 0; i < decision->n && wanted->local.port; i++)
                if (decision->actions[i].type == ACTION_CREATE &&
                    address_equal(&decision->actions[i].local, &wanted->local) &&
                    address_equal(&decision->actions[i].remote, &wanted->remote))
                        return true;
        return connection_uses_port(decision->connection, &wanted->local, &wanted->remote);
}

static bool decision_is_refused(const struct decision *decision,
                                const struct mptcpize_action *wanted) {
        const struct refusal *refusal = connection_find_refusal(decision->connection,
                                                                &wanted->local, &wanted->remote);

        /* Without room to remember that it failed nothing new is tried. */
        if (!refusal)
                return !connection_has_refusal_room(decision->connection);
        return refusal->tries &&
               (refusal->final || refusal->until_usec > decision->engine->now_usec);
}

/* The last check, because a permission to try again is used up by asking. */
static bool decision_may_retry(const struct decision *decision,
                               const struct mptcpize_action *wanted) {
        struct refusal *refusal = connection_find_refusal(decision->connection, &wanted->local,
                                                          &wanted->remote);

        return !refusal || !refusal->tries ||
               engine_take_retry(decision->engine, decision->connection, refusal);
}

/* Can the path lead there at all? Positive: it is there already. */
static int decision_check_create(const struct decision *decision,
                                 const struct mptcpize_action *wanted) {
        const struct engine *engine = decision->engine;
        const struct connection *connection = decision->connection;
        const struct mptcpize_remote *remote;

        if (wanted->local.family != wanted->remote.family || !wanted->remote.port)
                return -EINVAL;
        if (connection->state != CONNECTION_ESTABLISHED)
                return -ENOTCONN;
        if (decision_has_pair(decision, wanted))
                return 1;
        if (decision_uses_port(decision, wanted))
                return -EBUSY;
        remote = decision_remote(connection, &wanted->remote);
        if (!remote)
                return -ENOENT;
        if (remote->flags & MPTCPIZE_REMOTE_INITIAL &&
            connection->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL)
                return -EPERM;
        if (!decision_local(decision, wanted))
                return -EADDRNOTAVAIL;
        if (address_is_link_local(&wanted->remote) ||
            (wanted->ifindex && !model_has_route(&engine->model, wanted->ifindex, &wanted->remote)))
                return -ENETUNREACH;
        if (!engine_may_join(connection))
                return connection->joins == JOINS_BARRED ? -EACCES : -EBUSY;
        if (decision_is_refused(decision, wanted) || !engine_has_hope(engine, connection))
                return -ECONNREFUSED;
        if (connection_count(connection, SUBFLOWS_LIVE, NULL) + decision->n_creates >=
            engine_max_subflows(engine, connection))
                return -E2BIG;
        if (engine_has_joins_enough(engine, connection, decision->n_creates))
                return -EBUSY;
        if (engine_is_scarce(decision->engine, decision->connection, &wanted->local,
                             &wanted->remote))
                return -EBUSY;
        if (!decision_may_retry(decision, wanted))
                return -ECONNREFUSED;
        return 0;
}

static struct subflow *decision_subflow(const struct decision *decision,
                                        const struct mptcpize_action *wanted) {
        struct subflow *subflow = connection_find_subflow(decision->connection, &wanted->local,
                                                          &wanted->remote);

        return subflow && SUBFLOWS_KEPT & 1u << subflow->is.state ? subflow : NULL;
}

/* An operator wanted it otherwise; the log says so once. */
static int decision_deny(const struct decision *decision, const struct mptcpize_action *wanted,
                         struct subflow *subflow) {
        struct trace_line line = {
                .usec = decision->engine->now_usec,
                .token = decision->connection->token,
                .kind = TRACE_REFUSED,
                .action = (enum action_type)(wanted->type - MPTCPIZE_ACTION_CREATE),
                .off = wanted->type == MPTCPIZE_ACTION_BACKUP && !wanted->backup,
                .error = -EPERM,
                .local = wanted->local,
                .remote = wanted->remote,
        };

        if (!subflow->told) {
                snprintf(line.reason, sizeof(line.reason), "the operator's word stands against: %s",
                         wanted->reason);
                trace_add(&decision->engine->trace, &line);
        }
        subflow->told = true;
        return -EPERM;
}

static int decision_check_destroy(const struct decision *decision,
                                  const struct mptcpize_action *wanted) {
        struct subflow *subflow = decision_subflow(decision, wanted);

        if (!subflow)
                return -ENOENT;
        return subflow->ordered ? decision_deny(decision, wanted, subflow) : 0;
}

static int decision_check_backup(const struct decision *decision,
                                 const struct mptcpize_action *wanted) {
        struct subflow *subflow = decision_subflow(decision, wanted);

        if (!subflow)
                return -ENOENT;
        if (!(subflow->is.flags & MPTCPIZE_SUBFLOW_BACKUP) == !wanted->backup)
                return 1;
        return subflow->pinned ? decision_deny(decision, wanted, subflow) : 0;
}

static int decision_check_announce(const struct decision *decision,
                                   const struct mptcpize_action *wanted) {
        const struct local_id *id;

        if (decision->connection->state != CONNECTION_ESTABLISHED)
                return -ENOTCONN;
        if (!decision_local(decision, wanted))
                return -EADDRNOTAVAIL;
        /* The peer knows the address that it talks to; it has id 0, which can't be announced. */
        if (!wanted->local.port && address_same_host(&wanted->local, &decision->connection->local))
                return 1;
        id = connection_find_address(decision->connection, &wanted->local);
        return id && id->barred;
}

static int decision_check_withdraw(const struct decision *decision,
                                   const struct mptcpize_action *wanted) {
        const struct local_id *id = connection_find_address(decision->connection, &wanted->local);

        if (!id)
                return -ENOENT;
        /* What this host has lost is of no use to whoever wanted it announced. */
        return id->barred || (id->held && decision_local(decision, wanted));
}

static int decision_check(const struct decision *decision, const struct mptcpize_action *wanted) {
        switch ((enum mptcpize_action_type)wanted->type) {
        case MPTCPIZE_ACTION_CREATE:
                return decision_check_create(decision, wanted);
        case MPTCPIZE_ACTION_DESTROY:
                return decision_check_destroy(decision, wanted);
        case MPTCPIZE_ACTION_BACKUP:
                return decision_check_backup(decision, wanted);
        case MPTCPIZE_ACTION_ANNOUNCE:
                return decision_check_announce(decision, wanted);
        case MPTCPIZE_ACTION_WITHDRAW:
                return decision_check_withdraw(decision, wanted);
        case MPTCPIZE_ACTION_TIMER:
        case MPTCPIZE_ACTION_NOTE:
        case MPTCPIZE_ACTION_WATCH:
                return 0;
        default:
                return -EINVAL;
        }
}

/*
 * A plugin asks for the same again at every event; the log gets a refusal once, until something
 * changes. The refusal list remembers that, with 0 tries: such an entry refuses nothing.
 */
static void decision_trace_refused(struct decision *decision, const struct mptcpize_action *wanted,
                                   int error) {
        struct connection *connection = decision->connection;
        const char *barred = error == -EACCES ? connection_joins_reason(connection) : "";
        struct refusal *known =
                        connection_find_refusal(connection, &wanted->local, &wanted->remote);
        struct refusal entry = { .local = address_without_port(&wanted->local),
                                 .remote = wanted->remote,
                                 .error = error };
        struct trace_line line = {
                .usec = decision->engine->now_usec,
                .token = connection->token,
                .kind = TRACE_REFUSED,
                .action = (enum action_type)(wanted->type - MPTCPIZE_ACTION_CREATE),
                .off = wanted->type == MPTCPIZE_ACTION_BACKUP && !wanted->backup,
                .error = error,
                .local = wanted->local,
                .remote = wanted->remote,
        };

        /* What is only noted must leave room for what failed. */
        if (known || connection->refusals.n >= LIMIT_REFUSALS / 2 ||
            ARRAY_APPEND(&connection->refusals, entry, LIMIT_REFUSALS) < 0)
                return;
        snprintf(line.reason, sizeof(line.reason), "%s", barred[0] ? barred : wanted->reason);
        trace_add(&decision->engine->trace, &line);
}

static void decision_accept(struct decision *decision, const struct mptcpize_action *wanted) {
        static const enum action_type types[] = {
                [MPTCPIZE_ACTION_CREATE] = ACTION_CREATE,
                [MPTCPIZE_ACTION_DESTROY] = ACTION_DESTROY,
                [MPTCPIZE_ACTION_BACKUP] = ACTION_BACKUP,
                [MPTCPIZE_ACTION_ANNOUNCE] = ACTION_ANNOUNCE,
                [MPTCPIZE_ACTION_WITHDRAW] = ACTION_WITHDRAW,
        };
        struct action *action = &decision->actions[decision->n++];

        *action = (struct action){
                .type = types[wanted->type],
                .token = decision->connection->token,
                .local = wanted->local,
                .remote = wanted->remote,
                .ifindex = wanted->ifindex,
                .backup = wanted->backup != 0,
                .urgent = decision->urgent,
        };
        snprintf(action->reason, sizeof(action->reason), "%s", wanted->reason);
        if (action->type == ACTION_CREATE)
                decision->n_creates++;
}

/* What needs no action of the kernel's; false: it does. */
static bool decision_keep(struct decision *decision, const struct mptcpize_action *wanted) {
        const uint64_t usec = wanted->usec < TIMER_MAX_USEC ? wanted->usec : TIMER_MAX_USEC;

        if (wanted->type == MPTCPIZE_ACTION_TIMER) {
                decision->timer_set = true;
                decision->timer_usec = usec;
        } else if (wanted->type == MPTCPIZE_ACTION_WATCH) {
                decision->watch_set = true;
                decision->watch_usec = usec;
        } else if (wanted->type == MPTCPIZE_ACTION_NOTE) {
                engine_trace_note(decision->engine, decision->connection, NULL, wanted->reason);
        } else {
                return false;
        }
        return true;
}

static int decision_emit(struct mptcpize_sink *sink, const struct mptcpize_action *from) {
        struct decision *decision = (struct decision *)sink;
        struct mptcpize_action wanted = { 0 };
        int r;

        memcpy(&wanted, from, from->size < sizeof(wanted) ? from->size : sizeof(wanted));
        /* Nor half a pointer. */
        if (!MPTCPIZE_HAS(from, struct mptcpize_action, reason) || !wanted.reason ||
            !wanted.reason[0])
                wanted.reason = "the plugin gives no reason";
        r = decision_check(decision, &wanted);
        /* That it has to wait its turn is no refusal. */
        if (r < 0 && r != -EBUSY && wanted.type == MPTCPIZE_ACTION_CREATE)
                decision_trace_refused(decision, &wanted, r);
        if (r != 0)
                return r < 0 ? r : 0;
        if (decision_keep(decision, &wanted))
                return 0;
        if (decision->n == LIMIT_ACTIONS_DECISION)
                return -ENOBUFS;
        decision_accept(decision, &wanted);
        return 0;
}

/* Doing */

static void decision_apply(struct decision *decision) {
        struct engine *engine = decision->engine;
        struct connection *connection = decision->connection;

        for (size_t i = 0; i < decision->n; i++)
                if (engine_act(engine, connection, &decision->actions[i]) < 0)
                        engine_trace_note(engine, connection, NULL,
                                          "an action was dropped: no room for it");
        if (decision->timer_set)
                connection->timer_usec =
                                decision->timer_usec ? engine->now_usec + decision->timer_usec : 0;
        if (decision->watch_set)
                engine_watch(engine, connection, decision->watch_usec);
}

/* View */

struct view_arrays {
        const struct mptcpize_local *locals[LIMIT_LOCALS];
        const struct mptcpize_remote *remotes[LIMIT_REMOTES];
        const struct mptcpize_subflow *subflows[LIMIT_SUBFLOWS];
};

/* Xorshift64: plugins need jitter, not secrets. */
uint64_t engine_random(struct engine *engine) {
        engine->random ^= engine->random << 13;
        engine->random ^= engine->random >> 7;
        engine->random ^= engine->random << 17;
        return engine->random;
}

static void view_init(struct mptcpize_view *view, struct view_arrays *arrays, struct engine *engine,
                      const struct connection *connection) {
        const struct locals *locals = engine_locals(engine, connection);

        for (size_t i = 0; i < locals->n; i++)
                arrays->locals[i] = &locals->items[i].is;
        for (size_t i = 0; i < connection->remotes.n; i++)
                arrays->remotes[i] = &connection->remotes.items[i];
        for (size_t i = 0; i < connection->subflows.n; i++)
                arrays->subflows[i] = &connection->subflows.items[i].is;
        *view = (struct mptcpize_view){
                .size = sizeof(*view),
                .token = connection->token,
                .flags = connection->flags |
                         (connection->state == CONNECTION_ESTABLISHED ? MPTCPIZE_VIEW_ESTABLISHED
                                                                      : 0),
                .now_usec = engine->now_usec,
                .random = engine_random(engine),
                .max_subflows = engine_max_subflows(engine, connection),
                .locals = arrays->locals,
                .n_locals = locals->n,
                .remotes = arrays->remotes,
                .n_remotes = connection->remotes.n,
                .subflows = arrays->subflows,
                .n_subflows = connection->subflows.n,
        };
}

/* Has the plugin been asked, and there is neither a subflow that works nor a join for one? */
static bool engine_is_stranded(const struct engine *engine, const struct connection *connection) {
        return connection->state == CONNECTION_ESTABLISHED && connection->ids_known &&
               engine_may_join(connection) && engine_has_hope(engine, connection) &&
               !connection_count(connection, SUBFLOWS_LIVE, NULL);
}

void engine_decide(struct engine *engine, struct connection *connection,
                   const struct mptcpize_event *event) {
        struct action actions[LIMIT_ACTIONS_DECISION];
        struct decision decision = {
                .sink = { .size = sizeof(decision.sink), .emit = decision_emit },
                .engine = engine,
                .connection = connection,
                .actions = actions,
                .urgent = event->type == MPTCPIZE_EVENT_ESTABLISHED,
        };
        struct view_arrays arrays;
        struct mptcpize_view view;

        if (connection->unasked) { /* what it is to be told first */
                connection->unasked = false;
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_CONFIGURED);
        }
        if (!connection->plugin_state || connection->state > CONNECTION_ESTABLISHED ||
            (connection->ids_wanted && !connection->ids_known))
                return;
        view_init(&view, &arrays, engine, connection);
        if (connection->plugin->decide(connection->plugin_state, &view, event, &decision.sink) < 0)
                engine->counters[COUNTER_PLUGIN_ERRORS]++;
        if (decision.n == 0 || engine_may_act(engine, connection))
                decision_apply(&decision);
        else
                engine_restart_plugin(engine, connection);
        if (engine_is_stranded(engine, connection) && connection_forget_orders(connection)) {
                engine_trace_note(engine, connection, NULL,
                                  "nothing else is left: what the operator removed may come back");
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_LOCALS_CHANGED);
        }
        engine_schedule(engine, connection);
}

void engine_decide_simple(struct engine *engine, struct connection *connection, uint32_t type) {
        struct mptcpize_event event = { .size = sizeof(event), .type = type };

        engine_decide(engine, connection, &event);
}

void engine_decide_subflow(struct engine *engine, struct connection *connection, uint32_t type,
                           const struct mptcpize_subflow *subflow, int error) {
        struct mptcpize_subflow copy = *subflow;
        struct mptcpize_event event = {
                .size = sizeof(event), .type = type, .error = error, .subflow = &copy
        };

        engine_decide(engine, connection, &event);
}

void engine_schedule(struct engine *engine, struct connection *connection) {
        uint64_t due = connection->timer_usec ? connection->timer_usec : UINT64_MAX;
        uint64_t join = engine_join_deadline(engine, connection);

        if (join < due)
                due = join;
        if (connection->orphan_usec > engine->now_usec && connection->orphan_usec < due)
                due = connection->orphan_usec;
        if (connection->grace_usec > engine->now_usec && connection->grace_usec < due)
                due = connection->grace_usec;
        for (size_t i = 0; i < connection->refusals.n; i++) {
                uint64_t until = connection->refusals.items[i].until_usec;

                if (until > engine->now_usec && until < due)
                        due = until;
        }
        if (due == UINT64_MAX)
                heap_remove(&engine->model.deadlines, &connection->deadline);
        else
                heap_set(&engine->model.deadlines, &connection->deadline, due);
}
