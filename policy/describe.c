#include "describe.h"

#include <stdio.h>
#include <string.h>

#include "address.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/limits.h"
#include "option.h"

json_t *policy_describe_text(const struct policy_read *read, const struct policy_span *span) {
        struct policy_text text = policy_text(read, span);

        return text.n ? json_stringn(text.bytes, text.n) : json_null();
}

/* Sets key to what is in the database, if it is. */
static void object_set_text(json_t *object, const char *key, const struct policy_read *read,
                            const struct policy_span *span) {
        if (span->n > 0)
                json_object_set_new(object, key, policy_describe_text(read, span));
}

json_t *policy_describe_match(const struct policy_read *read, const struct policy_app *app) {
        json_t *match = json_object();

        object_set_text(match, "app", read, &app->app);
        object_set_text(match, "exe", read, &app->exe);
        object_set_text(match, "unit", read, &app->unit);
        if (app->uid != POLICY_ANY_UID)
                json_object_set_new(match, "uid", json_integer(app->uid));
        if (json_object_size(match) == 0)
                json_object_set_new(match, "app", json_string("*"));
        return match;
}

/* Rules */

static json_t *describe_prefixes(const struct policy_read *read, const struct policy_span *span) {
        const struct policy_prefix *prefix;
        char text[POLICY_ADDRESS_TEXT];
        json_t *list = json_array();

        for (uint32_t i = 0;
             i < LIMIT_POLICY_PREFIXES && (prefix = policy_at(read, span, i, sizeof(*prefix)));
             i++) {
                policy_prefix_print(prefix, text);
                json_array_append_new(list, json_string(text));
        }
        return list;
}

static json_t *describe_ports(const struct policy_read *read, const struct policy_span *span) {
        char one[POLICY_ADDRESS_TEXT], text[4096] = "";
        const struct policy_ports *ports;
        size_t used = 0;

        for (uint32_t i = 0;
             i < LIMIT_POLICY_PORTS && (ports = policy_at(read, span, i, sizeof(*ports))); i++) {
                policy_ports_print(ports, one);
                if (used < sizeof(text))
                        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                                                 i ? "," : "", one);
        }
        return json_string(text);
}

static json_t *describe_exception(const struct policy_read *read, const struct policy_rule *rule) {
        json_t *object = json_object();

        if (rule->flags & POLICY_RULE_TO)
                json_object_set_new(object, "to", describe_prefixes(read, &rule->to));
        if (rule->flags & POLICY_RULE_PORT)
                json_object_set_new(object, "port", describe_ports(read, &rule->ports));
        if (rule->flags & POLICY_RULE_INTERFACE)
                object_set_text(object, "interface", read, &rule->interface);
        if (rule->flags & POLICY_RULE_SOURCE)
                json_object_set_new(object, "source", describe_prefixes(read, &rule->source));
        return object;
}

