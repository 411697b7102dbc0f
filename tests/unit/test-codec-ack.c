/*
 * kern/codec-ack: NLMSG_ERROR and NLMSG_DONE with extended acknowledgements, bytes of Linux 6.18.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/kern/codec-ack.h"
#include "../../daemon/util/cleanup.h"
#include "bytes.h"

static const char ack_ok[] =
                "240000000200000107000000264c0000000000005c0000001c0005000700000000000000";

/* NETLINK_CAP_ACK: of the request there is only the header. */
static const char ack_error[] =
                "500000000200000308000000264c0000eaffffff5c0000001c00050008000000000000002100010064"
                "696420"
                "6e6f74206d61746368206164647265737320616e6420696400000000080002001c000000";

/* No words. */
static const char ack_plain[] =
                "2400000002000001040000009b740000feffffff20000000100005000400000000000000";

static const char ack_missing[] = "2c00000002000003050000009b740000eaffffff140000001c00050005000000"
                                  "000000000800050005000000";

static const char done_ok[] = "140000000300020006000000264c000000000000";

/* A dump that was refused. */
static const char done_error[] = "300000000300020206000000264c0000eaffffff12000100696e76616c6964207"
                                 "46f6b656e00000008000200"
                                 "14000000";

static int decode_len(const struct bytes *bytes, size_t len, int *ret_error, char *message) {
        void *block = bytes_block(bytes, len);
        int r = codec_ack_decode(block, len, ret_error, message);

        free(block);
        return r;
}

static void assert_ack(const struct bytes *bytes, int error, const char *words) {
        char message[LIMIT_REASON] = "before";
        int is = 1;

        assert_int_equal(decode_len(bytes, bytes->len, &is, message), 0);
        assert_int_equal(is, error);
        assert_string_equal(message, words);
}

static void test_decode_ack_gives_error_and_words(void **state) {
        static const struct {
                const char *hex;
                int error;
                const char *words;
        } acks[] = {
                { ack_ok, 0, "" },          { ack_error, -EINVAL, "did not match address and id" },
                { ack_plain, -ENOENT, "" }, { ack_missing, -EINVAL, "attribute 5 is missing" },
                { done_ok, 0, "" },         { done_error, -EINVAL, "invalid token" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(acks); i++) {
                struct bytes bytes = bytes_from(acks[i].hex);

                assert_ack(&bytes, acks[i].error, acks[i].words);
        }
}

/* A kernel that ignores NETLINK_CAP_ACK (before 4.3) repeats the whole request. */
static void test_decode_uncapped_ack_skips_request(void **state) {
        struct bytes bytes = bytes_from(ack_error), tail = bytes;

        (void)state;
        bytes_set(&bytes, 6, "0002"); /* not capped, attributes follow */
        bytes_set(&bytes, 20, "18");  /* a request of 24 bytes */
        memmove(bytes.data + 44, tail.data + 36, tail.len - 36);
        bytes.len += 8;
        bytes_set_len(&bytes, bytes.len);
        assert_ack(&bytes, -EINVAL, "did not match address and id");
}

static void test_decode_words_are_cut(void **state) {
        struct bytes bytes = bytes_from(done_error);
        char want[LIMIT_REASON];

        (void)state;
        bytes.len = 20 + 4 + 200;
        memset(bytes.data + 24, 'x', 200);
        bytes_set(&bytes, 0, "e0000000");
        bytes_set(&bytes, 20, "cc00");
        memset(want, 'x', sizeof(want) - 1);
        want[sizeof(want) - 1] = '\0';
        assert_ack(&bytes, -EINVAL, want);
}

static void test_decode_malformed_is_refused(void **state) {
        static const char *const all[] = { ack_ok,      ack_error, ack_plain,
                                           ack_missing, done_ok,   done_error };
        char message[LIMIT_REASON];
        int error;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                struct bytes bytes = bytes_from(all[i]);

                for (size_t len = 0; len < bytes.len; len++)
                        assert_int_equal(decode_len(&bytes, len, &error, message), -EBADMSG);
        }
}

static void test_decode_no_error_number_is_refused(void **state) {
        struct bytes bytes = bytes_from(ack_plain);
        char message[LIMIT_REASON];
        int error;

        (void)state;
        bytes_set(&bytes, 16, "01f0ffff"); /* -4095 is the last one */
        assert_int_equal(decode_len(&bytes, bytes.len, &error, message), 0);
        bytes_set(&bytes, 16, "00f0ffff");
        assert_int_equal(decode_len(&bytes, bytes.len, &error, message), -EBADMSG);
}

static void test_decode_cut_request_is_refused(void **state) {
        struct bytes bytes = bytes_from(ack_error);
        char message[LIMIT_REASON];
        int error;

        (void)state;
        bytes_set(&bytes, 0, "22000000"); /* ends within the header of the request */
        assert_int_equal(decode_len(&bytes, bytes.len, &error, message), -EBADMSG);
        bytes = bytes_from(ack_error);
        bytes_set(&bytes, 6, "0002"); /* a whole request of 0x5c bytes does not fit */
        assert_int_equal(decode_len(&bytes, bytes.len, &error, message), -EBADMSG);
}

static void test_decode_positive_error_is_refused(void **state) {
        struct bytes bytes = bytes_from(ack_plain);
        char message[LIMIT_REASON];
        int error;

        (void)state;
        bytes_set(&bytes, 16, "02000000");
        assert_int_equal(decode_len(&bytes, bytes.len, &error, message), -EBADMSG);
}

static void test_decode_other_message_is_refused(void **state) {
        struct bytes bytes = bytes_from(ack_plain);
        char message[LIMIT_REASON];
        int error;

        (void)state;
        bytes_set(&bytes, 4, "1c");
        assert_int_equal(decode_len(&bytes, bytes.len, &error, message), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode_ack_gives_error_and_words),
                cmocka_unit_test(test_decode_uncapped_ack_skips_request),
                cmocka_unit_test(test_decode_words_are_cut),
                cmocka_unit_test(test_decode_malformed_is_refused),
                cmocka_unit_test(test_decode_no_error_number_is_refused),
                cmocka_unit_test(test_decode_cut_request_is_refused),
                cmocka_unit_test(test_decode_positive_error_is_refused),
                cmocka_unit_test(test_decode_other_message_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
