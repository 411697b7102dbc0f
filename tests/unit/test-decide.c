/*
 * The checks between a plugin and the kernel, with a plugin that asks for whatever a test wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"

/* What the scripted plugin does at its next event, and what it was told. */
static struct {
        struct mptcpize_action actions[LIMIT_ACTIONS_DECISION + 1];
        int results[LIMIT_ACTIONS_DECISION + 1];
        size_t n;
        int returns;
        uint32_t last_type;
        int32_t last_error;
        size_t n_events;
        size_t n_done;
} script;

static int script_init(void **ret_state) {
        *ret_state = &script;
        return 0;
}

static int script_config(void *state, const char *key, const char *value) {
        (void)state, (void)key, (void)value;
        return -ENOENT;
}

static int script_decide(void *state, const struct mptcpize_view *view,
                         const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        (void)state, (void)view;
        script.last_type = event->type;
        script.last_error = event->error;
        script.n_events++;
        for (size_t i = 0; i < script.n; i++)
                script.results[i] = sink->emit(sink, &script.actions[i]);
        script.n = 0;
        return script.returns;
}

static void script_done(void *state) {
        (void)state;
        script.n_done++;
}

static const struct mptcpize_plugin script_plugin = {
        .size = sizeof(script_plugin),
        .abi = MPTCPIZE_ABI,
        .name = "script",
        .init = script_init,
        .config = script_config,
        .decide = script_decide,
        .done = script_done,
};

static int setup(void **state) {
        struct world *world;

        memset(&script, 0, sizeof(script));
        world_setup(state);
        world = *state;
        world_configure_plugin(world, &script_plugin);
        return 0;
}

static struct mptcpize_action *want(uint32_t type, const char *local, const char *remote) {
        struct mptcpize_action *action = &script.actions[script.n++];

        *action = (struct mptcpize_action){ .size = sizeof(*action), .type = type };
        if (local)
                action->local = at(local);
        if (remote)
                action->remote = at(remote);
        return action;
}

/* Has the plugin decide now; the result of its first action. */
static int decide(struct world *world) {
        engine_decide_simple(&world->engine, world_connection(world), MPTCPIZE_EVENT_TIMER);
        return script.results[0];
}

static int try_create(struct world *world, const char *local, const char *remote, int32_t ifindex) {
        want(MPTCPIZE_ACTION_CREATE, local, remote)->ifindex = ifindex;
        return decide(world);
}

static void later(struct world *world, uint64_t usec) {
        world->now += usec;
        world_feed(world, (struct event){ .type = EVENT_TICK });
}

static void test_create_impossible_pairs_are_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assert_int_equal(try_create(world, LTE, "203.0.113.1", 3), -EINVAL); /* no port */
        assert_int_equal(try_create(world, LTE, "[2001:db8::1]:80", 3), -EINVAL);
        assert_int_equal(try_create(world, LTE, "203.0.113.9:80", 3), -ENOENT);
        assert_int_equal(try_create(world, "10.9.9.9", SERVER, 3), -EADDRNOTAVAIL);
        assert_int_equal(try_create(world, LTE, SERVER, 2), -EADDRNOTAVAIL); /* other device */
        world_expect_nothing(world);
        assert_int_equal(try_create(world, LTE, SERVER, 3), 0);
        world_expect_create(world, LTE, SERVER);
        assert_int_equal(try_create(world, LTE, SERVER, 3), 0);  /* is on its way */
        assert_int_equal(try_create(world, WIFI, SERVER, 2), 0); /* is the initial one */
        world_expect_nothing(world);
}

static void test_create_no_route_is_refused(void **state) {
        struct world *world = *state;

        world_route_gone(world, 3, "0.0.0.0", 0);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        assert_int_equal(try_create(world, LTE, SERVER, 3), -ENETUNREACH);
        assert_int_equal(try_create(world, LTE, SERVER, 0), 0); /* then routing decides */
        world_expect_create(world, LTE, SERVER);
}

static void test_create_before_established_is_refused(void **state) {
        struct world *world = *state;

        world_mptcp(world, EVENT_CREATED, TOKEN, "192.0.2.1:40000", SERVER, 0, 0, 0);
        assert_int_equal(try_create(world, LTE, SERVER, 3), -ENOTCONN);
        world_expect_nothing(world);
}

static void test_create_denied_initial_address_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        assert_int_equal(try_create(world, LTE, SERVER, 3), -EPERM);
        world_expect_nothing(world);
}

