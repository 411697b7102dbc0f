/*
 * The form for people: tables of columns, one for each kind of thing. See render.h.
 */
#include "limit.h"
#include "render.h"
#include "text.h"
#include "../util/cleanup.h"

#include <stdio.h>
#include <string.h>

static const char *string_of(const json_t *row, const char *field, const char *missing) {
        const char *text = json_string_value(json_object_get(row, field));

        return text && *text ? text : missing;
}

static json_int_t number_of(const json_t *row, const char *field) {
        return json_integer_value(json_object_get(row, field));
}

/* A number that may be null, printed by one of the functions of text.h. */
static void cell_number(const json_t *row, const char *field, char text[static CELL_TEXT],
                        const char *(*print)(uint64_t, char *)) {
        const json_t *value = json_object_get(row, field);
        char number[TEXT_SHORT] = "-";

        if (json_is_integer(value))
                print((uint64_t)json_integer_value(value), number);
        snprintf(text, CELL_TEXT, "%s", number);
}

static void cell_bytes(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        cell_number(row, field, text, text_bytes);
}

static void cell_duration(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        cell_number(row, field, text, text_duration);
}

static void cell_time(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        cell_number(row, field, text, text_time);
}

static void cell_kernel(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        snprintf(text, CELL_TEXT, "%s", string_of(json_object_get(row, field), "release", "-"));
}

static void cell_path_manager(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *manager = json_object_get(row, field);

        snprintf(text, CELL_TEXT, "%s (before: %s)", string_of(manager, "mode", "unknown"),
                 string_of(manager, "previous", "unknown"));
}

static void cell_connection_count(const json_t *row, const char *field,
                                  char text[static CELL_TEXT]) {
        const json_t *limits = json_object_get(row, "limits");

        snprintf(text, CELL_TEXT, "%" JSON_INTEGER_FORMAT ", at most %" JSON_INTEGER_FORMAT,
                 number_of(row, field), number_of(limits, "max_connections"));
}

static void cell_subflow_count(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *limits = json_object_get(row, "limits");

        snprintf(text, CELL_TEXT,
                 "%" JSON_INTEGER_FORMAT ", at most %" JSON_INTEGER_FORMAT " of a connection",
                 number_of(row, field), number_of(limits, "max_subflows"));
}

static void cell_dead_after(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        snprintf(text, CELL_TEXT, "%" JSON_INTEGER_FORMAT " s without a path",
                 number_of(row, field));
}

/* "yes", or "no: why not". */
static void cell_usable(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const char *reason = string_of(row, "reason", "");

        if (json_is_true(json_object_get(row, field)))
                snprintf(text, CELL_TEXT, "yes");
        else
                snprintf(text, CELL_TEXT, "no%s%s", *reason ? ": " : "", reason);
}

/* Strings, joined by commas. */
static void cell_list(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *value;
        size_t i, used = 0;

        snprintf(text, CELL_TEXT, "-");
        json_array_foreach(json_object_get(row, field), i, value) {
                const char *string = json_string_value(value);

                if (string && used < CELL_TEXT)
                        used += (size_t)snprintf(text + used, CELL_TEXT - used, "%s%s",
                                                 used ? ", " : "", string);
        }
}

/* "7 from /usr/share/mptcpize/apps.d, /etc/mptcpize/apps.d". */
static void cell_policies(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *policies = json_object_get(row, field);
        char dirs[CELL_TEXT];

        cell_list(policies, "directories", dirs);
        snprintf(text, CELL_TEXT, "%" JSON_INTEGER_FORMAT " from %.900s",
                 number_of(policies, "count"), dirs);
}

static void cell_database(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *policies = json_object_get(row, field);

        snprintf(text, CELL_TEXT, "%.900s, generation %" JSON_INTEGER_FORMAT,
                 string_of(policies, "database", "unknown"), number_of(policies, "generation"));
}

