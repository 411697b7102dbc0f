/*
 * The gate's pure parts: what its transactions say, listeners without overlaps, and what errors of
 * libnftables mean.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "../../daemon/auth/gate-listeners.h"
#include "../../daemon/auth/gate-nft.h"
#include "../../daemon/auth/gate-table.h"

#define SECOND UINT64_C(1000000)
#define START  (100 * SECOND)

static struct mptcpize_address at(const char *text) {
        struct mptcpize_address address = { 0 };

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static int setup(void **state) {
        struct gate_table *table;

        assert_int_equal(gate_table_new(&table), 0);
        *state = table;
        return 0;
}

static int teardown(void **state) {
        gate_table_free(*state);
        return 0;
}

static int want(struct gate_table *table, enum gate_request_type type, uint32_t token,
                const char *source, uint64_t now) {
        struct gate_request request = { .type = type, .token = token };

        if (source)
                request.source = at(source);
        return gate_table_want(table, &request, now);
}

/* The changes are these, and are in force then. "": there are none. */
static void assert_changes(struct gate_table *table, uint64_t now, const char *wanted) {
        char *text = NULL;

        assert_int_equal(gate_table_changes(table, now, &text), 0);
        assert_string_equal(text ? text : "", wanted);
        free(text);
        gate_table_written(table, now);
}

static char *all(struct gate_table *table, uint64_t now) {
        char *text = NULL;

        assert_int_equal(gate_table_all(table, now, &text), 0);
        assert_non_null(text);
        return text;
}

static void test_changes_of_many_requests_are_one_transaction(void **state) {
        struct gate_table *table = *state;

        assert_int_equal(want(table, GATE_GUARD, 0x11223344, NULL, START), 0);
        assert_int_equal(want(table, GATE_GUARD, 0x55, NULL, START), 0);
        assert_int_equal(want(table, GATE_ADMIT, 0x55, "2001:db8::1", START), 0);
        assert_int_equal(want(table, GATE_ADMIT, 0x55, "192.0.2.1", START), 0);
        assert_changes(table, START,
                       "add element inet mptcpize guarded { 0x00000055, 0x11223344 }\n"
                       "add element inet mptcpize admitted4 "
                       "{ 0x00000055 . 192.0.2.1 timeout 5000ms }\n"
                       "add element inet mptcpize admitted6 "
                       "{ 0x00000055 . 2001:db8::1 timeout 5000ms }\n");
        assert_changes(table, START, "");
        assert_int_equal(gate_table_guarded(table), 2);
}

static void test_changes_that_cancel_are_none(void **state) {
        struct gate_table *table = *state;

        assert_int_equal(want(table, GATE_GUARD, 1, NULL, START), 0);
        assert_int_equal(want(table, GATE_UNGUARD, 1, NULL, START), 0);
        assert_int_equal(want(table, GATE_UNGUARD, 2, NULL, START), 0);
        assert_int_equal(want(table, GATE_ADMIT, 1, "192.0.2.1", START), 0);
        assert_int_equal(want(table, GATE_DISMISS, 1, "192.0.2.1", START), 0);
        assert_changes(table, START, "");
        assert_false(gate_table_needed(table));
}

static void test_changes_of_what_is_there_already_are_none(void **state) {
        struct gate_table *table = *state;

        assert_int_equal(want(table, GATE_GUARD, 1, NULL, START), 0);
        assert_changes(table, START, "add element inet mptcpize guarded { 0x00000001 }\n");
        assert_int_equal(want(table, GATE_GUARD, 1, NULL, START), 0);
        assert_int_equal(want(table, GATE_UNGUARD, 1, NULL, START), 0);
        assert_int_equal(want(table, GATE_GUARD, 1, NULL, START), 0);
        assert_changes(table, START, "");
        assert_int_equal(want(table, GATE_UNGUARD, 1, NULL, START), 0);
        assert_changes(table, START, "delete element inet mptcpize guarded { 0x00000001 }\n");
}

