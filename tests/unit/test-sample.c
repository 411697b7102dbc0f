/*
 * core/watch: samples for plugins that want to see the numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "watched.h"

static uint64_t wanted_usec; /* 0: the plugin asks for no samples */
static unsigned int n_samples;
static struct mptcpize_subflow shown; /* at the last sample */

static int watcher_init(void **ret_state) {
        *ret_state = &n_samples;
        return 0;
}

static int watcher_config(void *state, const char *key, const char *value) {
        (void)state, (void)key, (void)value;
        return -1;
}

static int watcher_decide(void *state, const struct mptcpize_view *view,
                          const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        struct mptcpize_action action = { .size = sizeof(action),
                                          .type = MPTCPIZE_ACTION_WATCH,
                                          .usec = wanted_usec };

        (void)state;
        if (event->type == MPTCPIZE_EVENT_SAMPLE) {
                n_samples++;
                shown = *view->subflows[0];
        }
        if (event->type == MPTCPIZE_EVENT_SAMPLE || event->type == MPTCPIZE_EVENT_ESTABLISHED)
                assert_int_equal(sink->emit(sink, &action), 0);
        return 0;
}

static void watcher_done(void *state) {
        (void)state;
}

static const struct mptcpize_plugin watcher = {
        .size = sizeof(watcher),
        .abi = MPTCPIZE_ABI,
        .name = "watcher",
        .init = watcher_init,
        .config = watcher_config,
        .decide = watcher_decide,
        .done = watcher_done,
};

/* A connection with one subflow. */
static void watch(struct watched *watched, struct world *world, uint64_t usec) {
        *watched = (struct watched){ .world = world };
        watched->paths[WIFI].measure = (struct measure){
                .rtt_usec = 40000, .rto_usec = 240000, .rcv_rtt_usec = 50000, .retransmits = 3
        };
        world->now = 100000000;
        n_samples = 0;
        wanted_usec = usec;
        world_configure_plugin(world, &watcher);
        world_connect(world, TOKEN, 0);
        world->engine.sweep_usec = 0; /* comparisons are another test's matter */
}

static void test_sample_while_data_moves_as_often_as_wanted(void **state) {
        struct watched watched;

        watch(&watched, *state, 250 * MSEC);
        assert_false(watched_move(&watched, WIFI, 10000 * MSEC, watched_upload));
        assert_in_range(n_samples, 38, 42);
        assert_in_range(watched.samples, 38, 42);
}

static void test_sample_has_the_numbers(void **state) {
        struct watched watched;
        const struct watched_path *wifi = &watched.paths[WIFI];

        watch(&watched, *state, 100 * MSEC);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_upload));
        assert_int_equal(shown.sample_usec, watched.world->now);
        assert_int_equal(shown.bytes_sent, wifi->measure.bytes_sent);
        assert_int_equal(shown.bytes_acked, wifi->measure.bytes_acked);
        assert_int_equal(shown.rtt_usec, 40000);
        assert_int_equal(shown.rto_usec, 240000);
        assert_int_equal(shown.rcv_rtt_usec, 50000);
        assert_int_equal(shown.unacked, 14);
        assert_int_equal(shown.retransmits, 3);
        assert_int_equal(shown.last_ack_recv_msec, 20);
}

static void test_sample_no_faster_than_100_ms(void **state) {
        struct watched watched;

        watch(&watched, *state, 1);
        assert_false(watched_move(&watched, WIFI, 10000 * MSEC, watched_upload));
        assert_in_range(n_samples, 98, 101);
}

static void test_sample_not_wanted_never(void **state) {
        struct watched watched;

        watch(&watched, *state, 0);
        assert_false(watched_move(&watched, WIFI, 5000 * MSEC, watched_upload));
        assert_int_equal(n_samples, 0);
        assert_int_equal(watched.samples, 0);
}

static void test_sample_no_longer_wanted_ends(void **state) {
        struct watched watched;
        unsigned int before;

        watch(&watched, *state, 100 * MSEC);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_upload));
        wanted_usec = 0;
        assert_false(watched_move(&watched, WIFI, 200 * MSEC, watched_upload));
        before = watched.samples;
        assert_false(watched_move(&watched, WIFI, 2000 * MSEC, watched_upload));
        assert_int_equal(watched.samples, before);
}

static void test_sample_idle_pauses_and_goes_on(void **state) {
        struct watched watched;
        unsigned int before;

        watch(&watched, *state, 100 * MSEC);
        assert_false(watched_move(&watched, WIFI, 1000 * MSEC, watched_upload));
        watched.paths[WIFI].measure.unacked = 0;
        assert_false(watched_pass(&watched, 300 * MSEC));
        before = n_samples;
        assert_false(watched_pass(&watched, 1000 * MSEC));
        assert_int_equal(n_samples, before);
        /* While it is still looked at now and then. */
        assert_false(watched_move(&watched, WIFI, 3000 * MSEC, watched_upload));
        assert_true(n_samples > before + 10);
}

static void test_sample_idle_ends_measurements(void **state) {
        struct watched watched;

        watch(&watched, *state, 5000 * MSEC);
        assert_false(watched_pass(&watched, 30000 * MSEC));
        assert_int_equal(engine_deadline(&watched.world->engine), UINT64_MAX);
        assert_in_range(watched.samples, 1, 4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_sample_while_data_moves_as_often_as_wanted),
                TEST(test_sample_has_the_numbers),
                TEST(test_sample_no_faster_than_100_ms),
                TEST(test_sample_not_wanted_never),
                TEST(test_sample_no_longer_wanted_ends),
                TEST(test_sample_idle_pauses_and_goes_on),
                TEST(test_sample_idle_ends_measurements),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
