/*
 * The plugin announce in the real engine.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/core/order.h"
#include "pump.h"

#define WIFI 2
#define LTE  3

static void connect_in(struct world *world) {
        pump_connect(world, EVENT_MPTCP_SERVER);
}

/* The peer joins a local address. */
static void join(struct world *world, const char *local, const char *remote) {
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, local, remote, 1, 1, 0);
        pump(world);
}

static void close_subflow(struct world *world, const char *local, const char *remote) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, local, remote, 1, 1, ETIMEDOUT);
        pump(world);
}

static void test_established_other_addresses_are_announced(void **state) {
        struct world *world = *state;

        world_address(world, LTE, "2001:db8::1", true);
        world_settle(world);
        connect_in(world);
        assert_string_equal(pump_log(), "announce lte announce 2001:db8::1 ");
}

static void test_client_announces_nothing(void **state) {
        pump_connect(*state, 0);
        assert_string_equal(pump_log(), "");
}

static void test_any_event_repeats_nothing_and_never_dials(void **state) {
        struct world *world = *state;

        connect_in(world);
        pump_log();
        join(world, "198.51.100.1:80", "203.0.113.9:50000");
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        pump(world);
        close_subflow(world, "198.51.100.1:80", "203.0.113.9:50000");
        pump_pass(world, 100000000);
        assert_string_equal(pump_log(), "");
}

static void test_address_appears_is_announced(void **state) {
        struct world *world = *state;

        connect_in(world);
        pump_log();
        world_address(world, LTE, "198.51.100.7", true);
        pump(world);
        assert_string_equal(pump_log(), "announce 198.51.100.7 ");
}

static void test_address_lost_is_withdrawn_and_announced_when_back(void **state) {
        struct world *world = *state;
        uint8_t id;

        connect_in(world);
        pump_log();
        id = world_connection(world)->ids.items[0].id;
        pump_link(world, LTE, false);
        assert_string_equal(pump_log(), "withdraw lte ");
        pump_link(world, LTE, true);
        assert_string_equal(pump_log(), "announce lte ");
        assert_int_equal(world_connection(world)->ids.n, 1);
        assert_int_equal(world_connection(world)->ids.items[0].id, id);
}

/* The engine tells the peer of a lost path by itself. */
static void test_address_with_a_subflow_lost_is_withdrawn_once(void **state) {
        struct world *world = *state;

        connect_in(world);
        join(world, "198.51.100.1:80", "203.0.113.9:50000");
        pump_log();
        pump_link(world, LTE, false);
        assert_string_equal(pump_log(), "withdraw lte abort lte>203.0.113.9:50000 ");
}

static void test_role_off_is_not_announced(void **state) {
        pump_role(*state, "lte*", MPTCPIZE_ROLE_OFF);
        connect_in(*state);
        assert_string_equal(pump_log(), "");
}

static void test_interfaces_choose_what_is_announced(void **state) {
        struct world *world = *state;

        world_address(world, WIFI, "192.0.2.7", true);
        world_settle(world);
        pump_option(world, "interfaces", "eth0,wif*");
        connect_in(world);
        assert_string_equal(pump_log(), "announce 192.0.2.7 ");
}

static void test_port_goes_with_ipv4_only(void **state) {
        struct world *world = *state;

        world_address(world, LTE, "2001:db8::1", true);
        world_settle(world);
        pump_option(world, "port", "8443");
        connect_in(world);
        assert_string_equal(pump_log(), "announce 198.51.100.1:8443 announce 2001:db8::1 ");
        pump_link(world, LTE, false);
        world_address_gone(world, LTE, "2001:db8::1");
        pump(world);
        assert_string_equal(pump_log(), "withdraw 198.51.100.1:8443 withdraw 2001:db8::1 ");
}

static void test_failed_is_tried_again_after_a_change_only(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        action = world_expect(world, ACTION_ANNOUNCE);
        world_outcome(world, &action, -EADDRINUSE);
        world_expect_nothing(world);
        join(world, "192.0.2.1:80", "203.0.113.9:50000");
        world_expect_nothing(world);
        world_route(world, LTE, "203.0.113.0", 24);
        world_settle(world);
        action = world_expect(world, ACTION_ANNOUNCE);
        world_outcome(world, &action, -EADDRINUSE);
        /* The peer knows nothing of it. */
        pump_log();
        pump_link(world, LTE, false);
        assert_string_equal(pump_log(), "");
}

static void test_many_addresses_sixteen_are_announced(void **state) {
        struct world *world = *state;
        char address[32];
        size_t n = 0;

        for (int i = 10; i < 40; i++) {
                snprintf(address, sizeof(address), "198.51.100.%d", i);
                world_address(world, LTE, address, true);
        }
        world_settle(world);
        connect_in(world);
        for (const char *at = pump_log(); (at = strstr(at, "announce ")); at++)
                n++;
        assert_int_equal(n, 16);
}

/* Demotion of the first subflow */

static void test_demote_initial_follows_the_joins(void **state) {
        struct world *world = *state;

        pump_option(world, "demote_initial", "true");
        connect_in(world);
        join(world, "192.0.2.1:80", "203.0.113.9:50000");
        assert_string_equal(pump_log(), "announce lte ");
        join(world, "198.51.100.1:80", "203.0.113.9:50001");
        assert_string_equal(pump_log(), "bit wifi+ ");
        close_subflow(world, "198.51.100.1:80", "203.0.113.9:50001");
        assert_string_equal(pump_log(), "bit wifi- ");
}

