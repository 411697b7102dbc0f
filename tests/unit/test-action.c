/*
 * core/action and core/event: the queue's order, growth, wrap and limit; names.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/core/action.h"
#include "../../daemon/core/event.h"

static void push(struct action_queue *queue, uint32_t serial) {
        const struct action action = { .type = ACTION_CREATE, .serial = serial, .reason = "why" };

        assert_int_equal(action_queue_push(queue, &action), 0);
}

static void pop(struct action_queue *queue, uint32_t serial) {
        const struct action *action = action_queue_peek(queue);

        assert_non_null(action);
        assert_int_equal(action->serial, serial);
        assert_string_equal(action->reason, "why");
        action_queue_pop(queue);
}

static void test_peek_empty_is_null(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;

        (void)state;
        assert_null(action_queue_peek(&queue));
        action_queue_pop(&queue);
        assert_int_equal(queue.n, 0);
        push(&queue, 1);
        pop(&queue, 1);
        assert_null(action_queue_peek(&queue));
        action_queue_done(&queue);
}

static void test_push_first_comes_first(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;
        struct action action = { .type = ACTION_SNAPSHOT, .serial = 99, .reason = "why" };
        uint32_t i;

        (void)state;
        for (i = 0; i < 16; i++)
                push(&queue, i);
        assert_int_equal(action_queue_push_first(&queue, &action), 0);
        pop(&queue, 99);
        for (i = 0; i < 16; i++)
                pop(&queue, i);
        assert_null(action_queue_peek(&queue));
        action_queue_done(&queue);
}

static void test_pop_of_the_last_gives_memory_back(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;
        uint32_t i;

        (void)state;
        for (i = 0; i < 2000; i++)
                push(&queue, i);
        for (i = 0; i < 2000; i++)
                pop(&queue, i);
        assert_int_equal(queue.cap, 0);
        push(&queue, 1);
        pop(&queue, 1);
        action_queue_done(&queue);
}

static void test_push_grown_keeps_order(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;
        uint32_t i;

        (void)state;
        for (i = 0; i < 100; i++)
                push(&queue, i);
        for (i = 0; i < 100; i++)
                pop(&queue, i);
        assert_int_equal(queue.n, 0);
        action_queue_done(&queue);
}

/* The ring is full and wrapped when it grows, with the oldest at every place in turn. */
static void test_push_wrapped_and_grown_keeps_order(void **state) {
        uint32_t cap = 16, head, i;

        (void)state;
        for (head = 0; head < cap; head++) {
                struct action_queue queue = ACTION_QUEUE_NULL;

                for (i = 0; i < head; i++) {
                        push(&queue, i);
                        pop(&queue, i);
                }
                for (i = 0; i < cap; i++)
                        push(&queue, 1000 + i);
                assert_int_equal(queue.cap, cap);
                assert_int_equal(queue.head, head);
                push(&queue, 1000 + cap);
                for (i = 0; i <= cap; i++)
                        pop(&queue, 1000 + i);
                action_queue_done(&queue);
        }
}

static void test_push_around_reuses_the_ring(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;
        uint32_t i;

        (void)state;
        for (i = 0; i < 10; i++)
                push(&queue, i);
        for (i = 10; i < 1000; i++) {
                push(&queue, i);
                pop(&queue, i - 10);
        }
        assert_int_equal(queue.cap, 16);
        action_queue_done(&queue);
}

static void test_push_at_limit_is_refused(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;
        const struct action action = { .serial = LIMIT_ACTIONS };
        uint32_t i;

        (void)state;
        for (i = 0; i < LIMIT_ACTIONS; i++)
                push(&queue, i);
        assert_int_equal(action_queue_push(&queue, &action), -ENOBUFS);
        assert_int_equal(queue.n, LIMIT_ACTIONS);
        pop(&queue, 0);
        push(&queue, LIMIT_ACTIONS);
        assert_int_equal(action_queue_push(&queue, &action), -ENOBUFS);
        for (i = 1; i <= LIMIT_ACTIONS; i++)
                pop(&queue, i);
        action_queue_done(&queue);
}

/* An action can be queued again from where it lies, even if the ring moves. */
static void test_push_own_element_is_copied_first(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;
        uint32_t i;

        (void)state;
        for (i = 0; i < 16; i++)
                push(&queue, i);
        assert_int_equal(action_queue_push(&queue, action_queue_peek(&queue)), 0);
        for (i = 0; i < 16; i++)
                pop(&queue, i);
        pop(&queue, 0);
        action_queue_done(&queue);
}

static void test_done_twice_is_harmless(void **state) {
        struct action_queue queue = ACTION_QUEUE_NULL;

        (void)state;
        push(&queue, 1);
        action_queue_done(&queue);
        assert_null(queue.items);
        assert_null(action_queue_peek(&queue));
        action_queue_done(&queue);
}

static void test_action_name_every_type_has_one(void **state) {
        unsigned int i;

        (void)state;
        for (i = 0; i < _ACTION_MAX; i++)
                assert_non_null(action_name((enum action_type)i));
        assert_string_equal(action_name(ACTION_WITHDRAW), "withdraw");
        assert_string_equal(action_name(_ACTION_MAX), "unknown");
}

static void test_event_name_every_type_has_one(void **state) {
        unsigned int i;

        (void)state;
        for (i = 0; i < _EVENT_MAX; i++)
                assert_non_null(event_name((enum event_type)i));
        assert_string_equal(event_name(EVENT_SUB_CLOSED), "subflow closed");
        assert_string_equal(event_name(_EVENT_MAX), "unknown");
}

static void test_snapshot_done_empties_it(void **state) {
        struct snapshot snapshot = { .started_usec = 1 };

        (void)state;
        assert_int_equal(ARRAY_APPEND(&snapshot.connections,
                                      (struct snapshot_connection){ .token = 1 }, 8),
                         0);
        assert_int_equal(ARRAY_APPEND(&snapshot.subflows, (struct snapshot_subflow){ .token = 1 },
                                      8),
                         0);
        snapshot_done(&snapshot);
        assert_int_equal(snapshot.connections.n + snapshot.subflows.n, 0);
        assert_null(snapshot.connections.items);
        assert_null(snapshot.subflows.items);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_peek_empty_is_null),
                cmocka_unit_test(test_push_first_comes_first),
                cmocka_unit_test(test_pop_of_the_last_gives_memory_back),
                cmocka_unit_test(test_push_grown_keeps_order),
                cmocka_unit_test(test_push_wrapped_and_grown_keeps_order),
                cmocka_unit_test(test_push_around_reuses_the_ring),
                cmocka_unit_test(test_push_at_limit_is_refused),
                cmocka_unit_test(test_push_own_element_is_copied_first),
                cmocka_unit_test(test_done_twice_is_harmless),
                cmocka_unit_test(test_action_name_every_type_has_one),
                cmocka_unit_test(test_event_name_every_type_has_one),
                cmocka_unit_test(test_snapshot_done_empties_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
