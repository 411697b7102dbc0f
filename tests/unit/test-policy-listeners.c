/*
 * policy/listeners: which listeners a database protects by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policies.h"
#include "../../policy/listeners.h"

#define MAX 8u

struct found {
        struct policy_listener items[MAX];
        size_t n;
};

static struct found required(const struct policies_file *files, size_t n, size_t max) {
        void *image = policies_new(files, n, NULL);
        const struct policy_read read = policies_begin(image);
        struct found found;

        memset(&found, 0, sizeof(found));
        found.n = policy_required_listeners(&read, found.items, max);
        free(image);
        return found;
}

#define POLICY(auth, listen)                                                                  \
        "{\"match\":{\"app\":\"x\"},\"auth\":{\"mode\":\"" auth "\"},\"socket\":{\"listen\":" \
        "[" listen "]}}"

static void test_required_listeners_require_alone_counts(void **state) {
        const struct policies_file files[] = {
                { "off.json", POLICY("off", "\"*:80\"") },
                { "prefer.json", POLICY("prefer", "\"*:81\"") },
                { "require.json", POLICY("require", "\"*:82\"") },
        };
        const struct found found = required(files, 3, MAX);

        (void)state;
        assert_int_equal(found.n, 1);
        assert_int_equal(found.items[0].ports.first, 82);
        assert_int_equal(found.items[0].ports.last, 82);
        assert_int_equal(found.items[0].at.family, 0);
        assert_int_equal(found.items[0].at.len, 0);
}

static void test_required_listeners_has_addresses_and_ranges(void **state) {
        const struct policies_file files[] = {
                { "a.json", POLICY("require", "\"192.0.2.7:8000-8010\",\"[2001:db8::1]:443\","
                                              "\"0.0.0.0:22\"") },
        };
        const struct found found = required(files, 1, MAX);

        (void)state;
        assert_int_equal(found.n, 3);
        assert_int_equal(found.items[0].at.family, 4);
        assert_int_equal(found.items[0].at.len, 32);
        assert_int_equal(found.items[0].at.bytes[3], 7);
        assert_int_equal(found.items[0].ports.first, 8000);
        assert_int_equal(found.items[0].ports.last, 8010);
        assert_int_equal(found.items[1].at.family, 6);
        assert_int_equal(found.items[1].at.len, 128);
        assert_int_equal(found.items[2].at.family, 0);
}

/* Who listens there is not known beforehand: the strictest policy counts. */
static void test_required_listeners_one_listener_of_two_policies_is_there_once(void **state) {
        const struct policies_file files[] = {
                { "a.json", POLICY("require", "\"*:443\",\"*:443\"") },
                { "b.json", POLICY("require", "\"*:443\"") },
                { "c.json", POLICY("off", "\"*:443\"") },
        };

        (void)state;
        assert_int_equal(required(files, 3, MAX).n, 1);
}

static void test_required_listeners_more_than_max_are_counted(void **state) {
        const struct policies_file files[] = {
                { "a.json", POLICY("require", "\"*:1\",\"*:2\",\"*:3\"") },
        };
        const struct found found = required(files, 1, 2);

        (void)state;
        assert_int_equal(found.n, 3);
        assert_int_equal(found.items[1].ports.first, 2);
        assert_int_equal(found.items[2].ports.first, 0);
}

static void test_required_listeners_no_database_has_none(void **state) {
        struct policy_listener none;

        (void)state;
        assert_int_equal(policy_required_listeners(NULL, &none, 1), 0);
}

static bool open_listeners(const char *text) {
        const struct policies_file file = { "a.json", text };
        void *image = policies_new(&file, 1, NULL);
        const struct policy_read read = policies_begin(image);
        const struct policy_app *app = policy_at(&read, &read.half->apps, 0, sizeof(*app));
        const bool open = policy_leaves_listeners_open(app);

        free(image);
        return open;
}

#define REQUIRE(more) "{\"match\":{\"app\":\"x\"},\"auth\":{\"mode\":\"require\"}" more "}"

static void test_leaves_listeners_open_without_a_list(void **state) {
        (void)state;
        assert_true(open_listeners(REQUIRE("")));
        assert_false(open_listeners(POLICY("require", "\"*:443\"")));
        assert_false(open_listeners(POLICY("prefer", "\"*:443\"")));
        assert_false(open_listeners(REQUIRE(",\"socket\":{\"upgrade\":[\"connect\"]}")));
        assert_false(open_listeners(REQUIRE(",\"paths\":{\"mode\":\"off\"}")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_required_listeners_require_alone_counts),
                cmocka_unit_test(test_required_listeners_has_addresses_and_ranges),
                cmocka_unit_test(
                                test_required_listeners_one_listener_of_two_policies_is_there_once),
                cmocka_unit_test(test_required_listeners_more_than_max_are_counted),
                cmocka_unit_test(test_required_listeners_no_database_has_none),
                cmocka_unit_test(test_leaves_listeners_open_without_a_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
