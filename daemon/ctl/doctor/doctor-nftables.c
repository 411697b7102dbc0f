/*
 * Rules of nftables, as nft(8) prints them in JSON. A rule is a list of statements; conditions
 * come first. What is not understood is a condition: then the rule concerns some packets only.
 */
#include "doctor-firewall.h"
#include "links.h"
#include "look.h"
#include "../fields.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define MPTCP_KIND 30 /* of the TCP option */

/* What a rule comes to. */
struct rule {
        const json_t *links;
        bool option;  /* only packets with the option of Multipath TCP */
        bool subtype; /* some of them */
        bool strips;  /* takes it out */
        bool drops;   /* and so does reject */
        bool leaves;  /* only what leaves by one of our interfaces, or from our addresses */
        bool invalid; /* only what connection tracking calls so */
        bool synproxy;
        bool notrack;
        bool narrow; /* other conditions */
        bool xt;
        char path[64]; /* which of ours it is */
};

/* Values: one, or a list, a set or a range of them. */

typedef bool (*value_fn)(const json_t *value, void *userdata);

static bool value_any(const json_t *value, value_fn fn, void *userdata) {
        const json_t *list = json_is_object(value) ? json_object_get(value, "set") : value;
        const json_t *each;
        size_t i;

        if (!json_is_array(list))
                return fn(value, userdata);
        json_array_foreach(list, i, each) {
                if (fn(each, userdata))
                        return true;
        }
        return false;
}

static bool value_is_invalid(const json_t *value, void *userdata) {
        (void)userdata;
        return json_is_string(value) && strcmp(json_string_value(value), "invalid") == 0;
}

static void rule_found(struct rule *rule, const char *path) {
        rule->leaves = true;
        if (!rule->path[0])
                snprintf(rule->path, sizeof(rule->path), "%s", path);
}

static bool value_is_link(const json_t *value, void *userdata) {
        struct rule *rule = userdata;
        const json_t *link;
        size_t i;

        json_array_foreach(rule->links, i, link) {
                const char *name = fields_text(link, "name");

                if (!json_is_string(value) || !link_is_usable(link) ||
                    fnmatch(json_string_value(value), name, 0) != 0)
                        continue;
                rule_found(rule, name);
                return true;
        }
        return false;
}

static bool prefix_has(const char *prefix, unsigned int len, const char *address) {
        const int family = strchr(prefix, ':') ? AF_INET6 : AF_INET;
        unsigned char a[16], b[16];

        if (inet_pton(family, prefix, a) != 1 || inet_pton(family, address, b) != 1)
                return false;
        for (unsigned int i = 0; i < len && i < (family == AF_INET ? 32 : 128); i++)
                if ((a[i / 8] ^ b[i / 8]) & 0x80u >> i % 8)
                        return false;
        return true;
}

static bool address_found(struct rule *rule, const char *prefix, unsigned int len) {
        const json_t *link, *row;
        size_t i, k;

        json_array_foreach(rule->links, i, link) {
                json_array_foreach(json_object_get(link, "addresses"), k, row) {
                        if (!link_is_usable(link) ||
                            !prefix_has(prefix, len, fields_text(row, "address")))
                                continue;
                        rule_found(rule, fields_text(row, "address"));
                        return true;
                }
        }
        return false;
}

static bool value_is_local(const json_t *value, void *userdata) {
        const json_t *prefix = json_object_get(value, "prefix");

        if (json_is_string(value))
                return address_found(userdata, json_string_value(value), 128);
        return prefix &&
               address_found(userdata, fields_text(prefix, "addr"),
                             (unsigned int)json_integer_value(json_object_get(prefix, "len")));
}

/* Statements */

static bool is_mptcp_option(const json_t *option) {
        return fields_is(option, "name", "mptcp") ||
               json_integer_value(json_object_get(option, "base")) == MPTCP_KIND;
}

static void rule_take_option(struct rule *rule, const json_t *option, const json_t *match) {
        const json_t *right = json_object_get(match, "right");

        if (!is_mptcp_option(option) || json_is_false(right) || !fields_is(match, "op", "==")) {
                rule->narrow = true;
                return;
        }
        rule->option = true;
        rule->subtype |= !json_is_true(right);
}

