/*
 * Roles and limits that are set at run time, and who watches the log.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/core/order.h"
#include "world.h"

#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"
#define SERVER "203.0.113.1:80"

static void connect_both(struct world *world) {
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
}

/* Roles */

static void set_role(struct world *world, const char *ifname, int role) {
        assert_int_equal(engine_set_role(&world->engine, ifname, role), 0);
        world_settle(world);
}

static void assert_role(const struct world *world, const char *ifname, enum mptcpize_role role,
                        const char *why) {
        const char *found;

        assert_int_equal(engine_role(&world->engine, NULL, ifname, &found), role);
        assert_string_equal(found, why);
}

static void test_role_off_ends_joins_from_there(void **state) {
        struct world *world = *state;
        struct action action;

        connect_both(world);
        set_role(world, "lte0", MPTCPIZE_ROLE_OFF);
        assert_role(world, "lte0", MPTCPIZE_ROLE_OFF, "set at run time");
        (void)world_expect(world, ACTION_WITHDRAW);
        action = world_expect(world, ACTION_ABORT);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
        set_role(world, "lte0", ROLE_UNSET);
        assert_role(world, "lte0", MPTCPIZE_ROLE_ON, "default");
        (void)world_expect_create(world, LTE, SERVER);
}

static void test_role_backup_makes_what_is_there_backup(void **state) {
        struct world *world = *state;
        struct action action;

        connect_both(world);
        set_role(world, "lte0", MPTCPIZE_ROLE_BACKUP);
        action = world_expect(world, ACTION_BACKUP);
        assert_true(action.backup);
        world_outcome(world, &action, 0);
        set_role(world, "lte0", MPTCPIZE_ROLE_MASTER);
        action = world_expect(world, ACTION_BACKUP);
        assert_false(action.backup);
        world_expect_nothing(world);
}

static void test_role_that_is_set_keeps_plugin_states(void **state) {
        struct world *world = *state;
        const void *plugin_state;

        connect_both(world);
        plugin_state = world_connection(world)->plugin_state;
        set_role(world, "lte0", MPTCPIZE_ROLE_BACKUP);
        assert_ptr_equal(world_connection(world)->plugin_state, plugin_state);
}

static void test_role_set_again_changes_nothing(void **state) {
        struct world *world = *state;
        uint32_t serial;

        set_role(world, "lte0", MPTCPIZE_ROLE_BACKUP);
        serial = world->engine.net_serial;
        set_role(world, "lte0", MPTCPIZE_ROLE_BACKUP);
        set_role(world, "eth7", ROLE_UNSET);
        assert_int_equal(world->engine.net_serial, serial);
}

static void test_role_outlives_a_reload(void **state) {
        struct world *world = *state;

        set_role(world, "lte0", MPTCPIZE_ROLE_OFF);
        world_configure(world);
        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
}

static void test_role_of_an_interface_to_come_waits_for_it(void **state) {
        struct world *world = *state;

        set_role(world, "eth7", MPTCPIZE_ROLE_OFF);
        world_link(world, 7, "eth7", true);
        world_address(world, 7, "203.0.113.77", true);
        world_route(world, 7, "0.0.0.0", 0);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_expect_nothing(world);
}

static void test_role_of_a_policy_counts_more_than_one_that_is_set(void **state) {
        static const struct conf_role role = { "lte*", MPTCPIZE_ROLE_BACKUP };
        struct world *world = *state;
        const struct conf_profile *profile = &world->profiles[3];
        const char *why;

        world_add_profiles(world);
        assert_int_equal(ARRAY_APPEND(&world->profiles[3].roles, role, 1), 0);
        world_configure(world);
        set_role(world, "lte0", MPTCPIZE_ROLE_MASTER);
        assert_int_equal(engine_role(&world->engine, profile, "lte0", &why), MPTCPIZE_ROLE_BACKUP);
        assert_string_equal(why, "backup"); /* the name of the policy */
        assert_int_equal(engine_role(&world->engine, profile, "wifi0", NULL), MPTCPIZE_ROLE_ON);
        set_role(world, "lte0", MPTCPIZE_ROLE_OFF);
        assert_int_equal(engine_role(&world->engine, profile, "lte0", &why), MPTCPIZE_ROLE_OFF);
        assert_int_equal(world->engine.profiles[3].locals.n, 1);
}

