/*
 * Contract: events of connections and of what the peer does.
 */
#include "scene.h"

#include <errno.h>

static void assert_initial(const struct mptcp_event *event, const struct lab_connection *connection,
                           uint32_t flags) {
        assert_int_equal(event->flags, flags);
        scene_assert_address(&event->local, &connection->local);
        scene_assert_address(&event->remote, &connection->remote);
        assert_int_equal(event->local_id, 0);
        assert_int_equal(event->remote_id, 0);
        assert_int_equal(event->error, 0);
        assert_int_equal(event->ifindex, 0);
        assert_false(event->backup);
        assert_false(event->reset);
}

static void test_created_client_is_followed_by_established(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
        assert_initial(&scene_await(scene, EVENT_CREATED, connection.token)->mptcp, &connection, 0);
        assert_int_equal(scene_count(scene, EVENT_ESTABLISHED, connection.token), 0);
        lab_exchange(scene->lab, &connection);
        assert_initial(&scene_await(scene, EVENT_ESTABLISHED, connection.token)->mptcp, &connection,
                       0);
}

static void test_created_server_is_followed_by_established(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_accept(scene->lab, scene->kind, &connection);
        assert_initial(&scene_await(scene, EVENT_CREATED, connection.token)->mptcp, &connection,
                       EVENT_MPTCP_SERVER);
        assert_initial(&scene_await(scene, EVENT_ESTABLISHED, connection.token)->mptcp, &connection,
                       EVENT_MPTCP_SERVER);
        assert_true(scene_place(scene, EVENT_CREATED, connection.token) <
                    scene_place(scene, EVENT_ESTABLISHED, connection.token));
}

/* RFC 8684, 3.1, flag C. */
static void test_created_peer_denies_joins_is_flagged(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_peer_deny(scene->lab);
        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
        assert_initial(&scene_await(scene, EVENT_CREATED, connection.token)->mptcp, &connection,
                       EVENT_MPTCP_DENY_JOIN_INITIAL);
}

static void test_closed_with_two_subflows_is_the_only_event(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        (void)scene_join(scene, &connection, 5);
        lab_close(scene->lab, &connection);
        (void)scene_await(scene, EVENT_CLOSED, connection.token);
        assert_int_equal(scene_count(scene, EVENT_SUB_CLOSED, connection.token), 0);
}

static void test_fastclose_gives_no_event(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        lab_fastclose(scene->lab, &connection);
        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_CLOSED, connection.token), 0);
        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_OPEN), -EINVAL);
        assert_null(scene_row(scene_snapshot(scene), connection.token));
}

static void test_fallback_gives_no_event(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_connect(scene->lab, scene->kind, LAB_PORT_PLAIN, &connection);
        lab_exchange(scene->lab, &connection);
        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_CREATED, 0), 1); /* that of scene_settle() */
}

/* Announcements */

static void assert_announced(struct scene *scene, const struct lab_connection *connection) {
        const struct mptcp_event *event =
                        &scene_await(scene, EVENT_ANNOUNCED, connection->token)->mptcp;
        const struct mptcpize_address want =
                        lab_address(LAB_PEER_SECOND, connection->kind, connection->remote.port);

        assert_int_equal(event->remote_id, LAB_PEER_ID);
        scene_assert_address(&event->remote, &want);
}

static void test_announced_has_id_address_and_port(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        lab_peer_announce(scene->lab, scene->kind);
        assert_announced(scene, &connection);
}

static void test_removed_has_id(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        lab_peer_announce(scene->lab, scene->kind);
        assert_announced(scene, &connection);
        lab_peer_remove(scene->lab, scene->kind);
        assert_int_equal(scene_await(scene, EVENT_REMOVED, connection.token)->mptcp.remote_id,
                         LAB_PEER_ID);
        assert_int_equal(scene_count(scene, EVENT_SUB_CLOSED, connection.token), 0);
}

static void test_removed_with_subflow_closes_it(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 0),
                .remote = lab_address(LAB_PEER_SECOND, scene->kind, LAB_PORT_OPEN),
                .ifindex = lab_ifindex(scene->lab, LAB_LTE),
                .local_id = 5,
        };
        const struct mptcp_event *event;

        lab_peer_announce(scene->lab, scene->kind);
        assert_announced(scene, &connection);
        assert_int_equal(scene_do(scene, create), 0);
        event = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        assert_int_equal(event->remote_id, LAB_PEER_ID);
        scene_assert_address(&event->remote, &create.remote);
        lab_peer_remove(scene->lab, scene->kind);
        (void)scene_await(scene, EVENT_REMOVED, connection.token);
        event = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        scene_assert_address(&event->remote, &create.remote);
}

/* Joins of the peer */

