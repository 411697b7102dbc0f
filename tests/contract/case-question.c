/*
 * Contract: query, snapshot, measure(), owner().
 */
#include "scene.h"

#include <errno.h>

#define ESTABLISHED 1 /* include/net/tcp_states.h */

static struct mptcp_event initial_of(const struct lab_connection *connection) {
        return (struct mptcp_event){ .token = connection->token,
                                     .local = connection->local,
                                     .remote = connection->remote };
}

/* Query. What it says of unknown tokens and the kernel's connections: case-action.c. */

static void test_query_lists_entries_but_not_the_initial(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcpize_address lte = lab_address(LAB_LTE, scene->kind, 0);
        const struct entries_event *entries;

        assert_int_equal(scene_entries(scene, connection.token)->n, 0);
        (void)scene_join(scene, &connection, 5);
        entries = scene_entries(scene, connection.token);
        assert_int_equal(entries->n, 1);
        assert_int_equal(entries->entries[0].id, 5);
        assert_int_equal(entries->entries[0].flags & ENTRY_SIGNAL, 0);
        scene_assert_address(&entries->entries[0].address, &lte);
}

/* The outcome comes behind what it is the outcome of. */
static void test_query_entries_come_before_the_outcome(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        (void)scene_entries(scene, connection.token);
        assert_true(scene_place(scene, EVENT_ENTRIES, connection.token) <
                    scene_place(scene, EVENT_OUTCOME, connection.token));
}

/* What it has to be asked for is known before there is any connection. */
static void test_features_are_known_at_the_start(void **state) {
        static const enum feature asked[] = { FEATURE_LISTENER_EVENTS, FEATURE_ADDRESS_LISTS,
                                              FEATURE_SEQUENCES };
        struct scene *scene = *state;

        for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
                assert_int_not_equal(scene->kern->features.states[asked[i]], FEATURE_UNKNOWN);
}

/* The moment's listener that asks for events is no program's. */
static void test_features_asking_leaves_no_events(void **state) {
        struct scene *scene = *state;

        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_LISTENER_CREATED, 0), 0);
        assert_int_equal(scene_count(scene, EVENT_LISTENER_CLOSED, 0), 0);
}

/* Snapshot */

static void test_snapshot_client_has_connection_and_subflows(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event initial = initial_of(&connection);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        const struct snapshot *snapshot = scene_snapshot(scene);
        const struct snapshot_connection *row = scene_row(snapshot, connection.token);
        const struct snapshot_subflow *first = scene_subflow(snapshot, &initial);
        const struct snapshot_subflow *second = scene_subflow(snapshot, &joined);

        assert_int_equal(snapshot->connections.n, 1);
        assert_non_null(row);
        assert_int_equal(row->flags, 0);
        assert_int_equal(row->uid, lab_uid());
        assert_int_equal(row->state, ESTABLISHED);
        scene_assert_address(&row->local, &connection.local);
        scene_assert_address(&row->remote, &connection.remote);
        assert_int_equal(snapshot->subflows.n, 2);
        assert_non_null(first);
        assert_int_equal(first->state, ESTABLISHED);
        assert_int_equal(first->local_id, 0);
        assert_int_equal(first->flags & (SNAPSHOT_MCAP_LOC | SNAPSHOT_JOIN_LOC | SNAPSHOT_JOIN_REM),
                         SNAPSHOT_MCAP_LOC);
        assert_non_null(second);
        assert_int_equal(second->state, ESTABLISHED);
        assert_int_equal(second->local_id, 5);
        assert_int_equal(second->remote_id, 0);
        assert_int_equal(second->flags & (SNAPSHOT_MCAP_LOC | SNAPSHOT_JOIN_LOC),
                         SNAPSHOT_JOIN_LOC);
        scene_needs(scene, FEATURE_JOIN_INTERFACE);
        assert_int_equal(second->ifindex, lab_ifindex(scene->lab, LAB_LTE));
}

static void test_snapshot_established_shows_in_the_initial_subflow(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;
        struct mptcp_event initial;

        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
        initial = initial_of(&connection);
        assert_int_equal(scene_subflow(scene_snapshot(scene), &initial)->flags & SNAPSHOT_FULLY_EST,
                         0);
        lab_exchange(scene->lab, &connection);
        (void)scene_await(scene, EVENT_ESTABLISHED, connection.token);
        assert_int_equal(scene_subflow(scene_snapshot(scene), &initial)->flags & SNAPSHOT_FULLY_EST,
                         SNAPSHOT_FULLY_EST);
}

