/*
 * The plugin backup in the real engine: what carries, what stands by, and when that changes.
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
#define WIFI   2
#define LTE    3
#define SECOND "203.0.113.2:80"

/* "wifi lte+ " of what is established, in the order of the model; + stands by. */
static const char *now_is(struct world *world) {
        static char text[256];
        const struct connection *connection = world_connection(world);

        text[0] = '\0';
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *is = &connection->subflows.items[i].is;
                size_t len = strlen(text);

                if (is->state == MPTCPIZE_SUBFLOW_ESTABLISHED)
                        snprintf(text + len, sizeof(text) - len, "%s%s ",
                                 is->ifindex == WIFI  ? "wifi"
                                 : is->ifindex == LTE ? "lte"
                                                      : "other",
                                 is->flags & MPTCPIZE_SUBFLOW_BACKUP ? "+" : "");
        }
        return text;
}

/* What the kernel has measured of all subflows of an interface, just now. */
static void sample(struct world *world, int32_t ifindex, uint32_t rtt_msec, uint32_t rto_msec) {
        struct connection *connection = world_connection(world);

        for (size_t i = 0; i < connection->subflows.n; i++) {
                struct mptcpize_subflow *is = &connection->subflows.items[i].is;

                if (is->ifindex != ifindex)
                        continue;
                is->sample_usec = world->now;
                is->rtt_usec = rtt_msec * 1000;
                is->rto_usec = rto_msec * 1000;
                is->last_ack_recv_msec = 0;
        }
}

/* Samples of both for a while, five a second, each told to the plugin. */
static void samples(struct world *world, uint64_t usec, uint32_t wifi_msec, uint32_t lte_msec) {
        for (uint64_t end = world->now + usec; world->now < end;) {
                if (wifi_msec)
                        sample(world, WIFI, wifi_msec, wifi_msec * 2 + 200);
                if (lte_msec)
                        sample(world, LTE, lte_msec, lte_msec * 2 + 200);
                world->engine.now_usec = world->now;
                engine_decide_simple(&world->engine, world_connection(world),
                                     MPTCPIZE_EVENT_SAMPLE);
                pump(world);
                pump_pass(world, SEC / 5);
        }
}

/* Standbys */

static void test_established_other_interface_stands_by(void **state) {
        pump_connect(*state, 0);
        assert_string_equal(pump_log(), "create lte+ ");
        assert_string_equal(now_is(*state), "wifi lte+ ");
}

static void test_established_server_does_nothing(void **state) {
        pump_connect(*state, EVENT_MPTCP_SERVER);
        assert_string_equal(pump_log(), "");
}

static void test_denied_initial_waits_for_an_announced_address(void **state) {
        struct world *world = *state;

        pump_connect(world, EVENT_MPTCP_DENY_JOIN_INITIAL);
        assert_string_equal(pump_log(), "");
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        pump(world);
        assert_string_equal(pump_log(), "create lte+>203.0.113.2:80 ");
}

static void test_announced_address_adds_no_second_standby(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        pump(world);
        assert_string_equal(pump_log(), "");
}

static void test_established_master_is_gone_to_at_once(void **state) {
        pump_role(*state, "lte*", MPTCPIZE_ROLE_MASTER);
        pump_connect(*state, 0);
        assert_string_equal(pump_log(), "create lte+ bit lte- bit wifi+ ");
        assert_string_equal(now_is(*state), "wifi+ lte ");
}

static void test_established_first_on_a_backup_interface_is_left(void **state) {
        pump_role(*state, "wifi*", MPTCPIZE_ROLE_BACKUP);
        pump_connect(*state, 0);
        assert_string_equal(now_is(*state), "wifi+ lte ");
}

static void test_more_interfaces_than_subflows_masters_come_first(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 2;
        pump_role(world, "eth*", MPTCPIZE_ROLE_MASTER);
        world_link(world, 4, "eth0", true);
        world_address(world, 4, "198.51.100.65", true);
        world_route(world, 4, "0.0.0.0", 0);
        pump_connect(world, 0);
        assert_string_equal(now_is(world), "wifi+ other ");
}