static void rule_take_meta(struct rule *rule, const char *key, const json_t *right) {
        if (strcmp(key, "l4proto") == 0 || strcmp(key, "nfproto") == 0)
                return;
        if ((strcmp(key, "oif") != 0 && strcmp(key, "oifname") != 0) ||
            !value_any(right, value_is_link, rule))
                rule->narrow = true;
}

static void rule_take_payload(struct rule *rule, const json_t *payload, const json_t *right) {
        /* flags: each connection has packets with each of them */
        if (fields_is(payload, "protocol", "tcp") && fields_is(payload, "field", "flags"))
                return;
        if (!fields_is(payload, "field", "saddr") || !value_any(right, value_is_local, rule))
                rule->narrow = true;
}

static void rule_take_state(struct rule *rule, const json_t *right) {
        rule->invalid = value_any(right, value_is_invalid, NULL);
        rule->narrow |= !rule->invalid;
}

static void rule_take_match(struct rule *rule, const json_t *match) {
        const json_t *left = json_object_get(match, "left"), *right, *found, *both;
        const bool equal = fields_is(match, "op", "==") || fields_is(match, "op", "in");

        both = json_object_get(left, "&"); /* a part of a field */
        left = both ? json_array_get(both, 0) : left;
        right = json_object_get(match, "right");
        if ((found = json_object_get(left, "tcp option")))
                rule_take_option(rule, found, match);
        else if (equal && (found = json_object_get(left, "meta")))
                rule_take_meta(rule, fields_text(found, "key"), right);
        else if (equal && (found = json_object_get(left, "payload")))
                rule_take_payload(rule, found, right);
        else if (equal && fields_is(json_object_get(left, "ct"), "key", "state"))
                rule_take_state(rule, right);
        else
                rule->narrow = true;
}

