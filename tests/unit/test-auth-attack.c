/*
 * Join authentication against who has no key, but sees, repeats, changes and makes up datagrams, or
 * has the key of another connection; and against floods.
 */
#include "authlab.h"
#include "auth/hold.h"
#include "auth/table.h"
#include "auth/throttle.h"
#include "../../daemon/util/cleanup.h"

#define ATTACKER    "192.0.2.66:8684"
#define SERVER      "203.0.113.1:8684"
#define CLIENT      "192.0.2.1:8684"
#define SECOND_PATH "198.51.100.1"

/* All that somebody outside could see of a change. */
struct seen {
        struct auth_record records[2];
        unsigned int n_sent[2], n_permits[2], n_answers, n_admitted, n_intruders, n_addresses;
        uint64_t deadlines[2];
};

static struct seen look(const struct lab *lab) {
        struct seen seen;

        memset(&seen, 0, sizeof(seen));
        for (unsigned int i = 0; i < 2; i++) {
                seen.records[i] = lab->sides[i].record;
                seen.n_sent[i] = lab->sides[i].n_sent;
                seen.n_permits[i] = lab->sides[i].n_permits;
                seen.deadlines[i] = protocol_deadline(lab->sides[i].protocol);
        }
        seen.n_answers = lab->sides[LAB_CLIENT].n_answers;
        seen.n_addresses = lab->sides[LAB_CLIENT].n_addresses;
        seen.n_admitted = lab->sides[LAB_SERVER].n_admitted;
        seen.n_intruders = lab->sides[LAB_SERVER].n_intruders;
        return seen;
}

static void assert_unchanged(const struct lab *lab, const struct seen *before) {
        const struct seen after = look(lab);

        assert_memory_equal(&after, before, sizeof(after));
}

/* One of each type, as it was on the wire, with a confirmed connection. */
static void make_traffic(struct lab *lab) {
        const struct protocol_address offered = { .address = lab_at("203.0.113.9:443"), .id = 3 };

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        protocol_offer(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &offered, 1, lab->now);
        (void)lab_ask(lab, 1, SECOND_PATH, "203.0.113.1:443");
        lab_pump(lab);
        for (uint32_t serial = 2; serial <= 4; serial++)
                (void)lab_ask(lab, serial, SECOND_PATH, "203.0.113.1:443");
        lab_pump(lab);
        for (enum wire_type type = WIRE_HELLO; type < WIRE_BYE; type++)
                assert_true(lab->last[type].n > 0);
}

static void test_replay_from_anywhere_harmless(void **state) {
        struct lab *lab = *state;
        struct seen before;

        make_traffic(lab);
        before = look(lab);
        for (enum wire_type type = WIRE_HELLO; type < WIRE_BYE; type++)
                for (unsigned int side = 0; side < 2; side++) {
                        const struct lab_packet *packet = &lab->last[type];

                        lab_inject(lab, side, ATTACKER, SERVER, packet->bytes, packet->n);
                        lab_inject(lab, side, side == LAB_SERVER ? CLIENT : SERVER, SERVER,
                                   packet->bytes, packet->n);
                }
        assert_unchanged(lab, &before);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_REPLAYED), 6);
        assert_int_equal(lab_count(lab, LAB_CLIENT, PROTOCOL_REPLAYED), 8);
        assert_false(lab_is_admitted(lab, "192.0.2.66"));
}

static enum lab_fate catch_all(struct lab *lab, const struct lab_packet *packet) {
        lab->last[packet->type] = *packet;
        return LAB_LOSE;
}

