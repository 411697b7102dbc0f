/*
 * What is on the screen of `mptcpctl top`, and what keys change. See top-view.h.
 */
#include "top-view.h"
#include "../text.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INTERVAL_DEFAULT_USEC 2000000u

static const uint64_t intervals_usec[] = { 200000,  500000,   1000000,  2000000,
                                           5000000, 10000000, 30000000, 60000000 };

void top_view_init(struct top_view *view) {
        *view = (struct top_view){ .interval_usec = INTERVAL_DEFAULT_USEC,
                                   .sort = TOP_SORT_RATE,
                                   .rows = 24,
                                   .columns = 80 };
}

void top_view_done(struct top_view *view) {
        ARRAY_DONE(&view->expanded);
        ARRAY_DONE(&view->order);
}

void top_view_resize(struct top_view *view, size_t rows, size_t columns) {
        view->rows = rows;
        view->columns = columns < TOP_WIDTH ? columns : TOP_WIDTH;
}

/* Settling */

struct ordering {
        const struct top_view *view;
        const struct top_data *data;
};

static int on_compare(const void *a, const void *b, void *userdata) {
        const struct ordering *ordering = userdata;
        const uint32_t *one = a, *other = b;

        return top_compare(ordering->view, &ordering->data->connections.items[*one],
                           &ordering->data->connections.items[*other]);
}

static int view_order(struct top_view *view, const struct top_data *data) {
        struct ordering ordering = { view, data };
        uint32_t i;
        int r = 0;

        view->order.n = 0;
        for (i = 0; i < data->connections.n && r == 0; i++)
                if (top_passes(view, data, &data->connections.items[i]))
                        r = ARRAY_APPEND(&view->order, i, LIMIT_SNAPSHOT);
        if (view->order.n > 1)
                qsort_r(view->order.items, view->order.n, sizeof(*view->order.items), on_compare,
                        &ordering);
        return r;
}

static const struct top_connection *view_row(const struct top_view *view,
                                             const struct top_data *data, size_t i) {
        return &data->connections.items[view->order.items[i]];
}

/* The cursor stays on its connection; if that has ended, where it was. */
static void view_follow(struct top_view *view, const struct top_data *data) {
        size_t i;

        for (i = 0; i < view->order.n && view_row(view, data, i)->token != view->cursor; i++)
                ;
        if (i < view->order.n)
                view->at = i;
        else if (view->at >= view->order.n)
                view->at = view->order.n - 1;
        view->cursor = view_row(view, data, view->at)->token;
}

static size_t view_find_expanded(const struct top_view *view, uint32_t token) {
        size_t i;

        for (i = 0; i < view->expanded.n && view->expanded.items[i] != token; i++)
                ;
        return i;
}

static bool view_is_expanded(const struct top_view *view, uint32_t token) {
        return view->all || view_find_expanded(view, token) < view->expanded.n;
}

/* Lines of a connection: as many as will be drawn, or as the list promises. */
static size_t view_lines(const struct top_view *view, const struct top_data *data, size_t i) {
        const struct top_connection *connection = view_row(view, data, i);
        size_t n;

        if (!view_is_expanded(view, connection->token))
                return 1;
        (void)top_data_subflows_of(data, connection->token, &n);
        return 1 + (n ? n : connection->subflows);
}

/* Lines for the table, below head and titles. */
static size_t view_room(const struct top_view *view, const struct top_data *data) {
        size_t used = top_layout_head_lines(view, data) + 1;

        used += view->typing || view->notice || view->waiting;
        return view->rows > used ? view->rows - used : 0;
}

/* Moves the window so that the cursor, with its subflows if they fit, is in it. */
static void view_scroll(struct top_view *view, const struct top_data *data) {
        size_t room = view_room(view, data), lines = 0, i;

        if (view->at < view->top)
                view->top = view->at;
        for (i = view->at + 1; i-- > view->top;) {
                lines += view_lines(view, data, i);
                if (lines > room && i < view->at) {
                        view->top = i + 1;
                        break;
                }
        }
        /* No empty lines below while there are rows above. */
        for (lines = 0, i = view->order.n; i > 0 && lines < room; i--)
                lines += view_lines(view, data, i - 1);
        if (lines <= room && view->top > i)
                view->top = i;
}

