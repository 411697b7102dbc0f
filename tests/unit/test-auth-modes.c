/*
 * Join authentication: which state follows from the modes of both ends, from keys, from silence
 * and from what is remembered of it.
 */
#include "authlab.h"
#include "../../daemon/util/cleanup.h"

#define OFF     POLICY_AUTH_OFF
#define PREFER  POLICY_AUTH_PREFER
#define REQUIRE POLICY_AUTH_REQUIRE

static void test_modes_matrix_states(void **state) {
        static const struct {
                enum policy_auth client, server;
                const char *client_state, *server_state; /* NULL: not known there */
                enum joins client_joins, server_joins;
        } rows[] = {
                { OFF, PREFER, NULL, "open", JOINS_FREE, JOINS_FREE },
                { OFF, REQUIRE, NULL, "guarded", JOINS_FREE, JOINS_BARRED },
                { PREFER, OFF, "free", NULL, JOINS_FREE, JOINS_FREE },
                { PREFER, PREFER, "confirmed", "confirmed", JOINS_ASK, JOINS_BARRED },
                { PREFER, REQUIRE, "confirmed", "confirmed", JOINS_ASK, JOINS_BARRED },
                { REQUIRE, OFF, "barred", NULL, JOINS_BARRED, JOINS_FREE },
                { REQUIRE, PREFER, "confirmed", "confirmed", JOINS_ASK, JOINS_BARRED },
                { REQUIRE, REQUIRE, "confirmed", "confirmed", JOINS_ASK, JOINS_BARRED },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct lab *lab;

                assert_int_equal(lab_setup(state), 0);
                lab = *state;
                lab_open_both(lab, rows[i].client, rows[i].server);
                lab_key(lab, LAB_SERVER);
                lab_key(lab, LAB_CLIENT);
                lab_run(lab, 2 * LAB_SECOND);
                if (rows[i].client_state)
                        lab_assert(lab, LAB_CLIENT, rows[i].client_state, rows[i].client_joins);
                if (rows[i].server_state)
                        lab_assert(lab, LAB_SERVER, rows[i].server_state, rows[i].server_joins);
                assert_int_equal(lab_teardown(state), 0);
        }
        *state = NULL;
}

