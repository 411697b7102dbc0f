/*
 * ctl/top, ctl/traffic: rates, rows, order, filter, keys and lines, without a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "../../daemon/ctl/text.h"
#include "../../daemon/ctl/top/top-view.h"
#include "../../daemon/util/cleanup.h"

#define SECOND 1000000u

/* Rates */

static void add(struct traffic *traffic, uint64_t cookie, uint32_t token, const char *interface,
                uint64_t sent, uint64_t received) {
        struct traffic_row row = { .cookie = cookie,
                                   .token = token,
                                   .sent = sent,
                                   .received = received,
                                   .rtt_usec = (uint32_t)cookie * 1000 };

        snprintf(row.interface, sizeof(row.interface), "%s", interface);
        snprintf(row.local, sizeof(row.local), "192.0.2.%u:5", (unsigned int)cookie);
        snprintf(row.remote, sizeof(row.remote), "203.0.113.1:80");
        assert_int_equal(ARRAY_APPEND(&traffic->rows, row, 100), 0);
}

static void test_rate_is_growth_by_time(void **state) {
        struct traffic before = { .usec = SECOND }, now = { .usec = 3 * SECOND };

        (void)state;
        add(&before, 7, 2, "a", 1000, 50);
        add(&before, 5, 1, "a", 10, 10);
        add(&now, 9, 1, "a", 400, 0);   /* new */
        add(&now, 7, 2, "a", 5000, 50); /* 2000 a second, and nothing */
        add(&now, 5, 3, "a", 10, 10);   /* the cookie of another connection's */
        traffic_sort(&before);
        traffic_sort(&now);
        traffic_rate(&now, &before);
        assert_true(now.rated);
        assert_int_equal(now.rows.items[traffic_find(&now, 1)].up, 200);
        assert_int_equal(now.rows.items[traffic_find(&now, 2)].up, 2000);
        assert_int_equal(now.rows.items[traffic_find(&now, 2)].down, 0);
        assert_int_equal(now.rows.items[traffic_find(&now, 3)].up, 5);
        traffic_done(&before);
        traffic_done(&now);
}

static void test_rate_without_a_reading_before_is_unknown(void **state) {
        struct traffic before = { .usec = 0 }, now = { .usec = SECOND };

        (void)state;
        add(&now, 1, 1, "a", 100, 100);
        traffic_rate(&now, &before);
        assert_false(now.rated);
        assert_int_equal(now.rows.items[0].up, 0);
        before.usec = SECOND; /* read twice in a microsecond */
        traffic_rate(&now, &before);
        assert_false(now.rated);
        traffic_done(&now);
}

static void test_rate_of_a_counter_that_went_back_is_zero(void **state) {
        struct traffic before = { .usec = SECOND }, now = { .usec = 2 * SECOND };

        (void)state;
        add(&before, 1, 1, "a", 100, 100);
        add(&now, 1, 1, "a", 99, 101);
        traffic_rate(&now, &before);
        assert_int_equal(now.rows.items[0].up, 0);
        assert_int_equal(now.rows.items[0].down, 1);
        traffic_done(&before);
        traffic_done(&now);
}

/* Data */

static json_t *row(uint32_t token, const char *program) {
        return json_pack("{s:I,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "Token", (json_int_t)token,
                         "Subflows", 2, "State", "established", "Role", "client", "Program",
                         program, "Plugin", "fullmesh", "Policy", "none", "Local", "192.0.2.1:5",
                         "Remote", "203.0.113.1:80");
}

/* Rows with the programs of names, tokens 10, 20, ..., as the page from cursor to next. */
static void page(struct top_data *data, uint32_t cursor, uint32_t next, const uint32_t *tokens,
                 size_t n, const char *program) {
        json_t *rows = json_array();
        size_t i;

        for (i = 0; i < n; i++)
                json_array_append_new(rows, row(tokens[i], program));
        assert_int_equal(top_data_page(data, rows, cursor, next), 0);
        json_decref(rows);
}

static void test_page_replaces_its_range(void **state) {
        static const uint32_t low[] = { 1, 5, 9 }, high[] = { 10, 15, UINT32_MAX }, fewer[] = { 5 };
        struct top_data data = { .established = 0 };

        (void)state;
        page(&data, 0, 10, low, 3, "first");
        page(&data, 10, 0, high, 3, "first");
        assert_int_equal(data.connections.n, 6);
        page(&data, 0, 10, fewer, 1, "second");
        assert_int_equal(data.connections.n, 4);
        assert_null(top_data_find(&data, 1));
        assert_string_equal(top_data_find(&data, 5)->program, "second");
        assert_string_equal(top_data_find(&data, UINT32_MAX)->program, "first");
        page(&data, 10, 0, NULL, 0, "");
        assert_int_equal(data.connections.n, 1);
        page(&data, 0, 0, high, 3, "third");
        assert_int_equal(data.connections.n, 3);
        top_data_done(&data);
}

