/*
 * What the engine does with the events of connections and of the network, with fullmesh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"

/* fullmesh */

static void test_decide_established_joins_other_address(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        assert_int_equal(action.token, TOKEN);
        assert_int_equal(action.ifindex, 3);
        assert_int_equal(action.local_id, 1);
        assert_int_equal(action.backup, 0);
        assert_string_equal(action.reason, "fullmesh: lte0 to the server's first address");
        world_expect_nothing(world);
}

static void test_decide_created_only_waits(void **state) {
        struct world *world = *state;

        world_mptcp(world, EVENT_CREATED, TOKEN, "192.0.2.1:40000", SERVER, 0, 0, 0);
        world_expect_nothing(world);
}

static void test_decide_server_never_dials(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        world_expect_nothing(world);
}

static void test_decide_established_twice_joins_once(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_mptcp(world, EVENT_ESTABLISHED, TOKEN, "192.0.2.1:40000", SERVER, 0, 0, 0);
        world_join(world, LTE, SERVER);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
}

static void test_decide_announced_address_joins_from_all(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        world_join(world, WIFI, "203.0.113.2:80");
        world_join(world, LTE, "203.0.113.2:80");
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 4);
}

static void test_decide_announced_option_false_ignores(void **state) {
        struct world *world = *state;
        struct conf_option option = { .plugin = "fullmesh", .key = "announced", .value = "false" };

        assert_int_equal(ARRAY_APPEND(&world->conf.options, option, 1), 0);
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        world_expect_nothing(world);
}

static void test_decide_announced_lure_is_ignored(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "127.0.0.1:80", 0, 5, 0);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "224.0.0.1:80", 0, 6, 0);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "198.51.100.1:80", 0, 7, 0);
        world_expect_nothing(world);
}

static void test_decide_deny_join_initial_uses_announced_only(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        world_expect_nothing(world);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        world_join(world, LTE, "203.0.113.2:80");
        world_join(world, WIFI, "203.0.113.2:80");
        world_expect_nothing(world);
}

static void test_decide_backup_role_joins_as_backup(void **state) {
        struct world *world = *state;
        struct conf_role role = { .pattern = "lte*", .role = MPTCPIZE_ROLE_BACKUP };

        assert_int_equal(ARRAY_APPEND(&world->conf.roles, role, 1), 0);
        world_configure(world);
        world_connect(world, TOKEN, 0);
        assert_int_equal(world_expect_create(world, LTE, SERVER).backup, 1);
}

static void test_decide_limit_of_subflows_holds(void **state) {
        struct world *world = *state;
        char name[16], address[32];

        for (int i = 4; i < 20; i++) {
                snprintf(name, sizeof(name), "path%d", i);
                snprintf(address, sizeof(address), "10.%d.0.1", i);
                world_link(world, i, name, true);
                world_address(world, i, address, true);
                world_route(world, i, "0.0.0.0", 0);
        }
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_join(world, "10.4.0.1", SERVER);
        world_join(world, "10.5.0.1", SERVER);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 4);
}

static void test_decide_many_addresses_leave_room_for_other_interfaces(void **state) {
        struct world *world = *state;

        world_address(world, 2, "192.0.2.11", true);
        world_address(world, 2, "192.0.2.12", true);
        world_address(world, 2, "192.0.2.13", true);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_join(world, "192.0.2.11", SERVER);
        world_join(world, "192.0.2.12", SERVER);
        world_expect_nothing(world);
}

static void test_decide_other_family_is_not_paired(void **state) {
        struct world *world = *state;

        world_address(world, 3, "2001:db8:2::1", true);
        world_route(world, 3, "::", 0);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_expect_nothing(world);
}

static void test_decide_temporary_address_covers_its_interface(void **state) {
        struct world *world = *state;

        world_address(world, 2, "2001:db8:1::7", false); /* temporary: not usable for joins */
        world_address(world, 2, "2001:db8:1::1", true);
        world_address(world, 3, "2001:db8:2::1", true);
        world_route(world, 2, "::", 0);
        world_route(world, 3, "::", 0);
        world_settle(world);
        world_mptcp(world, EVENT_CREATED, TOKEN, "[2001:db8:1::7]:40000", "[2001:db8::1]:80", 0, 0,
                    0);
        world_mptcp(world, EVENT_ESTABLISHED, TOKEN, "[2001:db8:1::7]:40000", "[2001:db8::1]:80", 0,
                    0, 0);
        world_expect_create(world, "2001:db8:2::1", "[2001:db8::1]:80");
        world_expect_nothing(world);
}

