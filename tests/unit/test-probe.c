/*
 * core/probe: paths that deliver and then don't, and the joins that ask why.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "watched.h"

#define WIFI_ADDRESS "192.0.2.1"
#define PROBE_LOCAL  "192.0.2.1:50001"

static void deliver(struct watched *watched) {
        assert_false(watched_move(watched, WIFI, 2000 * MSEC, watched_download));
}

static struct action take_probe(struct watched *watched) {
        struct action action = world_expect_create(watched->world, WIFI_ADDRESS, SERVER);

        assert_true(action.backup);
        assert_int_equal(action.local_id, 0);
        assert_non_null(strstr(action.reason, "probe"));
        world_outcome(watched->world, &action, 0);
        return action;
}

/* Until the first probe is there; time of the last byte. */
static uint64_t go_quiet(struct watched *watched) {
        uint64_t last;

        deliver(watched);
        last = watched->paths[WIFI].arrived_usec;
        assert_true(watched_pass(watched, 1000 * MSEC));
        return last;
}

static uint64_t probe_once(struct watched *watched, struct world *world) {
        uint64_t last;

        watched_init(watched, world);
        last = go_quiet(watched);
        (void)take_probe(watched);
        return last;
}

static void test_download_quiet_without_answer_is_lost(void **state) {
        struct watched watched;
        uint64_t last = probe_once(&watched, *state);
        struct action action;

        assert_in_range(watched.world->now - last, 300 * MSEC, 330 * MSEC);
        for (unsigned int i = 0; i < 2; i++) {
                assert_true(watched_move(&watched, LTE, 1000 * MSEC, watched_download));
                (void)take_probe(&watched);
        }
        assert_true(watched_move(&watched, LTE, 1000 * MSEC, watched_download));
        assert_in_range(watched.world->now - last, 600 * MSEC, 800 * MSEC);
        for (unsigned int i = 0; i < 3; i++) {
                action = world_expect(watched.world, ACTION_ABORT);
                assert_int_equal(action.local.port, 0);
        }
        (void)world_expect(watched.world, ACTION_WITHDRAW);
        action = world_expect(watched.world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40000);
        world_expect_nothing(watched.world);
        assert_int_equal(watched.world->engine.counters[COUNTER_SUBFLOWS_DEAD], 1);
        assert_int_equal(watched.world->engine.counters[COUNTER_PROBES], 1);
}

/* A path that goes silent a fifth of a second after it began, at 20 Mbit/s. */
static void test_download_young_in_bulk_is_asked(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        watched_download(&watched, WIFI);
        watched.paths[WIFI].measure.bytes_received += 6 * DOWNLOAD_BULK_BYTES;
        assert_true(watched_pass(&watched, 1000 * MSEC));
        (void)take_probe(&watched);
}

static void test_download_young_and_little_is_not_asked(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        watched_download(&watched, WIFI);
        watched.paths[WIFI].measure.bytes_received += 4 * DOWNLOAD_BULK_BYTES;
        assert_false(watched_pass(&watched, 20000 * MSEC));
}

/* The kernel's word on aborted probes is no subflow's. */
static void test_probe_aborted_touches_no_other_join(void **state) {
        struct watched watched;
        struct connection *connection;
        size_t n;

        (void)probe_once(&watched, *state);
        connection = world_connection(watched.world);
        n = connection->subflows.n;
        world_mptcp(watched.world, EVENT_SUB_CLOSED, TOKEN, PROBE_LOCAL, "203.0.113.1", 0, 0,
                    ECONNABORTED);
        assert_int_equal(connection->subflows.n, n);
        assert_int_equal(connection->refusals.n, 0);
        assert_true(connection->probe->running);
}

/* A join between the same addresses that took too long, and whose end is still to come. */
static void test_probe_leaves_others_their_word(void **state) {
        struct watched watched;
        struct connection *connection;
        struct subflow *added, join = { .is = { .size = sizeof(join.is),
                                                .local = at(WIFI_ADDRESS),
                                                .remote = at(SERVER),
                                                .state = MPTCPIZE_SUBFLOW_CLOSING,
                                                .flags = MPTCPIZE_SUBFLOW_OURS },
                                        .expired = true };

        (void)probe_once(&watched, *state);
        connection = world_connection(watched.world);
        assert_int_equal(connection_add_subflow(connection, &join, &added), 0);
        world_mptcp(watched.world, EVENT_SUB_CLOSED, TOKEN, PROBE_LOCAL, SERVER, 0, 0,
                    ECONNABORTED);
        assert_int_equal(connection->subflows.n, 2);
        assert_true(connection->probe->running);
        assert_int_equal(connection->probe->open, 1);
}

