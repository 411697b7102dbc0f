/*
 * kern/codec-diag: rows of sock_diag, bytes of Linux 6.18, and requests for them.
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

#include "../../daemon/kern/codec-diag.h"
#include "../../daemon/util/cleanup.h"
#include "bytes.h"
#include "diag-rows.h"

static const char connection_listener[] = "e800000014000200010000003f3c00000a0a00001388000000000000"
                                          "00000000000000000000000000000000"
                                          "00000000000000000000000000000000b90100000000000000000000"
                                          "0000000080000000000000002ad9e400"
                                          "050008000000000005000b000000000008000f00000000000c001500"
                                          "01000000000000000600160012000000"
                                          "64000200000000000000000000000000000000000000000000000000"
                                          "00000000000000000000000000000000"
                                          "00000000000000000000000000000000000000000000000000000000"
                                          "00000000000000000000000000000000"
                                          "000000000000000000000000";

static const char subflow_initial[] = "0002000014000200010000003f3c000002010000aa441388c00002110000"
                                      "00000000000000000000c0000212"
                                      "00000000000000000000000000000000bb01000000000000000000000000"
                                      "000000000000000000002cd9e400"
                                      "050008000000000008000f00000000000c00150001000000000000000600"
                                      "1600520000001c01020001000000"
                                      "0007aa01e01c0300409c0000a80500001802000000000000000000000000"
                                      "0000000000000000000068010000"
                                      "000000006801000068010000dc05000058fa00001d00000010000000ffff"
                                      "ff7f0b000000a805000003000000"
                                      "0000000090380000000000000f60be4a00000000ffffffffffffffff0200"
                                      "0000000000000100000000000000"
                                      "04000000030000000000000008000000010000000100000040d7c90a0000"
                                      "0000000000000000000000000000"
                                      "000000000000000000000000020000000000000001000000000000000000"
                                      "0000000000000000000000000000"
                                      "0000000000fc000000fc0000000000000000000000000000000000000000"
                                      "0000000000000000000000000000"
                                      "000000000000000000000000680013000a0001006d707463700000005800"
                                      "0300080001000000000008000200"
                                      "ea4fc2f608000800c3000000050009000000000005000a00000000000800"
                                      "0300020000000c00040077c88af5"
                                      "6df963b1080005000100000008000600cf725b6c0600070001000000";

/* Bound to device 3. */
static const char subflow_join_bound[] = "0002000014000200010000003f3c000002010000c5fb1388c00002210"
                                         "00000000000000000000000c0000222"
                                         "00000000000000000000000003000000ba01000000000000000000000"
                                         "000000000000000000000002cd9e400"
                                         "050008000000000008000f00000000000c00150001000000000000000"
                                         "6001600520000001c01020001000000"
                                         "0007aa01e01c030000000000a80500001802000000000000000000000"
                                         "0000000000000000000000030010000"
                                         "000000003001000030010000dc05000058fa00002900000014000000f"
                                         "fffff7f0a000000a805000003000000"
                                         "00000000903800000000000078d6283c00000000ffffffffffffffff0"
                                         "1000000000000000000000000000000"
                                         "020000000200000000000000290000000000000000000000000000000"
                                         "0000000000000000000000000000000"
                                         "000000000000000000000000010000000000000000000000000000000"
                                         "0000000000000000000000000000000"
                                         "0000000000fc000000fc0000000000000000000000000000000000000"
                                         "0000000000000000000000000000000"
                                         "000000000000000000000000680013000a0001006d707463700000005"
                                         "8000300080001009d82bd2008000200"
                                         "ea4fc2f608000800cc000000050009000100000005000a00020000000"
                                         "8000300010000000c00040078c88af5"
                                         "6df963b1080005000000000008000600c4a55a0e0600070000000000";

