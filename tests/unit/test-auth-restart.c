/*
 * Join authentication: daemons that go and come back, gates that fail, limits.
 */
#include "authlab.h"
#include "../../daemon/util/cleanup.h"

#define PREFER  POLICY_AUTH_PREFER
#define REQUIRE POLICY_AUTH_REQUIRE

static void offer(struct lab *lab) {
        const struct protocol_address offered = { .address = lab_at("203.0.113.9:443"), .id = 3 };

        protocol_offer(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &offered, 1, lab->now);
}

static void assert_join_works(struct lab *lab, uint32_t serial, const char *to) {
        char from[ADDRESS_TEXT];

        assert_int_equal(lab_ask(lab, serial, "198.51.100.1", to), 0);
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, serial), 0);
        assert_true(lab_is_admitted(lab, "198.51.100.1"));
        snprintf(from, sizeof(from), "198.51.100.1:%u", 40000 + serial);
        lab->sides[LAB_SERVER].n_intruders = 0;
        lab_joined(lab, LAB_SERVER, to, from);
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
}

static void test_restart_client_goes_on(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        offer(lab);
        lab_pump(lab);
        lab_restart(lab, LAB_CLIENT, REQUIRE);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        assert_int_equal(protocol_peer_token(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C),
                         LAB_TOKEN_S);
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_CLIENT].n_addresses, 2); /* told again */
        assert_join_works(lab, 1, "203.0.113.9:443");
}

