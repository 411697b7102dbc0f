/*
 * kern/kern-command: the command threads, with an executor that notes what it is told to do and
 * can be stopped in the midst of it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/util/clock.h"
#include "../../daemon/kern/kern-command.h"
#include "../../daemon/util/cleanup.h"

#define PAUSE_USEC 500 /* between two REMOVEs of one connection */

/* The executor, in place of kern-execute.c */

struct run {
        enum action_type type;
        uint32_t token, serial;
        uint64_t usec;
};

static struct {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool closed;   /* the gate: commands wait before they are done, */
        uint32_t slow; /* or only those of tokens up to this one */
        size_t n_waiting;
        struct run runs[2 * LIMIT_KERN_QUEUE];
        size_t n_runs;
} script = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

struct command *command_new(const struct action *action) {
        struct command *command = calloc(1, sizeof(*command));

        if (command)
                command->action = *action;
        return command;
}

void command_free(struct command *command) {
        free(command);
}

int executor_new(const struct mptcp_family *family, struct executor **ret_executor) {
        (void)family;
        *ret_executor = NULL;
        return 0;
}

void executor_free(struct executor *executor) {
        (void)executor;
}

void executor_run(struct executor *executor, struct command *command) {
        (void)executor;
        pthread_mutex_lock(&script.lock);
        script.n_waiting++;
        pthread_cond_broadcast(&script.changed);
        while ((script.closed || command->action.token <= script.slow) &&
               command->action.type != ACTION_SNAPSHOT)
                pthread_cond_wait(&script.changed, &script.lock);
        script.n_waiting--;
        script.runs[script.n_runs++] = (struct run){ .type = command->action.type,
                                                     .token = command->action.token,
                                                     .serial = command->action.serial,
                                                     .usec = clock_usec() };
        pthread_mutex_unlock(&script.lock);
}

static void gate_close(void) {
        pthread_mutex_lock(&script.lock);
        script.closed = true;
        pthread_mutex_unlock(&script.lock);
}

static void gate_open(void) {
        pthread_mutex_lock(&script.lock);
        script.closed = false;
        script.slow = 0;
        pthread_cond_broadcast(&script.changed);
        pthread_mutex_unlock(&script.lock);
}

static void gate_wait_for(size_t n) {
        pthread_mutex_lock(&script.lock);
        while (script.n_waiting < n)
                pthread_cond_wait(&script.changed, &script.lock);
        pthread_mutex_unlock(&script.lock);
}

/* Helpers */

static int setup(void **state) {
        struct command_pool *pool;

        script.closed = false;
        script.slow = 0;
        script.n_waiting = script.n_runs = 0;
        if (command_pool_new(NULL, &pool) < 0)
                return -1;
        *state = pool;
        return 0;
}

static int teardown(void **state) {
        gate_open();
        command_pool_free(*state);
        return 0;
}

static int submit(struct command_pool *pool, enum action_type type, uint32_t token,
                  uint32_t serial) {
        const struct action action = { .type = type, .token = token, .serial = serial };

        return command_pool_submit(pool, &action);
}

static bool readable(struct command_pool *pool, int timeout_msec) {
        struct pollfd fd = { .fd = command_pool_fd(pool), .events = POLLIN };

        return poll(&fd, 1, timeout_msec) > 0;
}

/* Waits for the next finished command, as the loop does. */
static struct action taken(struct command_pool *pool) {
        struct command *command = command_pool_take(pool);
        struct action action;

        while (!command) {
                assert_true(readable(pool, 10000));
                command = command_pool_take(pool);
        }
        action = command->action;
        command_free(command);
        return action;
}

/* Tests */

static void test_submit_same_token_keeps_order(void **state) {
        uint32_t seen[2] = { 0, 0 };

        for (uint32_t i = 1; i <= 400; i++)
                assert_int_equal(submit(*state, ACTION_CREATE, 10 + i % 2, i), 0);
        for (uint32_t i = 1; i <= 400; i++) {
                struct action action = taken(*state);

                assert_true(action.serial > seen[action.token - 10]);
                seen[action.token - 10] = action.serial;
        }
        assert_int_equal(seen[0], 400);
        assert_int_equal(seen[1], 399);
}

