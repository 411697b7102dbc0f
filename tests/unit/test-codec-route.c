/*
 * kern/codec-route and what codec-rtnl says of rules, filters and gateways: bytes of Linux 6.18,
 * and requests that are read back.
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

#include "../../daemon/kern/codec-route.h"
#include "../../daemon/kern/codec-rtnl.h"
#include "bytes.h"

static const char rule_v4[] = "4400000020000200010000003119000002001800fc0000010000000008000f00e8"
                              "03000008000e00ffffffff0500150004000000080006004d00000008000200c633"
                              "6400";

static const char rule_prohibit_v6[] =
                "500000002000020001000000311900000a002000000000080000000008000f000000000008000e00ff"
                "ffffff0500150000000000080006004e0000001400020020010db8000000000000000000000000";

static const char rule_main[] = "3c00000020000200010000003119000002000000fe0000010000000008000f00fe"
                                "00000008000e00ffffffff050015000200000008000600fe7f0000";

/* Of the default table, for multicast routing. */
static const char rule_ipmr[] = "3c00000020000200010000003119000080000000fd0000010000000008000f00fd"
                                "00000008000e00ffffffff050015000200000008000600ff7f0000";

static const char netconf_strict[] =
                "4c00000050000200010000003119000002000000080001000300000008000200000000000800030001"
                "0000000800040000000000080008000000000008000500000000000800060000000000";

static const char netconf_all[] =
                "4c0000005000020001000000311900000200000008000100ffffffff08000200000000000800030000"
                "0000000800040000000000080008000000000008000500000000000800060000000000";

static const char netconf_default[] =
                "4c0000005000020001000000311900000200000008000100feffffff08000200000000000800030000"
                "0000000800040000000000080008000000000008000500000000000800060000000000";

static const char route_onlink[] = "3c00000018000200010000003119000002080000fe0300010400000008000f"
                                   "00fe000000080001000a00000008000500c00002630800040003000000";

static const char route_two_hops[] =
                "5000000018000200010000003119000002100000fe0300010000000008000f00fe000000080001000a"
                "01000024000900100000000300000008000500c0000203100000000300000008000500c0000204";

/* An IPv4 address on an interface, written as IPv6: ip -6 addr add ::ffff:192.0.2.1/120. */
static const char address_mapped[] =
                "4800000014000200010000009b1700000a788000010000001400010000000000000000000000ffffc0"
                "00020114000600ffffffffffffffff9ffa4e009ffa4e000800080080000000";

struct seen {
        struct event events[4];
        size_t n;
};

static void on_event(const struct event *event, void *userdata) {
        struct seen *seen = userdata;

        assert_true(seen->n < sizeof(seen->events) / sizeof(seen->events[0]));
        seen->events[seen->n++] = *event;
}

static int decode(const struct bytes *bytes, struct seen *seen) {
        void *block = bytes_block(bytes, bytes->len);
        int r;

        *seen = (struct seen){ .n = 0 };
        r = codec_rtnl_decode(block, bytes->len, on_event, seen);
        free(block);
        return r;
}

static struct event decoded(const struct bytes *bytes) {
        struct seen seen;

        assert_int_equal(decode(bytes, &seen), 0);
        assert_int_equal(seen.n, 1);
        return seen.events[0];
}

static struct event decoded_hex(const char *hex) {
        struct bytes bytes = bytes_from(hex);

