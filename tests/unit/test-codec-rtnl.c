/*
 * kern/codec-rtnl: links, addresses and routes, bytes of Linux 6.18.
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

#include <linux/if.h>

#include "../../daemon/kern/codec-rtnl.h"
#include "../../daemon/util/cleanup.h"
#include "bytes.h"

/* Without its statistics, which are most of it. */
static const char link_up[] = "4c01000010000200010000003f3c0000000001000200000043100100000000000700"
                              "03006b31000008000d00"
                              "e803000005001000060000000500110000000000050043000000000008000400dc05"
                              "00000800320044000000"
                              "08003300ffff000008001b000000000008001e000000000008003d00000000000800"
                              "1f000200000008002800"
                              "ffff0000080029000000010008003a000000010008003f0000000100080040000000"
                              "010008003b00f8ff0700"
                              "08003c00ffff00000800420000000000080020000200000005002100010000000800"
                              "23000200000008002f00"
                              "01000000080030000100000006004400000000000600450000000000050027000000"
                              "00000a00010046c5a7fd"
                              "cbcd00000a000200ffffffffffff0000100012000900010076657468000000000800"
                              "25000000000008000500"
                              "020000000c0006006e6f71756575650004003e8004004180";

/* Secondary, which has the bit of "temporary". */
static const char address_v4[] = "4c000000140000003eba006bf3740000021c80000200000008000100c00002640"
                                 "8000200c000026407000300"
                                 "6b310000080008008000000014000600ffffffffffffffff83cb040083cb0400";

static const char address_gone_v4[] =
                "4c000000150000003eba006bf4740000022080000200000008000100c000026308000200c000026307"
                "000300"
                "6b310000080008008000000014000600ffffffffffffffff83cb040083cb0400";

/* IFA_ADDRESS is the other end. */
static const char address_peer_v4[] =
                "4c000000140000003fba006b12750000022080000200000008000100c633640108000200c000026507"
                "000300"
                "6b310000080008008000000014000600ffffffffffffffffa2cb0400a2cb0400";

static const char address_peer_v6[] = "5c0000001400000000000000000000000a40820002000000140002002001"
                                      "0db8000900000000000000000001"
                                      "1400010020010db800090000000000000000000214000600ffffffffffff"
                                      "ffffc0cb0400c0cb040008000800"
                                      "82000000";

static const char address_tentative[] = "480000001400000000000000000000000a40c000020000001400010020"
                                        "010db8000800000000000000000001"
                                        "14000600ffffffffffffffffdfcb0400dfcb040008000800c0000000";

static const char address_deprecated[] = "480000001400000000000000000000000a40a20002000000140001002"
                                         "0010db8000700000000000000000001"
                                         "1400060000000000fffffffffecb0400fecb040008000800a2000000";

static const char address_link_local[] =
                "500000001400000000000000000000000a4080fd0300000014000100fe8000000000000014c913fffe"
                "a0a63e"
                "14000600ffffffffffffffff80cb040080cb0400080008008000000005000b0003000000";

static const char route_default_v4[] = "3c0000001800000640ba006bb175000002000000fe03000100000000080"
                                       "00f00fe0000000800060032000000"
                                       "08000500c00002120800040002000000";

static const char route_gone[] = "3c0000001900000040ba006bb475000002000000fe0300010000000008000f00f"
                                 "e0000000800060032000000"
                                 "08000500c00002220800040003000000";

static const char route_multipath_v4[] =
                "500000001800000640ba006bb275000002180000fe0300010000000008000f00fe00000008000100c6"
                "336400"
                "24000900100000000200000008000500c0000212100000000300000008000500c0000222";

static const char route_multipath_v6[] =
                "a80000001800000441ba006b0e7600000a300000fe0300010000000008000f00fe0000001400010020"
                "010db8"
                "aaaa0000000000000000000008000600000400003c0009001c000000020000001400050020010db800"
                "010000"
                "00000000000000021c000000030000001400050020010db800020000000000000000000224000c0000"
                "000000"
                "000000000000000000000000000000000000000000000000000000000500140000000000";

