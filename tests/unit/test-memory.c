/*
 * core/memory: what is kept of connections and listeners, when, and what becomes of it after a
 * restart: another engine that is given the memory of the first.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

#define SERVER "203.0.113.1:80"
#define LTE    "198.51.100.1"
#define SLOTS  64u

/* Memory that is an array; of recalling it has another one. */
struct shelf {
        struct memo kept[SLOTS];
        struct memo last[SLOTS];
        uint32_t n_kept, n_last;
        unsigned int n_writes, n_settled;
        uint32_t dropped;
};

static struct shelf shelf;

static int shelf_keep(void *userdata, const struct memo *memo, uint32_t *slot) {
        struct shelf *self = userdata;

        if (!*slot)
                *slot = ++self->n_kept;
        assert_true(*slot < SLOTS);
        self->kept[*slot] = *memo;
        self->n_writes++;
        return 0;
}

static void shelf_drop(void *userdata, uint32_t slot) {
        struct shelf *self = userdata;

        self->dropped = slot;
}

static int shelf_recall(void *userdata, uint32_t token, const struct mptcpize_address *local,
                        const struct mptcpize_address *remote, struct memo *ret_memo) {
        const struct shelf *self = userdata;

        for (uint32_t i = 1; i <= self->n_last; i++) {
                const struct memo *memo = &self->last[i];

                if (memo->kind != MEMO_CONNECTION || memo->token != token ||
                    !address_equal(&memo->local, local) || !address_equal(&memo->remote, remote))
                        continue;
                *ret_memo = *memo;
                return 0;
        }
        return -ENOENT;
}

static void shelf_listeners(void *userdata, void (*fn)(const struct memo *memo, void *fn_userdata),
                            void *fn_userdata) {
        const struct shelf *self = userdata;

        for (uint32_t i = 1; i <= self->n_last; i++)
                if (self->last[i].kind == MEMO_LISTENER)
                        fn(&self->last[i], fn_userdata);
}

static void shelf_settled(void *userdata) {
        struct shelf *self = userdata;

        self->n_settled++;
}

static const struct memory_ops shelf_ops = {
        .keep = shelf_keep,
        .drop = shelf_drop,
        .recall = shelf_recall,
        .listeners = shelf_listeners,
        .settled = shelf_settled,
};

static void remember(struct world *world) {
        const struct memory memory = { .ops = &shelf_ops, .userdata = &shelf };

        engine_set_memory(&world->engine, &memory);
}

/* A world with a second profile, "web", that remembers. */
static int memory_setup(void **state) {
        struct world *world;
        int r = world_setup(state);

        if (r < 0)
                return r;
        world = *state;
        memset(&shelf, 0, sizeof(shelf));
        conf_profile_init(&world->profiles[1], &world->conf, mptcpize_plugin());
        snprintf(world->profiles[1].name, sizeof(world->profiles[1].name), "web");
        world->n_profiles = 2;
        world_configure(world);
        world_settle(world);
        remember(world);
        return 0;
}

static void lull(struct world *world) {
        while (engine_is_changed(&world->engine))
                engine_lull(&world->engine);
}

static void drain(struct world *world) {
        while (action_queue_peek(&world->engine.queue))
                action_queue_pop(&world->engine.queue);
}

/* Kill -9, and the next daemon: it has heard of nothing. */
static void restart(struct world *world) {
        lull(world);
        memcpy(shelf.last, shelf.kept, sizeof(shelf.last));
        shelf.n_last = shelf.n_kept;
        shelf.n_kept = shelf.n_writes = 0;
        engine_done(&world->engine);
        assert_int_equal(engine_init(&world->engine, 42), 0);
        world_begin(world);
        remember(world);
        world->now += 1000;
}

static void hint(struct world *world, unsigned int kind, uint32_t token, uint64_t cookie) {
        world_feed(world, (struct event){
                                          .type = EVENT_HINT,
                                          .hint = { .kind = kind,
                                                    .token = token,
                                                    .cookie = cookie,
                                                    .local = at("192.0.2.1:443"),
                                                    .profile = "web",
                                                    .program = { "nginx", 42, 33 },
                                                    .user_timeout_msec = 2000 },
                          });
}

/* A snapshot with the connection alive, maybe on its initial subflow, and a listener with cookie.
 */
