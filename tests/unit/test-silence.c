/*
 * core/silence: subflows that acknowledge nothing for longer than the application waits.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

#define TIMEOUT_MSEC 2000u
#define PERIOD_USEC  500000u

static void hint(struct world *world, unsigned int kind, uint32_t user_timeout_msec) {
        world_feed(world, (struct event){
                                          .type = EVENT_HINT,
                                          .hint = { .kind = kind,
                                                    .token = TOKEN,
                                                    .cookie = 7,
                                                    .profile = "",
                                                    .user_timeout_msec = user_timeout_msec },
                          });
}

/* The kernel's answer to a measurement. */
static void answer_of(struct world *world, const struct action *action, struct measure measure) {
        world_feed(world, (struct event){
                                          .type = EVENT_MEASURED,
                                          .measured = { .token = action->token,
                                                        .local = action->local,
                                                        .remote = action->remote,
                                                        .measure = measure },
                          });
        world_outcome(world, action, 0);
}

static void answer(struct world *world, const struct action *action, uint32_t unacked,
                   uint64_t acked) {
        answer_of(world, action, (struct measure){ .unacked = unacked, .bytes_acked = acked });
}

/* One period with one measurement of the only subflow. */
static void period(struct world *world, uint32_t unacked, uint64_t acked) {
        struct action action;

        world_later(world, PERIOD_USEC);
        action = world_expect(world, ACTION_MEASURE);
        answer(world, &action, unacked, acked);
}

/* Only the initial subflow. */
static void connect_alone(struct world *world) {
        world->conf.max_subflows = 1;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        hint(world, HINT_CONNECT, TIMEOUT_MSEC);
}

/* One period with two subflows, of which the first is silent from its second period on. */
static void period_of_two(struct world *world, uint64_t acked_by_second) {
        struct action first, second;

        world_later(world, PERIOD_USEC);
        first = world_expect(world, ACTION_MEASURE);
        second = world_expect(world, ACTION_MEASURE);
        answer(world, &second, 3, acked_by_second);
        answer(world, &first, 3, 1000);
}

static void test_measure_without_timeout_never(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
        hint(world, HINT_CONNECT, 0);
        world_later(world, 5000000);
        world_expect_nothing(world);
}

static void test_measure_period_is_a_quarter(void **state) {
        struct world *world = *state;

        connect_alone(world);
        assert_int_equal(engine_deadline(&world->engine), world->now + PERIOD_USEC);
        world_later(world, PERIOD_USEC - 1);
        world_expect_nothing(world);
        world_later(world, 1);
        (void)world_expect(world, ACTION_MEASURE);
}

static void test_measure_period_has_limits(void **state) {
        struct world *world = *state;

        connect_alone(world);
        hint(world, HINT_OPTION, 1);
        assert_int_equal(engine_deadline(&world->engine), world->now + 100000);
        hint(world, HINT_OPTION, UINT32_MAX);
        assert_int_equal(engine_deadline(&world->engine), world->now + 5000000);
}

static void test_measure_unanswered_is_not_asked_again(void **state) {
        struct world *world = *state;

        connect_alone(world);
        world_later(world, PERIOD_USEC);
        (void)world_expect(world, ACTION_MEASURE);
        world_later(world, PERIOD_USEC);
        world_expect_nothing(world);
}

static void test_measure_failed_is_asked_again(void **state) {
        struct world *world = *state;
        struct action action;

        connect_alone(world);
        world_later(world, PERIOD_USEC);
        action = world_expect(world, ACTION_MEASURE);
        world_outcome(world, &action, -ENOENT);
        assert_int_equal(world->engine.counters[COUNTER_ACTIONS_FAILED], 0);
        world_later(world, PERIOD_USEC);
        (void)world_expect(world, ACTION_MEASURE);
}

static void test_measure_hint_before_the_connection_counts(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 1;
        world_configure(world);
        hint(world, HINT_CONNECT, TIMEOUT_MSEC);
        world_connect(world, TOKEN, 0);
        world_later(world, PERIOD_USEC);
        (void)world_expect(world, ACTION_MEASURE);
}

static void test_measure_option_of_zero_ends_it(void **state) {
        struct world *world = *state;

        connect_alone(world);
        hint(world, HINT_OPTION, 0);
        world_later(world, 5000000);
        world_expect_nothing(world);
}

static void test_silence_of_one_others_take_over(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        hint(world, HINT_CONNECT, TIMEOUT_MSEC);
        for (unsigned int i = 0; i < 4; i++) {
                period_of_two(world, i);
                world_expect_nothing(world);
        }
        period_of_two(world, 4);
        (void)world_expect(world, ACTION_WITHDRAW);
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40000);
        assert_int_equal(world_connection(world)->state, CONNECTION_ESTABLISHED);
        assert_int_equal(world->engine.counters[COUNTER_SUBFLOWS_DEAD], 1);
        world_outcome(world, &action, 0);
        /* Not at once: this pair has just failed. */
        world_expect_nothing(world);
        world_later(world, 1250000);
        (void)world_expect_create(world, "192.0.2.1", "203.0.113.1:80");
        (void)world_expect(world, ACTION_MEASURE);
}

