/*
 * This host's own addresses: which are usable, which were lost, and what that means for the
 * subflows on them.
 *
 * The kernel tells nobody when a link or an address under a subflow goes (Linux 6.18: no event, an
 * outage of up to 1.5 s). What helps is to tell the peer first and then to close: REMOVE_ADDR,
 * then an abort. (SUBFLOW_DESTROY would do for this, but its FIN stays behind on the lost path, and
 * while the first subflow of a connection waits for the answer the kernel never counts to
 * close_timeout when the other ones have ended.) The last subflow is kept until another one is
 * established, because RM_ADDR needs a carrier and a connection without a subflow ends after
 * close_timeout.
 *
 * If it is its own path that comes back, TCP goes on by itself, but when its retransmission timeout
 * says so, which has doubled all the time: after 10 s without a path, up to 10 s later. So it
 * counts as dead until something arrives on it, and meanwhile another one is joined beside it.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A dead path's retransmission timeout has doubled twice or so by then. */
#define SLOW_USEC 500000u

int32_t engine_ifindex(const struct engine *engine, const struct mptcpize_address *local) {
        const struct address *address = model_find_address(&engine->model, local);

        return address ? address->is.ifindex : 0;
}

int32_t engine_bound_ifindex(const struct engine *engine, const struct mptcpize_address *local,
                             int32_t bound) {
        int32_t own = engine_ifindex(engine, local);

        return own && bound ? bound : own;
}

void engine_route_remotes(const struct engine *engine, struct connection *connection) {
        for (size_t i = 0; i < connection->remotes.n; i++)
                connection->remotes.items[i].ifindex = model_route_ifindex(
                                &engine->model, &connection->remotes.items[i].address);
}

bool engine_is_own(const struct engine *engine, const struct mptcpize_address *address) {
        return address_is_loopback(address) || model_find_address(&engine->model, address);
}

/* Usable local addresses */

static bool path_is_usable(const struct address *address, const struct link *link) {
        return address->is.usable && link && link->is.up && !link->is.loopback &&
               !address_is_loopback(&address->is.address) &&
               !address_is_link_local(&address->is.address);
}

/* Masters first, backups last; otherwise by interface, so that the order is always the same. */
static int path_rank(const struct mptcpize_local *local) {
        static const int ranks[] = {
                [MPTCPIZE_ROLE_MASTER] = 0,
                [MPTCPIZE_ROLE_ON] = 1,
                [MPTCPIZE_ROLE_BACKUP] = 2,
                [MPTCPIZE_ROLE_OFF] = 3,
        };

        return ranks[local->role];
}

static int path_compare(const void *pa, const void *pb) {
        const struct mptcpize_local *a = &((const struct local *)pa)->is;
        const struct mptcpize_local *b = &((const struct local *)pb)->is;

        if (path_rank(a) != path_rank(b))
                return path_rank(a) - path_rank(b);
        if (a->ifindex != b->ifindex)
                return a->ifindex < b->ifindex ? -1 : 1;
        return memcmp(&a->address, &b->address, sizeof(a->address));
}

/* The usable addresses for a profile, in order; those that don't fit are left out. */
static struct locals engine_collect_locals(const struct engine *engine,
                                           const struct profile *profile) {
        struct locals locals = { 0 };

        for (size_t i = 0; i < engine->model.addresses.n; i++) {
                const struct address *address = &engine->model.addresses.items[i];
                const struct link *link = model_find_link(&engine->model, address->is.ifindex);
                struct local local = { .is = { .size = sizeof(local.is) } };

                if (!path_is_usable(address, link) || engine_leaving(engine, link->is.name))
                        continue;
                local.is.address = address_without_port(&address->is.address);
                local.is.ifindex = address->is.ifindex;
                local.is.role = engine_role(engine, profile->conf, link->is.name, NULL);
                memcpy(local.name, link->is.name, sizeof(local.name));
                if (local.is.role != MPTCPIZE_ROLE_OFF)
                        (void)ARRAY_APPEND(&locals, local, LIMIT_LOCALS);
        }
        if (locals.n > 1)
                qsort(locals.items, locals.n, sizeof(*locals.items), path_compare);
        for (size_t i = 0; i < locals.n; i++)
                locals.items[i].is.ifname = locals.items[i].name;
        return locals;
}

/* True if the list is another one than before. */
static bool engine_update_locals(const struct engine *engine, struct profile *profile) {
        struct locals locals = engine_collect_locals(engine, profile);
        bool changed = locals.n != profile->locals.n;

        for (size_t i = 0; i < locals.n && !changed; i++)
                changed = path_compare(&locals.items[i], &profile->locals.items[i]) != 0;
        ARRAY_DONE(&profile->locals);
        profile->locals = locals;
        return changed;
}