static void find(struct world *world, uint32_t token, bool bare, uint64_t cookie) {
        const struct snapshot_connection connection = {
                .token = token,
                .state = 1,
                .local = at("192.0.2.1:40000"),
                .remote = at(SERVER),
        };
        const struct snapshot_subflow subflow = {
                .token = token,
                .flags = SNAPSHOT_MCAP_LOC | SNAPSHOT_FULLY_EST,
                .state = 1,
                .local = at("192.0.2.1:40000"),
                .remote = at(SERVER),
        };
        const struct snapshot_listener listener = { .cookie = cookie };
        struct snapshot snapshot = { .started_usec = world->now };
        struct action comparison;

        world_feed(world, (struct event){ .type = EVENT_STARTED });
        comparison = world_expect(world, ACTION_SNAPSHOT);
        assert_int_equal(ARRAY_APPEND(&snapshot.connections, connection, 1), 0);
        if (!bare)
                assert_int_equal(ARRAY_APPEND(&snapshot.subflows, subflow, 1), 0);
        assert_int_equal(ARRAY_APPEND(&snapshot.listeners, listener, 1), 0);
        world_feed(world, (struct event){ .type = EVENT_SNAPSHOT, .snapshot = &snapshot });
        world_outcome(world, &comparison, 0);
        snapshot_done(&snapshot);
}

static void test_lull_keeps_what_changed_once(void **state) {
        struct world *world = *state;

        assert_false(engine_is_changed(&world->engine));
        world_connect(world, TOKEN, 0);
        hint(world, HINT_CONNECT, TOKEN, 7);
        assert_int_equal(shelf.n_writes, 0); /* nothing on the path of an event */
        assert_true(engine_is_changed(&world->engine));
        lull(world);
        assert_int_equal(shelf.n_writes, 1);
        assert_int_equal(shelf.kept[1].token, TOKEN);
        assert_string_equal(shelf.kept[1].profile, "web");
        assert_int_equal(shelf.kept[1].flags, MEMO_CLIENT | MEMO_OURS | MEMO_HEARD);
        hint(world, HINT_OPTION, TOKEN, 7);
        lull(world);
        assert_int_equal(shelf.n_kept, 1); /* in the same slot */
        assert_int_equal(shelf.n_writes, 2);
}

static void test_lull_keeps_nothing_of_what_is_gone(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        lull(world);
        assert_int_equal(shelf.n_writes, 0);
}

static void test_closed_drops_its_slot(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        lull(world);
        world_mptcp(world, EVENT_CLOSED, TOKEN, NULL, NULL, 0, 0, 0);
        assert_int_equal(shelf.dropped, 1);
}

static void test_overdue_after_a_second_of_work(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        assert_false(engine_is_overdue(&world->engine));
        world->now += 1000001;
        world_feed(world, (struct event){ .type = EVENT_TICK });
        assert_true(engine_is_overdue(&world->engine));
        lull(world);
        assert_false(engine_is_overdue(&world->engine));
}

static void test_marks_of_a_storm_are_bounded(void **state) {
        struct world *world = *state;

        for (uint32_t i = 0; i < LIMIT_CONNECTIONS + 10; i++) {
                world_connect(world, i, 0);
                drain(world);
                world_mptcp(world, EVENT_CLOSED, i, NULL, NULL, 0, 0, 0);
        }
        assert_true(world->engine.changed.n <= LIMIT_CONNECTIONS);
        world_connect(world, TOKEN, 0);
        lull(world);
        assert_int_equal(shelf.n_writes, 1);
        assert_null(world->engine.changed.items); /* given back */
}

static void find_alive(struct world *world, uint32_t token, uint64_t cookie) {
        find(world, token, false, cookie);
}

/* What it had lost meanwhile, and is lost without a join soon. */
static void test_recall_client_without_subflows_is_joined(void **state) {
        struct world *world = *state;
        struct action query;

        world_connect(world, TOKEN, 0);
        drain(world);
        restart(world);
        find(world, TOKEN, true, 0);
        assert_false(world_connection(world)->flags & MPTCPIZE_VIEW_SERVER);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        world_expect_create(world, "192.0.2.1", SERVER);
        world_expect_create(world, LTE, SERVER);
        world_expect_nothing(world);
}