static void test_role_of_a_bad_name_is_refused(void **state) {
        static const char *const names[] = { "",     ".",     "..",
                                             "a b",  "a/b",   "a:1",
                                             "a\tb", "a\x7f", "abcdefghijklmnop" };
        struct world *world = *state;

        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
                assert_int_equal(engine_set_role(&world->engine, names[i], 0), -EINVAL);
        assert_int_equal(engine_set_role(&world->engine, "abcdefghijklmno", 0), 0);
        assert_int_equal(engine_set_role(&world->engine, "lte0", -2), -EINVAL);
        assert_int_equal(engine_set_role(&world->engine, "lte0", MPTCPIZE_ROLE_OFF + 1), -EINVAL);
}

static void test_roles_over_the_limit_are_refused(void **state) {
        struct world *world = *state;
        char name[16];

        for (unsigned int i = 0; i < LIMIT_SET_ROLES; i++) {
                snprintf(name, sizeof(name), "ppp%u", i);
                assert_int_equal(engine_set_role(&world->engine, name, MPTCPIZE_ROLE_ON), 0);
        }
        assert_int_equal(engine_set_role(&world->engine, "lte0", MPTCPIZE_ROLE_ON), -ENOBUFS);
        assert_int_equal(engine_set_role(&world->engine, "ppp3", ROLE_UNSET), 0);
        assert_int_equal(engine_set_role(&world->engine, "lte0", MPTCPIZE_ROLE_ON), 0);
}

/* Limits */

static struct limits limits_of(const struct world *world) {
        return world->engine.limits;
}

static void set_limits(struct world *world, const struct limits *limits) {
        assert_int_equal(engine_set_limits(&world->engine, limits), 0);
        world_follow(world);
}

static void test_limits_lower_max_subflows_closes_what_is_too_much(void **state) {
        struct world *world = *state;
        struct limits limits = limits_of(world);

        connect_both(world);
        limits.max_subflows = 1;
        set_limits(world, &limits);
        assert_int_equal(world_expect(world, ACTION_DESTROY).local.port, 40001);
        world_expect_nothing(world);
}

static void test_limits_higher_max_subflows_lets_plugins_go_on(void **state) {
        struct world *world = *state;
        struct limits limits = limits_of(world);

        limits.max_subflows = 1;
        set_limits(world, &limits);
        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
        limits.max_subflows = 2;
        set_limits(world, &limits);
        (void)world_expect_create(world, LTE, SERVER);
}

static void test_limits_of_a_policy_stay(void **state) {
        struct world *world = *state;
        struct limits limits = limits_of(world);

        world_add_profiles(world);
        world->profiles[3].max_subflows = 2;
        world->profiles[3].own_limit = true;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_feed(world,
                   (struct event){ .type = EVENT_ASSIGNED, .assigned = { TOKEN, "backup" } });
        limits.max_subflows = 1;
        set_limits(world, &limits);
        world_expect_nothing(world);
        assert_int_equal(engine_max_subflows(&world->engine, world_connection(world)), 2);
}

static void connect_second(struct world *world) {
        struct event event = { .type = EVENT_CREATED,
                               .mptcp = { .token = TOKEN + 1,
                                          .local = at("192.0.2.1:40002"),
                                          .remote = at("203.0.113.1:80") } };

        world_feed(world, event);
        event.type = EVENT_ESTABLISHED;
        world_feed(world, event);
        world_join(world, LTE, SERVER);
}

static void test_limits_are_followed_by_some_at_a_time(void **state) {
        struct world *world = *state;
        struct limits limits = limits_of(world);

        connect_both(world);
        connect_second(world);
        limits.max_subflows = 1;
        assert_int_equal(engine_set_limits(&world->engine, &limits), 0);
        world_expect_nothing(world);
        engine_follow(&world->engine, 1);
        assert_int_equal(world_expect(world, ACTION_DESTROY).token, TOKEN);
        world_expect_nothing(world);
        assert_true(engine_is_following(&world->engine));
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        engine_follow(&world->engine, 1);
        assert_int_equal(world_expect(world, ACTION_DESTROY).token, TOKEN + 1);
        world_follow(world);
        world_expect_nothing(world);
}

/* What a plugin is told, in order. */
static uint32_t told[8];
static size_t n_told;

static int listener_init(void **ret_state) {
        *ret_state = &n_told;
        return 0;
}

static void listener_done(void *state) {
        (void)state;
}

static int listener_config(void *state, const char *key, const char *value) {
        (void)state, (void)key, (void)value;
        return 0;
}

static int listener_decide(void *state, const struct mptcpize_view *view,
                           const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        (void)state, (void)view, (void)sink;
        assert_true(n_told < sizeof(told) / sizeof(told[0]));
        told[n_told++] = event->type;
        return 0;
}