static const char subflow_mapped[] = "0002000014000200010000003f3c00000a0100001388c5fb0000000000000"
                                     "0000000ffffc000022200000000"
                                     "000000000000ffffc000022100000000bd010000000000000000000000000"
                                     "00000000000000000002ed9e400"
                                     "050008000000000008000f00000000000c001500010000000000000006001"
                                     "600120000001c01020001000000"
                                     "0007aa01e01c030000000000a805000018020000000000000000000000000"
                                     "000000000000000000030010000"
                                     "000000003001000030010000dc05000058fa0000e8030000f4010000fffff"
                                     "f7f0a000000a805000003000000"
                                     "000000009038000000000000136f770200000000ffffffffffffffff00000"
                                     "000000000000000000000000000"
                                     "010000000200000000000000e803000000000000000000000000000000000"
                                     "000000000000000000000000000"
                                     "0000000000000000000000000100000000000000000000000000000000000"
                                     "000000000000000000000000000"
                                     "0000000000fc000000fc00000000000000000000000000000000000000000"
                                     "000000000000000000000000000"
                                     "000000000000000000000000680013000a0001006d7074637000000058000"
                                     "300080001000000000008000200"
                                     "9d82bd2008000800c4000000050009000200000005000a000100000008000"
                                     "300010000000c000400c1e1fb0c"
                                     "ef8bdbc508000500000000000800060010950a730600070000000000";

static const char subflow_listener[] =
                "b001000014000200010000003f3c00000a0a0000138800000000000000000000000000000000000000"
                "000000"
                "00000000000000000000000000000000bc01000000000000000000000000000080000000000000002a"
                "d9e400"
                "050008000000000005000b000000000008000f00000000000c00150001000000000000000600160012"
                "000000"
                "1c0102000a000000000000000000000000000000000000000000000000000000800000000000000000"
                "000000"
                "000000000000000000000000000000000000000000000000000000000000000000000000000000000a"
                "000000"
                "0000000003000000000000000000000000000000ffffffffffffffffffffffffffffffff0000000000"
                "000000"
                "0000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                "000000"
                "0000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                "000000"
                "0000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                "000000"
                "0000000000000000000000000000000000000000100013000a0001006d70746370000000";

/* Offsets in a row. */
#define TCP_HEAD  124 /* attribute header of struct tcp_info, */
#define TCP_INFO  128 /* and itself, 280 bytes */
#define TCP_BYTES 280u
#define MAP_SFSEQ 492 /* of subflow_initial, whose mapping is of the peer's first byte, */
#define IDSN      UINT64_C(0xb163f96df58ac876) /* so that this is the number before it */

static int decode_connection(const struct bytes *bytes, size_t len,
                             struct snapshot_connection *ret_connection) {
        void *block = bytes_block(bytes, len);
        int r = codec_diag_decode_connection(block, len, ret_connection);

        free(block);
        return r;
}

static int decode_subflow(const struct bytes *bytes, size_t len,
                          struct snapshot_subflow *ret_subflow) {
        void *block = bytes_block(bytes, len);
        int r = codec_diag_decode_subflow(block, len, ret_subflow);

        free(block);
        return r;
}

static void assert_pair(const struct mptcpize_address *local, const struct mptcpize_address *remote,
                        const char *local_text, const char *remote_text) {
        char buffer[ADDRESS_TEXT];

        assert_string_equal(address_format(local, buffer), local_text);
        assert_string_equal(address_format(remote, buffer), remote_text);
}

/* Connections */