static void test_master_that_comes_late_takes_the_place_of_a_standby(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 2;
        pump_role(world, "eth*", MPTCPIZE_ROLE_MASTER);
        pump_connect(world, 0);
        pump_pass(world, 4 * SEC);
        assert_string_equal(now_is(world), "wifi lte+ ");
        world_link(world, 4, "eth0", true);
        world_address(world, 4, "198.51.100.65", true);
        world_route(world, 4, "0.0.0.0", 0);
        pump(world);
        assert_string_equal(now_is(world), "wifi other+ ");
        pump_pass(world, 6 * SEC);
        assert_string_equal(now_is(world), "wifi+ other ");
}

/* Loss and return */

static void test_primary_lost_standby_carries(void **state) {
        pump_connect(*state, 0);
        pump_log();
        pump_link(*state, WIFI, false);
        assert_string_equal(pump_log(), "withdraw wifi abort wifi bit lte- ");
        assert_string_equal(now_is(*state), "lte ");
}

static void test_primary_closed_by_the_peer_is_joined_again(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:40000", "203.0.113.1:80", 0, 0,
                    ECONNRESET);
        pump(world);
        assert_string_equal(pump_log(), "bit lte- ");
        pump_pass(world, 3 * SEC);
        assert_string_equal(pump_log(), "create wifi+ ");
}

static void test_standby_lost_is_joined_again(void **state) {
        pump_connect(*state, 0);
        pump_link(*state, LTE, false);
        assert_string_equal(now_is(*state), "wifi ");
        pump_link(*state, LTE, true);
        assert_string_equal(now_is(*state), "wifi lte+ ");
}

static void test_primary_back_carries_after_five_seconds(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_pass(world, 100 * SEC);
        pump_link(world, WIFI, false);
        pump_log();
        pump_link(world, WIFI, true);
        assert_string_equal(pump_log(), "create wifi+ ");
        pump_pass(world, 5 * SEC - 1);
        assert_string_equal(pump_log(), "");
        pump_pass(world, 1);
        assert_string_equal(pump_log(), "bit wifi- bit lte+ ");
}

static void test_primary_back_but_silent_has_to_wait(void **state) {
        struct world *world = *state;
        struct mptcpize_subflow *wifi;

        pump_connect(world, 0);
        pump_link(world, WIFI, false);
        pump_link(world, WIFI, true);
        wifi = &world_connection(world)->subflows.items[1].is;
        assert_int_equal(wifi->ifindex, WIFI);
        wifi->unacked = 3;
        wifi->last_ack_recv_msec = 900;
        pump_pass(world, 20 * SEC);
        assert_string_equal(now_is(world), "lte wifi+ ");
        wifi->unacked = 0;
        pump_pass(world, SEC);
        assert_string_equal(now_is(world), "lte+ wifi ");
}

/* How many seconds it takes until wifi carries again. */
static unsigned int seconds_to_return(struct world *world) {
        pump_link(world, WIFI, false);
        pump_link(world, WIFI, true);
        for (unsigned int n = 1; n < 100; n++) {
                pump_pass(world, SEC);
                if (strcmp(now_is(world), "lte+ wifi ") == 0)
                        return n;
        }
        return 0;
}

static void test_primary_flapping_waits_longer_each_time(void **state) {
        static const unsigned int wanted[] = { 5, 10, 20, 40, 60, 60 };

        pump_connect(*state, 0);
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
                assert_int_equal(seconds_to_return(*state), wanted[i]);
                pump_pass(*state, 10 * SEC);
        }
        pump_pass(*state, 61 * SEC);
        assert_int_equal(seconds_to_return(*state), 5);
}

