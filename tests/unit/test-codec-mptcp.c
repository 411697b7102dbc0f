/*
 * kern/codec-mptcp: events, replies and requests of the family "mptcp_pm".
 *
 * The bytes are messages of Linux 6.18, as received; what a test needs otherwise it changes in
 * single fields.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "../../daemon/kern/codec-mptcp.h"
#include "../../daemon/util/cleanup.h"
#include "bytes.h"

#define FAMILY 28

static const char created_v4[] =
                "540000001c00000000000000000000000101000008000100f3d95f2c060002000200000008000500c0"
                "000211"
                "08000700c00002120600090090e6000006000a001388000005000300000000000500040000000000";

static const char established_v4[] =
                "540000001c00000000000000000000000201000008000100f3d95f2c060002000200000008000500c0"
                "000211"
                "08000700c00002120600090090e6000006000a001388000005000300000000000500040000000000";

/* Of the server: SERVER_SIDE and FLAGS. */
static const char created_server[] = "640000001c000000000000000000000001010000080001005ae47b6d05001"
                                     "2000100000006000d0002000000"
                                     "060002000200000008000500c000021208000700c00002110600090013880"
                                     "00006000a0090e6000005000300"
                                     "000000000500040000000000";

static const char created_v6[] = "6c0000001c00000000000000000000000101000008000100abc5df66060002000"
                                 "a0000001400060020010db8"
                                 "0001000000000000000000011400080020010db80001000000000000000000020"
                                 "6000900dff0000006000a00"
                                 "1388000005000300000000000500040000000000";

/* Bound to a device. */
static const char sub_established_v4[] = "640000001c00000000000000000000000a01000008000100f3d95f2c0"
                                         "60002000200000008000500c0000221"
                                         "08000700c000022206000900acbd000006000a0013880000050003000"
                                         "2000000050004000100000005000b00"
                                         "0000000008000f0003000000";

/* Of an AF_INET6 listener. */
static const char sub_established_mapped[] =
                "740000001c00000000000000000000000a0100000800010043fd8d45060002000a0000001400060000"
                "000000"
                "000000000000ffffc00002221400080000000000000000000000ffffc0000221060009001388000006"
                "000a00"
                "c6e300000500030002000000050004000300000005000b0000000000";

static const char sub_established_backup[] = "5c0000001c00000000000000000000000a010000080001005ae47"
                                             "b6d060002000200000008000500c0000222"
                                             "08000700c0000221060009001388000006000a00acbd000005000"
                                             "30001000000050004000200000005000b00"
                                             "01000000";

static const char sub_priority[] = "5c0000001c00000000000000000000000d010000080001005ae47b6d0600020"
                                   "00200000008000500c0000222"
                                   "08000700c0000221060009001388000006000a00acbd0000050003000100000"
                                   "0050004000200000005000b00"
                                   "00000000";

static const char sub_closed_error[] = "6c0000001c00000000000000000000000b01000008000100f3d95f2c060"
                                       "002000200000008000500c0000221"
                                       "08000700c00002220600090092c3000006000a0003e7000005000300020"
                                       "00000050004000000000005000b00"
                                       "0000000008000f000300000005000c006f000000";

/* A middlebox had removed the MPTCP options. */
static const char sub_closed_reset[] =
                "7c0000001c00000000000000000000000b010000080001005e41d959060002000200000008000500c0"
                "000221"
                "08000700c0000222060009008ab9000006000a00138800000500030002000000050004000100000005"
                "000b00"
                "0000000008000f000300000005000c006800000008001000060000000800110000000000";

static const char closed[] = "1c0000001c00000000000000000000000301000008000100f3d95f2c";

static const char announced_v4[] = "340000001c00000000000000000000000601000008000100f3d95f2c0500040"
                                   "00300000006000a0013890000"
                                   "08000700c0000222";