static void test_create_over_the_limit_is_refused(void **state) {
        struct world *world = *state;

        world->engine.limits.max_subflows = 1;
        world_connect(world, TOKEN, 0);
        assert_int_equal(try_create(world, LTE, SERVER, 3), -E2BIG);
        world->engine.limits.max_subflows = 2;
        assert_int_equal(try_create(world, LTE, SERVER, 3), 0);
}

static void test_create_over_the_joins_under_way_is_busy(void **state) {
        struct world *world = *state;
        uint32_t before;

        world->engine.limits.max_joins = 1;
        world_address(world, 3, "198.51.100.2", true);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        want(MPTCPIZE_ACTION_CREATE, LTE, SERVER);
        want(MPTCPIZE_ACTION_CREATE, "198.51.100.2", SERVER);
        assert_int_equal(decide(world), 0);
        assert_int_equal(script.results[1], -EBUSY); /* in the same decision, */
        before = world->engine.trace.n;
        assert_int_equal(try_create(world, "198.51.100.2", SERVER, 3), -EBUSY); /* and later */
        assert_int_equal(world->engine.trace.n, before);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        assert_int_equal(try_create(world, "198.51.100.2", SERVER, 3), 0);
}

static void test_create_from_a_port_in_use_has_to_wait(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        want(MPTCPIZE_ACTION_CREATE, WIFI ":40000", SERVER)->flags = MPTCPIZE_CREATE_ANOTHER;
        want(MPTCPIZE_ACTION_CREATE, LTE ":40001", SERVER)->flags = MPTCPIZE_CREATE_ANOTHER;
        want(MPTCPIZE_ACTION_CREATE, LTE ":40001", SERVER)->flags = MPTCPIZE_CREATE_ANOTHER;
        assert_int_equal(decide(world), -EBUSY);
        assert_int_equal(script.results[1], 0);
        assert_int_equal(script.results[2], -EBUSY);
        world_expect_create(world, LTE ":40001", SERVER);
        world_expect_nothing(world);
}

static void test_create_refused_twice_is_traced_once(void **state) {
        struct world *world = *state;
        uint32_t before;

        world->engine.limits.max_subflows = 1;
        world_connect(world, TOKEN, 0);
        before = world->engine.trace.n;
        for (int i = 0; i < 3; i++)
                assert_int_equal(try_create(world, LTE, SERVER, 3), -E2BIG);
        assert_int_equal(world->engine.trace.n, before + 1);
}

static void test_destroy_is_done_once(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        want(MPTCPIZE_ACTION_DESTROY, "192.0.2.1:1", SERVER);
        assert_int_equal(decide(world), -ENOENT);
        want(MPTCPIZE_ACTION_DESTROY, "192.0.2.1:40000", SERVER);
        assert_int_equal(decide(world), 0);
        action = world_expect(world, ACTION_DESTROY);
        want(MPTCPIZE_ACTION_DESTROY, "192.0.2.1:40000", SERVER);
        assert_int_equal(decide(world), -ENOENT);
        world_outcome(world, &action, -ESRCH); /* the kernel has closed it already */
        assert_int_equal(world_connection(world)->subflows.n, 0);
        assert_int_equal(script.last_type, MPTCPIZE_EVENT_SUBFLOW_CLOSED);
}

static void test_backup_is_set_when_the_kernel_says_so(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        want(MPTCPIZE_ACTION_BACKUP, "192.0.2.1:40000", SERVER)->backup = 1;
        assert_int_equal(decide(world), 0);
        action = world_expect(world, ACTION_BACKUP);
        assert_int_equal(action.backup, 1);
        world_outcome(world, &action, 0);
        want(MPTCPIZE_ACTION_BACKUP, "192.0.2.1:40000", SERVER)->backup = 1;
        assert_int_equal(decide(world), 0);
        world_expect_nothing(world); /* it is already so */
        want(MPTCPIZE_ACTION_BACKUP, LTE, SERVER)->backup = 1;
        assert_int_equal(decide(world), -ENOENT);
}

static void test_backup_failed_leaves_the_flag(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        want(MPTCPIZE_ACTION_BACKUP, "192.0.2.1:40000", SERVER)->backup = 1;
        decide(world);
        action = world_expect(world, ACTION_BACKUP);
        world_outcome(world, &action, -EINVAL);
        assert_int_equal(world_connection(world)->subflows.items[0].is.flags &
                                         MPTCPIZE_SUBFLOW_BACKUP,
                         0);
}