static void test_primary_five_flaps_in_three_seconds_is_one_switch_each_way(void **state) {
        struct world *world = *state;
        const char *log;
        size_t bits = 0;

        pump_connect(world, 0);
        pump_log();
        for (int i = 0; i < 5; i++) {
                pump_link(world, WIFI, false);
                pump_pass(world, SEC / 3);
                pump_link(world, WIFI, true);
                pump_pass(world, SEC / 3);
        }
        pump_pass(world, 100 * SEC);
        assert_string_equal(now_is(world), "lte+ wifi ");
        log = pump_log();
        for (const char *at = log; (at = strstr(at, "bit ")); at++)
                bits++;
        assert_int_equal(bits, 3);
}

static void test_all_lost_first_back_carries(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_link(world, WIFI, false);
        pump_link(world, LTE, false);
        assert_string_equal(now_is(world), "");
        pump_log();
        pump_link(world, WIFI, true);
        assert_string_equal(now_is(world), "wifi ");
        pump_link(world, LTE, true);
        assert_string_equal(now_is(world), "wifi lte+ ");
}

/* A daemon that has just started finds both paths, as another one has left them. */
static void test_adopted_carrier_is_kept_until_the_primary_has_waited(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_link(world, WIFI, false);
        pump_link(world, WIFI, true);
        assert_string_equal(now_is(world), "lte wifi+ ");
        pump_log();
        world_configure(world);
        pump(world);
        assert_string_equal(pump_log(), "");
        assert_string_equal(now_is(world), "lte wifi+ ");
        pump_pass(world, 6 * SEC);
        assert_string_equal(pump_log(), "bit wifi- bit lte+ ");
}

/* Without the first subflow, the best route tells where it would be. */
static void test_adopted_without_the_first_subflow_goes_by_the_route(void **state) {
        struct world *world = *state;

        world_route(world, LTE, "203.0.113.0", 24);
        world_settle(world);
        pump_connect(world, 0);
        pump_link(world, WIFI, false);
        pump_link(world, WIFI, true);
        assert_string_equal(now_is(world), "lte wifi+ ");
        world_configure(world);
        pump(world);
        pump_pass(world, 20 * SEC);
        assert_string_equal(now_is(world), "lte wifi+ ");
}

static void test_bit_that_the_kernel_did_not_take_is_set_again(void **state) {
        struct world *world = *state;
        struct action action;

        pump_connect(world, 0);
        pump_log();
        world_link(world, WIFI, "wifi0", false);
        world_settle(world);
        world_expect(world, ACTION_WITHDRAW);
        action = world_expect(world, ACTION_ABORT);
        world_outcome(world, &action, 0);
        action = world_expect(world, ACTION_BACKUP);
        world_outcome(world, &action, -EBUSY);
        pump_pass(world, 2 * SEC);
        assert_string_equal(now_is(world), "lte ");
}

/* Energy */

static void test_energy_save_joins_when_the_primary_is_lost(void **state) {
        struct world *world = *state;

        pump_option(world, "energy", "save");
        pump_connect(world, 0);
        assert_string_equal(pump_log(), "");
        pump_link(world, WIFI, false);
        assert_string_equal(pump_log(), "create lte withdraw wifi abort wifi ");
}

static void test_energy_save_closes_the_standby_afterwards(void **state) {
        struct world *world = *state;

        pump_option(world, "energy", "save");
        pump_connect(world, 0);
        pump_link(world, WIFI, false);
        pump_link(world, WIFI, true);
        pump_pass(world, 5 * SEC);
        assert_string_equal(now_is(world), "lte+ wifi ");
        pump_log();
        pump_pass(world, 5 * SEC);
        assert_string_equal(pump_log(), "close lte ");
        pump_pass(world, 100 * SEC);
        assert_string_equal(pump_log(), "");
}

