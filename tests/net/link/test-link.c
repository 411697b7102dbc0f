/*
 * The paths of the network tests: a way's delay, rate, queue and losses, with time as a number, and
 * what middleboxes do to packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mangle.h"
#include "way.h"

#define MSEC UINT64_C(1000000)

enum {
        N_PACKETS = 1000,
        IP4_LEN = 20,
        IP6_LEN = 40,
        TCP_LEN = 44, /* with 24 bytes of options */
        PAYLOAD_LEN = 5,
        OPTIONS = 20, /* of the TCP header */
};

/* IPv4 10.0.0.1 > 10.0.0.2, or IPv6 ::1 > ::2; no checksum yet. Its length. */
static size_t packet_make(uint8_t *packet, bool v6, uint8_t subtype, uint8_t tcp_flags) {
        static const uint8_t v4_header[IP4_LEN] = { 0x45, 0, 0,  69, 0, 0, 0, 0, 64, 6,
                                                    0,    0, 10, 0,  0, 1, 0, 0, 10, 2 };
        const size_t ip = v6 ? IP6_LEN : IP4_LEN;
        uint8_t *tcp = packet + ip, *options = tcp + OPTIONS;

        memset(packet, 0, ip + TCP_LEN + PAYLOAD_LEN);
        if (v6) {
                packet[0] = 0x60;
                packet[6] = 6;
                packet[23] = 1;
                packet[39] = 2;
        } else {
                memcpy(packet, v4_header, sizeof(v4_header));
        }
        tcp[12] = TCP_LEN / 4 << 4;
        tcp[13] = tcp_flags;
        memcpy(options, (uint8_t[]){ 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, 12);
        memcpy(options + 12, (uint8_t[]){ 30, 12, (uint8_t)(subtype << 4), 9, 9, 9 }, 6);
        memset(tcp + TCP_LEN, 'x', PAYLOAD_LEN);
        return ip + TCP_LEN + PAYLOAD_LEN;
}

/* RFC 1071, the way of a receiver: over all, the sum is ones. */
static bool is_checksum_right(const uint8_t *packet, size_t len) {
        const bool v6 = packet[0] >> 4 == 6;
        const size_t ip = v6 ? IP6_LEN : IP4_LEN, from = v6 ? 8 : 12;
        uint32_t sum = (uint32_t)(6 + len - ip);

        for (size_t i = from; i < len; i++)
                sum += (i - from) % 2 ? packet[i] : (uint32_t)packet[i] << 8;
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return sum == 0xffff;
}

static void test_strip_all_leaves_nops_and_right_checksum(void **state) {
        uint8_t packet[WAY_PACKET_MAX];

        (void)state;
        for (int v6 = 0; v6 < 2; v6++) {
                const size_t len = packet_make(packet, v6, 2, 16);
                const uint8_t *options = packet + (v6 ? IP6_LEN : IP4_LEN) + OPTIONS;

                assert_true(mangle_strip(packet, len, MANGLE_STRIP_ALL));
                assert_int_equal(options[2], 8);
                for (int i = 12; i < 24; i++)
                        assert_int_equal(options[i], 1);
                assert_true(is_checksum_right(packet, len));
                assert_false(mangle_strip(packet, len, MANGLE_STRIP_ALL));
        }
}

static void test_strip_joins_takes_joins_only(void **state) {
        uint8_t packet[WAY_PACKET_MAX];
        size_t len = packet_make(packet, false, 2, 16);

        (void)state;
        assert_false(mangle_strip(packet, len, MANGLE_STRIP_JOINS));
        len = packet_make(packet, false, 1, 2);
        assert_true(mangle_strip(packet, len, MANGLE_STRIP_JOINS));
}

static void test_strip_data_leaves_syns(void **state) {
        uint8_t packet[WAY_PACKET_MAX];
        size_t len = packet_make(packet, false, 0, 2);

        (void)state;
        assert_false(mangle_strip(packet, len, MANGLE_STRIP_DATA));
        len = packet_make(packet, false, 0, 16);
        assert_true(mangle_strip(packet, len, MANGLE_STRIP_DATA));
}

static void test_corrupt_changes_payload_under_right_checksum(void **state) {
        uint8_t packet[WAY_PACKET_MAX];

        (void)state;
        for (int v6 = 0; v6 < 2; v6++) {
                const size_t len = packet_make(packet, v6, 2, 16);

                assert_true(mangle_corrupt(packet, len));
                assert_int_not_equal(packet[len - PAYLOAD_LEN], 'x');
                assert_int_equal(packet[len - PAYLOAD_LEN + 1], 'x');
                assert_true(is_checksum_right(packet, len));
                assert_false(mangle_corrupt(packet, len - PAYLOAD_LEN));
        }
}

/* Every length that a packet can be cut to, in memory of just that size, for sanitizers. */
static void test_mangle_short_packets_stays_inside(void **state) {
        uint8_t packet[WAY_PACKET_MAX];

        (void)state;
        for (int v6 = 0; v6 < 2; v6++) {
                for (size_t n = packet_make(packet, v6, 2, 16); n > 0; n--) {
                        uint8_t *copy = malloc(n);

                        assert_non_null(copy);
                        memcpy(copy, packet, n);
                        (void)mangle_strip(copy, n, MANGLE_STRIP_ALL);
                        (void)mangle_corrupt(copy, n);
                        free(copy);
                }
        }
}

/* Sends packets of 1000 bytes all at once; how many are due by then. */
static unsigned int fill(struct way *way, unsigned int count, uint64_t due_nsec) {
        static uint8_t bytes[1000];
        struct way_packet *packet;
        unsigned int n = 0;

        for (unsigned int i = 0; i < count; i++)
                way_push(way, 0, bytes, sizeof(bytes));
        while ((packet = way_pop(way, due_nsec))) {
                free(packet);
                n++;
        }
        return n;
}

static void test_way_delay_is_kept(void **state) {
        struct way way;

        (void)state;
        way_init(&way, 1);
        way.delay_nsec = 50 * MSEC;
        assert_int_equal(fill(&way, 1, 50 * MSEC - 1), 0);
        assert_int_equal(way_due_nsec(&way), 50 * MSEC);
        assert_int_equal(fill(&way, 0, 50 * MSEC), 1);
        assert_true(way_due_nsec(&way) == UINT64_MAX);
        way_done(&way);
}

static void test_way_rate_and_queue_are_kept(void **state) {
        struct way way;

        (void)state;
        way_init(&way, 1);
        way.rate = 8e6 / 1e9; /* 8 Mbit/s: a packet every millisecond, and 40 wait */
        assert_int_equal(fill(&way, N_PACKETS, 10 * MSEC), 10);
        assert_int_equal(fill(&way, 0, UINT64_MAX), 31);
        way_done(&way);
}

static void test_way_losses_depend_on_seed(void **state) {
        unsigned int lost[3];

        (void)state;
        for (unsigned int i = 0; i < 3; i++) {
                struct way way;

                way_init(&way, i / 2);
                way.loss = 0.05;
                lost[i] = N_PACKETS - fill(&way, N_PACKETS, UINT64_MAX);
                assert_in_range(lost[i], 20, 90);
                way_done(&way);
        }
        assert_int_equal(lost[0], lost[1]);
        assert_int_not_equal(lost[0], lost[2]);
}

static void test_way_shorter_delay_overtakes_nothing(void **state) {
        struct way way;

        (void)state;
        way_init(&way, 1);
        way.delay_nsec = 50 * MSEC;
        (void)fill(&way, 1, 0);
        way.delay_nsec = 10 * MSEC;
        assert_int_equal(fill(&way, 1, 49 * MSEC), 0);
        assert_int_equal(fill(&way, 0, 50 * MSEC), 2);
        way_done(&way);
}

static void test_way_blackhole_swallows(void **state) {
        struct way way;

        (void)state;
        way_init(&way, 1);
        way.blackhole = true;
        assert_int_equal(fill(&way, N_PACKETS, UINT64_MAX), 0);
        way.blackhole = false;
        assert_int_equal(fill(&way, N_PACKETS, UINT64_MAX), N_PACKETS);
        way_done(&way);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_strip_all_leaves_nops_and_right_checksum),
                cmocka_unit_test(test_strip_joins_takes_joins_only),
                cmocka_unit_test(test_strip_data_leaves_syns),
                cmocka_unit_test(test_corrupt_changes_payload_under_right_checksum),
                cmocka_unit_test(test_mangle_short_packets_stays_inside),
                cmocka_unit_test(test_way_delay_is_kept),
                cmocka_unit_test(test_way_rate_and_queue_are_kept),
                cmocka_unit_test(test_way_losses_depend_on_seed),
                cmocka_unit_test(test_way_shorter_delay_overtakes_nothing),
                cmocka_unit_test(test_way_blackhole_swallows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