static void test_strings_that_come_in_are_escaped(void **state) {
        static const uint32_t tokens[] = { 1 };
        struct top_data data = { .established = 0 };
        json_t *rows = json_pack("[{s:s,s:s}]", "State", "dead\x1b[2J", "Interface", "a\nb");
        size_t n;

        (void)state;
        page(&data, 0, 0, tokens, 1, "a\x1b[31m\xc2\x9b");
        assert_string_equal(data.connections.items[0].program, "a\\x1b[31m\\xc2\\x9b");
        assert_int_equal(top_data_subflows(&data, 1, rows), 0);
        assert_string_equal(top_data_subflows_of(&data, 1, &n)->interface, "a\\x0ab");
        assert_string_equal(top_data_subflows_of(&data, 1, &n)->state, "dead\\x1b[2J");
        json_decref(rows);
        top_data_done(&data);
}

static json_t *subflows(unsigned int cookie) {
        char local[32];

        snprintf(local, sizeof(local), "192.0.2.%u:5", cookie);
        return json_pack("[{s:s,s:s,s:s,s:s,s:b},{s:s,s:s,s:s,s:s,s:b}]", "State", "established",
                         "Interface", "wifi0", "Local", local, "Remote", "203.0.113.1:80", "Backup",
                         0, "State", "dead", "Interface", "lte0", "Local", "192.0.2.9", "Remote",
                         "203.0.113.1:80", "Backup", 1);
}

/* Three connections: 10 alpha, 20 beta, 30 gamma; beta is the busiest, gamma uploads. */
static void fill(struct top_data *data) {
        static const char *const names[] = { "alpha", "beta", "gamma" };
        struct traffic first = { .usec = SECOND }, second = { .usec = 2 * SECOND };
        json_t *rows = json_array();
        size_t i;

        for (i = 0; i < 3; i++)
                json_array_append_new(rows, row((uint32_t)i * 10 + 10, names[i]));
        assert_int_equal(top_data_page(data, rows, 0, 0), 0);
        json_decref(rows);
        add(&first, 1, 10, "wifi0", 0, 0);
        add(&first, 2, 20, "wifi0", 0, 0);
        add(&first, 3, 20, "lte0", 0, 0);
        add(&first, 4, 30, "wifi0", 0, 0);
        add(&second, 1, 10, "wifi0", 0, 1000);
        add(&second, 2, 20, "wifi0", 0, 2000);
        add(&second, 3, 20, "lte0", 0, 3000);
        add(&second, 4, 30, "wifi0", 4000, 0);
        top_data_traffic(data, &first);
        top_data_traffic(data, &second);
        assert_int_equal(top_data_settle(data), 0);
}

static void test_settle_adds_up(void **state) {
        struct top_data data = { .established = 0 };
        json_t *rows = subflows(2);
        size_t n;

        (void)state;
        fill(&data);
        assert_int_equal(top_data_find(&data, 20)->numbers.down, 5000);
        assert_int_equal(top_data_find(&data, 20)->numbers.rtt_usec, 2000);
        assert_int_equal(data.totals.down, 6000);
        assert_int_equal(data.totals.up, 4000);
        assert_int_equal(data.established, 3);
        assert_int_equal(data.interfaces.n, 2);
        assert_string_equal(data.interfaces.items[0].name, "lte0");
        assert_int_equal(data.interfaces.items[1].numbers.down, 3000);
        assert_int_equal(top_data_subflows(&data, 20, rows), 0);
        assert_int_equal(top_data_subflows(&data, 10, rows), 0);
        assert_int_equal(top_data_settle(&data), 0);
        assert_int_equal(top_data_subflows_of(&data, 20, &n)->numbers.down, 2000);
        assert_int_equal(top_data_subflows_of(&data, 20, &n)[1].numbers.subflows, 0);
        top_data_keep(&data, &(uint32_t){ 10 }, 1);
        assert_null(top_data_subflows_of(&data, 20, &n));
        assert_non_null(top_data_subflows_of(&data, 10, &n));
        assert_int_equal(top_data_subflows(&data, 10, NULL), 0);
        assert_null(top_data_subflows_of(&data, 10, &n));
        json_decref(rows);
        top_data_done(&data);
}

/* The view */

struct shown {
        size_t n;
        size_t columns;
        char lines[64][TOP_LINE];
        enum top_look looks[64];
};