/* Each datagram that its receiver has not seen, with each of its bits wrong: nothing happens. */
static void assert_flips_harmless(struct lab *lab, unsigned int side, enum wire_type type) {
        const struct seen before = look(lab);
        struct lab_packet packet = lab->last[type];

        assert_true(packet.n > 0);
        for (size_t bit = 0; bit < packet.n * 8; bit++) {
                packet.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                lab_inject(lab, side, ATTACKER, SERVER, packet.bytes, packet.n);
                packet.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_unchanged(lab, &before);
        assert_true(lab_count(lab, side, PROTOCOL_FORGED) > 128);
}

static void test_flip_of_each_bit_harmless(void **state) {
        struct lab *lab = *state;
        const struct protocol_address offered = { .address = lab_at("203.0.113.9:443"), .id = 3 };

        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_SERVER);
        lab->on_packet = catch_all;
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        assert_flips_harmless(lab, LAB_SERVER, WIRE_HELLO);
        lab_inject(lab, LAB_SERVER, CLIENT, SERVER, lab->last[WIRE_HELLO].bytes,
                   lab->last[WIRE_HELLO].n);
        lab_pump(lab);
        assert_flips_harmless(lab, LAB_CLIENT, WIRE_HELLO_ACK);
        lab_inject(lab, LAB_CLIENT, SERVER, CLIENT, lab->last[WIRE_HELLO_ACK].bytes,
                   lab->last[WIRE_HELLO_ACK].n);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        (void)lab_ask(lab, 1, SECOND_PATH, "203.0.113.1:443");
        lab_pump(lab);
        assert_flips_harmless(lab, LAB_SERVER, WIRE_JOIN_REQ);
        lab_inject(lab, LAB_SERVER, CLIENT, SERVER, lab->last[WIRE_JOIN_REQ].bytes,
                   lab->last[WIRE_JOIN_REQ].n);
        lab_pump(lab);
        assert_flips_harmless(lab, LAB_CLIENT, WIRE_JOIN_OK);
        protocol_offer(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, &offered, 1, lab->now);
        lab_pump(lab);
        assert_flips_harmless(lab, LAB_CLIENT, WIRE_ADDR);
        protocol_close(lab->sides[LAB_SERVER].protocol, LAB_TOKEN_S, true, lab->now);
        lab_pump(lab);
        assert_flips_harmless(lab, LAB_CLIENT, WIRE_BYE);
}

/* Back to who sent it, as it is, and with the bit that tells the direction turned round. */
static void test_reflected_harmless(void **state) {
        struct lab *lab = *state;
        struct seen before;

        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_CLIENT);
        lab_key(lab, LAB_SERVER);
        lab->on_packet = catch_all;
        lab_pump(lab);
        before = look(lab);
        for (unsigned int i = 0; i < 2; i++) {
                struct lab_packet packet = lab->last[WIRE_HELLO];

                packet.bytes[6] ^= (uint8_t)i;
                lab_inject(lab, LAB_CLIENT, SERVER, CLIENT, packet.bytes, packet.n);
        }
        assert_unchanged(lab, &before);
}

/* With the right key and a sequence number of its own, but of another connection. */
static void test_other_connection_key_harmless(void **state) {
        struct lab *lab = *state;
        const uint8_t secret[KEYS_SECRET] = { 66 };
        struct wire_message message = { .type = WIRE_JOIN_REQ, .sequence = 9 };
        uint8_t bytes[WIRE_MAX];
        struct auth_keys keys;
        struct seen before;
        size_t n;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        before = look(lab);
        keys_derive(secret, &keys);
        message.request.token = LAB_TOKEN_S;
        memcpy(message.id, lab->sides[LAB_SERVER].record.keys.id, KEYS_ID);
        n = wire_encode(&message, keys.c2s, bytes);
        lab_inject(lab, LAB_SERVER, ATTACKER, SERVER, bytes, n);
        memcpy(message.id, keys.id, KEYS_ID);
        n = wire_encode(&message, keys.c2s, bytes);
        lab_inject(lab, LAB_SERVER, ATTACKER, SERVER, bytes, n);
        assert_unchanged(lab, &before);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_FORGED), 1);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_UNKNOWN), 1);
}