/* "*:443", "192.0.2.1:443", "[2001:db8::1]:443" */
static json_t *describe_listener(const struct policy_read *read, const struct policy_rule *rule) {
        const struct policy_prefix *prefix = policy_at(read, &rule->source, 0, sizeof(*prefix));
        const struct policy_ports *ports = policy_at(read, &rule->ports, 0, sizeof(*ports));
        char host[POLICY_ADDRESS_TEXT] = "*", port[POLICY_ADDRESS_TEXT] = "";

        if (prefix)
                policy_prefix_print(prefix, host);
        if (ports)
                policy_ports_print(ports, port);
        return json_sprintf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* An interface, or a prefix. */
static json_t *describe_place(const struct policy_read *read, const struct policy_rule *rule) {
        const struct policy_prefix *prefix = policy_at(read, &rule->source, 0, sizeof(*prefix));
        char text[POLICY_ADDRESS_TEXT] = "";

        if (rule->flags & POLICY_RULE_INTERFACE)
                return policy_describe_text(read, &rule->interface);
        if (prefix)
                policy_prefix_print(prefix, text);
        return json_string(text);
}

typedef json_t *(*describe_fn)(const struct policy_read *read, const struct policy_rule *rule);

static json_t *describe_rules(const struct policy_read *read, const struct policy_span *span,
                              describe_fn describe) {
        const struct policy_rule *rule;
        json_t *list = json_array();

        for (uint32_t i = 0;
             i < LIMIT_POLICY_RULES && (rule = policy_at(read, span, i, sizeof(*rule))); i++)
                json_array_append_new(list, describe(read, rule));
        return list;
}

/* "socket" */

static json_t *set_value(enum policy_option_kind kind, const struct policy_set *set) {
        switch (kind) {
        case POLICY_OPTION_TEXT:
                return json_stringn(set->text, strnlen(set->text, sizeof(set->text)));
        case POLICY_OPTION_SWITCH:
                return json_boolean(set->value);
        case POLICY_OPTION_NUMBER:
                return json_integer((uint32_t)set->value);
        }
        return json_null();
}

static void describe_sets(json_t *socket, const struct policy_read *read,
                          const struct policy_span *span) {
        const struct policy_set *set;

        for (uint32_t i = 0; (set = policy_at(read, span, i, sizeof(*set))); i++)
                for (size_t j = 0; j < _POLICY_OPTION_MAX; j++)
                        if (policy_options[j].level == set->level &&
                            policy_options[j].name == set->name)
                                json_object_set_new(socket, policy_options[j].key,
                                                    set_value(policy_options[j].kind, set));
}

static json_t *describe_upgrade(const struct policy_app *app) {
        static const uint32_t flags[] = { POLICY_APP_CONNECT, POLICY_APP_LISTEN };
        static const char *const names[] = { "connect", "listen" };
        json_t *list = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (app->flags & flags[i])
                        json_array_append_new(list, json_string(names[i]));
        return list;
}

static json_t *describe_source(const struct policy_read *read, const struct policy_app *app) {
        if (app->flags & POLICY_APP_SOURCE)
                return json_true();
        return describe_rules(read, &app->source, describe_place);
}

static json_t *describe_socket(const struct policy_read *read, const struct policy_app *app) {
        json_t *socket = json_object();

        json_object_set_new(socket, "upgrade", describe_upgrade(app));
        json_object_set_new(socket, "except",
                            describe_rules(read, &app->except, describe_exception));
        json_object_set_new(socket, "loopback", json_boolean(app->flags & POLICY_APP_LOOPBACK));
        if ((app->flags & POLICY_APP_SOURCE) || app->source.n > 0)
                json_object_set_new(socket, "source", describe_source(read, app));
        if (app->listen.n > 0)
                json_object_set_new(socket, "listen",
                                    describe_rules(read, &app->listen, describe_listener));
        json_object_set_new(socket, "ktls", json_boolean(app->flags & POLICY_APP_KTLS));
        json_object_set_new(socket, "pacing",
                            json_string(app->flags & POLICY_APP_PACING ? "demote" : "error"));
        json_object_set_new(socket, "hints", json_boolean(app->flags & POLICY_APP_HINTS));
        describe_sets(socket, read, &app->sets);
        return socket;
}

/* "paths", "auth" */

static json_t *describe_pairs(const struct policy_read *read, const struct policy_span *span) {
        const struct policy_pair *pair;
        json_t *object = json_object();

        for (uint32_t i = 0;
             i < LIMIT_POLICY_PAIRS && (pair = policy_at(read, span, i, sizeof(*pair))); i++) {
                struct policy_text key = policy_text(read, &pair->key);
                struct policy_text value = policy_text(read, &pair->value);
                char name[LIMIT_NAME];

                snprintf(name, sizeof(name), "%.*s", (int)key.n, key.bytes ? key.bytes : "");
                json_object_set_new(object, name,
                                    json_stringn(value.bytes ? value.bytes : "", value.n));
        }
        return object;
}

static json_t *describe_paths(const struct policy_read *read, const struct policy_app *app) {
        json_t *paths = json_object();

        if (app->mode == POLICY_MODE_PLUGIN)
                object_set_text(paths, "plugin", read, &app->plugin);
        else if (app->mode != POLICY_MODE_DEFAULT)
                json_object_set_new(paths, "mode", json_string(policy_mode_name(app->mode)));
        if (app->max_subflows > 0)
                json_object_set_new(paths, "max_subflows", json_integer(app->max_subflows));
        json_object_set_new(paths, "interfaces", describe_pairs(read, &app->roles));
        json_object_set_new(paths, "options", describe_pairs(read, &app->options));
        return paths;
}

static json_t *describe_auth(const struct policy_read *read, const struct policy_app *app) {
        json_t *auth = json_object();

        json_object_set_new(auth, "mode", json_string(policy_auth_name(app->auth)));
        object_set_text(auth, "psk", read, &app->psk);
        return auth;
}

json_t *policy_describe(const struct policy_read *read, const struct policy_app *app) {
        json_t *policy = json_object();

        json_object_set_new(policy, "match", policy_describe_match(read, app));
        json_object_set_new(policy, "socket", describe_socket(read, app));
        json_object_set_new(policy, "paths", describe_paths(read, app));
        json_object_set_new(policy, "auth", describe_auth(read, app));
        return policy;
}
