/*
 * core/permit: joins that need permission, and subflows that have none.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "orders.h"

static void connect_protected(struct world *world, uint32_t auth) {
        world_protect(world, auth);
        world_connect(world, TOKEN, 0);
}

/* The answer of whoever asks the peer, or of the peer. */
static struct action refuse(struct world *world, int error) {
        const struct action action = world_expect_create(world, LTE, SERVER);

        world_outcome(world, &action, error);
        return action;
}

static enum joins joins_of(struct world *world) {
        return world_connection(world)->joins;
}

static struct refusal *refusal_of(struct world *world) {
        const struct mptcpize_address local = at(LTE), remote = at(SERVER);

        return connection_find_refusal(world_connection(world), &local, &remote);
}

/* States */

static void test_joins_without_authentication_are_free(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assert_int_equal(joins_of(world), JOINS_FREE);
        world_expect_create(world, LTE, SERVER);
        assert_int_equal(order_lines(world, "joins"), 0);
}

static void test_joins_wait_until_they_may(void **state) {
        static const enum joins allowed[] = { JOINS_ASK, JOINS_FREE };

        for (size_t i = 0; i < 2; i++) {
                struct world *world = *state;

                connect_protected(world, CONF_AUTH_PREFER);
                assert_int_equal(joins_of(world), JOINS_WAIT);
                world_rest(world, 1000000);
                world_expect_nothing(world);
                assert_int_equal(world_connection(world)->refusals.n, 0);
                world_joins(world, allowed[i], "the peer has confirmed");
                world_expect_create(world, LTE, SERVER);
                assert_int_equal(order_lines(world, "the peer has confirmed"), i + 1);
                world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        }
}

static void test_joins_same_word_again_changes_nothing(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        world_joins(world, JOINS_WAIT, "HELLO sent");
        world_joins(world, JOINS_WAIT, "HELLO sent");
        assert_int_equal(order_lines(world, "joins wait: HELLO sent"), 1);
        assert_string_equal(connection_joins_reason(world_connection(world)), "HELLO sent");
}

static void test_joins_long_reason_is_cut(void **state) {
        struct world *world = *state;
        char reason[3 * LIMIT_REASON];

        memset(reason, 'x', sizeof(reason));
        reason[sizeof(reason) - 1] = '\0';
        connect_protected(world, CONF_AUTH_REQUIRE);
        world_joins(world, JOINS_WAIT, reason);
        assert_int_equal(strlen(connection_joins_reason(world_connection(world))),
                         LIMIT_REASON - 1);
        world_joins(world, JOINS_ASK, NULL);
        assert_string_equal(connection_joins_reason(world_connection(world)), "");
}

static void test_joins_of_no_connection_are_ignored(void **state) {
        struct world *world = *state;

        world_joins(world, JOINS_BARRED, "x");
        world_connect(world, TOKEN, 0);
        world_joins(world, JOINS_BARRED, "its policy doesn't speak of authentication");
        assert_int_equal(joins_of(world), JOINS_FREE);
}

static void test_joins_barred_are_refused_once_with_the_reason(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        world_joins(world, JOINS_BARRED, "the peer's daemon is silent");
        world_expect_nothing(world);
        world_rest(world, 1000000);
        world_expect_nothing(world);
        /* The note, and the plugin's wish. */
        assert_int_equal(order_lines(world, "the peer's daemon is silent"), 2);
        assert_int_equal(order_lines(world, "no joins from here: "), 1);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect_create(world, LTE, SERVER);
}

static void test_order_add_needs_permission(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        world_joins(world, JOINS_WAIT, "HELLO sent");
        assert_int_equal(order_add(world, LTE, SERVER), -EACCES);
        assert_string_equal(order_said, "not authenticated yet: HELLO sent");
        world_joins(world, JOINS_BARRED, "only the client makes joins");
        assert_int_equal(order_add(world, LTE, SERVER), -EACCES);
        assert_string_equal(order_said, "only the client makes joins");
        world_expect_nothing(world);
}

