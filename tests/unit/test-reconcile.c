/*
 * The model against snapshots of the kernel: adoption, lost events, what is newer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define LTE    "198.51.100.1"

#define SNAPSHOT_INITIAL (SNAPSHOT_MCAP_LOC | SNAPSHOT_FULLY_EST)

static struct snapshot_connection row(uint32_t token, uint8_t state, uint32_t flags) {
        return (struct snapshot_connection){
                .token = token,
                .flags = flags,
                .state = state,
                .local = at("192.0.2.1:40000"),
                .remote = at(SERVER),
        };
}

static struct snapshot_subflow subrow(uint32_t token, const char *local, const char *remote,
                                      uint8_t id, uint32_t flags, uint8_t state) {
        return (struct snapshot_subflow){
                .token = token,
                .flags = flags,
                .state = state,
                .local_id = id,
                .local = at(local),
                .remote = at(remote),
        };
}

/* Feeds what was put into the snapshot, begun at started, and frees it. */
static void feed(struct world *world, struct snapshot *snapshot, uint64_t started) {
        snapshot->started_usec = started;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = snapshot });
        snapshot_done(snapshot);
}

static void put(struct snapshot *snapshot, struct snapshot_connection connection) {
        assert_int_equal(ARRAY_APPEND(&snapshot->connections, connection, 100), 0);
}

static void put_subflow(struct snapshot *snapshot, struct snapshot_subflow subflow) {
        assert_int_equal(ARRAY_APPEND(&snapshot->subflows, subflow, 100), 0);
}

static void feed_one_alive(struct world *world, uint32_t flags) {
        struct snapshot snapshot = { 0 };

        put(&snapshot, row(TOKEN, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, flags, 1));
        feed(world, &snapshot, world->now);
}

static void test_overrun_asks_for_one_snapshot(void **state) {
        struct world *world = *state;
        struct action action;

        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        action = world_expect(world, ACTION_SNAPSHOT);
        world_expect_nothing(world);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        world_expect(world, ACTION_SNAPSHOT);
}

/* What was lost then may be missing from the snapshot that is under way. */
static void test_overrun_during_a_comparison_leads_to_another(void **state) {
        struct world *world = *state;
        struct action action;

        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        action = world_expect(world, ACTION_SNAPSHOT);
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        world_expect_nothing(world);
        world_outcome(world, &action, 0);
        action = world_expect(world, ACTION_SNAPSHOT);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        assert_int_equal(engine_deadline(&world->engine), UINT64_MAX);
}

/* Even if it knows of no connection: there may be some. */
static void test_overrun_failed_comparison_is_tried_soon(void **state) {
        struct world *world = *state;
        struct action action;

        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        action = world_expect(world, ACTION_SNAPSHOT);
        world_outcome(world, &action, -EAGAIN);
        world_expect_nothing(world);
        assert_true(engine_deadline(&world->engine) <= world->now + 100000);
        world->now += 100000;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        world_expect(world, ACTION_SNAPSHOT);
}

/* What was being set up, and could not be told, must not wait for a sweep to be established. */
static void test_overrun_is_followed_by_a_second_look(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };
        struct action action;

        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        action = world_expect(world, ACTION_SNAPSHOT);
        put(&snapshot, row(TOKEN, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_MCAP_LOC, 1));
        feed(world, &snapshot, world->now);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        assert_int_equal(world_connection(world)->state, CONNECTION_NEW);
        assert_int_equal(engine_deadline(&world->engine), world->now + 300000);
        world->now += 300000;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        action = world_expect(world, ACTION_SNAPSHOT);
        feed_one_alive(world, SNAPSHOT_INITIAL);
        world_outcome(world, &action, 0);
        assert_int_equal(world_connection(world)->state, CONNECTION_ESTABLISHED);
        assert_int_equal(world->engine.sweep_usec, world->now + ENGINE_SWEEP_USEC);
}

/* What waits there may be of connections that are long gone. */
static void test_overrun_comparison_comes_before_what_waits(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        world_expect(world, ACTION_SNAPSHOT);
        world_expect_create(world, LTE, SERVER);
        world_expect_nothing(world);
}