static void view_note_shown(struct top_view *view, const struct top_data *data) {
        size_t room = view_room(view, data), lines = 0, i;

        for (i = view->top; i < view->order.n && lines < room && view->n_shown < TOP_SHOWN; i++) {
                lines += view_lines(view, data, i);
                if (view_is_expanded(view, view_row(view, data, i)->token))
                        view->shown[view->n_shown++] = view_row(view, data, i)->token;
        }
}

int top_view_settle(struct top_view *view, const struct top_data *data) {
        int r = view_order(view, data);

        if (r < 0)
                return r;
        view->n_shown = 0;
        if (view->order.n == 0) {
                view->at = view->top = 0;
                return 0;
        }
        view_follow(view, data);
        view_scroll(view, data);
        view_note_shown(view, data);
        return 0;
}

/* Keys */

static enum top_effect view_move(struct top_view *view, const struct top_data *data, long by) {
        size_t last = view->order.n ? view->order.n - 1 : 0;

        if (view->order.n == 0)
                return TOP_EFFECT_NONE;
        if (by < 0)
                view->at -= (size_t)-by < view->at ? (size_t)-by : view->at;
        else
                view->at = last - view->at > (size_t)by ? view->at + (size_t)by : last;
        view->cursor = view_row(view, data, view->at)->token;
        return TOP_EFFECT_DRAW;
}

static enum top_effect view_expand(struct top_view *view) {
        size_t i = view_find_expanded(view, view->cursor);

        view->notice = NULL;
        if (view->order.n == 0)
                return TOP_EFFECT_NONE;
        if (i < view->expanded.n)
                ARRAY_REMOVE(&view->expanded, i);
        else if (ARRAY_APPEND(&view->expanded, view->cursor, TOP_EXPANDED) < 0)
                view->notice = "too many are expanded: 'e' expands all";
        return TOP_EFFECT_DRAW;
}

static enum top_effect view_collapse(struct top_view *view) {
        view->all = !view->all && view->expanded.n == 0;
        view->expanded.n = 0;
        return TOP_EFFECT_DRAW;
}

static enum top_effect view_pace(struct top_view *view, bool slower) {
        size_t i = 0;

        while (i + 1 < ARRAY_SIZE(intervals_usec) && intervals_usec[i] < view->interval_usec)
                i++;
        if (slower && i + 1 < ARRAY_SIZE(intervals_usec))
                view->interval_usec = intervals_usec[i + 1];
        else if (!slower && i > 0)
                view->interval_usec = intervals_usec[i - 1];
        return TOP_EFFECT_INTERVAL;
}

static enum top_effect view_sort(struct top_view *view, enum top_sort sort) {
        view->reversed = view->sort == sort && !view->reversed;
        view->sort = sort;
        return TOP_EFFECT_DRAW;
}

static enum top_effect view_sort_next(struct top_view *view, bool right) {
        enum top_sort step = right ? 1 : _TOP_SORT_MAX - 1;

        view->sort = (view->sort + step) % _TOP_SORT_MAX;
        view->reversed = false;
        return TOP_EFFECT_DRAW;
}

/* Bytes of a character of Unicode; 0 if it is not for a screen. */
static size_t character_encode(uint32_t code, char text[static 5]) {
        char escaped[24];
        size_t n;

        if (code < 0x80)
                n = (size_t)snprintf(text, 5, "%c", (int)code);
        else if (code < 0x800)
                n = (size_t)snprintf(text, 5, "%c%c", 0xc0 | code >> 6, 0x80 | (code & 0x3f));
        else if (code < 0x10000)
                n = (size_t)snprintf(text, 5, "%c%c%c", 0xe0 | code >> 12,
                                     0x80 | (code >> 6 & 0x3f), 0x80 | (code & 0x3f));
        else
                n = (size_t)snprintf(text, 5, "%c%c%c%c", 0xf0 | (code >> 18 & 7),
                                     0x80 | (code >> 12 & 0x3f), 0x80 | (code >> 6 & 0x3f),
                                     0x80 | (code & 0x3f));
        return code && strcmp(text_escape(text, escaped, sizeof(escaped)), text) == 0 ? n : 0;
}