static void test_decode_connection_row(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct snapshot_connection is;

        (void)state;
        bytes_set(&bytes, ROW_UID, "e8030000");
        assert_int_equal(decode_connection(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.token, 0xf6c24fea);
        assert_int_equal(is.flags, 0);
        assert_int_equal(is.uid, 1000);
        assert_int_equal(is.state, 1);
        assert_pair(&is.local, &is.remote, "192.0.2.17:43588", "192.0.2.18:5000");
}

static void test_decode_mapped_connection_is_v4(void **state) {
        struct bytes bytes = bytes_from(connection_mapped);
        struct snapshot_connection is;

        (void)state;
        assert_int_equal(decode_connection(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.token, 0x20bd829d);
        assert_pair(&is.local, &is.remote, "192.0.2.18:5000", "192.0.2.17:43588");
}

static void test_decode_connection_not_accepted_has_no_owner(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct snapshot_connection is;

        (void)state;
        bytes_set(&bytes, ROW_INODE, "00000000");
        assert_int_equal(decode_connection(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.uid, UINT32_MAX);
}

static void test_decode_connection_in_fallback_is_marked(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct snapshot_connection is;

        (void)state;
        bytes_set(&bytes, MSK_INFO + 8, "03");
        assert_int_equal(decode_connection(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.flags, SNAPSHOT_FALLBACK);
}

static void test_decode_listener_has_its_cookie(void **state) {
        struct bytes bytes = bytes_from(connection_listener);
        struct bytes connection = bytes_from(connection_v4);
        struct snapshot_listener is;

        (void)state;
        assert_int_equal(codec_diag_decode_listener(bytes.data, bytes.len, &is), 0);
        assert_int_equal(is.local.port, 5000);
        assert_int_equal(is.cookie, 0x1b9);
        assert_int_equal(codec_diag_decode_listener(connection.data, connection.len, &is), 1);
        for (size_t len = 0; len < bytes.len; len++)
                assert_true(codec_diag_decode_listener(bytes.data, len, &is) != 0 || len >= 72);
}

static void test_decode_listener_is_no_connection(void **state) {
        struct bytes listener = bytes_from(connection_listener), no_token;
        struct bytes no_info = bytes_from(connection_v4);
        struct snapshot_connection is;

        (void)state;
        assert_int_equal(decode_connection(&listener, listener.len, &is), 1);
        no_token = bytes_from(connection_v4);
        bytes_set(&no_token, MSK_INFO + 12, "00000000");
        assert_int_equal(decode_connection(&no_token, no_token.len, &is), 1);
        bytes_set(&no_info, MSK_INFO - 2, "3f");
        assert_int_equal(decode_connection(&no_info, no_info.len, &is), 1);
}

/* Linux 5.9 had the first 16 bytes and a few more. */
static void test_decode_shorter_mptcp_info_is_enough(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct snapshot_connection is;

        (void)state;
        bytes_cut(&bytes, MSK_INFO + 16, 80);
        bytes_set(&bytes, MSK_INFO - 4, "1400");
        assert_int_equal(decode_connection(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.token, 0xf6c24fea);
        bytes_cut(&bytes, MSK_INFO + 12, 4);
        bytes_set(&bytes, MSK_INFO - 4, "1000");
        assert_int_equal(decode_connection(&bytes, bytes.len, &is), -EBADMSG);
}

static void test_decode_malformed_connection_is_refused(void **state) {
        struct bytes bytes = bytes_from(connection_v4);
        struct snapshot_connection is;

        (void)state;
        for (size_t len = 0; len < bytes.len; len++)
                assert_int_equal(decode_connection(&bytes, len, &is), -EBADMSG);
        bytes_set(&bytes, 16, "1c"); /* of no family that we know */
        assert_int_equal(decode_connection(&bytes, bytes.len, &is), -EBADMSG);
}

/* Subflows */

static void test_decode_initial_subflow_row(void **state) {
        struct bytes bytes = bytes_from(subflow_initial);
        struct snapshot_subflow is;

        (void)state;
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.token, 0xf6c24fea);
        assert_int_equal(is.flags, 0xc3);
        assert_true(is.flags & SNAPSHOT_MCAP_LOC && is.flags & SNAPSHOT_FULLY_EST);
        assert_int_equal(is.state, 1);
        assert_int_equal(is.local_id, 0);
        assert_int_equal(is.remote_id, 0);
        assert_int_equal(is.ifindex, 0);
        assert_int_equal(is.measure.remote_token, 0); /* the kernel doesn't say it here */
        assert_pair(&is.local, &is.remote, "192.0.2.17:43588", "192.0.2.18:5000");
}

static void test_decode_bound_join_row(void **state) {
        struct bytes bytes = bytes_from(subflow_join_bound);
        struct snapshot_subflow is;

        (void)state;
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_true(is.flags & SNAPSHOT_JOIN_LOC);
        assert_int_equal(is.local_id, 2);
        assert_int_equal(is.remote_id, 1);
        assert_int_equal(is.ifindex, 3);
        assert_int_equal(is.measure.remote_token, 0x20bd829d); /* of connection_mapped */
}

static void test_decode_mapped_subflow_is_v4(void **state) {
        struct bytes bytes = bytes_from(subflow_mapped);
        struct snapshot_subflow is;

        (void)state;
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.local.family, AF_INET);
        assert_pair(&is.local, &is.remote, "192.0.2.34:5000", "192.0.2.33:50683");
}

static void test_decode_measure_takes_each_number(void **state) {
        struct bytes bytes = bytes_from(subflow_initial);
        struct snapshot_subflow is;

        (void)state;
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.measure.rtt_usec, 29);
        assert_int_equal(is.measure.rto_usec, 204000);
        assert_int_equal(is.measure.bytes_sent, 1);
        assert_int_equal(is.measure.bytes_acked, 2); /* the SYN counts */
        assert_int_equal(is.measure.bytes_received, 1);
        assert_int_equal(is.measure.last_data_recv_msec, 360);
        assert_int_equal(is.measure.last_ack_recv_msec, 360);
        bytes_set(&bytes, TCP_INFO + 4, "05");    /* tcpi_backoff */
        bytes_set(&bytes, TCP_INFO + 24, "2a");   /* tcpi_unacked */
        bytes_set(&bytes, TCP_INFO + 28, "03");   /* tcpi_sacked */
        bytes_set(&bytes, TCP_INFO + 32, "04");   /* tcpi_lost */
        bytes_set(&bytes, TCP_INFO + 36, "06");   /* tcpi_retrans */
        bytes_set(&bytes, TCP_INFO + 44, "2b00"); /* tcpi_last_data_sent */
        bytes_set(&bytes, TCP_INFO + 52, "2c00"); /* tcpi_last_data_recv */
        bytes_set(&bytes, TCP_INFO + 92, "07");   /* tcpi_rcv_rtt */
        bytes_set(&bytes, TCP_INFO + 100, "2d");  /* tcpi_total_retrans */
        bytes_set(&bytes, TCP_INFO + 144, "2e");  /* tcpi_notsent_bytes */
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.measure.backoff, 5);
        assert_int_equal(is.measure.unacked, 42);
        assert_int_equal(is.measure.sacked, 3);
        assert_int_equal(is.measure.lost, 4);
        assert_int_equal(is.measure.resent, 6);
        assert_int_equal(is.measure.last_data_sent_msec, 43);
        assert_int_equal(is.measure.last_data_recv_msec, 44);
        assert_int_equal(is.measure.rcv_rtt_usec, 7);
        assert_int_equal(is.measure.retransmits, 45);
        assert_int_equal(is.measure.notsent, 46);
}

/* Of the peer's first byte, if data that came with the SYN is in no mapping. */
static void test_decode_number_after_data_in_the_syn(void **state) {
        struct bytes bytes = bytes_from(subflow_initial);
        struct snapshot_subflow is;

        (void)state;
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.measure.idsn_remote, 0);
        bytes_set(&bytes, TCP_INFO + 5, "27"); /* tcpi_options, with TCPI_OPT_SYN_DATA */
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.measure.idsn_remote, IDSN);
        bytes_set(&bytes, MAP_SFSEQ, "00000000"); /* no mapping yet */
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.measure.idsn_remote, IDSN);
        bytes_set(&bytes, MAP_SFSEQ, "11000000");
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.measure.idsn_remote, IDSN - 16);
}

