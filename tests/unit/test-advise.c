/*
 * core/steer: advice on interfaces, by who manages the network of this host.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/core/order.h"
#include "world.h"

#define SERVER  "203.0.113.1:80"
#define WIFI    "192.0.2.1"
#define LTE     "198.51.100.1"
#define METERED "NetworkManager: metered"

/* A client with a subflow on each path. */
static int setup_both(void **state) {
        int r = world_setup(state);

        world_connect(*state, TOKEN, 0);
        world_join(*state, LTE, SERVER);
        return r;
}

static int advise(struct world *world, const char *ifname, int role, bool leaving) {
        struct advised_role advised = { .role = role, .leaving = leaving, .reason = METERED };
        int r;

        snprintf(advised.name, sizeof(advised.name), "%s", ifname);
        r = engine_advise(&world->engine, &advised);
        world_settle(world);
        return r;
}

static void assert_role(const struct world *world, const char *ifname, enum mptcpize_role wanted,
                        const char *wanted_why) {
        const char *why;

        assert_int_equal(engine_role(&world->engine, NULL, ifname, &why), wanted);
        assert_string_equal(why, wanted_why);
}

static void set_file_role(struct world *world, const char *pattern, enum mptcpize_role role) {
        struct conf_role said = { .role = role };

        snprintf(said.pattern, sizeof(said.pattern), "%s", pattern);
        assert_int_equal(ARRAY_APPEND(&world->conf.roles, said, LIMIT_ROLE_PATTERNS), 0);
        world_configure(world);
        world_settle(world);
}

/* Whose word counts */

static void test_advise_takes_the_place_of_the_default_until_taken_back(void **state) {
        struct world *world = *state;

        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_BACKUP, false), 1);
        assert_role(world, "lte0", MPTCPIZE_ROLE_BACKUP, METERED);
        assert_role(world, "wifi0", MPTCPIZE_ROLE_ON, "default");
        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_BACKUP, false), 0);
        assert_int_equal(advise(world, "lte0", ROLE_UNSET, false), 1);
        assert_role(world, "lte0", MPTCPIZE_ROLE_ON, "default");
        assert_int_equal(advise(world, "lte0", ROLE_UNSET, false), 0);
}

static void test_advise_counts_more_than_what_is_built_in(void **state) {
        struct world *world = *state;

        assert_role(world, "veth7", MPTCPIZE_ROLE_OFF, "veth*");
        assert_int_equal(advise(world, "veth7", MPTCPIZE_ROLE_ON, false), 1);
        assert_role(world, "veth7", MPTCPIZE_ROLE_ON, METERED);
}

static void test_advise_yields_to_the_file_before_and_after(void **state) {
        struct world *world = *state;

        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_BACKUP, false), 1);
        set_file_role(world, "lte*", MPTCPIZE_ROLE_ON);
        assert_role(world, "lte0", MPTCPIZE_ROLE_ON, "lte*");
        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_OFF, false), 1);
        assert_role(world, "lte0", MPTCPIZE_ROLE_ON, "lte*");
}

static void test_advise_yields_to_an_operator(void **state) {
        struct world *world = *state;

        assert_int_equal(engine_set_role(&world->engine, "lte0", MPTCPIZE_ROLE_MASTER), 0);
        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_BACKUP, false), 1);
        assert_role(world, "lte0", MPTCPIZE_ROLE_MASTER, "set at run time");
        assert_int_equal(engine_set_role(&world->engine, "lte0", ROLE_UNSET), 0);
        assert_role(world, "lte0", MPTCPIZE_ROLE_BACKUP, METERED);
}

/* What comes of it */

static void test_advise_off_closes_joins(void **state) {
        struct world *world = *state;

        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_OFF, false), 1);
        world_expect_buried(world, LTE ":40001", 1);
}

static void test_advise_leaving_moves_the_initial_subflow_too(void **state) {
        struct world *world = *state;

        assert_null(engine_leaving(&world->engine, "wifi0"));
        assert_int_equal(advise(world, "wifi0", ROLE_UNSET, true), 1);
        assert_string_equal(engine_leaving(&world->engine, "wifi0"), METERED);
        world_expect_buried(world, WIFI ":40000", 0);
}

static void test_advise_leaving_holds_for_roles_of_file_and_operator(void **state) {
        struct world *world = *state;

        set_file_role(world, "wifi0", MPTCPIZE_ROLE_MASTER);
        assert_int_equal(engine_set_role(&world->engine, "wifi0", MPTCPIZE_ROLE_ON), 0);
        assert_int_equal(advise(world, "wifi0", ROLE_UNSET, true), 1);
        world_expect_buried(world, WIFI ":40000", 0);
}

static void test_advise_leaving_only_path_is_kept(void **state) {
        struct world *world = *state;

        world_address_gone(world, 3, LTE);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        assert_int_equal(advise(world, "wifi0", ROLE_UNSET, true), 1);
        world_expect_nothing(world);
        world_address(world, 3, LTE, true);
        world_settle(world);
        world_join(world, LTE, SERVER);
        world_expect_buried(world, WIFI ":40000", 0);
}

static void test_advise_leaving_taken_back_path_is_used_again(void **state) {
        struct world *world = *state;

        assert_int_equal(advise(world, "lte0", ROLE_UNSET, true), 1);
        world_expect_buried(world, LTE ":40001", 1);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40001", SERVER, 1, 0, ECONNABORTED);
        assert_int_equal(advise(world, "lte0", ROLE_UNSET, false), 1);
        world_expect_create(world, LTE, SERVER);
}

/* Limits */

static void test_advise_bad_name_or_role_is_refused(void **state) {
        struct world *world = *state;

        assert_int_equal(advise(world, "", MPTCPIZE_ROLE_ON, false), -EINVAL);
        assert_int_equal(advise(world, "a/b", MPTCPIZE_ROLE_ON, false), -EINVAL);
        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_OFF + 1, false), -EINVAL);
        assert_int_equal(advise(world, "lte0", ROLE_UNSET - 1, true), -EINVAL);
}

static void test_advise_too_many_is_refused(void **state) {
        struct world *world = *state;
        char name[16];

        for (unsigned i = 0; i < LIMIT_SET_ROLES; i++) {
                snprintf(name, sizeof(name), "eth%u", i);
                assert_int_equal(advise(world, name, MPTCPIZE_ROLE_BACKUP, false), 1);
        }
        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_BACKUP, false), -ENOBUFS);
        assert_role(world, "lte0", MPTCPIZE_ROLE_ON, "default");
        assert_int_equal(advise(world, "eth0", ROLE_UNSET, false), 1);
        assert_int_equal(advise(world, "lte0", MPTCPIZE_ROLE_BACKUP, false), 1);
}

#define ALONE(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
#define BOTH(f)  cmocka_unit_test_setup_teardown(f, setup_both, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                ALONE(test_advise_takes_the_place_of_the_default_until_taken_back),
                ALONE(test_advise_counts_more_than_what_is_built_in),
                ALONE(test_advise_yields_to_the_file_before_and_after),
                ALONE(test_advise_yields_to_an_operator),
                BOTH(test_advise_off_closes_joins),
                BOTH(test_advise_leaving_moves_the_initial_subflow_too),
                BOTH(test_advise_leaving_holds_for_roles_of_file_and_operator),
                ALONE(test_advise_leaving_only_path_is_kept),
                BOTH(test_advise_leaving_taken_back_path_is_used_again),
                ALONE(test_advise_bad_name_or_role_is_refused),
                ALONE(test_advise_too_many_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