static void test_probe_answered_is_aborted_and_the_path_kept(void **state) {
        struct watched watched;
        struct action action;

        (void)probe_once(&watched, *state);
        world_mptcp(watched.world, EVENT_SUB_ESTABLISHED, TOKEN, PROBE_LOCAL, SERVER, 0, 0, 0);
        action = world_expect(watched.world, ACTION_ABORT);
        assert_int_equal(action.local.port, 50001);
        world_expect_nothing(watched.world);
        assert_int_equal(world_connection(watched.world)->subflows.n, 2);
        world_outcome(watched.world, &action, 0);
        world_mptcp(watched.world, EVENT_SUB_CLOSED, TOKEN, PROBE_LOCAL, SERVER, 0, 0,
                    ECONNABORTED);
        assert_false(watched_move(&watched, LTE, 30000 * MSEC, watched_download));
        assert_int_equal(watched.world->engine.counters[COUNTER_SUBFLOWS_DEAD], 0);
}

static void test_probe_refused_is_an_answer_and_no_refusal(void **state) {
        struct watched watched;

        (void)probe_once(&watched, *state);
        world_mptcp(watched.world, EVENT_SUB_CLOSED, TOKEN, PROBE_LOCAL, SERVER, 0, 0,
                    ECONNREFUSED);
        world_expect_nothing(watched.world);
        assert_false(world_connection(watched.world)->probe->running);
        assert_int_equal(world_connection(watched.world)->refusals.n, 0);
        assert_int_equal(watched.world->engine.counters[COUNTER_SUBFLOWS_FAILED], 0);
        assert_false(watched_move(&watched, LTE, 30000 * MSEC, watched_download));
}

/* A router says so, or nobody answers to ARP. */
static void test_probe_unreachable_is_no_answer(void **state) {
        struct watched watched;

        (void)probe_once(&watched, *state);
        world_mptcp(watched.world, EVENT_SUB_CLOSED, TOKEN, PROBE_LOCAL, SERVER, 0, 0,
                    EHOSTUNREACH);
        assert_true(world_connection(watched.world)->probe->running);
        assert_true(watched_move(&watched, LTE, 1000 * MSEC, watched_download));
        (void)take_probe(&watched);
}

static void test_probe_that_cannot_be_sent_proves_nothing(void **state) {
        struct watched watched;
        struct action action;

        watched_init(&watched, *state);
        (void)go_quiet(&watched);
        action = world_expect(watched.world, ACTION_CREATE);
        world_outcome(watched.world, &action, -ENOTCONN);
        assert_int_equal(watched.world->engine.counters[COUNTER_ACTIONS_FAILED], 0);
        assert_false(watched_move(&watched, LTE, 5000 * MSEC, watched_download));
}

static void test_probe_ends_when_data_arrives(void **state) {
        struct watched watched;
        struct action action;

        (void)probe_once(&watched, *state);
        assert_true(watched_move(&watched, WIFI, 1000 * MSEC, watched_download));
        action = world_expect(watched.world, ACTION_ABORT);
        assert_int_equal(action.local.port, 0);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_download));
}

static void answer_probe(struct watched *watched) {
        world_mptcp(watched->world, EVENT_SUB_CLOSED, TOKEN, PROBE_LOCAL, SERVER, 0, 0,
                    ECONNREFUSED);
}

/* It delivered after the last probe: it is asked again, but not at once. */
static void test_probe_again_waits_for_the_hold_down(void **state) {
        struct watched watched;
        uint64_t first, wait = 10000 * MSEC;

        (void)probe_once(&watched, *state);
        for (unsigned int i = 0; i < 3; i++) {
                first = watched.world->now;
                answer_probe(&watched);
                assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_download));
                assert_true(watched_pass(&watched, 120000 * MSEC));
                assert_in_range(watched.world->now - first, wait, wait + 500 * MSEC);
                (void)take_probe(&watched);
                wait *= 2;
        }
}

