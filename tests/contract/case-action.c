/*
 * Contract: the other actions that change something, and their order.
 */
#include "scene.h"

#include <errno.h>

/* Abort: by sock_diag, so the path manager's rules don't count. */

static struct action abort_action(uint32_t token, const struct mptcp_event *subflow) {
        return (struct action){ .type = ACTION_ABORT,
                                .token = token,
                                .local = subflow->local,
                                .remote = subflow->remote,
                                .ifindex = subflow->ifindex };
}

static void test_abort_closes_the_subflow_with_an_error(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        const struct mptcp_event *closed;

        assert_int_equal(scene_do(scene, abort_action(connection.token, &joined)), 0);
        closed = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        assert_int_equal(closed->error, ECONNABORTED);
        scene_assert_address(&closed->local, &joined.local);
        assert_int_equal(scene_count_subflows(scene_snapshot(scene), connection.token), 1);
}

static void test_abort_unknown_is_not_found(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct mptcp_event subflow = { .local = connection.local, .remote = connection.remote };

        assert_int_equal(scene_do(scene, abort_action(0xbad, &subflow)), -ENOENT);
        subflow.remote.port++;
        assert_int_equal(scene_do(scene, abort_action(connection.token, &subflow)), -ENOENT);
        assert_int_equal(scene_count_subflows(scene_snapshot(scene), connection.token), 1);
}

/* The kernel's look-up by addresses falls back to the listener on the port. */
static void test_abort_unknown_spares_the_listener(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene), second;
        struct mptcp_event subflow = { .local = connection.local, .remote = connection.remote };

        subflow.remote.port++;
        assert_int_equal(scene_do(scene, abort_action(connection.token, &subflow)), -ENOENT);
        lab_accept(scene->lab, scene->kind, &second);
        (void)scene_await(scene, EVENT_CREATED, second.token);
}

/* Any action at all */

static void test_submit_unknown_token_is_invalid(void **state) {
        struct scene *scene = *state;

        for (enum action_type type = ACTION_CREATE; type <= ACTION_QUERY; type++) {
                const struct action action = {
                        .type = type,
                        .token = 0xbad,
                        .local = lab_address(LAB_LTE, scene->kind, 7777),
                        .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                        .local_id = 5,
                };

                assert_int_equal(scene_do(scene, action), -EINVAL);
        }
        assert_int_equal(scene_count(scene, EVENT_ENTRIES, 0), 0);
}

static void test_submit_kernel_path_manager_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_connect_kernel(scene->lab, &connection);
        lab_exchange(scene->lab, &connection);
        for (enum action_type type = ACTION_CREATE; type <= ACTION_QUERY; type++) {
                const struct action action = {
                        .type = type,
                        .token = connection.token,
                        .local = connection.local,
                        .remote = connection.remote,
                        .local_id = 5,
                };

                assert_int_equal(scene_do(scene, action), -EINVAL);
        }
        assert_int_equal(scene_count(scene, EVENT_ENTRIES, 0), 0);
}

static void test_submit_failure_has_the_kernels_words(void **state) {
        struct scene *scene = *state;
        struct action destroy = {
                .type = ACTION_DESTROY,
                .token = 0xbad,
                .local = lab_address(LAB_LTE, scene->kind, 7777),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .reason = "why",
        };
        const struct outcome_event *outcome;

        assert_int_equal(scene_submit(scene, &destroy), 0);
        outcome = &scene_await(scene, EVENT_OUTCOME, destroy.token)->outcome;
        assert_string_equal(outcome->message, "invalid token");
        assert_string_equal(outcome->action.reason, "why");
}