static void test_submit_over_the_limit_is_refused(void **state) {
        gate_close();
        for (uint32_t i = 0; i < LIMIT_KERN_QUEUE; i++)
                assert_int_equal(submit(*state, ACTION_CREATE, 2, i), 0);
        assert_int_equal(submit(*state, ACTION_CREATE, 3, 0), -EAGAIN);
        assert_int_equal(submit(*state, ACTION_SNAPSHOT, 0, 0), 0);
        gate_open();
        (void)taken(*state);
        /* It may have been the snapshot, which does not count. */
        (void)taken(*state);
        assert_int_equal(submit(*state, ACTION_CREATE, 2, 0), 0);
        for (uint32_t i = 0; i < LIMIT_KERN_QUEUE; i++)
                (void)taken(*state);
        assert_null(command_pool_take(*state));
}

/* Three connections whose socket is locked for as long as this takes. */
static void test_submit_busy_connections_hold_up_no_other(void **state) {
        script.slow = 3;
        for (uint32_t i = 0; i < 30; i++)
                assert_int_equal(submit(*state, ACTION_CREATE, 1 + i % 3, i), 0);
        for (uint32_t i = 0; i < 200; i++)
                assert_int_equal(submit(*state, ACTION_CREATE, 4 + i % 20, 100 + i), 0);
        for (uint32_t i = 0; i < 200; i++)
                assert_true(taken(*state).serial >= 100);
        gate_open();
        for (uint32_t i = 0; i < 30; i++)
                assert_true(taken(*state).serial < 30);
}

/* The loop's own thread does it, unless something of the same connection is on its way. */
static void test_submit_urgent_waits_for_its_own_connection_only(void **state) {
        struct action urgent = { .type = ACTION_CREATE, .token = 5, .serial = 3, .urgent = true };

        script.slow = 2;
        assert_int_equal(submit(*state, ACTION_CREATE, 1, 1), 0);
        assert_int_equal(command_pool_submit(*state, &urgent), 0);
        assert_int_equal(taken(*state).serial, 3);
        urgent.token = 1;
        urgent.serial = 4;
        assert_int_equal(command_pool_submit(*state, &urgent), 0);
        assert_false(readable(*state, 0));
        gate_open();
        assert_int_equal(taken(*state).serial, 1);
        assert_int_equal(taken(*state).serial, 4);
}

static void test_submit_failed_is_not_run(void **state) {
        const struct action action = { .type = ACTION_ANNOUNCE, .token = 5, .serial = 1 };
        struct command *command;

        assert_int_equal(command_pool_submit_failed(*state, &action, -EADDRINUSE, "why"), 0);
        assert_true(readable(*state, 10000));
        command = command_pool_take(*state);
        assert_non_null(command);
        assert_int_equal(command->error, -EADDRINUSE);
        assert_string_equal(command->message, "why");
        command_free(command);
        assert_int_equal(script.n_runs, 0);
}

static void test_submit_snapshot_does_not_wait_for_connections(void **state) {
        gate_close();
        assert_int_equal(submit(*state, ACTION_CREATE, 1, 1), 0);
        assert_int_equal(submit(*state, ACTION_CREATE, 2, 2), 0);
        gate_wait_for(2);
        assert_int_equal(submit(*state, ACTION_SNAPSHOT, 0, 3), 0);
        assert_int_equal(taken(*state).serial, 3);
        gate_open();
        assert_int_equal(taken(*state).serial + taken(*state).serial, 3);
}

/* When the command with this serial number was done. */
static uint64_t done_usec(uint32_t serial) {
        for (size_t i = 0; i < script.n_runs; i++)
                if (script.runs[i].serial == serial)
                        return script.runs[i].usec;
        fail_msg("%u was not done", serial);
        return 0;
}

static void test_submit_withdraws_of_a_token_keep_distance(void **state) {
        assert_int_equal(submit(*state, ACTION_WITHDRAW, 2, 1), 0);
        assert_int_equal(submit(*state, ACTION_WITHDRAW, 2, 2), 0);
        assert_int_equal(submit(*state, ACTION_WITHDRAW, 2, 3), 0);
        for (int i = 0; i < 3; i++)
                (void)taken(*state);
        assert_true(done_usec(2) >= done_usec(1) + PAUSE_USEC);
        assert_true(done_usec(3) >= done_usec(2) + PAUSE_USEC);
}

