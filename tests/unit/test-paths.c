/*
 * core/paths: what is done about lost paths, so that a connection outlives them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"
#define OTHER  "192.0.2.77"
#define SECOND 1000000u

/* A client that has wifi0 only. */
static int setup_alone(void **state) {
        int r = world_setup(state);

        world_address_gone(*state, 3, LTE);
        world_settle(*state);
        world_connect(*state, TOKEN, 0);
        return r;
}

/* A client with a subflow on each path. */
static int setup_both(void **state) {
        int r = world_setup(state);

        world_connect(*state, TOKEN, 0);
        world_join(*state, LTE, SERVER);
        return r;
}

static void link_is(struct world *world, int32_t ifindex, bool up) {
        world_link(world, ifindex, ifindex == 2 ? "wifi0" : "lte0", up);
        world_settle(world);
}

static void closed(struct world *world, const char *local, int error) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, local, SERVER, 0, 0, error);
}

/* The last one */

static void test_last_address_lost_is_kept_until_a_new_one_carries(void **state) {
        struct world *world = *state;

        world_address_gone(world, 2, WIFI);
        world_settle(world);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
        world_address(world, 2, OTHER, true);
        world_settle(world);
        world_join(world, OTHER, SERVER);
        world_expect_buried(world, WIFI ":40000", 0);
}

static void measured(struct world *world, const char *local, uint32_t heard_msec) {
        world_feed(world,
                   (struct event){
                                   .type = EVENT_MEASURED,
                                   .measured = { .token = TOKEN,
                                                 .local = at(local),
                                                 .remote = at(SERVER),
                                                 .measure = { .last_ack_recv_msec = heard_msec,
                                                              .last_data_recv_msec = heard_msec } },
                   });
}

static void away(struct world *world, uint64_t usec) {
        world->now += 100 * SECOND;
        link_is(world, 2, false);
        world_expect_nothing(world);
        world->now += usec;
        link_is(world, 2, true);
}