/* The peer's is away at the same time: what was proved stays so. */
static void test_restart_client_peer_silent_stays_confirmed(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        protocol_close(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, false, lab->now);
        lab_restart(lab, LAB_CLIENT, REQUIRE);
        lab_run(lab, 100 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        assert_int_equal(lab_count(lab, LAB_CLIENT, PROTOCOL_SILENT), 0);
}

static void test_restart_client_while_asking(void **state) {
        struct lab *lab = *state;

        lab_open_both(lab, REQUIRE, REQUIRE);
        lab_key(lab, LAB_CLIENT);
        lab->n_packets = 0;
        lab_restart(lab, LAB_CLIENT, REQUIRE);
        lab_assert(lab, LAB_CLIENT, "hello", JOINS_WAIT);
        lab_key(lab, LAB_SERVER);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

static void test_restart_server_goes_on(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, PREFER);
        assert_join_works(lab, 1, "203.0.113.1:443");
        lab->sides[LAB_SERVER].guarded = false;
        lab->sides[LAB_SERVER].n_admitted = 0;
        lab_restart(lab, LAB_SERVER, PREFER);
        lab_assert(lab, LAB_SERVER, "confirmed", JOINS_BARRED);
        assert_true(lab->sides[LAB_SERVER].guarded);
        /* A comparison finds the subflow that was admitted, and another one. */
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
        lab_pump(lab);
        assert_join_works(lab, 2, "203.0.113.1:443");
}

static void test_restart_client_guarded_again(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, PREFER);
        lab->sides[LAB_CLIENT].guarded = false;
        lab_restart(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        assert_true(lab->sides[LAB_CLIENT].guarded);
}

/* Admissions are not kept: the client asks again. */
static void test_restart_server_between_request_and_join(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        lab->gate_waits = true;
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        lab->sides[LAB_SERVER].n_requests = lab->sides[LAB_SERVER].n_admitted = 0;
        lab_restart(lab, LAB_SERVER, REQUIRE);
        lab->gate_waits = false;
        lab_run(lab, 200 * LAB_MSEC);
        assert_int_equal(lab_answer(lab, 1), 0);
}

static void test_restart_replay_of_before_refused(void **state) {
        struct lab *lab = *state;
        struct lab_packet packet;

        lab_confirm(lab, REQUIRE);
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        lab_restart(lab, LAB_SERVER, REQUIRE);
        lab_restart(lab, LAB_CLIENT, REQUIRE);
        lab_pump(lab);
        lab->sides[LAB_SERVER].n_sent = 0;
        packet = lab->last[WIRE_JOIN_REQ];
        lab_inject(lab, LAB_SERVER, "192.0.2.66:8684", "203.0.113.1:8684", packet.bytes, packet.n);
        assert_int_equal(lab->sides[LAB_SERVER].n_sent, 0);
        assert_false(lab_is_admitted(lab, "192.0.2.66"));
}

static void test_restart_ended_stays_ended(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        protocol_close(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, true, lab->now);
        lab_pump(lab);
        lab_restart(lab, LAB_CLIENT, REQUIRE);
        lab_assert(lab, LAB_CLIENT, "barred", JOINS_BARRED);
        lab_restart(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
}

/* A record of the other role: nothing of it counts. */
static void test_open_foreign_record_cleansed(void **state) {
        struct lab *lab = *state;
        struct auth_record *record = &lab->sides[LAB_CLIENT].record;

        lab_confirm(lab, REQUIRE);
        *record = lab->sides[LAB_SERVER].record;
        record->cookie = 5;
        record->token = LAB_TOKEN_C;
        protocol_close(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, false, lab->now);
        lab_restart(lab, LAB_CLIENT, REQUIRE);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
        assert_int_equal(record->cookie, 5);
        assert_memory_equal(&record->keys, &(struct auth_keys){ 0 }, sizeof(record->keys));
}

static void test_admitted_16_newest_survive(void **state) {
        struct lab *lab = *state;
        char from[ADDRESS_TEXT];

        lab_confirm(lab, REQUIRE);
        for (uint32_t i = 1; i <= RECORD_ADMITTED + 1; i++) {
                assert_join_works(lab, i, "203.0.113.1:443");
                lab->now += LAB_SECOND;
        }
        lab_restart(lab, LAB_SERVER, REQUIRE);
        for (uint32_t i = 2; i <= RECORD_ADMITTED + 1; i++) {
                snprintf(from, sizeof(from), "198.51.100.1:%u", 40000 + i);
                lab_joined(lab, LAB_SERVER, "203.0.113.1:443", from);
        }
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

/* The end of one makes room for another, and its address is nobody's. */
static void test_left_forgotten(void **state) {
        struct lab *lab = *state;
        const struct mptcpize_address local = lab_at("203.0.113.1:443");
        const struct mptcpize_address remote = lab_at("198.51.100.1:40001");

        lab_confirm(lab, REQUIRE);
        assert_join_works(lab, 1, "203.0.113.1:443");
        assert_int_equal(lab->sides[LAB_SERVER].record.n_admitted, 1);
        protocol_left(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &local, &remote);
        assert_int_equal(lab->sides[LAB_SERVER].record.n_admitted, 0);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

static void set_gate(struct lab *lab, bool works) {
        protocol_set_gate(lab->sides[LAB_SERVER].protocol, works, works ? "" : "nft is missing",
                          lab->now);
}

/* Without a gate "require" admits nobody, and says so. */
static void test_gate_missing_require_refuses_all(void **state) {
        struct lab *lab = *state;
        struct protocol_view view;

        set_gate(lab, false);
        lab->gate_error = -EIO;
        lab_confirm(lab, REQUIRE);
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 1), -EACCES);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
        assert_true(protocol_view(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &view));
        assert_string_equal(view.reason, "no gate: nft is missing");
        lab->gate_error = 0;
        set_gate(lab, true);
        lab_pump(lab);
        assert_join_works(lab, 2, "203.0.113.1:443");
}

/* "prefer" does what it can: who was not admitted is destroyed. */
static void test_gate_missing_prefer_admits(void **state) {
        struct lab *lab = *state;

        set_gate(lab, false);
        lab->gate_error = -EIO;
        lab_confirm(lab, PREFER);
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 1), 0);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

static void test_gate_lost_require_shuts(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        set_gate(lab, false);
        assert_false(lab_is_admitted(lab, "198.51.100.1"));
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

/* What the gate has no room for it is asked for again. */
static void test_gate_refuses_guard_asked_again(void **state) {
        struct lab *lab = *state;

        lab->gate_error = -ENOBUFS;
        lab_confirm(lab, REQUIRE);
        lab->sides[LAB_SERVER].guarded = false;
        lab->gate_error = 0;
        lab_run(lab, 999 * LAB_MSEC);
        assert_false(lab->sides[LAB_SERVER].guarded);
        lab_run(lab, 1 * LAB_MSEC);
        assert_true(lab->sides[LAB_SERVER].guarded);
        assert_join_works(lab, 1, "203.0.113.1:443");
}

/* To a client it is one wall of two: what got in is destroyed, and all else goes on. */
static void test_gate_missing_client_goes_on(void **state) {
        struct lab *lab = *state;
        struct lab_side *client = &lab->sides[LAB_CLIENT];

        protocol_set_gate(client->protocol, false, "nft is missing", lab->now);
        set_gate(lab, false);
        lab->gate_error = -EIO;
        lab_confirm(lab, PREFER);
        lab_joined(lab, LAB_CLIENT, "192.0.2.1:50000", "192.0.2.66:1");
        assert_int_equal(client->n_intruders, 1);
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 1), 0);
        client->guarded = false;
        lab_run(lab, 10 * LAB_SECOND);
        assert_false(client->guarded);
        protocol_set_gate(client->protocol, true, "", lab->now);
        assert_true(client->guarded);
}