static void test_actions_of_what_has_ended_are_left_out(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_connect(world, TOKEN + 1, 0);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        assert_int_equal(engine_next_action(&world->engine)->type, ACTION_SNAPSHOT);
        action_queue_pop(&world->engine.queue);
        assert_int_equal(engine_next_action(&world->engine)->token, TOKEN + 1);
        action_queue_pop(&world->engine.queue);
        assert_null(engine_next_action(&world->engine));
}

static void test_snapshot_unknown_connection_is_adopted(void **state) {
        struct world *world = *state;
        struct action query;

        feed_one_alive(world, SNAPSHOT_INITIAL);
        query = world_expect(world, ACTION_QUERY);
        world_route_gone(world, 3, "0.0.0.0", 0);
        world_route(world, 3, "0.0.0.0", 0);
        world_settle(world);
        world_expect_nothing(world); /* not before its ids are known */
        world_outcome(world, &query, 0);
        world_join(world, LTE, SERVER);
        assert_int_equal(world->engine.counters[COUNTER_CONNECTIONS_ADOPTED], 1);
        assert_int_equal(world_connection(world)->flags & MPTCPIZE_VIEW_SERVER, 0);
}

static void test_snapshot_adopted_ids_are_kept(void **state) {
        struct world *world = *state;
        struct entry entry = { .address = at(LTE), .id = 7 };
        struct action query;

        feed_one_alive(world, SNAPSHOT_INITIAL);
        query = world_expect(world, ACTION_QUERY);
        world_feed(world, (struct event){
                                          .type = EVENT_ENTRIES,
                                          .entries = { .token = TOKEN, .entries = &entry, .n = 1 },
                          });
        world_outcome(world, &query, 0);
        assert_int_equal(world_expect_create(world, LTE, SERVER).local_id, 7);
}

static void test_snapshot_adopted_with_join_makes_no_duplicate(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };
        struct action query;

        put(&snapshot, row(TOKEN, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_INITIAL, 1));
        put_subflow(&snapshot,
                    subrow(TOKEN, "198.51.100.1:40001", SERVER, 1, SNAPSHOT_JOIN_LOC, 1));
        feed(world, &snapshot, world->now);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
        /* Only now there is something to do. */
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, ETIMEDOUT);
        world_link(world, 3, "lte0", false);
        world_settle(world);
        world_link(world, 3, "lte0", true);
        world_settle(world);
        query = world_expect(world, ACTION_QUERY);
        world_expect_nothing(world);
        world_outcome(world, &query, 0);
        world_expect_create(world, LTE, SERVER);
}

static void test_snapshot_adopted_server_never_dials(void **state) {
        struct world *world = *state;

        feed_one_alive(world, SNAPSHOT_FULLY_EST);
        world_expect_nothing(world);
        assert_true(world_connection(world)->flags & MPTCPIZE_VIEW_SERVER);
}

static void test_snapshot_kernel_pm_connection_is_left_alone(void **state) {
        struct world *world = *state;
        struct action query;

        feed_one_alive(world, SNAPSHOT_INITIAL);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, -EINVAL);
        assert_int_equal(world_connection(world)->state, CONNECTION_KERNEL);
        feed_one_alive(world, SNAPSHOT_INITIAL);
        world_expect_nothing(world);
}

static void test_snapshot_not_yet_established_waits(void **state) {
        struct world *world = *state;
        struct action query;

        feed_one_alive(world, SNAPSHOT_MCAP_LOC);
        world_expect_nothing(world);
        world_mptcp(world, EVENT_ESTABLISHED, TOKEN, "192.0.2.1:40000", SERVER, 0, 0, 0);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        world_expect_create(world, LTE, SERVER);
}

/* The event says what no comparison can see. */
static void test_snapshot_not_yet_established_learns_what_the_peer_denies(void **state) {
        struct world *world = *state;
        struct event event = {
                .type = EVENT_ESTABLISHED,
                .mptcp = { .token = TOKEN,
                           .flags = EVENT_MPTCP_DENY_JOIN_INITIAL,
                           .local = at("192.0.2.1:40000"),
                           .remote = at(SERVER) },
        };

        feed_one_alive(world, SNAPSHOT_MCAP_LOC);
        world_feed(world, event);
        world_expect_nothing(world);
        assert_true(world_connection(world)->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL);
        assert_false(world_connection(world)->flags & MPTCPIZE_VIEW_SERVER);
}