/* Whether the kernel has still got it or not, none of the three can fail. */
static void test_admission_again_is_added_removed_and_added(void **state) {
        struct gate_table *table = *state;
        const uint64_t later = START + 5 * SECOND + 1;

        assert_int_equal(want(table, GATE_ADMIT, 1, "192.0.2.1", START), 0);
        assert_changes(table, START,
                       "add element inet mptcpize admitted4 "
                       "{ 0x00000001 . 192.0.2.1 timeout 5000ms }\n");
        assert_int_equal(want(table, GATE_ADMIT, 1, "192.0.2.1", later), 0);
        assert_int_equal(want(table, GATE_ADMIT, 1, "192.0.2.1", later), 0);
        assert_changes(table, later,
                       "add element inet mptcpize admitted4 "
                       "{ 0x00000001 . 192.0.2.1 timeout 5000ms }\n"
                       "delete element inet mptcpize admitted4 { 0x00000001 . 192.0.2.1 }\n"
                       "add element inet mptcpize admitted4 "
                       "{ 0x00000001 . 192.0.2.1 timeout 5000ms }\n");
}

static void test_admission_dismissed_is_removed_unless_long_over(void **state) {
        struct gate_table *table = *state;

        assert_int_equal(want(table, GATE_ADMIT, 1, "192.0.2.1", START), 0);
        assert_int_equal(want(table, GATE_ADMIT, 2, "192.0.2.1", START), 0);
        gate_table_written(table, START);
        assert_int_equal(want(table, GATE_DISMISS, 1, "192.0.2.1", START + SECOND), 0);
        assert_changes(table, START + SECOND,
                       "add element inet mptcpize admitted4 "
                       "{ 0x00000001 . 192.0.2.1 timeout 4000ms }\n"
                       "delete element inet mptcpize admitted4 { 0x00000001 . 192.0.2.1 }\n");
        assert_int_equal(want(table, GATE_DISMISS, 2, "192.0.2.1", START + 7 * SECOND), 0);
        assert_changes(table, START + 7 * SECOND, "");
}

static void test_admission_of_nobody_is_refused(void **state) {
        assert_int_equal(want(*state, GATE_ADMIT, 1, NULL, START), -EINVAL);
        assert_int_equal(want(*state, GATE_DISMISS, 1, NULL, START), -EINVAL);
        assert_int_equal(want(*state, _GATE_REQUEST_MAX, 1, NULL, START), -EINVAL);
}

static void test_all_has_what_is_in_force_and_the_time_that_is_left(void **state) {
        struct gate_table *table = *state;
        char *text;

        assert_int_equal(want(table, GATE_GUARD, 7, NULL, START), 0);
        assert_int_equal(want(table, GATE_ADMIT, 7, "192.0.2.1", START), 0);
        assert_int_equal(want(table, GATE_ADMIT, 7, "192.0.2.2", START - 4 * SECOND), 0);
        gate_table_written(table, START);
        text = all(table, START + 2 * SECOND);
        assert_ptr_equal(strstr(text, GATE_TEXT_REMOVE), text);
        assert_non_null(strstr(text, "add element inet mptcpize guarded { 0x00000007 }\n"));
        assert_non_null(strstr(text, "{ 0x00000007 . 192.0.2.1 timeout 3000ms }\n"));
        assert_null(strstr(text, "192.0.2.2"));
        assert_null(strstr(text, "delete element"));
        free(text);
}

/* A text that failed changes nothing: the next one says the same. */
static void test_text_that_is_not_written_comes_again(void **state) {
        struct gate_table *table = *state;
        char *first, *second;

        assert_int_equal(want(table, GATE_GUARD, 7, NULL, START), 0);
        assert_int_equal(gate_table_changes(table, START, &first), 0);
        assert_int_equal(gate_table_changes(table, START, &second), 0);
        assert_string_equal(first, second);
        free(first);
        free(second);
}