/* Which addresses are usable */

static void expect_same_locals(struct world *world) {
        world_settle(world);
        assert_int_equal(world->engine.profiles[0].locals.n, 2);
}

static void test_settle_unusable_addresses_are_left_out(void **state) {
        struct world *world = *state;
        static const char *const off[] = { "docker0", "veth1a2b", "br-77aa", "virbr0" };

        world_link(world, 4, "eth9", true);
        world_address(world, 4, "169.254.1.1", true);
        expect_same_locals(world);
        world_address(world, 4, "fe80::1", true);
        expect_same_locals(world);
        world_address(world, 4, "10.9.0.1", false);
        expect_same_locals(world);
        world_link(world, 5, "down0", false);
        world_address(world, 5, "10.8.0.1", true);
        expect_same_locals(world);
        for (int i = 0; i < 4; i++) {
                world_link(world, 10 + i, off[i], true);
                world_address(world, 10 + i, "172.17.0.1", true);
                expect_same_locals(world);
        }
}

/* What a plugin is shown has room for so many. */
static void test_settle_addresses_over_the_limit_are_left_out(void **state) {
        struct world *world = *state;
        char text[16];

        for (size_t i = 2; i <= LIMIT_LOCALS; i++) {
                assert_int_equal(world->engine.profiles[0].locals.n, i);
                snprintf(text, sizeof(text), "198.51.100.%zu", i);
                world_address(world, 3, text, true);
                world_settle(world);
        }
        assert_int_equal(world->engine.profiles[0].locals.n, LIMIT_LOCALS);
        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
}

static void test_settle_network_changes_are_numbered(void **state) {
        struct world *world = *state;
        uint32_t before = world->engine.net_serial;

        world_settle(world);
        assert_int_equal(world->engine.net_serial, before);
        world_address(world, 2, "192.0.2.9", true);
        assert_int_equal(world->engine.net_serial, before);
        world_settle(world);
        assert_int_equal(world->engine.net_serial, before + 1);
}

static void test_settle_docker_switched_on_is_used(void **state) {
        struct world *world = *state;
        struct conf_role role = { .pattern = "docker0", .role = MPTCPIZE_ROLE_ON };

        world_link(world, 10, "docker0", true);
        world_address(world, 10, "172.17.0.1", true);
        assert_int_equal(ARRAY_APPEND(&world->conf.roles, role, 1), 0);
        world_configure(world);
        assert_int_equal(world->engine.profiles[0].locals.n, 3);
}

static void test_decide_no_route_is_not_tried(void **state) {
        struct world *world = *state;

        world_route_gone(world, 3, "0.0.0.0", 0);
        world_route(world, 3, "198.51.100.0", 24);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
        world_route(world, 3, "203.0.113.0", 24);
        world_settle(world);
        world_join(world, LTE, SERVER);
}

static void test_decide_peer_on_this_host_is_left_alone(void **state) {
        struct world *world = *state;

        world_mptcp(world, EVENT_CREATED, TOKEN, "127.0.0.1:40000", "127.0.0.1:80", 0, 0, 0);
        world_mptcp(world, EVENT_ESTABLISHED, TOKEN, "127.0.0.1:40000", "127.0.0.1:80", 0, 0, 0);
        world_expect_nothing(world);
        assert_int_equal(world_connection(world)->state, CONNECTION_LOCAL);
}

static void test_decide_new_address_joins_living_connection(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_link(world, 4, "eth1", true);
        world_address(world, 4, "10.4.0.1", true);
        world_settle(world);
        world_expect_nothing(world); /* no route yet */
        world_route(world, 4, "0.0.0.0", 0);
        world_settle(world);
        world_join(world, "10.4.0.1", SERVER);
}

/* Lost paths */

