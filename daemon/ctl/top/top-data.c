/*
 * See top-data.h.
 */
#include "top-data.h"
#include "../text.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <string.h>

#define TOP_INTERFACES 64u /* that are shown; more are only in the totals */

static void take_string(const json_t *row, const char *key, char *to, size_t size) {
        const char *text = json_string_value(json_object_get(row, key));

        text_escape(text ? text : "", to, size);
}

static uint32_t take_number(const json_t *row, const char *key) {
        json_int_t number = json_integer_value(json_object_get(row, key));

        return number > 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* The list */

static void connection_take(struct top_connection *connection, const json_t *row) {
        *connection = (struct top_connection){ .token = take_number(row, "Token"),
                                               .subflows = take_number(row, "Subflows") };
        take_string(row, "State", connection->state, sizeof(connection->state));
        take_string(row, "Role", connection->role, sizeof(connection->role));
        take_string(row, "Program", connection->program, sizeof(connection->program));
        take_string(row, "Plugin", connection->plugin, sizeof(connection->plugin));
        take_string(row, "Policy", connection->policy, sizeof(connection->policy));
        take_string(row, "Local", connection->local, sizeof(connection->local));
        take_string(row, "Remote", connection->remote, sizeof(connection->remote));
}

/* Makes room for n rows between from and to, in place of those that are there. */
static int connections_open(struct top_data *data, size_t from, size_t to, size_t n) {
        uint32_t wanted = (uint32_t)(data->connections.n - (to - from) + n);

        while (data->connections.cap < wanted) {
                int r = array_reserve(&data->connections.items, data->connections.cap,
                                      &data->connections.cap, sizeof(*data->connections.items),
                                      LIMIT_SNAPSHOT);

                if (r < 0)
                        return r;
        }
        if (data->connections.n > to)
                memmove(data->connections.items + from + n, data->connections.items + to,
                        (data->connections.n - to) * sizeof(*data->connections.items));
        data->connections.n = wanted;
        return 0;
}

int top_data_page(struct top_data *data, const json_t *rows, uint32_t cursor, uint32_t next) {
        size_t from = ARRAY_LOWER_BOUND(&data->connections, token, cursor);
        size_t to = next ? ARRAY_LOWER_BOUND(&data->connections, token, next) : data->connections.n;
        size_t i;
        int r;

        if (to < from)
                return -EINVAL;
        r = connections_open(data, from, to, json_array_size(rows));
        for (i = 0; r == 0 && i < json_array_size(rows); i++)
                connection_take(&data->connections.items[from + i], json_array_get(rows, i));
        return r;
}

/* Subflows */

static void subflow_take(struct top_subflow *subflow, uint32_t token, const json_t *row) {
        *subflow = (struct top_subflow){
                .token = token,
                .backup = json_is_true(json_object_get(row, "Backup")),
                .backup_remote = json_is_true(json_object_get(row, "BackupRemote")),
        };
        take_string(row, "State", subflow->state, sizeof(subflow->state));
        take_string(row, "Interface", subflow->interface, sizeof(subflow->interface));
        take_string(row, "Local", subflow->local, sizeof(subflow->local));
        take_string(row, "Remote", subflow->remote, sizeof(subflow->remote));
}

static void subflows_drop(struct top_data *data, uint32_t token) {
        size_t from = ARRAY_LOWER_BOUND(&data->subflows, token, token), to = from;

        while (to < data->subflows.n && data->subflows.items[to].token == token)
                to++;
        if (to == from)
                return;
        memmove(data->subflows.items + from, data->subflows.items + to,
                (data->subflows.n - to) * sizeof(*data->subflows.items));
        data->subflows.n -= (uint32_t)(to - from);
}

int top_data_subflows(struct top_data *data, uint32_t token, const json_t *rows) {
        struct top_subflow subflow;
        size_t i, at;
        int r = 0;

        subflows_drop(data, token);
        at = ARRAY_LOWER_BOUND(&data->subflows, token, token);
        for (i = 0; r == 0 && i < json_array_size(rows) && i < LIMIT_SUBFLOWS; i++) {
                subflow_take(&subflow, token, json_array_get(rows, i));
                r = ARRAY_APPEND(&data->subflows, subflow, LIMIT_SNAPSHOT);
                if (r < 0)
                        return r;
                memmove(data->subflows.items + at + i + 1, data->subflows.items + at + i,
                        (data->subflows.n - 1 - at - i) * sizeof(subflow));
                data->subflows.items[at + i] = subflow;
        }
        return r;
}

void top_data_keep(struct top_data *data, const uint32_t *tokens, size_t n) {
        size_t i, k, kept = 0;

        for (i = 0; i < data->subflows.n; i++) {
                for (k = 0; k < n && tokens[k] != data->subflows.items[i].token; k++)
                        ;
                if (k < n)
                        data->subflows.items[kept++] = data->subflows.items[i];
        }
        data->subflows.n = (uint32_t)kept;
}

/* Numbers */

void top_data_traffic(struct top_data *data, struct traffic *traffic) {
        traffic_done(&data->before);
        data->before = data->now;
        data->now = *traffic;
        *traffic = (struct traffic){ .usec = 0 };
        traffic_rate(&data->now, &data->before);
}

static void numbers_add(struct top_numbers *numbers, const struct traffic_row *row) {
        numbers->subflows++;
        numbers->up += row->up;
        numbers->down += row->down;
        numbers->sent += row->sent;
        numbers->received += row->received;
        numbers->retransmits += row->retransmits;
        if (row->rtt_usec && (!numbers->rtt_usec || row->rtt_usec < numbers->rtt_usec))
                numbers->rtt_usec = row->rtt_usec;
}

static void settle_connection(struct top_connection *connection, const struct traffic *traffic) {
        size_t i;

        connection->numbers = (struct top_numbers){ 0 };
        for (i = traffic_find(traffic, connection->token);
             i < traffic->rows.n && traffic->rows.items[i].token == connection->token; i++)
                numbers_add(&connection->numbers, &traffic->rows.items[i]);
}

static void settle_subflow(struct top_subflow *subflow, const struct traffic *traffic) {
        size_t i;

        subflow->numbers = (struct top_numbers){ 0 };
        for (i = traffic_find(traffic, subflow->token);
             i < traffic->rows.n && traffic->rows.items[i].token == subflow->token; i++)
                if (strcmp(traffic->rows.items[i].local, subflow->local) == 0 &&
                    strcmp(traffic->rows.items[i].remote, subflow->remote) == 0)
                        numbers_add(&subflow->numbers, &traffic->rows.items[i]);
}

/* NULL: there are too many already, or no memory, for which there is r. */
static struct top_interface *interface_get(struct top_data *data, const char *name, int *r) {
        struct top_interface fresh = { .name = "" };
        size_t i;

        for (i = 0; i < data->interfaces.n; i++)
                if (strcmp(data->interfaces.items[i].name, name) == 0)
                        return &data->interfaces.items[i];
        memcpy(fresh.name, name, strlen(name) + 1);
        *r = ARRAY_APPEND(&data->interfaces, fresh, TOP_INTERFACES);
        if (*r == -ENOBUFS)
                *r = 0;
        return data->interfaces.n > i ? &data->interfaces.items[i] : NULL;
}

static int on_compare(const void *a, const void *b) {
        const struct top_interface *one = a, *other = b;

        return strcmp(one->name, other->name);
}

static int settle_interfaces(struct top_data *data) {
        size_t i;
        int r = 0;

        data->interfaces.n = 0;
        data->totals = (struct top_numbers){ 0 };
        for (i = 0; i < data->now.rows.n && r == 0; i++) {
                const struct traffic_row *row = &data->now.rows.items[i];
                struct top_interface *interface =
                                interface_get(data, row->interface[0] ? row->interface : "?", &r);

                if (interface)
                        numbers_add(&interface->numbers, row);
                numbers_add(&data->totals, row);
        }
        if (data->interfaces.n > 1)
                qsort(data->interfaces.items, data->interfaces.n, sizeof(*data->interfaces.items),
                      on_compare);
        return r;
}

int top_data_settle(struct top_data *data) {
        size_t i;

        data->established = data->fallback = 0;
        for (i = 0; i < data->connections.n; i++) {
                struct top_connection *connection = &data->connections.items[i];

                settle_connection(connection, &data->now);
                data->established += strcmp(connection->state, "established") == 0;
                data->fallback += strcmp(connection->state, "fallback") == 0;
        }
        for (i = 0; i < data->subflows.n; i++)
                settle_subflow(&data->subflows.items[i], &data->now);
        return settle_interfaces(data);
}

const struct top_connection *top_data_find(const struct top_data *data, uint32_t token) {
        size_t i = ARRAY_LOWER_BOUND(&data->connections, token, token);

        if (i == data->connections.n || data->connections.items[i].token != token)
                return NULL;
        return &data->connections.items[i];
}

const struct top_subflow *top_data_subflows_of(const struct top_data *data, uint32_t token,
                                               size_t *ret_n) {
        size_t i = ARRAY_LOWER_BOUND(&data->subflows, token, token), n = 0;

        while (i + n < data->subflows.n && data->subflows.items[i + n].token == token)
                n++;
        *ret_n = n;
        return n ? &data->subflows.items[i] : NULL;
}

void top_data_done(struct top_data *data) {
        ARRAY_DONE(&data->connections);
        ARRAY_DONE(&data->subflows);
        ARRAY_DONE(&data->interfaces);
        traffic_done(&data->now);
        traffic_done(&data->before);
}