static void test_reload_is_told_before_all_else(void **state) {
        static const struct mptcpize_plugin listener = {
                .size = sizeof(listener),
                .abi = MPTCPIZE_ABI,
                .name = "listener",
                .init = listener_init,
                .done = listener_done,
                .config = listener_config,
                .decide = listener_decide,
        };
        struct world *world = *state;

        connect_both(world);
        connect_second(world);
        n_told = 0;
        world_reload(world, &listener);
        assert_int_equal(n_told, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN + 1, LTE ":40001", SERVER, 1, 0, 0);
        assert_int_equal(n_told, 2);
        assert_int_equal(told[0], MPTCPIZE_EVENT_CONFIGURED);
        assert_int_equal(told[1], MPTCPIZE_EVENT_SUBFLOW_CLOSED);
        engine_follow(&world->engine, 1);
        assert_int_equal(n_told, 3);
        assert_int_equal(told[2], MPTCPIZE_EVENT_CONFIGURED);
        world_follow(world);
        assert_int_equal(n_told, 4);
        assert_int_equal(told[3], MPTCPIZE_EVENT_LOCALS_CHANGED);
}

static void test_limits_last_until_the_next_reload(void **state) {
        struct world *world = *state;
        struct limits limits = limits_of(world);

        limits.max_connections = 1;
        set_limits(world, &limits);
        connect_both(world);
        world_connect(world, TOKEN + 1, 0);
        assert_null(model_find(&world->engine.model, TOKEN + 1));
        world_configure(world);
        assert_int_equal(world->engine.limits.max_connections, LIMIT_CONNECTIONS);
}

static void test_limits_out_of_range_are_refused(void **state) {
        struct world *world = *state;
        const struct limits most = { LIMIT_SUBFLOWS / 2, LIMIT_SUBFLOWS / 2, LIMIT_SUBFLOWS / 2,
                                     LIMIT_RETRIES, LIMIT_CONNECTIONS };

        assert_int_equal(engine_set_limits(&world->engine, &most), 0);
        for (size_t i = 0; i < sizeof(most) / sizeof(uint32_t); i++) {
                uint32_t numbers[sizeof(most) / sizeof(uint32_t)];
                struct limits limits;

                memcpy(numbers, &most, sizeof(numbers));
                numbers[i]++;
                memcpy(&limits, numbers, sizeof(limits));
                assert_int_equal(engine_set_limits(&world->engine, &limits), -EINVAL);
                numbers[i] = 0;
                memcpy(&limits, numbers, sizeof(limits));
                assert_int_equal(engine_set_limits(&world->engine, &limits), -EINVAL);
        }
        assert_memory_equal(&world->engine.limits, &most, sizeof(most));
}

/* The tap */

struct tap {
        char text[4096];
        size_t n;
};

/* "kind what reason" of each line, in its own. */
static void see(const struct trace_line *line, void *userdata) {
        struct tap *tap = userdata;
        char what[256];

        trace_format(line, what, sizeof(what));
        tap->n += (size_t)snprintf(tap->text + tap->n, sizeof(tap->text) - tap->n, "%s|%s|%s\n",
                                   trace_kind_name(line->kind), what, line->reason);
        assert_true(tap->n < sizeof(tap->text));
}

static void assert_seen(struct tap *tap, const char *text) {
        if (!strstr(tap->text, text))
                fail_msg("no \"%s\" in:\n%s", text, tap->text);
}

#define PAIR WIFI ":40000 -> " SERVER

static void test_tap_sees_a_connection_come_and_go(void **state) {
        struct world *world = *state;
        struct tap tap = { .n = 0 };

        engine_set_tap(&world->engine, see, &tap);
        world_connect(world, TOKEN, 0);
        assert_seen(&tap, "event|created " PAIR "|\n"
                          "connection-added|connection added " PAIR "|opened by this host\n"
                          "event|established " PAIR "|\n"
                          "action|create " LTE " -> " SERVER "|fullmesh: ");
        world_join(world, LTE, SERVER);
        assert_seen(&tap, "event|subflow established " LTE ":40001 -> " SERVER "|\n");
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        assert_seen(&tap, "event|closed|\n"
                          "connection-removed|connection removed " PAIR "|closed\n");
        engine_set_tap(&world->engine, NULL, NULL);
        tap = (struct tap){ .n = 0 };
        world_connect(world, TOKEN, 0);
        assert_int_equal(tap.n, 0);
}

static void test_tap_sees_who_opened_it(void **state) {
        struct world *world = *state;
        struct tap tap = { .n = 0 };

        engine_set_tap(&world->engine, see, &tap);
        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        assert_seen(&tap, "|opened by the peer\n");
        world_address(world, 2, "203.0.113.1", true);
        world_connect(world, TOKEN + 1, 0);
        assert_seen(&tap, "|left alone: its peer is this host\n");
}