/* A profile without roles of its own has no list of its own. */
static bool engine_update_profiles(struct engine *engine) {
        bool changed = engine_update_locals(engine, &engine->profiles[0]);

        for (size_t i = 1; i < engine->n_profiles; i++)
                if (engine->profiles[i].conf->roles.n)
                        changed |= engine_update_locals(engine, &engine->profiles[i]);
        return changed;
}

/* Those that don't fit are left out. */
static void engine_update_routing(struct engine *engine) {
        struct routing routing = { .off = engine->conf->routing == CONF_ROUTING_OFF };

        for (size_t i = 0; i < engine->n_profiles; i++)
                for (size_t k = 0; k < engine->profiles[i].locals.n; k++)
                        (void)routing_consider(&routing, &engine->routing, &engine->model,
                                               &engine->profiles[i].locals.items[k].is.address);
        routing_done(&engine->routing);
        engine->routing = routing;
}

/* Lost paths */

/* Why the path of a subflow is lost, or NULL. Foreign addresses (transparent proxies) never are. */
static const char *path_lost(const struct engine *engine, const struct connection *connection,
                             const struct mptcpize_subflow *subflow) {
        const struct address *address;
        const struct link *link;

        if (!subflow->ifindex)
                return NULL;
        address = model_find_address(&engine->model, &subflow->local);
        if (!address)
                return "path lost: the local address is gone";
        link = model_find_link(&engine->model, address->is.ifindex);
        if (!link)
                return "path lost: the interface is gone";
        if (!link->is.up)
                return "path lost: the link is down";
        if (engine_leaving(engine, link->is.name))
                return "path lost: the interface is about to go down";
        if (subflow->flags & MPTCPIZE_SUBFLOW_OURS &&
            !(subflow->flags & MPTCPIZE_SUBFLOW_INITIAL) &&
            engine_role(engine, engine_profile(engine, connection)->conf, link->is.name, NULL) ==
                            MPTCPIZE_ROLE_OFF)
                return "the interface's role is off";
        return NULL;
}

/* Does a subflow that works use this id? Then the peer must not be told that it is gone. */
static bool connection_needs_id(const struct connection *connection, uint8_t id) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].is.local_id == id &&
                    connection->subflows.items[i].is.state <= MPTCPIZE_SUBFLOW_ESTABLISHED)
                        return true;
        return false;
}

static void engine_withdraw_dead(struct engine *engine, struct connection *connection,
                                 const struct subflow *dead) {
        uint8_t id = dead->is.local_id;
        struct action action = {
                .type = ACTION_WITHDRAW,
                .token = connection->token,
                .local = address_without_port(&dead->is.local),
                .local_id = id,
                .reason = "path lost: tell the peer first",
        };

        if (dead->withdrawn || connection_needs_id(connection, id))
                return;
        (void)engine_push(engine, &action);
        engine_release_id(engine, connection, id);
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].is.local_id == id)
                        connection->subflows.items[i].withdrawn = true;
}

int engine_push_close(struct engine *engine, const struct connection *connection,
                      enum action_type how, const struct mptcpize_address *local,
                      const struct mptcpize_address *remote, int32_t ifindex, const char *reason) {
        struct action action = {
                .type = how,
                .token = connection->token,
                .local = *local,
                .remote = *remote,
                .ifindex = ifindex,
        };

        snprintf(action.reason, sizeof(action.reason), "%s", reason);
        return engine_push(engine, &action);
}

bool engine_close(struct engine *engine, const struct connection *connection,
                  struct subflow *subflow, enum action_type how, const char *reason) {
        if (engine_push_close(engine, connection, how, &subflow->is.local, &subflow->is.remote,
                              subflow->is.ifindex, reason) < 0)
                return false;
        subflow->is.state = MPTCPIZE_SUBFLOW_CLOSING;
        subflow->is.changed_usec = engine->now_usec;
        return true;
}

void engine_bury(struct engine *engine, struct connection *connection) {
        if (connection->state != CONNECTION_ESTABLISHED ||
            !connection_count(connection, SUBFLOWS_CARRYING, NULL) ||
            !connection_count(connection, SUBFLOWS_LOST, NULL) ||
            !engine_may_act(engine, connection))
                return;
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_DEAD)
                        engine_withdraw_dead(engine, connection, &connection->subflows.items[i]);
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_DEAD)
                        (void)engine_close(engine, connection, &connection->subflows.items[i],
                                           ACTION_ABORT, "path lost: close what can't carry data");
}

