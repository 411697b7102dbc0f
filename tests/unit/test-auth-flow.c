/*
 * Join authentication between two daemons: what happens if all goes well, and on bad networks.
 */
#include "authlab.h"

#define SECOND_PATH "198.51.100.1"

static void offer(struct lab *lab, const char *address) {
        const struct protocol_address offered = { .address = lab_at(address), .id = 3 };

        protocol_offer(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &offered, 1, lab->now);
}

static void test_hello_both_keys_confirmed(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        assert_int_equal(protocol_peer_token(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C),
                         LAB_TOKEN_S);
        assert_int_equal(lab->sides[LAB_CLIENT].record.peer_max, 4);
        assert_int_equal(lab->sides[LAB_CLIENT].record.peer_mode, POLICY_AUTH_REQUIRE);
        assert_true(lab->sides[LAB_SERVER].guarded);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 1);
        assert_int_equal(lab->sides[LAB_SERVER].n_sent, 1);
        assert_int_equal(protocol_deadline(lab->sides[LAB_CLIENT].protocol), UINT64_MAX);
        assert_int_equal(protocol_deadline(lab->sides[LAB_SERVER].protocol), UINT64_MAX);
}

/* "prefer" closes the connection first, and only then tells the client that it may ask. */
static void test_hello_answered_once_guarded(void **state) {
        struct lab *lab = *state;

        lab->gate_waits = true;
        lab_open_both(lab, POLICY_AUTH_PREFER, POLICY_AUTH_PREFER);
        lab_key(lab, LAB_SERVER);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        lab_assert(lab, LAB_SERVER, "confirmed", JOINS_BARRED);
        assert_true(lab->sides[LAB_SERVER].guarded);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.66:1");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
        lab_run(lab, 300 * LAB_MSEC);
        assert_int_equal(lab->sides[LAB_SERVER].n_sent, 0);
        lab_assert(lab, LAB_CLIENT, "hello", JOINS_WAIT);
        lab_gate(lab);
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_SERVER].n_sent, 1);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

/* Who looks at the server sees when its client has proved it: one word, once. */
static void test_hello_server_says_that_it_is_proved(void **state) {
        struct lab *lab = *state;
        const struct lab_side *server = &lab->sides[LAB_SERVER];

        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        assert_string_equal(server->reason, "the program has given no key");
        lab_key(lab, LAB_SERVER);
        assert_string_equal(server->reason, "the client has not proved yet that it holds the key");
        assert_int_equal(server->n_permits, 2);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        (void)lab_ask(lab, 1, "198.51.100.1", "203.0.113.1:443");
        lab_pump(lab);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:1");
        assert_string_equal(server->reason,
                            "the client has proved that it holds the key; only it may join");
        assert_int_equal(server->n_permits, 3);
}

/* With TLS 1.3 the client is ready first. */
static void test_hello_before_key_held(void **state) {
        struct lab *lab = *state;

        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 150 * LAB_MSEC);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_HELD), 1);
        assert_int_equal(lab->sides[LAB_SERVER].n_sent, 0);
        lab_key(lab, LAB_SERVER);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 1);
}

/* What was held for too long is not judged. */
static void test_hello_held_too_long_forgotten(void **state) {
        struct lab *lab = *state;

        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        lab->now += 500 * LAB_MSEC;
        lab_key(lab, LAB_SERVER);
        lab_pump(lab);
        lab_assert(lab, LAB_SERVER, "guarded", JOINS_BARRED);
        lab_run(lab, 100 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

static void test_hello_before_connection_is_known_held(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_CLIENT, POLICY_AUTH_PREFER);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        lab_open(lab, LAB_SERVER, POLICY_AUTH_PREFER);
        lab_key(lab, LAB_SERVER);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

static void test_ask_confirmed_admitted_and_used(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        assert_int_equal(lab_ask(lab, 7, SECOND_PATH, "203.0.113.1:443"), 0);
        assert_int_equal(lab_answer(lab, 7), LAB_NOTHING);
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 7), 0);
        assert_true(lab_is_admitted(lab, SECOND_PATH));
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        assert_false(lab_is_admitted(lab, SECOND_PATH));
        /* One admission is for one subflow. */
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
        /* What was admitted stays so. */
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "198.51.100.1:40000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

static void test_ask_gate_slow_answered_once_open(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        lab->gate_waits = true;
        (void)lab_ask(lab, 7, SECOND_PATH, "203.0.113.1:443");
        lab_run(lab, 700 * LAB_MSEC); /* said three times */
        assert_int_equal(lab->sides[LAB_SERVER].n_requests, 1);
        assert_int_equal(lab_answer(lab, 7), LAB_NOTHING);
        lab_gate(lab);
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 7), 0);
}