static void test_silence_broken_by_an_ack_starts_again(void **state) {
        struct world *world = *state;

        connect_alone(world);
        for (unsigned int i = 0; i < 4; i++)
                period(world, 3, 1000);
        period(world, 3, 1001);
        for (unsigned int i = 0; i < 3; i++)
                period(world, 3, 1001);
        world_expect_nothing(world);
        period(world, 3, 1001);
        (void)world_expect(world, ACTION_ABORT);
}

static void test_silence_of_an_idle_one_is_none(void **state) {
        struct world *world = *state;

        connect_alone(world);
        for (unsigned int i = 0; i < 10; i++)
                period(world, 0, 1000);
        /* It begins with what is sent then. */
        for (unsigned int i = 0; i < 4; i++)
                period(world, 1, 1000);
        world_expect_nothing(world);
}

static void silence_alone(struct world *world) {
        connect_alone(world);
        for (unsigned int i = 0; i < 5; i++)
                period(world, 3, 1000);
}

static void test_silence_of_the_last_one_ends_the_connection(void **state) {
        struct world *world = *state;
        struct action action;

        silence_alone(world);
        action = world_expect(world, ACTION_ABORT);
        assert_non_null(strstr(action.reason, "user timeout"));
        assert_int_equal(world_connection(world)->state, CONNECTION_ENDING);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        world_later(world, 5000000);
        world_expect_nothing(world);
}

/* The kernel holds on to the first one, though it was closed before: it has to go before the last.
 */
static void test_silence_of_a_join_ends_the_first_one_too(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:40000", "203.0.113.1:80", 0, 0, 0);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        hint(world, HINT_CONNECT, TIMEOUT_MSEC);
        for (unsigned int i = 0; i < 5; i++)
                period(world, 3, 1000);
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40000);
        world_outcome(world, &action, -ENOENT);
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40001);
        assert_int_equal(world->engine.counters[COUNTER_ACTIONS_FAILED], 0);
}

/* Those that have lost their path, and are kept only until there is another one. */
static void test_silence_of_the_last_one_ends_the_dead_too(void **state) {
        struct world *world = *state;
        struct action action, measures[2];

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world_link(world, 2, "wifi0", false);
        world_link(world, 3, "lte0", false);
        world_settle(world);
        world_expect_nothing(world);
        hint(world, HINT_CONNECT, TIMEOUT_MSEC);
        for (unsigned int i = 0; i < 5; i++) {
                world_later(world, PERIOD_USEC);
                measures[0] = world_expect(world, ACTION_MEASURE);
                measures[1] = world_expect(world, ACTION_MEASURE);
                answer(world, &measures[0], 3, 1000);
                answer(world, &measures[1], 0, 1000);
        }
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40000);
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40001);
        world_expect_nothing(world);
        assert_int_equal(world_connection(world)->state, CONNECTION_ENDING);
}

/* A device without a carrier sends nothing, so there is nothing unacknowledged. */
static void test_silence_of_unsent_data_counts(void **state) {
        struct world *world = *state;

        connect_alone(world);
        for (unsigned int i = 0; i < 5; i++) {
                struct action action;

                world_later(world, PERIOD_USEC);
                action = world_expect(world, ACTION_MEASURE);
                answer_of(world, &action, (struct measure){ .notsent = 1, .bytes_acked = 1000 });
        }
        (void)world_expect(world, ACTION_ABORT);
}

/* Reload and changes of the network don't bring it back. */
static void test_silence_ended_connection_is_left_alone(void **state) {
        struct world *world = *state;
        struct action action;

        silence_alone(world);
        action = world_expect(world, ACTION_ABORT);
        world_outcome(world, &action, 0);
        world->conf.max_subflows = 4;
        world_configure(world);
        world_link(world, 3, "lte0", false);
        world_settle(world);
        world_link(world, 3, "lte0", true);
        world_settle(world);
        world_expect_nothing(world);
}

static void test_silence_ended_connection_is_saved_by_a_join(void **state) {
        struct world *world = *state;
        struct action action;

        silence_alone(world);
        action = world_expect(world, ACTION_ABORT);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40001", "203.0.113.1:80", 1,
                    0, 0);
        assert_int_equal(world_connection(world)->state, CONNECTION_ESTABLISHED);
        world_later(world, PERIOD_USEC);
        (void)world_expect(world, ACTION_MEASURE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_measure_without_timeout_never),
                TEST(test_measure_period_is_a_quarter),
                TEST(test_measure_period_has_limits),
                TEST(test_measure_unanswered_is_not_asked_again),
                TEST(test_measure_failed_is_asked_again),
                TEST(test_measure_hint_before_the_connection_counts),
                TEST(test_measure_option_of_zero_ends_it),
                TEST(test_silence_of_one_others_take_over),
                TEST(test_silence_broken_by_an_ack_starts_again),
                TEST(test_silence_of_an_idle_one_is_none),
                TEST(test_silence_of_the_last_one_ends_the_connection),
                TEST(test_silence_of_a_join_ends_the_first_one_too),
                TEST(test_silence_of_the_last_one_ends_the_dead_too),
                TEST(test_silence_of_unsent_data_counts),
                TEST(test_silence_ended_connection_is_left_alone),
                TEST(test_silence_ended_connection_is_saved_by_a_join),
        };

        return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
