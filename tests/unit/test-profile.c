/*
 * core/profile: whose profile a connection has, and when a hint changes that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

#define OTHER 0x2b3c4d5eu

static struct event hint(unsigned int kind, uint32_t token, const char *profile) {
        return (struct event){
                .type = EVENT_HINT,
                .hint = { .kind = kind,
                          .token = token,
                          .cookie = 1000 + token,
                          .profile = profile,
                          .program = { .name = "curl", .pid = 4711, .uid = 33 } },
        };
}

static void hint_listen(struct world *world, const char *local, uint64_t cookie,
                        const char *profile) {
        struct event event = hint(HINT_LISTEN, 0, profile);

        event.hint.local = at(local);
        event.hint.cookie = cookie;
        world_feed(world, event);
}

static void listener_closed(struct world *world, const char *local) {
        world_mptcp(world, EVENT_LISTENER_CLOSED, 0, local, NULL, 0, 0, 0);
}

/* A connection that came in at local: CREATED only. */
static struct connection *accepted(struct world *world, const char *local) {
        struct event event = {
                .type = EVENT_CREATED,
                .mptcp = { .token = OTHER,
                           .flags = EVENT_MPTCP_SERVER,
                           .local = at(local),
                           .remote = at("203.0.113.9:5555") },
        };

        world_mptcp(world, EVENT_CLOSED, OTHER, NULL, NULL, 0, 0, 0);
        world_feed(world, event);
        return model_find(&world->engine.model, OTHER);
}

static void assert_profile(const struct world *world, const struct connection *connection,
                           const char *name) {
        assert_non_null(connection);
        assert_string_equal(engine_profile(&world->engine, connection)->conf->name, name);
}

/* "narrow": no more than the first subflow; "off": nothing; "backup": lte0 as backup. */
static int setup(void **state) {
        static const struct conf_role role = { "lte*", MPTCPIZE_ROLE_BACKUP };
        struct world *world;

        world_setup(state);
        world = *state;
        world_add_profiles(world);
        ARRAY_APPEND(&world->profiles[3].roles, role, 1);
        world_configure(world);
        world_settle(world);
        return 0;
}

/* Connections */

static void test_hint_none_has_the_first_profile(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "");
        assert_int_equal(world_connection(world)->advice.cookie, 0);
        assert_int_equal(world_connection(world)->advice.program.uid, UINT32_MAX);
        world_expect_create(world, "198.51.100.1", "203.0.113.1:80");
}

static void test_hint_before_the_connection_decides(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "narrow"));
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "narrow");
        assert_string_equal(world_connection(world)->advice.program.name, "curl");
        assert_int_equal(world_connection(world)->advice.program.pid, 4711);
        world_expect_nothing(world);
}

static void test_hint_off_makes_no_subflows(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "off"));
        world_connect(world, TOKEN, 0);
        assert_null(world_connection(world)->plugin);
        world_expect_nothing(world);
}

static void test_hint_role_of_the_policy_counts_first(void **state) {
        struct world *world = *state;
        struct action action;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, "198.51.100.1", "203.0.113.1:80");
        assert_true(action.backup);
}

static void test_hint_before_for_another_token_changes_nothing(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, OTHER, "off"));
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "");
        world_expect_create(world, "198.51.100.1", "203.0.113.1:80");
}

static void test_hint_too_old_is_forgotten(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "off"));
        world->now += 3600000000u;
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "");
}

static void test_hint_counts_for_one_connection_only(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "off"));
        world_connect(world, TOKEN, 0);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "");
}

static void test_hint_late_closes_what_is_too_much(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world_feed(world, hint(HINT_CONNECT, TOKEN, "narrow"));
        action = world_expect(world, ACTION_DESTROY);
        assert_int_equal(action.local.port, 40001);
        assert_non_null(strstr(action.reason, "policy"));
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
}

/* The port of a pending one is not known, so it can be closed only when it is there. */
static void test_hint_late_closes_a_pending_one_when_it_comes(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)world_expect(world, ACTION_CREATE);
        world_feed(world, hint(HINT_CONNECT, TOKEN, "off"));
        world_expect_nothing(world);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40001", "203.0.113.1:80", 1,
                    0, 0);
        assert_int_equal(world_expect(world, ACTION_DESTROY).local.port, 40001);
}