/* The answer is missing: it is asked for again at the next comparison. */
static void test_snapshot_adopted_unanswered_is_asked_again(void **state) {
        struct world *world = *state;
        struct action query;

        feed_one_alive(world, SNAPSHOT_INITIAL);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, -ETIMEDOUT);
        world_expect_nothing(world);
        feed_one_alive(world, SNAPSHOT_INITIAL);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        world_expect_create(world, LTE, SERVER);
}

static void test_snapshot_listeners_and_fallbacks_are_not_adopted(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };

        put(&snapshot, row(0, 10, 0));
        put(&snapshot, row(TOKEN, 1, SNAPSHOT_FALLBACK));
        put(&snapshot, row(TOKEN + 1, 4, 0));
        feed(world, &snapshot, world->now);
        assert_int_equal(world->engine.model.n_connections, 0);
        world_expect_nothing(world);
}

static void test_snapshot_fallback_is_noticed_and_final(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        put(&snapshot, row(TOKEN, 1, SNAPSHOT_FALLBACK));
        feed(world, &snapshot, world->now + 1);
        assert_int_equal(world_connection(world)->state, CONNECTION_FALLBACK);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        world_expect_nothing(world);
}

static void test_snapshot_missing_connection_is_gone(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };

        world_connect(world, TOKEN, 0);
        feed(world, &snapshot, world->now + 1);
        assert_null(world_connection(world));
        assert_int_equal(world->engine.counters[COUNTER_CONNECTIONS_LOST], 1);
}

static void feed_unlisted(struct world *world) {
        struct snapshot snapshot = { 0 };

        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_INITIAL, 1));
        feed(world, &snapshot, world->now + 1);
}

/* It was left out for another that ended beside it; but if it is so again, it has ended. */
static void test_snapshot_unlisted_connection_with_subflow_is_doubted(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        feed_unlisted(world);
        assert_non_null(world_connection(world));
        assert_true(engine_deadline(&world->engine) <= world->now + 100000);
        feed_unlisted(world);
        assert_null(world_connection(world));
}

static void test_snapshot_doubted_connection_listed_again_stays(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        for (int i = 0; i < 2; i++) {
                feed_unlisted(world);
                feed_one_alive(world, SNAPSHOT_INITIAL);
                assert_non_null(world_connection(world));
        }
}

/* Until the peer has answered its FIN the kernel lists what no program has any more. */
static void test_snapshot_closed_connection_is_gone(void **state) {
        struct world *world = *state;
        struct snapshot_connection closed = row(TOKEN, 5, 0);
        struct snapshot snapshot = { 0 };

        world_connect(world, TOKEN, 0);
        put(&snapshot, closed); /* only shut down */
        feed(world, &snapshot, world->now + 1);
        assert_non_null(world_connection(world));
        closed.uid = UINT32_MAX;
        put(&snapshot, closed);
        feed(world, &snapshot, world->now + 1);
        assert_null(world_connection(world));
}

static void test_snapshot_not_yet_accepted_connection_stays(void **state) {
        struct world *world = *state;
        struct snapshot_connection waiting = row(TOKEN, 8, 0);
        struct snapshot snapshot = { 0 };

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        waiting.uid = UINT32_MAX;
        put(&snapshot, waiting);
        feed(world, &snapshot, world->now + 1);
        assert_non_null(world_connection(world));
}

static void test_snapshot_older_than_connection_leaves_it(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };

        world_connect(world, TOKEN, 0);
        feed(world, &snapshot, world->now - 1);
        assert_non_null(world_connection(world));
}

static void test_snapshot_missing_subflow_is_rebuilt(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world->now += 2;
        feed_one_alive(world, SNAPSHOT_INITIAL);
        world_expect_create(world, LTE, SERVER);
}