static bool is_harmless(const char *name) {
        static const char *const names[] = { "counter", "log", "comment" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

static void rule_take(struct rule *rule, const char *name, const json_t *statement) {
        if (strcmp(name, "match") == 0)
                rule_take_match(rule, statement);
        else if (strcmp(name, "reset") == 0)
                rule->strips |= is_mptcp_option(json_object_get(statement, "tcp option"));
        else if (strcmp(name, "drop") == 0 || strcmp(name, "reject") == 0)
                rule->drops = true;
        else if (strcmp(name, "synproxy") == 0)
                rule->synproxy = true;
        else if (strcmp(name, "notrack") == 0)
                rule->notrack = true;
        else if (strcmp(name, "xt") == 0)
                rule->xt = rule->narrow = true;
        else if (!is_harmless(name))
                rule->narrow = true;
}

static void rule_read(struct rule *rule, const json_t *json) {
        json_t *statement;
        size_t i;

        json_array_foreach(json_object_get(json, "expr"), i, statement) {
                void *first = json_object_iter(statement);

                if (first)
                        rule_take(rule, json_object_iter_key(first), json_object_iter_value(first));
        }
}

/* _OBSTACLE_MAX: it is none. out: it is for packets that leave. */
static enum obstacle rule_judge(const struct rule *rule, bool out) {
        if (rule->strips)
                return OBSTACLE_STRIP;
        if (rule->drops && rule->option)
                return rule->subtype ? OBSTACLE_JOINS : OBSTACLE_DROP;
        if (rule->synproxy)
                return OBSTACLE_SYNPROXY;
        if (rule->notrack)
                return OBSTACLE_NOTRACK;
        if (rule->drops && rule->invalid && !rule->narrow)
                return OBSTACLE_INVALID;
        if (rule->drops && rule->leaves && !rule->narrow && out)
                return OBSTACLE_PATH;
        return _OBSTACLE_MAX;
}

/* The ruleset */

static const json_t *chain_find(const json_t *objects, const json_t *rule) {
        const json_t *row;
        size_t i;

        json_array_foreach(objects, i, row) {
                const json_t *chain = json_object_get(row, "chain");

                if (chain &&
                    json_equal(json_object_get(chain, "family"), json_object_get(rule, "family")) &&
                    json_equal(json_object_get(chain, "table"), json_object_get(rule, "table")) &&
                    json_equal(json_object_get(chain, "name"), json_object_get(rule, "chain")))
                        return chain;
        }
        return NULL;
}

static const char *place_of(struct doctor *doctor, const json_t *rule) {
        return doctor_text(doctor, "%s %s %s handle %" JSON_INTEGER_FORMAT,
                           fields_text(rule, "family"), fields_text(rule, "table"),
                           fields_text(rule, "chain"),
                           json_integer_value(json_object_get(rule, "handle")));
}

/* The same, for a shell: names of tables are free to have anything in them. */
static const char *place_quote(struct doctor *doctor, const json_t *object, const char *chain) {
        return doctor_text(doctor, "%s %s %s", doctor_word(doctor, fields_text(object, "family")),
                           doctor_word(doctor, fields_text(object, "table")),
                           doctor_word(doctor, fields_text(object, chain)));
}

static void rule_report(struct doctor *doctor, const json_t *objects, const json_t *json,
                        const struct rule *rule) {
        /* most rules are none, whatever their chain is, and there may be thousands of both */
        const bool any = rule_judge(rule, true) != _OBSTACLE_MAX;
        const char *hook = any ? fields_text(chain_find(objects, json), "hook") : "";
        const bool out = strcmp(hook, "output") == 0 || strcmp(hook, "postrouting") == 0 ||
                         strcmp(hook, "egress") == 0;
        const enum obstacle obstacle = rule_judge(rule, out);

        if (!any || obstacle == _OBSTACLE_MAX)
                return;
        firewall_add(doctor,
                     &(struct obstacle_rule){
                                     .obstacle = obstacle,
                                     /* without a hook, other rules lead there, or none */
                                     .narrow = rule->narrow || !*hook ||
                                               (rule->leaves && obstacle != OBSTACLE_PATH),
                                     .forward = strcmp(hook, "forward") == 0,
                                     .subject = place_of(doctor, json),
                                     .detail = rule->path[0] ? doctor_text(doctor, " (%s)",
                                                                           rule->path)
                                                             : "",
                                     .remedy = doctor_text(doctor,
                                                           "nft delete rule %s handle "
                                                           "%" JSON_INTEGER_FORMAT,
                                                           place_quote(doctor, json, "chain"),
                                                           json_integer_value(json_object_get(
                                                                           json, "handle"))),
                     });
}

static void chain_report(struct doctor *doctor, const json_t *chain) {
        if (fields_is(chain, "hook", "output") && fields_is(chain, "policy", "drop"))
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = doctor_text(doctor, "%s %s %s",
                                                                  fields_text(chain, "family"),
                                                                  fields_text(chain, "table"),
                                                                  fields_text(chain, "name")),
                                           .what = "this chain drops all that leaves and that no "
                                                   "rule accepts",
                                           .why = "its rules have to accept TCP by each path",
                                           .remedy = doctor_text(
                                                           doctor, "nft list chain %s",
                                                           place_quote(doctor, chain, "name")),
                           });
}

/* The gate of mptcpized: dropping joins is what it is for. */
static bool is_ours(const json_t *rule) {
        return fields_is(rule, "family", "inet") && fields_is(rule, "table", "mptcpize");
}

static bool objects_judge(struct doctor *doctor, const json_t *objects) {
        const json_t *row;
        bool xt = false;
        size_t i;

        json_array_foreach(objects, i, row) {
                const json_t *json = json_object_get(row, "rule");
                struct rule rule = { .links = json_object_get(doctor->world, "links") };

                if (json_object_get(row, "chain"))
                        chain_report(doctor, json_object_get(row, "chain"));
                if (!json || is_ours(json))
                        continue;
                rule_read(&rule, json);
                rule_report(doctor, objects, json, &rule);
                xt |= rule.xt;
        }
        return xt;
}

int firewall_take_nftables(struct doctor *doctor, const char *text, bool *ret_xt) {
        _cleanup_(json_decrefp) json_t *ruleset = json_loads(text, 0, NULL);
        const json_t *objects = json_object_get(ruleset, "nftables");

        if (!json_is_array(objects))
                return -EBADMSG;
        *ret_xt = objects_judge(doctor, objects);
        firewall_check_port(doctor, objects);
        return 0;
}

int firewall_read_nftables(struct doctor *doctor, bool *ret_xt) {
        static char *const argv[] = { "nft", "-j", "list", "ruleset", NULL };
        _cleanup_(freep) char *text = NULL;
        int r = look_output(argv, LIMIT_DOCTOR_OUTPUT, &text);

        return r < 0 ? r : firewall_take_nftables(doctor, text, ret_xt);
}
