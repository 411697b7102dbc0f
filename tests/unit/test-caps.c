/*
 * core/join: how many joins may be under way, be tried again, and be accepted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

#define SERVER      "203.0.113.1:80"
#define WIFI        "192.0.2.1"
#define LTE         "198.51.100.1"
#define MINUTE_USEC 60000000ull

/* Takes all actions; how many of them were of that type. */
static size_t take(struct world *world, enum action_type type) {
        const struct action *action;
        size_t n = 0;

        while ((action = action_queue_peek(&world->engine.queue))) {
                n += action->type == type;
                action_queue_pop(&world->engine.queue);
        }
        return n;
}

static size_t notes(struct world *world, enum trace_kind kind, const char *reason) {
        size_t n = 0;

        for (uint32_t i = 0; i < world->engine.trace.n; i++)
                n += world->engine.trace.lines[i].kind == kind &&
                     (!reason || strcmp(world->engine.trace.lines[i].reason, reason) == 0);
        return n;
}

/* Half-open joins: the host has four addresses besides the initial one's. */

static void set_up_five(struct world *world) {
        char text[32];

        world->conf.max_subflows = 8;
        world_configure(world);
        for (int i = 2; i <= 4; i++) {
                snprintf(text, sizeof(text), "198.51.100.%d", i);
                world_address(world, 3, text, true);
        }
        world_settle(world);
        world_connect(world, TOKEN, 0);
}

static void test_joins_at_the_limit_wait(void **state) {
        struct world *world = *state;

        set_up_five(world);
        assert_int_equal(take(world, ACTION_CREATE), LIMIT_JOINS_DEFAULT);
        assert_int_equal(notes(world, TRACE_REFUSED, NULL), 0);
        assert_int_equal(world_connection(world)->refusals.n, 0);
}

static void test_joins_limit_is_configured(void **state) {
        struct world *world = *state;

        world->conf.max_joins = 4;
        set_up_five(world);
        assert_int_equal(take(world, ACTION_CREATE), 4);
}

static void test_joins_established_one_makes_room(void **state) {
        struct world *world = *state;

        set_up_five(world);
        (void)take(world, ACTION_CREATE);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40001", SERVER, 1, 0, 0);
        world_expect_create(world, "198.51.100.4", SERVER);
        world_expect_nothing(world);
}

static void test_joins_failed_one_makes_room(void **state) {
        struct world *world = *state;

        set_up_five(world);
        (void)take(world, ACTION_CREATE);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40001", SERVER, 1, 0, ETIMEDOUT);
        world_expect_create(world, "198.51.100.4", SERVER);
        world_expect_nothing(world);
}

static void test_joins_refused_by_the_kernel_makes_room(void **state) {
        struct world *world = *state;
        struct action first;

        set_up_five(world);
        first = world_expect(world, ACTION_CREATE);
        (void)take(world, ACTION_CREATE);
        world_outcome(world, &first, -EADDRNOTAVAIL);
        world_expect_create(world, "198.51.100.4", SERVER);
}

static void test_joins_given_up_makes_room(void **state) {
        struct world *world = *state;
        struct action first;

        set_up_five(world);
        first = world_expect(world, ACTION_CREATE);
        (void)take(world, ACTION_CREATE);
        world_outcome(world, &first, 0);
        world_later(world, 3000000);
        (void)world_expect(world, ACTION_ABORT);
        world_expect_create(world, "198.51.100.4", SERVER);
        world_expect_nothing(world);
}

/* Retries: connections whose join from lte0 failed, all at the same time. */

#define CONNECTIONS 20u

static void fail_all(struct world *world) {
        for (uint32_t i = 0; i < CONNECTIONS; i++) {
                struct action action;

                world_connect(world, TOKEN + i, 0);
                action = world_expect_create(world, LTE, SERVER);
                world_outcome(world, &action, 0);
                world_mptcp(world, EVENT_SUB_CLOSED, TOKEN + i, LTE ":40001", SERVER, 1, 0,
                            ETIMEDOUT);
        }
}