static void test_recall_policy_program_and_timeout(void **state) {
        struct world *world = *state;
        const struct connection *connection;

        world_connect(world, TOKEN, 0);
        hint(world, HINT_CONNECT, TOKEN, 7);
        restart(world);
        find_alive(world, TOKEN, 0);
        connection = world_connection(world);
        assert_string_equal(engine_profile(&world->engine, connection)->conf->name, "web");
        assert_string_equal(connection->advice.program.name, "nginx");
        assert_int_equal(connection->advice.program.pid, 42);
        assert_int_equal(connection->advice.program.uid, 33);
        assert_int_equal(connection->advice.user_timeout_msec, 2000);
        assert_int_equal(connection->advice.cookie, 7);
        assert_true(connection->heard);
}

static void test_recall_denied_initial_address_is_not_joined(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        restart(world);
        find_alive(world, TOKEN, 0);
        world_expect_nothing(world);
        assert_true(world_connection(world)->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL);
}

static void test_recall_announced_addresses_are_joined(void **state) {
        struct world *world = *state;
        struct action query;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.9:80", 0, 5, 0);
        drain(world);
        restart(world);
        find_alive(world, TOKEN, 0);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        world_expect_create(world, LTE, "203.0.113.9:80");
        world_expect_create(world, "192.0.2.1", "203.0.113.9:80");
        world_expect_nothing(world);
}

static void test_recall_withdrawn_addresses_are_not(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        world_mptcp(world, EVENT_ANNOUNCED, TOKEN, NULL, "203.0.113.9:80", 0, 5, 0);
        lull(world);
        world_mptcp(world, EVENT_REMOVED, TOKEN, NULL, NULL, 0, 5, 0);
        drain(world);
        restart(world);
        find_alive(world, TOKEN, 0);
        world_expect_nothing(world);
        assert_int_equal(world_connection(world)->remotes.n, 1);
}

/* ... also if a program speaks up before the connection is found. */
/* A mode that somebody has chosen takes no protection away, not even by a restart. */
static void test_recall_policy_beside_the_mode_still_protects(void **state) {
        struct world *world = *state;

        world->profiles[1].auth = CONF_AUTH_REQUIRE;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        drain(world);
        world_feed(world, (struct event){
                                          .type = EVENT_HINT,
                                          .hint = { .kind = HINT_CONNECT,
                                                    .token = TOKEN,
                                                    .cookie = 7,
                                                    .profile = "",
                                                    .policy = "web" },
                          });
        restart(world);
        find_alive(world, TOKEN, 0);
        assert_int_equal(world_connection(world)->advice.profile, 0);
        assert_int_equal(world_connection(world)->advice.guard, 1);
        assert_int_equal(world_connection(world)->joins, JOINS_WAIT);
}

static void test_recall_assigned_counts_more_than_a_hint(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, 0);
        world_feed(world, (struct event){
                                          .type = EVENT_ASSIGNED,
                                          .assigned = { .token = TOKEN, .profile = "default" },
                          });
        drain(world);
        restart(world);
        hint(world, HINT_CONNECT, TOKEN, 7);
        find_alive(world, TOKEN, 0);
        assert_true(world_connection(world)->advice.assigned);
        assert_int_equal(world_connection(world)->advice.profile, 0);
        assert_string_equal(world_connection(world)->advice.program.name, "nginx");
}

/* The same token between other ports is another connection. */
static void test_recall_another_pair_is_a_stranger(void **state) {
        struct world *world = *state;

        world_connect(world, TOKEN, EVENT_MPTCP_DENY_JOIN_INITIAL);
        restart(world);
        shelf.last[1].local.port++;
        find_alive(world, TOKEN, 0);
        assert_false(world_connection(world)->heard);
        world_expect(world, ACTION_QUERY);
}

/* Nothing says that its peer denies joins: they are tried. Whose it is, is asked for in a lull. */
static void test_recall_nothing_known_is_unknown_and_joined(void **state) {
        struct world *world = *state;
        struct action query;

        find_alive(world, TOKEN, 0);
        assert_false(world_connection(world)->heard);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        world_expect_create(world, LTE, SERVER);
}

