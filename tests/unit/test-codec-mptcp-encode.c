/*
 * kern/codec-mptcp: requests of the family "mptcp_pm", as Linux 6.18 takes them.
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

#include <netlink/msg.h>

#include "../../daemon/kern/codec-mptcp.h"
#include "../../daemon/util/cleanup.h"
#include "bytes.h"

#define FAMILY 28

static struct mptcpize_address address(const char *text) {
        struct mptcpize_address parsed = ADDRESS_NULL;

        assert_int_equal(address_parse(text, &parsed), 0);
        return parsed;
}

/* Compares behind the netlink header, whose sequence and port are the sender's. */
static void assert_request(struct nl_msg *msg, uint16_t type, uint16_t flags, const char *hex) {
        struct bytes want = bytes_from(hex);
        const struct nlmsghdr *header = nlmsg_hdr(msg);

        assert_int_equal(header->nlmsg_type, type);
        assert_int_equal(header->nlmsg_flags, flags);
        assert_int_equal(header->nlmsg_len, NLMSG_HDRLEN + want.len);
        assert_memory_equal((const uint8_t *)header + NLMSG_HDRLEN, want.data, want.len);
}

static void assert_encoded(const struct action *action, bool mapped, uint16_t flags,
                           const char *hex) {
        struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);

        assert_non_null(msg);
        assert_int_equal(codec_mptcp_encode(action, FAMILY, mapped, msg), 0);
        assert_request(msg, FAMILY, flags, hex);
        nlmsg_free(msg);
}

static struct action action_of(enum action_type type, const char *local, const char *remote) {
        return (struct action){
                .type = type,
                .token = 0x2c5fd9f3,
                .local = local ? address(local) : ADDRESS_NULL,
                .remote = remote ? address(remote) : ADDRESS_NULL,
        };
}

#define GENL(command) command "010000"
#define TOKEN         "08000400f3d95f2c"

static void test_encode_create_v4_has_all(void **state) {
        struct action action = action_of(ACTION_CREATE, "192.0.2.33", "192.0.2.34:5000");

        (void)state;
        action.local_id = 2;
        action.ifindex = 3;
        action.backup = 1;
        assert_encoded(&action, false, NLM_F_ACK,
                       GENL("0a") TOKEN "2c000180"
                                        "0600010002000000"
                                        "08000300c0000221"
                                        "0500020002000000"
                                        "0800060004000000"
                                        "0800070003000000"
                                        "1c000680"
                                        "0600010002000000"
                                        "08000300c0000222"
                                        "0600050088130000");
}

static void test_encode_create_v6_unbound_sends_id_0(void **state) {
        struct action action = action_of(ACTION_CREATE, "2001:db8:2::1", "[2001:db8:2::2]:443");

        (void)state;
        assert_encoded(&action, false, NLM_F_ACK,
                       GENL("0a") TOKEN "30000180"
                                        "060001000a000000"
                                        "1400040020010db8000200000000000000000001"
                                        "0500020000000000"
                                        "0800060000000000"
                                        "28000680"
                                        "060001000a000000"
                                        "1400040020010db8000200000000000000000002"
                                        "06000500bb010000");
}

static void test_encode_destroy_has_both_ports(void **state) {
        struct action action = action_of(ACTION_DESTROY, "192.0.2.33:44221", "192.0.2.34:5000");

        (void)state;
        assert_encoded(&action, false, NLM_F_ACK,
                       GENL("0b") TOKEN "1c000180"
                                        "0600010002000000"
                                        "08000300c0000221"
                                        "06000500bdac0000"
                                        "1c000680"
                                        "0600010002000000"
                                        "08000300c0000222"
                                        "0600050088130000");
}

static void test_encode_destroy_mapped_is_v6(void **state) {
        struct action action = action_of(ACTION_DESTROY, "192.0.2.33:44221", "192.0.2.34:5000");

        (void)state;
        assert_encoded(&action, true, NLM_F_ACK,
                       GENL("0b") TOKEN "28000180"
                                        "060001000a000000"
                                        "1400040000000000000000000000ffffc0000221"
                                        "06000500bdac0000"
                                        "28000680"
                                        "060001000a000000"
                                        "1400040000000000000000000000ffffc0000222"
                                        "0600050088130000");
}

static void test_encode_v6_mapped_is_unchanged(void **state) {
        struct action action = action_of(ACTION_DESTROY, "[2001:db8:2::1]:1", "[2001:db8:2::2]:2");

        (void)state;
        assert_encoded(&action, true, NLM_F_ACK,
                       GENL("0b") TOKEN "28000180"
                                        "060001000a000000"
                                        "1400040020010db8000200000000000000000001"
                                        "0600050001000000"
                                        "28000680"
                                        "060001000a000000"
                                        "1400040020010db8000200000000000000000002"
                                        "0600050002000000");
}

