/*
 * What an operator wants of a connection, and what plugins may not do against it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "orders.h"

/* State */

static void test_order_of_no_connection_is_refused(void **state) {
        assert_int_equal(order_drop(*state, LTE), -ENOENT);
        assert_string_equal(order_said, "there is no such connection");
}

static void test_order_before_establishment_is_refused(void **state) {
        struct world *world = *state;

        world_mptcp(world, EVENT_CREATED, TOKEN, WIFI ":40000", SERVER, 0, 0, 0);
        assert_int_equal(order_add(world, LTE, NULL), -EPERM);
        assert_string_equal(order_said, "it is not established yet");
}

static void test_order_of_what_is_not_managed_is_refused(void **state) {
        static const struct {
                enum connection_state state;
                const char *said;
        } cases[] = {
                { CONNECTION_FALLBACK, "it fell back to TCP" },
                { CONNECTION_KERNEL, "the kernel's own path manager has it" },
                { CONNECTION_LOCAL, "its peer is this host" },
                { CONNECTION_ENDING, "it is ending" },
        };
        struct world *world = *state;

        order_connect(world);
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                for (int type = ORDER_ADD; type <= ORDER_WITHDRAW; type++) {
                        world_connection(world)->state = cases[i].state;
                        assert_int_equal(order_give(world, (struct order){ .type = type,
                                                                           .local = at(LTE) }),
                                         -EPERM);
                        assert_string_equal(order_said, cases[i].said);
                }
        world_expect_nothing(world);
}

static void test_order_before_the_ids_are_known_asks_for_them(void **state) {
        struct world *world = *state;
        const struct entry entry = { .address = at(LTE), .id = 7 };
        struct action query;

        order_connect(world);
        world_connection(world)->ids_known = false;
        assert_int_equal(order_drop(world, LTE), -EAGAIN);
        query = world_expect(world, ACTION_QUERY);
        assert_int_equal(order_drop(world, LTE), -EAGAIN);
        world_expect_nothing(world); /* once is enough */
        world_feed(world, (struct event){ .type = EVENT_ENTRIES, .entries = { TOKEN, &entry, 1 } });
        world_outcome(world, &query, 0);
        (void)order_expect(world, ACTION_DESTROY, order_drop(world, LTE));
}

static void test_order_with_a_full_queue_is_refused(void **state) {
        struct world *world = *state;
        const struct action filler = { .type = ACTION_MEASURE };

        order_connect(world);
        while (action_queue_push(&world->engine.queue, &filler) == 0)
                ;
        assert_int_equal(order_drop(world, LTE), -ENOBUFS);
        assert_string_equal(order_said, "too much is waiting for the kernel");
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
        assert_int_equal(world_connection(world)->refusals.n, 0);
}

static void test_order_has_failed_unless_it_was_done_already(void **state) {
        static const struct {
                enum action_type type;
                int error;
                bool failed;
        } cases[] = {
                { ACTION_CREATE, 0, false },         { ACTION_CREATE, -EINVAL, true },
                { ACTION_DESTROY, -ESRCH, false },   { ACTION_DESTROY, -EINVAL, true },
                { ACTION_ABORT, -ENOENT, false },    { ACTION_ABORT, -EPERM, true },
                { ACTION_WITHDRAW, -EINVAL, false }, { ACTION_WITHDRAW, -ENOTCONN, true },
                { ACTION_BACKUP, -EINVAL, true },    { ACTION_ANNOUNCE, -EADDRINUSE, true },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                const struct outcome_event outcome = { .action.type = cases[i].type,
                                                       .error = cases[i].error };

                assert_int_equal(order_has_failed(&outcome), cases[i].failed);
        }
}

/* ADD */

static void test_add_makes_what_a_limit_has_kept_away(void **state) {
        struct world *world = *state;
        struct action action;

        world->conf.max_subflows = 1;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
        assert_int_equal(order_add(world, LTE, NULL), -ENOBUFS);
        assert_string_equal(order_said, "no more than 1 subflows are allowed");
        world->engine.limits.max_subflows = 2;
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, NULL));
        assert_string_equal(order_text(&action.local), LTE);
}