static void test_tap_sees_what_is_over_the_limit(void **state) {
        struct world *world = *state;
        struct tap tap = { .n = 0 };

        engine_set_tap(&world->engine, see, &tap);
        world->engine.limits.max_connections = 1;
        world_connect(world, TOKEN, 0);
        world_connect(world, TOKEN + 1, 0);
        assert_seen(&tap, "note|note " PAIR "|not managed: there are as many connections as may");
}

static void test_tap_sees_what_a_comparison_finds(void **state) {
        struct world *world = *state;
        struct snapshot_connection row = {
                .token = TOKEN, .state = 1, .local = at(WIFI ":40000"), .remote = at(SERVER)
        };
        struct snapshot snapshot = { .connections = { .items = &row, .n = 1 } };
        struct tap tap = { .n = 0 };

        engine_set_tap(&world->engine, see, &tap);
        snapshot.started_usec = world->now += 1000;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        assert_seen(&tap, "connection-added|connection added " PAIR "|found alive\n");
        row.flags = SNAPSHOT_FALLBACK;
        snapshot.started_usec = world->now += 1000;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        assert_seen(&tap, "note|note|fell back to TCP");
        snapshot.connections.n = 0;
        snapshot.started_usec = world->now += 1000;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        assert_seen(&tap,
                    "connection-removed|connection removed " PAIR "|ended without an event\n");
}

static void test_tap_sees_a_subflow_whose_event_was_lost(void **state) {
        struct world *world = *state;
        struct tap tap = { .n = 0 };
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, 0);
        engine_set_tap(&world->engine, see, &tap);
        world_find_join(world, 1);
        assert_seen(&tap,
                    "note|note " LTE ":40001 -> " SERVER "|subflow established without an event\n");
}

static void test_tap_sees_addresses_and_priorities(void **state) {
        struct world *world = *state;
        struct tap tap = { .n = 0 };

        connect_both(world);
        engine_set_tap(&world->engine, see, &tap);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 5, 0);
        world_mptcp(world, EVENT_REMOVED, TOKEN, NULL, NULL, 0, 5, 0);
        world_mptcp(world, EVENT_SUB_PRIORITY, TOKEN, LTE ":40001", SERVER, 1, 0, 0);
        assert_seen(&tap, "event|address announced 203.0.113.2:80|\n");
        assert_seen(&tap, "event|address removed|\n");
        assert_seen(&tap, "event|subflow priority " LTE ":40001 -> " SERVER
                          "|the peer no longer asks for backup\n");
        world_link(world, 3, "lte0", false);
        world_settle(world);
        assert_seen(&tap, "note|note " LTE ":40001 -> " SERVER "|path lost: the link is down\n");
        assert_seen(&tap, "action|abort " LTE ":40001 -> " SERVER "|path lost: close");
}

int main(void) {
#define STEER_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                STEER_TEST(test_role_off_ends_joins_from_there),
                STEER_TEST(test_role_backup_makes_what_is_there_backup),
                STEER_TEST(test_role_that_is_set_keeps_plugin_states),
                STEER_TEST(test_role_set_again_changes_nothing),
                STEER_TEST(test_role_outlives_a_reload),
                STEER_TEST(test_role_of_an_interface_to_come_waits_for_it),
                STEER_TEST(test_role_of_a_policy_counts_more_than_one_that_is_set),
                STEER_TEST(test_role_of_a_bad_name_is_refused),
                STEER_TEST(test_roles_over_the_limit_are_refused),
                STEER_TEST(test_limits_lower_max_subflows_closes_what_is_too_much),
                STEER_TEST(test_limits_higher_max_subflows_lets_plugins_go_on),
                STEER_TEST(test_limits_of_a_policy_stay),
                STEER_TEST(test_limits_are_followed_by_some_at_a_time),
                STEER_TEST(test_reload_is_told_before_all_else),
                STEER_TEST(test_limits_last_until_the_next_reload),
                STEER_TEST(test_limits_out_of_range_are_refused),
                STEER_TEST(test_tap_sees_a_connection_come_and_go),
                STEER_TEST(test_tap_sees_who_opened_it),
                STEER_TEST(test_tap_sees_what_is_over_the_limit),
                STEER_TEST(test_tap_sees_what_a_comparison_finds),
                STEER_TEST(test_tap_sees_a_subflow_whose_event_was_lost),
                STEER_TEST(test_tap_sees_addresses_and_priorities),
        };

        return cmocka_run_group_tests_name("steer", tests, NULL, NULL);
}