static void test_retries_at_the_limit_wait(void **state) {
        struct world *world = *state;

        world->engine.limits.max_retries = 7;
        fail_all(world);
        world_later(world, 1250000);
        assert_int_equal(take(world, ACTION_CREATE), 7);
        assert_int_equal(world->engine.counters[COUNTER_RETRIES_HELD], CONNECTIONS - 7);
        assert_int_equal(notes(world, TRACE_NOTE, "retry put off: as many as may be in a minute"),
                         CONNECTIONS - 7);
}

static void test_retries_below_the_limit_go(void **state) {
        struct world *world = *state;

        world->engine.limits.max_retries = CONNECTIONS;
        fail_all(world);
        world_later(world, 1250000);
        assert_int_equal(take(world, ACTION_CREATE), CONNECTIONS);
        assert_int_equal(world->engine.counters[COUNTER_RETRIES_HELD], 0);
}

static void test_retries_come_at_that_rate(void **state) {
        struct world *world = *state;
        const uint64_t each = MINUTE_USEC / 6;
        size_t n;

        world->engine.limits.max_retries = 6;
        fail_all(world);
        world_later(world, 1250000);
        n = take(world, ACTION_CREATE);
        world_later(world, each - 1);
        assert_int_equal(take(world, ACTION_CREATE), 0);
        assert_int_equal(n, 6);
        world_later(world, 1250001);
        assert_int_equal(take(world, ACTION_CREATE), 1);
        for (unsigned int seconds = 0; seconds < 600; seconds++) {
                world_later(world, 1000000);
                n += take(world, ACTION_CREATE);
        }
        assert_int_equal(n, CONNECTIONS - 1); /* with the one above all have had their turn */
}

static void test_retries_put_off_are_noted_once(void **state) {
        struct world *world = *state;

        world->engine.limits.max_retries = 1;
        fail_all(world);
        for (unsigned int i = 0; i < 5; i++)
                world_later(world, 1250000);
        assert_int_equal(take(world, ACTION_CREATE), 1);
        assert_true(world->engine.counters[COUNTER_RETRIES_HELD] > CONNECTIONS);
        assert_int_equal(notes(world, TRACE_NOTE, "retry put off: as many as may be in a minute"),
                         CONNECTIONS - 1);
}

static void test_retries_first_tries_are_none(void **state) {
        struct world *world = *state;

        world->engine.limits.max_retries = 1;
        fail_all(world);
        assert_int_equal(world->engine.counters[COUNTER_SUBFLOWS_CREATED], CONNECTIONS);
}

static void test_retries_without_any_subflow_do_not_wait(void **state) {
        struct world *world = *state;

        world->engine.limits.max_retries = 1;
        fail_all(world);
        world_later(world, 1250000);
        assert_int_equal(take(world, ACTION_CREATE), 1);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN + 5, WIFI ":40000", SERVER, 0, 0, ETIMEDOUT);
        assert_int_equal(take(world, ACTION_CREATE), 2); /* from wifi0 and from lte0 */
}

/* Joins of the peer's */

static void accept_join(struct world *world, unsigned int i) {
        char remote[32];

        snprintf(remote, sizeof(remote), "203.0.113.%u:4000", 10 + i);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, WIFI ":40000", remote, 0, (uint8_t)i, 0);
}

static void test_accepted_beyond_the_limit_is_destroyed(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        for (unsigned int i = 1; i <= LIMIT_ACCEPTED_DEFAULT; i++)
                accept_join(world, i);
        world_expect_nothing(world);
        accept_join(world, LIMIT_ACCEPTED_DEFAULT + 1);
        action = world_expect(world, ACTION_DESTROY);
        assert_int_equal(action.remote.bytes[3], 10 + LIMIT_ACCEPTED_DEFAULT + 1);
        assert_string_equal(action.reason, "more joins of the peer's than max_accepted allows");
        world_expect_nothing(world);
        assert_int_equal(world->engine.counters[COUNTER_SUBFLOWS_SURPLUS], 1);
}