/* Profiles that change */

static void test_reload_with_authentication_makes_joins_wait(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_protect(world, CONF_AUTH_PREFER);
        assert_int_equal(joins_of(world), JOINS_WAIT);
        world_expect_nothing(world); /* what is there stays, with "prefer" */
        world_protect(world, CONF_AUTH_OFF);
        assert_int_equal(joins_of(world), JOINS_FREE);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40001", SERVER, 1, 0, ECONNRESET);
        world_rest(world, 2000000);
        world_expect_create(world, LTE, SERVER);
}

static void test_reload_without_authentication_ends_the_wait(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        world_expect_nothing(world);
        world_protect(world, CONF_AUTH_OFF);
        world_expect_create(world, LTE, SERVER);
}

static void test_reload_stricter_waits_again_where_joins_were_free(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_PREFER);
        world_joins(world, JOINS_FREE, "the peer is silent");
        world_join(world, LTE, SERVER);
        world_protect(world, CONF_AUTH_REQUIRE);
        assert_int_equal(joins_of(world), JOINS_WAIT);
        assert_string_equal(world_expect(world, ACTION_DESTROY).reason,
                            "it was joined before there was permission");
}

static void test_reload_stricter_leaves_what_is_confirmed(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_PREFER);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_join(world, LTE, SERVER);
        world_protect(world, CONF_AUTH_REQUIRE);
        assert_int_equal(joins_of(world), JOINS_ASK);
        world_protect(world, CONF_AUTH_PREFER);
        assert_int_equal(joins_of(world), JOINS_ASK);
        world_expect_nothing(world);
}

static void test_require_joins_under_way_are_given_up(void **state) {
        struct world *world = *state;
        struct action create;

        world_connect(world, TOKEN, 0);
        create = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &create, 0);
        world_protect(world, CONF_AUTH_REQUIRE);
        assert_int_equal(world_expect(world, ACTION_ABORT).local.port, 0);
        world_expect_nothing(world);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40001", SERVER, 1, 0, ECONNABORTED);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect_create(world, LTE, SERVER);
}

/* The last one that carries the connection goes when another one does. */
static void test_require_last_free_subflow_stays_until_there_is_another(void **state) {
        struct world *world = *state;
        struct action create;

        world_connect(world, TOKEN, 0);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, WIFI ":40000", SERVER, 0, 0, ECONNRESET);
        world_protect(world, CONF_AUTH_REQUIRE);
        world_expect_nothing(world);
        assert_int_equal(world_subflows(world, MPTCPIZE_SUBFLOW_ESTABLISHED), 1);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_rest(world, 2000000);
        create = world_expect_create(world, WIFI, SERVER);
        world_outcome(world, &create, 0);
        world_mptcp(world, EVENT_SUB_ESTABLISHED, TOKEN, WIFI ":40002", SERVER, 0, 0, 0);
        world_skip_measures(world);
        assert_int_equal(world_expect(world, ACTION_DESTROY).local.port, 40001);
}

/* A late hint: the peer closes what it has not admitted, in any order with the permission. */
static void test_prefer_free_join_closed_by_the_peer_is_no_refusal(void **state) {
        for (int late = 0; late < 2; late++) {
                struct world *world = *state;

                world_protect(world, CONF_AUTH_OFF);
                world_connect(world, TOKEN, 0);
                world_join(world, LTE, SERVER);
                world_protect(world, CONF_AUTH_PREFER);
                if (late)
                        world_joins(world, JOINS_ASK, "the peer has confirmed");
                world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40001", SERVER, 1, 0, 0);
                if (!late)
                        world_joins(world, JOINS_ASK, "the peer has confirmed");
                world_expect_create(world, LTE, SERVER);
                world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        }
}

