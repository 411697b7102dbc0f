/*
 * daemon/metrics: what is in the text, in both formats, and that there is no end of nothing in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/auth/auth.h"
#include "../../daemon/metrics.h"
#include "world.h"

static const uint32_t dead_after = 15;

/* Of this test instead of the daemon's. */
struct auth {
        struct auth_status status;
};

void auth_status(const struct auth *auth, struct auth_status *ret_status) {
        *ret_status = auth->status;
}

static void take(struct world *world, enum metrics_format format, char **ret_text) {
        const struct metrics_host host = { .engine = &world->engine,
                                           .dead_after = &dead_after,
                                           .started_usec = 1234567890 };

        assert_int_equal(metrics_write(&host, format, ret_text), 0);
}

static void has(const char *text, const char *line) {
        if (!strstr(text, line))
                fail_msg("no \"%s\" in:\n%s", line, text);
}

static void lacks(const char *text, const char *words) {
        if (strstr(text, words))
                fail_msg("\"%s\" in:\n%s", words, text);
}

static size_t count(const char *text, const char *words) {
        size_t n = 0;

        for (; (text = strstr(text, words)); text++)
                n++;
        return n;
}

static void test_write_tells_of_connections_and_subflows(void **state) {
        struct world *world = *state;
        char *text;

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        take(world, METRICS_OPEN, &text);
        has(text, "\nmptcpize_connections{state=\"established\",role=\"client\"} 1\n");
        has(text, "\nmptcpize_connections{state=\"established\",role=\"server\"} 0\n");
        has(text, "\nmptcpize_plugin_connections{plugin=\"fullmesh\"} 1\n");
        has(text, "\nmptcpize_subflows{interface=\"wifi0\",state=\"established\",backup=\"no\"} 1"
                  "\n");
        has(text, "\nmptcpize_subflows{interface=\"lte0\",state=\"established\",backup=\"no\"} 1"
                  "\n");
        has(text, "\nmptcpize_interface_usable{interface=\"lte0\"} 1\n");
        has(text, "\nmptcpize_limit{limit=\"max_subflows\"} 4\n");
        has(text, "\nmptcpize_dead_after_seconds 15\n");
        has(text, "\nmptcpize_start_time_seconds 1234\n");
        has(text, "\nmptcpize_subflows_created_total 1\n");
        free(text);
}

static void test_write_open_and_prometheus_differ_in_names(void **state) {
        char *open, *old;

        take(*state, METRICS_OPEN, &open);
        take(*state, METRICS_PROMETHEUS, &old);
        has(open, "# TYPE mptcpize_events counter\n");
        has(old, "# TYPE mptcpize_events_total counter\n");
        has(old, "# HELP mptcpize_events_total Events");
        has(open, "\nmptcpize_events_total ");
        has(old, "\nmptcpize_events_total ");
        has(open, "# TYPE mptcpize_build info\n");
        has(old, "# TYPE mptcpize_build_info gauge\n");
        has(open, "# UNIT mptcpize_start_time_seconds seconds\n");
        lacks(old, "# UNIT");
        lacks(old, "# EOF");
        assert_int_equal(strcmp(strstr(open, "# EOF"), "# EOF\n"), 0);
        free(open);
        free(old);
}

/* A zero would say that there were none. */
static void test_write_uncounted_blackholes_are_left_out(void **state) {
        static struct blackholes blackholes;
        struct world *world = *state;
        const struct metrics_host host = { .engine = &world->engine,
                                           .blackholes = &blackholes,
                                           .dead_after = &dead_after };
        char *text;

        assert_int_equal(metrics_write(&host, METRICS_OPEN, &text), 0);
        has(text, "\nmptcpize_blackholes_total 0\n");
        free(text);
        blackholes.unknown = true;
        assert_int_equal(metrics_write(&host, METRICS_OPEN, &text), 0);
        lacks(text, "mptcpize_blackholes_total");
        free(text);
}

static void test_write_tells_of_authentication(void **state) {
        static const struct auth auth = {
                .status = { .gate = { .wanted = true, .dropped = 12, .guarded = 2 },
                            .port = 8684,
                            .sessions = 3,
                            .confirmed = 1,
                            .counters = { [PROTOCOL_FORGED] = 7 } },
        };
        struct world *world = *state;
        const struct metrics_host host = { .engine = &world->engine,
                                           .auth = &auth,
                                           .dead_after = &dead_after };
        char *text;

        assert_int_equal(metrics_write(&host, METRICS_OPEN, &text), 0);
        has(text, "\nmptcpize_auth_forged_total 7\n");
        has(text, "\nmptcpize_auth_replayed_total 0\n");
        has(text, "\nmptcpize_auth_port 8684\n");
        has(text, "\nmptcpize_auth_connections{confirmed=\"yes\"} 1\n");
        has(text, "\nmptcpize_auth_connections{confirmed=\"no\"} 2\n");
        has(text, "\nmptcpize_auth_gate_missing 1\n");
        has(text, "\nmptcpize_auth_gate_guarded 2\n");
        has(text, "\nmptcpize_auth_gate_dropped_syns_total 12\n");
        lacks(text, "A counter of join authentication");
        free(text);
        take(world, METRICS_OPEN, &text);
        lacks(text, "mptcpize_auth_");
        free(text);
}

static void test_write_every_counter_has_words_of_its_own(void **state) {
        char *text;

        take(*state, METRICS_OPEN, &text);
        lacks(text, "A counter of mptcpized");
        free(text);
}

static void test_write_hostile_names_are_escaped(void **state) {
        struct world *world = *state;
        char *text;

        world_link(world, 10, "a\"b\\c", true);
        world_link(world, 11, "\x1b[7m\xc2\x9b\x7f", true);
        world_link(world, 12, "\xff\xfe", true);
        world_link(world, 13, "\xfe\xff", true); /* the same label */
        world_settle(world);
        take(world, METRICS_OPEN, &text);
        has(text, "{interface=\"a\\\"b\\\\c\"} 0\n");
        has(text, "{interface=\"\\\\x1b[7m\\\\x9b\\\\x7f\"} 0\n");
        assert_int_equal(count(text, "mptcpize_interface_usable{interface=\"\?\?\"} 0\n"), 1);
        lacks(text, "\x1b");
        free(text);
}

static void test_write_is_bounded_by_interfaces_and_not_connections(void **state) {
        struct world *world = *state;
        char name[16], *text;
        size_t few, i;

        for (i = 0; i < 200; i++) {
                snprintf(name, sizeof(name), "ppp%zu", i);
                world_link(world, 100 + (int32_t)i, name, true);
        }
        world_connect(world, TOKEN, 0);
        take(world, METRICS_OPEN, &text);
        few = count(text, "\n");
        assert_in_range(few, 2 * LIMIT_METRICS_LINKS, 2 * LIMIT_METRICS_LINKS + 200);
        free(text);
        for (i = 1; i < 100; i++)
                world_connect(world, TOKEN + (uint32_t)i, 0);
        take(world, METRICS_OPEN, &text);
        has(text, "role=\"client\"} 100\n");
        assert_int_equal(count(text, "\n"), few);
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_write_tells_of_connections_and_subflows,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_write_open_and_prometheus_differ_in_names,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_write_uncounted_blackholes_are_left_out,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_write_tells_of_authentication, world_setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(test_write_every_counter_has_words_of_its_own,
                                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_write_hostile_names_are_escaped, world_setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(
                                test_write_is_bounded_by_interfaces_and_not_connections,
                                world_setup, world_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