static void test_hint_late_from_less_to_more_joins(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 1;
        world->profiles[3].own_limit = true;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        world_expect_create(world, "198.51.100.1", "203.0.113.1:80");
}

static void test_hint_late_interface_that_is_off_is_left(void **state) {
        struct world *world = *state;
        struct action action;

        world->profiles[3].roles.items[0].role = MPTCPIZE_ROLE_OFF;
        world_configure(world);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        (void)world_expect(world, ACTION_WITHDRAW);
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 40001);
        world_outcome(world, &action, 0);
        world_expect_nothing(world);
}

static void test_hint_late_role_is_put_right(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        action = world_expect(world, ACTION_BACKUP);
        assert_int_equal(action.local.port, 40001);
        assert_true(action.backup);
        world_expect_nothing(world);
}

static void test_hint_late_option_is_put_right(void **state) {
        static const struct conf_option option = { "fullmesh", "announced", "false", { 0, 0 } };
        struct world *world = *state;
        struct action action;

        ARRAY_APPEND(&world->profiles[3].options, option, 1);
        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.2:80", 0, 1, 0);
        world_join(world, "192.0.2.1", "203.0.113.2:80");
        (void)world_expect_create(world, "198.51.100.1", "203.0.113.2:80");
        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        action = world_expect(world, ACTION_BACKUP);
        assert_int_equal(world_expect(world, ACTION_DESTROY).local.port, 40001);
        world_outcome(world, &action, 0);
        /* The one that was under way follows when it is there. */
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40002", "203.0.113.2:80", 1,
                    1, 0);
        assert_int_equal(world_expect(world, ACTION_DESTROY).local.port, 40002);
}

static void test_hint_second_one_changes_nothing(void **state) {
        struct world *world = *state;
        struct event second = hint(HINT_CONNECT, TOKEN, "off");

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        strcpy(second.hint.program.name, "thief");
        world_feed(world, second);
        assert_profile(world, world_connection(world), "backup");
        assert_string_equal(world_connection(world)->advice.program.name, "curl");
}

static void test_hint_unknown_profile_is_the_first_one(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "nonsense"));
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "");
        assert_int_not_equal(world_connection(world)->advice.cookie, 0);
}

static void test_hint_without_token_is_ignored(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, 0, "off"));
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "");
}

static void test_hint_flood_keeps_the_youngest(void **state) {
        struct world *world = *state;

        for (uint32_t i = 1; i <= 3 * LIMIT_ADVICE; i++) {
                world->now++;
                world_feed(world, hint(HINT_CONNECT, i, "off"));
        }
        assert_int_equal(world->engine.counters[COUNTER_HINTS_DROPPED], 2 * LIMIT_ADVICE);
        world_connect(world, 3 * LIMIT_ADVICE, 0);
        assert_profile(world, model_find(&world->engine.model, 3 * LIMIT_ADVICE), "off");
        world_connect(world, 1, 0);
        assert_profile(world, model_find(&world->engine.model, 1), "");
}

static void test_hint_kinds_are_counted(void **state) {
        struct world *world = *state;
        const uint64_t *counters = world->engine.counters;

        world_feed(world, hint(HINT_DEMOTED, 0, ""));
        world_feed(world, hint(HINT_FELL_BACK, 0, ""));
        world_feed(world, hint(HINT_REFUSED, 0, ""));
        assert_int_equal(counters[COUNTER_HINTS], 3);
        assert_int_equal(counters[COUNTER_HINTS_REFUSED], 1);
        assert_int_equal(counters[COUNTER_SOCKETS_DEMOTED], 1);
        assert_int_equal(counters[COUNTER_SOCKETS_FELL_BACK], 1);
}

/* Listeners */

static void test_listener_gives_its_profile(void **state) {
        struct world *world = *state;

        hint_listen(world, "0.0.0.0:80", 7, "off");
        assert_profile(world, accepted(world, "192.0.2.1:80"), "off");
        assert_profile(world, accepted(world, "192.0.2.1:81"), "");
}