/* Replaces struct tcp_info by its first size bytes. */
static void shorten(struct bytes *bytes, uint16_t size) {
        uint16_t len = (uint16_t)(size + 4);

        bytes_cut(bytes, TCP_INFO + size, TCP_BYTES - size);
        memcpy(bytes->data + TCP_HEAD, &len, 2);
}

static void test_decode_shorter_tcp_info_leaves_zeros(void **state) {
        struct bytes bytes = bytes_from(subflow_initial), shortest = bytes, too_short = bytes;
        struct snapshot_subflow is;

        (void)state;
        shorten(&bytes, 192); /* without bytes_sent, as before Linux 4.19 */
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), 0);
        assert_int_equal(is.measure.bytes_received, 1);
        assert_int_equal(is.measure.bytes_sent, 0);
        shorten(&shortest, 104);
        assert_int_equal(decode_subflow(&shortest, shortest.len, &is), 0);
        assert_int_equal(is.measure.rtt_usec, 29);
        assert_int_equal(is.measure.bytes_received, 0);
        shorten(&too_short, 100);
        assert_int_equal(decode_subflow(&too_short, too_short.len, &is), -EBADMSG);
}

static void test_decode_longer_tcp_info_is_cut(void **state) {
        struct bytes bytes = bytes_from(subflow_initial), longer = bytes;
        struct snapshot_subflow is;

        (void)state;
        memcpy(longer.data + TCP_INFO + TCP_BYTES + 64, bytes.data + TCP_INFO + TCP_BYTES,
               bytes.len - TCP_INFO - TCP_BYTES);
        longer.len += 64;
        bytes_set(&longer, TCP_HEAD, "5c01");
        bytes_set_len(&longer, longer.len);
        assert_int_equal(decode_subflow(&longer, longer.len, &is), 0);
        assert_int_equal(is.measure.rtt_usec, 29);
        assert_int_equal(is.token, 0xf6c24fea);
}

