/*
 * core/watch: how often subflows are measured, and those whose path acknowledges nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "watched.h"

/* Tempo */

static void test_watch_idle_slows_down_and_stops(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        assert_int_equal(engine_deadline(&watched.world->engine), watched.world->now + 100 * MSEC);
        assert_false(watched_pass(&watched, 20000 * MSEC));
        assert_in_range(watched.samples, 8, 16);
        assert_int_equal(engine_deadline(&watched.world->engine), UINT64_MAX);
}

static void test_watch_busy_ten_times_a_second(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 10000 * MSEC, watched_upload));
        assert_in_range(watched.samples, 190, 202);
}

static void test_watch_single_subflow_never(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 1;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        world->engine.sweep_usec = 0;
        assert_int_equal(engine_deadline(&world->engine), UINT64_MAX);
}

/* A comparison, with numbers. */
static void compare(struct watched *watched) {
        struct snapshot snapshot = { .started_usec = watched->world->now };
        struct event event = { .type = EVENT_SNAPSHOT, .snapshot = &snapshot };
        const struct snapshot_connection connection = {
                .token = TOKEN, .state = 1, .local = at("192.0.2.1:40000"), .remote = at(SERVER)
        };
        struct snapshot_subflow first = { .token = TOKEN,
                                          .state = 1,
                                          .flags = SNAPSHOT_MCAP_LOC | SNAPSHOT_FULLY_EST,
                                          .local = at("192.0.2.1:40000"),
                                          .remote = at(SERVER),
                                          .measure = watched_measure(watched, WIFI) };
        struct snapshot_subflow second = first;

        second.flags = SNAPSHOT_JOIN_LOC;
        second.local_id = 1;
        second.local = at("198.51.100.1:40001");
        second.measure = watched_measure(watched, LTE);
        assert_int_equal(ARRAY_APPEND(&snapshot.connections, connection, 4), 0);
        assert_int_equal(ARRAY_APPEND(&snapshot.subflows, first, 4), 0);
        assert_int_equal(ARRAY_APPEND(&snapshot.subflows, second, 4), 0);
        world_feed(watched->world, event);
        snapshot_done(&snapshot);
}

static void test_watch_idle_wakes_when_a_comparison_finds_data(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        assert_false(watched_pass(&watched, 20000 * MSEC));
        compare(&watched);
        assert_int_equal(engine_deadline(&watched.world->engine), UINT64_MAX);
        watched.world->now += 1;
        watched.paths[WIFI].measure.unacked = 1;
        compare(&watched);
        assert_int_equal(engine_deadline(&watched.world->engine), watched.world->now);
}

static void count(struct watched *watched, uint64_t timeouts) {
        world_feed(watched->world,
                   (struct event){ .type = EVENT_COUNTERS, .counters = { .timeouts = timeouts } });
}

static void test_counters_timeout_leads_to_a_comparison(void **state) {
        struct watched watched;
        struct action action;

        watched_init(&watched, *state);
        count(&watched, 7);
        world_expect_nothing(watched.world);
        watched.world->now += 1000 * MSEC;
        count(&watched, 8);
        action = world_expect(watched.world, ACTION_SNAPSHOT);
        world_outcome(watched.world, &action, 0);
        watched.world->now += 100 * MSEC;
        count(&watched, 9);
        world_expect_nothing(watched.world);
        watched.world->now += 1000 * MSEC;
        count(&watched, 9);
        world_expect_nothing(watched.world);
        count(&watched, 10);
        (void)world_expect(watched.world, ACTION_SNAPSHOT);
}

#define MANY 2000u

/* With far too many connections each gets its turn, and together no more than the limit. */
static void test_watch_many_take_turns(void **state) {
        struct world *world = *state;
        unsigned int samples = 0, turns[MANY] = { 0 };

        for (uint32_t i = 0; i < MANY; i++) {
                world_connect(world, TOKEN + i, 0);
                world_join(world, "198.51.100.1", SERVER);
        }
        world->engine.sweep_usec = 0;
        for (uint64_t end = world->now + 5000 * MSEC; world->now < end;) {
                const struct action *next;

                world->now += 10 * MSEC;
                world_feed(world, (struct event){ .type = EVENT_TICK });
                while ((next = action_queue_peek(&world->engine.queue))) {
                        struct action action = *next;

                        action_queue_pop(&world->engine.queue);
                        turns[action.token - TOKEN]++;
                        samples++;
                        world_feed(world,
                                   (struct event){ .type = EVENT_MEASURED,
                                                   .measured = { .token = action.token,
                                                                 .local = action.local,
                                                                 .remote = action.remote,
                                                                 .measure = { .notsent = 1 } } });
                        world_outcome(world, &action, 0);
                }
        }
        assert_in_range(samples, 4 * LIMIT_SAMPLES, 6 * LIMIT_SAMPLES);
        for (unsigned int i = 0; i < MANY; i++)
                assert_in_range(turns[i], 8, 14);
}

/* Verdicts */