static void test_inherited_token_goes_when_settled_unless_wanted(void **state) {
        struct gate_table *table = *state;

        assert_int_equal(gate_table_inherit_token(table, 1), 0);
        assert_int_equal(gate_table_inherit_token(table, 2), 0);
        assert_int_equal(want(table, GATE_GUARD, 2, NULL, START), 0);
        assert_int_equal(gate_table_guarded(table), 2);
        free(all(table, START));
        gate_table_written(table, START);
        gate_table_settle(table);
        assert_int_equal(gate_table_guarded(table), 1);
        assert_changes(table, START, "delete element inet mptcpize guarded { 0x00000001 }\n");
        gate_table_settle(table);
        assert_changes(table, START, "");
}

static void test_inherited_listener_goes_when_settled(void **state) {
        const struct gate_listener old = {
                .prefix = at("192.0.2.1"), .prefix_len = 32, .first = 80, .last = 80
        };
        const struct gate_listener new = { .first = 443, .last = 445 };
        struct gate_listeners listeners = { 0 };
        struct gate_table *table = *state;

        assert_int_equal(gate_table_inherit_listener(table, &old), 0);
        assert_int_equal(gate_listeners_add(&listeners, &new, 1, 1), 0);
        gate_table_want_listeners(table, &listeners);
        assert_int_equal(gate_table_listeners(table), 2);
        assert_changes(table, START,
                       "flush set inet mptcpize required4\n"
                       "add element inet mptcpize required4 "
                       "{ 0.0.0.0/0 . 443-445, 192.0.2.1/32 . 80 }\n"
                       "flush set inet mptcpize required6\n"
                       "add element inet mptcpize required6 { ::/0 . 443-445 }\n");
        gate_table_settle(table);
        assert_changes(table, START,
                       "flush set inet mptcpize required4\n"
                       "add element inet mptcpize required4 { 0.0.0.0/0 . 443-445 }\n"
                       "flush set inet mptcpize required6\n"
                       "add element inet mptcpize required6 { ::/0 . 443-445 }\n");
        assert_int_equal(gate_table_listeners(table), 1);
}

static void test_tokens_over_the_limit_are_refused(void **state) {
        struct gate_table *table = *state;

        for (uint32_t i = 0; i < LIMIT_GATE_TOKENS; i++)
                assert_int_equal(want(table, GATE_GUARD, i * 2654435761u, NULL, START), 0);
        assert_int_equal(want(table, GATE_GUARD, 1, NULL, START), -ENOBUFS);
        assert_int_equal(want(table, GATE_GUARD, 0, NULL, START), 0);
        assert_int_equal(want(table, GATE_UNGUARD, 0, NULL, START), 0);
        assert_int_equal(want(table, GATE_GUARD, 1, NULL, START), 0);
        assert_int_equal(gate_table_guarded(table), LIMIT_GATE_TOKENS);
}

static void test_admissions_over_the_limit_are_refused_until_some_end(void **state) {
        struct gate_table *table = *state;

        for (uint32_t i = 0; i < LIMIT_GATE_ADMITTED; i++)
                assert_int_equal(want(table, GATE_ADMIT, i * 2654435761u, "192.0.2.1", START), 0);
        gate_table_written(table, START);
        assert_int_equal(want(table, GATE_ADMIT, 1, "192.0.2.1", START), -ENOBUFS);
        assert_int_equal(want(table, GATE_ADMIT, 0, "192.0.2.1", START + 1), 0);
        gate_table_written(table, START);
        assert_int_equal(want(table, GATE_ADMIT, 1, "192.0.2.1", START + 6 * SECOND), 0);
}

/* Listeners */

static struct gate_listener listener(const char *prefix, uint8_t len, uint16_t first,
                                     uint16_t last) {
        struct gate_listener made = { .prefix_len = len, .first = first, .last = last };

        if (prefix)
                made.prefix = at(prefix);
        return made;
}