static void test_peer_join_gives_sub_established(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        const struct mptcpize_address from = lab_address(LAB_PEER_SECOND, scene->kind, 0);
        const struct mptcp_event *event;
        const struct snapshot_subflow *subflow;

        lab_peer_join(scene->lab, scene->kind);
        event = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        scene_assert_address(&event->local, &connection.local);
        assert_true(address_same_host(&event->remote, &from));
        assert_int_equal(event->local_id, 0);
        assert_int_equal(event->remote_id, LAB_PEER_ID);
        assert_int_equal(event->ifindex, 0);
        assert_int_equal(event->error, 0);
        subflow = scene_subflow(scene_snapshot(scene), event);
        assert_non_null(subflow);
        assert_int_equal(subflow->flags & (SNAPSHOT_JOIN_REM | SNAPSHOT_JOIN_LOC),
                         SNAPSHOT_JOIN_REM);
}

static void test_peer_backup_gives_sub_priority(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        struct mptcp_event joined;
        const struct mptcp_event *event;

        lab_peer_join(scene->lab, scene->kind);
        joined = scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        assert_false(joined.backup);
        lab_peer_backup(scene->lab, scene->kind);
        event = &scene_await(scene, EVENT_SUB_PRIORITY, connection.token)->mptcp;
        assert_true(event->backup);
        scene_assert_address(&event->local, &joined.local);
        scene_assert_address(&event->remote, &joined.remote);
        assert_int_equal(event->remote_id, LAB_PEER_ID);
        assert_int_equal(scene_subflow(scene_snapshot(scene), &joined)->flags &
                                         (SNAPSHOT_BKUP_LOC | SNAPSHOT_BKUP_REM),
                         SNAPSHOT_BKUP_REM);
}

static void test_peer_reset_gives_sub_closed_with_reason(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        const struct mptcp_event *closed;

        if (!lab_peer_reset(scene->lab, &joined))
                skip();
        closed = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        scene_assert_address(&closed->local, &joined.local);
        scene_assert_address(&closed->remote, &joined.remote);
        assert_int_equal(closed->local_id, 5);
        assert_int_equal(closed->error, ECONNRESET);
        assert_true(closed->reset);
        assert_int_equal(closed->reset_reason, 0);
        assert_non_null(scene_entry(scene_entries(scene, connection.token), 5));
}

static void test_listener_gives_created_and_closed(void **state) {
        struct scene *scene = *state;
        const struct mptcpize_address own = lab_address(LAB_WIFI, LAB_V4, LAB_PORT_OWN);

        scene_needs(scene, FEATURE_LISTENER_EVENTS);
        lab_listen(scene->lab);
        scene_assert_address(&scene_await(scene, EVENT_LISTENER_CREATED, 0)->mptcp.local, &own);
        lab_stop_listen(scene->lab);
        scene_assert_address(&scene_await(scene, EVENT_LISTENER_CLOSED, 0)->mptcp.local, &own);
}

static void test_listener_without_events_gives_none(void **state) {
        struct scene *scene = *state;

        if (scene->kern->features.states[FEATURE_LISTENER_EVENTS] == FEATURE_WORKS)
                skip();
        lab_listen(scene->lab);
        lab_stop_listen(scene->lab);
        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_LISTENER_CREATED, 0), 0);
}

static void test_overrun_many_lost_is_one_event(void **state) {
        struct scene *scene = *state;
        const unsigned int n = lab_shrink(scene->lab);

        for (unsigned int i = 0; i < n; i++) {
                struct lab_connection connection;

                lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
                lab_close(scene->lab, &connection);
        }
        (void)scene_await(scene, EVENT_OVERRUN, 0);
        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_OVERRUN, 0), 1);
        assert_true(scene_count(scene, EVENT_CREATED, 0) < n);
}

int contract_connection(void) {
        const struct CMUnitTest tests[] = {
                SCENE_TESTS(test_created_client_is_followed_by_established),
                SCENE_TESTS(test_created_server_is_followed_by_established),
                SCENE_TEST(test_created_peer_denies_joins_is_flagged),
                SCENE_TESTS(test_closed_with_two_subflows_is_the_only_event),
                SCENE_TEST(test_fastclose_gives_no_event),
                SCENE_TEST(test_fallback_gives_no_event),
                SCENE_TESTS(test_announced_has_id_address_and_port),
                SCENE_TEST(test_removed_has_id),
                SCENE_TESTS(test_removed_with_subflow_closes_it),
                SCENE_TESTS(test_peer_join_gives_sub_established),
                SCENE_TEST(test_peer_backup_gives_sub_priority),
                SCENE_TEST(test_peer_reset_gives_sub_closed_with_reason),
                SCENE_TEST(test_listener_gives_created_and_closed),
                SCENE_TEST(test_listener_without_events_gives_none),
                SCENE_TEST(test_overrun_many_lost_is_one_event),
        };

        return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