static void test_accepted_end_of_one_makes_room(void **state) {
        struct world *world = *state;

        world->engine.limits.max_accepted = 2;
        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        accept_join(world, 1);
        accept_join(world, 2);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, WIFI ":40000", "203.0.113.11:4000", 0, 1, 0);
        accept_join(world, 3);
        world_expect_nothing(world);
        accept_join(world, 4);
        (void)world_expect(world, ACTION_DESTROY);
}

static void test_accepted_joins_of_ours_do_not_count(void **state) {
        struct world *world = *state;

        world->engine.limits.max_accepted = 1;
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        accept_join(world, 1);
        world_expect_nothing(world);
        accept_join(world, 2);
        (void)world_expect(world, ACTION_DESTROY);
}

static void test_accepted_without_a_plugin_is_bounded_too(void **state) {
        struct world *world = *state;

        world->engine.limits.max_accepted = 1;
        world->profiles[0].plugin = NULL;
        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        accept_join(world, 1);
        world_expect_nothing(world);
        accept_join(world, 2);
        (void)world_expect(world, ACTION_DESTROY);
}

static void test_accepted_lower_limit_counts_at_once(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        for (unsigned int i = 1; i <= 4; i++)
                accept_join(world, i);
        world->conf.max_accepted = 3;
        world_configure(world);
        (void)world_expect(world, ACTION_DESTROY);
        world_expect_nothing(world);
}

/* A connection of the peer's that is found with three joins. */
static void test_accepted_beyond_the_limit_is_destroyed_when_found(void **state) {
        struct world *world = *state;
        struct snapshot_connection connection = { .token = TOKEN,
                                                  .state = 1,
                                                  .local = at(WIFI ":40000"),
                                                  .remote = at("203.0.113.9:4000") };
        struct snapshot_subflow rows[4];
        struct snapshot snapshot = { .connections = { .items = &connection, .n = 1 },
                                     .subflows = { .items = rows, .n = 4 } };
        struct action action;

        world->engine.limits.max_accepted = 2;
        for (size_t i = 0; i < 4; i++) {
                rows[i] = (struct snapshot_subflow){
                        .token = TOKEN,
                        .flags = i ? SNAPSHOT_JOIN_REM : SNAPSHOT_FULLY_EST,
                        .state = 1,
                        .remote_id = (uint8_t)i,
                        .local = connection.local,
                        .remote = connection.remote,
                };
                rows[i].remote.bytes[3] += (uint8_t)i;
        }
        snapshot.started_usec = world->now;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        action = world_expect(world, ACTION_QUERY);
        world_expect_nothing(world);
        world_outcome(world, &action, 0);
        action = world_expect(world, ACTION_DESTROY);
        assert_int_equal(action.remote.bytes[3], 12);
        world_expect_nothing(world);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_joins_at_the_limit_wait),
                T(test_joins_limit_is_configured),
                T(test_joins_established_one_makes_room),
                T(test_joins_failed_one_makes_room),
                T(test_joins_refused_by_the_kernel_makes_room),
                T(test_joins_given_up_makes_room),
                T(test_retries_at_the_limit_wait),
                T(test_retries_below_the_limit_go),
                T(test_retries_come_at_that_rate),
                T(test_retries_put_off_are_noted_once),
                T(test_retries_first_tries_are_none),
                T(test_retries_without_any_subflow_do_not_wait),
                T(test_accepted_beyond_the_limit_is_destroyed),
                T(test_accepted_end_of_one_makes_room),
                T(test_accepted_joins_of_ours_do_not_count),
                T(test_accepted_without_a_plugin_is_bounded_too),
                T(test_accepted_lower_limit_counts_at_once),
                T(test_accepted_beyond_the_limit_is_destroyed_when_found),
        };

        return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
