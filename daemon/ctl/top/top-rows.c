/*
 * Order and filter of the rows of `mptcpctl top`. Pure. See top-view.h.
 */
#include "top-view.h"
#include "../../util/cleanup.h"

#include <stdio.h>
#include <string.h>

struct sort_row {
        const char *name;
        char key;
        bool descends;
};

static const struct sort_row sorts[_TOP_SORT_MAX] = {
        [TOP_SORT_TOKEN] = { "token", 'T', false },
        [TOP_SORT_PROGRAM] = { "program", 'P', false },
        [TOP_SORT_PLUGIN] = { "plugin", 'G', false },
        [TOP_SORT_ROLE] = { "role", 'O', false },
        [TOP_SORT_POLICY] = { "policy", 'Y', false },
        [TOP_SORT_STATE] = { "state", 'S', false },
        [TOP_SORT_SUBFLOWS] = { "subflows", 'N', true },
        [TOP_SORT_UP] = { "up", 'U', true },
        [TOP_SORT_DOWN] = { "down", 'D', true },
        [TOP_SORT_RATE] = { "up + down", 'B', true },
        [TOP_SORT_RTT] = { "rtt", 'R', true },
        [TOP_SORT_RETRANSMITS] = { "retransmits", 'X', true },
        [TOP_SORT_REMOTE] = { "remote", 'A', false },
};

const char *top_sort_name(enum top_sort sort) {
        return sorts[sort].name;
}

char top_sort_key(enum top_sort sort) {
        return sorts[sort].key;
}

bool top_sort_descends(enum top_sort sort) {
        return sorts[sort].descends;
}

enum top_sort top_sort_of_key(uint32_t key) {
        enum top_sort i;

        for (i = 0; i < _TOP_SORT_MAX; i++)
                if ((uint32_t)sorts[i].key == key)
                        break;
        return i;
}

/* What columns with numbers are sorted by. */
static uint64_t number_of(enum top_sort sort, const struct top_connection *connection) {
        switch (sort) {
        case TOP_SORT_SUBFLOWS:
                return connection->subflows;
        case TOP_SORT_UP:
                return connection->numbers.up;
        case TOP_SORT_DOWN:
                return connection->numbers.down;
        case TOP_SORT_RATE:
                return connection->numbers.up + connection->numbers.down;
        case TOP_SORT_RTT:
                return connection->numbers.rtt_usec;
        case TOP_SORT_RETRANSMITS:
                return connection->numbers.retransmits;
        case TOP_SORT_TOKEN:
        case TOP_SORT_PROGRAM:
        case TOP_SORT_PLUGIN:
        case TOP_SORT_ROLE:
        case TOP_SORT_POLICY:
        case TOP_SORT_STATE:
        case TOP_SORT_REMOTE:
        case _TOP_SORT_MAX:
                break;
        }
        return 0;
}

/* And those with words. */
static const char *word_of(enum top_sort sort, const struct top_connection *connection) {
        switch (sort) {
        case TOP_SORT_PROGRAM:
                return connection->program;
        case TOP_SORT_PLUGIN:
                return connection->plugin;
        case TOP_SORT_ROLE:
                return connection->role;
        case TOP_SORT_POLICY:
                return connection->policy;
        case TOP_SORT_STATE:
                return connection->state;
        case TOP_SORT_REMOTE:
                return connection->remote;
        case TOP_SORT_TOKEN:
        case TOP_SORT_SUBFLOWS:
        case TOP_SORT_UP:
        case TOP_SORT_DOWN:
        case TOP_SORT_RATE:
        case TOP_SORT_RTT:
        case TOP_SORT_RETRANSMITS:
        case _TOP_SORT_MAX:
                break;
        }
        return "";
}

static int compare(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

int top_compare(const struct top_view *view, const struct top_connection *a,
                const struct top_connection *b) {
        const bool descends = sorts[view->sort].descends != view->reversed;
        int order = compare(number_of(view->sort, a), number_of(view->sort, b));

        if (order == 0)
                order = strcmp(word_of(view->sort, a), word_of(view->sort, b));
        if (order == 0 && view->sort == TOP_SORT_TOKEN)
                order = compare(a->token, b->token);
        if (order != 0)
                return descends ? -order : order;
        return compare(a->token, b->token);
}

bool top_passes(const struct top_view *view, const struct top_data *data,
                const struct top_connection *connection) {
        const char *const words[] = { connection->program, connection->plugin, connection->policy,
                                      connection->role,    connection->state,  connection->local,
                                      connection->remote };
        char token[sizeof("0x12345678")];
        size_t i;

        if (!view->filter[0])
                return true;
        for (i = 0; i < ARRAY_SIZE(words); i++)
                if (strcasestr(words[i], view->filter))
                        return true;
        snprintf(token, sizeof(token), "0x%08x", connection->token);
        if (strcasestr(token, view->filter))
                return true;
        for (i = traffic_find(&data->now, connection->token);
             i < data->now.rows.n && data->now.rows.items[i].token == connection->token; i++)
                if (strcasestr(data->now.rows.items[i].interface, view->filter))
                        return true;
        return false;
}
