/*
 * util/utf8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/utf8.h"

static void test_clean_replaces_what_is_no_character(void **state) {
        static const char *const rows[][2] = {
                { "", "" },
                { "plain ~\x01", "plain ~\x01" },
                { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
                { "\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd" }, /* the last one of all */
                { "a\xff"
                  "b\x80"
                  "c",
                  "a?b?c" },
                { "cut\xc3", "cut?" }, /* within a character */
                { "cut\xe2\x82", "cut??" },
                { "cut\xf0\x9f\x98", "cut???" },
                { "\xc3(", "?(" },
                { "\xc0\xaf", "??" }, /* longer than needed */
                { "\xe0\x80\xaf", "???" },
                { "\xf0\x80\x80\xaf", "????" },
                { "\xed\xa0\x80", "???" },      /* a surrogate */
                { "\xf4\x90\x80\x80", "????" }, /* beyond the last one */
                { "\xf8\x88\x80\x80\x80", "?????" },
                { "\xef\xbf\xbe", "???" }, /* no characters by definition */
                { "\xef\xb7\x90", "???" },
        };
        char text[64];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                snprintf(text, sizeof(text), "%s", rows[i][0]);
                utf8_clean(text);
                assert_string_equal(text, rows[i][1]);
        }
}

static void test_copy_is_cut_to_what_is_left_of_it(void **state) {
        char text[4];

        (void)state;
        assert_string_equal(utf8_copy("ab", text, sizeof(text)), "ab");
        assert_string_equal(utf8_copy("ab\xc3\xa9", text, sizeof(text)), "ab?");
        assert_string_equal(utf8_copy("abc\xc3\xa9", text, sizeof(text)), "abc");
        assert_ptr_equal(utf8_copy("", text, sizeof(text)), text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clean_replaces_what_is_no_character),
                cmocka_unit_test(test_copy_is_cut_to_what_is_left_of_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
