/*
 * core/profile, core/permit: whose word on authentication counts, whoever has one on paths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define LTE    "198.51.100.1"

/* "narrow" prefers, "backup" requires; "off", like the first, has no word. */
static int setup(void **state) {
        struct world *world;

        world_setup(state);
        world = *state;
        world_add_profiles(world);
        world->profiles[1].auth = CONF_AUTH_PREFER;
        world->profiles[3].auth = CONF_AUTH_REQUIRE;
        world_configure(world);
        world_settle(world);
        return 0;
}

static void hint_of(struct world *world, unsigned int kind, const char *profile,
                    const char *policy) {
        world_feed(world, (struct event){
                                          .type = EVENT_HINT,
                                          .hint = { .kind = kind,
                                                    .token = kind == HINT_LISTEN ? 0 : TOKEN,
                                                    .cookie = 7,
                                                    .local = at("192.0.2.1:40000"),
                                                    .profile = profile,
                                                    .policy = policy,
                                                    .program = { "curl", 42, 33 } },
                          });
}

static void hint(struct world *world, const char *profile, const char *policy) {
        hint_of(world, HINT_CONNECT, profile, policy);
}

static void owner(struct world *world, const char *profile) {
        world_feed(world,
                   (struct event){
                                   .type = EVENT_OWNER,
                                   .owner = { .token = TOKEN, .uid = 1000, .profile = profile },
                   });
}

static void assign(struct world *world, const char *word) {
        world_feed(world, (struct event){
                                          .type = EVENT_ASSIGNED,
                                          .assigned = { .token = TOKEN, .profile = word },
                          });
}

static void assert_words(struct world *world, const char *paths, const char *guard) {
        const struct connection *connection = world_connection(world);

        assert_string_equal(engine_profile(&world->engine, connection)->conf->name, paths);
        assert_string_equal(engine_auth_profile(&world->engine, connection)->name, guard);
        assert_int_equal(connection->auth, engine_auth_profile(&world->engine, connection)->auth);
        assert_int_equal(connection->joins,
                         connection->auth || connection->grace_usec ? JOINS_WAIT : JOINS_FREE);
}

static void test_hint_without_policy_has_that_of_its_profile(void **state) {
        struct world *world = *state;

        hint(world, "backup", NULL);
        world_connect(world, TOKEN, 0);
        assert_words(world, "backup", "backup");
        world_expect_nothing(world);
}

/* The user has chosen a mode, which is the profile "off" here. */
static void test_hint_mode_leaves_the_word_of_the_policy(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        hint(world, "off", "backup");
        assert_words(world, "off", "backup");
}

static void test_hint_before_the_connection_has_both(void **state) {
        struct world *world = *state;

        hint(world, "", "backup");
        world_connect(world, TOKEN, 0);
        assert_words(world, "", "backup");
        world_expect_nothing(world);
}

static void test_hint_key_is_a_hint(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        hint_of(world, HINT_KEY, "", "narrow");
        assert_words(world, "", "narrow");
        assert_int_equal(world->engine.counters[COUNTER_HINTS_REFUSED], 0);
}

static void test_hint_listener_gives_both(void **state) {
        struct world *world = *state;

        hint_of(world, HINT_LISTEN, "", "backup");
        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        assert_words(world, "", "backup");
}

/* The hint may be on its way: whose word that will be is not known. */
static void test_hint_late_finds_no_join(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_later(world, 100000);
        world_expect_nothing(world);
        hint(world, "backup", "backup");
        assert_words(world, "backup", "backup");
        world_later(world, 1000000);
        world_expect_nothing(world);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect_create(world, LTE, SERVER);
}

static void test_hint_late_of_another_program_ends_the_wait(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
        hint(world, "", "");
        world_expect_create(world, LTE, SERVER);
}

static void test_hint_none_waits_for_a_moment_only(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_expect_nothing(world);
        assert_int_equal(engine_deadline(&world->engine), world->now + 200000);
        world_later(world, 200000);
        world_expect_create(world, LTE, SERVER);
        assert_string_equal(connection_joins_reason(world_connection(world)), "");
}

