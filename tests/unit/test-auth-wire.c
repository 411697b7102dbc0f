/*
 * Keys and messages of join authentication, byte for byte, and what is no message.
 */
#include "authlab.h"
#include "../../daemon/util/cleanup.h"

#define C2S "e963508493e608b2fe64af7c48d9f2846d403c335ca5e306abe7be3a8cf4fbe5"
#define S2C "9ac2f68f4fc28cff1eec0bdc637cf299474873833bb0edc85ca916415f92a8b4"
#define KID "2ec41a0aca88aa46"

static struct auth_keys vector_keys(void) {
        struct auth_keys keys;
        uint8_t secret[KEYS_SECRET];

        for (unsigned int i = 0; i < KEYS_SECRET; i++)
                secret[i] = (uint8_t)i;
        keys_derive(secret, &keys);
        return keys;
}

static void test_derive_vector_matches(void **state) {
        const struct auth_keys keys = vector_keys();

        (void)state;
        assert_memory_equal(keys.c2s, bytes_from(C2S).data, KEYS_KEY);
        assert_memory_equal(keys.s2c, bytes_from(S2C).data, KEYS_KEY);
        assert_memory_equal(keys.id, bytes_from(KID).data, KEYS_ID);
}

static void test_share_vector_matches(void **state) {
        uint8_t psk[32], secret[KEYS_SECRET];

        (void)state;
        memset(psk, 0x42, sizeof(psk));
        keys_share(psk, sizeof(psk), UINT64_C(0x1111111111111111), UINT64_C(0x2222222222222222),
                   secret);
        assert_memory_equal(secret,
                            bytes_from("a0f9fb34a1caaf31a119e50fe3021d8aa61d45ee0b8de1085d2600c2f59"
                                       "a9729")
                                            .data,
                            KEYS_SECRET);
}

static const char *const vectors[] = {
        [WIRE_HELLO] = "4d5041480101000d2ec41a0aca88aa460000000000000001a0a1a2a3a4a5a6a700000001"
                       "47f9d842f65f68411907695aee67b46d",
        [WIRE_HELLO_ACK] = "4d5041480102010e2ec41a0aca88aa460000000000000001a0a1a2a3a4a5a6a7112233"
                           "4404020000ceaea2bb49b792b1edc6c891316557dd",
        [WIRE_JOIN_REQ] = "4d5041480103000d2ec41a0aca88aa460000000000000002112233440102030401000"
                          "1bba419f282a706ba0d35825f3042bf134e",
        [WIRE_JOIN_OK] = "4d5041480104010c2ec41a0aca88aa46000000000000000201020304000500"
                         "0036ab6ce345b13a4993d2b57dd5aa4828",
        [WIRE_ADDR] = "4d504148010601102ec41a0aca88aa46000000000000000301000000020101bb0000000000"
                      "0000000000ffffc000020749715c9f026d339598b4224f29990da9",
};

static struct wire_message vector_message(enum wire_type type) {
        struct wire_message message = { .type = type };
        static const uint8_t random[8] = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7 };

        if (type == WIRE_HELLO) {
                message.sequence = 1;
                message.hello.capabilities = 1;
                memcpy(message.hello.random, random, 8);
        } else if (type == WIRE_HELLO_ACK) {
                message.sequence = 1;
                message.ack.token = 0x11223344;
                message.ack.max_subflows = 4;
                message.ack.mode = 2;
                memcpy(message.ack.random, random, 8);
        } else if (type == WIRE_JOIN_REQ) {
                message.sequence = 2;
                message.request.token = 0x11223344;
                message.request.nonce = 0x01020304;
                message.request.local_id = 1;
                message.request.port = 443;
        } else if (type == WIRE_JOIN_OK) {
                message.sequence = 2;
                message.answer.nonce = 0x01020304;
                message.answer.lifetime_sec = 5;
        } else {
                message.sequence = 3;
                message.addresses.n = 1;
                message.addresses.list[0].id = 2;
                message.addresses.list[0].address = lab_at("192.0.2.7:443");
        }
        message.server = type == WIRE_HELLO_ACK || type == WIRE_JOIN_OK || type == WIRE_ADDR;
        memcpy(message.id, vector_keys().id, KEYS_ID);
        return message;
}

static void test_encode_vectors_match(void **state) {
        const struct auth_keys keys = vector_keys();

        (void)state;
        for (enum wire_type type = 1; type < ARRAY_SIZE(vectors); type++) {
                struct wire_message message;
                struct bytes want;
                uint8_t bytes[WIRE_MAX];

                if (!vectors[type])
                        continue;
                message = vector_message(type);
                want = bytes_from(vectors[type]);
                assert_int_equal(wire_encode(&message, message.server ? keys.s2c : keys.c2s, bytes),
                                 want.len);
                assert_memory_equal(bytes, want.data, want.len);
        }
}