/* Table 1000, which only RTA_TABLE can say. */
static const char route_table_v6[] = "740000001800000641ba006b0d7600000a000000fc0300010000000008000"
                                     "f00e8030000080006004d000000"
                                     "1400050020010db8000100000000000000000002080004000200000024000"
                                     "c00000000000000000000000000"
                                     "00000000000000000000000000000000000000000500140000000000";

static const char route_local[] = "3c00000018000006000000000000000002200000ff02fe020000000008000f00"
                                  "ff00000008000100c0000263"
                                  "08000700c00002630800040002000000";

static const char route_blackhole[] = "2c0000001800000641ba006b4876000002180000fe030006000000000800"
                                      "0f00fe00000008000100cb007100";

/* By a nexthop object. */
static const char route_nexthop[] = "440000001800000641ba006b5c760000021a0000fe0300010000000008000f"
                                    "00fe00000008000100cb007140"
                                    "08001e000700000008000500c00002120800040002000000";

struct seen {
        struct event events[4];
        size_t n;
};

static void on_event(const struct event *event, void *userdata) {
        struct seen *seen = userdata;

        assert_true(seen->n < ARRAY_SIZE(seen->events));
        seen->events[seen->n++] = *event;
}

static int decode_len(const struct bytes *bytes, size_t len, struct seen *seen) {
        void *block = bytes_block(bytes, len);
        int r = codec_rtnl_decode(block, len, on_event, seen);

        free(block);
        return r;
}

static int decode(const struct bytes *bytes, struct seen *seen) {
        *seen = (struct seen){ .n = 0 };
        return decode_len(bytes, bytes->len, seen);
}

static struct event decoded_bytes(const struct bytes *bytes) {
        struct seen seen;

        assert_int_equal(decode(bytes, &seen), 0);
        assert_int_equal(seen.n, 1);
        return seen.events[0];
}

static struct event decoded(const char *hex) {
        struct bytes bytes = bytes_from(hex);

        return decoded_bytes(&bytes);
}

static void assert_address(const struct mptcpize_address *address, const char *text) {
        char buffer[ADDRESS_TEXT];

        assert_string_equal(address_format(address, buffer), text);
}

static void assert_result(const struct bytes *bytes, int result) {
        struct seen seen;

        assert_int_equal(decode(bytes, &seen), result);
        assert_int_equal(seen.n, 0);
}

/* Links */

static void test_decode_link_up(void **state) {
        struct event event = decoded(link_up);

        (void)state;
        assert_int_equal(event.type, EVENT_LINK);
        assert_int_equal(event.link.ifindex, 2);
        assert_string_equal(event.link.name, "k1");
        assert_true(event.link.up);
        assert_false(event.link.loopback);
}

static void test_decode_link_without_any_flag_is_down(void **state) {
        static const uint32_t bits[] = { IFF_UP, IFF_RUNNING, IFF_LOWER_UP };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
                struct bytes bytes = bytes_from(link_up);
                uint32_t flags = 0x11043 & ~bits[i];

                memcpy(bytes.data + 24, &flags, 4);
                assert_false(decoded_bytes(&bytes).link.up);
        }
}

static void test_decode_loopback_is_marked(void **state) {
        struct bytes bytes = bytes_from(link_up);

        (void)state;
        bytes_set(&bytes, 24, "49000100");
        assert_true(decoded_bytes(&bytes).link.loopback);
        assert_true(decoded_bytes(&bytes).link.up);
}

static void test_decode_link_gone(void **state) {
        struct bytes bytes = bytes_from(link_up);

        (void)state;
        bytes_set(&bytes, 4, "1100");
        assert_int_equal(decoded_bytes(&bytes).type, EVENT_LINK_GONE);
}