static enum top_effect view_type(struct top_view *view, uint32_t key) {
        size_t len = strlen(view->filter);
        char text[5];

        if (key == '\n' || key == '\r' || key == TOP_KEY_ENTER) {
                view->typing = false;
        } else if (key == TOP_KEY_ESCAPE) {
                view->typing = false;
                view->filter[0] = '\0';
        } else if (key == TOP_KEY_BACKSPACE || key == 0x7f || key == '\b') {
                while (len > 0 && ((unsigned char)view->filter[--len] & 0xc0) == 0x80)
                        ;
                view->filter[len] = '\0';
        } else if (key < TOP_KEY_UP || key > TOP_KEY_BACKSPACE) {
                size_t n = character_encode(key, text);

                if (n > 0 && len + n < sizeof(view->filter))
                        memcpy(view->filter + len, text, n + 1);
        }
        return TOP_EFFECT_DRAW;
}

static enum top_effect view_escape(struct top_view *view) {
        view->filter[0] = '\0';
        view->notice = NULL;
        return TOP_EFFECT_DRAW;
}

static enum top_effect view_page(struct top_view *view, const struct top_data *data, bool down) {
        size_t room = view_room(view, data);
        long by = room > 1 ? (long)room - 1 : 1;

        return view_move(view, data, down ? by : -by);
}

/* The keys that move the cursor. */
static enum top_effect view_navigate(struct top_view *view, const struct top_data *data,
                                     uint32_t key) {
        switch (key) {
        case TOP_KEY_UP:
        case 'k':
                return view_move(view, data, -1);
        case TOP_KEY_DOWN:
        case 'j':
                return view_move(view, data, 1);
        case TOP_KEY_PAGE_UP:
                return view_page(view, data, false);
        case TOP_KEY_PAGE_DOWN:
                return view_page(view, data, true);
        case TOP_KEY_HOME:
                return view_move(view, data, -(long)LIMIT_SNAPSHOT);
        case TOP_KEY_END:
                return view_move(view, data, (long)LIMIT_SNAPSHOT);
        default:
                break;
        }
        if (top_sort_of_key(key) < _TOP_SORT_MAX)
                return view_sort(view, top_sort_of_key(key));
        return TOP_EFFECT_NONE;
}

static enum top_effect view_toggle(bool *what, enum top_effect effect) {
        *what = !*what;
        return effect;
}

enum top_effect top_view_key(struct top_view *view, const struct top_data *data, uint32_t key) {
        if (view->typing)
                return view_type(view, key);
        if (view->help) {
                view->help = false;
                return TOP_EFFECT_DRAW;
        }
        switch (key) {
        case 'q':
                return TOP_EFFECT_QUIT;
        case '?':
        case 'h':
                return view_toggle(&view->help, TOP_EFFECT_DRAW);
        case 'p':
                return view_toggle(&view->paused, TOP_EFFECT_INTERVAL);
        case '/':
                return view_toggle(&view->typing, TOP_EFFECT_DRAW);
        case 'r':
                return view_toggle(&view->reversed, TOP_EFFECT_DRAW);
        case 'e':
                return view_collapse(view);
        case ' ':
        case '\n':
        case '\r':
        case TOP_KEY_ENTER:
                return view_expand(view);
        case TOP_KEY_ESCAPE:
                return view_escape(view);
        case '+':
        case '-':
                return view_pace(view, key == '+');
        case '<':
        case '>':
        case TOP_KEY_LEFT:
        case TOP_KEY_RIGHT:
                return view_sort_next(view, key == '>' || key == TOP_KEY_RIGHT);
        default:
                return view_navigate(view, data, key);
        }
}

