/*
 * Contract: ACTION_CREATE.
 */
#include "scene.h"

#include <errno.h>

#define SYN_SENT 2 /* include/net/tcp_states.h */

static void test_create_gives_sub_established(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event event = scene_join(scene, &connection, 5);
        const struct mptcpize_address local = lab_address(LAB_LTE, scene->kind, event.local.port);
        const struct mptcpize_address remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN);

        assert_int_not_equal(event.local.port, 0);
        scene_assert_address(&event.local, &local);
        scene_assert_address(&event.remote, &remote);
        assert_int_equal(event.local_id, 5);
        assert_int_equal(event.remote_id, 0);
        assert_int_equal(event.error, 0);
        assert_false(event.backup);
        assert_int_not_equal(scene->kern->features.states[FEATURE_JOIN_INTERFACE], FEATURE_UNKNOWN);
        scene_needs(scene, FEATURE_JOIN_INTERFACE);
        assert_int_equal(event.ifindex, lab_ifindex(scene->lab, LAB_LTE));
}

static void test_create_without_device_has_no_ifindex(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_WIFI, scene->kind, 0),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
        };
        const struct mptcp_event *event;

        assert_int_equal(scene_do(scene, create), 0);
        event = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        assert_int_equal(event->ifindex, 0);
        assert_int_equal(event->local_id, 0);
}

/* Linux tells what the peer asked for in events, and what we asked for in sock_diag. */
static void test_create_backup_is_in_the_snapshot_only(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 0),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .ifindex = lab_ifindex(scene->lab, LAB_LTE),
                .local_id = 5,
                .backup = 1,
        };
        const struct mptcp_event *event;

        assert_int_equal(scene_do(scene, create), 0);
        event = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        assert_false(event->backup);
        scene_needs(scene, FEATURE_JOIN_INTERFACE);
        assert_int_equal(scene_subflow(scene_snapshot(scene), event)->flags &
                                         (SNAPSHOT_BKUP_LOC | SNAPSHOT_BKUP_REM),
                         SNAPSHOT_BKUP_LOC);
}

static void test_create_as_server_to_shut_port_is_refused(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        const struct mptcp_event *event;

        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_SHUT), 0);
        event = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        assert_int_equal(event->error, ECONNREFUSED);
}

/* Failures that the kernel tells at once */

static void assert_no_trace(struct scene *scene, uint32_t token) {
        assert_int_equal(scene_entries(scene, token)->n, 0);
        assert_int_equal(scene_count(scene, EVENT_SUB_ESTABLISHED, token), 0);
        assert_int_equal(scene_count(scene, EVENT_SUB_CLOSED, token), 0);
}

static void test_create_before_established_is_not_connected(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_OPEN), -ENOTCONN);
        assert_no_trace(scene, connection.token);
}

static void test_create_foreign_address_is_not_available(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_NOBODY, scene->kind, 0),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .ifindex = lab_ifindex(scene->lab, LAB_WIFI),
                .local_id = 5,
        };

        assert_int_equal(scene_do(scene, create), -EADDRNOTAVAIL);
        assert_no_trace(scene, connection.token);
}

static void test_create_bad_ifindex_is_no_device(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 0),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .ifindex = 4711,
                .local_id = 5,
        };
        int r;

        r = scene_do(scene, create);
        scene_needs(scene, FEATURE_JOIN_INTERFACE);
        assert_int_equal(r, -ENODEV);
        assert_no_trace(scene, connection.token);
}

static void test_create_link_down_is_unreachable(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        int r;

        lab_link(scene->lab, LAB_LTE, false);
        r = scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_OPEN);
        scene_needs(scene, FEATURE_JOIN_INTERFACE);
        assert_int_equal(r, -ENETUNREACH);
        assert_no_trace(scene, connection.token);
}

static struct snapshot_subflow pending_of(const struct snapshot *snapshot, uint32_t token) {
        for (size_t i = 0; i < snapshot->subflows.n; i++)
                if (snapshot->subflows.items[i].token == token &&
                    snapshot->subflows.items[i].flags & SNAPSHOT_JOIN_LOC)
                        return snapshot->subflows.items[i];
        fail_msg("no join of token %#x", token);
        return (struct snapshot_subflow){ 0 };
}

/* The kernel does not look at it. */
static void test_create_no_carrier_is_pending(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        lab_carrier(scene->lab, LAB_LTE, false);
        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_OPEN), 0);
        assert_int_equal(pending_of(scene_snapshot(scene), connection.token).state, SYN_SENT);
        assert_int_equal(scene_count(scene, EVENT_SUB_ESTABLISHED, connection.token), 0);
}