static void test_snapshot_lost_sub_established_is_learned(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };

        world_connect(world, TOKEN, 0);
        world_expect_create(world, LTE, SERVER);
        world->now += 2;
        put(&snapshot, row(TOKEN, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_INITIAL, 1));
        put_subflow(&snapshot,
                    subrow(TOKEN, "198.51.100.1:40001", SERVER, 1, SNAPSHOT_JOIN_LOC, 1));
        feed(world, &snapshot, world->now);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 0);
}

static void test_snapshot_lost_established_is_learned(void **state) {
        struct world *world = *state;

        world_mptcp(world, EVENT_CREATED, TOKEN, "192.0.2.1:40000", SERVER, 0, 0, 0);
        world->now += 2;
        feed_one_alive(world, SNAPSHOT_INITIAL);
        world_expect_create(world, LTE, SERVER);
}

/* Adopts a connection whose second subflow, bound to ifindex, lies on a path that is lost. */
static void expect_burial_of_adopted(struct world *world, int32_t ifindex) {
        struct snapshot_subflow join =
                        subrow(TOKEN, "198.51.100.1:40001", SERVER, 1, SNAPSHOT_JOIN_LOC, 1);
        struct snapshot snapshot = { 0 };
        struct action query, action;

        join.ifindex = ifindex;
        put(&snapshot, row(TOKEN, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_INITIAL, 1));
        put_subflow(&snapshot, join);
        feed(world, &snapshot, world->now);
        world_settle(world);
        query = world_expect(world, ACTION_QUERY);
        world_expect_nothing(world); /* not before its ids are known */
        world_outcome(world, &query, 0);
        action = world_expect(world, ACTION_WITHDRAW);
        assert_int_equal(action.local_id, 1);
        world_expect(world, ACTION_ABORT);
}

static void test_snapshot_adopted_on_lost_path_is_buried(void **state) {
        struct world *world = *state;

        world_link(world, 3, "lte0", false);
        world_settle(world);
        expect_burial_of_adopted(world, 0);
}

static void test_snapshot_adopted_on_lost_address_is_buried(void **state) {
        struct world *world = *state;

        world_address_gone(world, 3, LTE);
        world_settle(world);
        expect_burial_of_adopted(world, 3);
}

static void test_snapshot_older_than_subflow_leaves_it(void **state) {
        struct world *world = *state;
        uint64_t started = world->now;
        struct snapshot snapshot = { 0 };

        world_connect(world, TOKEN, 0);
        world->now += 2;
        world_join(world, LTE, SERVER);
        put(&snapshot, row(TOKEN, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_INITIAL, 1));
        feed(world, &snapshot, started);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
}

static void test_snapshot_of_what_ended_meanwhile_revives_nothing(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };
        uint64_t started = world->now;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_connect(world, TOKEN + 1, 0);
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        world->now += 100;
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, ECONNRESET);
        world_mptcp(world, EVENT_CLOSED, TOKEN + 1, NULL, NULL, 0, 0, 0);
        put(&snapshot, row(TOKEN, 1, 0));
        put(&snapshot, row(TOKEN + 1, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_INITIAL, 1));
        put_subflow(&snapshot,
                    subrow(TOKEN, "198.51.100.1:40001", SERVER, 1, SNAPSHOT_JOIN_LOC, 1));
        feed(world, &snapshot, started);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
        assert_int_equal(world->engine.model.n_connections, 1);
}

/* The event that would have made it known was lost: what comes after it counts all the same. */
static void test_snapshot_of_unknown_takes_what_came_meanwhile(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };
        uint64_t started = world->now;

        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        world_expect(world, ACTION_SNAPSHOT);
        world->now += 100;
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.9:80", 0, 5, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        world_mptcp(world, EVENT_CLOSED, TOKEN + 1, NULL, NULL, 0, 0, 0);
        put(&snapshot, row(TOKEN, 1, 0));
        put(&snapshot, row(TOKEN + 1, 1, 0));
        put_subflow(&snapshot, subrow(TOKEN, "192.0.2.1:40000", SERVER, 0, SNAPSHOT_INITIAL, 1));
        feed(world, &snapshot, started);
        assert_int_equal(world->engine.model.n_connections, 1);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
        assert_int_equal(world_connection(world)->remotes.n, 2);
        assert_null(world->engine.strays.items);
}

