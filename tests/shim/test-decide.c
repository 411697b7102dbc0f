/* Unit tests of shim/decide.c: the whole matrix of calls. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "decide.h"

enum { FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC };

static const int tcp_domains[] = { AF_INET, AF_INET6 };
static const int tcp_protocols[] = { 0, IPPROTO_TCP };
static const int tcp_types[] = {
        SOCK_STREAM,
        SOCK_STREAM | SOCK_NONBLOCK,
        SOCK_STREAM | SOCK_CLOEXEC,
        SOCK_STREAM | FLAGS,
};

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void test_decide_protocol_tcp_socket_becomes_mptcp(void **state) {
        (void)state;

        for (size_t d = 0; d < N_ELEMENTS(tcp_domains); d++)
                for (size_t t = 0; t < N_ELEMENTS(tcp_types); t++)
                        for (size_t p = 0; p < N_ELEMENTS(tcp_protocols); p++)
                                assert_int_equal(262, decide_protocol(tcp_domains[d], tcp_types[t],
                                                                      tcp_protocols[p]));
}

/* Upgrades among all domains and types with valid and with strange high bits. */
static unsigned int count_upgrades(int protocol) {
        static const int high_bits[] = {
                0, SOCK_NONBLOCK, SOCK_CLOEXEC, FLAGS, 16, 65536, INT_MIN
        };
        unsigned int n = 0;

        for (int domain = -1; domain <= 64; domain++)
                for (int type = 0; type < 16; type++)
                        for (size_t i = 0; i < N_ELEMENTS(high_bits); i++) {
                                int r = decide_protocol(domain, type | high_bits[i], protocol);

                                if (r == protocol)
                                        continue;
                                assert_int_equal(r, 262);
                                n++;
                        }
        return n;
}

/* With the sixteen calls of the test above, a count proves that no other call is upgraded. */
static void test_decide_protocol_any_other_call_left_alone(void **state) {
        const unsigned int per_protocol = N_ELEMENTS(tcp_domains) * N_ELEMENTS(tcp_types);

        (void)state;

        for (int protocol = -1; protocol < 512; protocol++) {
                const bool tcp = protocol == 0 || protocol == IPPROTO_TCP;

                assert_int_equal(count_upgrades(protocol), tcp ? per_protocol : 0);
        }
        assert_int_equal(count_upgrades(INT_MIN), 0);
        assert_int_equal(count_upgrades(INT_MAX), 0);
        assert_int_equal(count_upgrades(IPPROTO_TCP | 1 << 16), 0);
}

static void test_decide_protocol_any_call_keeps_errno(void **state) {
        (void)state;

        errno = 4711;
        (void)decide_protocol(AF_INET, SOCK_STREAM, 0);
        (void)decide_protocol(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(errno, 4711);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decide_protocol_tcp_socket_becomes_mptcp),
                cmocka_unit_test(test_decide_protocol_any_other_call_left_alone),
                cmocka_unit_test(test_decide_protocol_any_call_keeps_errno),
        };

        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