static void test_ask_said_with_what_will_join(void **state) {
        struct lab *lab = *state;
        struct wire_message message;
        const struct lab_packet *packet = &lab->last[WIRE_JOIN_REQ];

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        (void)lab_ask(lab, 7, SECOND_PATH, "203.0.113.1:443");
        lab_pump(lab);
        assert_int_equal(wire_decode(packet->bytes, packet->n, &message), 0);
        assert_int_equal(message.request.token, LAB_TOKEN_S);
        assert_int_equal(message.request.local_id, 1);
        assert_int_equal(message.request.flags, 0);
        assert_int_equal(message.request.port, 443);
        assert_int_equal(message.sequence, 2);
        assert_int_equal(packet->source.bytes[0], 198);
}

static void test_cancel_asked_no_answer(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        (void)lab_ask(lab, 7, SECOND_PATH, "203.0.113.1:443");
        assert_true(protocol_cancel(lab->sides[LAB_CLIENT].protocol, 7));
        assert_false(protocol_cancel(lab->sides[LAB_CLIENT].protocol, 7));
        lab_run(lab, 2 * LAB_SECOND);
        assert_int_equal(lab_answer(lab, 7), LAB_NOTHING);
}

/* The 1st, 2nd, ... of one type is lost. */
static enum lab_fate lose_some(struct lab *lab, const struct lab_packet *packet) {
        if (packet->type != lab->lost_type || lab->seen[packet->type]++ >= lab->lost_count)
                return LAB_PASS;
        return LAB_LOSE;
}

static void run_with_loss(void **state, enum wire_type type, unsigned int count) {
        struct lab *lab;

        assert_int_equal(lab_setup(state), 0);
        lab = *state;
        lab->on_packet = lose_some;
        lab->lost_type = type;
        lab->lost_count = count;
        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_SERVER);
        offer(lab, "203.0.113.9:443");
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 1500 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        assert_int_equal(lab->sides[LAB_CLIENT].n_confirmed, 1);
        (void)lab_ask(lab, 7, SECOND_PATH, "203.0.113.9:443");
        lab_run(lab, 1300 * LAB_MSEC);
        assert_int_equal(lab_answer(lab, 7), 0);
        assert_true(lab_is_admitted(lab, SECOND_PATH));
        lab_joined(lab, LAB_SERVER, "203.0.113.9:443", "198.51.100.1:40000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        lab_run(lab, 20 * LAB_SECOND);
        assert_int_equal(lab->sides[LAB_SERVER].n_admitted, 0);
        assert_int_equal(protocol_deadline(lab->sides[LAB_SERVER].protocol), UINT64_MAX);
        assert_int_equal(protocol_deadline(lab->sides[LAB_CLIENT].protocol), UINT64_MAX);
        assert_int_equal(lab_teardown(state), 0);
        *state = NULL;
}

static void test_loss_of_each_message_made_good(void **state) {
        for (enum wire_type type = WIRE_HELLO; type <= WIRE_ADDR_OK; type++)
                for (unsigned int count = 0; count <= 2; count++)
                        run_with_loss(state, type, count);
}

static void test_loss_of_all_requests_timed_out(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        lab->on_packet = lose_some;
        lab->lost_type = WIRE_JOIN_REQ;
        lab->lost_count = 99;
        (void)lab_ask(lab, 7, SECOND_PATH, "203.0.113.1:443");
        lab_run(lab, 1399 * LAB_MSEC);
        assert_int_equal(lab_answer(lab, 7), LAB_NOTHING);
        lab_run(lab, 1 * LAB_MSEC);
        assert_int_equal(lab_answer(lab, 7), -ETIMEDOUT);
        assert_int_equal(lab->seen[WIRE_JOIN_REQ], 3);
        assert_int_equal(lab_count(lab, LAB_CLIENT, PROTOCOL_UNANSWERED), 1);
}

static enum lab_fate repeat(struct lab *lab, const struct lab_packet *packet) {
        (void)lab;
        (void)packet;
        return LAB_TWICE;
}

static void test_network_repeats_all_harmless(void **state) {
        struct lab *lab = *state;

        lab->on_packet = repeat;
        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        offer(lab, "203.0.113.9:443");
        (void)lab_ask(lab, 7, SECOND_PATH, "203.0.113.1:443");
        lab_run(lab, 2 * LAB_SECOND);
        assert_int_equal(lab_answer(lab, 7), 0);
        assert_int_equal(lab->sides[LAB_CLIENT].n_addresses, 1);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_ADMITTED), 1);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_REPLAYED), 3);
        assert_int_equal(lab_count(lab, LAB_CLIENT, PROTOCOL_REPLAYED), 3);
}

/* Newest first: five requests, and two lists of addresses. */
static void test_network_reverses_all_harmless(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        lab->backwards = true;
        offer(lab, "203.0.113.8:443");
        offer(lab, "203.0.113.9:443");
        for (uint32_t serial = 1; serial <= 3; serial++)
                (void)lab_ask(lab, serial, SECOND_PATH, "203.0.113.1:443");
        lab_run(lab, 2 * LAB_SECOND);
        for (uint32_t serial = 1; serial <= 3; serial++)
                assert_int_equal(lab_answer(lab, serial), 0);
        assert_int_equal(lab->sides[LAB_CLIENT].confirmed[0].address.bytes[3], 9);
        assert_int_equal(lab->sides[LAB_CLIENT].n_addresses, 1);
}