static void test_prefer_no_key_free_after_wait(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
        lab_run(lab, 1399 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
        lab_run(lab, 1 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 0);
        assert_int_equal(protocol_deadline(lab->sides[LAB_CLIENT].protocol), UINT64_MAX);
}

static void test_require_no_key_waits_for_ever(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_CLIENT, REQUIRE);
        lab_run(lab, 3600 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
        assert_string_equal(lab->sides[LAB_CLIENT].reason, "the program has given no key yet");
        (void)lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443");
        assert_int_equal(lab_answer(lab, 1), -EACCES);
}

/* The next connection to a peer that never has keys doesn't wait; until there is one. */
static void test_keyless_peer_remembered(void **state) {
        struct lab *lab = *state;
        struct protocol *protocol = lab->sides[LAB_CLIENT].protocol;

        lab_open(lab, LAB_CLIENT, PREFER);
        lab_run(lab, 2 * LAB_SECOND);
        protocol_close(protocol, LAB_TOKEN_C, false, lab->now);
        lab_open(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        lab_key(lab, LAB_CLIENT);
        lab_assert(lab, LAB_CLIENT, "hello", JOINS_WAIT);
        protocol_close(protocol, LAB_TOKEN_C, false, lab->now);
        memset(&lab->sides[LAB_CLIENT].record, 0, sizeof(struct auth_record));
        lab_open(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
}

static void test_keyless_peer_forgotten_after_10_minutes(void **state) {
        struct lab *lab = *state;
        struct protocol *protocol = lab->sides[LAB_CLIENT].protocol;

        lab_open(lab, LAB_CLIENT, PREFER);
        lab_run(lab, 1400 * LAB_MSEC);
        protocol_close(protocol, LAB_TOKEN_C, false, lab->now);
        lab->now += 600 * LAB_SECOND - 1;
        lab_open(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        protocol_close(protocol, LAB_TOKEN_C, false, lab->now);
        lab->now++;
        lab_open(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
}

/* Too late for who waits, but the peer is asked all the same. */
static void test_key_late_confirmed_while_free(void **state) {
        struct lab *lab = *state;

        lab_open_both(lab, PREFER, PREFER);
        lab_key(lab, LAB_SERVER);
        lab_run(lab, 3 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        lab_key(lab, LAB_CLIENT);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        assert_string_equal(lab->sides[LAB_CLIENT].reason, "the peer has not answered yet");
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

static void test_silent_prefer_free_after_wait(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_CLIENT, PREFER);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 1399 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "hello", JOINS_WAIT);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 3);
        lab_run(lab, 1 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 4);
        assert_int_equal(lab_count(lab, LAB_CLIENT, PROTOCOL_SILENT), 1);
        assert_int_equal(lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443"), 1);
        assert_int_equal(protocol_deadline(lab->sides[LAB_CLIENT].protocol), UINT64_MAX);
}

/* Nobody waits for it again, but one HELLO asks whether it is still so. */
static void test_silent_peer_remembered(void **state) {
        struct lab *lab = *state;
        struct lab_side *client = &lab->sides[LAB_CLIENT];

        lab_open(lab, LAB_CLIENT, PREFER);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 2 * LAB_SECOND);
        protocol_close(client->protocol, LAB_TOKEN_C, false, lab->now);
        memset(&client->record, 0, sizeof(client->record));
        client->n_sent = 0;
        lab_open_both(lab, PREFER, PREFER);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        lab_key(lab, LAB_SERVER);
        lab_key(lab, LAB_CLIENT);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        assert_int_equal(client->n_sent, 1);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        protocol_close(client->protocol, LAB_TOKEN_C, false, lab->now);
        memset(&client->record, 0, sizeof(client->record));
        lab_open(lab, LAB_CLIENT, PREFER); /* it has answered: it is worth to wait */
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
}

/* A free connection that wants to join asks again, in case the one answer was lost. */
static void test_free_asks_with_joins(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_CLIENT, PREFER);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 2 * LAB_SECOND);
        assert_int_equal(lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443"), 1);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 4);
        lab->now += 5 * LAB_SECOND;
        lab_open(lab, LAB_SERVER, PREFER);
        lab_key(lab, LAB_SERVER);
        for (uint32_t serial = 2; serial < 10; serial++)
                assert_int_equal(lab_ask(lab, serial, "192.0.2.1", "203.0.113.1:443"), 1);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 5);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

/* "require" does not give up: the peer's daemon may be away. */
static void test_silent_require_barred_and_asked_again(void **state) {
        static const unsigned int pauses[] = { 5, 10, 20, 40, 60, 60, 60 };
        struct lab *lab = *state;

        lab_open(lab, LAB_CLIENT, REQUIRE);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 1400 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "barred", JOINS_BARRED);
        assert_string_equal(lab->sides[LAB_CLIENT].reason,
                            "the peer did not answer; it is asked again, by UDP");
        for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
                lab_run(lab, pauses[i] * LAB_SECOND - 1);
                assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 4 + i);
                lab_run(lab, 1);
                assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 5 + i);
        }
        (void)lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443");
        assert_int_equal(lab_answer(lab, 1), -EACCES);
        lab_open(lab, LAB_SERVER, REQUIRE);
        lab_key(lab, LAB_SERVER);
        lab_run(lab, 60 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

static void test_keyless_reason_shown(void **state) {
        struct lab *lab = *state;
        struct protocol *protocol = lab->sides[LAB_CLIENT].protocol;
        struct protocol_view view;

        lab_open(lab, LAB_CLIENT, REQUIRE);
        protocol_keyless(protocol, LAB_TOKEN_C, "the file is gone", lab->now);
        protocol_keyless(protocol, LAB_TOKEN_C, "the file can't be read", lab->now);
        protocol_keyless(protocol, LAB_TOKEN_C, "the file can't be read", lab->now);
        assert_true(protocol_view(protocol, LAB_TOKEN_C, &view));
        assert_string_equal(view.state, "key");
        assert_string_equal(view.reason, "the file can't be read");
        lab_open(lab, LAB_CLIENT, PREFER);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        assert_string_equal(lab->sides[LAB_CLIENT].reason, "the file can't be read");
}

/* Joins are free before the first HELLO, and those are gone with it. */
static void test_prefer_earlier_joins_destroyed(void **state) {
        struct lab *lab = *state;
        const struct mptcpize_address local = lab_at("203.0.113.1:443");
        const struct mptcpize_address gone = lab_at("192.0.2.66:2");

        lab_open_both(lab, PREFER, PREFER);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:1");
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:2");
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:3");
        protocol_left(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &local, &gone);
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        lab_key(lab, LAB_SERVER);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 2);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:4");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 3);
}

