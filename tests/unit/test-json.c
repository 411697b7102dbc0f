/*
 * util/json: places of values, and the sentences of errors.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/util/json.h"
#include "../../daemon/util/limits.h"

static const char sample[] = "{\n"
                             "  \"a\": [ 1, {\"x\": \"y]}\"}, 3 ],\n"
                             "  \"q\\\"\\u00e9\": \"z\",\n"
                             "\t\"b\" : { \"c\": null }\n"
                             "}";

static void sample_init(struct json_doc *doc) {
        struct json_error error;

        assert_int_equal(json_doc_init(doc, sample, strlen(sample), &error), 0);
}

static void assert_place(struct json_place place, uint32_t line, uint32_t column) {
        assert_int_equal(place.line, line);
        assert_int_equal(place.column, column);
}

/* Refuses text, and says so at line, column, with these words. */
static void assert_refused(const char *text, uint32_t line, uint32_t column, const char *words) {
        struct json_error error = { .text = "" };
        struct json_doc doc = { .len = 77 };

        assert_int_equal(json_doc_init(&doc, text, strlen(text), &error), -EINVAL);
        assert_int_equal(doc.len, 77);
        assert_non_null(strstr(error.text, words));
        assert_place(error.place, line, column);
}

static void test_init_truncated_is_refused_at_end(void **state) {
        (void)state;
        assert_refused("{\"a\":\n 1", 2, 2, "near end of file");
}

static void test_init_empty_is_refused(void **state) {
        (void)state;
        assert_refused("", 1, 1, "near end of file");
}

static void test_init_duplicate_key_is_refused(void **state) {
        (void)state;
        assert_refused("{\"a\": 1,\n\"a\": 2}", 2, 3, "duplicate");
}

static void test_init_array_is_refused_as_root(void **state) {
        (void)state;
        assert_refused("\n [1, 2]", 2, 2, "one object, {...} (here: [1,2])");
}

static void test_init_column_counts_bytes(void **state) {
        (void)state;
        assert_refused("{\"\xc3\xa9\": x}", 1, 8, "near 'x'");
}

static void test_init_control_character_stays_one_line(void **state) {
        struct json_error error;
        struct json_doc doc;

        (void)state;
        assert_int_equal(json_doc_init(&doc, "{\x1b}", 3, &error), -EINVAL);
        assert_null(strchr(error.text, 0x1b));
}

static char *padded(size_t len) {
        char *text = malloc(len);

        assert_non_null(text);
        memset(text, ' ', len);
        text[0] = '{';
        text[len - 1] = '}';
        return text;
}

static void test_init_length_at_limit_is_read(void **state) {
        char *text = padded(LIMIT_CONF_BYTES);
        struct json_error error;
        struct json_doc doc;

        (void)state;
        assert_int_equal(json_doc_init(&doc, text, LIMIT_CONF_BYTES, &error), 0);
        json_doc_done(&doc);
        free(text);
}

static void test_init_length_over_limit_is_refused(void **state) {
        char *text = padded(LIMIT_CONF_BYTES + 1);
        struct json_error error;
        struct json_doc doc;

        (void)state;
        assert_int_equal(json_doc_init(&doc, text, LIMIT_CONF_BYTES + 1, &error), -EINVAL);
        assert_string_equal(error.text,
                            "the file is too long: at most 262144 bytes are read (here: 262145)");
        free(text);
}

static void test_place_root_is_first_byte(void **state) {
        struct json_doc doc;

        (void)state;
        sample_init(&doc);
        assert_place(json_doc_place(&doc, NULL, 0), 1, 1);
        json_doc_done(&doc);
}

static void test_place_element_skips_brackets_in_strings(void **state) {
        const struct json_path a = { .key = "a" };
        const struct json_path third = { .parent = &a, .index = 2 };
        const struct json_path fourth = { .parent = &a, .index = 3 };
        struct json_doc doc;

        (void)state;
        sample_init(&doc);
        assert_place(json_doc_place(&doc, &third, 0), 2, 27);
        assert_place(json_doc_place(&doc, &fourth, 0), 0, 0);
        json_doc_done(&doc);
}

static void test_place_key_with_escapes_is_found(void **state) {
        const struct json_path path = { .key = "q\"\xc3\xa9" };
        struct json_doc doc;

        (void)state;
        sample_init(&doc);
        assert_place(json_doc_place(&doc, &path, 1), 3, 3);
        assert_place(json_doc_place(&doc, &path, 0), 3, 16);
        json_doc_done(&doc);
}

static void test_place_nested_member_is_found(void **state) {
        const struct json_path b = { .key = "b" };
        const struct json_path c = { .parent = &b, .key = "c" };
        struct json_doc doc;

        (void)state;
        sample_init(&doc);
        assert_place(json_doc_place(&doc, &c, 1), 4, 10);
        assert_place(json_doc_place(&doc, &c, 0), 4, 15);
        json_doc_done(&doc);
}