static const char announced_v6[] = "400000001c00000000000000000000000601000008000100f3d95f2c0500040"
                                   "00400000006000a0013880000"
                                   "1400080020010db8000200000000000000000002";

static const char removed[] =
                "240000001c00000000000000000000000701000008000100f3d95f2c0500040003000000";

static const char listener_v4[] = "2c0000001c00000000000000000000000f010000060002000200000006000900"
                                  "138800000800050000000000";

static const char listener_closed_v6[] = "380000001c000000000000000000000010010000060002000a0000000"
                                         "6000900138800001400060000000000"
                                         "000000000000000000000000";

static const char entry_v4[] = "480000001c00020005000000264c000003010000340001800600010002000000060"
                               "005000000000005000200"
                               "020000000800060002000000080007000300000008000300c0000221";

static const char entry_v6[] = "4c0000001c00020006000000264c00000301000038000180060001000a000000060"
                               "005000000000005000200"
                               "0400000008000600010000001400040020010db8000200000000000000000002";

/* Answer to CTRL_CMD_GETFAMILY. */
static const char family[] = "6801000010000000030000009b740000010200000d0002006d707463705f706d00000"
                             "000060001001c000000"
                             "080003000100000008000400000000000800050000000000e00006001400010008000"
                             "1000100000008000200"
                             "1a000000140002000800010002000000080002001a000000140003000800010003000"
                             "000080002000e000000"
                             "140004000800010004000000080002001a00000014000500080001000500000008000"
                             "2001a00000014000600"
                             "0800010006000000080002000a000000140007000800010007000000080002001a000"
                             "0001400080008000100"
                             "08000000080002001a000000140009000800010009000000080002001a00000014000"
                             "a00080001000a000000"
                             "080002001a00000014000b00080001000b000000080002001a0000004400070020000"
                             "1000800020008000000"
                             "120001006d707463705f706d5f636d647300000020000200080002000900000014000"
                             "1006d707463705f706d"
                             "5f6576656e747300";

static int decode_len(const struct bytes *bytes, size_t len, struct event *ret_event) {
        void *block = bytes_block(bytes, len);
        int r = codec_mptcp_decode(block, len, ret_event);

        free(block);
        return r;
}

static int decode(const struct bytes *bytes, struct event *ret_event) {
        return decode_len(bytes, bytes->len, ret_event);
}

static struct mptcp_event decoded(const char *hex, enum event_type type) {
        struct bytes bytes = bytes_from(hex);
        struct event event = { .type = _EVENT_MAX };

        assert_int_equal(decode(&bytes, &event), 0);
        assert_int_equal(event.type, type);
        return event.mptcp;
}

static void assert_address(const struct mptcpize_address *address, const char *text) {
        char buffer[ADDRESS_TEXT];

        assert_string_equal(address_format(address, buffer), text);
}

static void assert_pair(const struct mptcp_event *event, const char *local, const char *remote) {
        assert_address(&event->local, local);
        assert_address(&event->remote, remote);
}

/* Events */

static void test_decode_created_has_both_ends(void **state) {
        struct mptcp_event event = decoded(created_v4, EVENT_CREATED);

        (void)state;
        assert_int_equal(event.token, 0x2c5fd9f3);
        assert_int_equal(event.flags, 0);
        assert_pair(&event, "192.0.2.17:37094", "192.0.2.18:5000");
        assert_false(event.reset);
}

static void test_decode_established_is_told_from_created(void **state) {
        struct mptcp_event event = decoded(established_v4, EVENT_ESTABLISHED);

        (void)state;
        assert_int_equal(event.token, 0x2c5fd9f3);
}

static void test_decode_server_side_sets_flag(void **state) {
        struct mptcp_event event = decoded(created_server, EVENT_CREATED);

        (void)state;
        assert_int_equal(event.flags, EVENT_MPTCP_SERVER);
        assert_pair(&event, "192.0.2.18:5000", "192.0.2.17:37094");
}

