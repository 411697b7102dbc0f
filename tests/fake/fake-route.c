/*
 * Rules and routes of the daemon's own in the fake kernel. They come back as events, as those of
 * others do.
 */
#include "fake-private.h"

#include <stdlib.h>

struct wanted {
        ARRAY_OF(struct route_event) routes;
        ARRAY_OF(struct rule_event) rules;
};

static void wanted_init(struct wanted *wanted, const struct routing *routing) {
        struct route_event routes[ROUTING_ROUTES];

        *wanted = (struct wanted){ .routes = { 0 } };
        for (size_t i = 0; i < routing->paths.n; i++) {
                const struct routing_path *path = &routing->paths.items[i];

                if (!path->table)
                        continue;
                for (size_t k = 0, n = routing_routes(path, routes); k < n; k++)
                        FAKE_APPEND(&wanted->routes, routes[k]);
                FAKE_APPEND(&wanted->rules, routing_rule(path));
        }
}

static bool route_equal(const struct route_event *a, const struct route_event *b) {
        return address_same_host(&a->prefix, &b->prefix) && a->prefix_len == b->prefix_len &&
               a->ifindex == b->ifindex && a->table == b->table && a->protocol == b->protocol &&
               address_same_host(&a->gateway, &b->gateway);
}

static bool rule_equal(const struct rule_event *a, const struct rule_event *b) {
        return address_same_host(&a->from, &b->from) && a->table == b->table;
}

#define HAS(array, item, equal)                                     \
        ({                                                          \
                bool _has = false;                                  \
                for (size_t _i = 0; _i < (array)->n && !_has; _i++) \
                        _has = equal(&(array)->items[_i], (item));  \
                _has;                                               \
        })

static int remove_others(struct fake *fake, const struct wanted *wanted) {
        int n = 0;

        for (size_t i = fake->rules.n; i-- > 0;) {
                const struct event gone = { .type = EVENT_RULE_GONE, .rule = fake->rules.items[i] };

                if (HAS(&wanted->rules, &gone.rule, rule_equal))
                        continue;
                ARRAY_CUT(&fake->rules, i);
                fake_push(fake, &gone);
                n++;
        }
        for (size_t i = fake->routes.n; i-- > 0;) {
                const struct event gone = { .type = EVENT_ROUTE_GONE,
                                            .route = fake->routes.items[i] };

                if (gone.route.protocol != ROUTING_PROTOCOL ||
                    HAS(&wanted->routes, &gone.route, route_equal))
                        continue;
                ARRAY_CUT(&fake->routes, i);
                fake_push(fake, &gone);
                n++;
        }
        return n;
}

static int add_missing(struct fake *fake, const struct wanted *wanted) {
        int n = 0;

        for (size_t i = 0; i < wanted->routes.n; i++) {
                const struct event added = { .type = EVENT_ROUTE,
                                             .route = wanted->routes.items[i] };

                if (HAS(&fake->routes, &added.route, route_equal))
                        continue;
                FAKE_APPEND(&fake->routes, added.route);
                fake_push(fake, &added);
                n++;
        }
        for (size_t i = 0; i < wanted->rules.n; i++) {
                const struct event added = { .type = EVENT_RULE, .rule = wanted->rules.items[i] };

                if (HAS(&fake->rules, &added.rule, rule_equal))
                        continue;
                FAKE_APPEND(&fake->rules, added.rule);
                fake_push(fake, &added);
                n++;
        }
        return n;
}

int fake_set_routes(struct fake *fake, const struct routing *routing) {
        struct wanted wanted;
        int n;

        wanted_init(&wanted, routing);
        n = remove_others(fake, &wanted);
        n += add_missing(fake, &wanted);
        ARRAY_DONE(&wanted.routes);
        ARRAY_DONE(&wanted.rules);
        return n;
}
