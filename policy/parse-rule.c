/*
 * Reading lists of rules: "except", "listen" and "source". See parse.h.
 */
#include "parse.h"

#include <errno.h>
#include <string.h>

#include "address.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/limits.h"

#define LIMIT_IFNAME 16u /* IFNAMSIZ */

bool parse_interface_is_valid(const char *text) {
        size_t n = strlen(text);

        /* what consists of digits and dots only was meant to be an address */
        return n > 0 && n < LIMIT_IFNAME && !strpbrk(text, "/: \t\n\v\f\r") &&
               strspn(text, "0123456789.") < n;
}

/* The networks of the interfaces that fit. */
static struct policy_span parse_near(struct parse *parse, const char *interface) {
        const struct policy_text pattern = { interface, strlen(interface) };
        size_t i;

        parse->prefixes.n = 0;
        for (i = 0; i < parse->networks->list.n; i++) {
                const struct policy_network *network = &parse->networks->list.items[i];
                const struct policy_text name = { network->ifname,
                                                  strnlen(network->ifname, LIMIT_IFNAME) };
                int r = 0;

                if (policy_glob(pattern, name))
                        r = ARRAY_APPEND(&parse->prefixes, network->network, LIMIT_POLICY_NETWORKS);
                if (r < 0)
                        parse->failure = r;
        }
        return blob_table(parse->blob, parse->prefixes.items, sizeof(struct policy_prefix),
                          parse->prefixes.n);
}

static void rule_set_interface(struct parse *parse, const char *text) {
        parse->rule.flags |= POLICY_RULE_INTERFACE;
        parse->rule.interface = blob_text(parse->blob, text);
        parse->rule.near = parse_near(parse, text);
}

/* The conditions of an exception */

static void parse_prefix(struct parse *parse, const struct json_path *path, json_t *value) {
        const char *text = json_string_value(value), *why = "expected an address or a prefix";
        struct policy_prefix prefix;
        int r;

        if (!text || policy_prefix_parse(text, &prefix, &why) < 0) {
                PARSE_FAIL(parse, path, value, "%s", why);
                return;
        }
        r = ARRAY_APPEND(&parse->prefixes, prefix, LIMIT_POLICY_PREFIXES);
        if (r == -ENOBUFS)
                PARSE_FAIL(parse, path, value, "expected at most %u prefixes",
                           LIMIT_POLICY_PREFIXES);
        else if (r < 0)
                parse->failure = r;
}

/* One or a list; the flag that it sets is the key's detail, see below. */
static struct policy_span parse_prefixes(struct parse *parse, const struct json_path *path,
                                         json_t *value) {
        json_t *item;
        size_t i;

        parse->prefixes.n = 0;
        if (!json_is_array(value))
                parse_prefix(parse, path, value);
        else if (json_array_size(value) == 0)
                PARSE_FAIL(parse, path, value, "expected at least one prefix");
        json_array_foreach(value, i, item) {
                const struct json_path here = { .parent = path, .index = i };

                parse_prefix(parse, &here, item);
        }
        return blob_table(parse->blob, parse->prefixes.items, sizeof(struct policy_prefix),
                          parse->prefixes.n);
}

static void parse_to(struct parse *parse, const struct json_path *path, json_t *value) {
        parse->rule.flags |= POLICY_RULE_TO;
        parse->rule.to = parse_prefixes(parse, path, value);
}

static void parse_from(struct parse *parse, const struct json_path *path, json_t *value) {
        parse->rule.flags |= POLICY_RULE_SOURCE;
        parse->rule.source = parse_prefixes(parse, path, value);
}

static void parse_port(struct parse *parse, const struct json_path *path, json_t *value) {
        struct policy_ports ranges[LIMIT_POLICY_PORTS];
        const char *text = json_string_value(value);
        const char *why = "expected ports from 1 to 65535, 22 or \"22,8000-8010\"";
        json_int_t number = json_integer_value(value);
        size_t n = 1;

        if (json_is_integer(value) && number >= 1 && number <= UINT16_MAX)
                ranges[0] = (struct policy_ports){ (uint16_t)number, (uint16_t)number };
        else if (!text || policy_ports_parse(text, ranges, ARRAY_SIZE(ranges), &n, &why) < 0) {
                PARSE_FAIL(parse, path, value, "%s", why);
                return;
        }
        parse->rule.flags |= POLICY_RULE_PORT;
        parse->rule.ports = blob_table(parse->blob, ranges, sizeof(ranges[0]), n);
}

static void parse_interface(struct parse *parse, const struct json_path *path, json_t *value) {
        const char *text = json_string_value(value);

        if (!text || !parse_interface_is_valid(text))
                PARSE_FAIL(parse, path, value, "expected the name of an interface or a pattern");
        else
                rule_set_interface(parse, text);
}