static void assert_split(const struct gate_listener *items, size_t n, uint16_t family,
                         const char *wanted) {
        struct gate_listeners listeners = { 0 }, split = { 0 };
        char text[512] = "", buffer[ADDRESS_TEXT];
        size_t len = 0;

        assert_int_equal(gate_listeners_add(&listeners, items, n, n), 0);
        assert_int_equal(gate_listeners_split(&listeners, family, &split), 0);
        for (uint32_t i = 0; i < split.list.n; i++) {
                const struct gate_listener *item = &split.list.items[i];

                len += (size_t)snprintf(text + len, sizeof(text) - len, "%s/%u:%u-%u ",
                                        address_format(&item->prefix, buffer), item->prefix_len,
                                        item->first, item->last);
        }
        assert_string_equal(text, wanted);
        gate_listeners_done(&listeners);
        gate_listeners_done(&split);
}

static void test_split_leaves_the_narrow_what_the_wide_have_not(void **state) {
        const struct gate_listener items[] = {
                listener("10.1.2.3", 32, 1, 65535), listener("10.1.0.0", 16, 80, 90),
                listener(NULL, 0, 443, 443),        listener("10.0.0.0", 8, 85, 100),
                listener("192.0.2.1", 32, 80, 80),  listener("2001:db8::1", 128, 5, 5),
        };

        (void)state;
        assert_split(items, ARRAY_SIZE(items), AF_INET,
                     "0.0.0.0/0:443-443 10.0.0.0/8:85-100 10.1.0.0/16:80-84 10.1.2.3/32:1-79 "
                     "10.1.2.3/32:101-442 10.1.2.3/32:444-65535 192.0.2.1/32:80-80 ");
        assert_split(items, ARRAY_SIZE(items), AF_INET6, "::/0:443-443 2001:db8::1/128:5-5 ");
}

static void test_split_of_equals_and_edges(void **state) {
        const struct gate_listener items[] = {
                listener("10.9.9.9", 8, 0, 65535),
                listener("10.0.0.0", 8, 5, 5),
                listener("11.0.0.0", 99, 65535, 65535),
                listener("12.0.0.0", 8, 6, 5),
        };

        (void)state;
        assert_split(items, ARRAY_SIZE(items), AF_INET,
                     "10.0.0.0/8:0-65535 11.0.0.0/32:65535-65535 ");
        assert_split(items, 0, AF_INET, "");
}

static bool covers(const struct gate_listener *items, size_t n, const struct mptcpize_address *host,
                   uint16_t port, unsigned int *ret_times) {
        *ret_times = 0;
        for (size_t i = 0; i < n; i++)
                *ret_times += (items[i].prefix.family == 0 ||
                               address_in_prefix(host, &items[i].prefix, items[i].prefix_len)) &&
                              items[i].first <= port && port <= items[i].last;
        return *ret_times > 0;
}

/* A small world of 16 addresses and 16 ports, in which all can be tried. */
static void check_world(const struct gate_listener *items, size_t n) {
        struct gate_listeners listeners = { 0 }, split = { 0 };
        struct mptcpize_address host = at("10.0.0.0");
        unsigned int times;

        assert_int_equal(gate_listeners_add(&listeners, items, n, n), 0);
        assert_int_equal(gate_listeners_split(&listeners, AF_INET, &split), 0);
        for (unsigned int i = 0; i < 256; i++) {
                const uint16_t port = (uint16_t)(i % 16);
                bool before;

                host.bytes[3] = (uint8_t)(i / 16);
                before = covers(items, n, &host, port, &times);
                assert_int_equal(covers(split.list.items, split.list.n, &host, port, &times),
                                 before);
                assert_true(times <= 1);
        }
        gate_listeners_done(&listeners);
        gate_listeners_done(&split);
}