static void test_submit_many_outcomes_keep_their_order(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const uint32_t first = scene->serial + 1;
        uint32_t last;

        for (int i = 0; i < 50; i++) {
                struct action query = { .type = ACTION_QUERY, .token = connection.token };
                struct action destroy = {
                        .type = ACTION_DESTROY,
                        .token = connection.token,
                        .local = lab_address(LAB_LTE, scene->kind, 7777),
                        .remote = connection.remote,
                };

                assert_int_equal(scene_submit(scene, &query), 0);
                assert_int_equal(scene_submit(scene, &destroy), 0);
        }
        last = scene->serial;
        for (uint32_t serial = first; serial <= last; serial++)
                assert_int_equal(scene_await(scene, EVENT_OUTCOME, connection.token)
                                                 ->outcome.action.serial,
                                 serial);
}

/* Two REMOVEs keep a distance; what comes behind them must not overtake them. */
static void test_submit_behind_withdraws_keeps_its_order(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const uint32_t first = scene->serial + 1;

        for (int i = 0; i < 5; i++) {
                struct action withdraw = { .type = ACTION_WITHDRAW,
                                           .token = connection.token,
                                           .local_id = 9 };
                struct action query = { .type = ACTION_QUERY, .token = connection.token };

                assert_int_equal(scene_submit(scene, &withdraw), 0);
                assert_int_equal(scene_submit(scene, &query), 0);
        }
        for (uint32_t serial = first; serial < first + 10; serial++)
                assert_int_equal(scene_await(scene, EVENT_OUTCOME, connection.token)
                                                 ->outcome.action.serial,
                                 serial);
}

static void test_submit_too_many_is_again(void **state) {
        struct scene *scene = *state;
        struct action query = { .type = ACTION_QUERY, .token = 0xbad };

        for (uint32_t i = 0; i < LIMIT_KERN_QUEUE; i++)
                assert_int_equal(scene_submit(scene, &query), 0);
        assert_int_equal(scene_submit(scene, &query), -EAGAIN);
        (void)scene_await(scene, EVENT_OUTCOME, query.token);
        assert_int_equal(scene_submit(scene, &query), 0);
        for (uint32_t i = 0; i < LIMIT_KERN_QUEUE; i++)
                (void)scene_await(scene, EVENT_OUTCOME, query.token);
}

/* Destroy */

static struct action destroy_of(const struct mptcp_event *subflow) {
        return (struct action){ .type = ACTION_DESTROY,
                                .token = subflow->token,
                                .local = subflow->local,
                                .remote = subflow->remote };
}

/* What is closed may be in the snapshot for a while, until the peer has closed, too. */
static bool is_established(struct scene *scene, const struct mptcp_event *subflow) {
        const struct snapshot_subflow *row = scene_subflow(scene_snapshot(scene), subflow);

        return row && row->state == 1;
}

static void test_destroy_gives_sub_closed(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        const struct mptcp_event *closed;

        assert_non_null(scene_entry(scene_entries(scene, connection.token), 5));
        assert_int_equal(scene_do(scene, destroy_of(&joined)), 0);
        closed = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        scene_assert_address(&closed->local, &joined.local);
        scene_assert_address(&closed->remote, &joined.remote);
        assert_int_equal(closed->local_id, 5);
        assert_int_equal(closed->error, 0);
        assert_int_equal(closed->ifindex, joined.ifindex);
        assert_null(scene_entry(scene_entries(scene, connection.token), 5));
        assert_false(is_established(scene, &joined));
}

/* The entry goes with the address, also if another subflow has it, and the id is free. */
static void test_destroy_one_of_two_deletes_the_entry(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event first = scene_join(scene, &connection, 5);
        const struct mptcp_event second = scene_join(scene, &connection, 5);

        assert_int_equal(scene_do(scene, destroy_of(&first)), 0);
        assert_null(scene_entry(scene_entries(scene, connection.token), 5));
        assert_true(is_established(scene, &second));
        assert_int_equal(scene_join(scene, &connection, 6).local_id, 6);
}

static void test_destroy_then_create_with_the_same_id(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);

        assert_int_equal(scene_do(scene, destroy_of(&joined)), 0);
        (void)scene_await(scene, EVENT_SUB_CLOSED, connection.token);
        assert_int_equal(scene_join(scene, &connection, 5).local_id, 5);
        assert_int_equal(scene_entries(scene, connection.token)->n, 1);
}

