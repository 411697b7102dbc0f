/*
 * core/retry: what is a refusal, what is none, and what makes it be tried again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define OTHER  "203.0.113.2:80"
#define WIFI   "192.0.2.1"
#define LTE    "198.51.100.1"

#define WINDOW_USEC 100000u /* and two round trips */
#define SECOND      1000000u

struct ending {
        int error;
        bool reset, transient;
        uint32_t reason;
};

static void later(struct world *world, uint64_t usec) {
        world->now += usec;
        world_feed(world, (struct event){ .type = EVENT_TICK });
}

/* The subflow from lte0 is closed. */
static void end(struct world *world, struct ending ending) {
        world_feed(world, (struct event){
                                          .type = EVENT_SUB_CLOSED,
                                          .mptcp = { .token = TOKEN,
                                                     .local = at(LTE ":40001"),
                                                     .remote = at(SERVER),
                                                     .local_id = 1,
                                                     .error = ending.error,
                                                     .reset = ending.reset,
                                                     .reset_transient = ending.transient,
                                                     .reset_reason = ending.reason },
                          });
}

static const struct refusal *refusal(struct world *world) {
        const struct connection *connection = world_connection(world);

        assert_int_equal(connection->refusals.n, 1);
        return &connection->refusals.items[0];
}

/* A join that is not established when it ends. */
static void join_ends(struct world *world, struct ending ending) {
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &action, 0);
        end(world, ending);
}

/* One that was established for that long; the answer to its SYN took rtt_usec. */
static void subflow_ends(struct world *world, uint64_t rtt_usec, uint64_t lived_usec,
                         struct ending ending) {
        struct action action;

        world_connect(world, TOKEN, 0);
        action = world_expect_create(world, LTE, SERVER);
        world->now += 500;
        world_outcome(world, &action, 0);
        world->now += rtt_usec;
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40001", SERVER, 1, 0, 0);
        world->now += lived_usec;
        end(world, ending);
}

static void expect_refused(struct world *world) {
        assert_true(refusal(world)->final);
        assert_true(refusal(world)->until_usec == UINT64_MAX);
        world_expect_nothing(world);
}

static void expect_later(struct world *world) {
        assert_false(refusal(world)->final);
        assert_in_range(refusal(world)->until_usec, world->now + SECOND,
                        world->now + SECOND + SECOND / 4);
        world_expect_nothing(world);
}

static void test_join_access_denied_is_refused(void **state) {
        join_ends(*state, (struct ending){ .error = EACCES });
        expect_refused(*state);
}

static void test_join_reset_for_good_is_refused(void **state) {
        join_ends(*state, (struct ending){ .error = ECONNRESET, .reset = true, .reason = 2 });
        expect_refused(*state);
}

static void test_join_reset_for_now_is_tried_later(void **state) {
        join_ends(*state, (struct ending){ .error = ECONNREFUSED,
                                           .reset = true,
                                           .transient = true,
                                           .reason = 2 });
        expect_later(*state);
}

static void test_join_unreachable_is_tried_later(void **state) {
        join_ends(*state, (struct ending){ .error = EHOSTUNREACH });
        expect_later(*state);
}

static void test_join_destroyed_is_tried_later(void **state) {
        /* No MP_TCPRST: the kernel's own word for a join that was closed from here. */
        join_ends(*state, (struct ending){ .error = ECONNRESET });
        expect_later(*state);
}

static void test_closed_within_two_round_trips_is_refused(void **state) {
        subflow_ends(*state, 30000, 60000 + WINDOW_USEC - 1, (struct ending){ 0 });
        expect_refused(*state);
}

static void test_closed_after_two_round_trips_is_tried_later(void **state) {
        subflow_ends(*state, 30000, 60000 + WINDOW_USEC, (struct ending){ 0 });
        expect_later(*state);
        assert_int_equal(refusal(*state)->error, -ECONNRESET);
}