/* As the client says it, but with the sequence and fields of the test's choice. */
static void say(struct lab *lab, struct wire_message *message, const char *from,
                uint64_t sequence) {
        const struct auth_record *record = &lab->sides[LAB_CLIENT].record;
        uint8_t bytes[WIRE_MAX];
        size_t n;

        memcpy(message->id, record->keys.id, KEYS_ID);
        message->sequence = sequence;
        n = wire_encode(message, record->keys.c2s, bytes);
        lab_inject(lab, LAB_SERVER, from, SERVER, bytes, n);
}

static void request(struct lab *lab, uint32_t nonce, const char *from, uint64_t sequence) {
        struct wire_message message = {
                .type = WIRE_JOIN_REQ,
                .request = { .token = LAB_TOKEN_S, .nonce = nonce, .port = 443 },
        };

        say(lab, &message, from, sequence);
}

static void test_request_other_token_refused(void **state) {
        struct lab *lab = *state;
        struct wire_message message = { .type = WIRE_JOIN_REQ,
                                        .request = { .token = LAB_TOKEN_S + 1 } };

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        say(lab, &message, CLIENT, 5);
        lab_pump(lab);
        assert_int_equal(lab->last[WIRE_JOIN_NO].bytes[28], WIRE_PROHIBITED);
        assert_int_equal(lab->sides[LAB_SERVER].n_admitted, 0);
}

static void test_request_fourth_open_refused(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        for (uint32_t i = 1; i <= LIMIT_AUTH_OPEN; i++)
                request(lab, i, CLIENT, 1 + i);
        lab_pump(lab);
        assert_int_equal(lab->last[WIRE_JOIN_NO].n, 0);
        request(lab, 4, CLIENT, 5);
        lab_pump(lab);
        assert_int_equal(lab->last[WIRE_JOIN_NO].bytes[28], WIRE_NO_RESOURCES);
        /* One that is there already is only renewed. */
        request(lab, 3, CLIENT, 6);
        lab_pump(lab);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_REFUSED), 1);
        lab_run(lab, PROTOCOL_LIFETIME_SEC * LAB_SECOND);
        assert_int_equal(lab->sides[LAB_SERVER].n_admitted, 0);
        request(lab, 5, CLIENT, 7);
        lab_pump(lab);
        assert_true(lab_is_admitted(lab, "192.0.2.1"));
}

/* The same join from another address: the old one may not join any more. */
static void test_request_moved_only_newest_admitted(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        request(lab, 1, CLIENT, 2);
        lab_pump(lab);
        request(lab, 1, "192.0.2.77:999", 3);
        lab_pump(lab);
        assert_false(lab_is_admitted(lab, "192.0.2.1"));
        assert_true(lab_is_admitted(lab, "192.0.2.77"));
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.1:40000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

/* Said again, late, by the network: the subflow is there, and the gate stays shut. */
static void test_request_used_not_opened_again(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        request(lab, 1, CLIENT, 2);
        lab_pump(lab);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.1:40000");
        request(lab, 1, CLIENT, 3);
        lab_pump(lab);
        assert_false(lab_is_admitted(lab, "192.0.2.1"));
        assert_int_equal(lab->last[WIRE_JOIN_OK].bytes[23], 3); /* it was answered, though */
}

/* What the gate let in may need some round trips more. */
static void test_joined_after_lifetime_still_admitted(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        request(lab, 1, CLIENT, 2);
        lab_run(lab, (PROTOCOL_LIFETIME_SEC + 1) * LAB_SECOND);
        assert_false(lab_is_admitted(lab, "192.0.2.1"));
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.1:40000");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 0);
        request(lab, 2, CLIENT, 3);
        lab_run(lab, (2 * PROTOCOL_LIFETIME_SEC) * LAB_SECOND);
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.1:40001");
        assert_int_equal(lab->sides[LAB_SERVER].n_intruders, 1);
}

/* The subflow is of the newer request, then; no second one gets in. */
static void test_joined_open_admission_goes_first(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        request(lab, 1, CLIENT, 2);
        lab_run(lab, (PROTOCOL_LIFETIME_SEC + 1) * LAB_SECOND);
        request(lab, 2, CLIENT, 3);
        lab_pump(lab);
        assert_true(lab_is_admitted(lab, "192.0.2.1"));
        lab_joined(lab, LAB_SERVER, "203.0.113.1:443", "192.0.2.1:40000");
        assert_false(lab_is_admitted(lab, "192.0.2.1"));
}

static void test_request_rate_of_source_limited(void **state) {
        struct lab *lab = *state;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        for (uint32_t i = 0; i < LIMIT_AUTH_RATE + 10; i++)
                request(lab, 1, CLIENT, 2 + i);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_THROTTLED), 10);
        /* Others, and the same one later, are heard. */
        request(lab, 1, "198.51.100.1:8684", 500);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_THROTTLED), 10);
        lab->now += LAB_SECOND / LIMIT_AUTH_RATE;
        request(lab, 1, CLIENT, 501);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_THROTTLED), 10);
        request(lab, 1, CLIENT, 502);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_THROTTLED), 11);
}