static void expect_burial(struct watched *watched, uint16_t port) {
        struct action action;

        (void)world_expect(watched->world, ACTION_WITHDRAW);
        action = world_expect(watched->world, ACTION_ABORT);
        assert_int_equal(action.local.port, port);
        world_expect_nothing(watched->world);
        assert_int_equal(watched->world->engine.counters[COUNTER_SUBFLOWS_DEAD], 1);
}

static void test_upload_silent_is_lost_after_rto_and_rtt(void **state) {
        struct watched watched;
        uint64_t last;

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 2000 * MSEC, watched_upload));
        last = watched.paths[WIFI].acked_usec;
        watched_silence(&watched, WIFI, 14);
        assert_true(watched_pass(&watched, 2000 * MSEC));
        assert_in_range(watched.world->now - last, 300 * MSEC, 330 * MSEC);
        expect_burial(&watched, 40000);
}

/* The daemon, or the whole host, stood still: the answers may just not have been taken in. */
static void test_upload_silent_after_a_pause_has_its_time(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 2000 * MSEC, watched_upload));
        watched_silence(&watched, WIFI, 14);
        watched.world->now += 5000 * MSEC;
        assert_false(watched_pass(&watched, 250 * MSEC));
        assert_true(watched_pass(&watched, 1000 * MSEC));
        expect_burial(&watched, 40000);
}

/* The peer's window is closed: what can't be sent is not lost. */
static void test_upload_without_a_window_is_not_lost(void **state) {
        struct watched watched;
        struct watched_path *wifi = &watched.paths[WIFI];

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 2000 * MSEC, watched_upload));
        wifi->measure.unacked = 0;
        wifi->measure.notsent = 100000;
        for (uint8_t i = 1; i < 8; i++) { /* window probes that aren't answered either */
                wifi->measure.backoff = i;
                wifi->measure.rto_usec *= 2;
                assert_false(watched_pass(&watched, 2000 * MSEC));
        }
}

/* One that is served in time is not measured more often for it. */
static void test_upload_silent_is_not_measured_faster(void **state) {
        struct watched watched;
        unsigned int before;

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 2000 * MSEC, watched_upload));
        before = watched.samples;
        watched_silence(&watched, WIFI, 14);
        assert_true(watched_pass(&watched, 2000 * MSEC));
        assert_in_range(watched.samples - before, 2, 8);
}

static void test_upload_joined_by_the_peer_is_aborted_only(void **state) {
        struct watched watched;
        struct action action;

        watched_init(&watched, *state);
        /* Both of its subflows come to the same address of ours. */
        world_connection(watched.world)->subflows.items[LTE].is.local_id = 0;
        assert_false(watched_move(&watched, LTE, 2000 * MSEC, watched_upload));
        watched_silence(&watched, LTE, 14);
        assert_true(watched_pass(&watched, 2000 * MSEC));
        action = world_expect(watched.world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40001);
        world_expect_nothing(watched.world);
}

static void test_upload_idle_is_never_lost(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_upload));
        watched.paths[WIFI].measure.unacked = 0;
        assert_false(watched_pass(&watched, 60000 * MSEC));
        /* What is sent then is not as old as the last answer. */
        watched.paths[WIFI].measure.unacked = 10;
        watched.paths[WIFI].sent_usec = watched.world->now;
        compare(&watched);
        assert_false(watched_pass(&watched, 250 * MSEC));
}

static void test_upload_with_no_other_path_goes_on(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        world_mptcp(watched.world, EVENT_SUB_CLOSED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0,
                    ECONNREFUSED);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_upload));
        watched_silence(&watched, WIFI, 14);
        assert_false(watched_pass(&watched, 5000 * MSEC));
}

/* As when the host was suspended, or all of them lead through one router. */
static void test_upload_all_silent_none_is_lost(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        for (unsigned int i = 0; i < 100; i++) {
                watched_upload(&watched, LTE);
                assert_false(watched_move(&watched, WIFI, 20 * MSEC, watched_upload));
        }
        watched_silence(&watched, WIFI, 14);
        watched_silence(&watched, LTE, 14);
        assert_false(watched_pass(&watched, 5000 * MSEC));
        /* One of them is well again: the other one isn't. */
        assert_true(watched_move(&watched, LTE, 1000 * MSEC, watched_upload));
        expect_burial(&watched, 40000);
}

/* One segment at a time. */
static void ask(struct watched *watched, unsigned int path) {
        watched_upload(watched, path);
        watched->paths[path].measure.unacked = 1;
}

/* One question, and no more than one retransmission of it: chance. */
static void test_upload_thin_waits_for_more_proof(void **state) {
        struct watched watched;
        struct watched_path *wifi = &watched.paths[WIFI];

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, ask));
        watched_silence(&watched, WIFI, 1);
        assert_false(watched_pass(&watched, 500 * MSEC));
        wifi->measure.backoff = 1;
        wifi->measure.rto_usec *= 2;
        wifi->measure.retransmits++;
        wifi->sent_usec = watched.world->now;
        assert_false(watched_pass(&watched, 50 * MSEC)); /* it may be answered yet */
        assert_true(watched_pass(&watched, 200 * MSEC));
        expect_burial(&watched, 40000);
}