static void test_recall_with_nothing_to_do_is_not_asked(void **state) {
        struct world *world = *state;

        world->conf.max_subflows = 1;
        world_configure(world);
        world_connect(world, TOKEN, 0);
        restart(world);
        find_alive(world, TOKEN, 0);
        lull(world);
        world_expect_nothing(world);
        assert_int_equal(shelf.n_kept, 1); /* and kept again */
}

static void test_lull_stranger_with_nothing_to_do_is_asked(void **state) {
        struct world *world = *state;
        struct action query;

        world->conf.max_subflows = 1;
        world_configure(world);
        find_alive(world, TOKEN, 0);
        world_expect_nothing(world);
        lull(world);
        query = world_expect(world, ACTION_QUERY);
        assert_int_equal(shelf.n_settled, 0);
        world_outcome(world, &query, -EINVAL);
        assert_int_equal(world_connection(world)->state, CONNECTION_KERNEL);
        lull(world);
        assert_int_equal(shelf.kept[1].flags, MEMO_CLIENT | MEMO_KERNEL);
        assert_int_equal(shelf.n_settled, 1);
        restart(world);
        find_alive(world, TOKEN, 0);
        lull(world);
        world_expect_nothing(world);
        assert_int_equal(world_connection(world)->state, CONNECTION_KERNEL);
}

static void test_settled_once_after_the_first_comparison(void **state) {
        struct world *world = *state;
        struct action query;

        lull(world);
        assert_int_equal(shelf.n_settled, 0);
        find_alive(world, TOKEN, 0);
        lull(world); /* the plugin has asked already */
        assert_int_equal(shelf.n_settled, 0);
        query = world_expect(world, ACTION_QUERY);
        world_outcome(world, &query, 0);
        lull(world);
        lull(world);
        assert_int_equal(shelf.n_settled, 1);
}

static void test_recall_listener_that_listens_is_kept(void **state) {
        struct world *world = *state;

        hint(world, HINT_LISTEN, 0, 9);
        restart(world);
        assert_int_equal(world->engine.listeners.n, 1);
        find_alive(world, TOKEN, 9);
        assert_int_equal(world->engine.listeners.n, 1);
        assert_string_equal(world->engine.listeners.items[0].advice.program.name, "nginx");
        lull(world);
        drain(world);
        restart(world);
        find_alive(world, TOKEN, 9); /* kept again by the second */
        assert_int_equal(world->engine.listeners.n, 1);
}

static void test_recall_listener_that_is_closed_is_forgotten(void **state) {
        struct world *world = *state;

        hint(world, HINT_LISTEN, 0, 9);
        restart(world);
        find_alive(world, TOKEN, 10);
        assert_int_equal(world->engine.listeners.n, 0);
}

static void test_overrun_listener_closed_meanwhile_is_forgotten(void **state) {
        struct world *world = *state;

        hint(world, HINT_LISTEN, 0, 9);
        hint(world, HINT_LISTEN, 0, 10);
        world->now += 10;
        find_alive(world, TOKEN, 10);
        assert_int_equal(world->engine.listeners.n, 1);
        assert_int_equal(world->engine.listeners.items[0].advice.cookie, 10);
}

#define T(name) cmocka_unit_test_setup_teardown(name, memory_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_lull_keeps_what_changed_once),
                T(test_lull_keeps_nothing_of_what_is_gone),
                T(test_closed_drops_its_slot),
                T(test_overdue_after_a_second_of_work),
                T(test_marks_of_a_storm_are_bounded),
                T(test_recall_client_without_subflows_is_joined),
                T(test_recall_policy_program_and_timeout),
                T(test_recall_denied_initial_address_is_not_joined),
                T(test_recall_announced_addresses_are_joined),
                T(test_recall_withdrawn_addresses_are_not),
                T(test_recall_policy_beside_the_mode_still_protects),
                T(test_recall_assigned_counts_more_than_a_hint),
                T(test_recall_another_pair_is_a_stranger),
                T(test_recall_nothing_known_is_unknown_and_joined),
                T(test_recall_with_nothing_to_do_is_not_asked),
                T(test_lull_stranger_with_nothing_to_do_is_asked),
                T(test_settled_once_after_the_first_comparison),
                T(test_recall_listener_that_listens_is_kept),
                T(test_recall_listener_that_is_closed_is_forgotten),
                T(test_overrun_listener_closed_meanwhile_is_forgotten),
        };

        return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
