/*
 * host/netstat: the kernel's counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../daemon/host/netstat.h"

static void test_netstat_parse_known_adds_up(void **state) {
        struct counters_event counters;

        (void)state;
        netstat_parse("TcpExt: SyncookiesSent TCPTimeouts TCPRenoRecoveryFail TCPSackRecoveryFail "
                      "TCPRenoFailures TCPSackFailures TCPLossFailures TCPFastOpenBlackhole\n"
                      "TcpExt: 9 1 20 300 4000 50000 600000 7\n"
                      "IpExt: InOctets\n"
                      "IpExt: 18446744073709551615\n"
                      "MPTcpExt: MPCapableSYNRX Blackhole\n"
                      "MPTcpExt: 8 3\n",
                      &counters);
        assert_int_equal(counters.timeouts, 654321);
        assert_int_equal(counters.blackholes, 3);
}

static void test_netstat_parse_missing_is_zero(void **state) {
        struct counters_event counters = { 1, 1 };

        (void)state;
        netstat_parse("", &counters);
        assert_int_equal(counters.timeouts, 0);
        assert_int_equal(counters.blackholes, 0);
        netstat_parse("TcpExt: SyncookiesSent\nTcpExt: 4\n", &counters);
        assert_int_equal(counters.timeouts, 0);
}

static void test_netstat_parse_other_group_ignored(void **state) {
        struct counters_event counters;

        (void)state;
        netstat_parse("IpExt: TCPTimeouts Blackhole\nIpExt: 5 6\n", &counters);
        assert_int_equal(counters.timeouts, 0);
        assert_int_equal(counters.blackholes, 0);
}

static void test_netstat_parse_damaged_takes_what_is_whole(void **state) {
        struct counters_event counters;

        (void)state;
        netstat_parse("TcpExt: TCPTimeouts TCPLossFailures\nTcpExt: 5", &counters);
        assert_int_equal(counters.timeouts, 5);
        netstat_parse("TcpExt: TCPTimeouts\nMPTcpExt: 5\nMPTcpExt: Blackhole", &counters);
        assert_int_equal(counters.timeouts, 0);
        assert_int_equal(counters.blackholes, 0);
}

static void test_netstat_read_again_never_falls(void **state) {
        struct counters_event first, second;
        struct netstat *netstat;

        (void)state;
        assert_int_equal(netstat_new(&netstat), 0);
        assert_int_equal(netstat_read(netstat, &first), 0);
        assert_int_equal(netstat_read(netstat, &second), 0);
        assert_true(second.timeouts >= first.timeouts);
        assert_true(second.blackholes >= first.blackholes);
        netstat_free(netstat);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_netstat_parse_known_adds_up),
                cmocka_unit_test(test_netstat_parse_missing_is_zero),
                cmocka_unit_test(test_netstat_parse_other_group_ignored),
                cmocka_unit_test(test_netstat_parse_damaged_takes_what_is_whole),
                cmocka_unit_test(test_netstat_read_again_never_falls),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