/* Forged ones cost the client nothing of its rate. */
static void test_flood_forged_requests_client_unharmed(void **state) {
        struct lab *lab = *state;
        uint8_t bytes[WIRE_MAX];
        struct wire_message message = { .type = WIRE_JOIN_REQ };
        size_t n;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        memcpy(message.id, lab->sides[LAB_SERVER].record.keys.id, KEYS_ID);
        message.sequence = 1000000;
        n = wire_encode(&message, (const uint8_t[KEYS_KEY]){ 1 }, bytes);
        for (unsigned int i = 0; i < 100000; i++)
                lab_inject(lab, LAB_SERVER, CLIENT, SERVER, bytes, n);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_FORGED), 100000);
        assert_int_equal(lab->sides[LAB_SERVER].n_sent, 1);
        (void)lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443");
        lab_pump(lab);
        assert_int_equal(lab_answer(lab, 1), 0);
}

static void test_flood_sources_throttle_never_locks_out(void **state) {
        static struct throttle throttle;

        (void)state;
        memset(&throttle, 0, sizeof(throttle));
        for (uint64_t i = 1; i < 100 * LIMIT_AUTH_SOURCES; i++)
                assert_true(throttle_pass(&throttle, table_hash(1, i), LAB_START));
        for (unsigned int i = 0; i < LIMIT_AUTH_RATE; i++)
                assert_true(throttle_pass(&throttle, 12345, LAB_START));
        assert_false(throttle_pass(&throttle, 12345, LAB_START));
        assert_true(throttle_pass(&throttle, 12345, LAB_START + LAB_SECOND));
}

static void unknown_hello(struct lab *lab, const char *from, uint64_t id) {
        struct wire_message message = { .type = WIRE_HELLO, .sequence = 1 };
        uint8_t bytes[WIRE_MAX];
        size_t n;

        memcpy(message.id, &id, KEYS_ID);
        n = wire_encode(&message, (const uint8_t[KEYS_KEY]){ 1 }, bytes);
        lab_inject(lab, LAB_SERVER, from, SERVER, bytes, n);
}

static void test_hold_of_one_source_limited(void **state) {
        struct lab *lab = *state;

        for (uint64_t i = 0; i < 100; i++)
                unknown_hello(lab, ATTACKER, i);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_HELD), LIMIT_AUTH_HELD_SOURCE);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_UNKNOWN),
                         100 - LIMIT_AUTH_HELD_SOURCE);
        lab->now += 500 * LAB_MSEC;
        unknown_hello(lab, ATTACKER, 1);
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_HELD), LIMIT_AUTH_HELD_SOURCE + 1);
}