/* Five samples a second of a wifi0 that has so many segments under way. */
static void uploads(struct world *world, uint64_t usec, uint32_t unacked, uint32_t acked) {
        for (uint64_t end = world->now + usec; world->now < end;) {
                struct mptcpize_subflow *wifi = &world_connection(world)->subflows.items[0].is;

                wifi->unacked = unacked;
                wifi->bytes_acked += acked;
                samples(world, SEC / 5, 20, 0);
        }
}

static void test_energy_save_joins_when_nothing_is_acknowledged(void **state) {
        struct world *world = *state;

        pump_option(world, "energy", "save");
        pump_connect(world, 0);
        uploads(world, 5 * SEC, 10, 1000);
        uploads(world, SEC, 10, 0);
        uploads(world, 10 * SEC, 0, 0);
        assert_string_equal(pump_log(), "");
        uploads(world, SEC + SEC / 5 * 2, 10, 0);
        assert_string_equal(pump_log(), "create lte+ ");
        uploads(world, 10 * SEC, 10, 1000);
        assert_string_equal(pump_log(), "close lte ");
}

/* Delay */

static void test_interactive_slow_path_is_left_after_a_second(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        samples(world, 2 * SEC, 20, 30);
        pump_log();
        samples(world, SEC, 400, 30);
        assert_string_equal(pump_log(), "");
        samples(world, SEC, 400, 30);
        assert_string_equal(pump_log(), "bit lte- bit wifi+ ");
}

/*
 * What only receives, as the kernel has it: the time of the request stays, the receiver's estimate
 * moves, and what arrives acknowledges nothing new.
 */
static void receive(struct world *world, uint64_t usec, uint32_t rcv_msec, uint32_t bytes_a_sec) {
        for (uint64_t end = world->now + usec; world->now < end;) {
                struct mptcpize_subflow *wifi = &world_connection(world)->subflows.items[0].is;

                assert_int_equal(wifi->ifindex, WIFI);
                wifi->rcv_rtt_usec = rcv_msec * 1000;
                wifi->bytes_received += bytes_a_sec / 5;
                samples(world, SEC / 5, 20, 30);
        }
}

static void test_interactive_slow_download_is_left(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        pump_log();
        receive(world, 3 * SEC, 25, 2500000);
        receive(world, SEC, 800, 1000000);
        assert_string_equal(pump_log(), "");
        receive(world, SEC, 800, 1000000);
        assert_string_equal(pump_log(), "bit lte- bit wifi+ ");
}

/* Then the receiver's estimate is the time between two messages. */
static void test_interactive_peer_with_little_to_send_is_not_slow(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        pump_log();
        receive(world, 10 * SEC, 1000, 10000);
        assert_string_equal(pump_log(), "");
        receive(world, 10 * SEC, 1000, 0);
        assert_string_equal(pump_log(), "");
}

static void test_handover_slow_path_is_kept(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        samples(world, 20 * SEC, 400, 30);
        assert_string_equal(pump_log(), "");
}

static void test_interactive_short_delay_or_small_one_is_borne(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        pump_log();
        for (int i = 0; i < 10; i++) {
                samples(world, SEC - SEC / 5, 400, 30);
                samples(world, SEC / 5, 20, 30);
        }
        samples(world, 5 * SEC, 70, 30); /* twice as slow, but the timeouts are close */
        assert_string_equal(pump_log(), "");
}

static void test_interactive_both_slow_nothing_is_won(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        samples(world, 2 * SEC, 20, 30);
        pump_log();
        samples(world, 20 * SEC, 400, 390);
        assert_string_equal(pump_log(), "");
}

static void test_interactive_recovered_path_carries_again_after_hold_down(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        samples(world, 2 * SEC, 20, 30);
        samples(world, 2 * SEC, 400, 30);
        assert_string_equal(now_is(world), "wifi+ lte ");
        samples(world, 7 * SEC, 20, 30);
        assert_string_equal(now_is(world), "wifi+ lte ");
        samples(world, 5 * SEC, 20, 30);
        assert_string_equal(now_is(world), "wifi lte+ ");
}