/* As subflow_ends(), with numbers of its own that came meanwhile. */
static void measured_ends(struct world *world, uint64_t received, uint64_t lived_usec) {
        struct subflow *subflow;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        subflow = &world_connection(world)->subflows.items[1];
        subflow->is.sample_usec = world->now;
        subflow->is.rtt_usec = 200000;
        subflow->is.bytes_received = received;
        world->now += lived_usec;
        end(world, (struct ending){ 0 });
}

static void test_closed_measured_round_trip_counts(void **state) {
        measured_ends(*state, 0, 400000 + WINDOW_USEC - 1);
        expect_refused(*state);
}

static void test_closed_after_data_is_tried_later(void **state) {
        measured_ends(*state, 1, 0);
        expect_later(*state);
}

static void test_young_reset_is_refused(void **state) {
        subflow_ends(*state, 0, 1000, (struct ending){ .error = ECONNRESET, .reset = true });
        expect_refused(*state);
}

static void test_old_reset_without_reason_is_tried_later(void **state) {
        subflow_ends(*state, 0, SECOND, (struct ending){ .error = ECONNRESET, .reset = true });
        expect_later(*state);
}

static void test_old_reset_with_reason_is_refused(void **state) {
        subflow_ends(*state, 0, 3600ull * SECOND,
                     (struct ending){ .error = ECONNRESET, .reset = true, .reason = 6 });
        expect_refused(*state);
}

/* At any age: it's an accident, not an answer to the join. */
static void test_established_reset_by_a_protocol_error_is_tried_later(void **state) {
        subflow_ends(*state, 0, 1000,
                     (struct ending){ .error = ECONNRESET, .reset = true, .reason = 1 });
        expect_later(*state);
}

static void test_old_reset_for_now_is_tried_later(void **state) {
        subflow_ends(*state, 0, SECOND,
                     (struct ending){ .error = ECONNRESET,
                                      .reset = true,
                                      .transient = true,
                                      .reason = 5 });
        expect_later(*state);
}

/* A route comes on an interface that is used. */
static void change_routes(struct world *world) {
        world_route(world, 3, "203.0.113.0", 24);
        world_settle(world);
}

static void test_stripped_does_not_care_for_routes(void **state) {
        join_ends(*state, (struct ending){ 0 });
        assert_true(refusal(*state)->stripped);
        change_routes(*state);
        world_expect_nothing(*state);
        later(*state, 600ull * SECOND);
        assert_int_equal(world_subflows(*state, MPTCPIZE_SUBFLOW_PENDING), 0);
}

static void test_stripped_tries_after_a_change_of_address(void **state) {
        join_ends(*state, (struct ending){ 0 });
        world_address(*state, 3, "198.51.100.9", true);
        world_settle(*state);
        world_expect_create(*state, LTE, SERVER);
}

/* Down and up between two looks, so that nothing seems to have changed. */
static void test_stripped_tries_after_a_flap(void **state) {
        join_ends(*state, (struct ending){ 0 });
        world_link(*state, 3, "lte0", false);
        world_link(*state, 3, "lte0", true);
        world_settle(*state);
        world_expect_create(*state, LTE, SERVER);
}

static void test_unused_interface_changes_nothing(void **state) {
        join_ends(*state, (struct ending){ 0 });
        world_link(*state, 9, "docker0", true);
        world_address(*state, 9, "10.9.0.1", true);
        world_settle(*state);
        world_link(*state, 9, "docker0", false);
        world_settle(*state);
        world_expect_nothing(*state);
}

static void test_timeout_tries_after_a_change_of_routes(void **state) {
        join_ends(*state, (struct ending){ .error = ETIMEDOUT });
        change_routes(*state);
        world_expect_create(*state, LTE, SERVER);
        assert_int_equal(refusal(*state)->tries, 1); /* and goes on counting */
}

static void test_timeout_starts_afresh_after_a_change_of_links(void **state) {
        struct world *world = *state;

        join_ends(world, (struct ending){ .error = ETIMEDOUT });
        world_link(world, 3, "lte0", false);
        world_settle(world);
        assert_int_equal(world_connection(world)->refusals.n, 0);
}