static void test_encode_backup_sets_and_clears(void **state) {
        struct action action = action_of(ACTION_BACKUP, "192.0.2.33:44221", "192.0.2.34:5000");

        (void)state;
        assert_encoded(&action, false, NLM_F_ACK,
                       GENL("07") TOKEN "24000180"
                                        "0600010002000000"
                                        "08000300c0000221"
                                        "06000500bdac0000"
                                        "0800060000000000"
                                        "1c000680"
                                        "0600010002000000"
                                        "08000300c0000222"
                                        "0600050088130000");
        action.backup = 1;
        assert_encoded(&action, false, NLM_F_ACK,
                       GENL("07") TOKEN "24000180"
                                        "0600010002000000"
                                        "08000300c0000221"
                                        "06000500bdac0000"
                                        "0800060004000000"
                                        "1c000680"
                                        "0600010002000000"
                                        "08000300c0000222"
                                        "0600050088130000");
}

static void test_encode_announce_has_signal_and_port(void **state) {
        struct action action = action_of(ACTION_ANNOUNCE, "192.0.2.34:7777", NULL);

        (void)state;
        action.local_id = 255;
        action.backup = 1;
        assert_encoded(&action, false, NLM_F_ACK,
                       GENL("08") TOKEN "2c000180"
                                        "0600010002000000"
                                        "08000300c0000222"
                                        "06000500611e0000"
                                        "05000200ff000000"
                                        "0800060001000000");
}

static void test_encode_withdraw_has_id(void **state) {
        struct action action = action_of(ACTION_WITHDRAW, "192.0.2.34", NULL);

        (void)state;
        action.local_id = 7;
        assert_encoded(&action, false, NLM_F_ACK, GENL("09") TOKEN "0500050007000000");
}

static void test_encode_query_is_a_dump(void **state) {
        struct action action = action_of(ACTION_QUERY, NULL, NULL);

        (void)state;
        assert_encoded(&action, false, NLM_F_DUMP, GENL("03") TOKEN);
}

static void test_encode_other_action_is_refused(void **state) {
        struct action action = action_of(ACTION_SNAPSHOT, NULL, NULL);
        struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);

        (void)state;
        assert_int_equal(codec_mptcp_encode(&action, FAMILY, false, msg), -EINVAL);
        action.type = _ACTION_MAX;
        assert_int_equal(codec_mptcp_encode(&action, FAMILY, false, msg), -EINVAL);
        nlmsg_free(msg);
}

static void test_encode_into_too_small_message_fails(void **state) {
        struct action action = action_of(ACTION_CREATE, "2001:db8:2::1", "[2001:db8:2::2]:443");

        (void)state;
        action.ifindex = 3;
        /* The whole request has 124 bytes: it fits nowhere below. */
        for (size_t size = NLMSG_HDRLEN; size < 124; size += 4) {
                struct nl_msg *msg = nlmsg_alloc_size(size);

                assert_int_equal(codec_mptcp_encode(&action, FAMILY, false, msg), -EMSGSIZE);
                nlmsg_free(msg);
        }
}

static void test_encode_family_asks_by_name(void **state) {
        struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);

        (void)state;
        assert_int_equal(codec_mptcp_encode_family(msg), 0);
        assert_request(msg, 16, NLM_F_ACK, GENL("03") "0d0002006d707463705f706d00000000");
        nlmsg_free(msg);
}

static void test_encode_probe_has_no_arguments(void **state) {
        struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);

        (void)state;
        assert_int_equal(codec_mptcp_encode_probe(FAMILY, msg), 0);
        assert_request(msg, FAMILY, NLM_F_ACK, GENL("09"));
        nlmsg_free(msg);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_encode_create_v4_has_all),
                cmocka_unit_test(test_encode_create_v6_unbound_sends_id_0),
                cmocka_unit_test(test_encode_destroy_has_both_ports),
                cmocka_unit_test(test_encode_destroy_mapped_is_v6),
                cmocka_unit_test(test_encode_v6_mapped_is_unchanged),
                cmocka_unit_test(test_encode_backup_sets_and_clears),
                cmocka_unit_test(test_encode_announce_has_signal_and_port),
                cmocka_unit_test(test_encode_withdraw_has_id),
                cmocka_unit_test(test_encode_query_is_a_dump),
                cmocka_unit_test(test_encode_other_action_is_refused),
                cmocka_unit_test(test_encode_into_too_small_message_fails),
                cmocka_unit_test(test_encode_family_asks_by_name),
                cmocka_unit_test(test_encode_probe_has_no_arguments),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
