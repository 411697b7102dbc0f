/*
 * core/orphan: connections that have lost their last subflow.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

#define HOPE_USEC 5000000u
#define WIFI      "192.0.2.1"
#define LTE       "198.51.100.1"
#define SERVER    "203.0.113.1:80"

/* Time passes, and EVENT_TICK comes. */
static void later(struct world *world, uint64_t usec) {
        world->now += usec;
        world_feed(world, (struct event){ .type = EVENT_TICK });
}

/* Both subflows time out. */
static void lose_all(struct world *world) {
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, WIFI ":40000", SERVER, 0, 0, ETIMEDOUT);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40001", SERVER, 1, 0, ETIMEDOUT);
}

/* Takes all actions; how many of them were joins. */
static size_t take_joins(struct world *world) {
        const struct action *action;
        size_t n = 0;

        while ((action = action_queue_peek(&world->engine.queue))) {
                n += action->type == ACTION_CREATE;
                action_queue_pop(&world->engine.queue);
        }
        return n;
}

static size_t take_aborts(struct world *world) {
        const struct action *action;
        size_t n = 0;

        while ((action = action_queue_peek(&world->engine.queue))) {
                if (action->type == ACTION_ABORT && action->local.port == 0)
                        n++;
                action_queue_pop(&world->engine.queue);
        }
        return n;
}

static void test_orphan_joins_are_tried_and_then_aborted(void **state) {
        struct world *world = *state;
        size_t joins;

        lose_all(world);
        joins = take_joins(world);
        assert_true(joins > 0);
        later(world, HOPE_USEC - 1);
        assert_int_equal(take_aborts(world), 0);
        later(world, 1);
        assert_int_equal(take_aborts(world), joins);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 0);
}

static void end_joins(struct world *world) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, WIFI ":40002", SERVER, 0, 0, ECONNABORTED);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40003", SERVER, 1, 0, ECONNABORTED);
}

static void test_orphan_without_hope_tries_no_more(void **state) {
        struct world *world = *state;

        lose_all(world);
        later(world, HOPE_USEC);
        (void)take_joins(world);
        end_joins(world);
        for (int i = 0; i < 100; i++)
                later(world, 1000000);
        assert_int_equal(take_joins(world), 0);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 0);
}

static void test_orphan_changed_network_is_a_new_hope(void **state) {
        struct world *world = *state;

        lose_all(world);
        later(world, HOPE_USEC);
        (void)take_joins(world);
        end_joins(world);
        later(world, 1000000);
        assert_int_equal(take_joins(world), 0);
        world_route_gone(world, 2, "0.0.0.0", 0);
        world_settle(world);
        world_route(world, 2, "0.0.0.0", 0);
        world_settle(world);
        assert_true(take_joins(world) > 0);
}

static void test_orphan_joined_is_one_no_more(void **state) {
        struct world *world = *state;

        lose_all(world);
        (void)take_joins(world);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40003", SERVER, 1, 0, 0);
        (void)take_joins(world);
        later(world, 2 * HOPE_USEC);
        assert_int_equal(take_aborts(world), 0);
        assert_int_equal(world_connection(world)->orphan_usec, 0);
}

static void test_orphan_dead_subflow_is_one(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        assert_int_equal(world_connection(world)->orphan_usec, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_orphan_joins_are_tried_and_then_aborted,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_orphan_without_hope_tries_no_more, world_setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(test_orphan_changed_network_is_a_new_hope,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_orphan_joined_is_one_no_more, world_setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(test_orphan_dead_subflow_is_one, world_setup,
                                                world_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