static void test_retry_uses_the_same_id(void **state) {
        struct world *world = *state;
        uint8_t id;

        join_ends(world, (struct ending){ .error = ETIMEDOUT });
        id = world_connection(world)->ids.items[0].id;
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, OTHER, 0, 5, 0);
        assert_int_equal(world_expect_create(world, WIFI, OTHER).local_id, 0);
        assert_int_equal(world_expect_create(world, LTE, OTHER).local_id, id);
        later(world, 2 * SECOND);
        assert_int_equal(world_expect_create(world, LTE, SERVER).local_id, id);
}

/* The peer says no to a join to an address that it announced. */
static void announced_refused(struct world *world) {
        struct action action;

        world_address_gone(world, 3, LTE);
        world_settle(world);
        world_connect(world, TOKEN, 0);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, OTHER, 0, 5, 0);
        action = world_expect_create(world, WIFI, OTHER);
        world_outcome(world, &action, 0);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, WIFI ":40001", OTHER, 0, 0, ECONNREFUSED);
        assert_true(refusal(world)->final);
}

static void test_announcement_repeated_by_the_kernel_pardons_nothing(void **state) {
        struct world *world = *state;

        announced_refused(world);
        world->now += 2 * SECOND;
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, OTHER, 0, 5, 0);
        world_expect_nothing(world);
}

static void test_announcement_long_after_pardons(void **state) {
        struct world *world = *state;

        announced_refused(world);
        world->now += 10 * SECOND;
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, OTHER, 0, 5, 0);
        world_expect_create(world, WIFI, OTHER);
}

/*
 * A link that is down for a moment: the peer is told that the address is gone, and may be at it
 * when the next join from there is established already, so that it closes that one.
 */
enum step { WITHDRAWN, ABORTED, CLOSED, CREATED, ESTABLISHED, ENDED, STEPS };

struct blink {
        struct action withdraw, abort, create;
        int aborted; /* outcome */
        struct ending ending;
};

static void blink_begin(struct world *world, struct blink *blink) {
        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_link(world, 3, "lte0", false);
        world_settle(world);
        blink->withdraw = world_expect(world, ACTION_WITHDRAW);
        blink->abort = world_expect(world, ACTION_ABORT);
        world_link(world, 3, "lte0", true);
        world_settle(world);
        blink->create = world_expect_create(world, LTE, SERVER);
}

static void blink_step(struct world *world, const struct blink *blink, enum step step) {
        struct event ended = { .type = EVENT_SUB_CLOSED };

        world->now += 100;
        switch (step) {
        case WITHDRAWN:
                world_outcome(world, &blink->withdraw, 0);
                break;
        case ABORTED:
                world_outcome(world, &blink->abort, blink->aborted);
                break;
        case CLOSED:
                end(world, (struct ending){ .error = ECONNABORTED });
                break;
        case CREATED:
                world_outcome(world, &blink->create, 0);
                break;
        case ESTABLISHED:
                world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, LTE ":40002", SERVER, 1, 0, 0);
                break;
        case ENDED:
                ended.mptcp = (struct mptcp_event){ .token = TOKEN,
                                                    .local = at(LTE ":40002"),
                                                    .remote = at(SERVER),
                                                    .local_id = 1,
                                                    .error = blink->ending.error,
                                                    .reset = blink->ending.reset,
                                                    .reset_reason = blink->ending.reason };
                world_feed(world, ended);
                break;
        case STEPS:
                break;
        }
}

static void blink_in_order(struct blink *blink, const enum step *order) {
        void *state;
        struct world *world;

        assert_int_equal(world_setup(&state), 0);
        world = state;
        blink_begin(world, blink);
        for (size_t i = 0; i < STEPS; i++)
                blink_step(world, blink, order[i]);
        later(world, 2 * SECOND);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_PENDING), 1);
        assert_int_equal(world_teardown(&state), 0);
}