static void test_snapshot_server_did_not_open_it(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        const struct mptcp_event initial = initial_of(&connection);
        const struct snapshot *snapshot = scene_snapshot(scene);
        const struct snapshot_subflow *subflow = scene_subflow(snapshot, &initial);

        /* The listener is none. */
        assert_int_equal(snapshot->connections.n, 1);
        scene_assert_address(&snapshot->connections.items[0].local, &connection.local);
        assert_non_null(subflow);
        assert_int_equal(subflow->flags & (SNAPSHOT_MCAP_LOC | SNAPSHOT_JOIN_LOC |
                                           SNAPSHOT_JOIN_REM | SNAPSHOT_FULLY_EST),
                         SNAPSHOT_FULLY_EST);
}

static void test_snapshot_plain_peer_is_fallback(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;
        const struct snapshot *snapshot;

        lab_connect(scene->lab, scene->kind, LAB_PORT_PLAIN, &connection);
        lab_exchange(scene->lab, &connection);
        snapshot = scene_snapshot(scene);
        assert_int_equal(snapshot->connections.n, 1);
        assert_int_equal(snapshot->connections.items[0].flags, SNAPSHOT_FALLBACK);
        assert_int_equal(snapshot->connections.items[0].uid, lab_uid());
        scene_assert_address(&snapshot->connections.items[0].local, &connection.local);
}

static void test_snapshot_empty_host_is_empty(void **state) {
        struct scene *scene = *state;
        const struct snapshot *snapshot = scene_snapshot(scene);

        assert_int_equal(snapshot->connections.n, 0);
        assert_int_equal(snapshot->subflows.n, 0);
}

/* Measuring */

static int measure(struct scene *scene, const struct mptcp_event *subflow, int32_t ifindex,
                   struct measure *ret_measure) {
        return scene->kern->ops->measure(scene->kern, &subflow->local, &subflow->remote, ifindex,
                                         ret_measure);
}

static void test_measure_initial_subflow_is_found(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event initial = initial_of(&connection);
        struct measure result = { .rtt_usec = UINT32_MAX };

        /* It isn't bound to a device, so any will do. */
        assert_int_equal(measure(scene, &initial, lab_ifindex(scene->lab, LAB_WIFI), &result), 0);
        assert_true(result.rtt_usec < UINT32_MAX);
        assert_int_equal(result.retransmits, 0);
        assert_int_equal(result.backoff, 0);
        assert_int_equal(measure(scene, &initial, 0, &result), 0);
}

static void test_measure_bound_subflow_is_found_by_its_device(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        struct measure result;

        scene_needs(scene, FEATURE_JOIN_INTERFACE);
        assert_int_equal(measure(scene, &joined, joined.ifindex, &result), 0);
        assert_int_equal(measure(scene, &joined, lab_ifindex(scene->lab, LAB_WIFI), &result),
                         -ENOENT);
}

static void test_measure_unknown_subflow_is_not_found(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        struct mptcp_event subflow = initial_of(&connection);
        struct measure result = { .rtt_usec = 1234 };

        subflow.remote.port++;
        assert_int_equal(measure(scene, &subflow, 0, &result), -ENOENT);
        subflow.local = lab_address(LAB_LTE, scene->kind, 7777);
        assert_int_equal(measure(scene, &subflow, 0, &result), -ENOENT);
        assert_int_equal(result.rtt_usec, 1234);
}

/* The same as an action, which never makes the loop wait. */

static struct action measure_action(const struct mptcp_event *subflow) {
        return (struct action){ .type = ACTION_MEASURE,
                                .token = subflow->token,
                                .local = subflow->local,
                                .remote = subflow->remote,
                                .ifindex = subflow->ifindex };
}

static void test_measure_action_gives_numbers_before_the_outcome(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event initial = initial_of(&connection);
        const struct measured_event *measured;

        assert_int_equal(scene_do(scene, measure_action(&initial)), 0);
        assert_true(scene_place(scene, EVENT_MEASURED, connection.token) <
                    scene_place(scene, EVENT_OUTCOME, connection.token));
        measured = &scene_await(scene, EVENT_MEASURED, connection.token)->measured;
        scene_assert_address(&measured->local, &initial.local);
        scene_assert_address(&measured->remote, &initial.remote);
        assert_int_equal(measured->measure.retransmits, 0);
        assert_int_equal(measured->measure.unacked, 0);
}

static void test_measure_action_finds_a_bound_subflow(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);

        assert_int_equal(scene_do(scene, measure_action(&joined)), 0);
        assert_int_equal(scene_count(scene, EVENT_MEASURED, connection.token), 1);
}

static void test_measure_action_unknown_subflow_is_not_found(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct mptcp_event subflow = initial_of(&connection);

        subflow.remote.port++;
        assert_int_equal(scene_do(scene, measure_action(&subflow)), -ENOENT);
        assert_int_equal(scene_count(scene, EVENT_MEASURED, 0), 0);
}

/* Owner */