static void test_create_no_route_is_unreachable(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 0),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .local_id = 5,
        };

        lab_unroute(scene->lab, LAB_WIFI, scene->kind);
        lab_unroute(scene->lab, LAB_LTE, scene->kind);
        assert_int_equal(scene_do(scene, create), -ENETUNREACH);
        assert_no_trace(scene, connection.token);
}

/* With a device and no route on it IPv6 gives up, and IPv4 asks for the peer on that link. */
static void test_create_no_route_on_device_is_unreachable_v6_pending_v4(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const int error = scene->kind == LAB_V6 ? -ENETUNREACH : 0;
        int r;

        lab_unroute(scene->lab, LAB_LTE, scene->kind);
        r = scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_OPEN);
        scene_needs(scene, FEATURE_JOIN_INTERFACE);
        assert_int_equal(r, error);
        assert_int_equal(scene_count_subflows(scene_snapshot(scene), connection.token),
                         scene->kind == LAB_V6 ? 1 : 2);
}

static void test_create_id_of_other_address_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        (void)scene_join(scene, &connection, 5);
        assert_int_equal(scene_create(scene, &connection, LAB_WIFI, 5, LAB_PORT_OPEN), -EINVAL);
}

static void test_create_address_with_other_id_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        (void)scene_join(scene, &connection, 5);
        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 6, LAB_PORT_OPEN), -EINVAL);
        /* The same pair again is fine. */
        (void)scene_join(scene, &connection, 5);
}

/* It is not in the list, so the kernel does not mind; another one can have id 0, too. */
static void test_create_initial_address_may_have_another_id(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event *event;

        assert_int_equal(scene_create(scene, &connection, LAB_WIFI, 6, LAB_PORT_OPEN), 0);
        event = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        assert_int_equal(event->local_id, 6);
        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 0, LAB_PORT_OPEN), 0);
        event = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        assert_int_equal(event->local_id, 0);
        assert_int_equal(scene_entries(scene, connection.token)->n, 2);
}

/* A failure takes the entry away, also if an earlier subflow made it. */
static void test_create_failure_forgets_the_address(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 0),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .ifindex = 4711,
                .local_id = 5,
        };

        (void)scene_join(scene, &connection, 5);
        assert_int_equal(scene_do(scene, create), -ENODEV);
        assert_int_equal(scene_entries(scene, connection.token)->n, 0);
        assert_int_equal(scene_do(scene, (struct action){ .type = ACTION_WITHDRAW,
                                                          .token = connection.token,
                                                          .local_id = 5 }),
                         -EINVAL);
}

static void test_create_local_port_is_taken(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 7777),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .ifindex = lab_ifindex(scene->lab, LAB_LTE),
                .local_id = 5,
        };

        assert_int_equal(scene_do(scene, create), 0);
        scene_assert_address(
                        &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp.local,
                        &create.local);
        scene_assert_address(&scene_entry(scene_entries(scene, connection.token), 5)->address,
                             &create.local);
        assert_int_equal(scene_do(scene, create), -EADDRINUSE);
}

/* With its port it is another address than without, and needs an id of its own. */
static void test_create_from_a_port_beside_another_has_its_own_id(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, scene->kind, 7778),
                .remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_OPEN),
                .ifindex = lab_ifindex(scene->lab, LAB_LTE),
                .local_id = 5,
        };
        const struct entries_event *entries;
        const struct mptcp_event *event;

        (void)scene_join(scene, &connection, 5);
        assert_int_equal(scene_do(scene, create), -EINVAL);
        create.local_id = 6;
        assert_int_equal(scene_do(scene, create), 0);
        event = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        scene_assert_address(&event->local, &create.local);
        assert_int_equal(event->local_id, 6);
        entries = scene_entries(scene, connection.token);
        assert_int_equal(scene_entry(entries, 5)->address.port, 0);
        assert_int_equal(scene_entry(entries, 6)->address.port, 7778);
}

static void test_create_v6_on_v4_is_invalid(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action create = {
                .type = ACTION_CREATE,
                .token = connection.token,
                .local = lab_address(LAB_LTE, LAB_V6, 0),
                .remote = lab_address(LAB_PEER, LAB_V6, LAB_PORT_OPEN),
                .ifindex = lab_ifindex(scene->lab, LAB_LTE),
                .local_id = 5,
        };

        assert_int_equal(scene_do(scene, create), -EINVAL);
        create.remote = lab_address(LAB_PEER, LAB_V4, LAB_PORT_OPEN);
        assert_int_equal(scene_do(scene, create), -EINVAL);
        assert_no_trace(scene, connection.token);
}