static void test_destroy_initial_leaves_the_other_one(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event initial = { .token = connection.token,
                                             .local = connection.local,
                                             .remote = connection.remote };
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        const struct mptcp_event *again;

        assert_int_equal(scene_do(scene, destroy_of(&initial)), 0);
        scene_assert_address(&scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp.local,
                             &connection.local);
        lab_exchange(scene->lab, &connection);
        assert_true(is_established(scene, &joined));
        assert_int_equal(scene_create(scene, &connection, LAB_WIFI, 0, LAB_PORT_OPEN), 0);
        again = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        assert_int_equal(again->local_id, 0);
}

static void test_destroy_the_only_one_then_create_goes_on(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event initial = { .token = connection.token,
                                             .local = connection.local,
                                             .remote = connection.remote };

        assert_int_equal(scene_do(scene, destroy_of(&initial)), 0);
        (void)scene_await(scene, EVENT_SUB_CLOSED, connection.token);
        (void)scene_join(scene, &connection, 5);
        lab_exchange(scene->lab, &connection);
}

static void test_destroy_unknown_subflow_is_not_found(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action destroy = {
                .type = ACTION_DESTROY,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 7777),
                .remote = connection.remote,
        };

        assert_int_equal(scene_do(scene, destroy), -ESRCH);
        destroy.local = connection.local;
        destroy.remote.port++;
        assert_int_equal(scene_do(scene, destroy), -ESRCH);
}

static void test_destroy_without_port_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action destroy = {
                .type = ACTION_DESTROY,
                .token = connection.token,
                .local = address_without_port(&connection.local),
                .remote = connection.remote,
        };

        assert_int_equal(scene_do(scene, destroy), -EINVAL);
        destroy.local = connection.local;
        destroy.remote.port = 0;
        assert_int_equal(scene_do(scene, destroy), -EINVAL);
}

/* Priority */

static uint32_t backup_of(struct scene *scene, const struct mptcp_event *subflow) {
        const struct snapshot_subflow *row = scene_subflow(scene_snapshot(scene), subflow);

        assert_non_null(row);
        return row->flags & SNAPSHOT_BKUP_LOC;
}

static void test_backup_is_set_and_cleared(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        struct action backup = destroy_of(&joined);

        backup.type = ACTION_BACKUP;
        backup.backup = 1;
        assert_int_equal(backup_of(scene, &joined), 0);
        assert_int_equal(scene_do(scene, backup), 0);
        assert_int_equal(backup_of(scene, &joined), SNAPSHOT_BKUP_LOC);
        backup.backup = 0;
        assert_int_equal(scene_do(scene, backup), 0);
        assert_int_equal(backup_of(scene, &joined), 0);
        assert_int_equal(scene_count(scene, EVENT_SUB_PRIORITY, 0), 0);
}

static void test_backup_set_again_stays(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        struct action backup = destroy_of(&joined);

        backup.type = ACTION_BACKUP;
        backup.backup = 1;
        for (int i = 0; i < 2; i++) {
                assert_int_equal(scene_do(scene, backup), 0);
                assert_int_equal(backup_of(scene, &joined), SNAPSHOT_BKUP_LOC);
        }
}

static void test_backup_initial_is_set(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event initial = { .token = connection.token,
                                             .local = connection.local,
                                             .remote = connection.remote };
        struct action backup = destroy_of(&initial);

        backup.type = ACTION_BACKUP;
        backup.backup = 1;
        assert_int_equal(scene_do(scene, backup), 0);
        assert_int_equal(backup_of(scene, &initial), SNAPSHOT_BKUP_LOC);
}

static void test_backup_unknown_subflow_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct action backup = {
                .type = ACTION_BACKUP,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 7777),
                .remote = connection.remote,
                .backup = 1,
        };

        assert_int_equal(scene_do(scene, backup), -EINVAL);
}