static void test_prefer_too_many_joins_destroyed(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_SERVER, PREFER);
        for (unsigned int i = 1; i <= LIMIT_SUBFLOWS + 1; i++) {
                char from[ADDRESS_TEXT];

                assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
                snprintf(from, sizeof(from), "192.0.2.66:%u", i);
                lab_joined(lab, LAB_SERVER, "203.0.113.1:443", from);
        }
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

static void test_require_join_before_hello_destroyed(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_SERVER, REQUIRE);
        assert_true(lab->sides[LAB_SERVER].guarded);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:1");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

/* Nobody joins a client but itself. */
static void test_client_joined_by_others_destroyed(void **state) {
        struct lab *lab = *state;

        lab_open_both(lab, PREFER, PREFER);
        lab_joined(lab, LAB_CLIENT, "192.0.2.1:50000", "192.0.2.66:1");
        assert_int_equal(lab->sides[LAB_CLIENT].n_intruders, 0);
        lab_key(lab, LAB_SERVER);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_CLIENT].n_intruders, 1);
        lab_joined(lab, LAB_CLIENT, "192.0.2.1:50000", "192.0.2.66:2");
        assert_int_equal(lab->sides[LAB_CLIENT].n_intruders, 2);
}

/* Nor need its kernel be asked: the gate is closed as early as it can be. */
static void test_client_guarded(void **state) {
        struct lab *lab = *state;
        const struct lab_side *client = &lab->sides[LAB_CLIENT];

        lab_open(lab, LAB_CLIENT, REQUIRE);
        assert_true(client->guarded);
        lab_open_both(lab, PREFER, PREFER);
        assert_false(client->guarded);
        lab_key(lab, LAB_CLIENT);
        lab_key(lab, LAB_SERVER);
        assert_false(client->guarded);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        assert_true(client->guarded);
        lab_open(lab, LAB_CLIENT, REQUIRE);
        lab_open(lab, LAB_CLIENT, PREFER);
        assert_true(client->guarded);
        protocol_close(client->protocol, LAB_TOKEN_C, false, lab->now);
        assert_false(client->guarded);
}

/* Another policy while it is open. */
static void test_mode_changed_state_follows(void **state) {
        struct lab *lab = *state;

        lab_open_both(lab, PREFER, PREFER);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:1");
        lab_open_both(lab, REQUIRE, REQUIRE);
        lab_assert(lab, LAB_SERVER, "guarded", JOINS_BARRED);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
        assert_true(lab->sides[LAB_SERVER].guarded);
        lab_run(lab, 10 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "key", JOINS_WAIT);
        lab_open_both(lab, PREFER, PREFER);
        lab_assert(lab, LAB_SERVER, "open", JOINS_FREE);
        assert_false(lab->sides[LAB_SERVER].guarded);
        lab_run(lab, 1);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 2 * LAB_SECOND);
        lab_open(lab, LAB_CLIENT, REQUIRE);
        lab_assert(lab, LAB_CLIENT, "barred", JOINS_BARRED);
        lab_key(lab, LAB_SERVER);
        lab_run(lab, 5 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        lab_open_both(lab, PREFER, PREFER); /* no way back */
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        lab_assert(lab, LAB_SERVER, "confirmed", JOINS_BARRED);
        assert_true(lab->sides[LAB_SERVER].guarded);
}

