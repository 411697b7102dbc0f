/*
 * core/profile: what the owner of a connection, or somebody by hand, makes of its profile.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

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

static void assert_profile(const struct world *world, const struct connection *connection,
                           const char *name) {
        assert_non_null(connection);
        assert_string_equal(engine_profile(&world->engine, connection)->conf->name, name);
}

/* "narrow": no more than the first subflow; "off": nothing; "backup". */
static int setup(void **state) {
        struct world *world;

        world_setup(state);
        world = *state;
        world_add_profiles(world);
        world_configure(world);
        world_settle(world);
        return 0;
}

/* Owners */

static void owner(struct world *world, uint32_t uid, const char *profile) {
        world_feed(world,
                   (struct event){
                                   .type = EVENT_OWNER,
                                   .owner = { .token = TOKEN, .uid = uid, .profile = profile },
                   });
}

static void test_owner_known_decides_until_a_hint_comes(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        owner(world, 1000, "narrow");
        assert_profile(world, world_connection(world), "narrow");
        assert_int_equal(world_connection(world)->advice.owner, OWNER_SETTLED);
        assert_int_equal(world_connection(world)->advice.program.uid, 1000);
        assert_int_equal(world_connection(world)->uid, 1000);
        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        assert_profile(world, world_connection(world), "backup");
}

static void test_owner_after_a_hint_is_ignored(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        world_connect(world, TOKEN, 0);
        owner(world, 1000, "narrow");
        assert_profile(world, world_connection(world), "backup");
        assert_int_equal(world_connection(world)->advice.program.uid, 33);
}

static void test_owner_unknown_can_be_asked_again(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        owner(world, UINT32_MAX, "");
        assert_int_equal(world_connection(world)->advice.owner, OWNER_UNKNOWN);
        assert_profile(world, world_connection(world), "");
        owner(world, 1000, "narrow");
        assert_int_equal(world_connection(world)->advice.owner, OWNER_SETTLED);
        assert_profile(world, world_connection(world), "narrow");
}

static void test_owner_unknown_twice_is_not_asked_again(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        owner(world, UINT32_MAX, "");
        owner(world, UINT32_MAX, "backup");
        assert_int_equal(world_connection(world)->advice.owner, OWNER_SETTLED);
        assert_profile(world, world_connection(world), "backup");
}

static void test_owner_of_no_connection_is_ignored(void **state) {
        owner(*state, 1000, "narrow");
}

/* By hand */

static void assign(struct world *world, const char *word) {
        world_feed(world, (struct event){
                                          .type = EVENT_ASSIGNED,
                                          .assigned = { .token = TOKEN, .profile = word },
                          });
}

static void test_assigned_stays_whatever_hints_say(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assign(world, "narrow");
        assert_profile(world, world_connection(world), "narrow");
        world_feed(world, hint(HINT_CONNECT, TOKEN, "backup"));
        assert_profile(world, world_connection(world), "narrow");
        assert_string_equal(world_connection(world)->advice.program.name, "curl");
        owner(world, 1000, "backup");
        assert_profile(world, world_connection(world), "narrow");
        assign(world, "backup");
        assert_profile(world, world_connection(world), "backup");
        world_configure(world);
        assert_profile(world, world_connection(world), "backup");
}

static void test_assigned_default_is_no_policy(void **state) {
        struct world *world = *state;

        world_feed(world, hint(HINT_CONNECT, TOKEN, "narrow"));
        world_connect(world, TOKEN, 0);
        assign(world, "default");
        assert_profile(world, world_connection(world), "");
}

static void test_assigned_off_has_no_plugin(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assign(world, "off");
        assert_null(world_connection(world)->plugin);
}

static void test_assigned_unknown_changes_nothing(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assign(world, "sometimes");
        assign(world, "");
        assert_false(world_connection(world)->advice.assigned);
        world_connection(world)->state = CONNECTION_FALLBACK;
        assign(world, "narrow");
        assert_profile(world, world_connection(world), "");
}

static void test_meant_profile_mode_before_name_before_plugin(void **state) {
        struct world *world = *state;

        strcpy(world->profiles[1].name, CONF_PROFILE_MODE "backup");
        world_configure(world);
        assert_int_equal(engine_meant_profile(&world->engine, "backup"), 1);
        assert_int_equal(engine_meant_profile(&world->engine, CONF_PROFILE_MODE "backup"), 1);
        assert_int_equal(engine_meant_profile(&world->engine, "off"), 2);
        assert_int_equal(engine_meant_profile(&world->engine, "fullmesh"), 0);
        assert_int_equal(engine_meant_profile(&world->engine, "nothing"), -ENOENT);
        strcpy(world->profiles[1].name, CONF_PROFILE_PLUGIN "nothing");
        world_configure(world);
        assert_int_equal(engine_meant_profile(&world->engine, "nothing"), 1);
        strcpy(world->profiles[1].name, "narrow");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_owner_known_decides_until_a_hint_comes),
                TEST(test_owner_after_a_hint_is_ignored),
                TEST(test_owner_unknown_can_be_asked_again),
                TEST(test_owner_unknown_twice_is_not_asked_again),
                TEST(test_owner_of_no_connection_is_ignored),
                TEST(test_assigned_stays_whatever_hints_say),
                TEST(test_assigned_default_is_no_policy),
                TEST(test_assigned_off_has_no_plugin),
                TEST(test_assigned_unknown_changes_nothing),
                TEST(test_meant_profile_mode_before_name_before_plugin),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