/* Answers come in their order, and so do the kernel's events of one subflow. */
static bool order_may_be(const enum step *order) {
        size_t when[STEPS];

        for (size_t i = 0; i < STEPS; i++)
                when[order[i]] = i;
        return when[WITHDRAWN] < when[ABORTED] && when[ABORTED] < when[CREATED] &&
               when[ESTABLISHED] < when[ENDED];
}

/* All orders of what is left, from the n-th on. */
static unsigned int blink_in_all_orders(struct blink *blink, enum step *order, size_t n) {
        unsigned int tried = 0;

        if (n == STEPS) {
                if (!order_may_be(order))
                        return 0;
                blink_in_order(blink, order);
                return 1;
        }
        for (size_t i = n; i < STEPS; i++) {
                const enum step first = order[n], other = order[i];

                order[n] = other;
                order[i] = first;
                tried += blink_in_all_orders(blink, order, n + 1);
                order[n] = first;
                order[i] = other;
        }
        return tried;
}

static void blink_ends(int aborted, struct ending ending) {
        enum step order[STEPS] = { WITHDRAWN, ABORTED, CLOSED, CREATED, ESTABLISHED, ENDED };
        struct blink blink = { .aborted = aborted, .ending = ending };

        assert_int_equal(blink_in_all_orders(&blink, order, 0), 60);
}

static void test_closed_after_withdrawal_is_tried_later(void **state) {
        (void)state;
        blink_ends(0, (struct ending){ 0 });
        blink_ends(-ENOENT, (struct ending){ 0 });
}

static void test_reset_after_withdrawal_is_tried_later(void **state) {
        (void)state;
        blink_ends(0, (struct ending){ .error = ECONNRESET, .reset = true });
}

/* With a reason it is the peer's will all the same. */
static void test_reset_after_withdrawal_with_reason_is_refused(void **state) {
        struct world *world = *state;
        struct blink blink = { .ending = { .error = ECONNRESET, .reset = true, .reason = 2 } };

        blink_begin(world, &blink);
        for (enum step step = WITHDRAWN; step < STEPS; step++)
                blink_step(world, &blink, step);
        expect_refused(world);
}

/* Once the peer must have heard, it means what it does. */
static void test_closed_long_after_withdrawal_is_refused(void **state) {
        struct world *world = *state;
        struct blink blink = { 0 };

        blink_begin(world, &blink);
        for (enum step step = WITHDRAWN; step < ESTABLISHED; step++)
                blink_step(world, &blink, step);
        world->now += 10ull * SECOND;
        blink_step(world, &blink, ESTABLISHED);
        blink_step(world, &blink, ENDED);
        expect_refused(world);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_join_access_denied_is_refused),
                T(test_join_reset_for_good_is_refused),
                T(test_join_reset_for_now_is_tried_later),
                T(test_join_unreachable_is_tried_later),
                T(test_join_destroyed_is_tried_later),
                T(test_closed_within_two_round_trips_is_refused),
                T(test_closed_after_two_round_trips_is_tried_later),
                T(test_closed_measured_round_trip_counts),
                T(test_closed_after_data_is_tried_later),
                T(test_young_reset_is_refused),
                T(test_old_reset_without_reason_is_tried_later),
                T(test_old_reset_with_reason_is_refused),
                T(test_established_reset_by_a_protocol_error_is_tried_later),
                T(test_old_reset_for_now_is_tried_later),
                T(test_stripped_does_not_care_for_routes),
                T(test_stripped_tries_after_a_change_of_address),
                T(test_stripped_tries_after_a_flap),
                T(test_unused_interface_changes_nothing),
                T(test_timeout_tries_after_a_change_of_routes),
                T(test_timeout_starts_afresh_after_a_change_of_links),
                T(test_retry_uses_the_same_id),
                T(test_announcement_repeated_by_the_kernel_pardons_nothing),
                T(test_announcement_long_after_pardons),
                cmocka_unit_test(test_closed_after_withdrawal_is_tried_later),
                cmocka_unit_test(test_reset_after_withdrawal_is_tried_later),
                T(test_reset_after_withdrawal_with_reason_is_refused),
                T(test_closed_long_after_withdrawal_is_refused),
        };

        return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