/* A port that leaves its bridge says RTM_DELLINK of AF_BRIDGE; the link stays. */
static void test_decode_bridge_port_is_ignored(void **state) {
        struct bytes bytes = bytes_from(link_up);

        (void)state;
        bytes_set(&bytes, 4, "1100");
        bytes_set(&bytes, 16, "07");
        assert_result(&bytes, 1);
}

static void test_decode_link_name_of_15_fits(void **state) {
        struct bytes bytes = bytes_from(link_up);

        (void)state;
        /* The name takes the place of it and the next attribute: 4 + 16 bytes of 8 + 8 + 8. */
        bytes_set(&bytes, 32, "140003006162636465666768696a6b6c6d6e6f0004000d00");
        assert_string_equal(decoded_bytes(&bytes).link.name, "abcdefghijklmno");
        bytes_set(&bytes, 51, "70"); /* 16 bytes and no NUL */
        assert_result(&bytes, -EBADMSG);
        bytes_set(&bytes, 32, "18"); /* 20 */
        assert_result(&bytes, -EBADMSG);
}

static void test_decode_link_without_name_or_index_is_refused(void **state) {
        struct bytes no_name = bytes_from(link_up), empty = no_name, no_index = no_name;

        (void)state;
        bytes_set(&no_name, 34, "3f");
        assert_result(&no_name, -EBADMSG);
        bytes_set(&empty, 32, "0500030000");
        assert_result(&empty, -EBADMSG);
        bytes_set(&no_index, 20, "00000000");
        assert_result(&no_index, -EBADMSG);
}

/* Addresses */

static void test_decode_secondary_v4_is_usable(void **state) {
        struct event event = decoded(address_v4);
        struct bytes bytes = bytes_from(address_v4);

        (void)state;
        assert_int_equal(event.type, EVENT_ADDRESS);
        assert_int_equal(event.address.ifindex, 2);
        assert_address(&event.address.address, "192.0.2.100");
        assert_int_equal(event.address.prefix_len, 28);
        assert_true(event.address.usable);
        bytes_set(&bytes, 52, "81"); /* IFA_FLAGS: permanent, secondary */
        assert_true(decoded_bytes(&bytes).address.usable);
}

static void test_decode_address_gone(void **state) {
        struct event event = decoded(address_gone_v4);

        (void)state;
        assert_int_equal(event.type, EVENT_ADDRESS_GONE);
        assert_address(&event.address.address, "192.0.2.99");
}

static void test_decode_point_to_point_is_our_end(void **state) {
        struct event v4 = decoded(address_peer_v4), v6 = decoded(address_peer_v6);

        (void)state;
        assert_address(&v4.address.address, "192.0.2.101");
        assert_address(&v6.address.address, "2001:db8:9::1");
}

static void test_decode_v6_states_decide_use(void **state) {
        static const struct {
                const char *flags; /* IFA_FLAGS */
                bool usable;
        } cases[] = {
                { "80000000", true },  /* permanent */
                { "00020000", true },  /* no prefix route, beyond the old 8 bits */
                { "40000000", false }, /* tentative */
                { "44000000", true },  /* optimistic */
                { "08000000", false }, /* DAD failed */
                { "20000000", false }, /* deprecated */
                { "01010000", false }, /* temporary */
        };
        struct bytes bytes = bytes_from(address_tentative);

        (void)state;
        assert_false(decoded_bytes(&bytes).address.usable);
        assert_false(decoded(address_deprecated).address.usable);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                bytes_set(&bytes, 68, cases[i].flags);
                assert_int_equal(decoded_bytes(&bytes).address.usable, cases[i].usable);
        }
}

static void test_decode_old_flags_count_without_the_new(void **state) {
        struct bytes bytes = bytes_from(address_tentative);

        (void)state;
        bytes_set(&bytes, 66, "3f"); /* no IFA_FLAGS; ifa_flags has 0xc0 */
        assert_false(decoded_bytes(&bytes).address.usable);
        bytes_set(&bytes, 18, "80");
        assert_true(decoded_bytes(&bytes).address.usable);
}

