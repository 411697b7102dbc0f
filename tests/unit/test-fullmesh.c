/*
 * What fullmesh asks for, seen directly, since the engine would hide what it asks for in vain; and
 * what comes of it in the engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "pump.h"

#define SEC    ((uint64_t)1000000)
#define SECOND "203.0.113.2:80"

static char asked[512]; /* "LOCAL>REMOTE " of each CREATE, in order */

static int collect(struct mptcpize_sink *sink, const struct mptcpize_action *action) {
        char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];
        size_t len = strlen(asked);

        (void)sink;
        assert_int_equal(action->type, MPTCPIZE_ACTION_CREATE);
        snprintf(asked + len, sizeof(asked) - len, "%s>%s%s ",
                 address_format(&action->local, local), address_format(&action->remote, remote),
                 action->backup ? "!" : "");
        return 0;
}

static const char *decide(uint32_t flags, const char *option, enum mptcpize_role lte_role) {
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        struct mptcpize_local wifi = {
                .size = sizeof(wifi), .address = at("192.0.2.1"), .ifindex = 2, .ifname = "wifi0"
        };
        struct mptcpize_local lte = { .size = sizeof(lte),
                                      .address = at("198.51.100.1"),
                                      .ifindex = 3,
                                      .role = lte_role,
                                      .ifname = "lte0" };
        struct mptcpize_remote first = { .size = sizeof(first),
                                         .address = at("203.0.113.1:80"),
                                         .flags = MPTCPIZE_REMOTE_INITIAL };
        struct mptcpize_remote other = { .size = sizeof(other),
                                         .address = at("203.0.113.2:80"),
                                         .id = 5 };
        const struct mptcpize_local *locals[] = { &wifi, &lte };
        const struct mptcpize_remote *remotes[] = { &first, &other };
        struct mptcpize_view view = { .size = sizeof(view),
                                      .flags = flags,
                                      .locals = locals,
                                      .n_locals = 2,
                                      .remotes = remotes,
                                      .n_remotes = 2 };
        struct mptcpize_event event = { .size = sizeof(event), .type = MPTCPIZE_EVENT_ESTABLISHED };
        struct mptcpize_sink sink = { .size = sizeof(sink), .emit = collect };
        void *state;

        asked[0] = '\0';
        assert_int_equal(plugin->init(&state), 0);
        if (option)
                assert_int_equal(plugin->config(state, "announced", option), 0);
        assert_int_equal(plugin->decide(state, &view, &event, &sink), 0);
        plugin->done(state);
        return asked;
}

static void test_decide_established_asks_for_all_pairs_initial_remote_first(void **state) {
        (void)state;
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED, NULL, MPTCPIZE_ROLE_ON),
                            "192.0.2.1>203.0.113.1:80 198.51.100.1>203.0.113.1:80 "
                            "192.0.2.1>203.0.113.2:80 198.51.100.1>203.0.113.2:80 ");
}

static void test_decide_denied_initial_remote_is_not_asked_for(void **state) {
        (void)state;
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED | MPTCPIZE_VIEW_DENY_JOIN_INITIAL,
                                   "true", MPTCPIZE_ROLE_ON),
                            "192.0.2.1>203.0.113.2:80 198.51.100.1>203.0.113.2:80 ");
}

static void test_decide_announced_false_asks_for_the_initial_remote_only(void **state) {
        (void)state;
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED, "false", MPTCPIZE_ROLE_BACKUP),
                            "192.0.2.1>203.0.113.1:80 198.51.100.1>203.0.113.1:80! ");
}

static void test_decide_server_or_not_established_asks_for_nothing(void **state) {
        (void)state;
        assert_string_equal(decide(0, NULL, MPTCPIZE_ROLE_ON), "");
        assert_string_equal(decide(MPTCPIZE_VIEW_ESTABLISHED | MPTCPIZE_VIEW_SERVER, NULL,
                                   MPTCPIZE_ROLE_ON),
                            "");
}

/* Order */

static void announce(struct world *world) {
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        pump(world);
}

/* Both have a default route, and the better one is wifi's. */
static void test_limit_two_each_interface_has_one(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 2;
        world_configure(world);
        pump_connect(world, EVENT_MPTCP_DENY_JOIN_INITIAL);
        announce(world);
        assert_string_equal(pump_log(), "create lte>" SECOND " ");
}

/* The program's own connection started where data is to go only when there is no other way. */
static void test_initial_on_a_backup_interface_becomes_backup(void **state) {
        struct world *world = *state;

        pump_role(world, "wifi0", MPTCPIZE_ROLE_BACKUP);
        world_configure(world);
        pump_connect(world, 0);
        assert_string_equal(pump_log(), "bit wifi+ create lte ");
}

static void test_remotes_tell_where_their_routes_lead(void **state) {
        struct world *world = *state;

        world_route(world, 3, "203.0.113.2", 32);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        assert_int_equal(world_connection(world)->remotes.items[0].ifindex, 2);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        assert_int_equal(world_connection(world)->remotes.items[1].ifindex, 3);
}

