/*
 * Routing by source address. See routing.h.
 */
#include "routing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MAIN_TABLE 254u
#define SCOPE_LINK 253u

void routing_done(struct routing *routing) {
        ARRAY_DONE(&routing->paths);
}

/* The host's routes and rules: all but ours */

static bool route_is_default(const struct route_event *route, uint8_t family) {
        return route->prefix_len == 0 && route->prefix.family == family &&
               route->protocol != ROUTING_PROTOCOL;
}

/* The default route of least metric on the interface; in the main table, or in any other one. */
static const struct route_event *find_default(const struct model *model, int32_t ifindex,
                                              uint8_t family, bool in_main) {
        const struct route_event *found = NULL;

        for (size_t i = 0; i < model->routes.n; i++) {
                const struct route_event *route = &model->routes.items[i].is;

                if (route_is_default(route, family) && route->ifindex == ifindex &&
                    (route->table == MAIN_TABLE) == in_main &&
                    (!found || route->metric < found->metric))
                        found = route;
        }
        return found;
}

/* Does a route of another interface come before that one? */
static bool is_second(const struct model *model, const struct route_event *own) {
        for (size_t i = 0; i < model->routes.n; i++) {
                const struct route_event *route = &model->routes.items[i].is;

                if (route_is_default(route, own->prefix.family) && route->table == MAIN_TABLE &&
                    route->ifindex != own->ifindex && route->metric < own->metric)
                        return true;
        }
        return false;
}

/* A network behind a gateway is what the host wants of an interface without a default route. */
static bool has_gateway_route(const struct model *model, int32_t ifindex, uint8_t family) {
        for (size_t i = 0; i < model->routes.n; i++) {
                const struct route_event *route = &model->routes.items[i].is;

                if (route->ifindex == ifindex && route->prefix.family == family &&
                    route->protocol != ROUTING_PROTOCOL && route->table == MAIN_TABLE &&
                    route->gateway.family)
                        return true;
        }
        return false;
}

static bool has_rule(const struct model *model, const struct mptcpize_address *address) {
        for (size_t i = 0; i < model->rules.n; i++) {
                const struct rule_event *rule = &model->rules.items[i].is;

                if (rule->protocol != ROUTING_PROTOCOL &&
                    address_in_prefix(address, &rule->from, rule->from_len))
                        return true;
        }
        return false;
}

/* Tables */

static bool table_is_foreign(const struct model *model, uint32_t table) {
        for (size_t i = 0; i < model->routes.n; i++)
                if (model->routes.items[i].is.table == table &&
                    model->routes.items[i].is.protocol != ROUTING_PROTOCOL)
                        return true;
        return false;
}

static bool table_is_taken(const struct routing *routing, uint32_t table) {
        for (size_t i = 0; i < routing->paths.n; i++)
                if (routing->paths.items[i].table == table)
                        return true;
        return false;
}

/* The one that it had before, or the first that nobody has or had. 0: there is none. */
static uint32_t find_table(const struct routing *routing, const struct routing *before,
                           const struct routing_path *was, const struct model *model) {
        if (was && was->table && !table_is_foreign(model, was->table))
                return was->table;
        for (uint32_t i = 0; i < LIMIT_ROUTING; i++) {
                const uint32_t table = ROUTING_TABLE + i;

                if (!table_is_taken(routing, table) && !table_is_taken(before, table) &&
                    !table_is_foreign(model, table))
                        return table;
        }
        return 0;
}

/* Deciding */

const struct routing_path *routing_find(const struct routing *routing, int32_t ifindex,
                                        const struct mptcpize_address *address) {
        for (size_t i = 0; i < routing->paths.n; i++)
                if (routing->paths.items[i].ifindex == ifindex &&
                    address_same_host(&routing->paths.items[i].address, address))
                        return &routing->paths.items[i];
        return NULL;
}

static void take_gateway(struct routing_path *path, const struct route_event *route) {
        path->gateway = route->gateway;
        path->onlink = route->onlink;
}

/*
 * True if the host's own routes don't do; fills in why, and the gateway. Once a better route has
 * made a rule necessary it stays: which of two routes is the better one may change at every moment.
 */