static void test_place_wrong_kind_is_nowhere(void **state) {
        const struct json_path b = { .key = "b" };
        const struct json_path element = { .parent = &b, .index = 0 };
        const struct json_path gone = { .key = "gone" };
        struct json_doc doc;

        (void)state;
        sample_init(&doc);
        assert_place(json_doc_place(&doc, &element, 0), 0, 0);
        assert_place(json_doc_place(&doc, &gone, 0), 0, 0);
        json_doc_done(&doc);
}

static void test_fail_quotes_compact_value(void **state) {
        const struct json_path path = { .key = "b" };
        struct json_error error;
        struct json_doc doc;

        (void)state;
        sample_init(&doc);
        assert_int_equal(json_doc_fail(&doc, &path, json_object_get(doc.root, "b"), &error,
                                       "expected %d", 7),
                         -EINVAL);
        assert_string_equal(error.text, "expected 7 (here: {\"c\":null})");
        assert_place(error.place, 4, 8);
        json_doc_done(&doc);
}

static void test_fail_key_quotes_key(void **state) {
        const struct json_path path = { .key = "q\"\xc3\xa9" };
        struct json_error error;
        struct json_doc doc;

        (void)state;
        sample_init(&doc);
        assert_int_equal(json_doc_fail_key(&doc, &path, &error, "no"), -EINVAL);
        assert_string_equal(error.text, "no (here: \"q\\\"\xc3\xa9\")");
        assert_place(error.place, 3, 3);
        json_doc_done(&doc);
}

/* A value of len bytes 'x', quotes included, behind a message. */
static void fail_with_long(size_t len, const char *tail, struct json_error *error) {
        char value[128];
        struct json_doc doc;
        json_t *string;

        memset(value, 'x', sizeof(value));
        memcpy(value + len - 2 - strlen(tail), tail, strlen(tail) + 1);
        string = json_string(value);
        assert_non_null(string);
        sample_init(&doc);
        json_doc_fail(&doc, NULL, string, error, "m");
        json_doc_done(&doc);
        json_decref(string);
}

static void test_fail_value_of_60_bytes_is_whole(void **state) {
        struct json_error error;

        (void)state;
        fail_with_long(60, "", &error);
        assert_int_equal(strlen(error.text), strlen("m (here: )") + 60);
        assert_null(strstr(error.text, "..."));
}

static void test_fail_value_of_61_bytes_is_cut(void **state) {
        struct json_error error;

        (void)state;
        fail_with_long(61, "", &error);
        assert_int_equal(strlen(error.text), strlen("m (here: ...)") + 60);
        assert_non_null(strstr(error.text, "x...)"));
}

static void test_fail_value_is_not_cut_within_a_character(void **state) {
        struct json_error error;

        (void)state;
        fail_with_long(62, "\xc3\xa9", &error); /* its bytes are number 60 and 61 */
        assert_int_equal(strlen(error.text), strlen("m (here: ...)") + 59);
        assert_non_null(strstr(error.text, "x...)"));
}

static void test_fail_long_message_leaves_room_for_value(void **state) {
        char message[400];
        struct json_error error;
        struct json_doc doc;

        (void)state;
        memset(message, 'w', sizeof(message) - 1);
        message[sizeof(message) - 1] = '\0';
        sample_init(&doc);
        json_doc_fail(&doc, NULL, doc.root, &error, "%s", message);
        assert_non_null(strstr(error.text, "w (here: {\"a\":"));
        assert_non_null(strstr(error.text, "{\"c\":null}})"));
        json_doc_done(&doc);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_init_truncated_is_refused_at_end),
                cmocka_unit_test(test_init_empty_is_refused),
                cmocka_unit_test(test_init_duplicate_key_is_refused),
                cmocka_unit_test(test_init_array_is_refused_as_root),
                cmocka_unit_test(test_init_column_counts_bytes),
                cmocka_unit_test(test_init_control_character_stays_one_line),
                cmocka_unit_test(test_init_length_at_limit_is_read),
                cmocka_unit_test(test_init_length_over_limit_is_refused),
                cmocka_unit_test(test_place_root_is_first_byte),
                cmocka_unit_test(test_place_element_skips_brackets_in_strings),
                cmocka_unit_test(test_place_key_with_escapes_is_found),
                cmocka_unit_test(test_place_nested_member_is_found),
                cmocka_unit_test(test_place_wrong_kind_is_nowhere),
                cmocka_unit_test(test_fail_quotes_compact_value),
                cmocka_unit_test(test_fail_key_quotes_key),
                cmocka_unit_test(test_fail_value_of_60_bytes_is_whole),
                cmocka_unit_test(test_fail_value_of_61_bytes_is_cut),
                cmocka_unit_test(test_fail_value_is_not_cut_within_a_character),
                cmocka_unit_test(test_fail_long_message_leaves_room_for_value),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
