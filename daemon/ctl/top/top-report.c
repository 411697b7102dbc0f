/*
 * See top-report.h.
 */
#include "top-report.h"
#include "../render.h"
#include "../text.h"
#include "top-view.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct number {
        const char *name;
        uint64_t value;
        bool known;
};

/* Rates in bytes a second; null for what is not known. */
static int numbers_fill(json_t *to, const struct top_numbers *numbers, bool rated) {
        const bool known = numbers->subflows > 0;
        const struct number list[] = {
                { "up", numbers->up, known && rated },
                { "down", numbers->down, known && rated },
                { "bytes_sent", numbers->sent, known },
                { "bytes_received", numbers->received, known },
                { "rtt_usec", numbers->rtt_usec, numbers->rtt_usec != 0 },
                { "retransmits", numbers->retransmits, known },
        };
        size_t i;

        for (i = 0; i < ARRAY_SIZE(list); i++) {
                json_t *value = list[i].known ? json_integer((json_int_t)list[i].value)
                                              : json_null();

                if (json_object_set_new(to, list[i].name, value) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* An object and its numbers; NULL: no memory. Takes over what it gets. */
static json_t *with_numbers(json_t *object, const struct top_numbers *numbers, bool rated) {
        if (object && numbers_fill(object, numbers, rated) < 0) {
                json_decref(object);
                return NULL;
        }
        return object;
}

static json_t *subflow_report(const struct top_subflow *subflow, bool rated) {
        return with_numbers(json_pack("{s:s,s:s,s:b,s:b,s:s,s:s}", "interface", subflow->interface,
                                      "state", subflow->state, "backup", subflow->backup,
                                      "backup_remote", subflow->backup_remote, "local",
                                      subflow->local, "remote", subflow->remote),
                            &subflow->numbers, rated);
}

static json_t *subflows_report(const struct top_data *data, uint32_t token) {
        size_t i, n;
        const struct top_subflow *subflows = top_data_subflows_of(data, token, &n);
        json_t *rows = json_array();

        for (i = 0; i < n; i++)
                (void)json_array_append_new(rows, subflow_report(&subflows[i], data->now.rated));
        return rows;
}

static json_t *word_or_null(const char *word) {
        return *word ? json_string(word) : json_null();
}

static json_t *connection_report(const struct top_data *data,
                                 const struct top_connection *connection) {
        char token[sizeof("0x12345678")];

        snprintf(token, sizeof(token), "0x%08x", connection->token);
        return with_numbers(json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:s,s:s,s:o}", "token", token,
                                      "state", connection->state, "role", connection->role,
                                      "program", word_or_null(connection->program), "policy",
                                      word_or_null(connection->policy), "plugin",
                                      word_or_null(connection->plugin), "local", connection->local,
                                      "remote", connection->remote, "subflows",
                                      subflows_report(data, connection->token)),
                            &connection->numbers, data->now.rated);
}

/* As the screen has them: the busiest first. */
static json_t *connections_report(const struct top_data *data) {
        struct top_view view;
        json_t *rows = json_array();
        size_t i;

        top_view_init(&view);
        (void)top_view_settle(&view, data);
        for (i = 0; i < view.order.n; i++)
                (void)json_array_append_new(
                                rows,
                                connection_report(data,
                                                  &data->connections.items[view.order.items[i]]));
        top_view_done(&view);
        return rows;
}

static json_t *interfaces_report(const struct top_data *data) {
        json_t *rows = json_array();
        size_t i;

        for (i = 0; i < data->interfaces.n; i++) {
                const struct top_interface *interface = &data->interfaces.items[i];

                (void)json_array_append_new(
                                rows, with_numbers(json_pack("{s:s,s:i}", "name", interface->name,
                                                             "subflows",
                                                             (int)interface->numbers.subflows),
                                                   &interface->numbers, data->now.rated));
        }
        return rows;
}

/* The form for people */

static void cell_rate(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *value = json_object_get(row, field);

        snprintf(text, CELL_TEXT, "-");
        if (json_is_integer(value))
                text_rate((uint64_t)json_integer_value(value), text);
}

static void cell_rtt(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *value = json_object_get(row, field);

        snprintf(text, CELL_TEXT, "-");
        if (json_is_integer(value))
                text_duration((uint64_t)json_integer_value(value), text);
}

static void cell_count(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        snprintf(text, CELL_TEXT, "%zu", json_array_size(json_object_get(row, field)));
}

static void cell_backup(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        bool ours = json_is_true(json_object_get(row, field));
        bool theirs = json_is_true(json_object_get(row, "backup_remote"));

        snprintf(text, CELL_TEXT, "%s", text_backup(ours, theirs));
}

static const struct column connection_columns[] = {
        { "TOKEN", "token", cell_plain, ALIGN_LEFT },
        { "PROGRAM", "program", cell_plain, ALIGN_LEFT },
        { "PLUGIN", "plugin", cell_plain, ALIGN_LEFT },
        { "ROLE", "role", cell_plain, ALIGN_LEFT },
        { "POLICY", "policy", cell_plain, ALIGN_LEFT },
        { "STATE", "state", cell_plain, ALIGN_LEFT },
        { "SUBFLOWS", "subflows", cell_count, ALIGN_RIGHT },
        { "UP", "up", cell_rate, ALIGN_RIGHT },
        { "DOWN", "down", cell_rate, ALIGN_RIGHT },
        { "RTT", "rtt_usec", cell_rtt, ALIGN_RIGHT },
        { "RETRANSMITS", "retransmits", cell_plain, ALIGN_RIGHT },
        { "REMOTE", "remote", cell_plain, ALIGN_LEFT },
};

static const struct column subflow_columns[] = {
        { "TOKEN", "token", cell_plain, ALIGN_LEFT },
        { "INTERFACE", "interface", cell_plain, ALIGN_LEFT },
        { "STATE", "state", cell_plain, ALIGN_LEFT },
        { "BACKUP", "backup", cell_backup, ALIGN_LEFT },
        { "UP", "up", cell_rate, ALIGN_RIGHT },
        { "DOWN", "down", cell_rate, ALIGN_RIGHT },
        { "RTT", "rtt_usec", cell_rtt, ALIGN_RIGHT },
        { "RETRANSMITS", "retransmits", cell_plain, ALIGN_RIGHT },
        { "LOCAL", "local", cell_plain, ALIGN_LEFT },
        { "REMOTE", "remote", cell_plain, ALIGN_LEFT },
};

static const struct column interface_columns[] = {
        { "INTERFACE", "name", cell_plain, ALIGN_LEFT },
        { "SUBFLOWS", "subflows", cell_plain, ALIGN_RIGHT },
        { "UP", "up", cell_rate, ALIGN_RIGHT },
        { "DOWN", "down", cell_rate, ALIGN_RIGHT },
};

/* The subflows of all connections, each with its token. */
static json_t *rows_of_subflows(const json_t *connections) {
        json_t *rows = json_array(), *row;
        const json_t *connection;
        size_t i, k;

        json_array_foreach(connections, i, connection) {
                json_array_foreach(json_object_get(connection, "subflows"), k, row) {
                        (void)json_object_set(row, "token", json_object_get(connection, "token"));
                        (void)json_array_append(rows, row);
                }
        }
        return rows;
}

static void render_report(const struct output *output, const json_t *report) {
        const json_t *connections = json_object_get(report, "connections");
        _cleanup_(json_decrefp) json_t *subflows = rows_of_subflows(connections);

        if (json_array_size(connections) == 0) {
                fprintf(output->file, "no connections\n");
                return;
        }
        table_print(output, connection_columns, ARRAY_SIZE(connection_columns), connections);
        fputc('\n', output->file);
        table_print(output, subflow_columns, ARRAY_SIZE(subflow_columns), subflows);
        fputc('\n', output->file);
        table_print(output, interface_columns, ARRAY_SIZE(interface_columns),
                    json_object_get(report, "interfaces"));
}

int top_report_print(const struct ctl *ctl, const struct top_data *data) {
        const uint64_t usec = data->now.rated ? data->now.usec - data->before.usec : 0;
        _cleanup_(json_decrefp) json_t *report = NULL;

        report = with_numbers(json_pack("{s:I,s:o,s:o}", "interval_usec", (json_int_t)usec,
                                        "connections", connections_report(data), "interfaces",
                                        interfaces_report(data)),
                              &data->totals, data->now.rated);
        if (!report)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, report, render_report);
        return CTL_DONE;
}