static bool judge(const struct model *model, const struct link *link,
                  const struct routing_path *was, struct routing_path *path) {
        const uint8_t family = path->address.family;
        const struct route_event *own = find_default(model, path->ifindex, family, true);
        const bool strict = family == AF_INET && model_is_strict(model, path->ifindex);

        path->reason = ROUTING_NO_ROUTE;
        if (own) {
                path->reason = model->unbound ? ROUTING_UNBOUND : ROUTING_FILTER;
                take_gateway(path, own);
                return (strict || model->unbound) &&
                       ((was && was->reason == path->reason) || is_second(model, own));
        }
        own = find_default(model, path->ifindex, family, false);
        if (own)
                take_gateway(path, own);
        else if (!link->is.dial_up)
                path->reason = ROUTING_NO_GATEWAY;
        return own || link->is.dial_up || !has_gateway_route(model, path->ifindex, family);
}

int routing_consider(struct routing *routing, const struct routing *before,
                     const struct model *model, const struct mptcpize_address *address) {
        const struct address *known = model_find_address(model, address);
        const struct link *link = known ? model_find_link(model, known->is.ifindex) : NULL;
        const struct routing_path *was;
        struct routing_path path = { 0 };

        if (!link || model->routes_unknown || has_rule(model, address) ||
            routing_find(routing, known->is.ifindex, address))
                return 0;
        path.ifindex = known->is.ifindex;
        path.address = address_without_port(address);
        path.prefix_len = known->is.prefix_len;
        memcpy(path.name, link->is.name, sizeof(path.name));
        was = routing_find(before, path.ifindex, address);
        if (!judge(model, link, was, &path))
                return 0;
        if (!routing->off && path.reason != ROUTING_NO_GATEWAY)
                path.table = find_table(routing, before, was, model);
        return ARRAY_APPEND(&routing->paths, path, LIMIT_ROUTING);
}

bool routing_path_equal(const struct routing_path *a, const struct routing_path *b) {
        return a->ifindex == b->ifindex && address_same_host(&a->address, &b->address) &&
               a->prefix_len == b->prefix_len && address_same_host(&a->gateway, &b->gateway) &&
               a->onlink == b->onlink && a->reason == b->reason && a->table == b->table;
}

/* Routes and rules */

static unsigned int host_len(const struct mptcpize_address *address) {
        return address->family == AF_INET6 ? 128 : 32;
}

static struct mptcpize_address network_of(const struct mptcpize_address *address, uint8_t len) {
        struct mptcpize_address network = *address;

        for (unsigned int i = 0; i < sizeof(network.bytes); i++) {
                if (i > len / 8)
                        network.bytes[i] = 0;
                else if (i == len / 8)
                        network.bytes[i] &= (uint8_t)(0xff00u >> len % 8);
        }
        return network;
}

size_t routing_routes(const struct routing_path *path,
                      struct route_event ret_routes[static ROUTING_ROUTES]) {
        struct route_event route = {
                .ifindex = path->ifindex,
                .table = path->table,
                .metric = ROUTING_METRIC,
                .protocol = ROUTING_PROTOCOL,
                .scope = SCOPE_LINK,
        };
        size_t n = 0;

        /* First the network, in which the gateway is. */
        if (path->prefix_len < host_len(&path->address)) {
                route.prefix = network_of(&path->address, path->prefix_len);
                route.prefix_len = path->prefix_len;
                ret_routes[n++] = route;
        }
        route.prefix = network_of(&path->address, 0);
        route.prefix_len = 0;
        route.gateway = path->gateway;
        route.onlink = path->onlink;
        if (path->gateway.family)
                route.scope = 0;
        ret_routes[n++] = route;
        return n;
}

struct rule_event routing_rule(const struct routing_path *path) {
        return (struct rule_event){
                .from = path->address,
                .from_len = (uint8_t)host_len(&path->address),
                .protocol = ROUTING_PROTOCOL,
                .priority = ROUTING_PRIORITY,
                .table = path->table,
        };
}

/* For people */

const char *routing_text(const struct routing *routing, const struct routing_path *path,
                         char text[static ROUTING_TEXT]) {
        static const char *const whys[] = {
                [ROUTING_UNBOUND] = "this kernel binds no subflow to it",
                [ROUTING_FILTER] = "rp_filter is strict",
                [ROUTING_NO_ROUTE] = "no default route in the main table",
                [ROUTING_NO_GATEWAY] = "no default route, and no gateway is known",
        };
        const char *why = whys[path->reason];

        if (path->table)
                snprintf(text, ROUTING_TEXT, "own rule and table %u: %s", path->table, why);
        else if (path->reason == ROUTING_NO_GATEWAY)
                snprintf(text, ROUTING_TEXT, "%s: add a default route, of a worse metric", why);
        else if (routing->off)
                snprintf(text, ROUTING_TEXT, "%s: \"routing\" is off, so add a rule and a table",
                         why);
        else
                snprintf(text, ROUTING_TEXT, "%s: no table is free for it", why);
        return text;
}