static void test_announce_uses_an_id_of_its_own(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        want(MPTCPIZE_ACTION_ANNOUNCE, LTE, NULL);
        assert_int_equal(decide(world), 0);
        action = world_expect(world, ACTION_ANNOUNCE);
        assert_int_equal(action.local_id, 1);
        want(MPTCPIZE_ACTION_ANNOUNCE, WIFI, NULL); /* the peer knows it: id 0 */
        assert_int_equal(decide(world), 0);
        world_expect_nothing(world);
        want(MPTCPIZE_ACTION_ANNOUNCE, "10.9.9.9", NULL);
        assert_int_equal(decide(world), -EADDRNOTAVAIL);
        want(MPTCPIZE_ACTION_WITHDRAW, LTE, NULL);
        assert_int_equal(decide(world), 0);
        action = world_expect(world, ACTION_WITHDRAW);
        assert_int_equal(action.local_id, 1);
        want(MPTCPIZE_ACTION_WITHDRAW, "10.9.9.9", NULL);
        assert_int_equal(decide(world), -ENOENT);
}

static void test_timer_fires_once_and_can_be_disarmed(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        want(MPTCPIZE_ACTION_TIMER, NULL, NULL)->usec = 5000;
        decide(world);
        assert_int_equal(engine_deadline(&world->engine), world->now + 5000);
        world->now += 5000;
        script.n_events = 0;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        assert_int_equal(script.n_events, 1);
        assert_int_equal(script.last_type, MPTCPIZE_EVENT_TIMER);
        world_feed(world, (struct event){ .type = EVENT_TICK });
        assert_int_equal(script.n_events, 1);
        want(MPTCPIZE_ACTION_TIMER, NULL, NULL)->usec = 5000;
        decide(world);
        want(MPTCPIZE_ACTION_TIMER, NULL, NULL)->usec = 0;
        decide(world);
        assert_int_equal(engine_deadline(&world->engine), world->engine.sweep_usec);
}

static void test_timer_without_end_never_fires(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        want(MPTCPIZE_ACTION_TIMER, NULL, NULL)->usec = UINT64_MAX;
        decide(world);
        assert_true(world_connection(world)->timer_usec > world->now);
}

/* A join ends at the moment at which the timer fires, and the plugin arms it again for that. */
static void test_timer_armed_anew_as_it_fires_is_kept(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        assert_int_equal(try_create(world, LTE, SERVER, 3), 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, 0);
        want(MPTCPIZE_ACTION_TIMER, NULL, NULL)->usec = 3000000;
        decide(world);
        world->engine.sweep_usec = 0;
        want(MPTCPIZE_ACTION_TIMER, NULL, NULL)->usec = 10000000;
        world->now += 3000000;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        (void)world_expect(world, ACTION_ABORT);
        assert_int_equal(script.last_type, MPTCPIZE_EVENT_TIMER);
        assert_int_equal(world_connection(world)->timer_usec, world->now + 10000000);
}

static void test_note_goes_to_the_log(void **state) {
        struct world *world = *state;
        uint32_t before;

        world_connect(world, TOKEN, 0);
        before = world->engine.trace.n;
        want(MPTCPIZE_ACTION_NOTE, NULL, NULL)->reason = "why not";
        assert_int_equal(decide(world), 0);
        assert_string_equal(world->engine.trace.lines[before].reason, "why not");
        world_expect_nothing(world);
}

/* The pointer may be beyond what a plugin has filled in, or half of it. */
static void test_emit_without_a_reason_has_one_all_the_same(void **state) {
        static const size_t sizes[] = { sizeof(struct mptcpize_action),
                                        offsetof(struct mptcpize_action, reason),
                                        offsetof(struct mptcpize_action, reason) + 4 };
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        for (size_t i = 0; i < 3; i++) {
                struct mptcpize_action *action = want(MPTCPIZE_ACTION_ANNOUNCE, LTE, NULL);

                action->size = sizes[i];
                action->reason = i ? "half of it is no text" : "";
                assert_int_equal(decide(world), 0);
                assert_string_equal(world_expect(world, ACTION_ANNOUNCE).reason,
                                    "the plugin gives no reason");
        }
}

static void test_emit_unknown_action_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        want(77, NULL, NULL);
        assert_int_equal(decide(world), -EINVAL);
        want(0, NULL, NULL);
        assert_int_equal(decide(world), -EINVAL);
}

static void test_emit_over_the_limit_is_refused(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_SERVER);
        for (unsigned int i = 0; i <= LIMIT_ACTIONS_DECISION; i++)
                want(MPTCPIZE_ACTION_ANNOUNCE, LTE, NULL);
        decide(world);
        assert_int_equal(script.results[LIMIT_ACTIONS_DECISION - 1], 0);
        assert_int_equal(script.results[LIMIT_ACTIONS_DECISION], -ENOBUFS);
        assert_int_equal(world->engine.queue.n, LIMIT_ACTIONS_DECISION);
}