static void test_decode_either_server_attribute_sets_flag(void **state) {
        struct bytes no_flags = bytes_from(created_server), no_side = no_flags;
        struct event event;

        (void)state;
        bytes_set(&no_flags, 40, "0000"); /* FLAGS */
        bytes_set(&no_side, 32, "00");    /* SERVER_SIDE */
        assert_int_equal(decode(&no_flags, &event), 0);
        assert_int_equal(event.mptcp.flags, EVENT_MPTCP_SERVER);
        assert_int_equal(decode(&no_side, &event), 0);
        assert_int_equal(event.mptcp.flags, EVENT_MPTCP_SERVER);
        bytes_set(&no_side, 40, "0000");
        assert_int_equal(decode(&no_side, &event), 0);
        assert_int_equal(event.mptcp.flags, 0);
}

static void test_decode_deny_join_sets_flag(void **state) {
        struct bytes bytes = bytes_from(created_server);
        struct event event;

        (void)state;
        bytes_set(&bytes, 40, "0300");
        assert_int_equal(decode(&bytes, &event), 0);
        assert_int_equal(event.mptcp.flags, EVENT_MPTCP_SERVER | EVENT_MPTCP_DENY_JOIN_INITIAL);
}

static void test_decode_v6_keeps_family(void **state) {
        struct mptcp_event event = decoded(created_v6, EVENT_CREATED);

        (void)state;
        assert_pair(&event, "[2001:db8:1::1]:57328", "[2001:db8:1::2]:5000");
}

static void test_decode_subflow_has_ids_and_device(void **state) {
        struct mptcp_event event = decoded(sub_established_v4, EVENT_SUB_ESTABLISHED);

        (void)state;
        assert_pair(&event, "192.0.2.33:44221", "192.0.2.34:5000");
        assert_int_equal(event.local_id, 2);
        assert_int_equal(event.remote_id, 1);
        assert_int_equal(event.ifindex, 3);
        assert_false(event.backup);
        assert_int_equal(event.error, 0);
}

static void test_decode_mapped_becomes_v4(void **state) {
        struct mptcp_event event = decoded(sub_established_mapped, EVENT_SUB_ESTABLISHED);

        (void)state;
        assert_int_equal(event.local.family, AF_INET);
        assert_pair(&event, "192.0.2.34:5000", "192.0.2.33:50915");
        assert_int_equal(event.ifindex, 0);
}

static void test_decode_backup_is_set(void **state) {
        struct mptcp_event event = decoded(sub_established_backup, EVENT_SUB_ESTABLISHED);

        (void)state;
        assert_true(event.backup);
        assert_false(decoded(sub_priority, EVENT_SUB_PRIORITY).backup);
}

static void test_decode_error_is_positive_errno(void **state) {
        struct mptcp_event event = decoded(sub_closed_error, EVENT_SUB_CLOSED);

        (void)state;
        assert_int_equal(event.error, ECONNREFUSED);
        assert_false(event.reset);
        assert_pair(&event, "192.0.2.33:37571", "192.0.2.34:999");
}

static void test_decode_reset_has_reason(void **state) {
        struct mptcp_event event = decoded(sub_closed_reset, EVENT_SUB_CLOSED);

        (void)state;
        assert_int_equal(event.error, ECONNRESET);
        assert_true(event.reset);
        assert_int_equal(event.reset_reason, 6);
        assert_false(event.reset_transient);
}

static void test_decode_reset_reason_zero_is_present(void **state) {
        struct bytes bytes = bytes_from(sub_closed_reset);
        struct event event;

        (void)state;
        bytes_set(&bytes, 112, "00");
        assert_int_equal(decode(&bytes, &event), 0);
        assert_true(event.mptcp.reset);
        assert_int_equal(event.mptcp.reset_reason, 0);
}

