/*
 * Contract: listeners of announced ports.
 */
#include "scene.h"

#include <errno.h>

#define ID        5u
#define STRANGERS 100

static struct action announce_of(const struct lab_connection *connection, enum lab_place place) {
        return (struct action){
                .type = ACTION_ANNOUNCE,
                .token = connection->token,
                .local = lab_address(place, connection->kind, LAB_PORT_ANNOUNCED),
                .local_id = ID,
                .listen = true,
        };
}

static struct action release_of(struct action announce) {
        announce.type = ACTION_RELEASE;
        return announce;
}

/*
 * ADD_ADDR with an IPv6 address and a port has no room beside timestamps: it is never sent, and
 * nobody is told (Linux 6.18).
 */
static void test_announce_port_takes_joins(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        const struct action announce = announce_of(&connection, LAB_LTE);
        const struct mptcp_event *joined;

        if (scene->kind == LAB_V6)
                skip();
        assert_int_equal(scene_do(scene, announce), 0);
        lab_peer_join_announced(scene->lab, &announce.local);
        joined = &scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token)->mptcp;
        scene_assert_address(&joined->local, &announce.local);
        assert_int_equal(joined->local_id, ID);
        assert_int_equal(scene_count_subflows(scene_snapshot(scene), connection.token), 2);
}

static void test_announce_port_join_outlives_the_listener(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        const struct action announce = announce_of(&connection, LAB_LTE);

        assert_int_equal(scene_do(scene, announce), 0);
        lab_peer_join_announced(scene->lab, &announce.local);
        (void)scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token);
        assert_true(lab_peer_knock(scene->lab, &announce.local));
        assert_int_equal(scene_do(scene, release_of(announce)), 0);
        assert_false(lab_peer_knock(scene->lab, &announce.local));
        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_SUB_CLOSED, connection.token), 0);
        assert_int_equal(scene_count_subflows(scene_snapshot(scene), connection.token), 2);
}

static void test_announce_port_is_shared_by_connections(void **state) {
        struct scene *scene = *state;
        struct lab_connection first = scene_server(scene), second = scene_server(scene);
        const struct action announces[] = { announce_of(&first, LAB_LTE),
                                            announce_of(&second, LAB_LTE) };

        assert_int_equal(scene_do(scene, announces[0]), 0);
        assert_int_equal(scene_do(scene, announces[1]), 0);
        assert_int_equal(scene_do(scene, release_of(announces[0])), 0);
        assert_true(lab_peer_knock(scene->lab, &announces[1].local));
        assert_int_equal(scene_do(scene, release_of(announces[1])), 0);
        assert_false(lab_peer_knock(scene->lab, &announces[1].local));
}

/* A release is of the connection and needs none that lives; one too many does nothing. */
static void test_release_after_the_end_closes(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        const struct action announce = announce_of(&connection, LAB_LTE);

        assert_int_equal(scene_do(scene, announce), 0);
        lab_close(scene->lab, &connection);
        assert_int_equal(scene_do(scene, release_of(announce)), 0);
        assert_false(lab_peer_knock(scene->lab, &announce.local));
        assert_int_equal(scene_do(scene, release_of(announce)), 0);
}

static void test_announce_port_in_use_fails(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        struct action announce = announce_of(&connection, LAB_WIFI);
        const struct outcome_event *outcome;

        announce.local.port = LAB_PORT_OWN;
        lab_listen(scene->lab);
        assert_int_equal(scene_submit(scene, &announce), 0);
        outcome = &scene_await(scene, EVENT_OUTCOME, connection.token)->outcome;
        assert_int_equal(outcome->error, -EADDRINUSE);
        assert_string_not_equal(outcome->message, "");
        assert_null(scene_entry(scene_entries(scene, connection.token), ID));
        /* It is a user all the same: the next one opens the listener. */
        lab_stop_listen(scene->lab);
        assert_int_equal(scene_do(scene, announce), 0);
        assert_int_equal(scene_do(scene, release_of(announce)), 0);
        assert_true(lab_peer_knock(scene->lab, &announce.local));
        assert_int_equal(scene_do(scene, release_of(announce)), 0);
        assert_false(lab_peer_knock(scene->lab, &announce.local));
}

static void test_announce_port_of_another_host_fails(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);

        assert_int_equal(scene_do(scene, announce_of(&connection, LAB_NOBODY)), -EADDRNOTAVAIL);
        assert_null(scene_entry(scene_entries(scene, connection.token), ID));
}

/* Those of programs are told, those of the daemon are not. */
static void test_announce_port_is_no_programs_listener(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct action announce = announce_of(&connection, LAB_LTE);

        scene_needs(scene, FEATURE_LISTENER_EVENTS);
        assert_int_equal(scene_do(scene, announce), 0);
        assert_int_equal(scene_do(scene, release_of(announce)), 0);
        lab_listen(scene->lab);
        lab_stop_listen(scene->lab);
        (void)scene_await(scene, EVENT_LISTENER_CLOSED, 0);
        scene_settle(scene);
        assert_int_equal(scene_count(scene, EVENT_LISTENER_CREATED, 0), 1);
        assert_int_equal(scene_count(scene, EVENT_LISTENER_CLOSED, 0), 1);
}

static void test_announce_port_sends_strangers_away(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_client(scene);
        const struct action announce = announce_of(&connection, LAB_LTE);
        int i = 0;

        assert_int_equal(scene_do(scene, announce), 0);
        assert_true(lab_peer_knock(scene->lab, &announce.local));
        while (!lab_peer_sent_away(scene->lab) && i++ < 1000)
                (void)scene_snapshot(scene);
        assert_true(lab_peer_sent_away(scene->lab));
}

/* However many come before we have looked. */
static void test_announce_port_strangers_dont_keep_joins_out(void **state) {
        struct scene *scene = *state;
        struct lab_connection connection = scene_server(scene);
        const struct action announce = announce_of(&connection, LAB_LTE);

        assert_int_equal(scene_do(scene, announce), 0);
        for (int i = 0; i < STRANGERS; i++)
                assert_true(lab_peer_knock(scene->lab, &announce.local));
        lab_peer_join_announced(scene->lab, &announce.local);
        (void)scene_await(scene, EVENT_SUB_ESTABLISHED, connection.token);
}

int contract_listen(void) {
        const struct CMUnitTest tests[] = {
                SCENE_TESTS(test_announce_port_takes_joins),
                SCENE_TEST(test_announce_port_join_outlives_the_listener),
                SCENE_TEST(test_announce_port_is_shared_by_connections),
                SCENE_TEST(test_release_after_the_end_closes),
                SCENE_TEST(test_announce_port_in_use_fails),
                SCENE_TESTS(test_announce_port_of_another_host_fails),
                SCENE_TEST(test_announce_port_is_no_programs_listener),
                SCENE_TESTS(test_announce_port_sends_strangers_away),
                SCENE_TEST(test_announce_port_strangers_dont_keep_joins_out),
        };

        return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