/* A path that brought nothing new since is not asked again. */
static void test_probe_again_needs_new_data(void **state) {
        struct watched watched;

        (void)probe_once(&watched, *state);
        answer_probe(&watched);
        assert_false(watched_pass(&watched, 300000 * MSEC));
}

static void test_download_of_few_bytes_is_not_probed(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        for (unsigned int i = 0; i < 30; i++) {
                watched_download(&watched, WIFI);
                assert_false(watched_pass(&watched, 1000 * MSEC));
        }
        assert_int_equal(watched.world->engine.counters[COUNTER_PROBES], 0);
}

static void test_download_joined_by_the_peer_is_not_probed(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        world_connection(watched.world)->subflows.items[WIFI].is.flags &= ~MPTCPIZE_SUBFLOW_OURS;
        deliver(&watched);
        assert_false(watched_move(&watched, LTE, 5000 * MSEC, watched_download));
}

/* Nobody knows whether the peer would answer. */
/* The peer was asked for another path: what it sends on that one alone is no sign. */
static void test_download_on_a_path_in_reserve_is_not_probed(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        deliver(&watched);
        world_connection(watched.world)->subflows.items[WIFI].is.flags |= MPTCPIZE_SUBFLOW_BACKUP;
        assert_false(watched_move(&watched, LTE, 3000 * MSEC, watched_download));
        assert_int_equal(watched.world->engine.counters[COUNTER_PROBES], 0);
}

static void test_probe_of_a_path_that_goes_into_reserve_ends(void **state) {
        struct watched watched;

        (void)probe_once(&watched, *state);
        world_connection(watched.world)->subflows.items[WIFI].is.flags |= MPTCPIZE_SUBFLOW_BACKUP;
        assert_true(watched_move(&watched, LTE, 1000 * MSEC, watched_download));
        (void)world_expect(watched.world, ACTION_ABORT); /* of the probe */
        assert_false(watched_move(&watched, LTE, 3000 * MSEC, watched_download));
        assert_int_equal(watched.world->engine.counters[COUNTER_SUBFLOWS_DEAD], 0);
}

/* The request was fast, but the download has filled the queues of the path. */
static void test_download_through_full_queues_is_given_time(void **state) {
        struct watched watched;
        uint64_t last;

        watched_init(&watched, *state);
        watched.paths[WIFI].measure.rcv_rtt_usec = 300000;
        deliver(&watched);
        last = watched.paths[WIFI].arrived_usec;
        assert_true(watched_pass(&watched, 3000 * MSEC));
        assert_in_range(watched.world->now - last, 900 * MSEC, 2000 * MSEC);
        (void)take_probe(&watched);
        last = watched.world->now;
        assert_true(watched_move(&watched, LTE, 1000 * MSEC, watched_download));
        (void)take_probe(&watched);
        assert_in_range(watched.world->now - last, 300 * MSEC, 400 * MSEC);
}

/* It gets that slow by pauses. */
static void test_download_of_little_is_given_no_more_time(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        watched.paths[WIFI].measure.rcv_rtt_usec = 20000;
        assert_in_range(go_quiet(&watched), 0, UINT64_MAX);
        (void)take_probe(&watched);
        assert_int_equal(world_connection(watched.world)->subflows.items[WIFI].pipe_usec, 0);
}

static void test_download_without_a_join_is_not_probed(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        world_connection(watched.world)->subflows.items[LTE].is.flags = 0;
        deliver(&watched);
        assert_false(watched_move(&watched, LTE, 5000 * MSEC, watched_download));
}