static void test_split_covers_the_same_and_nothing_twice(void **state) {
        uint32_t random = 1;

        (void)state;
        for (unsigned int round = 0; round < 2000; round++) {
                struct gate_listener items[12];

                for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
                        random = random * 1664525 + 1013904223;
                        items[i] = listener("10.0.0.0", (uint8_t)(28 + (random >> 8) % 5),
                                            (uint16_t)((random >> 12) % 16), 0);
                        items[i].last = (uint16_t)(items[i].first + (random >> 16) % 6);
                        items[i].prefix.bytes[3] = (uint8_t)((random >> 20) % 16);
                }
                check_world(items, ARRAY_SIZE(items));
        }
}

static void test_split_over_the_limit_is_refused(void **state) {
        struct gate_listeners listeners = { 0 }, split = { 0 };

        (void)state;
        for (uint16_t i = 0; i < 512; i++) {
                const struct gate_listener wide =
                                listener(NULL, 0, (uint16_t)(2 * i), (uint16_t)(2 * i));
                struct gate_listener narrow = listener("10.0.0.0", 32, 0, 65535);

                narrow.prefix.bytes[3] = (uint8_t)i;
                narrow.prefix.bytes[2] = (uint8_t)(i >> 8);
                assert_int_equal(gate_listeners_add(&listeners, &wide, 1, LIMIT_GATE_LISTENERS), 0);
                assert_int_equal(gate_listeners_add(&listeners, &narrow, 1, LIMIT_GATE_LISTENERS),
                                 0);
        }
        assert_int_equal(gate_listeners_add(&listeners, listeners.list.items, 1,
                                            LIMIT_GATE_LISTENERS),
                         -ENOBUFS);
        assert_int_equal(gate_listeners_split(&listeners, AF_INET, &split), -ENOBUFS);
        gate_listeners_done(&listeners);
        gate_listeners_done(&split);
}

/* Words */

static void assert_words(const char *output, int error, const char *wanted) {
        char words[LIMIT_REASON];

        gate_nft_words(output, words);
        assert_string_equal(words, wanted);
        assert_int_equal(gate_nft_error(output), error);
}

static void test_words_are_the_first_error_without_its_place(void **state) {
        char longer[400], words[LIMIT_REASON];

        (void)state;
        assert_words("internal:0:0-0: Error: Could not process rule: File exists\n\nadd ^^\n",
                     -EEXIST, "Could not process rule: File exists");
        assert_words("", -EIO, "");
        assert_words("nothing known", -EIO, "nothing known");
        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        gate_nft_words(longer, words);
        assert_int_equal(strlen(words), LIMIT_REASON - 1);
}

static void test_remedies_are_named_for_what_can_be_mended(void **state) {
        (void)state;
        assert_non_null(strstr(gate_nft_remedy(-EPERM), "CAP_NET_ADMIN"));
        assert_non_null(strstr(gate_nft_remedy(-EOPNOTSUPP), "modprobe nf_tables"));
        assert_null(gate_nft_remedy(-ENOMEM));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_changes_of_many_requests_are_one_transaction),
                T(test_changes_that_cancel_are_none),
                T(test_changes_of_what_is_there_already_are_none),
                T(test_admission_again_is_added_removed_and_added),
                T(test_admission_dismissed_is_removed_unless_long_over),
                T(test_admission_of_nobody_is_refused),
                T(test_all_has_what_is_in_force_and_the_time_that_is_left),
                T(test_text_that_is_not_written_comes_again),
                T(test_inherited_token_goes_when_settled_unless_wanted),
                T(test_inherited_listener_goes_when_settled),
                T(test_tokens_over_the_limit_are_refused),
                T(test_admissions_over_the_limit_are_refused_until_some_end),
                cmocka_unit_test(test_split_leaves_the_narrow_what_the_wide_have_not),
                cmocka_unit_test(test_split_of_equals_and_edges),
                cmocka_unit_test(test_split_covers_the_same_and_nothing_twice),
                cmocka_unit_test(test_split_over_the_limit_is_refused),
                cmocka_unit_test(test_words_are_the_first_error_without_its_place),
                cmocka_unit_test(test_remedies_are_named_for_what_can_be_mended),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
