/*
 * core/address: text and bytes, prefixes, kinds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "../../daemon/core/address.h"
#include "../../daemon/util/cleanup.h"

static struct mptcpize_address parsed(const char *text) {
        struct mptcpize_address address = ADDRESS_NULL;

        if (address_parse(text, &address) < 0)
                fail_msg("\"%s\" was refused", text);
        return address;
}

static void test_init_four_bytes_is_v4(void **state) {
        struct mptcpize_address address;

        (void)state;
        assert_int_equal(address_init(&address, "\xc0\x00\x02\x01", 4, 65535), 0);
        assert_int_equal(address.family, AF_INET);
        assert_int_equal(address.port, 65535);
        assert_memory_equal(address.bytes, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void test_init_mapped_is_v4(void **state) {
        struct mptcpize_address address;

        (void)state;
        assert_int_equal(address_init(&address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16,
                                      0),
                         0);
        assert_int_equal(address.family, AF_INET);
        assert_memory_equal(address.bytes, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void test_init_compatible_stays_v6(void **state) {
        struct mptcpize_address address;

        (void)state;
        assert_int_equal(address_init(&address, "\0\0\0\0\0\0\0\0\0\0\0\0\xc0\x00\x02\x01", 16, 0),
                         0);
        assert_int_equal(address.family, AF_INET6);
}

static void test_init_other_length_is_refused(void **state) {
        static const size_t lens[] = { 0, 3, 5, 15, 17 };
        struct mptcpize_address address = { .port = 7 };
        const uint8_t bytes[17] = { 0 };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(lens); i++)
                assert_int_equal(address_init(&address, bytes, lens[i], 0), -EINVAL);
        assert_int_equal(address.port, 7);
}

/* What is read is written the same way. */
static void test_parse_format_round_trip(void **state) {
        static const char *const texts[] = {
                "192.0.2.1",   "192.0.2.1:1",     "255.255.255.255:65535",
                "2001:db8::1", "[2001:db8::1]:1", "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "::",
        };
        char buffer[ADDRESS_TEXT];
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(texts); i++) {
                struct mptcpize_address address = parsed(texts[i]);

                assert_string_equal(address_format(&address, buffer), texts[i]);
        }
}

static void test_parse_mapped_is_v4(void **state) {
        const struct mptcpize_address address = parsed("[::ffff:192.0.2.1]:80");
        char buffer[ADDRESS_TEXT];

        (void)state;
        assert_string_equal(address_format(&address, buffer), "192.0.2.1:80");
}

static void test_parse_malformed_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "192.0.2",
                "192.0.2.256",
                "192.0.2.1:",
                "192.0.2.1:0",
                "192.0.2.1:080",
                "192.0.2.1:65536",
                "192.0.2.1:100000",
                "192.0.2.1:+80",
                "192.0.2.1:80 ",
                " 192.0.2.1",
                ":80",
                "2001:db8::1::2",
                "[2001:db8::1]",
                "[2001:db8::1]80",
                "[2001:db8::1]:",
                "[2001:db8::1]:0",
                "[2001:db8::1]:65536",
                "[2001:db8::1:80",
                "[]:80",
                "[192.0.2.1]:80",
                "fe80::1%eth0",
                "host.example:80",
                "2001:db8:1111:1111:1111:1111:1111:1111:1111:1111:1111",
        };
        struct mptcpize_address address = { .port = 7 };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(texts); i++)
                if (address_parse(texts[i], &address) != -EINVAL)
                        fail_msg("\"%s\" was taken", texts[i]);
        assert_int_equal(address.port, 7);
}

static void test_format_none_says_so(void **state) {
        char buffer[ADDRESS_TEXT];

        (void)state;
        assert_string_equal(address_format(&ADDRESS_NULL, buffer), "none");
}