/* "none", "unknown", or "2, the last 14 s ago: MPTCP is on again". */
static void cell_blackhole(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *blackhole = json_object_get(row, field);

        snprintf(text, CELL_TEXT, "%s",
                 json_is_null(json_object_get(blackhole, "count")) ? "unknown" : "none");
        if (number_of(blackhole, "count") > 0)
                snprintf(text, CELL_TEXT,
                         "%" JSON_INTEGER_FORMAT ", the last %" JSON_INTEGER_FORMAT " s ago: %s",
                         number_of(blackhole, "count"), number_of(blackhole, "age"),
                         string_of(blackhole, "state", "unknown"));
}

/* "off", "closed: 12 SYNs dropped", or "missing: why"; the doctor knows what is to be done then. */
static void cell_gate(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *auth = json_object_get(row, field);
        const char *gate = string_of(auth, "gate", "unknown");
        const char *reason = string_of(auth, "gate_reason", "");
        size_t n = strlen(gate);

        /* some reasons begin with the word themselves */
        if (strncmp(reason, gate, n) == 0 && strncmp(reason + n, ": ", 2) == 0)
                reason += n + 2;
        n = (size_t)snprintf(text, CELL_TEXT, "%.40s%s%.800s", gate, *reason ? ": " : "", reason);

        if (strcmp(gate, "closed") == 0)
                snprintf(text + n, CELL_TEXT - n, ", %" JSON_INTEGER_FORMAT " SYNs dropped",
                         number_of(auth, "gate_dropped"));
        else if (strcmp(gate, "missing") == 0)
                snprintf(text + n, CELL_TEXT - n, " (what to do: mptcpctl doctor)");
}

/* "UDP port 8684, 3 connections, 2 confirmed", and what is wrong. */
static void cell_protected(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *auth = json_object_get(row, field);
        const char *reason = string_of(auth, "reason", "");
        const json_int_t connections = number_of(auth, "connections");
        size_t n = (size_t)snprintf(text, CELL_TEXT, "off");

        if (number_of(auth, "port") || connections)
                n = (size_t)snprintf(text, CELL_TEXT,
                                     "UDP port %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
                                     " connection%s, %" JSON_INTEGER_FORMAT " confirmed",
                                     number_of(auth, "port"), connections,
                                     connections == 1 ? "" : "s", number_of(auth, "confirmed"));
        if (*reason)
                snprintf(text + n, CELL_TEXT - n, ": %.800s", reason);
}

/* "confirmed (require): why", or "off". */
static void cell_authentication(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const char *mode = string_of(row, "authentication_mode", "unknown");
        const char *reason = string_of(row, "authentication_reason", "");

        snprintf(text, CELL_TEXT, "%.40s (%.40s)%s%.800s", string_of(row, field, "unknown"), mode,
                 *reason ? ": " : "", reason);
        if (strcmp(mode, "off") == 0)
                snprintf(text, CELL_TEXT, "off");
}

static void cell_known(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        if (json_is_null(json_object_get(row, field)))
                snprintf(text, CELL_TEXT, "unknown");
        else
                cell_plain(row, field, text);
}

static void cell_msec(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        if (json_is_integer(json_object_get(row, field)))
                snprintf(text, CELL_TEXT, "%" JSON_INTEGER_FORMAT " ms", number_of(row, field));
        else
                snprintf(text, CELL_TEXT, "-");
}

/* The priority bits: who asked for it. */
static void cell_backup(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        bool ours = json_is_true(json_object_get(row, field));
        bool theirs = json_is_true(json_object_get(row, "backup_remote"));

        snprintf(text, CELL_TEXT, "%s", text_backup(ours, theirs));
}

static const struct column status_columns[] = {
        { "version", "version", cell_plain, ALIGN_LEFT },
        { "kernel", "kernel", cell_kernel, ALIGN_LEFT },
        { "path manager", "path_manager", cell_path_manager, ALIGN_LEFT },
        { "plugin", "plugin", cell_plain, ALIGN_LEFT },
        { "connections", "connections", cell_connection_count, ALIGN_LEFT },
        { "subflows", "subflows", cell_subflow_count, ALIGN_LEFT },
        { "dead after", "dead_after", cell_dead_after, ALIGN_LEFT },
        { "policies", "policies", cell_policies, ALIGN_LEFT },
        { "database", "policies", cell_database, ALIGN_LEFT },
        { "blackholes", "blackhole", cell_blackhole, ALIGN_LEFT },
        { "authentication", "authentication", cell_protected, ALIGN_LEFT },
        { "gate", "authentication", cell_gate, ALIGN_LEFT },
};

