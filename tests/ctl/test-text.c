/*
 * ctl/text: what is safe on a terminal, and numbers for people.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "../../daemon/ctl/text.h"
#include "../../daemon/util/cleanup.h"

struct escape_case {
        const char *from;
        const char *to;
};

static void test_quote_makes_one_word_of_anything(void **state) {
        char text[32];

        (void)state;
        assert_string_equal(text_quote("lte0", text, sizeof(text)), "'lte0'");
        assert_string_equal(text_quote("", text, sizeof(text)), "''");
        assert_string_equal(text_quote("a b;$(c)`d`", text, sizeof(text)), "'a b;$(c)`d`'");
        assert_string_equal(text_quote("';reboot;'", text, sizeof(text)), "''\\'';reboot;'\\'''");
        assert_string_equal(text_quote("abcdef", text, 9), "'abcdef'");
        assert_string_equal(text_quote("abcdefg", text, 9), "''"); /* not half of a word */
        assert_string_equal(text_quote("abc'", text, 9), "''");
}

static void test_word_is_quoted_if_need_be(void **state) {
        char text[32];

        (void)state;
        assert_string_equal(text_word("eth0.100", text, sizeof(text)), "eth0.100");
        assert_string_equal(text_word("", text, sizeof(text)), "''");
        assert_string_equal(text_word("a;b", text, sizeof(text)), "'a;b'");
        assert_string_equal(text_word("~x", text, sizeof(text)), "'~x'");
        assert_string_equal(text_word("abcdefgh", text, 8), "''");
}

static void test_escape_keeps_text_and_writes_the_rest_as_hex(void **state) {
        static const struct escape_case cases[] = {
                { "", "" },
                { "wlan0 ~", "wlan0 ~" },
                { "a\x1b[31m\n\t\x7f", "a\\x1b[31m\\x0a\\x09\\x7f" },
                { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
                { "\xc2\x9b", "\\xc2\\x9b" }, /* CSI, of the C1 set */
                { "\xc2\xa0", "\xc2\xa0" },   /* the first character behind it */
                { "\xc3", "\\xc3" },          /* cut off */
                { "\xe2\x82", "\\xe2\\x82" },
                { "\xc0\xaf", "\\xc0\\xaf" }, /* longer than need be */
                { "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
                { "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
                { "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* half of a surrogate pair */
                { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* behind the last character */
                { "\xff", "\\xff" },
        };
        char text[64];
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++)
                assert_string_equal(text_escape(cases[i].from, text, sizeof(text)), cases[i].to);
}

static void test_escape_at_the_end_of_the_buffer(void **state) {
        char text[16];

        (void)state;
        assert_string_equal(text_escape("123456789012", text, sizeof(text)), "123456789012");
        assert_string_equal(text_escape("1234567890123", text, sizeof(text)), "123456789012...");
        assert_string_equal(text_escape("12345678901\xc3\xa9", text, sizeof(text)),
                            "12345678901...");
        assert_string_equal(text_escape("123456789\x1b", text, sizeof(text)), "123456789...");
}

static void test_width_counts_characters(void **state) {
        (void)state;
        assert_int_equal(text_width(""), 0);
        assert_int_equal(text_width("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 4);
}

struct number_case {
        uint64_t number;
        const char *text;
};

static void test_bytes_at_the_edges_of_units(void **state) {
        static const struct number_case cases[] = {
                { 0, "0 B" },
                { 999, "999 B" },
                { 1000, "1.0 kB" },
                { 999949, "999.9 kB" },
                { 999950, "1.0 MB" },
                { 12300000, "12.3 MB" },
                { UINT64_C(5000000000), "5.0 GB" },
                { UINT64_MAX, "18.4 EB" },
        };
        char text[TEXT_SHORT];
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++)
                assert_string_equal(text_bytes(cases[i].number, text), cases[i].text);
}

static void test_duration_at_the_edges_of_units(void **state) {
        static const struct number_case cases[] = {
                { 0, "0 us" },
                { 999, "999 us" },
                { 1000, "1.0 ms" },
                { 12345, "12.3 ms" },
                { 999949, "999.9 ms" },
                { 999950, "1.00 s" },
                { UINT32_MAX, "4294.97 s" },
        };
        char text[TEXT_SHORT];
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++)
                assert_string_equal(text_duration(cases[i].number, text), cases[i].text);
}

static void test_time_is_local(void **state) {
        char text[TEXT_SHORT];

        (void)state;
        setenv("TZ", "TEST-2", 1); /* two hours ahead of UTC */
        tzset();
        assert_string_equal(text_time(UINT64_C(1714564800123999), text), "2024-05-01 14:00:00.123");
        assert_string_equal(text_time(0, text), "1970-01-01 02:00:00.000");
}

static void test_time_far_away_fits(void **state) {
        char text[TEXT_SHORT];

        (void)state;
        text_time(UINT64_MAX, text);
        assert_string_equal(text, "586524-01-19 10:01:49.551");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quote_makes_one_word_of_anything),
                cmocka_unit_test(test_word_is_quoted_if_need_be),
                cmocka_unit_test(test_escape_keeps_text_and_writes_the_rest_as_hex),
                cmocka_unit_test(test_escape_at_the_end_of_the_buffer),
                cmocka_unit_test(test_width_counts_characters),
                cmocka_unit_test(test_bytes_at_the_edges_of_units),
                cmocka_unit_test(test_duration_at_the_edges_of_units),
                cmocka_unit_test(test_time_is_local),
                cmocka_unit_test(test_time_far_away_fits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