static void test_decode_vectors_match(void **state) {
        const struct auth_keys keys = vector_keys();

        (void)state;
        for (enum wire_type type = 1; type < ARRAY_SIZE(vectors); type++) {
                struct wire_message message, want;
                struct bytes bytes;

                if (!vectors[type])
                        continue;
                want = vector_message(type);
                bytes = bytes_from(vectors[type]);
                assert_int_equal(wire_decode(bytes.data, bytes.len, &message), 0);
                assert_memory_equal(&message, &want, sizeof(want));
                assert_true(wire_is_genuine(bytes.data, bytes.len,
                                            message.server ? keys.s2c : keys.c2s));
                assert_false(wire_is_genuine(bytes.data, bytes.len,
                                             message.server ? keys.c2s : keys.s2c));
        }
}

/* Each type, with all its fields, there and back. */
static struct wire_message full_message(enum wire_type type) {
        struct wire_message message = { .type = type, .sequence = UINT64_C(0x0102030405060708) };

        memcpy(message.id, "\1\2\3\4\5\6\7\10", KEYS_ID);
        message.server = type == WIRE_HELLO_ACK || type == WIRE_JOIN_OK || type == WIRE_JOIN_NO ||
                         type == WIRE_ADDR;
        switch (type) {
        case WIRE_JOIN_OK:
        case WIRE_JOIN_NO:
                message.answer.nonce = 0xf0e0d0c0;
                message.answer.code = 3;
                message.answer.lifetime_sec = 5;
                break;
        case WIRE_ADDR:
                message.addresses.n = PROTOCOL_ADDRESSES;
                for (uint8_t i = 0; i < PROTOCOL_ADDRESSES; i++) {
                        message.addresses.list[i].id = i;
                        message.addresses.list[i].address =
                                        lab_at(i % 2 ? "[2001:db8::7]:8443" : "192.0.2.9");
                }
                break;
        case WIRE_ADDR_OK:
                message.highest = UINT64_MAX - 1;
                break;
        case WIRE_BYE:
                message.reason = 2;
                break;
        case WIRE_HELLO:
        case WIRE_HELLO_ACK:
        case WIRE_JOIN_REQ:
        case _WIRE_TYPE_MAX:
                memset(&message.hello, 0, sizeof(message.hello));
                message.request.nonce = 0x11111111;
                message.request.flags = 1;
                break;
        }
        return message;
}

static struct bytes full_bytes(enum wire_type type) {
        const struct auth_keys keys = vector_keys();
        const struct wire_message message = full_message(type);
        struct bytes bytes;

        bytes.len = wire_encode(&message, keys.c2s, bytes.data);
        return bytes;
}

static void test_decode_each_type_as_encoded(void **state) {
        (void)state;
        for (enum wire_type type = WIRE_HELLO; type < _WIRE_TYPE_MAX; type++) {
                const struct wire_message want = full_message(type);
                const struct bytes bytes = full_bytes(type);
                struct wire_message message;

                assert_int_equal(wire_decode(bytes.data, bytes.len, &message), 0);
                assert_int_equal(message.type, want.type);
                assert_int_equal(message.server, want.server);
                assert_int_equal(message.sequence, want.sequence);
                if (type == WIRE_ADDR)
                        assert_memory_equal(&message.addresses, &want.addresses,
                                            sizeof(want.addresses));
                else
                        assert_memory_equal(&message.hello, &want.hello, 12);
        }
}

static void assert_malformed(const struct bytes *bytes, size_t len) {
        struct wire_message message;
        void *block = bytes_block(bytes, len);

        assert_int_equal(wire_decode(block, len, &message), -EBADMSG);
        free(block);
}

static void test_decode_other_length_refused(void **state) {
        (void)state;
        for (enum wire_type type = WIRE_HELLO; type < _WIRE_TYPE_MAX; type++) {
                struct bytes bytes = full_bytes(type);

                for (size_t len = 0; len < bytes.len + 40; len++)
                        if (len != bytes.len)
                                assert_malformed(&bytes, len);
                bytes.data[7]++;
                assert_malformed(&bytes, bytes.len);
                assert_malformed(&bytes, bytes.len + 4);
        }
}