static void test_decode_t_bit_is_transient(void **state) {
        struct bytes bytes = bytes_from(sub_closed_reset);
        struct event event;

        (void)state;
        bytes_set(&bytes, 120, "01");
        assert_int_equal(decode(&bytes, &event), 0);
        assert_true(event.mptcp.reset_transient);
        bytes_set(&bytes, 120, "fe");
        assert_int_equal(decode(&bytes, &event), 0);
        assert_false(event.mptcp.reset_transient);
}

static void test_decode_closed_has_token_only(void **state) {
        struct mptcp_event event = decoded(closed, EVENT_CLOSED);

        (void)state;
        assert_int_equal(event.token, 0x2c5fd9f3);
        assert_int_equal(event.local.family, 0);
        assert_int_equal(event.remote.family, 0);
}

static void test_decode_announced_finds_family_by_address(void **state) {
        struct mptcp_event v4 = decoded(announced_v4, EVENT_ANNOUNCED);
        struct mptcp_event v6 = decoded(announced_v6, EVENT_ANNOUNCED);

        (void)state;
        assert_address(&v4.remote, "192.0.2.34:5001");
        assert_int_equal(v4.remote_id, 3);
        assert_address(&v6.remote, "[2001:db8:2::2]:5000");
        assert_int_equal(v6.remote_id, 4);
}

static void test_decode_removed_has_id(void **state) {
        (void)state;
        assert_int_equal(decoded(removed, EVENT_REMOVED).remote_id, 3);
}

static void test_decode_listener_is_local(void **state) {
        struct mptcp_event v4 = decoded(listener_v4, EVENT_LISTENER_CREATED);
        struct mptcp_event v6 = decoded(listener_closed_v6, EVENT_LISTENER_CLOSED);

        (void)state;
        assert_address(&v4.local, "0.0.0.0:5000");
        assert_address(&v6.local, "[::]:5000");
        assert_int_equal(v4.token, 0);
}

static void test_decode_unknown_event_is_ignored(void **state) {
        struct bytes bytes = bytes_from(closed);
        struct event event = { .type = _EVENT_MAX };

        (void)state;
        bytes_set(&bytes, 16, "fe");
        assert_int_equal(decode(&bytes, &event), 1);
        assert_int_equal(event.type, _EVENT_MAX);
}

static void test_decode_unknown_attribute_is_skipped(void **state) {
        struct bytes bytes = bytes_from(sub_established_v4);
        struct event event;

        (void)state;
        bytes_set(&bytes, 94, "3f"); /* IF_IDX becomes attribute 63 */
        assert_int_equal(decode(&bytes, &event), 0);
        assert_int_equal(event.mptcp.ifindex, 0);
        assert_int_equal(event.mptcp.local_id, 2);
}

/* Malformed input */

static const char *const all[] = {
        created_v4,
        established_v4,
        created_server,
        created_v6,
        sub_established_v4,
        sub_established_mapped,
        sub_established_backup,
        sub_priority,
        sub_closed_error,
        sub_closed_reset,
        closed,
        announced_v4,
        announced_v6,
        removed,
        listener_v4,
        listener_closed_v6,
};

static void test_decode_shorter_than_its_length_is_refused(void **state) {
        struct event event = { .type = _EVENT_MAX };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                struct bytes bytes = bytes_from(all[i]);

                for (size_t len = 0; len < bytes.len; len++)
                        assert_int_equal(decode_len(&bytes, len, &event), -EBADMSG);
        }
        assert_int_equal(event.type, _EVENT_MAX);
}

/* Where the last attribute begins that the event can't do without: cut before its end fails. */
static void test_decode_cut_message_is_refused(void **state) {
        static const struct {
                const char *hex;
                size_t needed;
        } cuts[] = {
                { created_v4, 66 },       { created_v6, 90 },  { sub_established_v4, 81 },
                { sub_closed_reset, 81 }, { closed, 28 },      { removed, 33 },
                { announced_v4, 52 },     { listener_v4, 44 },
        };
        struct event event;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
                struct bytes bytes = bytes_from(cuts[i].hex);

                for (size_t len = 16; len <= bytes.len; len++) {
                        bytes_set_len(&bytes, len);
                        if (len < cuts[i].needed)
                                assert_int_equal(decode_len(&bytes, len, &event), -EBADMSG);
                        else
                                (void)decode_len(&bytes, len, &event);
                }
                assert_int_equal(decode(&bytes, &event), 0);
        }
}

