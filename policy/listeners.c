#include "listeners.h"

struct listeners {
        struct policy_listener *items;
        size_t n, max;
};

static bool listener_equal(const struct policy_listener *a, const struct policy_listener *b) {
        return a->ports.first == b->ports.first && a->ports.last == b->ports.last &&
               a->at.family == b->at.family && a->at.len == b->at.len &&
               memcmp(a->at.bytes, b->at.bytes, sizeof(a->at.bytes)) == 0;
}

static void listeners_add(struct listeners *listeners, const struct policy_listener *listener) {
        const size_t known = listeners->n < listeners->max ? listeners->n : listeners->max;

        for (size_t i = 0; i < known; i++)
                if (listener_equal(&listeners->items[i], listener))
                        return;
        if (listeners->n < listeners->max)
                listeners->items[listeners->n] = *listener;
        listeners->n++;
}

/* One range, at an address or at any: see parse_endpoint(). A damaged rule is none. */
static void listeners_add_rule(struct listeners *listeners, const struct policy_read *read,
                               const struct policy_rule *rule) {
        const struct policy_ports *ports = policy_at(read, &rule->ports, 0, sizeof(*ports));
        const struct policy_prefix *at = policy_at(read, &rule->source, 0, sizeof(*at));
        struct policy_listener listener = { .ports = { 0, 0 } };

        if (!ports || (rule->flags & POLICY_RULE_SOURCE && !at))
                return;
        listener.ports = *ports;
        if (rule->flags & POLICY_RULE_SOURCE)
                listener.at = *at;
        listeners_add(listeners, &listener);
}

size_t policy_required_listeners(const struct policy_read *read,
                                 struct policy_listener *ret_listeners, size_t max) {
        struct listeners listeners = { .items = ret_listeners, .max = max };
        const struct policy_app *app;
        const struct policy_rule *rule;

        for (uint32_t i = 0; read && (app = policy_at(read, &read->half->apps, i, sizeof(*app)));
             i++)
                for (uint32_t k = 0; app->auth == POLICY_AUTH_REQUIRE &&
                                     (rule = policy_at(read, &app->listen, k, sizeof(*rule)));
                     k++)
                        listeners_add_rule(&listeners, read, rule);
        return listeners.n;
}

bool policy_leaves_listeners_open(const struct policy_app *app) {
        return app->auth == POLICY_AUTH_REQUIRE && app->flags & POLICY_APP_LISTEN &&
               app->mode != POLICY_MODE_OFF && app->listen.n == 0;
}
