/*
 * core/counters: the kernel's own counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

static void counters(struct world *world, uint64_t blackholes) {
        world_feed(world, (struct event){ .type = EVENT_COUNTERS,
                                          .counters = { .blackholes = blackholes } });
}

static void test_counters_first_time_counts_nothing(void **state) {
        struct world *world = *state;

        counters(world, 7);
        assert_int_equal(world->engine.counters[COUNTER_BLACKHOLES], 0);
}

static void test_counters_blackholes_rise_counted(void **state) {
        struct world *world = *state;

        counters(world, 7);
        world_expect_nothing(world);
        counters(world, 9);
        (void)world_expect(world, ACTION_SNAPSHOT);
        counters(world, 9);
        world_expect_nothing(world);
        counters(world, 10);
        assert_int_equal(world->engine.counters[COUNTER_BLACKHOLES], 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_counters_first_time_counts_nothing,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_counters_blackholes_rise_counted, world_setup,
                                                world_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