/* TCP knows what became of them all; only a retransmission waits for its answer. */
static void test_upload_sacked_and_lost_segments_are_no_proof(void **state) {
        struct watched watched;

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, ask));
        watched_silence(&watched, WIFI, 14);
        watched.paths[WIFI].measure.sacked = 10;
        watched.paths[WIFI].measure.lost = 4; /* and so were all of these */
        assert_false(watched_pass(&watched, 500 * MSEC));
}

/* Found by a comparison in the middle of the kernel's retransmissions. */
static void test_upload_backed_off_long_since_is_lost_at_once(void **state) {
        struct watched watched;
        struct watched_path *wifi = &watched.paths[WIFI];

        watched_init(&watched, *state);
        assert_false(watched_pass(&watched, 20000 * MSEC));
        wifi->measure.unacked = 1;
        wifi->measure.backoff = 4;
        wifi->measure.rto_usec = 16 * 240000;
        wifi->measure.retransmits = 4;
        wifi->sent_usec = watched.world->now - 500 * MSEC;
        compare(&watched);
        assert_true(watched_pass(&watched, 10 * MSEC));
        expect_burial(&watched, 40000);
}

/* The first data after a while, all of it lost, and found after one time-out. */
static void test_upload_after_idle_counts_all_that_was_sent(void **state) {
        struct watched watched;
        struct watched_path *wifi = &watched.paths[WIFI];

        watched_init(&watched, *state);
        assert_false(watched_pass(&watched, 20000 * MSEC));
        wifi->measure.unacked = wifi->measure.lost = 11;
        wifi->measure.resent = wifi->measure.backoff = 1;
        wifi->measure.rto_usec = 2 * 240000;
        wifi->measure.retransmits = 2;
        wifi->sent_usec = watched.world->now - 100 * MSEC;
        compare(&watched);
        assert_true(watched_pass(&watched, 100 * MSEC));
        expect_burial(&watched, 40000);
}

/* The way there is dead, the way back is not: what arrives acknowledges nothing. */
static void test_upload_deaf_in_one_direction_is_lost(void **state) {
        struct watched watched;
        struct watched_path *wifi = &watched.paths[WIFI];

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_upload));
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_download));
        wifi->measure.backoff = 2;
        wifi->measure.rto_usec = 4 * 240000;
        wifi->measure.retransmits += 2;
        assert_true(watched_move(&watched, WIFI, 200 * MSEC, watched_download));
        expect_burial(&watched, 40000);
}

/* The abort failed: the subflow stays, and comes back when it is heard. */
static void test_upload_lost_comes_back_only_when_heard(void **state) {
        struct watched watched;
        struct action action;

        watched_init(&watched, *state);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_upload));
        watched_silence(&watched, WIFI, 14);
        assert_true(watched_pass(&watched, 1000 * MSEC));
        (void)world_expect(watched.world, ACTION_WITHDRAW);
        action = world_expect(watched.world, ACTION_ABORT);
        world_outcome(watched.world, &action, -EPERM);
        world_link(watched.world, 9, "eth9", true);
        world_connection(watched.world)->subflows.items[LTE].is.state = MPTCPIZE_SUBFLOW_PENDING;
        world_settle(watched.world);
        assert_int_equal(world_subflows(watched.world, MPTCPIZE_SUBFLOW_DEAD), 1);
        world_connection(watched.world)->subflows.items[LTE].is.state =
                        MPTCPIZE_SUBFLOW_ESTABLISHED;
        watched.world->now += 1;
        watched_upload(&watched, WIFI);
        (void)watched_pass(&watched, 200 * MSEC);
        assert_int_equal(world_subflows(watched.world, MPTCPIZE_SUBFLOW_DEAD), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_watch_idle_slows_down_and_stops),
                TEST(test_watch_busy_ten_times_a_second),
                TEST(test_watch_single_subflow_never),
                TEST(test_watch_idle_wakes_when_a_comparison_finds_data),
                TEST(test_counters_timeout_leads_to_a_comparison),
                TEST(test_watch_many_take_turns),
                TEST(test_upload_silent_is_lost_after_rto_and_rtt),
                TEST(test_upload_silent_after_a_pause_has_its_time),
                TEST(test_upload_without_a_window_is_not_lost),
                TEST(test_upload_silent_is_not_measured_faster),
                TEST(test_upload_joined_by_the_peer_is_aborted_only),
                TEST(test_upload_idle_is_never_lost),
                TEST(test_upload_with_no_other_path_goes_on),
                TEST(test_upload_all_silent_none_is_lost),
                TEST(test_upload_thin_waits_for_more_proof),
                TEST(test_upload_sacked_and_lost_segments_are_no_proof),
                TEST(test_upload_backed_off_long_since_is_lost_at_once),
                TEST(test_upload_after_idle_counts_all_that_was_sent),
                TEST(test_upload_deaf_in_one_direction_is_lost),
                TEST(test_upload_lost_comes_back_only_when_heard),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