/* Lines */

static const char *const help[] = {
        "Connections, with the plugin and the policy that they have. Rates are bits a second of",
        "payload, of all subflows together; the round-trip time is the least of them.",
        "",
        "  up, down, page up, page down, home, end   choose a connection",
        "  enter, space    its subflows          e   those of all",
        "  /   only connections with that text: program, policy, address, interface, ...",
        "  < >             sort by another column    r   the other way round",
        "  T token  P program  G plugin  O role  Y policy  S state  N subflows",
        "  U up  D down  B both together  R round-trip time  X retransmissions  A remote address",
        "  + -             longer or shorter interval    p   pause",
        "  q               quit                  any key leaves this help",
};

static void line_set(const struct top_view *view, struct top_line *line, enum top_look look,
                     const char *text) {
        *line = (struct top_line){ .look = look };
        (void)text_fit(text, view->columns, line->text, sizeof(line->text));
}

static void render_help(const struct top_view *view, top_line_fn fn, void *userdata) {
        struct top_line line;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(help) && i < view->rows; i++) {
                line_set(view, &line, TOP_LOOK_PLAIN, help[i]);
                fn(i, &line, userdata);
        }
}

struct rendering {
        const struct top_view *view;
        const struct top_data *data;
        struct top_layout layout;
        size_t row, end;
        top_line_fn fn;
        void *userdata;
};

static void render_line(struct rendering *rendering, const struct top_line *line) {
        if (rendering->row < rendering->end)
                rendering->fn(rendering->row++, line, rendering->userdata);
}

static void render_connection(struct rendering *rendering,
                              const struct top_connection *connection) {
        const struct top_subflow *subflows;
        struct top_line line;
        size_t n, i;

        top_layout_connection(&rendering->layout, rendering->view, rendering->data, connection,
                              &line);
        render_line(rendering, &line);
        if (!view_is_expanded(rendering->view, connection->token))
                return;
        subflows = top_data_subflows_of(rendering->data, connection->token, &n);
        for (i = 0; i < n; i++) {
                top_layout_subflow(&rendering->layout, rendering->view, rendering->data,
                                   &subflows[i], &line);
                render_line(rendering, &line);
        }
}

static void render_last(const struct top_view *view, struct top_line *line) {
        char text[TOP_FILTER + 64];

        if (view->typing) {
                snprintf(text, sizeof(text), "only connections with: %s_", view->filter);
                line_set(view, line, TOP_LOOK_NOTICE, text);
        } else if (view->waiting) {
                line_set(view, line, TOP_LOOK_NOTICE, "waiting for the daemon");
        } else {
                line_set(view, line, TOP_LOOK_NOTICE, view->notice);
        }
}

void top_view_render(const struct top_view *view, const struct top_data *data, top_line_fn fn,
                     void *userdata) {
        bool last = view->typing || view->notice || view->waiting;
        struct rendering rendering = {
                .view = view, .data = data, .end = view->rows, .fn = fn, .userdata = userdata
        };
        struct top_line line;
        size_t i;

        if (view->help) {
                render_help(view, fn, userdata);
                return;
        }
        if (last && view->rows > 0) {
                rendering.end--;
                render_last(view, &line);
                fn(view->rows - 1, &line, userdata);
        }
        top_layout(view->columns, &rendering.layout);
        for (i = 0; i < top_layout_head_lines(view, data); i++) {
                top_layout_head(view, data, i, &line);
                render_line(&rendering, &line);
        }
        top_layout_titles(&rendering.layout, view, &line);
        render_line(&rendering, &line);
        for (i = view->top; i < view->order.n && rendering.row < rendering.end; i++)
                render_connection(&rendering, view_row(view, data, i));
        if (view->order.n == 0) {
                line_set(view, &line, TOP_LOOK_PLAIN,
                         view->filter[0] ? "no such connections: Esc shows all" : "no connections");
                render_line(&rendering, &line);
        }
}