static void test_decode_other_header_refused(void **state) {
        static const struct {
                size_t at;
                const char *hex;
        } rows[] = {
                { 0, "4d504149" }, { 4, "00" }, { 4, "02" }, { 5, "00" }, { 5, "09" },
                { 5, "ff" },       { 6, "01" }, { 7, "00" }, { 7, "ff" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct bytes bytes = full_bytes(WIRE_HELLO);

                bytes_set(&bytes, rows[i].at, rows[i].hex);
                assert_malformed(&bytes, bytes.len);
        }
}

/* A type that only the other side sends. */
static void test_decode_wrong_direction_refused(void **state) {
        (void)state;
        for (enum wire_type type = WIRE_HELLO; type < WIRE_BYE; type++) {
                struct bytes bytes = full_bytes(type);

                bytes.data[6] ^= 1;
                assert_malformed(&bytes, bytes.len);
        }
}

static void test_decode_reserved_ignored(void **state) {
        struct bytes bytes = full_bytes(WIRE_HELLO_ACK);
        struct wire_message message;

        (void)state;
        bytes.data[6] |= 0xfe;
        bytes.data[38] = bytes.data[39] = 0xff;
        assert_int_equal(wire_decode(bytes.data, bytes.len, &message), 0);
        assert_true(message.server);
}

static void test_decode_bad_address_refused(void **state) {
        static const struct {
                size_t at;
                const char *hex;
        } rows[] = {
                { 24, "00" },                     /* none at all */
                { 24, "09" },                     /* more than there may be */
                { 24, "07" },                     /* another count than the length says */
                { 29, "02" },                     /* IPv4 called IPv6 */
                { 29, "00" },       { 49, "01" }, /* IPv6 called IPv4 */
                { 44, "e0000001" },               /* multicast */
                { 44, "00000000" }, { 44, "ffffffff" }, { 52, "ff020000000000000000000000000001" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct bytes bytes = full_bytes(WIRE_ADDR);

                bytes_set(&bytes, rows[i].at, rows[i].hex);
                assert_malformed(&bytes, bytes.len);
        }
}

static void test_genuine_any_bit_matters(void **state) {
        const struct auth_keys keys = vector_keys();

        (void)state;
        for (enum wire_type type = WIRE_HELLO; type < _WIRE_TYPE_MAX; type++) {
                struct bytes bytes = full_bytes(type);

                assert_true(wire_is_genuine(bytes.data, bytes.len, keys.c2s));
                for (size_t bit = 0; bit < bytes.len * 8; bit++) {
                        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                        assert_false(wire_is_genuine(bytes.data, bytes.len, keys.c2s));
                        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
        }
}

static void test_window_repeated_and_old_refused(void **state) {
        struct window window = { 0 };

        (void)state;
        assert_false(window_is_new(&window, 0));
        assert_true(window_is_new(&window, 1));
        window_take(&window, 1);
        assert_false(window_is_new(&window, 1));
        window_take(&window, 100);
        assert_false(window_is_new(&window, 100));
        assert_true(window_is_new(&window, 99));
        assert_true(window_is_new(&window, 37)); /* 64 wide */
        assert_false(window_is_new(&window, 36));
        window_take(&window, 37);
        assert_false(window_is_new(&window, 37));
        assert_true(window_is_new(&window, 38));
        window_take(&window, 101);
        assert_false(window_is_new(&window, 37)); /* it has fallen out */
        assert_false(window_is_new(&window, 100));
        assert_true(window_is_new(&window, 99));
        window_take(&window, UINT64_MAX);
        assert_false(window_is_new(&window, UINT64_MAX));
        assert_true(window_is_new(&window, UINT64_MAX - 63));
        assert_false(window_is_new(&window, UINT64_MAX - 64));
        assert_false(window_is_new(&window, 0));
}

/* In any order, each number is new once. */
static void test_window_shuffled_each_new_once(void **state) {
        struct window window = { 0 };

        (void)state;
        for (uint64_t block = 0; block < 50; block++)
                for (unsigned int k = 0; k < 32; k++) {
                        const uint64_t sequence = 1 + block * 32 + k * 13 % 32;

                        assert_true(window_is_new(&window, sequence));
                        window_take(&window, sequence);
                        assert_false(window_is_new(&window, sequence));
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_derive_vector_matches),
                cmocka_unit_test(test_share_vector_matches),
                cmocka_unit_test(test_encode_vectors_match),
                cmocka_unit_test(test_decode_vectors_match),
                cmocka_unit_test(test_decode_each_type_as_encoded),
                cmocka_unit_test(test_decode_other_length_refused),
                cmocka_unit_test(test_decode_other_header_refused),
                cmocka_unit_test(test_decode_wrong_direction_refused),
                cmocka_unit_test(test_decode_reserved_ignored),
                cmocka_unit_test(test_decode_bad_address_refused),
                cmocka_unit_test(test_genuine_any_bit_matters),
                cmocka_unit_test(test_window_repeated_and_old_refused),
                cmocka_unit_test(test_window_shuffled_each_new_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