static void test_decide_error_is_counted(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        script.returns = -EIO;
        decide(world);
        assert_int_equal(world->engine.counters[COUNTER_PLUGIN_ERRORS], 1);
}

static void test_refused_by_the_kernel_is_told(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        assert_int_equal(try_create(world, LTE, SERVER, 3), 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, -ENETUNREACH);
        assert_int_equal(script.last_type, MPTCPIZE_EVENT_REFUSED);
        assert_int_equal(script.last_error, -ENETUNREACH);
        assert_int_equal(try_create(world, LTE, SERVER, 3), -ECONNREFUSED);
        later(world, 1250000);
        assert_int_equal(try_create(world, LTE, SERVER, 3), 0);
}

static void test_outcome_of_an_older_action_changes_nothing(void **state) {
        struct world *world = *state;
        struct action first, second;

        world_connect(world, TOKEN, 0);
        try_create(world, LTE, SERVER, 3);
        first = world_expect(world, ACTION_CREATE);
        world_outcome(world, &first, -ENETUNREACH);
        later(world, 1250000);
        try_create(world, LTE, SERVER, 3);
        second = world_expect(world, ACTION_CREATE);
        world_outcome(world, &first, -ENETUNREACH);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 1);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, "198.51.100.1:40001", SERVER, 1, 0, 0);
        world_outcome(world, &second, -ENETUNREACH); /* contradicted by the event */
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
}

static void test_refused_pair_stays_refused_when_the_list_is_full(void **state) {
        struct world *world = *state;
        struct action action;
        char local[32];

        world_connect(world, TOKEN, 0);
        for (unsigned int i = 0; i < 2 * LIMIT_REFUSALS; i++) { /* notes */
                snprintf(local, sizeof(local), "10.1.1.%u", i);
                assert_int_equal(try_create(world, local, SERVER, 9), -EADDRNOTAVAIL);
        }
        assert_int_equal(try_create(world, LTE, SERVER, 3), 0);
        action = world_expect(world, ACTION_CREATE);
        world_outcome(world, &action, -ENETUNREACH);
        assert_int_equal(try_create(world, LTE, SERVER, 3), -ECONNREFUSED);
        for (unsigned int i = 0; i < LIMIT_REFUSALS; i++) { /* failures */
                struct mptcpize_address from = at("10.2.2.1"), to = at(SERVER);

                from.bytes[3] = (uint8_t)i;
                engine_refuse(&world->engine, world_connection(world), &from, &to, -EADDRINUSE, 0);
        }
        assert_int_equal(world_connection(world)->refusals.n, LIMIT_REFUSALS);
        assert_int_equal(try_create(world, LTE, SERVER, 3), -ECONNREFUSED);
}

static void test_states_are_ended_with_their_plugin(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_connect(world, TOKEN + 1, 0);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        assert_int_equal(script.n_done, 1);
        world_configure(world); /* fullmesh takes over */
        assert_int_equal(script.n_done, 2);
        world_expect_create(world, LTE, SERVER);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_create_impossible_pairs_are_refused),
                T(test_create_no_route_is_refused),
                T(test_create_before_established_is_refused),
                T(test_create_denied_initial_address_is_refused),
                T(test_create_over_the_limit_is_refused),
                T(test_create_over_the_joins_under_way_is_busy),
                T(test_create_from_a_port_in_use_has_to_wait),
                T(test_create_refused_twice_is_traced_once),
                T(test_destroy_is_done_once),
                T(test_backup_is_set_when_the_kernel_says_so),
                T(test_backup_failed_leaves_the_flag),
                T(test_announce_uses_an_id_of_its_own),
                T(test_timer_fires_once_and_can_be_disarmed),
                T(test_timer_without_end_never_fires),
                T(test_timer_armed_anew_as_it_fires_is_kept),
                T(test_note_goes_to_the_log),
                T(test_emit_without_a_reason_has_one_all_the_same),
                T(test_emit_unknown_action_is_refused),
                T(test_emit_over_the_limit_is_refused),
                T(test_decide_error_is_counted),
                T(test_refused_by_the_kernel_is_told),
                T(test_outcome_of_an_older_action_changes_nothing),
                T(test_refused_pair_stays_refused_when_the_list_is_full),
                T(test_states_are_ended_with_their_plugin),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
