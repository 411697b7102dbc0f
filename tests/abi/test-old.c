/*
 * A plugin that was built with the header of ABI 1.0 works as it did. argv[1] is its directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../daemon/host/plugin.h"
#include "../unit/pump.h"

static struct plugin *loaded;

/* The one that the world takes. */
const struct mptcpize_plugin *mptcpize_plugin(void) {
        return plugin_api(loaded);
}

static void test_old_plugin_is_loaded_as_what_it_is(void **state) {
        (void)state;
        assert_int_equal(mptcpize_plugin()->abi, 1u << 16);
        assert_true(mptcpize_plugin()->abi < MPTCPIZE_ABI);
}

static void test_old_plugin_joins_once_and_sets_bits(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        assert_string_equal(pump_log(), "create lte ");
        pump_pass(world, 1000000);
        assert_string_equal(pump_log(), "bit lte+ ");
}

static void test_old_plugin_bears_events_and_samples_of_later(void **state) {
        struct world *world = *state;

        pump_connect(world, 0);
        pump_log();
        world_connection(world)->subflows.items[0].is.sample_usec = world->now;
        world_connection(world)->subflows.items[0].is.rtt_usec = UINT32_MAX;
        engine_decide_simple(&world->engine, world_connection(world), MPTCPIZE_EVENT_SAMPLE);
        engine_decide_simple(&world->engine, world_connection(world), MPTCPIZE_EVENT_SAMPLE + 1);
        pump(world);
        assert_string_equal(pump_log(), "");
        assert_int_equal(world->engine.counters[COUNTER_PLUGIN_ERRORS], 0);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_old_plugin_is_loaded_as_what_it_is),
                cmocka_unit_test_setup_teardown(test_old_plugin_joins_once_and_sets_bits,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_old_plugin_bears_events_and_samples_of_later,
                                                world_setup, world_teardown),
        };
        char error[PLUGIN_ERROR];
        int r;

        if (argc != 2) {
                fprintf(stderr, "usage: test-old DIRECTORY\n");
                return 2;
        }
        if (plugin_load(argv[1], "old", &loaded, error) < 0) {
                fprintf(stderr, "%s\n", error);
                return 1;
        }
        r = cmocka_run_group_tests(tests, NULL, NULL);
        plugin_free(loaded);
        return r;
}
