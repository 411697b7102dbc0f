/*
 * core/join: how long joins may be under way, and what their late ends mean.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "world.h"

#define SERVER    "203.0.113.1:80"
#define WIFI      "192.0.2.1"
#define LTE       "198.51.100.1"
#define JOIN_USEC 3000000u
#define WAIT_USEC 1250000u /* the first wait, with all of its jitter */

/* A join from lte0 is under way. */
static struct action dial(struct world *world) {
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world->now += 700;
        world_outcome(world, &action, 0);
        return action;
}

/* ... and has been given up. */
static struct action dial_in_vain(struct world *world) {
        struct action action;

        (void)dial(world);
        world_later(world, JOIN_USEC);
        action = world_expect(world, ACTION_ABORT);
        world_expect_nothing(world);
        return action;
}

static void established(struct world *world, const char *local) {
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, local, SERVER, 1, 0, 0);
}

/* As the kernel tells of a join that was aborted: without the remote port. */
static void closed(struct world *world, const char *local) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, local, "203.0.113.1", 1, 0, ECONNABORTED);
}

static void test_join_unanswered_is_aborted(void **state) {
        struct world *world = *state;
        struct action action;

        (void)dial(world);
        assert_int_equal(engine_deadline(&world->engine), world->now + JOIN_USEC);
        world_later(world, JOIN_USEC - 1);
        world_expect_nothing(world);
        assert_int_equal(connection_count(world_connection(world), SUBFLOWS_LIVE, NULL), 2);
        world_later(world, 1);
        action = world_expect(world, ACTION_ABORT);
        assert_int_equal(action.local.port, 0);
        assert_int_equal(action.remote.port, 80);
        assert_int_equal(connection_count(world_connection(world), SUBFLOWS_LIVE, NULL), 1);
        assert_int_equal(world_connection(world)->refusals.items[0].error, -ETIMEDOUT);
}

static void test_join_time_begins_with_the_answer_to_the_command(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_later(world, 2 * JOIN_USEC); /* the kernel is busy */
        world_expect_nothing(world);
        world_outcome(world, &action, 0);
        world_later(world, JOIN_USEC - 1);
        world_expect_nothing(world);
        world_later(world, 1);
        (void)world_expect(world, ACTION_ABORT);
}

static void test_join_given_up_is_tried_again(void **state) {
        struct world *world = *state;
        struct action abort = dial_in_vain(world);

        world_outcome(world, &abort, 0);
        closed(world, LTE ":40001");
        assert_int_equal(world_connection(world)->subflows.n, 1);
        assert_int_equal(world_connection(world)->refusals.items[0].tries, 1);
        world_expect_nothing(world);
        world_later(world, WAIT_USEC);
        world_expect_create(world, LTE, SERVER);
}

/* The outcome may come after the event, or none of them. */
static void test_join_given_up_needs_no_word_of_its_end(void **state) {
        struct world *world = *state;
        struct action abort = dial_in_vain(world);

        closed(world, LTE ":40001");
        world_outcome(world, &abort, 0);
        assert_int_equal(world_connection(world)->subflows.n, 1);
        world_later(world, WAIT_USEC);
        (void)world_expect_create(world, LTE, SERVER);
        assert_int_equal(world_connection(world)->refusals.items[0].tries, 1);
}

static void test_join_late_end_is_not_that_of_the_next_try(void **state) {
        struct world *world = *state;
        struct action abort = dial_in_vain(world), again;

        world_later(world, WAIT_USEC);
        again = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &abort, 0);
        world_outcome(world, &again, 0);
        closed(world, LTE ":40001");
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 1);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_CLOSING), 0);
        established(world, LTE ":40002");
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 0);
}

static void test_join_established_at_the_last_moment_is_taken_back(void **state) {
        struct world *world = *state;
        struct action abort = dial_in_vain(world);
        const struct subflow *subflow;

        established(world, LTE ":40001");
        world_outcome(world, &abort, -ENOENT);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 2);
        subflow = &world_connection(world)->subflows.items[1];
        assert_int_equal(subflow->is.flags, MPTCPIZE_SUBFLOW_OURS);
        assert_int_equal(subflow->is.local.port, 40001);
        assert_int_equal(world->engine.counters[COUNTER_ACTIONS_FAILED], 0);
        world_later(world, WAIT_USEC);
        while (action_queue_peek(&world->engine.queue))
                (void)world_expect(world, ACTION_MEASURE); /* it is there: no other is asked for */
}

static void test_join_failed_command_after_it_was_given_up_forgets_it(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_link(world, 3, "lte0", false); /* while the kernel is busy */
        world_settle(world);
        (void)world_expect(world, ACTION_ABORT);
        assert_int_equal(world_connection(world)->subflows.n, 2);
        world_outcome(world, &action, -ENETUNREACH);
        assert_int_equal(world_connection(world)->subflows.n, 1);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
}

static void test_join_from_a_lost_address_is_given_up_at_once(void **state) {
        struct world *world = *state;

        (void)dial(world);
        world_address_gone(world, 3, LTE);
        world_settle(world);
        (void)world_expect(world, ACTION_ABORT);
        assert_int_equal(connection_count(world_connection(world), SUBFLOWS_LIVE, NULL), 1);
        world_address(world, 3, LTE, true);
        world_settle(world);
        world_expect_create(world, LTE, SERVER);
}