static void bye_from_server(struct lab *lab, enum policy_auth mode) {
        lab_open(lab, LAB_CLIENT, mode);
        lab_open(lab, LAB_SERVER, REQUIRE);
        lab_key(lab, LAB_SERVER);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        (void)lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443");
        lab->n_packets = 0;
        protocol_close(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, true, lab->now);
        lab_pump(lab);
        assert_false(lab->sides[LAB_SERVER].guarded);
}

static void test_bye_from_server_prefer_free(void **state) {
        struct lab *lab = *state;

        bye_from_server(lab, PREFER);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        assert_int_equal(lab_answer(lab, 1), 0);
}

static void test_bye_from_server_require_barred(void **state) {
        struct lab *lab = *state;

        bye_from_server(lab, REQUIRE);
        lab_assert(lab, LAB_CLIENT, "barred", JOINS_BARRED);
        assert_int_equal(lab_answer(lab, 1), -EACCES);
        lab_run(lab, 100 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "barred", JOINS_BARRED);
        assert_int_equal(protocol_deadline(lab->sides[LAB_CLIENT].protocol), UINT64_MAX);
}

static void test_bye_from_client_stays_guarded(void **state) {
        struct lab *lab = *state;
        struct wire_message message = { .type = WIRE_JOIN_REQ, .sequence = 10 };
        uint8_t bytes[WIRE_MAX];

        lab_confirm(lab, PREFER);
        (void)lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443");
        lab_pump(lab);
        assert_true(lab_is_admitted(lab, "192.0.2.1"));
        protocol_close(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C, true, lab->now);
        lab_pump(lab);
        lab_assert(lab, LAB_SERVER, "guarded", JOINS_BARRED);
        assert_true(lab->sides[LAB_SERVER].guarded);
        assert_false(lab_is_admitted(lab, "192.0.2.1"));
        message.request.token = LAB_TOKEN_S;
        memcpy(message.id, lab->sides[LAB_SERVER].record.keys.id, KEYS_ID);
        lab_inject(lab, LAB_SERVER, "192.0.2.1:8684", "203.0.113.1:8684", bytes,
                   wire_encode(&message, lab->sides[LAB_SERVER].record.keys.c2s, bytes));
        lab_pump(lab);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_REFUSED), 1);
        assert_false(lab_is_admitted(lab, "192.0.2.1"));
}

static void test_closed_asks_answered(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, REQUIRE);
        (void)lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443");
        protocol_close(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C, false, lab->now);
        assert_true(lab_answer(lab, 1) < 0);
        assert_false(protocol_has(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C));
        assert_int_equal(lab_ask(lab, 2, "192.0.2.1", "203.0.113.1:443"), 1);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_modes_matrix_states),
                T(test_prefer_no_key_free_after_wait),
                T(test_require_no_key_waits_for_ever),
                T(test_keyless_peer_remembered),
                T(test_keyless_peer_forgotten_after_10_minutes),
                T(test_key_late_confirmed_while_free),
                T(test_silent_prefer_free_after_wait),
                T(test_silent_peer_remembered),
                T(test_free_asks_with_joins),
                T(test_silent_require_barred_and_asked_again),
                T(test_keyless_reason_shown),
                T(test_prefer_earlier_joins_destroyed),
                T(test_prefer_too_many_joins_destroyed),
                T(test_require_join_before_hello_destroyed),
                T(test_client_joined_by_others_destroyed),
                T(test_client_guarded),
                T(test_mode_changed_state_follows),
                T(test_bye_from_server_prefer_free),
                T(test_bye_from_server_require_barred),
                T(test_bye_from_client_stays_guarded),
                T(test_closed_asks_answered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