static void test_add_by_interface_takes_its_address(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        order_remove_lte(world);
        action = order_expect(world, ACTION_CREATE,
                              order_give(world, (struct order){ .type = ORDER_ADD, .ifindex = 3 }));
        assert_int_equal(action.ifindex, 3);
        assert_int_equal(action.local_id, 1);
        assert_false(action.backup);
}

static void test_add_without_addresses_takes_what_is_not_there(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, -ENETUNREACH);
        action = order_expect(world, ACTION_CREATE, order_add(world, NULL, NULL));
        assert_string_equal(order_text(&action.local), LTE);
        assert_string_equal(order_text(&action.remote), SERVER);
        assert_int_equal(order_add(world, NULL, NULL), -EEXIST);
}

static void test_add_from_a_port_is_another_subflow(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        assert_int_equal(order_add(world, LTE, NULL), -EEXIST);
        assert_int_equal(order_add(world, LTE ":40001", NULL), -EEXIST);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE ":7777", NULL));
        assert_int_equal(action.local.port, 7777);
        assert_int_not_equal(action.local_id, 1); /* the kernel has one for each port */
}

static void test_add_from_the_port_of_one_that_ends_is_refused(void **state) {
        struct world *world = *state;

        order_connect(world);
        (void)order_expect(world, ACTION_DESTROY, order_drop(world, LTE));
        assert_int_equal(order_add(world, LTE ":40001", NULL), -EEXIST);
        assert_string_equal(order_said, "a subflow that is ending has that port");
        assert_true(order_add(world, LTE ":40002", NULL) > 0);
}

static void test_add_to_an_address_that_nobody_announced(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, "203.0.113.2"));
        assert_string_equal(order_text(&action.remote), SECOND);
}

static void test_add_takes_the_port_that_was_announced(void **state) {
        struct world *world = *state;
        struct action action;

        world->conf.max_subflows = 3;
        world_configure(world);
        order_connect(world);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:81", 0, 5, 0);
        while (world->engine.queue.n) {
                action = world_expect(world, ACTION_CREATE);
                world_outcome(world, &action, -ENETUNREACH);
        }
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, "203.0.113.2"));
        assert_int_equal(action.remote.port, 81);
}

static void test_add_of_what_can_not_be_is_refused(void **state) {
        struct world *world = *state;

        order_connect(world);
        assert_int_equal(order_add(world, "192.0.2.77", NULL), -ENOENT);
        assert_string_equal(order_said, "this host has no such address");
        assert_int_equal(order_give(world, (struct order){ .type = ORDER_ADD, .ifindex = 9 }),
                         -ENOENT);
        assert_string_equal(order_said, "there is no such interface");
        assert_int_equal(order_add(world, LTE, "[2001:db8::1]:80"), -EAFNOSUPPORT);
        assert_int_equal(order_add(world, LTE, "198.51.100.1:80"), -ENOENT);
        assert_string_equal(order_said, "the remote address leads to no other host");
        assert_int_equal(order_add(world, LTE, "224.0.0.1:80"), -ENOENT);
        world_expect_nothing(world);
}

static void test_add_on_an_interface_that_is_down_or_off_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
        assert_int_equal(engine_set_role(&world->engine, "lte0", MPTCPIZE_ROLE_OFF), 0);
        world_settle(world);
        assert_int_equal(order_add(world, LTE, NULL), -EACCES);
        assert_string_equal(order_said, "the role of lte0 is off");
        world_link(world, 3, "lte0", false);
        world_settle(world);
        assert_int_equal(order_add(world, LTE, NULL), -ENOENT);
        assert_string_equal(order_said, "the link of lte0 is down");
}