static void test_snapshot_with_too_many_ends_is_left_aside(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };
        struct action comparison;

        world_connect(world, TOKEN, 0);
        world_feed(world, (struct event){ .type = EVENT_OVERRUN });
        comparison = world_expect(world, ACTION_SNAPSHOT);
        for (uint32_t i = 0; i <= LIMIT_GONE; i++) {
                world_connect(world, i, 0);
                action_queue_done(&world->engine.queue);
                world_mptcp(world, EVENT_CLOSED, i, NULL, NULL, 0, 0, 0);
        }
        feed(world, &snapshot, world->now + 1); /* would end everything */
        assert_non_null(world_connection(world));
        world_outcome(world, &comparison, 0);
        assert_true(engine_deadline(&world->engine) <= world->now + 100000);
}

static void test_snapshot_join_of_ours_makes_us_the_client(void **state) {
        struct world *world = *state;
        struct snapshot snapshot = { 0 };
        struct action query;

        put(&snapshot, row(TOKEN, 1, 0)); /* its initial subflow is gone */
        put_subflow(&snapshot, subrow(TOKEN, "198.51.100.1:40001", SERVER, 1,
                                      SNAPSHOT_JOIN_LOC | SNAPSHOT_FULLY_EST, 1));
        feed(world, &snapshot, world->now);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        world_expect_create(world, "192.0.2.1", SERVER);
}

static void test_tick_sweeps_every_few_seconds(void **state) {
        struct world *world = *state;
        struct action action;

        world->conf.max_subflows = 1; /* with another one, data is looked for much more often */
        world_configure(world);
        world_connect(world, TOKEN, 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(engine_deadline(&world->engine), world->now + ENGINE_SWEEP_USEC);
                world->now += ENGINE_SWEEP_USEC;
                world_feed(world, (struct event){ .type = EVENT_TICK });
                action = world_expect(world, ACTION_SNAPSHOT);
                world_outcome(world, &action, 0);
        }
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_overrun_asks_for_one_snapshot),
                T(test_overrun_during_a_comparison_leads_to_another),
                T(test_overrun_failed_comparison_is_tried_soon),
                T(test_overrun_is_followed_by_a_second_look),
                T(test_overrun_comparison_comes_before_what_waits),
                T(test_actions_of_what_has_ended_are_left_out),
                T(test_snapshot_unknown_connection_is_adopted),
                T(test_snapshot_adopted_ids_are_kept),
                T(test_snapshot_adopted_with_join_makes_no_duplicate),
                T(test_snapshot_adopted_server_never_dials),
                T(test_snapshot_kernel_pm_connection_is_left_alone),
                T(test_snapshot_not_yet_established_waits),
                T(test_snapshot_not_yet_established_learns_what_the_peer_denies),
                T(test_snapshot_adopted_unanswered_is_asked_again),
                T(test_snapshot_listeners_and_fallbacks_are_not_adopted),
                T(test_snapshot_fallback_is_noticed_and_final),
                T(test_snapshot_missing_connection_is_gone),
                T(test_snapshot_unlisted_connection_with_subflow_is_doubted),
                T(test_snapshot_doubted_connection_listed_again_stays),
                T(test_snapshot_closed_connection_is_gone),
                T(test_snapshot_not_yet_accepted_connection_stays),
                T(test_snapshot_older_than_connection_leaves_it),
                T(test_snapshot_missing_subflow_is_rebuilt),
                T(test_snapshot_lost_sub_established_is_learned),
                T(test_snapshot_lost_established_is_learned),
                T(test_snapshot_adopted_on_lost_path_is_buried),
                T(test_snapshot_adopted_on_lost_address_is_buried),
                T(test_snapshot_older_than_subflow_leaves_it),
                T(test_snapshot_of_what_ended_meanwhile_revives_nothing),
                T(test_snapshot_of_unknown_takes_what_came_meanwhile),
                T(test_snapshot_with_too_many_ends_is_left_aside),
                T(test_snapshot_join_of_ours_makes_us_the_client),
                T(test_tick_sweeps_every_few_seconds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