static void on_line(size_t at, const struct top_line *line, void *userdata) {
        struct shown *shown = userdata;
        char cut[TOP_LINE];

        assert_in_range(at, 0, 63);
        assert_true(line->mark_from <= line->mark_to && line->mark_to <= strlen(line->text));
        assert_int_equal(text_fit(line->text, 1000, cut, sizeof(cut)),
                         text_fit(line->text, shown->columns, cut, sizeof(cut)));
        snprintf(shown->lines[at], TOP_LINE, "%s", line->text);
        shown->looks[at] = line->look;
        shown->n = at + 1 > shown->n ? at + 1 : shown->n;
}

static struct shown shown; /* large */

static void render(struct top_view *view, const struct top_data *data) {
        memset(&shown, 0, sizeof(shown));
        shown.columns = view->columns;
        assert_int_equal(top_view_settle(view, data), 0);
        top_view_render(view, data, on_line, &shown);
        assert_true(shown.n <= view->rows);
}

/* The programs in the order of the screen, "alpha beta". */
static const char *programs(void) {
        static const char *const names[] = { "alpha", "beta", "gamma" };
        static char text[256];
        size_t used = 0, i, k;

        text[0] = '\0';
        for (i = 0; i < shown.n; i++)
                for (k = 0; k < ARRAY_SIZE(names); k++)
                        if (strstr(shown.lines[i], names[k]))
                                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                                                         used ? " " : "", names[k]);
        return text;
}

struct fixture {
        struct top_data data;
        struct top_view view;
};

static int setup(void **state) {
        struct fixture *fixture = calloc(1, sizeof(*fixture));

        fill(&fixture->data);
        top_view_init(&fixture->view);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        struct fixture *fixture = *state;

        top_view_done(&fixture->view);
        top_data_done(&fixture->data);
        free(fixture);
        return 0;
}

static enum top_effect press(struct fixture *fixture, uint32_t key) {
        enum top_effect effect = top_view_key(&fixture->view, &fixture->data, key);

        render(&fixture->view, &fixture->data);
        return effect;
}

static void test_sort_keys_order_rows(void **state) {
        static const struct {
                uint32_t key;
                const char *order;
        } cases[] = {
                { 'P', "alpha beta gamma" }, { 'P', "gamma beta alpha" },
                { 'P', "alpha beta gamma" }, { 'D', "beta alpha gamma" },
                { 'U', "gamma alpha beta" }, /* equal ones by token */
                { 'r', "alpha beta gamma" }, { 'B', "beta gamma alpha" },
                { 'R', "gamma beta alpha" }, { 'T', "alpha beta gamma" },
                { '<', "alpha beta gamma" }, /* by remote address: all the same */
                { '<', "alpha beta gamma" }, /* retransmissions */
                { '<', "gamma beta alpha" }, /* round-trip time */
                { '>', "alpha beta gamma" },
        };
        struct fixture *fixture = *state;
        size_t i;

        render(&fixture->view, &fixture->data);
        assert_string_equal(programs(), "beta gamma alpha");
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(press(fixture, cases[i].key), TOP_EFFECT_DRAW);
                assert_string_equal(programs(), cases[i].order);
        }
}

static void type(struct fixture *fixture, const char *text) {
        for (; *text; text++)
                press(fixture, (unsigned char)*text);
}

static void test_filter_knows_words_tokens_and_interfaces(void **state) {
        struct fixture *fixture = *state;

        press(fixture, '/');
        type(fixture, "GAMq"); /* q is a letter here */
        assert_string_equal(programs(), "");
        press(fixture, TOP_KEY_BACKSPACE);
        assert_string_equal(programs(), "gamma");
        press(fixture, '\n');
        assert_string_equal(programs(), "gamma");
        press(fixture, TOP_KEY_ESCAPE);
        assert_string_equal(programs(), "beta gamma alpha");
        press(fixture, '/');
        type(fixture, "lte0");
        assert_string_equal(programs(), "beta");
        press(fixture, TOP_KEY_ESCAPE);
        press(fixture, '/');
        type(fixture, "0000001e");
        assert_string_equal(programs(), "gamma");
}

static void test_filter_takes_characters_and_no_more_than_fit(void **state) {
        struct fixture *fixture = *state;
        size_t i;

        press(fixture, '/');
        for (i = 0; i < 100; i++)
                press(fixture, 0x20ac);
        assert_int_equal(strlen(fixture->view.filter), TOP_FILTER - 1);
        press(fixture, 0x7f);
        assert_int_equal(strlen(fixture->view.filter), TOP_FILTER - 4);
        press(fixture, 0x1b);
        press(fixture, 0x9b);
        press(fixture, 0xd800);
        press(fixture, 0x110000);
        assert_int_equal(strlen(fixture->view.filter), TOP_FILTER - 4);
}

