/*
 * Subflows that an operator has removed, and when they may come back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "orders.h"

static void test_remove_stays_removed(void **state) {
        struct world *world = *state;

        order_connect(world);
        order_remove_lte(world);
        order_change(world);
        for (int i = 0; i < 20; i++) {
                world->now += 10000000;
                world_feed(world, (struct event){ .type = EVENT_TICK });
        }
        world_configure(world);
        world_settle(world);
        for (const struct action *next; (next = action_queue_peek(&world->engine.queue));
             action_queue_pop(&world->engine.queue))
                assert_int_not_equal(next->type, ACTION_CREATE);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

static void test_remove_ends_with_an_order_to_add(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        order_remove_lte(world);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, NULL));
        assert_int_equal(world_connection(world)->refusals.n, 0);
        world_outcome(world, &action, 0);
}

static void test_remove_ends_with_a_fresh_announcement(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        action = world_expect_create(world, WIFI, SECOND);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, WIFI ":40002", SECOND, 0, 5, 0);
        action = world_expect_create(world, LTE, SECOND);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40003", SECOND, 1, 5, 0);
        action = order_expect(world, ACTION_DESTROY, order_drop(world, LTE ":40003"));
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        world->now += 20000000;
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 5, 0);
        (void)world_expect_create(world, LTE, SECOND);
}

static void test_remove_of_the_first_subflow_leaves_the_other_one(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_DESTROY, order_drop(world, WIFI));
        assert_int_equal(action.local.port, 40000);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

static void test_remove_of_the_last_subflow_is_refused(void **state) {
        struct world *world = *state;

        order_connect(world);
        order_remove_lte(world);
        assert_int_equal(order_drop(world, WIFI), -EBUSY);
        assert_string_equal(order_said, "no other subflow carries the connection");
        world_expect_nothing(world);
}

/* A join under way carries nothing yet. */
static void test_remove_of_the_last_that_carries_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
        assert_int_equal(order_drop(world, WIFI), -EBUSY);
}

static void test_remove_of_several_that_fit_is_refused(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE, SECOND));
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40002", SECOND, 1, 0, 0);
        assert_int_equal(order_drop(world, LTE), -ENOTUNIQ);
        assert_string_equal(order_said, "2 subflows fit: say both addresses and ports");
        assert_int_equal(order_give(world, (struct order){ .type = ORDER_REMOVE }), -ENOTUNIQ);
        action = order_expect(world, ACTION_DESTROY,
                              order_give(world, (struct order){ .type = ORDER_REMOVE,
                                                                .ifindex = 3,
                                                                .remote = at("203.0.113.2") }));
        assert_int_equal(action.local.port, 40002);
}

static void test_remove_of_what_is_not_there_is_refused(void **state) {
        struct world *world = *state;

        order_connect(world);
        assert_int_equal(order_drop(world, LTE ":40009"), -ENOENT);
        assert_int_equal(order_drop(world, "192.0.2.77"), -ENOENT);
        (void)order_expect(world, ACTION_DESTROY, order_drop(world, LTE));
        assert_int_equal(order_drop(world, LTE), -ENOENT); /* it is being closed */
}

static void test_remove_when_nothing_else_is_left_may_come_back(void **state) {
        struct world *world = *state;

        order_connect(world);
        order_remove_lte(world);
        order_closed(world, WIFI ":40000", 0, ECONNRESET);
        assert_int_equal(order_lines(world, "nothing else is left"),
                         0); /* wifi0 can be tried again */
        (void)world_expect_create(world, WIFI, SERVER);
        world_expect_nothing(world);
}

static void test_remove_comes_back_when_all_else_has_failed(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        order_remove_lte(world);
        order_closed(world, WIFI ":40000", 0, ECONNRESET);
        action = world_expect_create(world, WIFI, SERVER);
        world_outcome(world, &action, 0);
        order_closed(world, WIFI ":40005", 0, ETIMEDOUT);
        assert_int_equal(order_lines(world, "nothing else is left"), 1);
        (void)world_expect_create(world, LTE, SERVER);
}

static void test_remove_comes_back_when_the_other_link_goes(void **state) {
        struct world *world = *state;

        order_connect(world);
        order_remove_lte(world);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        (void)world_expect_create(world, LTE, SERVER);
}

