/*
 * kern/codec-diag: whose a connection is, and its initial sequence numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../daemon/kern/codec-diag.h"
#include "bytes.h"
#include "diag-rows.h"

/* In struct mptcp_info. */
#define MSK_RCV_NXT     32
#define MSK_BYTES_ACKED 72

static void test_decode_owner_row(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct ownership owner;
        uint32_t token;
        void *block;

        (void)state;
        bytes_set(&bytes, ROW_UID, "e8030000");
        block = bytes_block(&bytes, bytes.len);
        assert_int_equal(codec_diag_decode_owner(block, bytes.len, &token, &owner), 0);
        assert_int_equal(token, 0xf6c24fea);
        assert_int_equal(owner.uid, 1000);
        assert_int_not_equal(owner.inode, 0);
        assert_int_not_equal(owner.cookie, 0);
        assert_int_equal(owner.cgroup, 1);
        free(block);
}

static struct ownership decode_owner(const struct bytes *bytes) {
        void *block = bytes_block(bytes, bytes->len);
        struct ownership owner;
        uint32_t token;

        assert_int_equal(codec_diag_decode_owner(block, bytes->len, &token, &owner), 0);
        free(block);
        return owner;
}

/* Both rows are of one connection, after a byte in each direction. */
static void test_decode_owner_both_ends_have_the_same_numbers(void **state) {
        const struct bytes client = bytes_from(connection_v4),
                           server = bytes_from(connection_mapped);
        const struct ownership here = decode_owner(&client), there = decode_owner(&server);

        (void)state;
        assert_true(here.idsn_local == 0xc5db8bef0cfbe1bf);
        assert_true(here.idsn_remote == 0xb163f96df58ac876);
        assert_true(there.idsn_local == here.idsn_remote);
        assert_true(there.idsn_remote == here.idsn_local);
        assert_true(here.ipv4 && !there.ipv4);
}

static void test_decode_owner_end_of_data_is_no_byte(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        const struct ownership before = decode_owner(&bytes);
        struct ownership after;

        (void)state;
        bytes_set(&bytes, ROW_STATE, "08"); /* CLOSE_WAIT */
        bytes_set(&bytes, MSK_INFO + MSK_RCV_NXT, "79");
        after = decode_owner(&bytes);
        assert_true(after.idsn_remote == before.idsn_remote);
        assert_true(after.idsn_local == before.idsn_local);
        bytes_set(&bytes, ROW_STATE, "28"); /* none of today's */
        after = decode_owner(&bytes);
        assert_true(after.idsn_remote == before.idsn_remote + 1);
}

/* Linux 6.1: nothing behind what was there before the counters of bytes. */
static void test_decode_owner_without_counters_has_no_numbers(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct ownership owner;

        (void)state;
        bytes_cut(&bytes, MSK_INFO + MSK_BYTES_ACKED, 24);
        bytes_set(&bytes, MSK_INFO - 4, "4c");
        owner = decode_owner(&bytes);
        assert_true(owner.idsn_local == 0 && owner.idsn_remote == 0);
        assert_int_equal(owner.uid, 0);
}

static void test_decode_owner_not_accepted_is_unknown(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct ownership owner;
        uint32_t token;
        void *block;

        (void)state;
        bytes_set(&bytes, ROW_INODE, "00000000");
        block = bytes_block(&bytes, bytes.len);
        assert_int_equal(codec_diag_decode_owner(block, bytes.len, &token, &owner), 0);
        assert_int_equal(owner.uid, UINT32_MAX);
        assert_int_equal(owner.inode, 0);
        free(block);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode_owner_row),
                cmocka_unit_test(test_decode_owner_both_ends_have_the_same_numbers),
                cmocka_unit_test(test_decode_owner_end_of_data_is_no_byte),
                cmocka_unit_test(test_decode_owner_without_counters_has_no_numbers),
                cmocka_unit_test(test_decode_owner_not_accepted_is_unknown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