/* The place of a serial in the order in which commands were done. */
static size_t place(const uint32_t serials[static 5], uint32_t serial) {
        size_t i = 0;

        while (i < 4 && serials[i] != serial)
                i++;
        return i;
}

/* Five commands of two connections in a row; in ret_serials the order in which they were done. */
static void run_two(struct command_pool *pool, uint32_t token, uint32_t ret_serials[static 5]) {
        gate_close();
        assert_int_equal(submit(pool, ACTION_WITHDRAW, token, 1), 0);
        assert_int_equal(submit(pool, ACTION_WITHDRAW, token, 2), 0);
        assert_int_equal(submit(pool, ACTION_DESTROY, token, 3), 0);
        assert_int_equal(submit(pool, ACTION_WITHDRAW, token + 2, 4), 0);
        assert_int_equal(submit(pool, ACTION_DESTROY, token + 2, 5), 0);
        gate_open();
        for (size_t i = 0; i < 5; i++)
                ret_serials[i] = taken(pool).serial;
}

/* A thread that is kept from running for longer than the pause finds nothing to hold: try again. */
static void test_submit_pause_holds_its_token_only(void **state) {
        uint32_t serials[5];

        for (uint32_t i = 0; i < 100; i++) {
                run_two(*state, 2 + 4 * i, serials);
                assert_true(place(serials, 1) < place(serials, 2));
                assert_true(place(serials, 2) < place(serials, 3));
                assert_true(place(serials, 4) < place(serials, 5));
                if (place(serials, 5) < place(serials, 2))
                        return;
        }
        fail_msg("the other connection always waited, too");
}

/* More tokens at a time than are remembered. */
static void test_submit_many_withdraws_all_keep_distance(void **state) {
        for (uint32_t i = 0; i < 200; i++)
                assert_int_equal(submit(*state, ACTION_WITHDRAW, 2 + 2 * (i % 40), i), 0);
        for (uint32_t i = 0; i < 200; i++)
                (void)taken(*state);
        for (uint32_t i = 40; i < 200; i++)
                assert_true(done_usec(i) > done_usec(i - 40));
}

static void test_take_all_leaves_nothing_to_read(void **state) {
        assert_int_equal(submit(*state, ACTION_CREATE, 2, 1), 0);
        (void)taken(*state);
        assert_null(command_pool_take(*state));
        assert_false(readable(*state, 0));
        command_pool_rearm(*state);
        assert_false(readable(*state, 0));
}

static void test_take_some_and_rearm_makes_readable(void **state) {
        gate_close();
        assert_int_equal(submit(*state, ACTION_CREATE, 2, 1), 0);
        gate_wait_for(1);
        assert_int_equal(submit(*state, ACTION_CREATE, 2, 2), 0);
        gate_open();
        assert_int_equal(taken(*state).serial, 1);
        /* Whether the other one is finished already or not, it is announced. */
        command_pool_rearm(*state);
        assert_true(readable(*state, 10000));
        assert_int_equal(taken(*state).serial, 2);
}

static void test_free_drops_what_waits(void **state) {
        /* The second waits out the pause, the third is behind it. */
        assert_int_equal(submit(*state, ACTION_WITHDRAW, 2, 1), 0);
        assert_int_equal(submit(*state, ACTION_WITHDRAW, 2, 2), 0);
        assert_int_equal(submit(*state, ACTION_CREATE, 2, 3), 0);
        assert_int_equal(taken(*state).serial, 1);
        command_pool_free(*state);
        *state = NULL;
        assert_true(script.n_runs >= 1 && script.n_runs <= 3);
        command_pool_free(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_submit_same_token_keeps_order, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_submit_over_the_limit_is_refused, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_submit_snapshot_does_not_wait_for_connections,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(test_submit_withdraws_of_a_token_keep_distance,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(test_submit_pause_holds_its_token_only, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_submit_many_withdraws_all_keep_distance, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_take_some_and_rearm_makes_readable, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_submit_busy_connections_hold_up_no_other,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(
                                test_submit_urgent_waits_for_its_own_connection_only, setup,
                                teardown),
                cmocka_unit_test_setup_teardown(test_submit_failed_is_not_run, setup, teardown),
                cmocka_unit_test_setup_teardown(test_take_all_leaves_nothing_to_read, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_free_drops_what_waits, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