static void test_decode_plain_tcp_is_no_subflow(void **state) {
        struct bytes listener = bytes_from(subflow_listener);
        struct bytes no_ulp = bytes_from(subflow_initial), tls = no_ulp, no_token = no_ulp;
        struct snapshot_subflow is;

        (void)state;
        assert_int_equal(decode_subflow(&listener, listener.len, &is), 1);
        bytes_set(&no_ulp, 410, "3f"); /* INET_DIAG_ULP_INFO */
        assert_int_equal(decode_subflow(&no_ulp, no_ulp.len, &is), 1);
        bytes_set(&tls, 426, "02"); /* INET_ULP_INFO_TLS */
        assert_int_equal(decode_subflow(&tls, tls.len, &is), 1);
        bytes_set(&no_token, 440, "00000000");
        assert_int_equal(decode_subflow(&no_token, no_token.len, &is), 1);
}

static void test_decode_malformed_subflow_is_refused(void **state) {
        struct bytes bytes = bytes_from(subflow_initial), nest = bytes, family = bytes;
        struct snapshot_subflow is;

        (void)state;
        for (size_t len = 0; len < bytes.len; len++)
                assert_int_equal(decode_subflow(&bytes, len, &is), -EBADMSG);
        bytes_set(&nest, 436, "07"); /* the token has three bytes */
        assert_int_equal(decode_subflow(&nest, nest.len, &is), -EBADMSG);
        bytes_set(&family, 16, "00");
        assert_int_equal(decode_subflow(&family, family.len, &is), -EBADMSG);
        bytes_set(&bytes, TCP_HEAD + 2, "3f"); /* a subflow without numbers */
        assert_int_equal(decode_subflow(&bytes, bytes.len, &is), -EBADMSG);
}

/* Requests */

static void assert_request(const struct diag_request *request, uint16_t flags, const char *hex) {
        struct bytes want = bytes_from(hex);

        assert_int_equal(request->header.nlmsg_type, 20);
        assert_int_equal(request->header.nlmsg_flags, flags);
        assert_int_equal(request->header.nlmsg_len, NLMSG_HDRLEN + want.len);
        assert_memory_equal(&request->diag, want.data, want.len);
}