static void test_probe_goes_to_where_joins_are_taken(void **state) {
        struct watched watched;
        struct connection *connection;
        const struct mptcpize_remote announced = { .size = sizeof(announced),
                                                   .address = at("203.0.113.9:80"),
                                                   .id = 7 };

        watched_init(&watched, *state);
        connection = world_connection(watched.world);
        connection->flags |= MPTCPIZE_VIEW_DENY_JOIN_INITIAL;
        deliver(&watched);
        assert_false(watched_pass(&watched, 1000 * MSEC));
        assert_int_equal(connection_add_remote(connection, &announced), 1);
        connection->subflows.items[LTE].is.remote = announced.address;
        deliver(&watched);
        assert_true(watched_pass(&watched, 1000 * MSEC));
        world_expect_create(watched.world, WIFI_ADDRESS, "203.0.113.9:80");
}

/* A comparison while the joins of a probe are under way. */
static void test_probe_in_a_snapshot_is_no_subflow(void **state) {
        struct watched watched;
        struct snapshot snapshot = { .started_usec = 0 };
        struct event event = { .type = EVENT_SNAPSHOT, .snapshot = &snapshot };
        struct snapshot_connection connection = {
                .token = TOKEN, .state = 1, .local = at("192.0.2.1:40000"), .remote = at(SERVER)
        };
        struct snapshot_subflow join = { .token = TOKEN,
                                         .state = 2,
                                         .flags = SNAPSHOT_JOIN_LOC,
                                         .local = at(PROBE_LOCAL),
                                         .remote = at(SERVER) };

        (void)probe_once(&watched, *state);
        assert_int_equal(ARRAY_APPEND(&snapshot.connections, connection, 4), 0);
        assert_int_equal(ARRAY_APPEND(&snapshot.subflows, join, 4), 0);
        world_feed(watched.world, event);
        snapshot_done(&snapshot);
        assert_int_equal(world_connection(watched.world)->subflows.n, 2);
}

static void test_probe_of_what_fell_back_ends_by_itself(void **state) {
        struct watched watched;

        (void)probe_once(&watched, *state);
        world_connection(watched.world)->state = CONNECTION_FALLBACK;
        world_connection(watched.world)->subflows.items[0].is.state = MPTCPIZE_SUBFLOW_CLOSING;
        watched.world->now += 1000 * MSEC;
        world_feed(watched.world, (struct event){ .type = EVENT_TICK });
        (void)world_expect(watched.world, ACTION_MEASURE); /* of the other one */
        world_expect_nothing(watched.world);
        assert_false(world_connection(watched.world)->probe->running);
}

static void test_probe_of_a_closed_subflow_ends(void **state) {
        struct watched watched;
        struct action action;

        (void)probe_once(&watched, *state);
        world_mptcp(watched.world, EVENT_SUB_CLOSED, TOKEN, "192.0.2.1:40000", SERVER, 0, 0,
                    ECONNRESET);
        assert_true(watched_pass(&watched, 300 * MSEC));
        action = world_expect(watched.world, ACTION_ABORT);
        assert_int_equal(action.local.port, 0);
        assert_false(world_connection(watched.world)->probe->running);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_download_quiet_without_answer_is_lost),
                TEST(test_download_young_in_bulk_is_asked),
                TEST(test_download_young_and_little_is_not_asked),
                TEST(test_probe_aborted_touches_no_other_join),
                TEST(test_probe_leaves_others_their_word),
                TEST(test_probe_answered_is_aborted_and_the_path_kept),
                TEST(test_probe_refused_is_an_answer_and_no_refusal),
                TEST(test_probe_unreachable_is_no_answer),
                TEST(test_probe_that_cannot_be_sent_proves_nothing),
                TEST(test_probe_ends_when_data_arrives),
                TEST(test_probe_again_waits_for_the_hold_down),
                TEST(test_probe_again_needs_new_data),
                TEST(test_download_of_few_bytes_is_not_probed),
                TEST(test_download_joined_by_the_peer_is_not_probed),
                TEST(test_download_on_a_path_in_reserve_is_not_probed),
                TEST(test_probe_of_a_path_that_goes_into_reserve_ends),
                TEST(test_download_through_full_queues_is_given_time),
                TEST(test_download_of_little_is_given_no_more_time),
                TEST(test_download_without_a_join_is_not_probed),
                TEST(test_probe_goes_to_where_joins_are_taken),
                TEST(test_probe_in_a_snapshot_is_no_subflow),
                TEST(test_probe_of_what_fell_back_ends_by_itself),
                TEST(test_probe_of_a_closed_subflow_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