void engine_lose(struct engine *engine, struct connection *connection, struct subflow *subflow,
                 const char *reason) {
        struct mptcpize_subflow dead;

        engine->counters[COUNTER_SUBFLOWS_DEAD]++;
        engine_trace_note(engine, connection, &subflow->is, reason);
        engine_check_probe(engine, connection, subflow);
        subflow->is.state = MPTCPIZE_SUBFLOW_DEAD;
        subflow->is.changed_usec = engine->now_usec;
        subflow->lost = true;
        dead = subflow->is;
        if (dead.flags & MPTCPIZE_SUBFLOW_OURS)
                engine_refuse_lost(engine, connection, subflow);
        engine_bury(engine, connection);
        engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_DEAD, &dead, 0);
}

/* Has the kernel backed off for so long that a join brings data sooner? */
static bool path_is_slow(const struct connection *connection, const struct subflow *subflow,
                         uint64_t now_usec) {
        const bool denied = connection->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL;

        return connection->state == CONNECTION_ESTABLISHED && connection->plugin_state &&
               subflow->is.flags & MPTCPIZE_SUBFLOW_OURS &&
               !connection_count(connection, SUBFLOWS_CARRYING, NULL) &&
               connection->remotes.n > denied && now_usec - subflow->is.changed_usec >= SLOW_USEC;
}

static void engine_path_is_back(struct engine *engine, struct connection *connection,
                                struct subflow *subflow) {
        const bool slow = path_is_slow(connection, subflow, engine->now_usec);

        subflow->is.changed_usec = engine->now_usec;
        engine_trace_note(engine, connection, &subflow->is,
                          slow ? "path is back: a new subflow will be sooner than this one"
                               : "path is back");
        if (slow) {
                subflow->lost = true;
                engine_wake(engine, connection, WATCH_FASTEST_USEC);
                return;
        }
        subflow->is.state = MPTCPIZE_SUBFLOW_ESTABLISHED;
        subflow->withdrawn = false;
}

/* Marks subflow i dead or alive again; true if that is news. */
static bool engine_judge_path(struct engine *engine, struct connection *connection, size_t i) {
        struct subflow *subflow = &connection->subflows.items[i];
        const char *lost = path_lost(engine, connection, &subflow->is);

        if (lost && subflow->is.state == MPTCPIZE_SUBFLOW_ESTABLISHED) {
                subflow->is.state = MPTCPIZE_SUBFLOW_DEAD;
                subflow->is.changed_usec = engine->now_usec;
                engine->counters[COUNTER_SUBFLOWS_DEAD]++;
                engine_trace_note(engine, connection, &subflow->is, lost);
                return true;
        }
        if (!lost && !subflow->lost && subflow->is.state == MPTCPIZE_SUBFLOW_DEAD)
                engine_path_is_back(engine, connection, subflow);
        return false;
}

static const char *join_is_lost(const struct engine *engine, const struct connection *connection,
                                const struct subflow *join) {
        return path_lost(engine, connection, &join->is);
}

void engine_judge_paths(struct engine *engine, struct connection *connection) {
        struct mptcpize_subflow dead[LIMIT_SUBFLOWS];
        size_t n = 0;

        if (!engine->net_known)
                return;
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (engine_judge_path(engine, connection, i))
                        dead[n++] = connection->subflows.items[i].is;
        engine_bury(engine, connection);
        engine_give_up_joins(engine, connection, join_is_lost, ENETDOWN);
        if (n)
                engine_pardon_orphan(engine, connection);
        for (size_t i = 0; i < n; i++)
                engine_decide_subflow(engine, connection, MPTCPIZE_EVENT_SUBFLOW_DEAD, &dead[i], 0);
}

static void engine_judge_each(struct connection *connection, void *userdata) {
        engine_judge_paths(userdata, connection);
}

static void engine_look_again(struct engine *engine, struct connection *connection,
                              bool only_routes) {
        engine_pardon_changed(engine, connection, only_routes);
        engine_route_remotes(engine, connection);
        engine_hope_again(engine, connection);
        engine_release_lost(engine, connection);
        engine_decide_simple(engine, connection, MPTCPIZE_EVENT_LOCALS_CHANGED);
}

static void engine_on_other_routes(struct connection *connection, void *userdata) {
        engine_look_again(userdata, connection, true);
}

static void engine_on_other_links(struct connection *connection, void *userdata) {
        engine_look_again(userdata, connection, false);
}

void engine_settle(struct engine *engine) {
        bool links = engine->links_changed, routes = engine->routes_changed;

        if (!engine->net_changed || !engine->net_known)
                return;
        engine->net_changed = engine->links_changed = engine->routes_changed = false;
        engine->net_serial++;
        links |= engine_update_profiles(engine);
        engine_update_routing(engine);
        model_each(&engine->model, engine_judge_each, engine);
        if (links)
                model_each(&engine->model, engine_on_other_links, engine);
        else if (routes)
                model_each(&engine->model, engine_on_other_routes, engine);
}