static void test_cursor_stays_on_its_connection(void **state) {
        static const uint32_t rest[] = { 10, 20 };
        struct fixture *fixture = *state;

        render(&fixture->view, &fixture->data);
        assert_int_equal(fixture->view.cursor, 20);
        press(fixture, TOP_KEY_DOWN);
        assert_int_equal(fixture->view.cursor, 30);
        press(fixture, 'P');
        assert_int_equal(fixture->view.cursor, 30);
        assert_int_equal(fixture->view.at, 2);
        page(&fixture->data, 0, 0, rest, 2, "beta");
        render(&fixture->view, &fixture->data);
        assert_int_equal(fixture->view.cursor, 20);
        press(fixture, TOP_KEY_END);
        press(fixture, TOP_KEY_DOWN);
        assert_int_equal(fixture->view.cursor, 20);
        press(fixture, TOP_KEY_HOME);
        press(fixture, 'k');
        assert_int_equal(fixture->view.cursor, 10);
}

static void test_expanded_connection_shows_its_subflows(void **state) {
        struct fixture *fixture = *state;
        json_t *rows = subflows(2);

        render(&fixture->view, &fixture->data);
        press(fixture, TOP_KEY_ENTER);
        assert_int_equal(fixture->view.n_shown, 1);
        assert_int_equal(fixture->view.shown[0], 20);
        assert_int_equal(top_data_subflows(&fixture->data, 20, rows), 0);
        assert_int_equal(top_data_settle(&fixture->data), 0);
        render(&fixture->view, &fixture->data);
        assert_non_null(strstr(shown.lines[5], "  wifi0 established 192.0.2.2:5"));
        assert_non_null(strstr(shown.lines[5], "16.0k")); /* 2000 bytes a second */
        assert_non_null(strstr(shown.lines[6], "  lte0 dead backup (ours) 192.0.2.9"));
        assert_int_equal(shown.looks[6], TOP_LOOK_LOST);
        press(fixture, ' ');
        assert_int_equal(fixture->view.n_shown, 0);
        press(fixture, 'e');
        assert_int_equal(fixture->view.n_shown, 3);
        press(fixture, 'e');
        assert_int_equal(fixture->view.n_shown, 0);
        json_decref(rows);
}

static void test_expanding_ends_at_the_limit(void **state) {
        struct fixture *fixture = *state;
        uint32_t i;

        render(&fixture->view, &fixture->data);
        for (i = 0; i < TOP_EXPANDED; i++)
                assert_int_equal(ARRAY_APPEND(&fixture->view.expanded, 1000 + i, 1000), 0);
        press(fixture, ' ');
        assert_non_null(fixture->view.notice);
        assert_int_equal(fixture->view.expanded.n, TOP_EXPANDED);
}

static void test_pace_has_ends(void **state) {
        struct fixture *fixture = *state;
        size_t i;

        assert_int_equal(fixture->view.interval_usec, 2 * SECOND);
        for (i = 0; i < 20; i++)
                assert_int_equal(press(fixture, '+'), TOP_EFFECT_INTERVAL);
        assert_int_equal(fixture->view.interval_usec, 60 * SECOND);
        for (i = 0; i < 20; i++)
                press(fixture, '-');
        assert_int_equal(fixture->view.interval_usec, SECOND / 5);
        assert_int_equal(press(fixture, 'p'), TOP_EFFECT_INTERVAL);
        assert_true(fixture->view.paused);
        assert_int_equal(press(fixture, 'q'), TOP_EFFECT_QUIT);
}

static void test_every_size_of_the_screen_is_kept_to(void **state) {
        struct fixture *fixture = *state;
        json_t *rows = subflows(2);
        size_t lines, columns;

        press(fixture, 'e');
        assert_int_equal(top_data_subflows(&fixture->data, 20, rows), 0);
        json_decref(rows);
        for (lines = 0; lines < 30; lines++)
                for (columns = 0; columns < 250; columns += lines < 3 ? 1 : 31) {
                        top_view_resize(&fixture->view, lines, columns);
                        press(fixture, lines % 2 ? TOP_KEY_PAGE_DOWN : TOP_KEY_PAGE_UP);
                        press(fixture, '?');
                        press(fixture, '?');
                }
        top_view_resize(&fixture->view, 20, 100000);
        assert_int_equal(fixture->view.columns, TOP_WIDTH);
        render(&fixture->view, &fixture->data);
}