static void expect_burial(struct world *world, uint8_t id, const char *local) {
        struct action action = world_expect(world, ACTION_WITHDRAW);
        char text[ADDRESS_TEXT];

        assert_int_equal(action.local_id, id);
        action = world_expect(world, ACTION_ABORT);
        assert_string_equal(address_format(&action.local, text), local);
        world_outcome(world, &action, 0);
}

static void test_settle_link_down_withdraws_then_aborts(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        expect_burial(world, 0, "192.0.2.1:40000");
        world_expect_nothing(world);
        assert_int_equal(world_connection(world)->subflows.n, 1);
}

static void test_settle_address_gone_withdraws_then_aborts(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_address_gone(world, 3, LTE);
        world_settle(world);
        expect_burial(world, 1, "198.51.100.1:40001");
        world_expect_nothing(world);
}

static void test_settle_link_back_joins_again_with_old_id(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        expect_burial(world, 0, "192.0.2.1:40000");
        world_link(world, 2, "wifi0", true);
        world_settle(world);
        action = world_expect_create(world, WIFI, SERVER);
        assert_int_equal(action.local_id, 0);
}

static void test_settle_last_path_is_kept_until_another_is_up(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER); /* still on its way */
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        expect_burial(world, 0, "192.0.2.1:40000");
        world_expect_nothing(world);
}

static void test_settle_flap_of_last_path_revives_it(void **state) {
        struct world *world = *state;

        world_address_gone(world, 3, LTE);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        world_link(world, 2, "wifi0", true);
        world_settle(world);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

static void test_settle_foreign_local_address_is_never_lost(void **state) {
        struct world *world = *state;

        /* A transparent proxy answers for an address that this host does not have. */
        world_mptcp(world, EVENT_CREATED, TOKEN, "198.18.0.1:40000", SERVER, 0, 0, 0);
        world_mptcp(world, EVENT_ESTABLISHED, TOKEN, "198.18.0.1:40000", SERVER, 0, 0, 0);
        world_join(world, WIFI, SERVER);
        world_join(world, LTE, SERVER);
        world_link(world, 7, "eth7", true);
        world_settle(world);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 0);
}

static void test_configured_role_off_ends_our_joins_only(void **state) {
        struct world *world = *state;
        struct conf_role role = { .pattern = "*", .role = MPTCPIZE_ROLE_OFF };

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        assert_int_equal(ARRAY_APPEND(&world->conf.roles, role, 1), 0);
        world_configure(world);
        expect_burial(world, 1, "198.51.100.1:40001");
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

static void world_tick(struct world *world, uint64_t usec) {
        world->now += usec;
        world_feed(world, (struct event){ .type = EVENT_TICK });
}

/* Outcomes */

static void test_outcome_create_failed_forgets_the_subflow(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &action, -EADDRNOTAVAIL);
        world_expect_nothing(world);
        assert_int_equal(world_connection(world)->subflows.n, 1);
        world_tick(world, 1250000);
        world_expect_create(world, LTE, SERVER);
}

static void test_outcome_after_event_changes_nothing(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
}

static void test_outcome_einval_asks_who_has_the_connection(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &action, -EINVAL);
        action = world_expect(world, ACTION_QUERY);
        world_outcome(world, &action, -EINVAL);
        assert_int_equal(world_connection(world)->state, CONNECTION_KERNEL);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        world_expect_nothing(world); /* not ours: not touched */
}

static void test_outcome_einval_of_other_ids_learns_them(void **state) {
        struct world *world = *state;
        struct entry entry = { .address = at(LTE), .id = 9 };
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &action, -EINVAL);
        action = world_expect(world, ACTION_QUERY);
        world_feed(world, (struct event){
                                          .type = EVENT_ENTRIES,
                                          .entries = { .token = TOKEN, .entries = &entry, .n = 1 },
                          });
        world_outcome(world, &action, 0);
        assert_int_equal(world_expect_create(world, LTE, SERVER).local_id, 9);
}

/* Ends */

static void test_closed_forgets_the_connection(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        assert_null(world_connection(world));
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        assert_int_equal(engine_deadline(&world->engine), UINT64_MAX);
}

static void test_created_with_used_token_starts_afresh(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_CREATED, TOKEN, "192.0.2.1:41000", SERVER, 0, 0, 0);
        assert_int_equal(world_connection(world)->state, CONNECTION_NEW);
        assert_int_equal(world_connection(world)->subflows.n, 1);
}