static void test_create_in_fallback_is_not_connected(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;
        const struct snapshot *snapshot;

        lab_connect(scene->lab, scene->kind, LAB_PORT_PLAIN, &connection);
        lab_exchange(scene->lab, &connection);
        snapshot = scene_snapshot(scene);
        assert_int_equal(snapshot->connections.n, 1);
        connection.token = snapshot->connections.items[0].token;
        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_OPEN), -ENOTCONN);
}

/* Failures that come later, as events */

static void test_create_refused_port_gives_sub_closed(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcpize_address remote = lab_address(LAB_PEER, scene->kind, LAB_PORT_SHUT);
        const struct mptcp_event *event;
        struct mptcpize_address local;

        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_SHUT), 0);
        event = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        local = lab_address(LAB_LTE, scene->kind, event->local.port);
        assert_int_not_equal(event->local.port, 0);
        scene_assert_address(&event->local, &local);
        scene_assert_address(&event->remote, &remote);
        assert_int_equal(event->error, ECONNREFUSED);
        assert_int_equal(event->local_id, 5);
        assert_int_equal(event->remote_id, 0);
        assert_int_equal(event->ifindex, lab_ifindex(scene->lab, LAB_LTE));
        /* The kernel remembers the pair of address and id. */
        assert_non_null(scene_entry(scene_entries(scene, connection.token), 5));
}

static void test_create_over_peers_limit_is_established_then_closed(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;
        struct mptcp_event joined;
        const struct mptcp_event *closed;

        lab_peer_limit(scene->lab);
        connection = scene_client(scene);
        joined = scene_join(scene, &connection, 5);
        closed = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        scene_assert_address(&closed->local, &joined.local);
        scene_assert_address(&closed->remote, &joined.remote);
        assert_int_equal(closed->local_id, 5);
        assert_int_equal(closed->error, 0);
        assert_false(closed->reset);
}

static void test_create_unanswered_is_pending_until_destroyed(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcpize_address remote = lab_address(LAB_PEER, scene->kind, 0);
        struct snapshot_subflow pending;
        const struct mptcp_event *closed;
        struct action destroy = { .type = ACTION_DESTROY, .token = connection.token };

        lab_peer_silent(scene->lab);
        assert_int_equal(scene_create(scene, &connection, LAB_LTE, 5, LAB_PORT_OPEN), 0);
        pending = pending_of(scene_snapshot(scene), connection.token);
        assert_int_equal(pending.state, SYN_SENT);
        assert_int_equal(pending.local_id, 5);
        assert_int_equal(pending.flags & SNAPSHOT_JOIN_REM, 0);
        destroy.local = pending.local;
        destroy.remote = pending.remote;
        assert_int_equal(scene_do(scene, destroy), 0);
        closed = &scene_await(scene, EVENT_SUB_CLOSED, connection.token)->mptcp;
        scene_assert_address(&closed->local, &destroy.local);
        scene_assert_address(&closed->remote, &remote); /* its port is lost */
        assert_int_equal(closed->error, ECONNRESET);
        assert_false(closed->reset);
}

int contract_create(void) {
        const struct CMUnitTest tests[] = {
                SCENE_TESTS(test_create_gives_sub_established),
                SCENE_TEST(test_create_without_device_has_no_ifindex),
                SCENE_TESTS(test_create_backup_is_in_the_snapshot_only),
                SCENE_TEST(test_create_as_server_to_shut_port_is_refused),
                SCENE_TESTS(test_create_before_established_is_not_connected),
                SCENE_TESTS(test_create_foreign_address_is_not_available),
                SCENE_TESTS(test_create_bad_ifindex_is_no_device),
                SCENE_TEST(test_create_link_down_is_unreachable),
                SCENE_TESTS(test_create_no_carrier_is_pending),
                SCENE_TESTS(test_create_no_route_is_unreachable),
                SCENE_TESTS(test_create_no_route_on_device_is_unreachable_v6_pending_v4),
                SCENE_TESTS(test_create_id_of_other_address_is_invalid),
                SCENE_TESTS(test_create_address_with_other_id_is_invalid),
                SCENE_TESTS(test_create_initial_address_may_have_another_id),
                SCENE_TEST(test_create_failure_forgets_the_address),
                SCENE_TEST(test_create_local_port_is_taken),
                SCENE_TEST(test_create_from_a_port_beside_another_has_its_own_id),
                SCENE_TEST(test_create_v6_on_v4_is_invalid),
                SCENE_TEST(test_create_in_fallback_is_not_connected),
                SCENE_TESTS(test_create_refused_port_gives_sub_closed),
                SCENE_TEST(test_create_over_peers_limit_is_established_then_closed),
                SCENE_TEST(test_create_unanswered_is_pending_until_destroyed),
        };

        return cmocka_run_group_tests_name("create", tests, NULL, NULL);
}