static void test_interactive_unknown_standby_is_measured_first(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        samples(world, 2 * SEC, 20, 0);
        pump_log();
        samples(world, 2 * SEC, 400, 0);
        assert_string_equal(pump_log(), "create lte+ ");
        assert_string_equal(now_is(world), "wifi lte+ lte+ ");
        samples(world, SEC, 400, 30);
        assert_string_equal(pump_log(), "close lte bit lte- bit wifi+ ");
        assert_string_equal(now_is(world), "wifi+ lte ");
}

static void test_interactive_unknown_standby_without_room_is_made_anew(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 2;
        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        samples(world, 2 * SEC, 20, 0);
        pump_log();
        samples(world, 2 * SEC, 400, 0);
        assert_string_equal(pump_log(), "close lte create lte+ ");
}

static void test_interactive_idle_connection_does_nothing(void **state) {
        struct world *world = *state;

        pump_option(world, "mode", "interactive");
        pump_connect(world, 0);
        samples(world, 2 * SEC, 20, 30);
        pump_log();
        pump_pass(world, 600 * SEC);
        assert_string_equal(pump_log(), "");
}

/* Options */

static void test_config_wrong_option_or_value_is_refused(void **state) {
        const struct mptcpize_plugin *plugin = mptcpize_plugin();
        void *instance;

        (void)state;
        assert_int_equal(plugin->init(&instance), 0);
        assert_int_equal(plugin->config(instance, "mode", "handover"), 0);
        assert_int_equal(plugin->config(instance, "mode", "interactive"), 0);
        assert_int_equal(plugin->config(instance, "mode", "save"), -EINVAL);
        assert_int_equal(plugin->config(instance, "energy", "save"), 0);
        assert_int_equal(plugin->config(instance, "energy", "handover"), -EINVAL);
        assert_int_equal(plugin->config(instance, "energie", "fast"), -ENOENT);
        plugin->done(instance);
        plugin->done(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_established_other_interface_stands_by),
                T(test_established_server_does_nothing),
                T(test_denied_initial_waits_for_an_announced_address),
                T(test_announced_address_adds_no_second_standby),
                T(test_established_master_is_gone_to_at_once),
                T(test_established_first_on_a_backup_interface_is_left),
                T(test_more_interfaces_than_subflows_masters_come_first),
                T(test_master_that_comes_late_takes_the_place_of_a_standby),
                T(test_primary_lost_standby_carries),
                T(test_primary_closed_by_the_peer_is_joined_again),
                T(test_standby_lost_is_joined_again),
                T(test_primary_back_carries_after_five_seconds),
                T(test_primary_back_but_silent_has_to_wait),
                T(test_primary_flapping_waits_longer_each_time),
                T(test_primary_five_flaps_in_three_seconds_is_one_switch_each_way),
                T(test_all_lost_first_back_carries),
                T(test_adopted_carrier_is_kept_until_the_primary_has_waited),
                T(test_adopted_without_the_first_subflow_goes_by_the_route),
                T(test_bit_that_the_kernel_did_not_take_is_set_again),
                T(test_energy_save_joins_when_the_primary_is_lost),
                T(test_energy_save_closes_the_standby_afterwards),
                T(test_energy_save_joins_when_nothing_is_acknowledged),
                T(test_interactive_slow_path_is_left_after_a_second),
                T(test_interactive_slow_download_is_left),
                T(test_interactive_peer_with_little_to_send_is_not_slow),
                T(test_handover_slow_path_is_kept),
                T(test_interactive_short_delay_or_small_one_is_borne),
                T(test_interactive_both_slow_nothing_is_won),
                T(test_interactive_recovered_path_carries_again_after_hold_down),
                T(test_interactive_unknown_standby_is_measured_first),
                T(test_interactive_unknown_standby_without_room_is_made_anew),
                T(test_interactive_idle_connection_does_nothing),
                cmocka_unit_test(test_config_wrong_option_or_value_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