static void test_nat_source_counts(void **state) {
        struct lab *lab = *state;

        lab->nat = true;
        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        offer(lab, "203.0.113.9:443");
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_CLIENT].n_confirmed, 1);
        (void)lab_ask(lab, 7, "192.0.2.1", "203.0.113.9:443");
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 7), 0);
        assert_true(lab_is_admitted(lab, "192.0.2.200"));
        lab_joined(lab, LAB_SERVER, "203.0.113.9:443", "192.0.2.200:61000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
}

/* The first address of the server leads to some other host. */
static enum lab_fate balance(struct lab *lab, const struct lab_packet *packet) {
        const struct mptcpize_address shared = lab_at("203.0.113.1");

        (void)lab;
        return packet->from == LAB_CLIENT && address_same_host(&packet->destination, &shared)
                               ? LAB_LOSE
                               : LAB_PASS;
}

static void test_balancer_announced_address_answers(void **state) {
        struct lab *lab = *state;
        const struct mptcpize_address announced = lab_at("203.0.113.9:443");

        lab->on_packet = balance;
        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        offer(lab, "203.0.113.9:443");
        lab_key(lab, LAB_SERVER);
        protocol_announced(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C, &announced, lab->now);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 199 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "hello", JOINS_WAIT);
        lab_run(lab, 1 * LAB_MSEC);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        (void)lab_ask(lab, 7, SECOND_PATH, "203.0.113.9:443");
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 7), 0);
}

static void test_announced_later_asked_at_once(void **state) {
        struct lab *lab = *state;
        const struct mptcpize_address announced = lab_at("203.0.113.9:443");

        lab->on_packet = balance;
        lab_open_both(lab, POLICY_AUTH_PREFER, POLICY_AUTH_PREFER);
        lab_key(lab, LAB_SERVER);
        lab_key(lab, LAB_CLIENT);
        lab_run(lab, 2 * LAB_SECOND);
        lab_assert(lab, LAB_CLIENT, "free", JOINS_FREE);
        protocol_announced(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C, &announced, lab->now);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        lab_assert(lab, LAB_SERVER, "confirmed", JOINS_BARRED);
}

static void test_announced_many_bounded(void **state) {
        struct lab *lab = *state;

        lab_open(lab, LAB_CLIENT, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_CLIENT);
        for (unsigned int i = 0; i < 200; i++) {
                struct mptcpize_address lure = lab_at("198.51.100.0");

                lure.bytes[3] = (uint8_t)i;
                protocol_announced(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C, &lure, lab->now);
        }
        assert_int_equal(lab->sides[LAB_CLIENT].n_sent, 1 + LIMIT_AUTH_HELLOS);
}

static void test_offer_changed_told_again(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        offer(lab, "203.0.113.8:443");
        lab_pump(lab);
        offer(lab, "203.0.113.8:443"); /* no news */
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_CLIENT].n_addresses, 1);
        offer(lab, "203.0.113.9:443");
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_CLIENT].n_addresses, 2);
        (void)lab_ask(lab, 1, SECOND_PATH, "203.0.113.8:443");
        assert_int_equal(lab_answer(lab, 1), -EKEYREJECTED); /* it has been withdrawn */
        (void)lab_ask(lab, 2, SECOND_PATH, "203.0.113.9:444");
        assert_int_equal(lab_answer(lab, 2), -EKEYREJECTED); /* another port */
}

static void test_offer_unanswered_told_again_when_heard(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        lab->on_packet = lose_some;
        lab->lost_type = WIRE_ADDR;
        lab->lost_count = 4;
        offer(lab, "203.0.113.9:443");
        lab_run(lab, 10 * LAB_SECOND);
        assert_int_equal(lab->seen[WIRE_ADDR], 4);
        assert_int_equal(lab->sides[LAB_CLIENT].n_addresses, 0);
        (void)lab_ask(lab, 1, SECOND_PATH, "203.0.113.1:443");
        lab_pump(lab);
        assert_int_equal(lab->sides[LAB_CLIENT].n_addresses, 1);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        const struct CMUnitTest tests[] = {
                T(test_hello_both_keys_confirmed),
                T(test_hello_answered_once_guarded),
                T(test_hello_server_says_that_it_is_proved),
                T(test_hello_before_key_held),
                T(test_hello_held_too_long_forgotten),
                T(test_hello_before_connection_is_known_held),
                T(test_ask_confirmed_admitted_and_used),
                T(test_ask_gate_slow_answered_once_open),
                T(test_ask_said_with_what_will_join),
                T(test_cancel_asked_no_answer),
                cmocka_unit_test(test_loss_of_each_message_made_good),
                T(test_loss_of_all_requests_timed_out),
                T(test_network_repeats_all_harmless),
                T(test_network_reverses_all_harmless),
                T(test_nat_source_counts),
                T(test_balancer_announced_address_answers),
                T(test_announced_later_asked_at_once),
                T(test_announced_many_bounded),
                T(test_offer_changed_told_again),
                T(test_offer_unanswered_told_again_when_heard),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
