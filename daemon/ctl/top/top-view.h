/*
 * The screen of `mptcpctl top` as text: which rows, in which order, in which columns; and what keys
 * do to it. Pure: data and keys in, lines out, none of them wider than the screen.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "top-data.h"

#define TOP_WIDTH    512u                /* columns of a screen that are used */
#define TOP_LINE     (4 * TOP_WIDTH + 1) /* bytes of a line, with its NUL */
#define TOP_EXPANDED 64u                 /* connections that are expanded one by one */
#define TOP_SHOWN    512u                /* connections on a screen */
#define TOP_FILTER   64u

enum top_sort {
        TOP_SORT_TOKEN,
        TOP_SORT_PROGRAM,
        TOP_SORT_PLUGIN,
        TOP_SORT_ROLE,
        TOP_SORT_POLICY,
        TOP_SORT_STATE,
        TOP_SORT_SUBFLOWS,
        TOP_SORT_UP,
        TOP_SORT_DOWN,
        TOP_SORT_RATE, /* up + down; has no column */
        TOP_SORT_RTT,
        TOP_SORT_RETRANSMITS,
        TOP_SORT_REMOTE,
        _TOP_SORT_MAX
};

/* Keys beside characters. */
enum top_key {
        TOP_KEY_UP = 0x1000,
        TOP_KEY_DOWN,
        TOP_KEY_LEFT,
        TOP_KEY_RIGHT,
        TOP_KEY_PAGE_UP,
        TOP_KEY_PAGE_DOWN,
        TOP_KEY_HOME,
        TOP_KEY_END,
        TOP_KEY_ENTER,
        TOP_KEY_ESCAPE,
        TOP_KEY_BACKSPACE,
};

enum top_effect {
        TOP_EFFECT_NONE,
        TOP_EFFECT_DRAW,
        TOP_EFFECT_INTERVAL, /* it has changed, or the pause has */
        TOP_EFFECT_QUIT,
};

enum top_look {
        TOP_LOOK_PLAIN,
        TOP_LOOK_HEAD,
        TOP_LOOK_TITLES,
        TOP_LOOK_CURSOR,
        TOP_LOOK_SUBFLOW,
        TOP_LOOK_LOST, /* a subflow whose path is dead */
        TOP_LOOK_NOTICE,
        _TOP_LOOK_MAX
};

/* A line of the screen: valid UTF-8 without control characters. */
struct top_line {
        char text[TOP_LINE];
        enum top_look look;
        size_t mark_from, mark_to; /* bytes that stand out; equal: none */
};

struct top_view {
        size_t rows, columns; /* of the screen */
        uint64_t interval_usec;
        enum top_sort sort;
        bool reversed; /* against the order in which a column is mostly wanted */
        bool paused, help, typing, all;
        bool waiting; /* the daemon is gone */
        const char *notice;
        char filter[TOP_FILTER];
        ARRAY_OF(uint32_t) expanded; /* tokens */
        ARRAY_OF(uint32_t) order;    /* indexes of the connections that pass the filter */
        uint32_t cursor;             /* token of the chosen connection */
        size_t at;                   /* where it is in the order; stays if it has ended */
        size_t top;                  /* the first of the order on the screen */
        uint32_t shown[TOP_SHOWN];   /* expanded connections on the screen */
        size_t n_shown;
};

void top_view_init(struct top_view *view);
void top_view_done(struct top_view *view);

/* Another size of the screen. */
void top_view_resize(struct top_view *view, size_t rows, size_t columns);

/*
 * Puts the connections in order, keeps the cursor on its connection, and finds out which are
 * shown. To be called after anything has changed. 0 or -ENOMEM.
 */
int top_view_settle(struct top_view *view, const struct top_data *data);

/* A character, or an enum top_key. The filter takes characters of Unicode. */
enum top_effect top_view_key(struct top_view *view, const struct top_data *data, uint32_t key);

typedef void (*top_line_fn)(size_t row, const struct top_line *line, void *userdata);

/* Hands every line of the screen to fn, from the top; those that are not mentioned are empty. */
void top_view_render(const struct top_view *view, const struct top_data *data, top_line_fn fn,
                     void *userdata);

/* top-rows.c: for the view. */

/* Is it before the other one? As strcmp(3), by token if all else is equal. */
int top_compare(const struct top_view *view, const struct top_connection *a,
                const struct top_connection *b);
bool top_passes(const struct top_view *view, const struct top_data *data,
                const struct top_connection *connection);
const char *top_sort_name(enum top_sort sort);
/* The one whose key it is, or _TOP_SORT_MAX. */
enum top_sort top_sort_of_key(uint32_t key);
/* "T" */
char top_sort_key(enum top_sort sort);
/* Is it largest first, unless reversed? */
bool top_sort_descends(enum top_sort sort);

/* top-layout.c: for the view. */

/* How the columns of the table share the width. */
struct top_layout {
        uint16_t width[_TOP_SORT_MAX]; /* 0: there is no room for that column */
};

void top_layout(size_t columns, struct top_layout *ret_layout);
void top_layout_titles(const struct top_layout *layout, const struct top_view *view,
                       struct top_line *line);
void top_layout_connection(const struct top_layout *layout, const struct top_view *view,
                           const struct top_data *data, const struct top_connection *connection,
                           struct top_line *line);
void top_layout_subflow(const struct top_layout *layout, const struct top_view *view,
                        const struct top_data *data, const struct top_subflow *subflow,
                        struct top_line *line);
/* The lines above the table: how many there are at that width, and one of them. */
size_t top_layout_head_lines(const struct top_view *view, const struct top_data *data);
void top_layout_head(const struct top_view *view, const struct top_data *data, size_t i,
                     struct top_line *line);