static void test_join_backs_off(void **state) {
        struct world *world = *state;

        (void)dial_in_vain(world);
        for (unsigned int i = 0; i < 8; i++) {
                uint64_t wait = i < 7 ? 1000000ull << i : 64000000;
                struct action action;

                world_later(world, wait - 1);
                world_expect_nothing(world);
                world_later(world, wait / 4 + 1);
                action = world_expect_create(world, LTE, SERVER);
                world_outcome(world, &action, 0);
                world_later(world, JOIN_USEC);
                (void)world_expect(world, ACTION_ABORT);
                closed(world, LTE ":40001");
        }
        world->engine.sweep_usec = 0;
        assert_true(engine_deadline(&world->engine) == UINT64_MAX);
}

/* The comparison finds what events did not tell of. */
static void test_join_established_unseen_is_told_to_the_plugin(void **state) {
        struct world *world = *state;

        world->engine.limits.max_joins = 1;
        (void)dial(world);
        world_address(world, 3, "198.51.100.2", true);
        world_settle(world);
        world_expect_nothing(world); /* one at a time */
        world_find_join(world, 1);
        world_expect_create(world, "198.51.100.2", SERVER);
}

/* One that a former daemon, or an event that was lost, has left has its time, too. */
static void test_join_found_under_way_is_given_up(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 1;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        world_find_join(world, 2);
        world->engine.sweep_usec = 0;
        assert_int_equal(engine_deadline(&world->engine), world->now + JOIN_USEC);
        world_later(world, JOIN_USEC);
        (void)world_expect(world, ACTION_ABORT);
}

/* Two joins between the same addresses: a comparison keeps both. */
static void test_join_twins_are_told_apart(void **state) {
        struct world *world = *state;
        struct subflow twin, *added;
        struct snapshot_connection connection = {
                .token = TOKEN, .state = 1, .local = at(WIFI ":40000"), .remote = at(SERVER)
        };
        struct snapshot_subflow rows[3];
        struct snapshot snapshot = { .connections = { .items = &connection, .n = 1 },
                                     .subflows = { .items = rows, .n = 3 } };

        (void)dial(world);
        twin = world_connection(world)->subflows.items[1];
        twin.serial++;
        assert_int_equal(connection_add_subflow(world_connection(world), &twin, &added), 0);
        for (int i = 0; i < 3; i++)
                rows[i] = (struct snapshot_subflow){
                        .token = TOKEN,
                        .flags = i ? SNAPSHOT_JOIN_LOC : SNAPSHOT_MCAP_LOC | SNAPSHOT_FULLY_EST,
                        .state = i ? 2 : 1,
                        .local_id = i != 0,
                        .local = i == 0 ? at(WIFI ":40000") : at(LTE ":40001"),
                        .remote = at(SERVER),
                };
        rows[2].local.port++;
        snapshot.started_usec = world->now += 1000;
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 2);
        closed(world, LTE ":40002");
        assert_int_equal(world_connection(world)->subflows.items[1].is.local.port, 40001);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 1);
}

/* Kernels that take no flags for joins */

static struct action dial_backup(struct world *world) {
        struct conf_role entry = { .pattern = "lte*", .role = MPTCPIZE_ROLE_BACKUP };
        struct action action;

        assert_int_equal(ARRAY_APPEND(&world->conf.roles, entry, LIMIT_ROLE_PATTERNS), 0);
        world_configure(world);
        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        assert_true(action.backup);
        return action;
}

static void unbound(struct world *world, const struct action *action) {
        world_feed(world, (struct event){ .type = EVENT_OUTCOME,
                                          .outcome = { .action = *action, .unbound = true } });
}

static void assert_mended(struct world *world) {
        const struct action action = world_expect(world, ACTION_BACKUP);

        assert_true(action.backup);
        assert_int_equal(action.local.port, 40001);
        world_expect_nothing(world);
}

static void test_join_unbound_is_made_backup_when_established(void **state) {
        struct world *world = *state;
        const struct action action = dial_backup(world);

        unbound(world, &action);
        world_expect_nothing(world);
        assert_true(world->engine.model.unbound);
        established(world, LTE ":40001");
        assert_mended(world);
}

static void test_join_unbound_established_before_is_made_backup(void **state) {
        struct world *world = *state;
        const struct action action = dial_backup(world);

        established(world, LTE ":40001");
        world_expect_nothing(world);
        unbound(world, &action);
        assert_mended(world);
}

static void test_join_unbound_without_backup_is_left(void **state) {
        struct world *world = *state;
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        unbound(world, &action);
        established(world, LTE ":40001");
        world_expect_nothing(world);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_join_unanswered_is_aborted),
                T(test_join_time_begins_with_the_answer_to_the_command),
                T(test_join_given_up_is_tried_again),
                T(test_join_given_up_needs_no_word_of_its_end),
                T(test_join_late_end_is_not_that_of_the_next_try),
                T(test_join_established_at_the_last_moment_is_taken_back),
                T(test_join_failed_command_after_it_was_given_up_forgets_it),
                T(test_join_from_a_lost_address_is_given_up_at_once),
                T(test_join_backs_off),
                T(test_join_established_unseen_is_told_to_the_plugin),
                T(test_join_found_under_way_is_given_up),
                T(test_join_twins_are_told_apart),
                T(test_join_unbound_is_made_backup_when_established),
                T(test_join_unbound_established_before_is_made_backup),
                T(test_join_unbound_without_backup_is_left),
        };

        return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
