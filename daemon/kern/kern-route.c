/*
 * Rules and routes of ours. See kern-route.h.
 */
#include "kern-route.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "codec-route.h"
#include "codec-rtnl.h"
#include "kern.h"
#include "netlink.h"

#define LISTED (4 * LIMIT_ROUTING) /* of ours there are never more, unless somebody jokes */

struct kern_route {
        struct netlink *netlink;
};

/* What is there, or is to be. */
struct own {
        ARRAY_OF(struct route_event) routes;
        ARRAY_OF(struct rule_event) rules;
        uint8_t family; /* that is being listed */
        int error;
};

static void own_done(struct own *own) {
        ARRAY_DONE(&own->routes);
        ARRAY_DONE(&own->rules);
}

void kern_route_free(struct kern_route *route) {
        if (!route)
                return;
        netlink_free(route->netlink);
        free(route);
}

DEFINE_CLEANUP(struct kern_route *, kern_route_free)

int kern_route_new(struct kern_route **ret_route) {
        _cleanup_(kern_route_freep) struct kern_route *route = calloc(1, sizeof(*route));
        int r;

        if (!route)
                return -ENOMEM;
        r = netlink_new(NETLINK_ROUTE, &route->netlink);
        if (r == 0)
                r = netlink_set_strict(route->netlink);
        if (r < 0)
                return r;
        *ret_route = TAKE_PTR(route);
        return 0;
}

/* Listing */

static void on_own(const struct event *event, void *userdata) {
        struct own *own = userdata;
        int r = 0;

        if (event->type == EVENT_ROUTE && event->route.protocol == ROUTING_PROTOCOL &&
            event->route.prefix.family == own->family)
                r = ARRAY_APPEND(&own->routes, event->route, LISTED);
        if (event->type == EVENT_RULE && event->rule.protocol == ROUTING_PROTOCOL)
                r = ARRAY_APPEND(&own->rules, event->rule, LISTED);
        if (r == -ENOMEM)
                own->error = r;
}

static int on_message(const struct nlmsghdr *message, void *userdata) {
        int r = codec_rtnl_decode(message, message->nlmsg_len, on_own, userdata);

        return r < 0 ? r : ((struct own *)userdata)->error;
}

static int list_routes(struct kern_route *route, uint8_t family, struct own *own) {
        union route_request request;

        own->family = family;
        codec_route_list(family, ROUTING_PROTOCOL, &request);
        return netlink_request(route->netlink, &request.header, on_message, own, NULL);
}

/* A kernel without rules (-EOPNOTSUPP), or without a single table beyond its own, has none. */
static int list_own(struct kern_route *route, struct own *own) {
        struct rtnl_request request;
        int r;

        codec_rtnl_list(RTM_GETRULE, &request);
        r = netlink_request(route->netlink, &request.header, on_message, own, NULL);
        if (r == 0 || r == -EOPNOTSUPP)
                r = list_routes(route, AF_INET, own);
        if (r == 0 || r == -ENOENT)
                r = list_routes(route, AF_INET6, own);
        return r == -ENOENT || r == -EOPNOTSUPP ? 0 : r;
}

/* Comparing */

static bool route_equal(const struct route_event *a, const struct route_event *b) {
        return address_same_host(&a->prefix, &b->prefix) && a->prefix_len == b->prefix_len &&
               a->ifindex == b->ifindex && a->table == b->table && a->metric == b->metric &&
               address_same_host(&a->gateway, &b->gateway) && a->onlink == b->onlink;
}

static bool rule_equal(const struct rule_event *a, const struct rule_event *b) {
        return address_same_host(&a->from, &b->from) && a->from_len == b->from_len &&
               a->table == b->table && a->priority == b->priority;
}

static bool own_has_route(const struct own *own, const struct route_event *route) {
        for (size_t i = 0; i < own->routes.n; i++)
                if (route_equal(&own->routes.items[i], route))
                        return true;
        return false;
}

static bool own_has_rule(const struct own *own, const struct rule_event *rule) {
        for (size_t i = 0; i < own->rules.n; i++)
                if (rule_equal(&own->rules.items[i], rule))
                        return true;
        return false;
}

/* Changing */

struct change {
        struct kern_route *route;
        int n, error;
};

/* What is gone already, or there already, is as good. */
static void change_send(struct change *change, union route_request *request, bool add) {
        int r = netlink_request(change->route->netlink, &request->header, NULL, NULL, NULL);

        if (r == 0)
                change->n++;
        else if (r != (add ? -EEXIST : -ENOENT) && (add || r != -ESRCH) && change->error == 0)
                change->error = r;
}

static void change_routes(struct change *change, const struct own *from, const struct own *without,
                          bool add) {
        union route_request request;

        for (size_t i = 0; i < from->routes.n; i++) {
                if (own_has_route(without, &from->routes.items[i]))
                        continue;
                codec_route_encode(&from->routes.items[i], add, &request);
                change_send(change, &request, add);
        }
}

static void change_rules(struct change *change, const struct own *from, const struct own *without,
                         bool add) {
        union route_request request;

        for (size_t i = 0; i < from->rules.n; i++) {
                if (own_has_rule(without, &from->rules.items[i]))
                        continue;
                codec_route_encode_rule(&from->rules.items[i], add, &request);
                change_send(change, &request, add);
        }
}

static int own_want(struct own *own, const struct routing *wanted) {
        struct route_event routes[ROUTING_ROUTES];
        int r = 0;

        for (size_t i = 0; i < wanted->paths.n && r == 0; i++) {
                const struct routing_path *path = &wanted->paths.items[i];
                const size_t n = path->table ? routing_routes(path, routes) : 0;

                for (size_t k = 0; k < n && r == 0; k++)
                        r = ARRAY_APPEND(&own->routes, routes[k], LISTED);
                if (n > 0 && r == 0)
                        r = ARRAY_APPEND(&own->rules, routing_rule(path), LISTED);
        }
        return r;
}

/* A rule never leads to a table that is not complete. */
int kern_route_apply(struct kern_route *route, const struct routing *wanted) {
        struct change change = { .route = route };
        _cleanup_(own_done) struct own there = { .error = 0 };
        _cleanup_(own_done) struct own wants = { .error = 0 };
        int r = own_want(&wants, wanted);

        if (r == 0)
                r = list_own(route, &there);
        if (r < 0)
                return r;
        change_rules(&change, &there, &wants, false);
        change_routes(&change, &there, &wants, false);
        change_routes(&change, &wants, &there, true);
        change_rules(&change, &wants, &there, true);
        return change.error < 0 ? change.error : change.n;
}

int kern_clear_routes(void) {
        _cleanup_(kern_route_freep) struct kern_route *route = NULL;
        const struct routing nothing = { .off = true };
        int r = kern_route_new(&route);

        return r < 0 ? r : kern_route_apply(route, &nothing);
}