static void test_listener_closest_address_counts(void **state) {
        struct world *world = *state;

        hint_listen(world, "192.0.2.1:80", 7, "narrow");
        hint_listen(world, "0.0.0.0:80", 8, "off");
        hint_listen(world, "[::]:80", 9, "backup");
        assert_profile(world, accepted(world, "192.0.2.1:80"), "narrow");
        assert_profile(world, accepted(world, "192.0.2.2:80"), "off");
        assert_profile(world, accepted(world, "[2001:db8::1]:80"), "backup");
        listener_closed(world, "0.0.0.0:80");
        assert_profile(world, accepted(world, "192.0.2.2:80"), "backup");
}

static void test_listener_ipv4_takes_no_ipv6(void **state) {
        struct world *world = *state;

        hint_listen(world, "0.0.0.0:80", 7, "off");
        assert_profile(world, accepted(world, "[2001:db8::1]:80"), "");
}

/* The port may be somebody else's for IPv4. */
static void test_listener_ipv6_only_takes_no_ipv4(void **state) {
        struct world *world = *state;
        struct event event = hint(HINT_LISTEN, 0, "off");

        event.hint.local = at("[::]:80");
        event.hint.cookie = 7;
        event.hint.ipv6_only = true;
        world_feed(world, event);
        assert_profile(world, accepted(world, "192.0.2.1:80"), "");
        assert_profile(world, accepted(world, "[2001:db8::1]:80"), "off");
}

static void test_listener_closed_is_forgotten(void **state) {
        struct world *world = *state;

        hint_listen(world, "0.0.0.0:80", 7, "off");
        listener_closed(world, "0.0.0.0:80");
        assert_profile(world, accepted(world, "192.0.2.1:80"), "");
}

/* The kernel doesn't say which of them was closed: a comparison does. */
static void test_listener_shared_address_stays_until_the_last(void **state) {
        struct world *world = *state;
        struct snapshot_listener left = { .cookie = 7, .local = at("0.0.0.0:80") };
        struct snapshot snapshot = { .listeners = { .items = &left, .n = 1 } };

        hint_listen(world, "0.0.0.0:80", 7, "off");
        hint_listen(world, "0.0.0.0:80", 7, "off"); /* listen() again */
        hint_listen(world, "0.0.0.0:80", 8, "narrow");
        listener_closed(world, "0.0.0.0:80");
        (void)world_expect(world, ACTION_SNAPSHOT);
        snapshot.started_usec = world->now += 1000;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        assert_profile(world, accepted(world, "192.0.2.1:80"), "off");
        listener_closed(world, "0.0.0.0:80");
        assert_profile(world, accepted(world, "192.0.2.1:80"), "");
}

static void test_listener_of_a_client_does_not_count(void **state) {
        struct world *world = *state;

        hint_listen(world, "0.0.0.0:40000", 7, "off");
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "");
}

static void test_listener_too_many_forgets_the_oldest(void **state) {
        struct world *world = *state;
        char text[32];

        for (unsigned int i = 0; i <= LIMIT_LISTENERS; i++) {
                snprintf(text, sizeof(text), "0.0.0.0:%u", 1000 + i);
                hint_listen(world, text, 1 + i, "off");
        }
        assert_int_equal(world->engine.listeners.n, LIMIT_LISTENERS);
        assert_int_equal(world->engine.counters[COUNTER_HINTS_DROPPED], 1);
        assert_profile(world, accepted(world, "192.0.2.1:1000"), "");
        assert_profile(world, accepted(world, text + 0), "off");
}

/* Reload */

static void test_reload_keeps_profiles_by_their_names(void **state) {
        struct world *world = *state;
        struct conf_profile swapped = world->profiles[1];

        world_feed(world, hint(HINT_CONNECT, TOKEN, "narrow"));
        world_connect(world, TOKEN, 0);
        world_feed(world, hint(HINT_CONNECT, OTHER + 1, "off"));
        hint_listen(world, "0.0.0.0:80", 7, "narrow");
        /* The engine still knows the old names by the old array. */
        struct conf_profile profiles[3] = { world->profiles[0], world->profiles[2], swapped };

        world_feed(world, (struct event){
                                          .type = EVENT_CONFIGURED,
                                          .configured = { .conf = &world->conf,
                                                          .profiles = profiles,
                                                          .n_profiles = 3 },
                          });
        assert_profile(world, world_connection(world), "narrow");
        assert_profile(world, accepted(world, "192.0.2.1:80"), "narrow");
        world_connect(world, OTHER + 1, 0);
        assert_profile(world, model_find(&world->engine.model, OTHER + 1), "off");
        world_configure(world);
}