/* A source's own are taken out of the way by others, but the newest is always kept. */
static void test_hold_flood_newest_kept(void **state) {
        struct lab *lab = *state;

        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        for (unsigned int i = 0; i < 10000; i++) {
                char from[ADDRESS_TEXT];

                snprintf(from, sizeof(from), "198.18.%u.%u:1", i / 256, i % 256);
                unknown_hello(lab, from, i);
        }
        assert_int_equal(lab_count(lab, LAB_SERVER, PROTOCOL_HELD), 10000);
        lab_key(lab, LAB_CLIENT);
        lab_pump(lab);
        lab_key(lab, LAB_SERVER);
        lab_pump(lab);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
}

static void test_hold_edge_256_are_kept(void **state) {
        static struct hold hold;
        const struct protocol_path path = { .remote = lab_at(CLIENT) };
        const uint8_t bytes[HOLD_BYTES] = { 0 };
        struct held held;

        (void)state;
        memset(&hold, 0, sizeof(hold));
        for (uint32_t i = 0; i < LIMIT_AUTH_HELD + 1; i++)
                assert_true(hold_keep(&hold, &path, i, i, bytes, LAB_START));
        assert_false(hold_take(&hold, 0, LAB_START, &held));
        for (uint32_t i = 1; i < LIMIT_AUTH_HELD + 1; i++) {
                assert_true(hold_take(&hold, i, LAB_START, &held));
                assert_false(hold_take(&hold, i, LAB_START, &held));
        }
}

/* A forged ADD_ADDR leads HELLO to an attacker, who passes it on, and the answer back. */
static void test_lure_relayed_hello_not_joined(void **state) {
        struct lab *lab = *state;
        const struct mptcpize_address lure = lab_at("192.0.2.66:443");
        struct lab_packet packet;

        lab_open_both(lab, POLICY_AUTH_REQUIRE, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_SERVER);
        lab->on_packet = catch_all;
        lab_key(lab, LAB_CLIENT);
        protocol_announced(lab->sides[LAB_CLIENT].protocol, LAB_TOKEN_C, &lure, lab->now);
        lab_pump(lab);
        packet = lab->last[WIRE_HELLO];
        assert_true(address_same_host(&packet.destination, &lure));
        lab_inject(lab, LAB_SERVER, ATTACKER, SERVER, packet.bytes, packet.n);
        lab_pump(lab);
        packet = lab->last[WIRE_HELLO_ACK];
        lab_inject(lab, LAB_CLIENT, ATTACKER, CLIENT, packet.bytes, packet.n);
        lab_assert(lab, LAB_CLIENT, "confirmed", JOINS_ASK);
        (void)lab_ask(lab, 1, "192.0.2.1", "192.0.2.66:443");
        assert_int_equal(lab_answer(lab, 1), -EKEYREJECTED);
}

/* HELLO_ACK has to echo what was asked, whatever its sequence number says. */
static void test_ack_other_random_ignored(void **state) {
        struct lab *lab = *state;
        const struct auth_record *record = &lab->sides[LAB_CLIENT].record;
        struct wire_message message = { .type = WIRE_HELLO_ACK, .server = true, .sequence = 7 };
        uint8_t bytes[WIRE_MAX];
        size_t n;

        lab_open(lab, LAB_CLIENT, POLICY_AUTH_REQUIRE);
        lab_key(lab, LAB_CLIENT);
        memcpy(message.id, record->keys.id, KEYS_ID);
        n = wire_encode(&message, record->keys.s2c, bytes);
        lab_inject(lab, LAB_CLIENT, SERVER, CLIENT, bytes, n);
        lab_assert(lab, LAB_CLIENT, "hello", JOINS_WAIT);
}