static void test_remove_of_a_join_under_way_aborts_it(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, 0);
        action = order_expect(world, ACTION_ABORT, order_drop(world, LTE));
        world_outcome(world, &action, 0);
        order_closed(world, LTE ":40001", 1, ECONNABORTED);
        order_change(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 0);
        assert_int_equal(world_connection(world)->subflows.n, 1);
}

static void test_remove_of_a_join_that_is_established_meanwhile_closes_it(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, 0);
        action = order_expect(world, ACTION_ABORT, order_drop(world, LTE));
        world_outcome(world, &action, -ENOENT);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40001", SERVER, 1, 0, 0);
        action = world_expect(world, ACTION_DESTROY);
        assert_int_equal(action.local.port, 40001);
        world_outcome(world, &action, 0);
        order_closed(world, LTE ":40001", 1, 0);
        world_expect_nothing(world);
}

/* If it is all that there is by then, it stays for good. */
static void test_remove_of_a_join_that_is_needed_meanwhile_is_left(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, 0);
        action = order_expect(world, ACTION_ABORT, order_drop(world, LTE));
        world_outcome(world, &action, -ENOENT);
        order_closed(world, WIFI ":40000", 0, ECONNRESET);
        action = world_expect_create(world, WIFI, SERVER);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40002", SERVER, 1, 0, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, WIFI ":40003", SERVER, 0, 0, 0);
        world_expect_nothing(world);
}

static void test_remove_of_a_join_of_the_peers_is_not_noted(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, WIFI ":40000", "203.0.113.9:4001", 0, 1,
                    0);
        action = order_expect(
                        world, ACTION_DESTROY,
                        order_give(world, (struct order){ .type = ORDER_REMOVE,
                                                          .remote = at("203.0.113.9:4001") }));
        world_outcome(world, &action, 0);
        assert_int_equal(world_connection(world)->refusals.n, 0);
}

/* Another subflow between the same addresses fails: that doesn't make it an ordinary failure. */
static void test_remove_outlives_failures_of_the_same_pair(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_CREATE, order_add(world, LTE ":7777", NULL));
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":7777", SERVER, 2, 0, 0);
        action = order_expect(world, ACTION_DESTROY, order_drop(world, LTE ":40001"));
        world_outcome(world, &action, 0);
        order_closed(world, LTE ":7777", 2, ETIMEDOUT);
        assert_true(world_connection(world)->refusals.items[0].ordered);
        world->now += 200000000;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 0);
}

static void test_remove_is_told_to_the_plugin_as_an_end(void **state) {
        struct world *world = *state;
        struct action action;

        order_connect(world);
        action = order_expect(world, ACTION_DESTROY, order_drop(world, LTE));
        assert_string_equal(action.reason, "removed by the operator");
        world_outcome(world, &action, -EBUSY);
        /* As after any failure to close: it is taken for dead, and closed again. */
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
}

int main(void) {
#define REMOVE_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                REMOVE_TEST(test_remove_stays_removed),
                REMOVE_TEST(test_remove_ends_with_an_order_to_add),
                REMOVE_TEST(test_remove_ends_with_a_fresh_announcement),
                REMOVE_TEST(test_remove_of_the_first_subflow_leaves_the_other_one),
                REMOVE_TEST(test_remove_of_the_last_subflow_is_refused),
                REMOVE_TEST(test_remove_of_the_last_that_carries_is_refused),
                REMOVE_TEST(test_remove_of_several_that_fit_is_refused),
                REMOVE_TEST(test_remove_of_what_is_not_there_is_refused),
                REMOVE_TEST(test_remove_when_nothing_else_is_left_may_come_back),
                REMOVE_TEST(test_remove_comes_back_when_all_else_has_failed),
                REMOVE_TEST(test_remove_comes_back_when_the_other_link_goes),
                REMOVE_TEST(test_remove_of_a_join_under_way_aborts_it),
                REMOVE_TEST(test_remove_of_a_join_that_is_established_meanwhile_closes_it),
                REMOVE_TEST(test_remove_of_a_join_that_is_needed_meanwhile_is_left),
                REMOVE_TEST(test_remove_of_a_join_of_the_peers_is_not_noted),
                REMOVE_TEST(test_remove_outlives_failures_of_the_same_pair),
                REMOVE_TEST(test_remove_is_told_to_the_plugin_as_an_end),
        };

        return cmocka_run_group_tests_name("remove", tests, NULL, NULL);
}
