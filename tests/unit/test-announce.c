/*
 * core/announce: who holds a listener, and when it is let go.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

#define LOCAL "198.51.100.1:8080"

static struct mptcpize_action wanted; /* by the plugin, once; type 0: nothing */
static uint32_t refused;              /* the type of what could not be done; 0: nothing */
static int refused_error;

static int plugin_init(void **ret_state) {
        *ret_state = &wanted;
        return 0;
}

static int plugin_config(void *state, const char *key, const char *value) {
        (void)state, (void)key, (void)value;
        return -ENOENT;
}

static int plugin_decide(void *state, const struct mptcpize_view *view,
                         const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        (void)state, (void)view;
        if (event->type == MPTCPIZE_EVENT_REFUSED) {
                refused = event->action->type;
                refused_error = event->error;
        }
        if (wanted.type)
                (void)sink->emit(sink, &wanted);
        wanted.type = 0;
        return 0;
}

static void plugin_done(void *state) {
        (void)state;
}

static const struct mptcpize_plugin plugin = {
        .size = sizeof(plugin),
        .abi = MPTCPIZE_ABI,
        .name = "announcer",
        .init = plugin_init,
        .config = plugin_config,
        .decide = plugin_decide,
        .done = plugin_done,
};

static int setup(void **state) {
        struct world *world;

        wanted.type = refused = 0;
        world_setup(state);
        world = *state;
        world_configure_plugin(world, &plugin);
        world_connect(world, TOKEN, MPTCPIZE_VIEW_SERVER);
        return 0;
}

static void decide(struct world *world, uint32_t type, const char *local) {
        wanted = (struct mptcpize_action){ .size = sizeof(wanted), .type = type };
        wanted.local = at(local);
        engine_decide_simple(&world->engine, world_connection(world), MPTCPIZE_EVENT_TIMER);
}

static struct action announced(struct world *world) {
        decide(world, MPTCPIZE_ACTION_ANNOUNCE, LOCAL);
        return world_expect(world, ACTION_ANNOUNCE);
}

static void test_announce_fails_plugin_is_told(void **state) {
        struct world *world = *state;
        struct action announce = announced(world);

        world_outcome(world, &announce, -EADDRINUSE);
        assert_int_equal(refused, MPTCPIZE_ACTION_ANNOUNCE);
        assert_int_equal(refused_error, -EADDRINUSE);
}

static void test_announce_done_plugin_is_not_told(void **state) {
        struct world *world = *state;
        struct action announce = announced(world);

        world_outcome(world, &announce, 0);
        assert_int_equal(refused, 0);
}

static void expect_release(struct world *world) {
        const struct mptcpize_address local = at(LOCAL);
        struct action release = world_expect(world, ACTION_RELEASE);

        assert_int_equal(release.token, TOKEN);
        assert_true(address_equal(&release.local, &local));
        world_expect_nothing(world);
}

static void test_announce_with_port_holds_a_listener_once(void **state) {
        struct action first = announced(*state), second = announced(*state);

        assert_true(first.listen);
        assert_int_not_equal(first.local_id, 0);
        assert_false(second.listen);
        assert_int_equal(second.local_id, first.local_id);
}

static void test_announce_without_port_holds_none(void **state) {
        struct world *world = *state;

        decide(world, MPTCPIZE_ACTION_ANNOUNCE, "198.51.100.1");
        assert_false(world_expect(world, ACTION_ANNOUNCE).listen);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        world_expect_nothing(world);
}

static void test_withdraw_lets_go_behind_it(void **state) {
        struct world *world = *state;
        struct action announce = announced(world);

        world_outcome(world, &announce, 0);
        decide(world, MPTCPIZE_ACTION_WITHDRAW, LOCAL);
        assert_int_equal(world_expect(world, ACTION_WITHDRAW).local_id, announce.local_id);
        expect_release(world);
        assert_true(announced(world).listen);
}

static void test_closed_lets_go(void **state) {
        struct world *world = *state;

        (void)announced(world);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        expect_release(world);
}

/* The connection may be gone when the kernel's answer comes: one release, not two. */
static void test_failure_lets_go_once(void **state) {
        struct world *world = *state;
        struct action announce = announced(world);

        world_outcome(world, &announce, -EADDRINUSE);
        expect_release(world);
        announce = announced(world);
        assert_true(announce.listen);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        expect_release(world);
        world_outcome(world, &announce, -EINVAL);
        world_expect_nothing(world);
}

/* The event of the join has the port, what the engine notes of an id has none. */
static void test_join_keeps_the_id_of_the_port(void **state) {
        struct world *world = *state;
        struct action announce = announced(world);

        world_outcome(world, &announce, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LOCAL, "203.0.113.1:50001",
                    announce.local_id, 1, 0);
        assert_int_equal(announced(world).local_id, announce.local_id);
}

static void test_lost_path_lets_go(void **state) {
        struct world *world = *state;
        struct action announce = announced(world);

        world_outcome(world, &announce, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LOCAL, "203.0.113.1:50001",
                    announce.local_id, 1, 0);
        world_link(world, 3, "lte0", false);
        world_settle(world);
        assert_int_equal(world_expect(world, ACTION_WITHDRAW).local_id, announce.local_id);
        assert_int_equal(world_expect(world, ACTION_RELEASE).type, ACTION_RELEASE);
        assert_int_equal(world_expect(world, ACTION_ABORT).type, ACTION_ABORT);
}

/* With the last path nobody is told, but the listener is of no use any more. */
static void test_lost_last_path_lets_go(void **state) {
        struct world *world = *state;
        struct action announce = announced(world);

        world_outcome(world, &announce, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LOCAL, "203.0.113.1:50001",
                    announce.local_id, 1, 0);
        world_address_gone(world, 2, "192.0.2.1");
        world_address_gone(world, 3, "198.51.100.1");
        world_settle(world);
        expect_release(world);
        world_address(world, 3, "198.51.100.1", true);
        world_settle(world);
        (void)world_expect(world, ACTION_WITHDRAW); /* of the other one, whose path is lost */
        (void)world_expect(world, ACTION_ABORT);
        assert_true(announced(world).listen);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_announce_with_port_holds_a_listener_once),
                T(test_announce_without_port_holds_none),
                T(test_withdraw_lets_go_behind_it),
                T(test_closed_lets_go),
                T(test_failure_lets_go_once),
                T(test_join_keeps_the_id_of_the_port),
                T(test_lost_path_lets_go),
                T(test_announce_fails_plugin_is_told),
                T(test_announce_done_plugin_is_not_told),
                T(test_lost_last_path_lets_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
