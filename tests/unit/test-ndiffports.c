/*
 * The plugin ndiffports in the real engine.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pump.h"

#define SEC    ((uint64_t)1000000)
#define SECOND "203.0.113.2:80"

static void announce(struct world *world, const char *address) {
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, address, 0, 5, 0);
        pump(world);
}

static void test_established_second_subflow_on_the_same_pair(void **state) {
        struct world *world = *state;
        const struct connection *connection;

        pump_connect(world, 0);
        assert_string_equal(pump_log(), "create wifi ");
        connection = world_connection(world);
        assert_int_equal(connection->subflows.n, 2);
        assert_int_equal(connection->subflows.items[1].is.local.port, 50000);
        assert_int_equal(connection->subflows.items[1].is.local_id, 0);
}

/* Routing decides as it did for the first one: this host may have equal-cost routes. */
static void test_join_is_bound_to_no_interface_and_asks_for_no_port(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, "192.0.2.1", "203.0.113.1:80");
        assert_int_equal(action.ifindex, 0);
        assert_int_equal(action.local.port, 0);
        assert_int_equal(action.backup, 0);
        world_expect_nothing(world);
}

static void test_subflows_eight_as_far_as_the_limit_goes(void **state) {
        pump_option(*state, "subflows", "8");
        pump_connect(*state, 0);
        assert_string_equal(pump_log(), "create wifi create wifi create wifi ");
}

static void test_subflows_eight_with_room_are_eight(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 10;
        pump_option(world, "subflows", "8");
        pump_connect(world, 0);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 8);
        pump_pass(world, 100 * SEC);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 8);
}

static void test_lost_one_is_replaced(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:50000", "203.0.113.1:80", 0, 0,
                    ETIMEDOUT);
        pump(world);
        pump_pass(world, 3 * SEC);
        assert_string_equal(pump_log(), "create wifi ");
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
}

static void test_first_one_lost_is_replaced_from_the_same_address(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:40000", "203.0.113.1:80", 0, 0,
                    ETIMEDOUT);
        pump(world);
        pump_pass(world, 3 * SEC);
        assert_string_equal(pump_log(), "create wifi ");
}

static void test_refused_one_is_not_asked_for_again(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:50000", "203.0.113.1:80", 0, 0,
                    ECONNREFUSED);
        pump(world);
        pump_pass(world, 600 * SEC);
        assert_string_equal(pump_log(), "");
}

static void test_address_lost_goes_on_from_another(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        pump_link(world, 2, false);
        assert_string_equal(pump_log(),
                            "create lte create lte withdraw wifi abort wifi abort wifi ");
        pump_link(world, 2, true);
        assert_string_equal(pump_log(), "");
}

static void test_server_does_nothing(void **state) {
        pump_connect(*state, EVENT_MPTCP_SERVER);
        assert_string_equal(pump_log(), "");
}

static void test_denied_initial_uses_an_announced_address(void **state) {
        struct world *world = *state;

        pump_option(world, "subflows", "3");
        pump_connect(world, EVENT_MPTCP_DENY_JOIN_INITIAL);
        assert_string_equal(pump_log(), "");
        announce(world, "2001:db8::2");
        assert_string_equal(pump_log(), "");
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 6, 0);
        pump(world);
        assert_string_equal(pump_log(), "create wifi>" SECOND " create wifi>" SECOND " ");
}

static int count_note(const struct trace_line *line, void *userdata) {
        *(size_t *)userdata += strstr(line->reason, "wants no joins") != NULL;
        return 0;
}

static void test_denied_initial_alone_is_noted_once(void **state) {
        struct world *world = *state;
        size_t notes = 0;

        pump_connect(world, EVENT_MPTCP_DENY_JOIN_INITIAL);
        announce(world, "2001:db8::2");
        trace_each(&world->engine.trace, TOKEN, LIMIT_TRACE, count_note, &notes);
        assert_int_equal(notes, 1);
}

static void test_adopted_counts_what_is_there(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        world_configure(world);
        pump(world);
        assert_string_equal(pump_log(), "");
}

static void test_config_wrong_option_or_value_is_refused(void **state) {
        static const char *const wrong[] = { "1", "9", "0", "", "-2", "10", "two", "2 " };
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        void *instance;

        (void)state;
        assert_int_equal(plugin->init(&instance), 0);
        assert_int_equal(plugin->config(instance, "subflows", "2"), 0);
        assert_int_equal(plugin->config(instance, "subflows", "8"), 0);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_int_equal(plugin->config(instance, "subflows", wrong[i]), -EINVAL);
        assert_int_equal(plugin->config(instance, "ports", "2"), -ENOENT);
        plugin->done(instance);
        plugin->done(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_established_second_subflow_on_the_same_pair),
                T(test_join_is_bound_to_no_interface_and_asks_for_no_port),
                T(test_subflows_eight_as_far_as_the_limit_goes),
                T(test_subflows_eight_with_room_are_eight),
                T(test_lost_one_is_replaced),
                T(test_first_one_lost_is_replaced_from_the_same_address),
                T(test_refused_one_is_not_asked_for_again),
                T(test_address_lost_goes_on_from_another),
                T(test_server_does_nothing),
                T(test_denied_initial_uses_an_announced_address),
                T(test_denied_initial_alone_is_noted_once),
                T(test_adopted_counts_what_is_there),
                cmocka_unit_test(test_config_wrong_option_or_value_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