static void test_decode_missing_attribute_is_refused(void **state) {
        static const struct {
                const char *hex;
                size_t type_at; /* made an unknown one there */
        } holes[] = {
                { created_v4, 22 },   /* TOKEN */
                { created_v4, 38 },   /* SADDR4 */
                { created_v4, 46 },   /* DADDR4 */
                { created_v4, 54 },   /* SPORT */
                { created_v4, 62 },   /* DPORT */
                { sub_priority, 70 }, /* LOC_ID */
                { sub_priority, 78 }, /* REM_ID */
                { closed, 22 },       { removed, 30 }, { announced_v4, 46 }, { listener_v4, 38 },
        };
        struct event event;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
                struct bytes bytes = bytes_from(holes[i].hex);

                bytes_set(&bytes, holes[i].type_at, "3f");
                assert_int_equal(decode(&bytes, &event), -EBADMSG);
        }
}

static void test_decode_wrong_attribute_length_is_refused(void **state) {
        struct event event;

        (void)state;
        /* Not the listeners: they don't begin with a token. */
        for (size_t i = 0; i < ARRAY_SIZE(all) - 2; i++) {
                struct bytes bytes = bytes_from(all[i]);

                bytes_set(&bytes, 20, "07");
                assert_int_equal(decode(&bytes, &event), -EBADMSG);
                bytes_set(&bytes, 20, "03");
                assert_int_equal(decode(&bytes, &event), -EBADMSG);
                bytes_set(&bytes, 20, "ff");
                assert_int_equal(decode(&bytes, &event), -EBADMSG);
        }
}

/* Replies */

static int decode_entry(const struct bytes *bytes, size_t len, struct entry *ret_entry) {
        void *block = bytes_block(bytes, len);
        int r = codec_mptcp_decode_entry(block, len, ret_entry);

        free(block);
        return r;
}

static void test_decode_entry_has_id_and_flags(void **state) {
        struct bytes v4 = bytes_from(entry_v4), v6 = bytes_from(entry_v6);
        struct entry entry;

        (void)state;
        assert_int_equal(decode_entry(&v4, v4.len, &entry), 0);
        assert_address(&entry.address, "192.0.2.33");
        assert_int_equal(entry.id, 2);
        assert_int_equal(entry.flags, ENTRY_SUBFLOW);
        assert_int_equal(decode_entry(&v6, v6.len, &entry), 0);
        assert_address(&entry.address, "2001:db8:2::2");
        assert_int_equal(entry.id, 4);
        assert_int_equal(entry.flags, ENTRY_SIGNAL);
}

static void test_decode_entry_port_is_host_order(void **state) {
        struct bytes bytes = bytes_from(entry_v4);
        struct entry entry;

        (void)state;
        bytes_set(&bytes, 36, "611e");
        assert_int_equal(decode_entry(&bytes, bytes.len, &entry), 0);
        assert_address(&entry.address, "192.0.2.33:7777");
}

static void test_decode_entry_of_another_command_is_ignored(void **state) {
        struct bytes bytes = bytes_from(entry_v4);
        struct entry entry;

        (void)state;
        bytes_set(&bytes, 16, "06");
        assert_int_equal(decode_entry(&bytes, bytes.len, &entry), 1);
}