/* The peer has taken our HELLO, and its answer was lost: joins were made free. */
static void test_prefer_refusals_while_free_are_pardoned(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_PREFER);
        world_joins(world, JOINS_FREE, "the peer is silent");
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, LTE ":40001", SERVER, 1, 0, 0);
        assert_true(refusal_of(world)->final);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect_create(world, LTE, SERVER);
}

static void test_prefer_join_under_way_is_asked_for_when_it_must_be(void **state) {
        struct world *world = *state;
        struct action create;

        connect_protected(world, CONF_AUTH_PREFER);
        world_joins(world, JOINS_FREE, "the peer is silent");
        create = world_expect_create(world, LTE, SERVER);
        world_outcome(world, &create, 0);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect(world, ACTION_ABORT);
        world_expect_create(world, LTE, SERVER);
        world_expect_nothing(world);
}

/* A join that waits for the peer's permission */

static void ask(struct world *world) {
        connect_protected(world, CONF_AUTH_REQUIRE);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
}

static void test_asked_has_no_time_limit_of_a_join(void **state) {
        struct world *world = *state;
        struct action create;

        ask(world);
        create = world_expect_create(world, LTE, SERVER);
        world_rest(world, 10000000);
        world_expect_nothing(world);
        world_outcome(world, &create, 0);
        world_rest(world, 2900000);
        world_expect_nothing(world);
        world_rest(world, 200000); /* now it is one */
        world_expect(world, ACTION_ABORT);
}

static void test_asked_granted_is_a_join_like_others(void **state) {
        struct world *world = *state;
        struct subflow *subflow;

        ask(world);
        world->now += 1000000;
        world_join(world, LTE, SERVER);
        subflow = &world_connection(world)->subflows.items[1];
        assert_false(subflow->free);
        world_joins(world, JOINS_BARRED, "the peer has ended it");
        world_expect_nothing(world);
}

static void test_asked_refused_backs_off_and_is_no_end(void **state) {
        static const int errors[] = { -EACCES, -ETIMEDOUT, -ENOBUFS, -EKEYREJECTED };

        for (size_t i = 0; i < 4; i++) {
                struct world *world = *state;

                ask(world);
                (void)refuse(world, errors[i]);
                world_expect_nothing(world);
                assert_false(refusal_of(world)->final);
                assert_int_equal(refusal_of(world)->error, errors[i]);
                world_rest(world, 900000);
                world_expect_nothing(world);
                world_rest(world, 400000);
                (void)refuse(world, errors[i]);
                world_rest(world, 1900000);
                world_expect_nothing(world);
                world_rest(world, 700000);
                world_expect_create(world, LTE, SERVER);
                world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        }
}

/* Of a connection without authentication it is the kernel that says so. */
static void test_kernel_without_permission_is_final(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        (void)refuse(world, -EACCES);
        assert_true(refusal_of(world)->final);
}

static void test_asked_refused_is_pardoned_by_permission(void **state) {
        struct world *world = *state;

        ask(world);
        (void)refuse(world, -EACCES);
        world_joins(world, JOINS_WAIT, "HELLO sent again");
        world_expect_nothing(world);
        world_joins(world, JOINS_ASK, "the peer has confirmed again");
        world_expect_create(world, LTE, SERVER);
}

/* Also at once behind the peer's first announcement, which nobody had confirmed. */
static void test_asked_unconfirmed_address_is_pardoned_by_its_announcement(void **state) {
        struct world *world = *state;
        struct action create;

        ask(world);
        world_join(world, LTE, SERVER);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 7, 0);
        for (int i = 0; i < 2; i++) {
                create = world_expect(world, ACTION_CREATE);
                world_outcome(world, &create, -EKEYREJECTED);
        }
        world_expect_nothing(world);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, SECOND, 0, 7, 0);
        world_expect(world, ACTION_CREATE);
        world_expect(world, ACTION_CREATE);
        world_expect_nothing(world);
}

