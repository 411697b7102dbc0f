/*
 * When a pair of addresses is tried again, and when never.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"

static void world_tick(struct world *world, uint64_t usec) {
        world->now += usec;
        world_feed(world, (struct event){ .type = EVENT_TICK });
}

static void test_sub_closed_refused_is_not_tried_again(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0,
                    ECONNREFUSED);
        world_expect_nothing(world);
        assert_true(engine_deadline(&world->engine) >= world->engine.sweep_usec);
        world_link(world, 9, "eth9", true); /* not even after a change of the network */
        world_address(world, 9, "10.9.0.1", true);
        world_settle(world);
        world_expect_nothing(world);
}

static void test_sub_closed_at_once_is_a_refusal(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        world_expect_nothing(world);
        assert_true(world_connection(world)->refusals.items[0].final);
}

static void test_sub_closed_stripped_waits_for_a_change(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        world_expect_nothing(world);
        world_link(world, 3, "lte0", false);
        world_settle(world);
        world_link(world, 3, "lte0", true);
        world_settle(world);
        world_expect_create(world, LTE, SERVER);
}

static void test_sub_closed_timeout_backs_off_and_gives_up(void **state) {
        struct world *world = *state;
        uint64_t least, wait;
        int tries = 0;

        world_connect(world, TOKEN, 0);
        while (action_queue_peek(&world->engine.queue) && tries < 20) {
                struct action action = world_expect_create(world, LTE, SERVER);

                tries++;
                world_outcome(world, &action, 0);
                world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0,
                            ETIMEDOUT);
                world_expect_nothing(world);
                world->engine.sweep_usec = 0; /* comparisons are another test's matter */
                if (engine_deadline(&world->engine) == UINT64_MAX)
                        break;
                wait = engine_deadline(&world->engine) - world->now;
                least = tries < 7 ? 1000000ull << (tries - 1) : 64000000;
                assert_in_range(wait, least, least + least / 4);
                world_tick(world, wait);
        }
        assert_int_equal(tries, 9); /* the first one and eight more */
}

static void test_sub_closed_last_one_is_rebuilt_at_once(void **state) {
        struct world *world = *state;

        world_address_gone(world, 3, LTE);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:40000", SERVER, 0, 0, ECONNRESET);
        assert_int_equal(world_expect_create(world, WIFI, SERVER).local_id, 0);
}

static void test_announced_again_pardons_a_refusal(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        world_join(world, LTE, "203.0.113.2:80");
        action = world_expect_create(world, WIFI, "203.0.113.2:80");
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:40001", "203.0.113.2:80", 0, 0,
                    ECONNREFUSED);
        world_expect_nothing(world);
        world_mptcp(world, EVENT_REMOVED, TOKEN, NULL, NULL, 0, 5, 0);
        world_expect_nothing(world);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        world_expect_create(world, WIFI, "203.0.113.2:80");
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_sub_closed_refused_is_not_tried_again),
                T(test_sub_closed_at_once_is_a_refusal),
                T(test_sub_closed_stripped_waits_for_a_change),
                T(test_sub_closed_timeout_backs_off_and_gives_up),
                T(test_sub_closed_last_one_is_rebuilt_at_once),
                T(test_announced_again_pardons_a_refusal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
