/*
 * core/permit: subflows that nobody has admitted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "orders.h"

#define STRANGER "198.51.100.99:50000"

static void connect_protected(struct world *world, uint32_t auth) {
        world_protect(world, auth);
        world_connect(world, TOKEN, 0);
}

static void ask(struct world *world) {
        connect_protected(world, CONF_AUTH_REQUIRE);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
}

static void intruder(struct world *world, const char *local, const char *remote) {
        world_feed(world, (struct event){
                                          .type = EVENT_INTRUDER,
                                          .intruder = { .token = TOKEN,
                                                        .local = at(local),
                                                        .remote = at(remote),
                                                        .reason = "nobody knows it" },
                          });
}

static void orphan(struct world *world) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, WIFI ":40000", SERVER, 0, 0, ETIMEDOUT);
}

static void peer_join(struct world *world) {
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, WIFI ":40000", STRANGER, 0, 3, 0);
}

static void test_intruder_is_destroyed_and_counted(void **state) {
        struct world *world = *state;
        struct action destroy;

        connect_protected(world, CONF_AUTH_REQUIRE);
        peer_join(world);
        intruder(world, WIFI ":40000", STRANGER);
        destroy = world_expect(world, ACTION_DESTROY);
        assert_string_equal(destroy.reason, "nobody knows it");
        assert_string_equal(order_text(&destroy.remote), STRANGER);
        intruder(world, WIFI ":40000", STRANGER);
        world_expect_nothing(world);
        assert_int_equal(world->engine.counters[COUNTER_INTRUDERS], 1);
        world_outcome(world, &destroy, 0);
        assert_int_equal(world_connection(world)->subflows.n, 1);
}

/* Who has broken in may have cut all else. */
static void test_intruder_alone_is_destroyed(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        peer_join(world);
        orphan(world);
        intruder(world, WIFI ":40000", STRANGER);
        world_expect(world, ACTION_DESTROY);
}

static void test_intruder_that_stays_is_aborted(void **state) {
        struct world *world = *state;
        struct action action;

        connect_protected(world, CONF_AUTH_REQUIRE);
        peer_join(world);
        intruder(world, WIFI ":40000", STRANGER);
        action = world_expect(world, ACTION_DESTROY);
        world_outcome(world, &action, -EBUSY);
        action = world_expect(world, ACTION_ABORT);
        world_outcome(world, &action, -EBUSY);
        world_expect_nothing(world);
        assert_int_equal(world->engine.counters[COUNTER_INTRUDERS], 1);
}

static void test_intruder_of_no_connection_is_ignored(void **state) {
        struct world *world = *state;

        intruder(world, LTE ":1", STRANGER);
        world_expect_nothing(world);
}

static void test_intruder_unknown_here_is_destroyed(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        intruder(world, WIFI ":40000", STRANGER);
        world_expect(world, ACTION_DESTROY);
}

static void test_intruder_first_subflow_is_none(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        intruder(world, WIFI ":40000", SERVER);
        world_expect_nothing(world);
}

/* Another host has answered: it is not joined again at once. */
static void test_intruder_of_ours_backs_off(void **state) {
        struct world *world = *state;
        struct action destroy;

        ask(world);
        world_join(world, LTE, SERVER);
        intruder(world, LTE ":40001", SERVER);
        destroy = world_expect(world, ACTION_DESTROY);
        world_outcome(world, &destroy, 0);
        world_expect_nothing(world);
        world_rest(world, 2000000);
        world_expect_create(world, LTE, SERVER);
}

/* Of a connection that was found alive: when it is known to be ours. */
static void test_intruder_of_an_adopted_connection_is_destroyed_when_ids_are_known(void **state) {
        struct world *world = *state;
        struct action query;

        world_protect(world, CONF_AUTH_REQUIRE);
        world->now += 1000;
        world_find_join(world, 1);
        assert_int_equal(world_connection(world)->joins, JOINS_WAIT);
        intruder(world, LTE ":40001", SERVER);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        assert_int_equal(world_expect(world, ACTION_DESTROY).local.port, 40001);
}

/* What the last daemon has joined was admitted, as far as can be known. */
static void test_adopted_subflows_stay(void **state) {
        struct world *world = *state;

        world_protect(world, CONF_AUTH_REQUIRE);
        world->now += 1000;
        world_find_join(world, 1);
        world_joins(world, JOINS_ASK, "goes on");
        while (action_queue_peek(&world->engine.queue))
                assert_int_not_equal(
                                world_expect(world, action_queue_peek(&world->engine.queue)->type)
                                                .type,
                                ACTION_DESTROY);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_intruder_is_destroyed_and_counted),
                TEST(test_intruder_alone_is_destroyed),
                TEST(test_intruder_that_stays_is_aborted),
                TEST(test_intruder_of_no_connection_is_ignored),
                TEST(test_intruder_unknown_here_is_destroyed),
                TEST(test_intruder_first_subflow_is_none),
                TEST(test_intruder_of_ours_backs_off),
                TEST(test_intruder_of_an_adopted_connection_is_destroyed_when_ids_are_known),
                TEST(test_adopted_subflows_stay),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
