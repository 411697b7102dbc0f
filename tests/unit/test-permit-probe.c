/*
 * core/probe where joins need permission: what the peer's answer to the question for it says of the
 * path, and what none does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "watched.h"

/* Two subflows, both with permission; then wifi0 delivers, and goes quiet: the probe. */
static struct action probe(struct watched *watched, struct world *world) {
        world_protect(world, CONF_AUTH_REQUIRE);
        world->now = 100000000;
        world->engine.sweep_usec = 0;
        *watched = (struct watched){ .world = world };
        for (unsigned int i = 0; i < 2; i++)
                watched->paths[i].measure =
                                (struct measure){ .rtt_usec = 40000, .rto_usec = 240000 };
        world_connect(world, TOKEN, 0);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_join(world, "198.51.100.1", SERVER);
        world->engine.sweep_usec = 0;
        assert_false(watched_move(watched, WIFI, 2000 * MSEC, watched_download));
        assert_true(watched_pass(watched, 1000 * MSEC));
        return world_expect_create(world, "192.0.2.1", SERVER);
}

static const struct subflow *first(struct world *world) {
        return &world_connection(world)->subflows.items[0];
}

/* Three questions, which took 1.4 s. */
static void test_question_unanswered_loses_the_path(void **state) {
        struct world *world = *state;
        struct watched watched;
        struct action action = probe(&watched, world);

        assert_false(watched_pass(&watched, 1400 * MSEC));
        world_outcome(world, &action, -ETIMEDOUT);
        assert_true(watched_pass(&watched, 300 * MSEC));
        (void)world_expect(world, ACTION_WITHDRAW);
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40000);
        assert_int_equal(world->engine.counters[COUNTER_SUBFLOWS_DEAD], 1);
        world_expect_nothing(world);
}

static void test_question_refused_says_that_the_path_is_alive(void **state) {
        static const int errors[] = { -EACCES, -ENOBUFS };

        for (size_t i = 0; i < 2; i++) {
                struct world *world = *state;
                struct watched watched;
                struct action action = probe(&watched, world);

                world_outcome(world, &action, errors[i]);
                assert_false(watched_pass(&watched, 3000 * MSEC));
                assert_int_equal(first(world)->is.state, MPTCPIZE_SUBFLOW_ESTABLISHED);
                assert_int_equal(first(world)->holds, 1);
                assert_int_equal(world_connection(world)->refusals.n, 0);
                world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        }
}

static void test_question_granted_is_a_probe_like_others(void **state) {
        struct world *world = *state;
        struct watched watched;
        struct action action = probe(&watched, world);

        assert_false(watched_pass(&watched, 200 * MSEC));
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "192.0.2.1:50001", SERVER, 0, 0, 0);
        assert_int_equal(world_expect(world, ACTION_ABORT).local.port, 50001);
        world_expect_nothing(world);
}

static void test_question_not_allowed_says_nothing(void **state) {
        struct world *world = *state;
        struct watched watched;
        struct action action = probe(&watched, world);

        world_joins(world, JOINS_BARRED, "the peer has ended it");
        world_outcome(world, &action, -EACCES);
        assert_false(watched_pass(&watched, 3000 * MSEC));
        assert_int_equal(first(world)->is.state, MPTCPIZE_SUBFLOW_ESTABLISHED);
}

static void test_probe_not_allowed_is_not_begun(void **state) {
        struct world *world = *state;
        struct watched watched;
        struct action action = probe(&watched, world);

        world_outcome(world, &action, -EACCES);
        world_joins(world, JOINS_WAIT, "HELLO sent");
        assert_false(watched_pass(&watched, 20000 * MSEC)); /* the pause after an answer */
        assert_false(watched_move(&watched, WIFI, 2000 * MSEC, watched_download));
        assert_false(watched_pass(&watched, 5000 * MSEC));
        assert_int_equal(world->engine.counters[COUNTER_PROBES], 1);
}

/* Its joins are in no list, so that whoever looks there takes them for a stranger's. */
static void test_probe_is_no_intruder(void **state) {
        struct world *world = *state;
        struct watched watched;
        struct action action = probe(&watched, world);

        world_outcome(world, &action, 0);
        world_feed(world, (struct event){ .type = EVENT_INTRUDER,
                                          .intruder = { TOKEN, at("192.0.2.1:50001"), at(SERVER),
                                                        "unknown" } });
        world_expect_nothing(world);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_question_unanswered_loses_the_path),
                TEST(test_question_refused_says_that_the_path_is_alive),
                TEST(test_question_granted_is_a_probe_like_others),
                TEST(test_question_not_allowed_says_nothing),
                TEST(test_probe_not_allowed_is_not_begun),
                TEST(test_probe_is_no_intruder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