static void test_add_over_the_limit_is_counted(void **state) {
        struct world *world = *state;

        world->engine.limits.max_connections = 1;
        world_connect(world, TOKEN, 0);
        world_connect(world, TOKEN + 1, 0);
        assert_int_equal(world->engine.model.n_connections, 1);
        assert_true(world->engine.counters[COUNTER_CONNECTIONS_REFUSED] > 0);
}

/* The ones that sweeps find had their events. */
static void test_add_over_the_limit_is_counted_once(void **state) {
        struct world *world = *state;
        struct snapshot_connection rows[] = {
                { .token = TOKEN,
                  .state = 1,
                  .local = at("192.0.2.1:40000"),
                  .remote = at(SERVER) },
                { .token = TOKEN + 1,
                  .state = 1,
                  .local = at("192.0.2.1:40001"),
                  .remote = at(SERVER) },
        };
        struct snapshot snapshot = { .connections = { .items = rows, .n = 2 } };

        world->engine.limits.max_connections = 1;
        world_connect(world, TOKEN, 0);
        world_mptcp(world, EVENT_CREATED, TOKEN + 1, "192.0.2.1:40001", SERVER, 0, 0, 0);
        assert_int_equal(world->engine.counters[COUNTER_CONNECTIONS_REFUSED], 1);
        snapshot.started_usec = world->now += 1000;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        assert_int_equal(world->engine.counters[COUNTER_CONNECTIONS_REFUSED], 1);
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        assert_int_equal(world->engine.counters[COUNTER_CONNECTIONS_REFUSED], 2);
}

static void test_many_connections_come_and_go(void **state) {
        struct world *world = *state;

        for (uint32_t i = 0; i < 5000; i++)
                world_connect(world, i * 2654435761u, 0);
        assert_int_equal(world->engine.model.n_connections, 5000);
        for (uint32_t i = 0; i < 5000; i++)
                world_mptcp(world, EVENT_CLOSED, i * 2654435761u, NULL, NULL, 0, 0, 0);
        assert_int_equal(world->engine.model.n_connections, 0);
        assert_int_equal(engine_deadline(&world->engine), UINT64_MAX);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_decide_established_joins_other_address),
                T(test_decide_created_only_waits),
                T(test_decide_server_never_dials),
                T(test_decide_established_twice_joins_once),
                T(test_decide_announced_address_joins_from_all),
                T(test_decide_announced_option_false_ignores),
                T(test_decide_announced_lure_is_ignored),
                T(test_decide_deny_join_initial_uses_announced_only),
                T(test_decide_backup_role_joins_as_backup),
                T(test_decide_limit_of_subflows_holds),
                T(test_decide_many_addresses_leave_room_for_other_interfaces),
                T(test_decide_other_family_is_not_paired),
                T(test_decide_temporary_address_covers_its_interface),
                T(test_settle_unusable_addresses_are_left_out),
                T(test_settle_addresses_over_the_limit_are_left_out),
                T(test_settle_network_changes_are_numbered),
                T(test_settle_docker_switched_on_is_used),
                T(test_decide_no_route_is_not_tried),
                T(test_decide_peer_on_this_host_is_left_alone),
                T(test_decide_new_address_joins_living_connection),
                T(test_settle_link_down_withdraws_then_aborts),
                T(test_settle_address_gone_withdraws_then_aborts),
                T(test_settle_link_back_joins_again_with_old_id),
                T(test_settle_last_path_is_kept_until_another_is_up),
                T(test_settle_flap_of_last_path_revives_it),
                T(test_settle_foreign_local_address_is_never_lost),
                T(test_configured_role_off_ends_our_joins_only),
                T(test_outcome_create_failed_forgets_the_subflow),
                T(test_outcome_after_event_changes_nothing),
                T(test_outcome_einval_asks_who_has_the_connection),
                T(test_outcome_einval_of_other_ids_learns_them),
                T(test_closed_forgets_the_connection),
                T(test_created_with_used_token_starts_afresh),
                T(test_add_over_the_limit_is_counted),
                T(test_add_over_the_limit_is_counted_once),
                T(test_many_connections_come_and_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