static void test_decode_scope_decides_use(void **state) {
        struct bytes bytes = bytes_from(address_v4);

        (void)state;
        assert_false(decoded(address_link_local).address.usable);
        bytes_set(&bytes, 19, "c8"); /* site */
        assert_true(decoded_bytes(&bytes).address.usable);
        bytes_set(&bytes, 19, "fe"); /* host */
        assert_false(decoded_bytes(&bytes).address.usable);
}

static void test_decode_address_of_other_family_is_ignored(void **state) {
        struct bytes bytes = bytes_from(address_v4);

        (void)state;
        bytes_set(&bytes, 16, "1c");
        assert_result(&bytes, 1);
}

static void test_decode_malformed_address_is_refused(void **state) {
        struct bytes family = bytes_from(address_v4), prefix = family, index = family;
        struct bytes none = bytes_from(address_tentative);

        (void)state;
        bytes_set(&family, 16, "0a"); /* four bytes are no IPv6 address */
        assert_result(&family, -EBADMSG);
        bytes_set(&prefix, 17, "21");
        assert_result(&prefix, -EBADMSG);
        bytes_set(&index, 20, "00000000");
        assert_result(&index, -EBADMSG);
        bytes_set(&none, 26, "3f");
        assert_result(&none, -EBADMSG);
}

/* Routes */

static void test_decode_default_route(void **state) {
        struct event event = decoded(route_default_v4);

        (void)state;
        assert_int_equal(event.type, EVENT_ROUTE);
        assert_int_equal(event.route.prefix.family, AF_INET);
        assert_address(&event.route.prefix, "0.0.0.0");
        assert_int_equal(event.route.prefix_len, 0);
        assert_int_equal(event.route.ifindex, 2);
        assert_int_equal(event.route.table, RT_TABLE_MAIN);
        assert_int_equal(event.route.metric, 50);
}

static void test_decode_route_gone(void **state) {
        struct event event = decoded(route_gone);

        (void)state;
        assert_int_equal(event.type, EVENT_ROUTE_GONE);
        assert_int_equal(event.route.ifindex, 3);
}

static void test_decode_large_table_and_metric(void **state) {
        struct event event = decoded(route_table_v6);

        (void)state;
        assert_int_equal(event.route.prefix.family, AF_INET6);
        assert_int_equal(event.route.table, 1000);
        assert_int_equal(event.route.metric, 77);
}

static void test_decode_small_table_is_in_the_header(void **state) {
        struct bytes bytes = bytes_from(route_default_v4);

        (void)state;
        bytes_set(&bytes, 30, "3f"); /* no RTA_TABLE */
        bytes_set(&bytes, 20, "64");
        assert_int_equal(decoded_bytes(&bytes).route.table, 100);
}