static void test_hint_none_does_not_wait_without_require(void **state) {
        struct world *world = *state;

        world->profiles[3].auth = CONF_AUTH_PREFER;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        world_expect_create(world, LTE, SERVER);
}

/* A listener's programs have spoken before. */
static void test_hint_none_of_a_server_does_not_wait(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        assert_int_equal(world_connection(world)->joins, JOINS_FREE);
}

static void test_owner_policy_without_paths_makes_joins_wait(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        owner(world, "narrow");
        assert_words(world, "narrow", "narrow");
        owner(world, ""); /* settled; but asked again it is another one's */
        assert_words(world, "", "");
}

static void test_assigned_takes_no_protection_away(void **state) {
        static const char *const words[] = { "off", "default", "fullmesh" };
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        hint(world, "backup", "backup");
        for (size_t i = 0; i < 3; i++) {
                assign(world, words[i]);
                assert_string_equal(
                                engine_auth_profile(&world->engine, world_connection(world))->name,
                                "backup");
                assert_int_equal(world_connection(world)->joins, JOINS_WAIT);
        }
}

static void test_assigned_stricter_counts_as_long_as_it_stays(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        hint(world, "narrow", "narrow");
        assign(world, "backup");
        assert_words(world, "backup", "backup");
        assign(world, "default");
        assert_words(world, "", "narrow");
}

/* Whose the connection is becomes known only afterwards. */
static void test_assigned_before_the_owner_is_protected(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assign(world, "off");
        owner(world, "backup");
        assert_words(world, "off", "backup");
        assert_true(world_connection(world)->advice.assigned);
}

/* Other profiles, in another place: old and new ones are told apart by their names. */
static void reload(struct world *world, const struct conf_profile profiles[4]) {
        world_feed(world, (struct event){ .type = EVENT_CONFIGURED,
                                          .configured = { .conf = &world->conf,
                                                          .profiles = profiles,
                                                          .n_profiles = 4 } });
        world_follow(world);
}

static void test_reload_keeps_both(void **state) {
        struct world *world = *state;
        struct conf_profile profiles[4];

        memcpy(profiles, world->profiles, sizeof(profiles));
        world_connect(world, TOKEN, 0);
        hint(world, "off", "backup");
        strcpy(profiles[1].name, "backup"); /* they change places */
        strcpy(profiles[3].name, "narrow");
        reload(world, profiles);
        assert_words(world, "off", "backup");
        assert_int_equal(world_connection(world)->auth, CONF_AUTH_PREFER);
        assert_int_equal(world_connection(world)->advice.guard, 1);
        world_configure(world);
}

static void test_reload_without_the_policy_ends_it(void **state) {
        struct world *world = *state;
        struct conf_profile profiles[4];

        memcpy(profiles, world->profiles, sizeof(profiles));
        world_connect(world, TOKEN, 0);
        hint(world, "off", "backup");
        strcpy(profiles[3].name, "other");
        reload(world, profiles);
        assert_words(world, "off", "");
        world_configure(world);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_hint_without_policy_has_that_of_its_profile),
                TEST(test_hint_mode_leaves_the_word_of_the_policy),
                TEST(test_hint_before_the_connection_has_both),
                TEST(test_hint_key_is_a_hint),
                TEST(test_hint_listener_gives_both),
                TEST(test_hint_late_finds_no_join),
                TEST(test_hint_late_of_another_program_ends_the_wait),
                TEST(test_hint_none_waits_for_a_moment_only),
                TEST(test_hint_none_does_not_wait_without_require),
                TEST(test_hint_none_of_a_server_does_not_wait),
                TEST(test_owner_policy_without_paths_makes_joins_wait),
                TEST(test_assigned_takes_no_protection_away),
                TEST(test_assigned_stricter_counts_as_long_as_it_stays),
                TEST(test_assigned_before_the_owner_is_protected),
                TEST(test_reload_keeps_both),
                TEST(test_reload_without_the_policy_ends_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