/* A HELLO is answered once: what comes later changes nothing, not even if it is right. */
static void test_ack_second_ignored(void **state) {
        struct lab *lab = *state;
        const struct auth_record *record = &lab->sides[LAB_CLIENT].record;
        struct wire_message message;
        uint8_t bytes[WIRE_MAX];

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        assert_int_equal(wire_decode(lab->last[WIRE_HELLO_ACK].bytes, lab->last[WIRE_HELLO_ACK].n,
                                     &message),
                         0);
        message.sequence = 9;
        message.ack.token++;
        lab_inject(lab, LAB_CLIENT, SERVER, CLIENT, bytes,
                   wire_encode(&message, record->keys.s2c, bytes));
        assert_int_equal(lab_count(lab, LAB_CLIENT, PROTOCOL_FORGED), 0);
        assert_int_equal(record->peer_token, LAB_TOKEN_S);
}

static void test_answer_other_nonce_ignored(void **state) {
        struct lab *lab = *state;
        const struct auth_record *record = &lab->sides[LAB_CLIENT].record;
        struct wire_message message = { .type = WIRE_JOIN_OK, .server = true };
        uint8_t bytes[WIRE_MAX];

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        lab->on_packet = catch_all;
        (void)lab_ask(lab, 1, "192.0.2.1", "203.0.113.1:443");
        lab_pump(lab);
        memcpy(message.id, record->keys.id, KEYS_ID);
        for (uint32_t i = 0; i < 100; i++) {
                message.sequence = 10 + i;
                message.answer.nonce = i;
                lab_inject(lab, LAB_CLIENT, SERVER, CLIENT, bytes,
                           wire_encode(&message, record->keys.s2c, bytes));
        }
        assert_int_equal(lab_answer(lab, 1), LAB_NOTHING);
}

/* A program can't register the key of somebody else's connection for its own. */
static void test_key_twice_refused(void **state) {
        struct lab *lab = *state;
        struct auth_record record = { 0 };
        const uint8_t secret[KEYS_SECRET] = { 1, 2, 3, 4, 5, 6, 7, 8 };
        const struct protocol_connection other = {
                .token = 99,
                .server = true,
                .mode = POLICY_AUTH_PREFER,
                .record = &record,
        };
        struct protocol *protocol = lab->sides[LAB_SERVER].protocol;

        lab_confirm(lab, POLICY_AUTH_REQUIRE);
        lab->sides[LAB_SERVER].token = 99;
        assert_int_equal(protocol_open(protocol, &other, lab->now), 0);
        assert_int_equal(protocol_key(protocol, 99, secret, lab->now), -EEXIST);
        assert_int_equal(protocol_key(protocol, LAB_TOKEN_S, secret, lab->now), -EEXIST);
        assert_int_equal(protocol_key(protocol, 98, secret, lab->now), -ENOENT);
        assert_false(record_has_keys(&record));
        assert_memory_equal(&record.keys, &(struct auth_keys){ 0 }, sizeof(record.keys));
        protocol_close(protocol, 99, false, lab->now);
        lab->sides[LAB_SERVER].token = LAB_TOKEN_S;
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        const struct CMUnitTest tests[] = {
                T(test_replay_from_anywhere_harmless),
                T(test_flip_of_each_bit_harmless),
                T(test_reflected_harmless),
                T(test_other_connection_key_harmless),
                T(test_request_other_token_refused),
                T(test_request_fourth_open_refused),
                T(test_request_moved_only_newest_admitted),
                T(test_request_used_not_opened_again),
                T(test_joined_after_lifetime_still_admitted),
                T(test_joined_open_admission_goes_first),
                T(test_request_rate_of_source_limited),
                T(test_flood_forged_requests_client_unharmed),
                cmocka_unit_test(test_flood_sources_throttle_never_locks_out),
                T(test_hold_of_one_source_limited),
                T(test_hold_flood_newest_kept),
                cmocka_unit_test(test_hold_edge_256_are_kept),
                T(test_lure_relayed_hello_not_joined),
                T(test_ack_other_random_ignored),
                T(test_ack_second_ignored),
                T(test_answer_other_nonce_ignored),
                T(test_key_twice_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