static void test_decode_multipath_gives_each_hop(void **state) {
        static const struct {
                const char *hex, *prefix;
                unsigned int len;
        } routes[] = {
                { route_multipath_v4, "198.51.100.0", 24 },
                { route_multipath_v6, "2001:db8:aaaa::", 48 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
                struct bytes bytes = bytes_from(routes[i].hex);
                struct seen seen;

                assert_int_equal(decode(&bytes, &seen), 0);
                assert_int_equal(seen.n, 2);
                for (size_t k = 0; k < 2; k++) {
                        assert_int_equal(seen.events[k].route.ifindex, 2 + k);
                        assert_address(&seen.events[k].route.prefix, routes[i].prefix);
                        assert_int_equal(seen.events[k].route.prefix_len, routes[i].len);
                }
        }
}

static void test_decode_malformed_multipath_gives_no_event(void **state) {
        struct bytes length = bytes_from(route_multipath_v4), index = length, tail = length;

        (void)state;
        bytes_set(&length, 64, "11"); /* of the second hop: one byte too long */
        assert_result(&length, -EBADMSG);
        bytes_set(&length, 64, "07");
        assert_result(&length, -EBADMSG);
        bytes_set(&index, 68, "00000000");
        assert_result(&index, -EBADMSG);
        bytes_set(&tail, 48, "1c00"); /* the first hop leaves four bytes */
        assert_result(&tail, -EBADMSG);
}

static void test_decode_nexthop_object_has_device(void **state) {
        struct bytes bytes = bytes_from(route_nexthop);

        (void)state;
        assert_int_equal(decoded_bytes(&bytes).route.ifindex, 2);
        bytes_set(&bytes, 62, "3f"); /* nexthop_compat_mode=0: no RTA_OIF */
        assert_result(&bytes, 1);
}

static void test_decode_mapped_prefix_stays_v6(void **state) {
        struct bytes bytes = bytes_from(route_multipath_v6);
        struct seen seen;

        (void)state;
        bytes_set(&bytes, 17, "60");
        bytes_set(&bytes, 40, "00000000000000000000ffff00000000");
        assert_int_equal(decode(&bytes, &seen), 0);
        assert_int_equal(seen.events[0].route.prefix.family, AF_INET6);
        assert_int_equal(seen.events[0].route.prefix_len, 96);
}

static void test_decode_other_routes_are_ignored(void **state) {
        struct bytes local = bytes_from(route_local), black = bytes_from(route_blackhole);
        struct bytes table = bytes_from(route_default_v4), cached = table, other = table;

        (void)state;
        assert_result(&local, 1);
        assert_result(&black, 1);
        bytes_set(&table, 32, "ff000000");
        assert_result(&table, 1);
        bytes_set(&cached, 24, "00020000"); /* RTM_F_CLONED */
        assert_result(&cached, 1);
        bytes_set(&other, 16, "80"); /* RTNL_FAMILY_IPMR */
        assert_result(&other, 1);
}

static void test_decode_malformed_route_is_refused(void **state) {
        struct bytes prefix = bytes_from(route_multipath_v4), width = prefix;
        struct bytes no_prefix = bytes_from(route_default_v4), device = no_prefix;

        (void)state;
        bytes_set(&prefix, 17, "21");
        assert_result(&prefix, -EBADMSG);
        bytes_set(&width, 16, "0a");
        assert_result(&width, -EBADMSG);
        bytes_set(&no_prefix, 17, "08");
        assert_result(&no_prefix, -EBADMSG);
        bytes_set(&device, 56, "ffffffff");
        assert_result(&device, -EBADMSG);
}

/* All */

static void test_decode_truncated_is_refused(void **state) {
        static const char *const all[] = {
                link_up,           address_v4,       address_gone_v4,    address_peer_v6,
                address_tentative, route_default_v4, route_multipath_v4, route_multipath_v6,
                route_table_v6,    route_nexthop,
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                struct bytes bytes = bytes_from(all[i]);
                struct seen seen = { .n = 0 };

                for (size_t len = 0; len < bytes.len; len++)
                        assert_int_equal(decode_len(&bytes, len, &seen), -EBADMSG);
                assert_int_equal(seen.n, 0);
        }
}

static void test_decode_cut_message_is_never_read_beyond(void **state) {
        static const char *const all[] = { link_up, address_peer_v6, route_multipath_v6 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                struct bytes bytes = bytes_from(all[i]);

                for (size_t len = 0; len < bytes.len; len++) {
                        struct seen seen = { .n = 0 };

                        bytes_set_len(&bytes, len);
                        assert_true(decode_len(&bytes, len, &seen) != 0 || seen.n > 0);
                }
        }
}

static void test_decode_other_message_is_ignored(void **state) {
        struct bytes bytes = bytes_from(route_gone);

        (void)state;
        bytes_set(&bytes, 4, "1c00");
        assert_result(&bytes, 1);
}

static bool lossy(const char *hex, const char *flags) {
        struct bytes bytes = bytes_from(hex);
        struct event event = decoded_bytes(&bytes);
        struct nlmsghdr header;

        bytes_set(&bytes, 6, flags);
        memcpy(&header, bytes.data, sizeof(header));
        return codec_rtnl_is_lossy(&header, &event);
}

static void test_is_lossy_after_silent_removals(void **state) {
        struct event down = { .type = EVENT_LINK }, gone = { .type = EVENT_LINK_GONE };
        struct nlmsghdr header = { .nlmsg_flags = 0 };

        (void)state;
        assert_false(lossy(route_default_v4, "0006")); /* created */
        assert_true(lossy(route_default_v4, "0001"));  /* replaced */
        assert_true(lossy(address_gone_v4, "0000"));
        assert_true(codec_rtnl_is_lossy(&header, &down));
        assert_true(codec_rtnl_is_lossy(&header, &gone));
        assert_false(lossy(route_gone, "0000"));
        assert_false(lossy(address_v4, "0000"));
        assert_false(lossy(link_up, "0000"));
}

static void test_list_requests_have_their_headers(void **state) {
        static const struct {
                uint16_t type;
                uint32_t len;
        } requests[] = { { RTM_GETLINK, 32 }, { RTM_GETADDR, 24 }, { RTM_GETROUTE, 28 } };
        static const uint8_t zero[16];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                struct rtnl_request request;

                memset(&request, 0xff, sizeof(request));
                codec_rtnl_list(requests[i].type, &request);
                assert_int_equal(request.header.nlmsg_type, requests[i].type);
                assert_int_equal(request.header.nlmsg_len, requests[i].len);
                assert_int_equal(request.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
                assert_memory_equal(&request.link, zero, sizeof(request.link));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode_link_up),
                cmocka_unit_test(test_decode_link_without_any_flag_is_down),
                cmocka_unit_test(test_decode_loopback_is_marked),
                cmocka_unit_test(test_decode_link_gone),
                cmocka_unit_test(test_decode_bridge_port_is_ignored),
                cmocka_unit_test(test_decode_link_name_of_15_fits),
                cmocka_unit_test(test_decode_link_without_name_or_index_is_refused),
                cmocka_unit_test(test_decode_secondary_v4_is_usable),
                cmocka_unit_test(test_decode_address_gone),
                cmocka_unit_test(test_decode_point_to_point_is_our_end),
                cmocka_unit_test(test_decode_v6_states_decide_use),
                cmocka_unit_test(test_decode_old_flags_count_without_the_new),
                cmocka_unit_test(test_decode_scope_decides_use),
                cmocka_unit_test(test_decode_address_of_other_family_is_ignored),
                cmocka_unit_test(test_decode_malformed_address_is_refused),
                cmocka_unit_test(test_decode_default_route),
                cmocka_unit_test(test_decode_route_gone),
                cmocka_unit_test(test_decode_large_table_and_metric),
                cmocka_unit_test(test_decode_small_table_is_in_the_header),
                cmocka_unit_test(test_decode_multipath_gives_each_hop),
                cmocka_unit_test(test_decode_malformed_multipath_gives_no_event),
                cmocka_unit_test(test_decode_nexthop_object_has_device),
                cmocka_unit_test(test_decode_mapped_prefix_stays_v6),
                cmocka_unit_test(test_decode_other_routes_are_ignored),
                cmocka_unit_test(test_decode_malformed_route_is_refused),
                cmocka_unit_test(test_decode_truncated_is_refused),
                cmocka_unit_test(test_decode_cut_message_is_never_read_beyond),
                cmocka_unit_test(test_decode_other_message_is_ignored),
                cmocka_unit_test(test_is_lossy_after_silent_removals),
                cmocka_unit_test(test_list_requests_have_their_headers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