/* It works, but this one was too much for it. */
static void test_gate_refuses_one_no_resources(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, PREFER);
        lab->gate_error = -ENOBUFS;
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        assert_int_equal(lab->last[WIRE_JOIN_NO].bytes[28], WIRE_NO_RESOURCES);
        assert_false(lab_is_admitted(lab, "198.51.100.1"));
        assert_int_equal(lab_answer(lab, 1), LAB_NOTHING);
        lab->gate_error = 0;
        lab_run(lab, 200 * LAB_MSEC); /* perhaps now */
        assert_int_equal(lab_answer(lab, 1), 0);
}

static void test_gate_refuses_always_no_buffers(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        lab->gate_error = -ENOBUFS;
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_run(lab, 1400 * LAB_MSEC);
        assert_int_equal(lab_answer(lab, 1), -ENOBUFS);
        assert_int_equal(lab_count(lab, LAB_CLIENT, PROTOCOL_UNANSWERED), 0);
}

/* More at a time than the server opens for: they take turns. */
static void test_ask_many_all_admitted(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        for (uint32_t i = 1; i <= 8; i++)
                (void)lab_ask(lab, i, "198.51.100.1", "203.0.113.1:443");
        for (unsigned int round = 0; round < 3; round++) {
                lab_pump(lab);
                for (uint32_t i = 1; i <= LIMIT_AUTH_OPEN; i++) {
                        char from[ADDRESS_TEXT];

                        snprintf(from, sizeof(from), "198.51.100.1:%u", 40000 + 10 * round + i);
                        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", from);
                }
                lab_run(lab, round == 0 ? 200 * LAB_MSEC : 400 * LAB_MSEC);
        }
        for (uint32_t i = 1; i <= 8; i++)
                assert_int_equal(lab_answer(lab, i), 0);
}

static struct auth_record many[LIMIT_AUTH_SESSIONS + 1];

static void on_permit(void *userdata, uint32_t token, enum joins joins, const char *reason) {
        (void)token;
        (void)reason;
        *(size_t *)userdata += joins == JOINS_WAIT;
}

static void on_random(void *userdata, void *bytes, size_t n) {
        (void)userdata;
        memset(bytes, 77, n);
}

static void on_send(void *userdata, const struct protocol_path *path, const void *bytes, size_t n) {
        (void)userdata;
        (void)path;
        (void)bytes;
        (void)n;
}

