/*
 * The engine under events and answers that come in any order, with any error: what must be true
 * whatever happens. Each seed is a story of its own, and always the same one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "chaos.h"

#define SEEDS 300u
#define STEPS 500u

static struct world *begin(struct chaos *chaos, uint64_t seed) {
        void *world;

        assert_int_equal(world_setup(&world), 0);
        chaos_begin(chaos, world, seed, NULL, 0);
        return world;
}

static void end(struct chaos *chaos) {
        void *world = chaos->world;

        chaos_done(chaos);
        assert_int_equal(world_teardown(&world), 0);
}

static void test_chaos_breaks_no_rule(void **state) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct chaos chaos;

                (void)state;
                (void)begin(&chaos, seed);
                for (uint32_t i = 0; i < STEPS; i++)
                        chaos_happens(&chaos);
                end(&chaos);
        }
}

/* When the kernel is itself again, and the network has come back, all that can be carried is. */
static void check_carried(const struct connection *connection) {
        if (!connection || connection->state != CONNECTION_ESTABLISHED ||
            connection->flags & (MPTCPIZE_VIEW_DENY_JOIN_INITIAL | MPTCPIZE_VIEW_SERVER))
                return;
        for (size_t i = 0; i < connection->refusals.n; i++)
                if (connection->refusals.items[i].final && !connection->refusals.items[i].ordered)
                        return;
        assert_true(connection_count(connection, SUBFLOWS_CARRYING, NULL) > 0);
}

static void test_chaos_ends_well(void **state) {
        (void)state;
        if (strcmp(mptcpize_plugin()->name, "announce") == 0)
                return; /* it never dials */
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct chaos chaos;
                struct world *world = begin(&chaos, seed);

                for (uint32_t i = 0; i < STEPS / 4; i++)
                        chaos_happens(&chaos);
                world_link(world, 2, "wifi0", false);
                world_settle(world);
                world_link(world, 2, "wifi0", true);
                world_address(world, 2, "192.0.2.1", true);
                (void)engine_set_role(&world->engine, "wifi0", ROLE_UNSET);
                world_settle(world);
                chaos_check(&chaos);
                chaos_calms_down(&chaos);
                for (uint32_t i = 0; i < CHAOS_TOKENS; i++)
                        check_carried(chaos_connection(&chaos, i));
                end(&chaos);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chaos_breaks_no_rule),
                cmocka_unit_test(test_chaos_ends_well),
        };

        return cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
}