/* Announcing */

static struct action announce_of(const struct lab_connection *connection, enum lab_place place,
                                 uint8_t id) {
        return (struct action){ .type = ACTION_ANNOUNCE,
                                .token = connection->token,
                                .local = lab_address(place, connection->kind, 0),
                                .local_id = id };
}

static void test_announce_is_an_entry(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct action announce = announce_of(&connection, LAB_LTE, 5);
        const struct entry *entry;

        assert_int_equal(scene_do(scene, announce), 0);
        entry = scene_entry(scene_entries(scene, connection.token), 5);
        assert_non_null(entry);
        assert_int_equal(entry->flags, ENTRY_SIGNAL);
        scene_assert_address(&entry->address, &announce.local);
        assert_int_equal(scene_do(scene, announce), 0); /* once more is sent again */
}

static void test_announce_port_is_part_of_the_address(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action announce = announce_of(&connection, LAB_LTE, 5);

        announce.local.port = 8080;
        assert_int_equal(scene_do(scene, announce), 0);
        scene_assert_address(&scene_entry(scene_entries(scene, connection.token), 5)->address,
                             &announce.local);
        announce.local.port = 8081;
        assert_int_equal(scene_do(scene, announce), -EINVAL);
        announce.local_id = 6;
        assert_int_equal(scene_do(scene, announce), 0);
}

static void test_announce_before_established_is_an_entry(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
        assert_int_equal(scene_do(scene, announce_of(&connection, LAB_LTE, 5)), 0);
        assert_int_equal(scene_entries(scene, connection.token)->n, 1);
}

static void test_announce_id_0_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        assert_int_equal(scene_do(scene, announce_of(&connection, LAB_LTE, 0)), -EINVAL);
        assert_int_equal(scene_entries(scene, connection.token)->n, 0);
}

static void test_announce_id_of_other_address_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        (void)scene_join(scene, &connection, 5);
        assert_int_equal(scene_do(scene, announce_of(&connection, LAB_WIFI, 5)), -EINVAL);
        assert_int_equal(scene_do(scene, announce_of(&connection, LAB_LTE, 6)), -EINVAL);
        assert_int_equal(scene_entries(scene, connection.token)->n, 1);
}

/* Withdrawing */

static struct action withdraw_of(const struct lab_connection *connection, uint8_t id) {
        return (struct action){ .type = ACTION_WITHDRAW,
                                .token = connection->token,
                                .local_id = id };
}

static void test_withdraw_unknown_id_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        assert_int_equal(scene_do(scene, withdraw_of(&connection, 9)), -EINVAL);
}

static void test_withdraw_announced_deletes_the_entry(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        assert_int_equal(scene_do(scene, announce_of(&connection, LAB_LTE, 5)), 0);
        assert_int_equal(scene_do(scene, withdraw_of(&connection, 5)), 0);
        assert_int_equal(scene_entries(scene, connection.token)->n, 0);
        assert_int_equal(scene_do(scene, withdraw_of(&connection, 5)), -EINVAL);
}

/* It is the peer who closes the subflow. */
static void test_withdraw_with_subflow_closes_it(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        const struct mptcp_event *closed;

        assert_int_equal(scene_do(scene, withdraw_of(&connection, 5)), 0);
        closed = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        scene_assert_address(&closed->local, &joined.local);
        assert_int_equal(closed->error, 0);
        assert_int_equal(scene_entries(scene, connection.token)->n, 0);
}

static void test_withdraw_on_dead_path_leaves_the_subflow(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);

        lab_link(scene->lab, LAB_LTE, false);
        assert_int_equal(scene_do(scene, withdraw_of(&connection, 5)), 0);
        lab_exchange(scene->lab, &connection);
        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_SUB_CLOSED, connection.token), 0);
        assert_true(is_established(scene, &joined));
        assert_int_equal(scene_do(scene, destroy_of(&joined)), 0);
        (void)scene_await(scene, EVENT_SUB_CLOSED, connection.token);
}