static const struct parse_key rule_keys[] = {
        KEY("to", parse_to),
        KEY("port", parse_port),
        KEY("interface", parse_interface),
        KEY("source", parse_from),
};

/* Lists */

typedef void (*parse_rule_fn)(struct parse *parse, const struct json_path *path, json_t *value);

static struct policy_span parse_rules(struct parse *parse, const struct json_path *path,
                                      json_t *list, parse_rule_fn read) {
        struct policy_rule rules[LIMIT_POLICY_RULES];
        json_t *item;
        size_t i, n = 0;

        if (json_array_size(list) > LIMIT_POLICY_RULES) {
                PARSE_FAIL(parse, path, NULL, "expected at most %u members (here: %zu)",
                           LIMIT_POLICY_RULES, json_array_size(list));
                return (struct policy_span){ 0 };
        }
        json_array_foreach(list, i, item) {
                const struct json_path here = { .parent = path, .index = i };
                struct json_place place = json_doc_place(&parse->doc, &here, 0);

                parse->rule = (struct policy_rule){ .line = place.line, .column = place.column };
                read(parse, &here, item);
                rules[n++] = parse->rule;
        }
        return blob_table(parse->blob, rules, sizeof(rules[0]), n);
}

static void parse_exception(struct parse *parse, const struct json_path *path, json_t *value) {
        parse_object(parse, path, value, rule_keys, ARRAY_SIZE(rule_keys));
        if (json_is_object(value) && json_object_size(value) == 0)
                PARSE_FAIL(parse, path, value,
                           "expected at least one of \"to\", \"port\", \"interface\" and "
                           "\"source\"");
}

void parse_except(struct parse *parse, const struct json_path *path, json_t *value) {
        if (!json_is_array(value))
                PARSE_FAIL(parse, path, value, "expected a list of exceptions, [{...}]");
        else
                parse->app.except = parse_rules(parse, path, value, parse_exception);
}

static void parse_endpoint(struct parse *parse, const struct json_path *path, json_t *value) {
        const char *text = json_string_value(value), *why = "expected a string, \"*:443\"";
        struct policy_endpoint endpoint;
        struct policy_prefix prefix;

        if (!text || policy_endpoint_parse(text, &endpoint, &why) < 0) {
                PARSE_FAIL(parse, path, value, "%s", why);
                return;
        }
        parse->rule.flags = POLICY_RULE_PORT;
        parse->rule.ports = blob_table(parse->blob, &endpoint.ports, sizeof(endpoint.ports), 1);
        /* 0.0.0.0 and :: are what a socket that is not bound has */
        if (policy_is_wildcard(&endpoint.address))
                return;
        prefix = policy_prefix_of(&endpoint.address);
        parse->rule.flags |= POLICY_RULE_SOURCE;
        parse->rule.source = blob_table(parse->blob, &prefix, sizeof(prefix), 1);
}

void parse_listen(struct parse *parse, const struct json_path *path, json_t *value) {
        /* an empty list would be none, which means that all listeners are upgraded */
        if (json_array_size(value) == 0)
                PARSE_FAIL(parse, path, value, "expected a list of listeners, [\"*:443\"]");
        else
                parse->app.listen = parse_rules(parse, path, value, parse_endpoint);
}

bool parse_is_loopback(const json_t *listener) {
        const char *text = json_string_value(listener), *why;
        struct policy_endpoint endpoint;

        return text && policy_endpoint_parse(text, &endpoint, &why) == 0 &&
               policy_is_loopback(&endpoint.address);
}

/* "192.0.2.0/24" or "eth*" */
static void parse_place(struct parse *parse, const struct json_path *path, json_t *value) {
        const char *text = json_string_value(value), *why = "";
        struct policy_prefix prefix;

        if (text && policy_prefix_parse(text, &prefix, &why) == 0) {
                parse->rule.flags = POLICY_RULE_SOURCE;
                parse->rule.source = blob_table(parse->blob, &prefix, sizeof(prefix), 1);
        } else if (text && parse_interface_is_valid(text)) {
                rule_set_interface(parse, text);
        } else {
                PARSE_FAIL(parse, path, value,
                           "expected an address, a prefix or the name of an interface");
        }
}

void parse_bound(struct parse *parse, const struct json_path *path, json_t *value) {
        if (json_is_true(value))
                parse->app.flags |= POLICY_APP_SOURCE;
        else if (json_array_size(value) == 0)
                PARSE_FAIL(parse, path, value,
                           "expected true, or a list of prefixes and interfaces");
        else
                parse->app.source = parse_rules(parse, path, value, parse_place);
}
