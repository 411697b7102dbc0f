/*
 * Does a firewall of this host let in what other daemons send to the port of join authentication?
 * See doctor-firewall.h.
 *
 * Roughly: a filter of input that ends in drop or reject has to have a rule, anywhere in its table,
 * for that UDP port; and none may have one that drops the port before. Answers to what this host
 * sends get in by what such filters have anyway.
 */
#include "doctor-firewall.h"
#include "../fields.h"
#include "../../util/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void port_report(struct doctor *doctor, const char *subject, long port, const char *remedy) {
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_WARNING,
                                   .subject = subject,
                                   .what = doctor_text(doctor,
                                                       "it drops what comes to UDP port %ld, "
                                                       "or has no rule that accepts it",
                                                       port),
                                   .why = "clients of servers here can't authenticate their "
                                          "joins; connections of this host to others are "
                                          "not concerned",
                                   .remedy = remedy,
                   });
}

/* nftables */

static bool is_same(const json_t *a, const json_t *b, const char *key) {
        return fields_is(a, key, fields_text(b, key));
}

/* A number, a range, a list or a set of those; a named set may well have it. */
static bool value_has(const json_t *value, json_int_t port) {
        const json_t *range = json_object_get(value, "range");
        const json_t *list = json_object_get(value, "set");
        const json_t *each;
        size_t i;

        if (range)
                return json_integer_value(json_array_get(range, 0)) <= port &&
                       port <= json_integer_value(json_array_get(range, 1));
        json_array_foreach(list ? list : value, i, each) {
                if (value_has(each, port))
                        return true;
        }
        return json_is_string(value) ||
               (json_is_integer(value) && json_integer_value(value) == port);
}

/* What a rule is for this question. */
struct port_rule {
        unsigned int conditions;
        bool opens; /* it has a condition for the port, */
        bool named; /* by a set, which may have it or not */
        bool ends;  /* drop or reject */
        bool xt;
};

static void rule_take_match(struct port_rule *rule, const json_t *match, json_int_t port) {
        const json_t *payload = json_object_get(json_object_get(match, "left"), "payload");
        const json_t *value = json_object_get(match, "right");

        rule->conditions++;
        rule->named |= json_is_string(value) || !fields_is(match, "op", "==");
        rule->opens |= fields_is(payload, "field", "dport") &&
                       !fields_is(payload, "protocol", "tcp") && value_has(value, port);
}

static struct port_rule rule_read(const json_t *json, json_int_t port) {
        struct port_rule rule = { .ends = false };
        const json_t *statement;
        size_t i;

        json_array_foreach(json_object_get(json, "expr"), i, statement) {
                const json_t *match = json_object_get(statement, "match");

                if (match)
                        rule_take_match(&rule, match, port);
                rule.ends |= json_object_get(statement, "drop") ||
                             json_object_get(statement, "reject");
                rule.xt |= json_object_get(statement, "xt") != NULL;
        }
        return rule;
}

/* Does it drop the port whatever else a datagram has? */
static bool rule_closes(const struct port_rule *rule) {
        return rule->ends && rule->opens && !rule->named && rule->conditions == 1;
}

/* Is it closed by what is in the table of this chain of input? */
static bool chain_is_closed(const json_t *objects, const json_t *chain, json_int_t port) {
        bool closed = fields_is(chain, "policy", "drop");
        const json_t *row;
        size_t i;

        json_array_foreach(objects, i, row) {
                const json_t *json = json_object_get(row, "rule");
                struct port_rule rule;
                bool here;

                if (!json || !is_same(json, chain, "family") || !is_same(json, chain, "table"))
                        continue;
                rule = rule_read(json, port);
                here = fields_is(json, "chain", fields_text(chain, "name"));
                if (here && rule_closes(&rule))
                        return true;
                if (rule.xt || (rule.opens && !rule.ends))
                        return false;
                closed |= here && rule.ends && rule.conditions == 0;
        }
        return closed;
}

static const char *chain_remedy(struct doctor *doctor, const json_t *chain, long port) {
        if (fields_is(chain, "table", "firewalld"))
                return doctor_text(doctor,
                                   "firewall-cmd --permanent --add-port=%ld/udp && firewall-cmd "
                                   "--reload",
                                   port);
        return doctor_text(doctor, "nft insert rule %s %s %s udp dport %ld accept",
                           doctor_word(doctor, fields_text(chain, "family")),
                           doctor_word(doctor, fields_text(chain, "table")),
                           doctor_word(doctor, fields_text(chain, "name")), port);
}

void firewall_check_port(struct doctor *doctor, const json_t *objects) {
        const long port = (long)doctor_number(doctor, "AuthPort");
        const json_t *row;
        size_t i;

        json_array_foreach(objects, i, row) {
                const json_t *chain = json_object_get(row, "chain");

                if (!port || !fields_is(chain, "hook", "input") ||
                    !fields_is(chain, "type", "filter") || !chain_is_closed(objects, chain, port))
                        continue;
                port_report(doctor,
                            doctor_text(doctor, "%s %s %s", fields_text(chain, "family"),
                                        fields_text(chain, "table"), fields_text(chain, "name")),
                            port, chain_remedy(doctor, chain, port));
        }
}

/* iptables */

/* Is the port among "8684", "53,8000:9000"? */
static bool ports_have(const char *text, long port) {
        while (*text && *text != ' ') {
                char *end;
                const long first = strtol(text, &end, 10);
                const long last = *end == ':' ? strtol(end + 1, &end, 10) : first;

                if (end == text || (first <= port && port <= last))
                        return end > text;
                text = *end == ',' ? end + 1 : end;
        }
        return false;
}

static bool line_opens(const char *line, long port) {
        const char *ports = strstr(line, " --dport ");

        if (!strstr(line, " -p udp ") || !strstr(line, " -j ACCEPT"))
                return false;
        if (ports)
                return ports_have(ports + strlen(" --dport "), port);
        ports = strstr(line, " --dports ");
        return !ports || ports_have(ports + strlen(" --dports "), port);
}

static bool line_closes(const char *line) {
        return strncmp(line, ":INPUT DROP", strlen(":INPUT DROP")) == 0 ||
               strncmp(line, "-A INPUT -j DROP", strlen("-A INPUT -j DROP")) == 0 ||
               strncmp(line, "-A INPUT -j REJECT", strlen("-A INPUT -j REJECT")) == 0;
}

void firewall_check_port_iptables(struct doctor *doctor, const char *command, const char *text) {
        const long port = (long)doctor_number(doctor, "AuthPort");
        bool closed = false, is_ufw = false;
        char line[1024];

        for (; port && *text; text += strcspn(text, "\n"), text += *text == '\n') {
                snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
                is_ufw |= strncmp(line, ":ufw", strlen(":ufw")) == 0;
                closed |= line_closes(line);
                if (line_opens(line, port))
                        return;
        }
        if (closed)
                port_report(doctor, doctor_text(doctor, "%s filter INPUT", command), port,
                            is_ufw ? doctor_text(doctor, "ufw allow %ld/udp", port)
                                   : doctor_text(doctor, "%s -I INPUT -p udp --dport %ld -j ACCEPT",
                                                 command, port));
}