static void test_decode_entry_malformed_is_refused(void **state) {
        static const size_t types[] = { 22, 42, 66 }; /* ADDR, ID, ADDR4 */
        struct entry entry;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
                struct bytes bytes = bytes_from(entry_v4);

                bytes_set(&bytes, types[i], "3f");
                assert_int_equal(decode_entry(&bytes, bytes.len, &entry), -EBADMSG);
        }
        for (size_t len = 0; len < strlen(entry_v6) / 2; len++) {
                struct bytes bytes = bytes_from(entry_v6);

                assert_int_equal(decode_entry(&bytes, len, &entry), -EBADMSG);
        }
}

static int decode_family(const struct bytes *bytes, size_t len, struct mptcp_family *ret_family) {
        void *block = bytes_block(bytes, len);
        int r = codec_mptcp_decode_family(block, len, ret_family);

        free(block);
        return r;
}

static void test_decode_family_has_numbers(void **state) {
        struct bytes bytes = bytes_from(family);
        struct mptcp_family is;

        (void)state;
        assert_int_equal(decode_family(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.id, FAMILY);
        assert_int_equal(is.events_group, 9);
        assert_true(is.commands);
}

static void test_decode_family_of_older_kernel_lacks_things(void **state) {
        struct bytes bytes = bytes_from(family);
        struct mptcp_family is;

        (void)state;
        bytes_set(&bytes, bytes.len - 4, "78"); /* mptcp_pm_evenxs */
        bytes_set(&bytes, 260, "11");           /* op 10 becomes 17 */
        assert_int_equal(decode_family(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.events_group, 0);
        assert_false(is.commands);
}

static void test_decode_family_malformed_is_refused(void **state) {
        struct bytes bytes = bytes_from(family);
        struct mptcp_family is;

        (void)state;
        for (size_t len = 0; len < bytes.len; len++)
                assert_int_equal(decode_family(&bytes, len, &is), -EBADMSG);
        bytes_set(&bytes, 38, "3f"); /* FAMILY_ID */
        assert_int_equal(decode_family(&bytes, bytes.len, &is), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode_created_has_both_ends),
                cmocka_unit_test(test_decode_established_is_told_from_created),
                cmocka_unit_test(test_decode_server_side_sets_flag),
                cmocka_unit_test(test_decode_either_server_attribute_sets_flag),
                cmocka_unit_test(test_decode_deny_join_sets_flag),
                cmocka_unit_test(test_decode_v6_keeps_family),
                cmocka_unit_test(test_decode_subflow_has_ids_and_device),
                cmocka_unit_test(test_decode_mapped_becomes_v4),
                cmocka_unit_test(test_decode_backup_is_set),
                cmocka_unit_test(test_decode_error_is_positive_errno),
                cmocka_unit_test(test_decode_reset_has_reason),
                cmocka_unit_test(test_decode_reset_reason_zero_is_present),
                cmocka_unit_test(test_decode_t_bit_is_transient),
                cmocka_unit_test(test_decode_closed_has_token_only),
                cmocka_unit_test(test_decode_announced_finds_family_by_address),
                cmocka_unit_test(test_decode_removed_has_id),
                cmocka_unit_test(test_decode_listener_is_local),
                cmocka_unit_test(test_decode_unknown_event_is_ignored),
                cmocka_unit_test(test_decode_unknown_attribute_is_skipped),
                cmocka_unit_test(test_decode_shorter_than_its_length_is_refused),
                cmocka_unit_test(test_decode_cut_message_is_refused),
                cmocka_unit_test(test_decode_missing_attribute_is_refused),
                cmocka_unit_test(test_decode_wrong_attribute_length_is_refused),
                cmocka_unit_test(test_decode_entry_has_id_and_flags),
                cmocka_unit_test(test_decode_entry_port_is_host_order),
                cmocka_unit_test(test_decode_entry_of_another_command_is_ignored),
                cmocka_unit_test(test_decode_entry_malformed_is_refused),
                cmocka_unit_test(test_decode_family_has_numbers),
                cmocka_unit_test(test_decode_family_of_older_kernel_lacks_things),
                cmocka_unit_test(test_decode_family_malformed_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