static const struct column feature_columns[] = {
        { "KERNEL LACKS", "name", cell_plain, ALIGN_LEFT },
        { "SO", "reason", cell_plain, ALIGN_LEFT },
};

static const struct column error_columns[] = {
        { "POLICY ERROR", "text", cell_plain, ALIGN_LEFT },
};

static const struct column blackhole_columns[] = {
        { "BLACKHOLE", "destination", cell_plain, ALIGN_LEFT },
        { "SECONDS", "age", cell_known, ALIGN_RIGHT },
        { "LEFT", "left", cell_plain, ALIGN_RIGHT },
};

static const struct column interface_columns[] = {
        { "INTERFACE", "name", cell_plain, ALIGN_LEFT },
        { "INDEX", "index", cell_plain, ALIGN_RIGHT },
        { "ROLE", "role", cell_plain, ALIGN_LEFT },
        { "FROM", "role_reason", cell_plain, ALIGN_LEFT },
        { "USABLE", "usable", cell_usable, ALIGN_LEFT },
        { "ADDRESSES", "addresses", cell_list, ALIGN_LEFT },
};

static const struct column listed_columns[] = {
        { "INTERFACE", "name", cell_plain, ALIGN_LEFT },
        { "ROLE", "role", cell_plain, ALIGN_LEFT },
        { "FROM", "role_reason", cell_plain, ALIGN_LEFT },
        { "USABLE", "usable", cell_usable, ALIGN_LEFT },
        { "SUBFLOWS", "subflows", cell_plain, ALIGN_RIGHT },
        { "ADDRESSES", "addresses", cell_list, ALIGN_LEFT },
};

static const struct column one_interface_columns[] = {
        { "interface", "name", cell_plain, ALIGN_LEFT },
        { "index", "index", cell_plain, ALIGN_LEFT },
        { "role", "role", cell_plain, ALIGN_LEFT },
        { "from", "role_reason", cell_plain, ALIGN_LEFT },
        { "usable", "usable", cell_usable, ALIGN_LEFT },
        { "subflows", "subflows", cell_plain, ALIGN_LEFT },
        { "addresses", "addresses", cell_list, ALIGN_LEFT },
        { "routing", "routing", cell_plain, ALIGN_LEFT },
};

static const struct column plugin_columns[] = {
        { "PLUGIN", "name", cell_plain, ALIGN_LEFT },
        { "DEFAULT", "default", cell_plain, ALIGN_LEFT },
        { "CONNECTIONS", "connections", cell_plain, ALIGN_RIGHT },
        { "ABI", "abi", cell_plain, ALIGN_LEFT },
        { "POLICIES", "policies", cell_list, ALIGN_LEFT },
        { "FILE", "file", cell_plain, ALIGN_LEFT },
};

static void cell_meaning(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        snprintf(text, CELL_TEXT, "%s", limit_help(string_of(row, field, "")));
}

static const struct column limit_columns[] = {
        { "LIMIT", "name", cell_plain, ALIGN_LEFT },
        { "VALUE", "value", cell_plain, ALIGN_RIGHT },
        { "OF", "name", cell_meaning, ALIGN_LEFT },
};

static const struct column routing_columns[] = {
        { "INTERFACE", "name", cell_plain, ALIGN_LEFT },
        { "ROUTING", "routing", cell_plain, ALIGN_LEFT },
};

static const struct column counter_columns[] = {
        { "COUNTER", "name", cell_plain, ALIGN_LEFT },
        { "VALUE", "value", cell_plain, ALIGN_RIGHT },
};

static const struct column list_columns[] = {
        { "TOKEN", "token", cell_plain, ALIGN_LEFT },
        { "STATE", "state", cell_plain, ALIGN_LEFT },
        { "ROLE", "role", cell_plain, ALIGN_LEFT },
        { "PROGRAM", "program", cell_known, ALIGN_LEFT },
        { "POLICY", "policy", cell_known, ALIGN_LEFT },
        { "PLUGIN", "plugin", cell_plain, ALIGN_LEFT },
        { "LOCAL", "local", cell_plain, ALIGN_LEFT },
        { "REMOTE", "remote", cell_plain, ALIGN_LEFT },
        { "UID", "uid", cell_plain, ALIGN_RIGHT },
        { "SUBFLOWS", "subflows", cell_plain, ALIGN_RIGHT },
        { "AUTH", "authentication", cell_plain, ALIGN_LEFT }, /* if there is any */
};

