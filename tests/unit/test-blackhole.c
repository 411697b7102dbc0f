/*
 * host/blackhole: destinations to which SYNs with MPTCP are lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../daemon/core/address.h"
#include "../../daemon/host/blackhole.h"
#include "../../daemon/util/cleanup.h"

#define SECOND  1000000u
#define TIMEOUT (3600ull * SECOND)
#define NOW     (1000ull * SECOND)
#define TOKEN   7u

/* A kernel that has seen one connection; state of the tests. */
struct scene {
        struct blackholes holes;
        struct snapshot snapshot;
        struct snapshot_connection connection;
        struct snapshot_subflow subflow;
        uint64_t now;
};

static struct mptcpize_address at(const char *text) {
        struct mptcpize_address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static int scene_setup(void **state) {
        struct scene *scene = calloc(1, sizeof(*scene));

        if (!scene)
                return -1;
        scene->now = NOW;
        scene->connection =
                        (struct snapshot_connection){ .token = TOKEN, .flags = SNAPSHOT_FALLBACK };
        scene->subflow = (struct snapshot_subflow){
                .token = TOKEN, .state = 1, .syn_retransmits = 3, .remote = at("203.0.113.2:80")
        };
        scene->snapshot.connections.items = &scene->connection;
        scene->snapshot.subflows.items = &scene->subflow;
        scene->snapshot.connections.n = scene->snapshot.subflows.n = 1;
        *state = scene;
        return 0;
}

static int scene_teardown(void **state) {
        free(*state);
        return 0;
}

static bool look(struct scene *scene) {
        scene->snapshot.started_usec = scene->now;
        return blackholes_look(&scene->holes, &scene->snapshot, 2, scene->now, TIMEOUT);
}

/* The kernel counts one, and there is this destination. */
static bool fall_in(struct scene *scene, const char *to) {
        scene->subflow.remote = at(to);
        blackholes_notice(&scene->holes, 1, scene->now);
        return look(scene);
}

static void assert_first(const struct scene *scene, const char *text) {
        const struct mptcpize_address address = at(text);

        assert_true(address_equal(&scene->holes.list[0].to, &address));
}

static void tick(struct scene *scene, uint64_t seconds) {
        scene->now += seconds * SECOND;
        (void)blackholes_tick(&scene->holes, scene->now, TIMEOUT);
}

static void test_look_suspect_found_and_due(void **state) {
        struct scene *scene = *state;

        assert_true(fall_in(scene, "203.0.113.2:80"));
        assert_int_equal(scene->holes.n, 1);
        assert_first(scene, "203.0.113.2");
        assert_int_equal(scene->holes.list[0].until_usec, NOW + TIMEOUT);
        assert_int_equal(scene->holes.state, BLACKHOLE_DUE);
        blackholes_rearmed(&scene->holes, true, scene->now, TIMEOUT);
        assert_int_equal(scene->holes.state, BLACKHOLE_REARMED);
        assert_int_equal(scene->holes.count, 1);
}

static void test_look_others_not_suspected(void **state) {
        struct scene *scene = *state;
        const struct snapshot_subflow guilty = scene->subflow;
        const struct {
                uint8_t state, retransmits;
                uint32_t flags, token, connection;
        } rows[] = {
                { 1, 1, 0, TOKEN, SNAPSHOT_FALLBACK }, /* one SYN lost: that happens */
                { 2, 3, 0, TOKEN, SNAPSHOT_FALLBACK }, /* nobody has answered at all */
                { 1, 3, SNAPSHOT_MCAP_REM, TOKEN, SNAPSHOT_FALLBACK }, /* of a server */
                { 1, 3, SNAPSHOT_JOIN_LOC, TOKEN, SNAPSHOT_FALLBACK }, /* a join */
                { 1, 3, 0, TOKEN, 0 },                                 /* it is MPTCP */
                { 1, 3, 0, TOKEN + 1, SNAPSHOT_FALLBACK },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                scene->subflow = guilty;
                scene->subflow.state = rows[i].state;
                scene->subflow.syn_retransmits = rows[i].retransmits;
                scene->subflow.flags = rows[i].flags;
                scene->subflow.token = rows[i].token;
                scene->connection.flags = rows[i].connection;
                blackholes_notice(&scene->holes, 1, scene->now);
                assert_false(look(scene));
                assert_int_equal(scene->holes.n, 0);
        }
}

static void test_look_older_snapshot_ignored(void **state) {
        struct scene *scene = *state;

        blackholes_notice(&scene->holes, 1, scene->now);
        scene->snapshot.started_usec = scene->now - 1;
        assert_false(blackholes_look(&scene->holes, &scene->snapshot, 2, scene->now, TIMEOUT));
        assert_int_equal(scene->holes.state, BLACKHOLE_LOOKING);
        assert_true(look(scene));
}

static void test_look_not_asked_ignored(void **state) {
        struct scene *scene = *state;

        assert_false(look(scene));
        assert_int_equal(scene->holes.n, 0);
        assert_int_equal(scene->holes.state, BLACKHOLE_NONE);
}

/* Known already: somebody goes there without us. Each time the pause is longer. */
static void test_look_nothing_new_waits_longer_and_longer(void **state) {
        struct scene *scene = *state;

        (void)fall_in(scene, "203.0.113.2:80");
        for (uint64_t pause = 60; pause < 3600; pause *= 2) {
                assert_false(fall_in(scene, "203.0.113.2:80"));
                assert_int_equal(scene->holes.state, BLACKHOLE_WAITING);
                tick(scene, pause - 1);
                assert_int_equal(scene->holes.state, BLACKHOLE_WAITING);
                tick(scene, 1);
                assert_int_equal(scene->holes.state, BLACKHOLE_DUE);
                blackholes_rearmed(&scene->holes, true, scene->now, TIMEOUT);
                scene->holes.list[0].until_usec = scene->now + TIMEOUT;
        }
        assert_false(fall_in(scene, "203.0.113.2:80"));
        assert_int_equal(scene->holes.state, BLACKHOLE_OFF);
        tick(scene, 3600);
        assert_int_equal(scene->holes.state, BLACKHOLE_NONE);
}

static void test_look_no_snapshot_waits(void **state) {
        struct scene *scene = *state;

        blackholes_notice(&scene->holes, 1, scene->now);
        assert_int_equal(blackholes_deadline(&scene->holes), scene->now + 12 * SECOND);
        tick(scene, 12);
        assert_int_equal(scene->holes.state, BLACKHOLE_WAITING);
}

static void test_look_many_destinations_left_off(void **state) {
        struct scene *scene = *state;

        for (int i = 1; i < 4; i++) {
                char to[32];

                snprintf(to, sizeof(to), "203.0.113.%d:80", i);
                assert_true(fall_in(scene, to));
                assert_int_equal(scene->holes.state, BLACKHOLE_DUE);
        }
        assert_true(fall_in(scene, "203.0.113.9:80"));
        assert_int_equal(scene->holes.state, BLACKHOLE_OFF);
        /* those of long ago don't count */
        scene->now += 301ull * SECOND;
        assert_true(fall_in(scene, "203.0.113.10:80"));
        assert_int_equal(scene->holes.state, BLACKHOLE_DUE);
}

static void test_look_list_full_oldest_goes(void **state) {
        struct scene *scene = *state;
        char to[32];

        for (unsigned int i = 0; i <= LIMIT_BLACKHOLES; i++) {
                snprintf(to, sizeof(to), "198.51.100.%u:80", i);
                assert_true(fall_in(scene, to));
        }
        assert_int_equal(scene->holes.n, LIMIT_BLACKHOLES);
        assert_first(scene, "198.51.100.1");
}

static void test_tick_over_goes(void **state) {
        struct scene *scene = *state;

        (void)fall_in(scene, "203.0.113.2:80");
        blackholes_rearmed(&scene->holes, true, scene->now, TIMEOUT);
        assert_int_equal(blackholes_deadline(&scene->holes), NOW + TIMEOUT);
        assert_false(blackholes_tick(&scene->holes, NOW + TIMEOUT - 1, TIMEOUT));
        assert_true(blackholes_tick(&scene->holes, NOW + TIMEOUT, TIMEOUT));
        assert_int_equal(scene->holes.n, 0);
        assert_int_equal(blackholes_deadline(&scene->holes), UINT64_MAX);
}

static void test_rearm_impossible_left_off(void **state) {
        struct scene *scene = *state;

        (void)fall_in(scene, "203.0.113.2:80");
        blackholes_rearmed(&scene->holes, false, scene->now, TIMEOUT);
        assert_int_equal(scene->holes.state, BLACKHOLE_OFF);
}

static void test_recall_rows_come_back(void **state) {
        struct policy_blackhole rows[LIMIT_BLACKHOLES];
        struct scene *scene = *state;
        struct blackholes later = { .n = 0 };

        (void)fall_in(scene, "203.0.113.2:80");
        (void)fall_in(scene, "[2001:db8::2]:443");
        assert_int_equal(blackholes_rows(&scene->holes, rows), 2);
        assert_int_equal(rows[0].to.family, 4);
        assert_int_equal(rows[0].to.len, 32);
        assert_int_equal(rows[1].to.family, 6);
        assert_int_equal(rows[1].to.len, 128);
        for (size_t i = 0; i < 2; i++) {
                blackholes_recall(&later, &rows[i]);
                assert_true(address_equal(&later.list[i].to, &scene->holes.list[i].to));
                assert_int_equal(later.list[i].until_usec, NOW + TIMEOUT);
                assert_int_equal(later.list[i].since_usec, 0);
        }
        assert_int_equal(later.state, BLACKHOLE_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_look_suspect_found_and_due),
                TEST(test_look_others_not_suspected),
                TEST(test_look_older_snapshot_ignored),
                TEST(test_look_not_asked_ignored),
                TEST(test_look_nothing_new_waits_longer_and_longer),
                TEST(test_look_no_snapshot_waits),
                TEST(test_look_many_destinations_left_off),
                TEST(test_look_list_full_oldest_goes),
                TEST(test_tick_over_goes),
                TEST(test_rearm_impossible_left_off),
                TEST(test_recall_rows_come_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