static void test_open_over_limit_refused(void **state) {
        const struct protocol_host host = {
                .permit = on_permit,
                .random = on_random,
                .send = on_send,
        };
        struct protocol_connection connection = {
                .mode = PREFER,
                .local = lab_at("192.0.2.1:50000"),
                .remote = lab_at("203.0.113.1:443"),
        };
        const uint64_t later = LAB_START + 100 * LAB_SECOND;
        struct protocol *protocol;
        size_t waiting = 0, all, confirmed;
        uint8_t secret[KEYS_SECRET] = { 0 };

        (void)state;
        assert_int_equal(protocol_new(&host, &waiting, LAB_PORT, &protocol), 0);
        for (uint32_t i = 0; i <= LIMIT_AUTH_SESSIONS; i++) {
                connection.token = i * 0x9e3779b1u;
                connection.record = &many[i];
                assert_int_equal(protocol_open(protocol, &connection, LAB_START),
                                 i < LIMIT_AUTH_SESSIONS ? 0 : -ENOBUFS);
        }
        assert_false(protocol_has(protocol, connection.token));
        assert_int_equal(waiting, LIMIT_AUTH_SESSIONS);
        for (uint32_t i = 0; i < LIMIT_AUTH_SESSIONS; i += 64) {
                memcpy(secret, &i, sizeof(i));
                assert_int_equal(protocol_key(protocol, i * 0x9e3779b1u, secret, LAB_START), 0);
        }
        protocol_tick(protocol, later);
        assert_true(protocol_deadline(protocol) <= later); /* so much is not done at once */
        while (protocol_deadline(protocol) <= later)
                protocol_tick(protocol, later);
        protocol_count(protocol, &all, &confirmed);
        assert_int_equal(all, LIMIT_AUTH_SESSIONS);
        assert_int_equal(confirmed, 0);
        protocol_close(protocol, 0, false, LAB_START);
        assert_int_equal(protocol_open(protocol, &connection, LAB_START), 0);
        protocol_free(protocol);
}

static void test_ask_over_limit_no_buffers(void **state) {
        struct lab *lab = *state;
        struct protocol *protocol = lab->sides[LAB_CLIENT].protocol;

        lab_confirm(lab, REQUIRE);
        for (uint32_t i = 0; i < LIMIT_AUTH_ASKS; i++) {
                assert_int_equal(lab_ask(lab, i, "198.51.100.1", "203.0.113.1:443"), 0);
                lab->n_packets = 0;
        }
        assert_int_equal(lab->sides[LAB_CLIENT].n_answers, 0);
        assert_int_equal(lab_ask(lab, LIMIT_AUTH_ASKS, "198.51.100.1", "203.0.113.1:443"), 0);
        assert_int_equal(lab_answer(lab, LIMIT_AUTH_ASKS), -ENOBUFS);
        for (uint32_t i = 0; i < LIMIT_AUTH_ASKS; i++)
                assert_true(protocol_cancel(protocol, i));
        assert_int_equal(protocol_deadline(protocol), UINT64_MAX);
}

/* A connection of this host with itself: both its ends are in one daemon, and have one key. */
struct alone {
        struct protocol *protocol;
        struct protocol_path path;
        uint8_t bytes[WIRE_MAX];
        size_t n; /* 0: nothing is on its way */
        enum joins joins[2];
        uint32_t request;
        int answer;
};

static void alone_send(void *userdata, const struct protocol_path *path, const void *bytes,
                       size_t n) {
        struct alone *alone = userdata;

        assert_int_equal(alone->n, 0);
        alone->path = (struct protocol_path){ .local = path->remote, .remote = path->local };
        alone->n = n;
        memcpy(alone->bytes, bytes, n);
}

static void alone_deliver(struct alone *alone) {
        const struct alone was = *alone;

        assert_true(was.n > 0);
        alone->n = 0;
        protocol_receive(alone->protocol, &was.path, was.bytes, was.n, LAB_START);
}

static void alone_permit(void *userdata, uint32_t token, enum joins joins, const char *reason) {
        (void)reason;
        ((struct alone *)userdata)->joins[token - 1] = joins;
}

static void alone_guard(void *userdata, uint32_t token, bool on) {
        (void)userdata;
        (void)on;
        assert_in_range(token, 1, 2);
}

static void alone_admit(void *userdata, uint32_t token, const struct mptcpize_address *source,
                        uint32_t request) {
        (void)source;
        assert_int_equal(token, 2);
        ((struct alone *)userdata)->request = request;
}