static void test_last_one_back_soon_goes_on(void **state) {
        away(*state, SECOND / 2 - 1);
        world_expect_nothing(*state);
        assert_int_equal(world_subflows(*state, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

static void test_last_one_back_late_is_replaced(void **state) {
        struct world *world = *state;
        struct mptcpize_address old = at(WIFI ":40000");
        struct action action;

        away(world, SECOND / 2);
        action = world_expect_create(world, WIFI, SERVER);
        assert_int_equal(action.local_id, 0);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, WIFI ":40001", SERVER, 0, 0, 0);
        /* The address is the new one's, too: nothing is withdrawn. */
        action = world_expect(world, ACTION_ABORT);
        assert_true(address_equal(&action.local, &old));
        world_expect_nothing(world);
}

static void test_last_one_back_late_and_heard_first_goes_on(void **state) {
        struct world *world = *state;

        away(world, 10 * SECOND);
        (void)world_expect_create(world, WIFI, SERVER);
        world->now += SECOND / 5;
        measured(world, WIFI ":40000", 1000);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
        measured(world, WIFI ":40000", 100);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 0);
}

static void test_last_one_back_late_is_looked_at_while_it_is_dead(void **state) {
        struct world *world = *state;
        struct action action;

        away(world, 10 * SECOND);
        action = world_expect_create(world, WIFI, SERVER);
        world_outcome(world, &action, -ECONNREFUSED);
        world->engine.sweep_usec = 0; /* comparisons are another test's matter */
        world->now += SECOND / 5;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        (void)world_expect(world, ACTION_MEASURE);
        world_expect_nothing(world);
}

static void test_last_one_back_late_where_joins_are_denied_goes_on(void **state) {
        struct world *world = *state;

        world_connection(world)->flags |= MPTCPIZE_VIEW_DENY_JOIN_INITIAL;
        away(world, 10 * SECOND);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

static void test_last_address_lost_failed_join_keeps_it(void **state) {
        struct world *world = *state;
        struct action action;

        world_address_gone(world, 2, WIFI);
        world_address(world, 2, OTHER, true);
        world_settle(world);
        action = world_expect_create(world, OTHER, SERVER);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, OTHER ":40001", SERVER, 1, 0, ETIMEDOUT);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
        /* Nothing carries data: no wait. */
        world_expect_create(world, OTHER, SERVER);
        world_expect_nothing(world);
}

static void test_only_one_reset_is_replaced_at_once(void **state) {
        struct world *world = *state;

        world_feed(world, (struct event){
                                          .type = EVENT_SUB_CLOSED,
                                          .mptcp = { .token = TOKEN,
                                                     .local = at(WIFI ":40000"),
                                                     .remote = at(SERVER),
                                                     .error = ECONNRESET,
                                                     .reset = true },
                          });
        assert_int_equal(world_expect_create(world, WIFI, SERVER).local_id, 0);
        assert_int_not_equal(world_connection(world)->orphan_usec, 0);
}

static void test_only_one_closed_by_the_peer_is_replaced_at_once(void **state) {
        closed(*state, WIFI ":40000", 0);
        world_expect_create(*state, WIFI, SERVER);
}

static void test_only_one_closed_late_on_a_new_address_is_replaced(void **state) {
        struct world *world = *state;

        world_address_gone(world, 2, WIFI);
        world_settle(world);
        closed(world, WIFI ":40000", ETIMEDOUT);
        world->now += 60ull * SECOND;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        (void)world_expect(world, ACTION_SNAPSHOT);
        world_expect_nothing(world);
        world_address(world, 2, OTHER, true);
        world_settle(world);
        world_expect_create(world, OTHER, SERVER);
}

static void test_only_one_destroyed_is_an_orphan(void **state) {
        struct world *world = *state;
        struct connection *connection = world_connection(world);
        struct action destroy;

        assert_true(engine_close(&world->engine, connection, &connection->subflows.items[0],
                                 ACTION_DESTROY, "a test wants it"));
        destroy = world_expect(world, ACTION_DESTROY);
        world_outcome(world, &destroy, 0);
        assert_int_not_equal(connection->orphan_usec, 0);
        world_expect_create(world, WIFI, SERVER);
}

static void test_both_lost_first_one_back_carries(void **state) {
        struct world *world = *state;

        link_is(world, 2, false);
        world_expect_buried(world, WIFI ":40000", 0);
        closed(world, WIFI ":40000", ECONNABORTED);
        link_is(world, 3, false);
        world_expect_nothing(world);
        link_is(world, 2, true);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
        world_join(world, WIFI, SERVER);
        world_expect_buried(world, LTE ":40001", 1);
}

static void test_both_lost_at_once_last_one_back_carries(void **state) {
        struct world *world = *state;

        world_link(world, 2, "wifi0", false);
        world->now += SECOND;
        link_is(world, 3, false);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 2);
        assert_true(world_connection(world)->subflows.items[0].is.changed_usec == world->now);
        link_is(world, 3, true);
        world_expect_buried(world, WIFI ":40000", 0);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

/* Ids that the kernel has forgotten */

/* lte0 goes, and the kernel knows nothing of its id. */
static struct action withdraw_fails(struct world *world) {
        struct action withdraw;

        link_is(world, 3, false);
        withdraw = world_expect(world, ACTION_WITHDRAW);
        (void)world_expect(world, ACTION_ABORT);
        world_outcome(world, &withdraw, -EINVAL);
        return withdraw;
}

static void test_withdraw_of_a_forgotten_id_is_repeated(void **state) {
        struct world *world = *state;
        struct action withdraw = withdraw_fails(world);
        struct action announce = world_expect(world, ACTION_ANNOUNCE);
        struct action again = world_expect(world, ACTION_WITHDRAW);

        assert_int_equal(announce.local_id, withdraw.local_id);
        assert_int_equal(again.local_id, withdraw.local_id);
        assert_int_equal(announce.local.bytes[0], 198);
        world_expect_nothing(world);
        assert_int_equal(world->engine.counters[COUNTER_ACTIONS_FAILED], 0);
}

static void test_withdraw_of_a_forgotten_id_is_repeated_once(void **state) {
        struct world *world = *state;
        struct action again;

        (void)withdraw_fails(world);
        (void)world_expect(world, ACTION_ANNOUNCE);
        again = world_expect(world, ACTION_WITHDRAW);
        world_outcome(world, &again, -EINVAL);
        world_expect_nothing(world);
        assert_int_equal(world->engine.counters[COUNTER_ACTIONS_FAILED], 0);
}

static void test_withdraw_repeated_may_be_repeated_another_time(void **state) {
        struct world *world = *state;
        struct action again;

        (void)withdraw_fails(world);
        (void)world_expect(world, ACTION_ANNOUNCE);
        again = world_expect(world, ACTION_WITHDRAW);
        world_outcome(world, &again, 0);
        closed(world, LTE ":40001", ECONNABORTED);
        link_is(world, 3, true);
        world_join(world, LTE, SERVER);
        (void)withdraw_fails(world);
        (void)world_expect(world, ACTION_ANNOUNCE);
}

static void test_withdraw_of_id_0_is_not_repeated(void **state) {
        struct world *world = *state;
        struct action withdraw;

        link_is(world, 2, false);
        withdraw = world_expect(world, ACTION_WITHDRAW);
        (void)world_expect(world, ACTION_ABORT);
        world_outcome(world, &withdraw, -EINVAL);
        world_expect_nothing(world);
        assert_int_equal(world->engine.counters[COUNTER_ACTIONS_FAILED], 0);
}

static void test_withdraw_of_an_id_that_is_another_address_now_is_not_repeated(void **state) {
        struct world *world = *state;
        struct action withdraw;

        link_is(world, 3, false);
        withdraw = world_expect(world, ACTION_WITHDRAW);
        (void)world_expect(world, ACTION_ABORT);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "192.0.2.9:41000", SERVER,
                    withdraw.local_id, 0, 0);
        world_outcome(world, &withdraw, -EINVAL);
        world_expect_nothing(world);
}

#define ALONE(name) cmocka_unit_test_setup_teardown(name, setup_alone, world_teardown)
#define BOTH(name)  cmocka_unit_test_setup_teardown(name, setup_both, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                ALONE(test_last_address_lost_is_kept_until_a_new_one_carries),
                ALONE(test_last_one_back_soon_goes_on),
                ALONE(test_last_one_back_late_is_replaced),
                ALONE(test_last_one_back_late_and_heard_first_goes_on),
                ALONE(test_last_one_back_late_is_looked_at_while_it_is_dead),
                ALONE(test_last_one_back_late_where_joins_are_denied_goes_on),
                ALONE(test_last_address_lost_failed_join_keeps_it),
                ALONE(test_only_one_reset_is_replaced_at_once),
                ALONE(test_only_one_closed_by_the_peer_is_replaced_at_once),
                ALONE(test_only_one_closed_late_on_a_new_address_is_replaced),
                ALONE(test_only_one_destroyed_is_an_orphan),
                BOTH(test_both_lost_first_one_back_carries),
                BOTH(test_both_lost_at_once_last_one_back_carries),
                BOTH(test_withdraw_of_a_forgotten_id_is_repeated),
                BOTH(test_withdraw_of_a_forgotten_id_is_repeated_once),
                BOTH(test_withdraw_repeated_may_be_repeated_another_time),
                BOTH(test_withdraw_of_an_id_that_is_another_address_now_is_not_repeated),
                BOTH(test_withdraw_of_id_0_is_not_repeated),
        };

        return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