static void test_demote_initial_not_wanted_leaves_it(void **state) {
        struct world *world = *state;

        connect_in(world);
        pump_log();
        join(world, "198.51.100.1:80", "203.0.113.9:50001");
        assert_string_equal(pump_log(), "");
}

/* The state is a new one: it announces again, under the same ids. */
static void test_configured_announces_again_under_the_same_ids(void **state) {
        struct world *world = *state;

        connect_in(world);
        pump_log();
        world_configure(world);
        pump(world);
        assert_string_equal(pump_log(), "announce lte ");
        assert_int_equal(world_connection(world)->ids.n, 1);
}

static void order(struct world *world, enum order_type type, const char *local) {
        const struct order order = { .type = type, .token = TOKEN, .local = at(local) };
        char reason[LIMIT_REASON];
        uint32_t serial;

        assert_int_equal(engine_order(&world->engine, &order, &serial, reason), 0);
}

static void test_ordered_withdrawal_stays(void **state) {
        struct world *world = *state;

        connect_in(world);
        order(world, ORDER_WITHDRAW, "198.51.100.1");
        pump(world);
        assert_string_equal(pump_log(), "announce lte withdraw lte ");
        pump_link(world, LTE, false);
        pump_link(world, LTE, true);
        world_configure(world);
        pump(world);
        assert_string_equal(pump_log(), "");
        order(world, ORDER_ANNOUNCE, "198.51.100.1");
        pump(world);
        world_configure(world);
        pump(world);
        assert_string_equal(pump_log(), "announce lte announce lte ");
}

static void test_ordered_announcement_stays_while_there_is_the_address(void **state) {
        struct world *world = *state;

        pump_option(world, "interfaces", "wif*,lte*");
        connect_in(world);
        order(world, ORDER_ANNOUNCE, "198.51.100.1");
        pump(world);
        (void)pump_log();
        pump_option(world, "interfaces", "eth*");
        pump(world);
        pump_link(world, WIFI, true);
        assert_string_equal(pump_log(), "");
        pump_option(world, "interfaces", "lte*");
        pump(world);
        assert_string_equal(pump_log(), "announce lte ");
        pump_link(world, LTE, false);
        assert_string_equal(pump_log(), "withdraw lte ");
}

static void test_ordered_announcement_that_failed_is_not_the_plugins(void **state) {
        struct world *world = *state;
        struct action action;

        connect_in(world);
        order(world, ORDER_ANNOUNCE, "198.51.100.1:8080");
        action = world_expect(world, ACTION_ANNOUNCE);
        world_outcome(world, &action, -EADDRINUSE);
        (void)world_expect(world, ACTION_RELEASE);
        (void)pump_log();
        world_address(world, LTE, "198.51.100.7", true);
        pump(world);
        assert_string_equal(pump_log(), "announce 198.51.100.7 ");
}

static void test_config_wrong_option_or_value_is_refused(void **state) {
        static const struct {
                const char *key, *value;
                int wanted;
        } tries[] = {
                { "port", "0", 0 },
                { "port", "65535", 0 },
                { "port", "65536", -EINVAL },
                { "port", "-1", -EINVAL },
                { "port", "http", -EINVAL },
                { "port", "", -EINVAL },
                { "interfaces", "eth0", 0 },
                { "interfaces", "eth*,lan0", 0 },
                { "interfaces", "", -EINVAL },
                { "interfaces", "eth0,", -EINVAL },
                { "interfaces", ",eth0", -EINVAL },
                { "demote_initial", "true", 0 },
                { "demote_initial", "yes", -EINVAL },
                { "demote", "true", -ENOENT },
        };
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        char longest[80];
        void *instance;

        (void)state;
        memset(longest, 'x', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        assert_int_equal(plugin->init(&instance), 0);
        for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
                assert_int_equal(plugin->config(instance, tries[i].key, tries[i].value),
                                 tries[i].wanted);
        assert_int_equal(plugin->config(instance, "interfaces", longest), -EINVAL);
        plugin->done(instance);
        plugin->done(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_established_other_addresses_are_announced),
                T(test_client_announces_nothing),
                T(test_any_event_repeats_nothing_and_never_dials),
                T(test_address_appears_is_announced),
                T(test_address_lost_is_withdrawn_and_announced_when_back),
                T(test_address_with_a_subflow_lost_is_withdrawn_once),
                T(test_role_off_is_not_announced),
                T(test_interfaces_choose_what_is_announced),
                T(test_port_goes_with_ipv4_only),
                T(test_failed_is_tried_again_after_a_change_only),
                T(test_many_addresses_sixteen_are_announced),
                T(test_demote_initial_follows_the_joins),
                T(test_demote_initial_not_wanted_leaves_it),
                T(test_configured_announces_again_under_the_same_ids),
                T(test_ordered_withdrawal_stays),
                T(test_ordered_announcement_stays_while_there_is_the_address),
                T(test_ordered_announcement_that_failed_is_not_the_plugins),
                cmocka_unit_test(test_config_wrong_option_or_value_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