static void test_owner_is_that_of_the_socket(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct ownership owner = { .uid = UINT32_MAX };

        assert_int_equal(scene->kern->ops->owner(scene->kern, connection.token, &owner), 0);
        assert_int_equal(owner.uid, lab_uid());
        assert_int_not_equal(owner.inode, 0);
        assert_int_not_equal(owner.cookie, 0);
        if (scene->kind != LAB_MAPPED) /* the fake has no sockets, only addresses */
                assert_true(owner.ipv4 == (scene->kind == LAB_V4));
}

static void test_owner_unknown_token_is_not_found(void **state) {
        struct scene *scene = *state;
        struct ownership owner = { .uid = 4711 };

        assert_int_equal(scene->kern->ops->owner(scene->kern, 0xbad, &owner), -ENOENT);
        assert_int_equal(scene->kern->ops->owner(scene->kern, 0, &owner), -ENOENT);
        assert_int_equal(owner.uid, 4711);
}

/* Sequence numbers, which both ends must see in the same way */

static void assert_numbers(struct scene *scene, const struct lab_connection *connection) {
        const struct ownership peer = lab_peer_owner(scene->lab, connection);
        struct ownership owner;

        scene_needs(scene, FEATURE_SEQUENCES);
        assert_int_equal(scene->kern->ops->owner(scene->kern, connection->token, &owner), 0);
        assert_true(owner.idsn_local != 0 && owner.idsn_remote != 0);
        assert_true(owner.idsn_local != owner.idsn_remote);
        assert_true(owner.idsn_local == peer.idsn_remote);
        assert_true(owner.idsn_remote == peer.idsn_local);
}

static void test_owner_numbers_are_the_peers(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_connect(scene->lab, scene->kind, LAB_PORT_OPEN, &connection);
        assert_numbers(scene, &connection);
        lab_exchange(scene->lab, &connection);
        assert_numbers(scene, &connection);
}

static void test_owner_numbers_of_a_server_are_the_peers(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection;

        lab_accept(scene->lab, scene->kind, &connection);
        assert_numbers(scene, &connection);
        lab_exchange(scene->lab, &connection);
        assert_numbers(scene, &connection);
}

static void test_owner_numbers_stay_when_data_flows_and_ends(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct ownership before, after;

        assert_int_equal(scene->kern->ops->owner(scene->kern, connection.token, &before), 0);
        for (int i = 0; i < 100; i++)
                lab_exchange(scene->lab, &connection);
        assert_int_equal(scene->kern->ops->owner(scene->kern, connection.token, &after), 0);
        assert_true(before.idsn_local == after.idsn_local);
        assert_true(before.idsn_remote == after.idsn_remote);
        if (!lab_peer_shutdown(scene->lab, &connection))
                return;
        assert_int_equal(scene->kern->ops->owner(scene->kern, connection.token, &after), 0);
        assert_true(before.idsn_local == after.idsn_local);
        assert_true(before.idsn_remote == after.idsn_remote);
}

static void test_measure_join_has_the_token_of_the_peer(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct mptcp_event joined = scene_join(scene, &connection, 5);
        struct measure result = { .remote_token = 0 };

        assert_int_equal(measure(scene, &joined, joined.ifindex, &result), 0);
        assert_int_equal(result.remote_token, lab_peer_token(scene->lab, &connection));
}

int contract_question(void) {
        const struct CMUnitTest tests[] = {
                SCENE_TESTS(test_query_lists_entries_but_not_the_initial),
                SCENE_TEST(test_query_entries_come_before_the_outcome),
                SCENE_TEST(test_features_are_known_at_the_start),
                SCENE_TEST(test_features_asking_leaves_no_events),
                SCENE_TESTS(test_snapshot_client_has_connection_and_subflows),
                SCENE_TEST(test_snapshot_established_shows_in_the_initial_subflow),
                SCENE_TESTS(test_snapshot_server_did_not_open_it),
                SCENE_TEST(test_snapshot_plain_peer_is_fallback),
                SCENE_TEST(test_snapshot_empty_host_is_empty),
                SCENE_TESTS(test_measure_initial_subflow_is_found),
                SCENE_TESTS(test_measure_bound_subflow_is_found_by_its_device),
                SCENE_TESTS(test_measure_unknown_subflow_is_not_found),
                SCENE_TESTS(test_measure_action_gives_numbers_before_the_outcome),
                SCENE_TEST(test_measure_action_finds_a_bound_subflow),
                SCENE_TEST(test_measure_action_unknown_subflow_is_not_found),
                SCENE_TESTS(test_owner_is_that_of_the_socket),
                SCENE_TEST(test_owner_unknown_token_is_not_found),
                SCENE_TESTS(test_owner_numbers_are_the_peers),
                SCENE_TESTS(test_owner_numbers_of_a_server_are_the_peers),
                SCENE_TEST(test_owner_numbers_stay_when_data_flows_and_ends),
                SCENE_TESTS(test_measure_join_has_the_token_of_the_peer),
        };

        return cmocka_run_group_tests_name("question", tests, NULL, NULL);
}