/* The longest text that there is: inet_ntop's 45 bytes are not reached by addresses we make. */
static void test_format_longest_fits(void **state) {
        struct mptcpize_address address = { .family = AF_INET6, .port = 65535 };
        char buffer[ADDRESS_TEXT];

        (void)state;
        memset(address.bytes, 0xff, sizeof(address.bytes));
        assert_string_equal(address_format(&address, buffer),
                            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void test_equal_port_counts(void **state) {
        const struct mptcpize_address a = parsed("192.0.2.1:80"), b = parsed("192.0.2.1:81");

        (void)state;
        assert_true(address_equal(&a, &a));
        assert_false(address_equal(&a, &b));
        assert_true(address_same_host(&a, &b));
}

static void test_same_host_family_and_all_bytes_count(void **state) {
        const struct mptcpize_address a = parsed("2001:db8::1"), b = parsed("2001:db8::2");
        struct mptcpize_address v4 = parsed("32.1.13.184"); /* the first bytes of a */

        (void)state;
        assert_false(address_same_host(&a, &b));
        assert_false(address_same_host(&a, &v4));
        v4.bytes[15] = 1;
        assert_false(address_same_host(&v4, &a));
}

/* Bytes behind an IPv4 address are no part of it, even if a plugin leaves some there. */
static void test_same_host_v4_ignores_the_rest(void **state) {
        const struct mptcpize_address a = parsed("192.0.2.1");
        struct mptcpize_address b = a;

        (void)state;
        b.bytes[4] = 1;
        assert_true(address_same_host(&a, &b));
}

struct prefix_case {
        const char *address, *prefix;
        unsigned int len;
        bool in;
};

static void test_in_prefix_edges(void **state) {
        static const struct prefix_case cases[] = {
                { "192.0.2.1", "0.0.0.0", 0, true },
                { "192.0.2.1", "192.0.2.1", 32, true },
                { "192.0.2.1", "192.0.2.0", 32, false },
                { "192.0.2.1", "192.0.2.0", 31, true },
                { "192.0.2.2", "192.0.2.0", 31, false },
                { "192.0.2.1", "192.0.2.1", 33, false },
                { "192.0.2.255", "192.0.2.0", 24, true },
                { "192.0.3.0", "192.0.2.0", 24, false },
                { "192.0.3.0", "192.0.2.0", 23, true },
                { "2001:db8::1", "::", 0, true },
                { "2001:db8::1", "2001:db8::1", 128, true },
                { "2001:db8::1", "2001:db8::", 128, false },
                { "2001:db8::1", "2001:db8::", 127, true },
                { "2001:db8::1", "2001:db8::1", 129, false },
                { "2001:db8:8000::", "2001:db8::", 33, false },
                { "2001:db8:7fff::", "2001:db8::", 33, true },
                { "192.0.2.1", "::", 0, false },
                { "2001:db8::1", "0.0.0.0", 0, false },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct mptcpize_address address = parsed(cases[i].address);
                const struct mptcpize_address prefix = parsed(cases[i].prefix);

                if (address_in_prefix(&address, &prefix, cases[i].len) != cases[i].in)
                        fail_msg("%s in %s/%u", cases[i].address, cases[i].prefix, cases[i].len);
        }
}

static void test_in_prefix_none_is_in_nothing(void **state) {
        (void)state;
        assert_false(address_in_prefix(&ADDRESS_NULL, &ADDRESS_NULL, 0));
}

struct kind_case {
        const char *text;
        bool loopback, link_local, host;
};

static void test_kinds_of_addresses(void **state) {
        static const struct kind_case cases[] = {
                { "127.0.0.1", true, false, true },
                { "127.255.255.254", true, false, true },
                { "128.0.0.1", false, false, true },
                { "169.254.0.1", false, true, true },
                { "169.253.0.1", false, false, true },
                { "192.0.2.1", false, false, true },
                { "0.0.0.0", false, false, false },
                { "223.255.255.255", false, false, true },
                { "224.0.0.1", false, false, false },
                { "239.255.255.255", false, false, false },
                { "255.255.255.255", false, false, false },
                { "::1", true, false, true },
                { "::2", false, false, true },
                { "::", false, false, false },
                { "fe80::1", false, true, true },
                { "febf::1", false, true, true },
                { "fec0::1", false, false, true },
                { "ff02::1", false, false, false },
                { "2001:db8::1", false, false, true },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct mptcpize_address address = parsed(cases[i].text);

                if (address_is_loopback(&address) != cases[i].loopback ||
                    address_is_link_local(&address) != cases[i].link_local ||
                    address_is_host(&address) != cases[i].host)
                        fail_msg("%s", cases[i].text);
        }
}

static void test_kinds_none_is_nothing(void **state) {
        (void)state;
        assert_false(address_is_loopback(&ADDRESS_NULL));
        assert_false(address_is_link_local(&ADDRESS_NULL));
        assert_false(address_is_host(&ADDRESS_NULL));
}

static void test_without_port_keeps_the_rest(void **state) {
        const struct mptcpize_address with = parsed("[2001:db8::1]:80");
        const struct mptcpize_address without = address_without_port(&with);

        (void)state;
        assert_int_equal(without.port, 0);
        assert_true(address_same_host(&with, &without));
}

static void test_any_is_unspecified_of_either_family(void **state) {
        const struct mptcpize_address v4 = parsed("0.0.0.0:80"), v6 = parsed("[::]:80"),
                                      host = parsed("192.0.2.1");

        (void)state;
        assert_true(address_is_any(&v4));
        assert_true(address_is_any(&v6));
        assert_false(address_is_any(&host));
        assert_false(address_is_any(&ADDRESS_NULL));
}

static void test_sockaddr_round_trip(void **state) {
        static const char *const texts[] = { "192.0.2.1:80", "[2001:db8::1]:443", "[fe80::1]:1" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                const struct mptcpize_address address = parsed(texts[i]);
                const bool v4 = address.family == AF_INET;
                struct mptcpize_address again;
                struct sockaddr_storage sockaddr;

                assert_int_equal(address_to_sockaddr(&address, 7, &sockaddr),
                                 v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
                if (!v4)
                        assert_int_equal(((struct sockaddr_in6 *)(void *)&sockaddr)->sin6_scope_id,
                                         address_is_link_local(&address) ? 7 : 0);
                assert_int_equal(address_from_sockaddr(&sockaddr, &again), 0);
                assert_true(address_equal(&address, &again));
        }
}

static void test_sockaddr_of_other_family_is_refused(void **state) {
        const struct sockaddr_storage sockaddr = { .ss_family = AF_UNIX };
        struct mptcpize_address address;

        (void)state;
        assert_int_equal(address_from_sockaddr(&sockaddr, &address), -EAFNOSUPPORT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_init_four_bytes_is_v4),
                cmocka_unit_test(test_init_mapped_is_v4),
                cmocka_unit_test(test_init_compatible_stays_v6),
                cmocka_unit_test(test_init_other_length_is_refused),
                cmocka_unit_test(test_parse_format_round_trip),
                cmocka_unit_test(test_parse_mapped_is_v4),
                cmocka_unit_test(test_parse_malformed_is_refused),
                cmocka_unit_test(test_format_none_says_so),
                cmocka_unit_test(test_format_longest_fits),
                cmocka_unit_test(test_equal_port_counts),
                cmocka_unit_test(test_same_host_family_and_all_bytes_count),
                cmocka_unit_test(test_same_host_v4_ignores_the_rest),
                cmocka_unit_test(test_in_prefix_edges),
                cmocka_unit_test(test_in_prefix_none_is_in_nothing),
                cmocka_unit_test(test_kinds_of_addresses),
                cmocka_unit_test(test_kinds_none_is_nothing),
                cmocka_unit_test(test_without_port_keeps_the_rest),
                cmocka_unit_test(test_any_is_unspecified_of_either_family),
                cmocka_unit_test(test_sockaddr_round_trip),
                cmocka_unit_test(test_sockaddr_of_other_family_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