static void test_add_on_an_interface_that_is_about_to_go_is_refused(void **state) {
        const struct advised_role advised = {
                .name = "lte0", .role = ROLE_UNSET, .leaving = true, .reason = "NetworkManager"
        };
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
        assert_int_equal(engine_advise(&world->engine, &advised), 1);
        world_settle(world);
        assert_int_equal(order_add(world, LTE, NULL), -EACCES);
        assert_string_equal(order_said, "lte0 is about to go: NetworkManager");
}

static void test_add_without_a_route_is_refused(void **state) {
        struct world *world = *state;

        order_connect(world);
        order_remove_lte(world);
        world_route_gone(world, 3, "0.0.0.0", 0);
        world_settle(world);
        assert_int_equal(order_add(world, LTE, NULL), -ENETUNREACH);
        assert_string_equal(order_said, "no route leads there from lte0");
}

static void test_add_where_the_peer_denies_joins_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        world_expect_nothing(world);
        assert_int_equal(order_add(world, LTE, NULL), -EACCES);
        assert_int_equal(order_add(world, LTE, SERVER), -EACCES);
        (void)order_expect(world, ACTION_CREATE, order_add(world, LTE, SECOND));
}

static void test_add_beyond_the_joins_under_way_is_refused(void **state) {
        struct world *world = *state;

        world->conf.max_joins = 1;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
        assert_int_equal(order_add(world, WIFI, SECOND), -ENOBUFS);
}

static void test_add_does_not_wait_after_a_failure(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, 0);
        order_closed(world, LTE ":40001", 1, ECONNREFUSED);
        assert_true(world_connection(world)->refusals.items[0].final);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, NULL));
        assert_int_equal(world_connection(world)->refusals.n, 0);
        world_outcome(world, &action, 0);
        order_closed(world, LTE ":40001", 1, ECONNREFUSED);
        assert_true(world_connection(world)->refusals.items[0].final);
}

static void test_add_is_not_the_plugins_to_destroy(void **state) {
        const struct conf_option option = { .plugin = "fullmesh",
                                            .key = "announced",
                                            .value = "false" };
        struct world *world = *state;
        struct action action;

        assert_int_equal(ARRAY_APPEND(&world->conf.options, option, 1), 0);
        world_configure(world);
        order_connect(world);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        world_expect_nothing(world);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, SECOND));
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40002", SECOND, 1, 0, 0);
        order_change(world);
        world_configure(world);
        world_expect_nothing(world);
        assert_int_equal(order_lines(world, "the operator's word stands"), 1);
        world_feed(world,
                   (struct event){ .type = EVENT_ASSIGNED, .assigned = { TOKEN, "default" } });
        order_change_back(world);
        (void)world_expect(world, ACTION_DESTROY);
}

/* BACKUP */

static void test_backup_stays_against_the_plugin(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_BACKUP, order_backup(world, LTE, true));
        assert_true(action.backup);
        world_outcome(world, &action, 0);
        assert_true(world_connection(world)->subflows.items[1].is.flags & MPTCPIZE_SUBFLOW_BACKUP);
        order_change(world);
        world_configure(world);
        world_settle(world);
        world_expect_nothing(world);
        assert_int_equal(order_lines(world, "the operator's word stands"), 1);
}

static void test_backup_against_a_role_stays(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_BACKUP, order_backup(world, LTE, false));
        world_outcome(world, &action, 0);
        assert_int_equal(engine_set_role(&world->engine, "lte0", MPTCPIZE_ROLE_BACKUP), 0);
        world_settle(world);
        world_expect_nothing(world);
        assert_int_equal(order_lines(world, "the operator's word stands"), 1);
}

static void test_backup_is_the_plugins_again_after_another_policy(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_BACKUP, order_backup(world, LTE, true));
        world_outcome(world, &action, 0);
        world_feed(world,
                   (struct event){ .type = EVENT_ASSIGNED, .assigned = { TOKEN, "default" } });
        order_change(world);
        assert_int_equal(world_expect(world, ACTION_BACKUP).backup, false);
}