#define NO_ADDRESSES "0000000000000000000000000000000000000000000000000000000000000000"
#define NO_COOKIE    "ffffffffffffffff"
#define PROTOCOL     "0800030006010000"

static void test_connections_asks_for_mptcp(void **state) {
        struct diag_request request;

        (void)state;
        codec_diag_connections(AF_INET, &request);
        assert_request(&request, NLM_F_REQUEST | NLM_F_DUMP,
                       "02060200"
                       "ff0f0000"
                       "00000000" NO_ADDRESSES "00000000" NO_COOKIE PROTOCOL);
}

static void test_subflows_asks_for_tcp(void **state) {
        struct diag_request request;

        (void)state;
        codec_diag_subflows(AF_INET6, &request);
        assert_request(&request, NLM_F_REQUEST | NLM_F_DUMP,
                       "0a060200"
                       "3f0b0000"
                       "00000000" NO_ADDRESSES "00000000" NO_COOKIE);
}

static void test_connection_asks_by_token(void **state) {
        struct diag_request request;

        (void)state;
        codec_diag_connection(0x47fdff25, &request);
        assert_request(&request, NLM_F_REQUEST,
                       "02060200"
                       "00000000"
                       "00000000" NO_ADDRESSES "00000000"
                       "25fffd47ffffffff" PROTOCOL);
}

static void test_subflow_asks_by_addresses(void **state) {
        struct mptcpize_address local, remote;
        struct diag_request request;

        (void)state;
        assert_int_equal(address_parse("192.0.2.33:36047", &local), 0);
        assert_int_equal(address_parse("192.0.2.34:5000", &remote), 0);
        codec_diag_subflow(&local, &remote, 3, &request);
        assert_request(&request, NLM_F_REQUEST,
                       "02060200"
                       "00000000"
                       "8ccf1388"
                       "c0000221000000000000000000000000"
                       "c0000222000000000000000000000000"
                       "03000000" NO_COOKIE);
        assert_int_equal(address_parse("[2001:db8:2::1]:36047", &local), 0);
        assert_int_equal(address_parse("[2001:db8:2::2]:5000", &remote), 0);
        codec_diag_subflow(&local, &remote, 0, &request);
        assert_request(&request, NLM_F_REQUEST,
                       "0a060200"
                       "00000000"
                       "8ccf1388"
                       "20010db8000200000000000000000001"
                       "20010db8000200000000000000000002"
                       "00000000" NO_COOKIE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode_connection_row),
                cmocka_unit_test(test_decode_mapped_connection_is_v4),
                cmocka_unit_test(test_decode_connection_not_accepted_has_no_owner),
                cmocka_unit_test(test_decode_connection_in_fallback_is_marked),
                cmocka_unit_test(test_decode_listener_is_no_connection),
                cmocka_unit_test(test_decode_listener_has_its_cookie),
                cmocka_unit_test(test_decode_shorter_mptcp_info_is_enough),
                cmocka_unit_test(test_decode_malformed_connection_is_refused),
                cmocka_unit_test(test_decode_initial_subflow_row),
                cmocka_unit_test(test_decode_bound_join_row),
                cmocka_unit_test(test_decode_mapped_subflow_is_v4),
                cmocka_unit_test(test_decode_measure_takes_each_number),
                cmocka_unit_test(test_decode_number_after_data_in_the_syn),
                cmocka_unit_test(test_decode_shorter_tcp_info_leaves_zeros),
                cmocka_unit_test(test_decode_longer_tcp_info_is_cut),
                cmocka_unit_test(test_decode_plain_tcp_is_no_subflow),
                cmocka_unit_test(test_decode_malformed_subflow_is_refused),
                cmocka_unit_test(test_connections_asks_for_mptcp),
                cmocka_unit_test(test_subflows_asks_for_tcp),
                cmocka_unit_test(test_connection_asks_by_token),
                cmocka_unit_test(test_subflow_asks_by_addresses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