        return decoded(&bytes);
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

static void test_decode_mapped_address_has_prefix_of_v4(void **state) {
        struct bytes bytes = bytes_from(address_mapped);
        struct event event;

        (void)state;
        event = decoded(&bytes);
        assert_address(&event.address.address, "192.0.2.1");
        assert_int_equal(event.address.prefix_len, 24);
        bytes_set(&bytes, 17, "40"); /* its network has other addresses, too */
        assert_int_equal(decoded(&bytes).address.prefix_len, 32);
}

static void test_decode_default_route_has_no_prefix(void **state) {
        struct bytes bytes = bytes_from(route_onlink);
        struct event event;

        (void)state;
        bytes_set(&bytes, 17, "00");
        event = decoded(&bytes);
        assert_address(&event.route.prefix, "0.0.0.0");
}

static void test_decode_multipath_without_hops_is_refused(void **state) {
        struct bytes bytes = bytes_from(route_two_hops);

        (void)state;
        bytes_set(&bytes, 44, "0400"); /* what were hops are unknown attributes */
        assert_result(&bytes, -EBADMSG);
}

/* Rules and filters */

static void test_decode_rule(void **state) {
        struct bytes gone = bytes_from(rule_v4);
        struct event event = decoded_hex(rule_v4);

        (void)state;
        assert_int_equal(event.type, EVENT_RULE);
        assert_address(&event.rule.from, "198.51.100.0");
        assert_int_equal(event.rule.from_len, 24);
        assert_int_equal(event.rule.table, 1000);
        assert_int_equal(event.rule.priority, 77);
        assert_int_equal(event.rule.protocol, 4);
        bytes_set(&gone, 4, "2100");
        assert_int_equal(decoded(&gone).type, EVENT_RULE_GONE);
}

static void test_decode_rule_that_prohibits_has_no_table(void **state) {
        struct event event = decoded_hex(rule_prohibit_v6);

        (void)state;
        assert_address(&event.rule.from, "2001:db8::");
        assert_int_equal(event.rule.from_len, 32);
        assert_int_equal(event.rule.table, 0);
}

static void test_decode_other_rules_are_ignored(void **state) {
        struct bytes main_table = bytes_from(rule_main), ipmr = bytes_from(rule_ipmr);

        (void)state;
        assert_result(&main_table, 1);
        assert_result(&ipmr, 1);
}

static void test_decode_malformed_rule_is_refused(void **state) {
        struct bytes length = bytes_from(rule_v4), family = length, none = length;

        (void)state;
        bytes_set(&length, 18, "21");
        assert_result(&length, -EBADMSG);
        bytes_set(&family, 16, "0a");
        assert_result(&family, -EBADMSG);
        bytes_set(&none, 62, "3f"); /* no FRA_SRC */
        assert_result(&none, -EBADMSG);
        for (size_t len = 0; len < length.len; len++) {
                struct bytes cut = bytes_from(rule_v4);

                cut.len = len;
                assert_result(&cut, -EBADMSG);
        }
}

static void test_decode_filter(void **state) {
        struct event one = decoded_hex(netconf_strict), all = decoded_hex(netconf_all);
        struct bytes by_default = bytes_from(netconf_default), v6 = bytes_from(netconf_strict);
        struct bytes without = bytes_from(netconf_strict);

        (void)state;
        assert_int_equal(one.type, EVENT_FILTER);
        assert_int_equal(one.filter.ifindex, 3);
        assert_int_equal(one.filter.rp_filter, 1);
        assert_int_equal(all.filter.ifindex, FILTER_ALL);
        assert_int_equal(all.filter.rp_filter, 0);
        assert_result(&by_default, 1);
        bytes_set(&v6, 16, "0a");
        assert_result(&v6, 1);
        bytes_set(&without, 38, "3f"); /* another setting has changed */
        assert_result(&without, 1);
}

/* Gateways */

static void test_decode_gateway(void **state) {
        struct event event = decoded_hex(route_onlink);
        struct bytes bytes = bytes_from(route_onlink);

        (void)state;
        assert_address(&event.route.gateway, "192.0.2.99");
        assert_true(event.route.onlink);
        assert_int_equal(event.route.protocol, 3);
        assert_int_equal(event.route.scope, 0);
        bytes_set(&bytes, 46, "3f"); /* no RTA_GATEWAY */
        assert_int_equal(decoded(&bytes).route.gateway.family, 0);
}

static void test_decode_hops_have_their_gateways(void **state) {
        struct bytes bytes = bytes_from(route_two_hops);
        struct seen seen;

        (void)state;
        assert_int_equal(decode(&bytes, &seen), 0);
        assert_int_equal(seen.n, 2);
        assert_address(&seen.events[0].route.gateway, "192.0.2.3");
        assert_address(&seen.events[1].route.gateway, "192.0.2.4");
        bytes_set(&bytes, 64, "07"); /* of the first gateway: three bytes */
        assert_result(&bytes, -EBADMSG);
}

static void test_decode_replacing_route_says_so(void **state) {
        struct bytes bytes = bytes_from(route_onlink), hops = bytes_from(route_two_hops);
        struct nlmsghdr header;
        struct event event;
        struct seen seen;

        (void)state;
        assert_false(decoded(&bytes).route.replaces);
        bytes_set(&bytes, 6, "0001");
        event = decoded(&bytes);
        assert_true(event.route.replaces);
        memcpy(&header, bytes.data, sizeof(header));
        assert_false(codec_rtnl_is_lossy(&header, &event));
        assert_true(codec_rtnl_hides_loss(&header));
        bytes_set(&bytes, 19, "10"); /* type of service */
        event = decoded(&bytes);
        assert_false(event.route.replaces);
        assert_true(codec_rtnl_is_lossy(&header, &event));
        bytes_set(&hops, 6, "0001");
        assert_int_equal(decode(&hops, &seen), 0);
        assert_true(seen.events[0].route.replaces);
        assert_false(seen.events[1].route.replaces);
}

/* Requests, read back */

static struct mptcpize_address at(const char *text) {
        struct mptcpize_address address = { 0 };

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static struct event read_back(const union route_request *request) {
        struct bytes bytes = { .len = request->header.nlmsg_len };

        memcpy(bytes.data, request->bytes, bytes.len);
        return decoded(&bytes);
}

static void assert_same_route(const struct route_event *is, const struct route_event *want) {
        assert_true(address_same_host(&is->prefix, &want->prefix));
        assert_int_equal(is->prefix_len, want->prefix_len);
        assert_int_equal(is->ifindex, want->ifindex);
        assert_int_equal(is->table, want->table);
        assert_int_equal(is->metric, want->metric);
        assert_true(address_same_host(&is->gateway, &want->gateway));
        assert_int_equal(is->onlink, want->onlink);
        assert_int_equal(is->protocol, want->protocol);
        assert_int_equal(is->scope, want->scope);
}

static void test_encode_route_is_read_back(void **state) {
        const struct route_event routes[] = {
                { .prefix = at("198.51.100.0"), .prefix_len = 24, .scope = 253 },
                { .prefix = at("0.0.0.0"), .gateway = at("198.51.100.254") },
                { .prefix = at("0.0.0.0"), .gateway = at("fe80::1"), .onlink = true },
                { .prefix = at("2001:db8:2::"), .prefix_len = 64, .scope = 253 },
                { .prefix = at("::"), .gateway = at("2001:db8:2::fe") },
                { .prefix = at("::") },
        };
        union route_request request;

        (void)state;
        for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
                struct route_event route = routes[i];
                struct event event;

                route.ifindex = 3;
                route.table = 26200;
                route.metric = 1024;
                route.protocol = 226;
                codec_route_encode(&route, true, &request);
                assert_int_equal(request.header.nlmsg_flags,
                                 NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
                event = read_back(&request);
                assert_int_equal(event.type, EVENT_ROUTE);
                assert_same_route(&event.route, &route);
                codec_route_encode(&route, false, &request);
                assert_int_equal(request.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
                event = read_back(&request);
                assert_int_equal(event.type, EVENT_ROUTE_GONE);
                assert_same_route(&event.route, &route);
        }
}

static void test_encode_rule_is_read_back(void **state) {
        static const char *const froms[] = { "198.51.100.1", "2001:db8:2::1" };
        union route_request request;

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                const struct rule_event rule = { .from = at(froms[i]),
                                                 .from_len = i ? 128 : 32,
                                                 .protocol = 226,
                                                 .priority = 32765,
                                                 .table = 26263 };
                struct event event;

                codec_route_encode_rule(&rule, i == 0, &request);
                event = read_back(&request);
                assert_int_equal(event.type, i == 0 ? EVENT_RULE : EVENT_RULE_GONE);
                assert_address(&event.rule.from, froms[i]);
                assert_int_equal(event.rule.from_len, rule.from_len);
                assert_int_equal(event.rule.protocol, 226);
                assert_int_equal(event.rule.priority, 32765);
                assert_int_equal(event.rule.table, 26263);
        }
}

static void test_list_asks_for_one_protocol(void **state) {
        union route_request request;
        struct rtmsg header;

        (void)state;
        codec_route_list(AF_INET6, 226, &request);
        memcpy(&header, request.bytes + NLMSG_HDRLEN, sizeof(header));
        assert_int_equal(request.header.nlmsg_type, RTM_GETROUTE);
        assert_int_equal(request.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
        assert_int_equal(request.header.nlmsg_len, NLMSG_LENGTH(sizeof(header)));
        assert_int_equal(header.rtm_family, AF_INET6);
        assert_int_equal(header.rtm_protocol, 226);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode_mapped_address_has_prefix_of_v4),
                cmocka_unit_test(test_decode_default_route_has_no_prefix),
                cmocka_unit_test(test_decode_multipath_without_hops_is_refused),
                cmocka_unit_test(test_decode_rule),
                cmocka_unit_test(test_decode_rule_that_prohibits_has_no_table),
                cmocka_unit_test(test_decode_other_rules_are_ignored),
                cmocka_unit_test(test_decode_malformed_rule_is_refused),
                cmocka_unit_test(test_decode_filter),
                cmocka_unit_test(test_decode_gateway),
                cmocka_unit_test(test_decode_hops_have_their_gateways),
                cmocka_unit_test(test_decode_replacing_route_says_so),
                cmocka_unit_test(test_encode_route_is_read_back),
                cmocka_unit_test(test_encode_rule_is_read_back),
                cmocka_unit_test(test_list_asks_for_one_protocol),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
