/*
 * core/scarce: joins from an address that has hardly a free port are put off.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "world.h"

#define SERVER      "203.0.113.1:80"
#define WIFI        "192.0.2.1"
#define LTE         "198.51.100.1"
#define PAUSE_USEC  100000u  /* after a search of 5 ms */
#define VAIN_USEC   5000000u /* and after one in vain */
#define SPREAD_USEC 5000000u

/* The kernel's answer to a join from lte0. */
static void search(struct world *world, uint32_t cpu_usec, int error) {
        struct event event = { .type = EVENT_OUTCOME };

        world_connect(world, TOKEN, 0);
        event.outcome.action = world_expect_create(world, LTE, SERVER);
        event.outcome.cpu_usec = cpu_usec;
        event.outcome.error = error;
        world_feed(world, event);
        world_expect_nothing(world);
}

static void test_search_long_puts_off_joins_of_others(void **state) {
        struct world *world = *state;

        search(world, 5000, 0);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        world_connect(world, TOKEN + 1, 0);
        world_expect_nothing(world);
        assert_int_equal(world->engine.counters[COUNTER_RETRIES_HELD], 1);
        world_later(world, PAUSE_USEC - 1);
        world_expect_nothing(world);
        world_later(world, SPREAD_USEC + 1);
        assert_int_equal(world_expect_create(world, LTE, SERVER).token, TOKEN + 1);
}

/* Each search costs the same; what waits must not wait for all the others. */
static void test_search_long_is_followed_by_the_next_soon(void **state) {
        struct world *world = *state;

        search(world, 5000, 0);
        world_later(world, PAUSE_USEC);
        world_connect(world, TOKEN + 1, 0);
        assert_int_equal(world_expect_create(world, LTE, SERVER).token, TOKEN + 1);
}

static void test_search_in_vain_puts_off_joins_of_others(void **state) {
        struct world *world = *state;

        search(world, 10, -EADDRINUSE);
        world_later(world, VAIN_USEC - 1);
        world_connect(world, TOKEN + 1, 0);
        world_expect_nothing(world);
}

static void test_search_quick_or_failed_otherwise_puts_off_nothing(void **state) {
        struct world *world = *state;

        search(world, 4999, -EADDRNOTAVAIL);
        world_connect(world, TOKEN + 1, 0);
        assert_int_equal(world_expect_create(world, LTE, SERVER).token, TOKEN + 1);
}

static void test_search_long_leaves_other_addresses(void **state) {
        struct world *world = *state;
        const struct mptcpize_address other = at(WIFI), remote = at(SERVER);

        search(world, 5000, 0);
        assert_false(engine_is_scarce(&world->engine, world_connection(world), &other, &remote));
}

/* The connection would end, which is worse than a search. */
static void test_search_long_does_not_hold_up_the_last_hope(void **state) {
        struct world *world = *state;

        search(world, 5000, 0);
        world_connect(world, TOKEN + 1, 0);
        world_expect_nothing(world);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN + 1, WIFI ":40000", SERVER, 0, 0, ECONNRESET);
        world_expect_create(world, WIFI, SERVER);
        assert_int_equal(world_expect_create(world, LTE, SERVER).token, TOKEN + 1);
}

static void test_search_more_addresses_than_the_limit_keeps_the_last(void **state) {
        struct world *world = *state;
        struct event event = { .type = EVENT_OUTCOME };

        world_connect(world, TOKEN, 0);
        event.outcome.action = world_expect_create(world, LTE, SERVER);
        event.outcome.cpu_usec = 5000;
        for (uint8_t i = 0; i <= LIMIT_SCARCITIES; i++) {
                event.outcome.action.local.bytes[3] = i;
                world->now++;
                engine_note_search(&world->engine, &event.outcome);
                world->engine.now_usec++;
        }
        for (uint8_t i = 0; i <= LIMIT_SCARCITIES; i++) {
                event.outcome.action.local.bytes[3] = i;
                assert_int_equal(engine_is_scarce(&world->engine, world_connection(world),
                                                  &event.outcome.action.local,
                                                  &event.outcome.action.remote),
                                 i > 0);
        }
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_search_long_puts_off_joins_of_others),
                T(test_search_long_is_followed_by_the_next_soon),
                T(test_search_in_vain_puts_off_joins_of_others),
                T(test_search_quick_or_failed_otherwise_puts_off_nothing),
                T(test_search_long_leaves_other_addresses),
                T(test_search_long_does_not_hold_up_the_last_hope),
                T(test_search_more_addresses_than_the_limit_keeps_the_last),
        };

        return cmocka_run_group_tests_name("scarce", tests, NULL, NULL);
}
