/*
 * What comes late, or again and again: events behind the answers that belong to them, samples of
 * what is closed, and connections that outlive many paths.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"

static void connect_two(struct world *world) {
        world->now = 100000000;
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_expect_nothing(world);
}

static struct subflow *subflow_on(struct world *world, const char *local) {
        const struct mptcpize_address address = at(local), remote = at(SERVER);

        return connection_find_subflow(world_connection(world), &address, &remote);
}

static void lte(struct world *world, bool up) {
        world_link(world, 3, "lte0", up);
        world_settle(world);
}

static void closed(struct world *world, const char *local) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, local, SERVER, 1, 0, ECONNABORTED);
}

/* Subflows that were aborted: the kernel's event is behind its answer. */

static void test_closed_behind_the_answer_is_not_the_end_of_the_next_join(void **state) {
        struct world *world = *state;
        struct action abort;

        connect_two(world);
        lte(world, false);
        (void)world_expect(world, ACTION_WITHDRAW);
        abort = world_expect(world, ACTION_ABORT);
        lte(world, true);
        (void)world_expect_create(world, LTE, SERVER);
        world_outcome(world, &abort, 0);
        closed(world, LTE ":40001");
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 1);
        assert_int_equal(world_connection(world)->unheard.n, 0);
        closed(world, LTE ":40002");
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 0);
}

static void test_closed_never_heard_of_are_forgotten(void **state) {
        struct world *world = *state;
        struct mptcpize_subflow gone = { .local = at(LTE ":40001"), .remote = at(SERVER) };

        connect_two(world);
        for (unsigned int i = 0; i <= LIMIT_UNHEARD; i++, gone.local.port++)
                connection_note_unheard(world_connection(world), &gone);
        assert_int_equal(world_connection(world)->unheard.n, LIMIT_UNHEARD);
        gone.local.port = 40001;
        assert_false(connection_take_unheard(world_connection(world), &gone.local, &gone.remote));
        gone.local.port = 40002;
        assert_true(connection_take_unheard(world_connection(world), &gone.local, &gone.remote));
}

static void test_abort_that_failed_leaves_no_orphan(void **state) {
        struct world *world = *state;
        struct action abort;

        connect_two(world);
        world_link(world, 2, "wifi0", false);
        world_settle(world);
        (void)world_expect(world, ACTION_WITHDRAW);
        abort = world_expect(world, ACTION_ABORT);
        closed(world, LTE ":40001");
        assert_true(world_connection(world)->orphan_usec);
        world_outcome(world, &abort, -ENOMEM);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_DEAD), 1);
        assert_false(world_connection(world)->orphan_usec);
}

/* Samples */

static void test_sample_of_a_closed_subflow_is_not_that_of_a_join(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)world_expect_create(world, LTE, SERVER);
        world_feed(world, (struct event){
                                          .type = EVENT_MEASURED,
                                          .measured = { .token = TOKEN,
                                                        .local = at(LTE ":40007"),
                                                        .remote = at(SERVER),
                                                        .measure = { .bytes_received = 77 } },
                          });
        assert_int_equal(subflow_on(world, LTE)->is.sample_usec, 0);
}

static void test_backup_of_a_closed_subflow_is_not_that_of_a_join(void **state) {
        struct world *world = *state;
        const struct action backup = { .type = ACTION_BACKUP,
                                       .token = TOKEN,
                                       .local = at(LTE ":40007"),
                                       .remote = at(SERVER),
                                       .backup = true };

        world_connect(world, TOKEN, 0);
        (void)world_expect_create(world, LTE, SERVER);
        world_outcome(world, &backup, 0);
        assert_false(subflow_on(world, LTE)->is.flags & MPTCPIZE_SUBFLOW_BACKUP);
}

/* Again and again */

static void test_path_lost_now_and_then_is_never_given_up(void **state) {
        struct world *world = *state;
        struct action abort;

        connect_two(world);
        for (unsigned int i = 0; i < 12; i++) {
                world_rest(world, 65000000);
                engine_lose(&world->engine, world_connection(world),
                            subflow_on(world, LTE ":40001"), "a test");
                (void)world_expect(world, ACTION_WITHDRAW);
                abort = world_expect(world, ACTION_ABORT);
                closed(world, LTE ":40001");
                world_outcome(world, &abort, 0);
                world_rest(world, 1250000);
                world_join(world, LTE, SERVER);
        }
}

/* Joins are tried for 5 s then, of which one may take three. */
static void test_wait_is_short_when_no_subflow_is_left(void **state) {
        struct world *world = *state;
        const struct mptcpize_address local = at(LTE), remote = at(SERVER);
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &action, -ENETUNREACH);
        for (unsigned int i = 0; i < 4; i++)
                engine_refuse(&world->engine, world_connection(world), &local, &remote, -ETIMEDOUT,
                              0);
        closed(world, WIFI ":40000");
        (void)world_expect_create(world, WIFI, SERVER);
        world_expect_nothing(world);
        world_rest(world, 1000000);
        (void)world_expect_create(world, LTE, SERVER);
}

static void test_ids_of_addresses_that_are_gone_are_used_again(void **state) {
        struct world *world = *state;
        struct action withdraw, abort;
        char local[ADDRESS_TEXT], with_port[ADDRESS_TEXT + 8];

        connect_two(world);
        for (unsigned int i = 2; i < 250; i++) {
                snprintf(local, sizeof(local), "198.51.100.%u", i - 1);
                world_address_gone(world, 3, local);
                snprintf(with_port, sizeof(with_port), "%s:40001", local);
                world_settle(world);
                withdraw = world_expect(world, ACTION_WITHDRAW);
                abort = world_expect(world, ACTION_ABORT);
                world_outcome(world, &withdraw, 0);
                closed(world, with_port);
                world_outcome(world, &abort, 0);
                snprintf(local, sizeof(local), "198.51.100.%u", i);
                world_address(world, 3, local, true);
                world_settle(world);
                world_join(world, local, SERVER);
        }
        assert_true(world_connection(world)->ids.n <= LIMIT_IDS);
}

static void test_ids_that_the_kernel_still_has_are_not_used_again(void **state) {
        struct world *world = *state;
        struct connection *connection;
        struct mptcpize_address address = at("198.51.100.2");
        uint8_t id;

        connect_two(world);
        connection = world_connection(world);
        while (connection->ids.n < LIMIT_IDS) {
                assert_int_equal(connection_local_id(connection, &address, &id), 0);
                address.bytes[3]++;
        }
        assert_int_equal(connection_local_id(connection, &address, &id), -ENOBUFS);
        /* Taken back, but a subflow still has it. */
        connection->ids.items[0].free = true;
        assert_int_equal(connection->ids.items[0].id, 1);
        assert_int_equal(connection_local_id(connection, &address, &id), -ENOBUFS);
        connection->ids.items[5].free = true;
        assert_int_equal(connection_local_id(connection, &address, &id), 0);
        assert_int_equal(id, 6);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_closed_behind_the_answer_is_not_the_end_of_the_next_join),
                T(test_closed_never_heard_of_are_forgotten),
                T(test_abort_that_failed_leaves_no_orphan),
                T(test_sample_of_a_closed_subflow_is_not_that_of_a_join),
                T(test_backup_of_a_closed_subflow_is_not_that_of_a_join),
                T(test_path_lost_now_and_then_is_never_given_up),
                T(test_wait_is_short_when_no_subflow_is_left),
                T(test_ids_of_addresses_that_are_gone_are_used_again),
                T(test_ids_that_the_kernel_still_has_are_not_used_again),
        };

        return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