/* Both of the server's addresses are known before there is a join. */
static void test_limit_two_goes_where_the_route_leads(void **state) {
        struct world *world = *state;
        struct action action;

        world->conf.max_subflows = 2;
        world_configure(world);
        world_route(world, 3, "203.0.113.2", 32);
        world_settle(world);
        world_feed(world, (struct event){ .type = EVENT_CREATED,
                                          .mptcp = { .token = TOKEN,
                                                     .local = at("192.0.2.1:40000"),
                                                     .remote = at("203.0.113.1:80") } });
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        world_mptcp(world, EVENT_ESTABLISHED, TOKEN, "192.0.2.1:40000", "203.0.113.1:80", 0, 0, 0);
        action = world_expect_create(world, "198.51.100.1", SECOND);
        assert_int_equal(action.ifindex, 3);
        world_expect_nothing(world);
}

static void test_route_changes_where_it_leads(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_route(world, 3, "203.0.113.0", 24);
        world_settle(world);
        assert_int_equal(world_connection(world)->remotes.items[0].ifindex, 3);
        world_route_gone(world, 3, "203.0.113.0", 24);
        world_settle(world);
        assert_int_equal(world_connection(world)->remotes.items[0].ifindex, 2);
}

/* Start */

static void test_start_after_ms_waits_with_jitter(void **state) {
        struct world *world = *state;

        pump_option(world, "start_after_ms", "4000");
        pump_connect(world, 0);
        pump_pass(world, 4 * SEC - 1);
        assert_string_equal(pump_log(), "");
        pump_pass(world, SEC + 1);
        assert_string_equal(pump_log(), "create lte ");
}

static void test_start_after_bytes_waits_for_them(void **state) {
        struct world *world = *state;
        struct connection *connection;

        pump_option(world, "start_after_bytes", "100000");
        pump_connect(world, 0);
        connection = world_connection(world);
        assert_int_not_equal(connection->watch_usec, 0);
        connection->subflows.items[0].is.bytes_received = 60000;
        connection->subflows.items[0].is.bytes_acked = 39999;
        engine_decide_simple(&world->engine, connection, MPTCPIZE_EVENT_SAMPLE);
        pump(world);
        assert_string_equal(pump_log(), "");
        connection->subflows.items[0].is.bytes_acked = 40000;
        engine_decide_simple(&world->engine, connection, MPTCPIZE_EVENT_SAMPLE);
        pump(world);
        assert_string_equal(pump_log(), "create lte ");
        assert_int_equal(connection->watch_usec, 0);
}

static void test_start_after_both_waits_for_both(void **state) {
        struct world *world = *state;

        pump_option(world, "start_after_bytes", "100000");
        pump_option(world, "start_after_ms", "1000");
        pump_connect(world, 0);
        pump_pass(world, 5 * SEC);
        assert_string_equal(pump_log(), "");
        world_connection(world)->subflows.items[0].is.bytes_received = 100000;
        engine_decide_simple(&world->engine, world_connection(world), MPTCPIZE_EVENT_SAMPLE);
        pump(world);
        assert_string_equal(pump_log(), "create lte ");
}

static void test_start_after_path_lost_does_not_wait(void **state) {
        struct world *world = *state;

        pump_option(world, "start_after_ms", "4000");
        pump_connect(world, 0);
        pump_link(world, 2, false);
        assert_string_equal(pump_log(), "create lte withdraw wifi abort wifi ");
}

static void test_start_after_with_joins_there_does_not_wait_again(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_option(world, "start_after_ms", "4000");
        pump_log();
        announce(world);
        assert_string_equal(pump_log(), "create wifi>" SECOND " create lte>" SECOND " ");
}

/* Options */

static void test_config_numbers_out_of_range_are_refused(void **state) {
        static const char *const wrong[] = { "-1",         "",   "1k",
                                             "4294967296", " 1", "99999999999999999999999" };
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        void *instance;

        (void)state;
        assert_int_equal(plugin->init(&instance), 0);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                assert_int_equal(plugin->config(instance, "start_after_ms", wrong[i]), -EINVAL);
                assert_int_equal(plugin->config(instance, "start_after_bytes", wrong[i]), -EINVAL);
        }
        assert_int_equal(plugin->config(instance, "start_after_ms", "4294967295"), 0);
        assert_int_equal(plugin->config(instance, "start_after_bytes", "0"), 0);
        plugin->done(instance);
}

static void test_config_wrong_option_or_value_is_refused(void **state) {
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        void *instance;

        (void)state;
        assert_int_equal(plugin->init(&instance), 0);
        assert_int_equal(plugin->config(instance, "anounced", "true"), -ENOENT);
        assert_int_equal(plugin->config(instance, "announced", "yes"), -EINVAL);
        plugin->done(instance);
        plugin->done(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decide_established_asks_for_all_pairs_initial_remote_first),
                cmocka_unit_test(test_decide_denied_initial_remote_is_not_asked_for),
                cmocka_unit_test(test_decide_announced_false_asks_for_the_initial_remote_only),
                T(test_limit_two_each_interface_has_one),
                T(test_initial_on_a_backup_interface_becomes_backup),
                T(test_remotes_tell_where_their_routes_lead),
                T(test_limit_two_goes_where_the_route_leads),
                T(test_route_changes_where_it_leads),
                T(test_start_after_ms_waits_with_jitter),
                T(test_start_after_bytes_waits_for_them),
                T(test_start_after_both_waits_for_both),
                T(test_start_after_path_lost_does_not_wait),
                T(test_start_after_with_joins_there_does_not_wait_again),
                cmocka_unit_test(test_config_numbers_out_of_range_are_refused),
                cmocka_unit_test(test_decide_server_or_not_established_asks_for_nothing),
                cmocka_unit_test(test_config_wrong_option_or_value_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