static void test_asked_given_up_is_no_failure(void **state) {
        struct world *world = *state;
        struct action create;
        uint64_t failed;

        ask(world);
        create = world_expect_create(world, LTE, SERVER);
        world_link(world, 3, "lte0", false);
        world_settle(world);
        world_expect(world, ACTION_ABORT);
        failed = world->engine.counters[COUNTER_ACTIONS_FAILED];
        world_outcome(world, &create, -ECANCELED);
        assert_int_equal(world->engine.counters[COUNTER_ACTIONS_FAILED], failed);
        assert_int_equal(world_connection(world)->subflows.n, 1);
        world_link(world, 3, "lte0", true);
        world_settle(world);
        world_expect_create(world, LTE, SERVER);
}

static void test_asked_answer_after_the_end_is_nothing(void **state) {
        struct world *world = *state;
        struct action create;

        ask(world);
        create = world_expect_create(world, LTE, SERVER);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        world_outcome(world, &create, -ETIMEDOUT);
        world_expect_nothing(world);
}

/* Without any subflow */

static void orphan(struct world *world) {
        world_mptcp(world, EVENT_SUB_CLOSED, TOKEN, WIFI ":40000", SERVER, 0, 0, ETIMEDOUT);
}

static void test_orphan_waiting_joins_as_soon_as_it_may(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        orphan(world);
        world_rest(world, 4000000);
        world_expect_nothing(world);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect(world, ACTION_CREATE);
}

/* Permission is new hope, also when the time was over. */
static void test_orphan_late_permission_is_tried(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        orphan(world);
        world_rest(world, 6000000);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect(world, ACTION_CREATE);
}

/* Once; then there is a pause. */
static void test_orphan_unanswered_question_is_asked_again_at_once(void **state) {
        struct world *world = *state;

        connect_protected(world, CONF_AUTH_REQUIRE);
        orphan(world);
        world_rest(world, 1200000);
        world_joins(world, JOINS_ASK, "the peer has confirmed");
        world_expect_create(world, WIFI, SERVER);
        (void)refuse(world, -ETIMEDOUT);
        (void)refuse(world, -ETIMEDOUT);
        world_expect_nothing(world);
        world_rest(world, 1500000);
        world_expect_create(world, LTE, SERVER);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_joins_without_authentication_are_free),
                TEST(test_joins_wait_until_they_may),
                TEST(test_joins_same_word_again_changes_nothing),
                TEST(test_joins_long_reason_is_cut),
                TEST(test_joins_of_no_connection_are_ignored),
                TEST(test_joins_barred_are_refused_once_with_the_reason),
                TEST(test_order_add_needs_permission),
                TEST(test_reload_with_authentication_makes_joins_wait),
                TEST(test_reload_without_authentication_ends_the_wait),
                TEST(test_reload_stricter_waits_again_where_joins_were_free),
                TEST(test_reload_stricter_leaves_what_is_confirmed),
                TEST(test_require_joins_under_way_are_given_up),
                TEST(test_require_last_free_subflow_stays_until_there_is_another),
                TEST(test_prefer_free_join_closed_by_the_peer_is_no_refusal),
                TEST(test_prefer_refusals_while_free_are_pardoned),
                TEST(test_prefer_join_under_way_is_asked_for_when_it_must_be),
                TEST(test_asked_has_no_time_limit_of_a_join),
                TEST(test_asked_granted_is_a_join_like_others),
                TEST(test_asked_refused_backs_off_and_is_no_end),
                TEST(test_kernel_without_permission_is_final),
                TEST(test_asked_refused_is_pardoned_by_permission),
                TEST(test_asked_unconfirmed_address_is_pardoned_by_its_announcement),
                TEST(test_asked_given_up_is_no_failure),
                TEST(test_asked_answer_after_the_end_is_nothing),
                TEST(test_orphan_waiting_joins_as_soon_as_it_may),
                TEST(test_orphan_late_permission_is_tried),
                TEST(test_orphan_unanswered_question_is_asked_again_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