static const struct column connection_columns[] = {
        { "token", "token", cell_plain, ALIGN_LEFT },
        { "state", "state", cell_plain, ALIGN_LEFT },
        { "role", "role", cell_plain, ALIGN_LEFT },
        { "program", "program", cell_known, ALIGN_LEFT },
        { "pid", "pid", cell_known, ALIGN_LEFT },
        { "policy", "policy", cell_known, ALIGN_LEFT },
        { "plugin", "plugin", cell_plain, ALIGN_LEFT },
        { "user timeout", "user_timeout_msec", cell_msec, ALIGN_LEFT },
        { "authentication", "authentication", cell_authentication, ALIGN_LEFT },
        { "local", "local", cell_plain, ALIGN_LEFT },
        { "remote", "remote", cell_plain, ALIGN_LEFT },
        { "uid", "uid", cell_plain, ALIGN_LEFT },
};

static const struct column subflow_columns[] = {
        { "STATE", "state", cell_plain, ALIGN_LEFT },
        { "INTERFACE", "interface", cell_plain, ALIGN_LEFT },
        { "LOCAL", "local", cell_plain, ALIGN_LEFT },
        { "ID", "local_id", cell_plain, ALIGN_RIGHT },
        { "REMOTE", "remote", cell_plain, ALIGN_LEFT },
        { "ID", "remote_id", cell_plain, ALIGN_RIGHT },
        { "INITIAL", "initial", cell_plain, ALIGN_LEFT },
        { "BACKUP", "backup", cell_backup, ALIGN_LEFT },
        { "SENT", "bytes_sent", cell_bytes, ALIGN_RIGHT },
        { "RECEIVED", "bytes_received", cell_bytes, ALIGN_RIGHT },
        { "RTT", "rtt_usec", cell_duration, ALIGN_RIGHT },
        { "RETRANSMITS", "retransmits", cell_plain, ALIGN_RIGHT },
};

static const struct column remote_columns[] = {
        { "ID", "id", cell_plain, ALIGN_RIGHT },
        { "ADDRESS", "address", cell_plain, ALIGN_LEFT },
};

static const struct column log_columns[] = {
        { "TIME", "time_usec", cell_time, ALIGN_LEFT },
        { "WHAT", "what", cell_plain, ALIGN_LEFT },
        { "REASON", "reason", cell_plain, ALIGN_LEFT },
};

/* A table behind an empty line; nothing at all if it has no rows. */
static void section_print(const struct output *output, const char *title,
                          const struct column *columns, size_t n, const json_t *rows) {
        if (json_array_size(rows) == 0)
                return;
        fprintf(output->file, "\n%s%s", title, *title ? "\n" : "");
        table_print(output, columns, n, rows);
}

/* { "sent": 1 } as [ { "name": "sent", "value": 1 } ], so that it can be a table; NULL: no memory.
 */
static json_t *rows_of_counters(json_t *counters) {
        json_t *rows = json_array();
        const char *name;
        json_t *value;

        json_object_foreach(counters, name, value) {
                if (strncmp(name, "auth_", 5) == 0 && json_integer_value(value) == 0)
                        continue; /* on most hosts all of them are */
                json_array_append_new(rows, json_pack("{s:s,s:O}", "name", name, "value", value));
        }
        return rows;
}

/* [ "text" ] as [ { "text": "text" } ]. */
static json_t *rows_of_errors(const json_t *errors) {
        json_t *rows = json_array();
        json_t *value;
        size_t i;

        json_array_foreach(errors, i, value) {
                json_array_append_new(rows, json_pack("{s:O}", "text", value));
        }
        return rows;
}