static void test_reload_name_that_is_gone_is_the_first_one(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "narrow"));
        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
        world_feed(world, (struct event){
                                          .type = EVENT_CONFIGURED,
                                          .configured = { .conf = &world->conf,
                                                          .profiles = world->profiles,
                                                          .n_profiles = 1 },
                          });
        world_follow(world);
        assert_profile(world, world_connection(world), "");
        world_expect_create(world, "198.51.100.1", "203.0.113.1:80");
}

static void test_reload_lower_limit_closes_what_is_too_much(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, "198.51.100.1", "203.0.113.1:80");
        world->conf.max_subflows = 1;
        world_configure(world);
        assert_int_equal(world_expect(world, ACTION_DESTROY).local.port, 40001);
}

static void test_reload_more_profiles_than_the_limit_are_ignored(void **state) {
        struct world *world = *state;
        struct conf_profile *many = calloc(LIMIT_PROFILES + 1, sizeof(*many));

        assert_non_null(many);
        for (unsigned int i = 0; i <= LIMIT_PROFILES; i++) {
                conf_profile_init(&many[i], &world->conf, world->profiles[0].plugin);
                snprintf(many[i].name, sizeof(many[i].name), "%u", i);
        }
        many[0].name[0] = '\0';
        world_feed(world, (struct event){
                                          .type = EVENT_CONFIGURED,
                                          .configured = { .conf = &world->conf,
                                                          .profiles = many,
                                                          .n_profiles = LIMIT_PROFILES + 1 },
                          });
        assert_int_equal(world->engine.n_profiles, LIMIT_PROFILES);
        world_feed(world, hint(HINT_CONNECT, TOKEN, "1023"));
        world_connect(world, TOKEN, 0);
        assert_profile(world, world_connection(world), "1023");
        world_feed(world, hint(HINT_CONNECT, OTHER, "1024"));
        world_connect(world, OTHER, 0);
        assert_profile(world, model_find(&world->engine.model, OTHER), "");
        world_configure(world);
        free(many);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_hint_none_has_the_first_profile),
                TEST(test_hint_before_the_connection_decides),
                TEST(test_hint_off_makes_no_subflows),
                TEST(test_hint_role_of_the_policy_counts_first),
                TEST(test_hint_before_for_another_token_changes_nothing),
                TEST(test_hint_too_old_is_forgotten),
                TEST(test_hint_counts_for_one_connection_only),
                TEST(test_hint_late_closes_what_is_too_much),
                TEST(test_hint_late_closes_a_pending_one_when_it_comes),
                TEST(test_hint_late_from_less_to_more_joins),
                TEST(test_hint_late_interface_that_is_off_is_left),
                TEST(test_hint_late_role_is_put_right),
                TEST(test_hint_late_option_is_put_right),
                TEST(test_hint_second_one_changes_nothing),
                TEST(test_hint_unknown_profile_is_the_first_one),
                TEST(test_hint_without_token_is_ignored),
                TEST(test_hint_flood_keeps_the_youngest),
                TEST(test_hint_kinds_are_counted),
                TEST(test_listener_gives_its_profile),
                TEST(test_listener_closest_address_counts),
                TEST(test_listener_ipv4_takes_no_ipv6),
                TEST(test_listener_ipv6_only_takes_no_ipv4),
                TEST(test_listener_closed_is_forgotten),
                TEST(test_listener_shared_address_stays_until_the_last),
                TEST(test_listener_of_a_client_does_not_count),
                TEST(test_listener_too_many_forgets_the_oldest),
                TEST(test_reload_keeps_profiles_by_their_names),
                TEST(test_reload_name_that_is_gone_is_the_first_one),
                TEST(test_reload_lower_limit_closes_what_is_too_much),
                TEST(test_reload_more_profiles_than_the_limit_are_ignored),
        };

        return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