static void alone_dismiss(void *userdata, uint32_t token, const struct mptcpize_address *source) {
        (void)userdata;
        (void)source;
        assert_int_equal(token, 2);
}

static void alone_answer(void *userdata, uint32_t serial, int error, const char *reason) {
        (void)reason;
        assert_int_equal(serial, 9);
        ((struct alone *)userdata)->answer = error;
}

static void test_alone_both_ends_here_works(void **state) {
        const struct protocol_host host = {
                .send = alone_send,
                .guard = alone_guard,
                .admit = alone_admit,
                .dismiss = alone_dismiss,
                .permit = alone_permit,
                .answer = alone_answer,
                .random = on_random,
        };
        struct alone alone = { .answer = LAB_NOTHING };
        struct auth_record records[2] = { { 0 }, { 0 } };
        struct protocol_connection ends[2] = {
                { .token = 1, .mode = PREFER, .record = &records[0] },
                { .token = 2, .mode = REQUIRE, .server = true, .record = &records[1] },
        };
        const struct protocol_join join = { .token = 1,
                                            .serial = 9,
                                            .local = lab_at("127.0.0.1"),
                                            .remote = lab_at("127.0.0.2:443") };
        const uint8_t secret[KEYS_SECRET] = { 5 };

        (void)state;
        ends[0].local = ends[1].remote = lab_at("127.0.0.1:50000");
        ends[0].remote = ends[1].local = lab_at("127.0.0.2:443");
        assert_int_equal(protocol_new(&host, &alone, LAB_PORT, &alone.protocol), 0);
        for (uint32_t i = 0; i < 2; i++) {
                assert_int_equal(protocol_open(alone.protocol, &ends[i], LAB_START), 0);
                assert_int_equal(protocol_key(alone.protocol, i + 1, secret, LAB_START), 0);
        }
        protocol_guarded(alone.protocol, 2, 0, LAB_START);
        alone_deliver(&alone); /* HELLO */
        alone_deliver(&alone); /* HELLO_ACK */
        assert_int_equal(alone.joins[0], JOINS_ASK);
        assert_int_equal(alone.joins[1], JOINS_BARRED);
        assert_int_equal(protocol_ask(alone.protocol, &join, LAB_START), 0);
        alone_deliver(&alone); /* JOIN_REQ */
        protocol_admitted(alone.protocol, alone.request, 0, LAB_START);
        alone_deliver(&alone); /* JOIN_OK */
        assert_int_equal(alone.answer, 0);
        protocol_free(alone.protocol);
}

static void test_counter_names_all_different(void **state) {
        (void)state;
        for (enum protocol_counter i = 0; i < _PROTOCOL_COUNTER_MAX; i++) {
                assert_non_null(protocol_counter_name(i));
                for (enum protocol_counter k = 0; k < i; k++)
                        assert_string_not_equal(protocol_counter_name(i), protocol_counter_name(k));
        }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        const struct CMUnitTest tests[] = {
                T(test_restart_client_goes_on),
                T(test_restart_client_peer_silent_stays_confirmed),
                T(test_restart_client_while_asking),
                T(test_restart_server_goes_on),
                T(test_restart_client_guarded_again),
                T(test_restart_server_between_request_and_join),
                T(test_restart_replay_of_before_refused),
                T(test_restart_ended_stays_ended),
                T(test_open_foreign_record_cleansed),
                T(test_admitted_16_newest_survive),
                T(test_left_forgotten),
                T(test_gate_missing_require_refuses_all),
                T(test_gate_missing_prefer_admits),
                T(test_gate_lost_require_shuts),
                T(test_gate_refuses_guard_asked_again),
                T(test_gate_missing_client_goes_on),
                T(test_gate_refuses_one_no_resources),
                T(test_gate_refuses_always_no_buffers),
                T(test_ask_many_all_admitted),
                cmocka_unit_test(test_open_over_limit_refused),
                T(test_ask_over_limit_no_buffers),
                cmocka_unit_test(test_alone_both_ends_here_works),
                cmocka_unit_test(test_counter_names_all_different),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