/* Announcing it brings back an entry that a failed CREATE took away, and the peer is told. */
static void test_withdraw_announced_anew_closes_the_subflow(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        struct action announce = announce_of(&connection, LAB_LTE, 5);
        struct action withdraw = withdraw_of(&connection, 5);

        assert_int_equal(scene_do(scene, (struct action){ .type = ACTION_CREATE,
                                                          .token = connection.token,
                                                          .local = announce.local,
                                                          .remote = connection.remote,
                                                          .ifindex = 4711,
                                                          .local_id = 5 }),
                         -ENODEV);
        assert_int_equal(scene_do(scene, withdraw), -EINVAL);
        assert_int_equal(scene_submit(scene, &announce), 0);
        assert_int_equal(scene_submit(scene, &withdraw), 0);
        for (int i = 0; i < 2; i++)
                assert_int_equal(scene_await(scene, EVENT_OUTCOME, connection.token)->outcome.error,
                                 0);
        scene_assert_address(&scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp.local,
                             &joined.local);
        assert_int_equal(scene_entries(scene, connection.token)->n, 0);
}

static void test_withdraw_id_0_closes_the_initial_subflow(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        (void)scene_join(scene, &connection, 5);
        assert_int_equal(scene_do(scene, withdraw_of(&connection, 0)), 0);
        scene_assert_address(&scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp.local,
                             &connection.local);
}

int contract_action(void) {
        const struct CMUnitTest tests[] = {
                SCENE_TESTS(test_abort_closes_the_subflow_with_an_error),
                SCENE_TESTS(test_abort_unknown_is_not_found),
                SCENE_TEST(test_abort_unknown_spares_the_listener),
                SCENE_TEST(test_submit_unknown_token_is_invalid),
                SCENE_TEST(test_submit_kernel_path_manager_is_invalid),
                SCENE_TEST(test_submit_failure_has_the_kernels_words),
                SCENE_TEST(test_submit_many_outcomes_keep_their_order),
                SCENE_TEST(test_submit_behind_withdraws_keeps_its_order),
                SCENE_TEST(test_submit_too_many_is_again),
                SCENE_TESTS(test_destroy_gives_sub_closed),
                SCENE_TEST(test_destroy_one_of_two_deletes_the_entry),
                SCENE_TEST(test_destroy_then_create_with_the_same_id),
                SCENE_TESTS(test_destroy_initial_leaves_the_other_one),
                SCENE_TEST(test_destroy_the_only_one_then_create_goes_on),
                SCENE_TESTS(test_destroy_unknown_subflow_is_not_found),
                SCENE_TEST(test_destroy_without_port_is_invalid),
                SCENE_TESTS(test_backup_is_set_and_cleared),
                SCENE_TEST(test_backup_set_again_stays),
                SCENE_TESTS(test_backup_initial_is_set),
                SCENE_TESTS(test_backup_unknown_subflow_is_invalid),
                SCENE_TESTS(test_announce_is_an_entry),
                SCENE_TEST(test_announce_port_is_part_of_the_address),
                SCENE_TEST(test_announce_before_established_is_an_entry),
                SCENE_TEST(test_announce_id_0_is_invalid),
                SCENE_TEST(test_announce_id_of_other_address_is_invalid),
                SCENE_TEST(test_withdraw_unknown_id_is_invalid),
                SCENE_TEST(test_withdraw_announced_deletes_the_entry),
                SCENE_TESTS(test_withdraw_with_subflow_closes_it),
                SCENE_TESTS(test_withdraw_announced_anew_closes_the_subflow),
                SCENE_TEST(test_withdraw_on_dead_path_leaves_the_subflow),
                SCENE_TEST(test_withdraw_id_0_closes_the_initial_subflow),
        };

        return cmocka_run_group_tests_name("action", tests, NULL, NULL);
}