/* The interfaces of which there is something to say. */
static json_t *rows_of_routing(const json_t *interfaces) {
        json_t *rows = json_array();
        json_t *value;
        size_t i;

        json_array_foreach(interfaces, i, value) {
                const char *routing = json_string_value(json_object_get(value, "routing"));

                if (routing && *routing)
                        json_array_append(rows, value);
        }
        return rows;
}

/* What this kernel does not have. */
static json_t *rows_of_features(const json_t *features) {
        json_t *rows = json_array();
        json_t *value;
        size_t i;

        json_array_foreach(features, i, value) {
                const char *state = string_of(value, "state", "");

                if (strcmp(state, "fallback") == 0 || strcmp(state, "missing") == 0)
                        json_array_append(rows, value);
        }
        return rows;
}

void render_status(const struct output *output, const json_t *status) {
        json_t *features = rows_of_features(
                        json_object_get(json_object_get(status, "kernel"), "features"));
        json_t *counters = rows_of_counters(json_object_get(status, "counters"));
        json_t *errors = rows_of_errors(
                        json_object_get(json_object_get(status, "policies"), "errors"));
        json_t *routing = rows_of_routing(json_object_get(status, "interfaces"));

        record_print(output, status_columns, ARRAY_SIZE(status_columns), status);
        section_print(output, "", feature_columns, ARRAY_SIZE(feature_columns), features);
        section_print(output, "", error_columns, ARRAY_SIZE(error_columns), errors);
        section_print(output, "", blackhole_columns, ARRAY_SIZE(blackhole_columns),
                      json_object_get(json_object_get(status, "blackhole"), "destinations"));
        section_print(output, "", interface_columns, ARRAY_SIZE(interface_columns),
                      json_object_get(status, "interfaces"));
        section_print(output, "", routing_columns, ARRAY_SIZE(routing_columns), routing);
        section_print(output, "", counter_columns, ARRAY_SIZE(counter_columns), counters);
        json_decref(routing);
        json_decref(errors);
        json_decref(counters);
        json_decref(features);
}

static bool rows_are_protected(const json_t *rows) {
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                if (strcmp(string_of(row, "authentication", "off"), "off") != 0)
                        return true;
        }
        return false;
}

void render_connections(const struct output *output, const json_t *connections) {
        const json_t *rows = json_object_get(connections, "connections");
        const size_t hidden = rows_are_protected(rows) ? 0 : 1;

        if (json_array_size(rows) == 0)
                fprintf(output->file, "no connections\n");
        else
                table_print(output, list_columns, ARRAY_SIZE(list_columns) - hidden, rows);
}

void render_connection(const struct output *output, const json_t *connection) {
        record_print(output, connection_columns, ARRAY_SIZE(connection_columns), connection);
        section_print(output, "subflows:", subflow_columns, ARRAY_SIZE(subflow_columns),
                      json_object_get(connection, "subflows"));
        section_print(output, "addresses of the peer:", remote_columns, ARRAY_SIZE(remote_columns),
                      json_object_get(connection, "remotes"));
        section_print(output, "log:", log_columns, ARRAY_SIZE(log_columns),
                      json_object_get(connection, "log"));
}

void render_interfaces(const struct output *output, const json_t *interfaces) {
        const json_t *rows = json_object_get(interfaces, "interfaces");
        json_t *routing = rows_of_routing(rows);

        table_print(output, listed_columns, ARRAY_SIZE(listed_columns), rows);
        section_print(output, "", routing_columns, ARRAY_SIZE(routing_columns), routing);
        json_decref(routing);
}

void render_interface(const struct output *output, const json_t *interface) {
        record_print(output, one_interface_columns, ARRAY_SIZE(one_interface_columns), interface);
}

void render_plugins(const struct output *output, const json_t *plugins) {
        table_print(output, plugin_columns, ARRAY_SIZE(plugin_columns),
                    json_object_get(plugins, "plugins"));
}

void render_limits(const struct output *output, const json_t *limits) {
        json_t *copy = json_deep_copy(limits);
        json_t *rows = rows_of_counters(copy);

        table_print(output, limit_columns, ARRAY_SIZE(limit_columns), rows);
        json_decref(rows);
        json_decref(copy);
}

void render_nothing(const struct output *output, const json_t *value) {
        (void)output;
        (void)value;
}