static void test_scrolling_shows_the_cursor(void **state) {
        struct fixture *fixture = *state;
        uint32_t tokens[100];
        uint32_t i;

        for (i = 0; i < 100; i++)
                tokens[i] = i + 1;
        page(&fixture->data, 0, 0, tokens, 100, "alpha");
        assert_int_equal(top_data_settle(&fixture->data), 0);
        top_view_resize(&fixture->view, 14, 80);
        press(fixture, 'T');
        press(fixture, TOP_KEY_END);
        assert_int_equal(fixture->view.at, 99);
        assert_non_null(strstr(shown.lines[13], "alpha"));
        assert_int_equal(shown.looks[13], TOP_LOOK_CURSOR);
        press(fixture, TOP_KEY_HOME);
        assert_int_equal(fixture->view.top, 0);
        press(fixture, TOP_KEY_PAGE_DOWN);
        press(fixture, TOP_KEY_PAGE_DOWN);
        assert_true(fixture->view.at > 10);
        page(&fixture->data, 0, 0, tokens, 3, "alpha"); /* the others have ended */
        render(&fixture->view, &fixture->data);
        assert_int_equal(fixture->view.at, 2);
        assert_int_equal(fixture->view.top, 0);
}

static void test_nothing_to_show_is_said(void **state) {
        struct top_data data = { .established = 0 };
        struct top_view view;

        (void)state;
        top_view_init(&view);
        view.waiting = true;
        render(&view, &data);
        assert_string_equal(shown.lines[3], "no connections");
        assert_string_equal(shown.lines[23], "waiting for the daemon");
        top_view_done(&view);
}

/* Texts */

static void test_fit_counts_wide_characters(void **state) {
        char text[64];

        (void)state;
        assert_int_equal(text_fit("abc", 2, text, sizeof(text)), 2);
        assert_string_equal(text, "ab");
        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                skip();
        assert_int_equal(text_fit("\xe4\xb8\x8b\xe8\xbc\x89", 3, text, sizeof(text)), 2);
        assert_string_equal(text, "\xe4\xb8\x8b");
        assert_int_equal(text_fit("e\xcc\x81x", 9, text, sizeof(text)), 3); /* no width */
        assert_string_equal(text, "e?x");
        assert_int_equal(text_fit("\xe2\x80\x8d"
                                  "x",
                                  9, text, sizeof(text)),
                         2); /* a joiner */
        assert_string_equal(text, "?x");
        (void)setlocale(LC_CTYPE, "C");
        assert_int_equal(text_fit("\xe4\xb8\x8b"
                                  "x",
                                  9, text, sizeof(text)),
                         2);
        assert_string_equal(text, "?x");
}

static void test_fit_keeps_to_the_buffer(void **state) {
        char text[8];

        (void)state;
        assert_int_equal(text_fit("0123456789", 9, text, sizeof(text)), 4);
        assert_string_equal(text, "0123");
}

static void test_rate_text_has_three_digits(void **state) {
        char text[TEXT_SHORT];

        (void)state;
        assert_string_equal(text_rate(0, text), "0");
        assert_string_equal(text_rate(124, text), "992");
        assert_string_equal(text_rate(125, text), "1.0k");
        assert_string_equal(text_rate(124999, text), "1.0M");
        assert_string_equal(text_rate(2500000, text), "20.0M");
        assert_string_equal(text_rate(UINT64_MAX, text), "147.6E");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rate_is_growth_by_time),
                cmocka_unit_test(test_rate_without_a_reading_before_is_unknown),
                cmocka_unit_test(test_rate_of_a_counter_that_went_back_is_zero),
                cmocka_unit_test(test_page_replaces_its_range),
                cmocka_unit_test(test_strings_that_come_in_are_escaped),
                cmocka_unit_test(test_settle_adds_up),
                cmocka_unit_test_setup_teardown(test_sort_keys_order_rows, setup, teardown),
                cmocka_unit_test_setup_teardown(test_filter_knows_words_tokens_and_interfaces,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(test_filter_takes_characters_and_no_more_than_fit,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(test_cursor_stays_on_its_connection, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_expanded_connection_shows_its_subflows, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_expanding_ends_at_the_limit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pace_has_ends, setup, teardown),
                cmocka_unit_test_setup_teardown(test_every_size_of_the_screen_is_kept_to, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_scrolling_shows_the_cursor, setup, teardown),
                cmocka_unit_test(test_nothing_to_show_is_said),
                cmocka_unit_test(test_fit_counts_wide_characters),
                cmocka_unit_test(test_fit_keeps_to_the_buffer),
                cmocka_unit_test(test_rate_text_has_three_digits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