static void test_backup_that_failed_does_not_stay(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_BACKUP, order_backup(world, LTE, true));
        world_outcome(world, &action, -EINVAL);
        assert_false(world_connection(world)->subflows.items[1].pinned);
}

static void test_backup_of_a_join_under_way_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
        assert_int_equal(order_backup(world, LTE, true), -ENOENT);
}

static void test_backup_of_what_is_added_stays(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        order_remove_lte(world);
        action = order_expect(world, ACTION_CREATE,
                              order_give(world, (struct order){ .type = ORDER_ADD,
                                                                .ifindex = 3,
                                                                .backup = true }));
        assert_true(action.backup);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40002", SERVER, 1, 0, 0);
        order_change(world);
        world_expect_nothing(world);
}

/* ANNOUNCE, WITHDRAW */

static void test_announce_with_a_port_opens_a_listener(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        action = order_expect(world, ACTION_ANNOUNCE,
                              order_announce(world, ORDER_ANNOUNCE, LTE ":8080"));
        assert_true(action.listen);
        assert_int_equal(action.ifindex, 3);
        world_outcome(world, &action, 0);
        action = order_expect(world, ACTION_WITHDRAW,
                              order_announce(world, ORDER_WITHDRAW, LTE ":8080"));
        (void)world_expect(world, ACTION_RELEASE);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        assert_int_equal(order_announce(world, ORDER_WITHDRAW, LTE ":8080"), -ENOENT);
        assert_string_equal(order_said, "it is not announced");
}

static void test_announce_that_failed_is_forgotten(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        action = order_expect(world, ACTION_ANNOUNCE,
                              order_announce(world, ORDER_ANNOUNCE, LTE ":8080"));
        world_outcome(world, &action, -EADDRINUSE);
        (void)world_expect(world, ACTION_RELEASE);
        assert_false(world_connection(world)->ids.items[0].held);
}

static void test_announce_of_what_can_not_be_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        assert_int_equal(order_announce(world, ORDER_ANNOUNCE, WIFI), -EEXIST);
        assert_int_equal(order_announce(world, ORDER_ANNOUNCE, "192.0.2.77"), -ENOENT);
        assert_int_equal(order_give(world, (struct order){ .type = ORDER_ANNOUNCE }), -ENOENT);
        assert_int_equal(order_announce(world, ORDER_WITHDRAW, LTE), -ENOENT);
        assert_int_equal(order_announce(world, ORDER_WITHDRAW, WIFI), -ENOENT);
        world_expect_nothing(world);
}

static void test_announce_without_a_free_id_is_refused(void **state) {
        struct world *world = *state;
        struct local_id id = { .address = at("198.51.100.9") };

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        for (uint16_t i = 1; i <= LIMIT_IDS; i++) {
                id.address.port = i;
                id.id = (uint8_t)i;
                assert_int_equal(ARRAY_APPEND(&world_connection(world)->ids, id, LIMIT_IDS), 0);
        }
        assert_int_equal(order_announce(world, ORDER_ANNOUNCE, LTE), -ENOBUFS);
        assert_string_equal(order_said, "no address id is free");
}

static void test_announce_is_not_the_plugins_to_withdraw_until_it_is_lost(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        action = order_expect(world, ACTION_ANNOUNCE, order_announce(world, ORDER_ANNOUNCE, LTE));
        world_outcome(world, &action, 0);
        assert_true(world_connection(world)->ids.items[0].held);
        action.type = ACTION_WITHDRAW; /* as the engine does when the path is lost */
        action.ordered = false;
        world_outcome(world, &action, 0);
        assert_false(world_connection(world)->ids.items[0].held);
        assert_true(world_connection(world)->ids.items[0].free);
}

/* The id comes back with a subflow: that changes nothing of it. */
static void test_withdraw_outlives_a_join_from_there(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        order_remove_lte(world);
        action = order_expect(world, ACTION_WITHDRAW, order_announce(world, ORDER_WITHDRAW, LTE));
        world_outcome(world, &action, 0);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, NULL));
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40002", SERVER, 1, 0, 0);
        assert_true(connection_find_id(world_connection(world), 1)->barred);
        assert_false(connection_find_id(world_connection(world), 1)->free);
}

/* What the peer has joined there is closed by it. */
static void test_withdraw_of_what_carries_all_is_refused(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        action = order_expect(world, ACTION_ANNOUNCE, order_announce(world, ORDER_ANNOUNCE, LTE));
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40000", "203.0.113.9:4001",
                    action.local_id, 1, 0);
        action = order_expect(world, ACTION_DESTROY, order_drop(world, WIFI));
        world_outcome(world, &action, 0);
        assert_int_equal(order_announce(world, ORDER_WITHDRAW, LTE), -EBUSY);
        world_expect_nothing(world);
}

static void test_withdraw_where_a_join_of_ours_begins_is_refused(void **state) {
        struct world *world = *state;

        order_connect(world);
        assert_int_equal(order_announce(world, ORDER_WITHDRAW, LTE), -EBUSY);
        assert_string_equal(order_said, "a subflow of this host's begins there: remove it first");
}

int main(void) {
#define ORDER_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                ORDER_TEST(test_order_of_no_connection_is_refused),
                ORDER_TEST(test_order_before_establishment_is_refused),
                ORDER_TEST(test_order_of_what_is_not_managed_is_refused),
                ORDER_TEST(test_order_before_the_ids_are_known_asks_for_them),
                ORDER_TEST(test_order_with_a_full_queue_is_refused),
                ORDER_TEST(test_order_has_failed_unless_it_was_done_already),
                ORDER_TEST(test_add_makes_what_a_limit_has_kept_away),
                ORDER_TEST(test_add_by_interface_takes_its_address),
                ORDER_TEST(test_add_without_addresses_takes_what_is_not_there),
                ORDER_TEST(test_add_from_a_port_is_another_subflow),
                ORDER_TEST(test_add_from_the_port_of_one_that_ends_is_refused),
                ORDER_TEST(test_add_to_an_address_that_nobody_announced),
                ORDER_TEST(test_add_takes_the_port_that_was_announced),
                ORDER_TEST(test_add_of_what_can_not_be_is_refused),
                ORDER_TEST(test_add_on_an_interface_that_is_down_or_off_is_refused),
                ORDER_TEST(test_add_on_an_interface_that_is_about_to_go_is_refused),
                ORDER_TEST(test_add_without_a_route_is_refused),
                ORDER_TEST(test_add_where_the_peer_denies_joins_is_refused),
                ORDER_TEST(test_add_beyond_the_joins_under_way_is_refused),
                ORDER_TEST(test_add_does_not_wait_after_a_failure),
                ORDER_TEST(test_add_is_not_the_plugins_to_destroy),
                ORDER_TEST(test_backup_stays_against_the_plugin),
                ORDER_TEST(test_backup_against_a_role_stays),
                ORDER_TEST(test_backup_is_the_plugins_again_after_another_policy),
                ORDER_TEST(test_backup_that_failed_does_not_stay),
                ORDER_TEST(test_backup_of_a_join_under_way_is_refused),
                ORDER_TEST(test_backup_of_what_is_added_stays),
                ORDER_TEST(test_announce_with_a_port_opens_a_listener),
                ORDER_TEST(test_announce_that_failed_is_forgotten),
                ORDER_TEST(test_announce_of_what_can_not_be_is_refused),
                ORDER_TEST(test_announce_without_a_free_id_is_refused),
                ORDER_TEST(test_announce_is_not_the_plugins_to_withdraw_until_it_is_lost),
                ORDER_TEST(test_withdraw_outlives_a_join_from_there),
                ORDER_TEST(test_withdraw_of_what_carries_all_is_refused),
                ORDER_TEST(test_withdraw_where_a_join_of_ours_begins_is_refused),
        };

        return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
