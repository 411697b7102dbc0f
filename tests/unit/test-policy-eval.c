/*
 * policy/eval: what is a database, who has which policy, and what it says of a socket.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "../../daemon/util/cleanup.h"
#include "policies.h"

/* Globs */

static void test_glob_matches_as_expected(void **state) {
        static const struct {
                const char *pattern, *text;
                bool fits;
        } rows[] = {
                { "", "", true },           { "", "a", false },
                { "a", "", false },         { "*", "", true },
                { "*", "anything", true },  { "**", "a", true },
                { "?", "", false },         { "?", "a", true },
                { "?", "ab", false },       { "curl", "curl", true },
                { "curl", "curl2", false }, { "curl", "cur", false },
                { "c*l", "cl", true },      { "c*l", "curl", true },
                { "c*l", "curls", false },  { "*ftp", "lftp", true },
                { "*ftp", "ftpd", false },  { "*a*b*", "xaxbx", true },
                { "*a*b*", "xbxa", false }, { "a*a*a", "aaa", true },
                { "a*a*a", "aa", false },   { "/opt/*/bin", "/opt/a/b/bin", true },
                { "*aab", "aaaaab", true }, { "[a]", "a", false },
                { "\\*", "*", false },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (policy_glob(policy_text_of(rows[i].pattern), policy_text_of(rows[i].text)) !=
                    rows[i].fits)
                        fail_msg("\"%s\" and \"%s\"", rows[i].pattern, rows[i].text);
}

/* Addresses */

static void test_address_mapped_is_ipv4(void **state) {
        const struct sockaddr_in6 in6 = {
                .sin6_family = AF_INET6,
                .sin6_port = htons(443),
                .sin6_addr.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 192, 0, 2, 1 },
        };
        struct policy_address address = policy_address(&in6, sizeof(in6));

        (void)state;
        assert_int_equal(address.family, 4);
        assert_int_equal(address.port, 443);
        assert_memory_equal(address.bytes, ((uint8_t[16]){ 192, 0, 2, 1 }), 16);
}

static void test_address_too_short_is_none(void **state) {
        const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
        const struct sockaddr_in in4 = { .sin_family = AF_INET };

        (void)state;
        assert_int_equal(policy_address(NULL, 0).family, 0);
        assert_int_equal(policy_address(&in4, 0).family, 0);
        assert_int_equal(policy_address(&in4, 1).family, 0);
        assert_int_equal(policy_address(&in4, sizeof(in4) - 1).family, 0);
        assert_int_equal(policy_address(&in4, sizeof(in4)).family, 4);
        /* as the kernel: without the scope, as in RFC 2133 */
        assert_int_equal(policy_address(&in6, 23).family, 0);
        assert_int_equal(policy_address(&in6, 24).family, 6);
        assert_int_equal(policy_address(&(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(in6))
                                         .family,
                         0);
}

static void test_address_kinds(void **state) {
        struct policy_address wildcard4 = policies_address("0.0.0.0:1"),
                              one = policies_address("[::1]:1");
        struct policy_address loopback4 = policies_address("127.255.0.1:1"), none = { 0 };

        (void)state;
        assert_true(policy_is_wildcard(&wildcard4));
        assert_true(policy_is_wildcard(&none));
        assert_false(policy_is_wildcard(&one));
        assert_true(policy_is_loopback(&one));
        assert_true(policy_is_loopback(&loopback4));
        assert_false(policy_is_loopback(&wildcard4));
        assert_false(policy_is_loopback(&none));
}

/* Databases that are none */

static const struct policies_file one_file[] = { { "/p/one.json", "{\"match\":{\"app\":\"x\"}}" } };

/* Changes one thing about a good database; false: the reader must not take it. */
static void assert_begin(void (*change)(void *image), size_t size, bool good) {
        void *image = policies_new(one_file, 1, NULL);
        struct policy_read read;

        change(image);
        assert_int_equal(policy_begin(image, size, &read), good);
        free(image);
}

static void change_nothing(void *image) {
        (void)image;
}

static void change_magic(void *image) {
        ((struct policy_header *)image)->magic[7] = 'x';
}

static void change_version(void *image) {
        ((struct policy_header *)image)->version++;
}

static void change_half_bytes(void *image) {
        ((struct policy_header *)image)->half_bytes /= 2;
}

static void change_generation_to_none(void *image) {
        ((struct policy_header *)image)->generation = 0;
}

/* To the half that was never written. */
static void change_generation(void *image) {
        ((struct policy_header *)image)->generation = 2;
}

static void change_half_generation(void *image) {
        policies_half(image)->generation = 3;
        policies_half(image)->sum = policy_sum((const char *)policies_half(image) + 8,
                                               policies_half(image)->bytes - 8);
}

static void change_last_byte(void *image) {
        struct policy_half *half = policies_half(image);

        ((char *)half)[half->bytes - 1] ^= 1;
}

static void change_bytes_to_too_many(void *image) {
        policies_half(image)->bytes = POLICY_HALF_BYTES + 8;
}

static void change_bytes_to_odd(void *image) {
        policies_half(image)->bytes += 4;
}

static void change_bytes_to_too_few(void *image) {
        policies_half(image)->bytes = POLICY_HALF_FIRST - 8;
        policies_stamp(image);
}

static void change_bytes_to_none(void *image) {
        policies_half(image)->bytes = 0;
}

static void test_begin_takes_a_good_database(void **state) {
        (void)state;
        assert_begin(change_nothing, POLICY_FILE_BYTES, true);
        assert_begin(change_nothing, POLICY_FILE_BYTES + 1, true);
}

static void test_begin_refuses_what_is_none(void **state) {
        void (*const changes[])(void *image) = {
                change_magic,
                change_version,
                change_half_bytes,
                change_generation,
                change_generation_to_none,
                change_half_generation,
                change_last_byte,
                change_bytes_to_too_many,
                change_bytes_to_odd,
                change_bytes_to_none,
                change_bytes_to_too_few,
        };
        struct policy_read read;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
                assert_begin(changes[i], POLICY_FILE_BYTES, false);
        assert_begin(change_nothing, POLICY_FILE_BYTES - 1, false);
        assert_begin(change_nothing, 0, false);
        assert_false(policy_begin(NULL, POLICY_FILE_BYTES, &read));
}

static void test_end_sees_a_new_generation(void **state) {
        void *image = policies_new(one_file, 1, NULL);
        struct policy_read read = policies_begin(image);

        (void)state;
        assert_true(policy_end(&read));
        ((struct policy_header *)image)->generation++;
        assert_false(policy_end(&read));
        free(image);
}

/* Tables */

static void test_at_bounds(void **state) {
        void *image = policies_new(one_file, 1, NULL);
        struct policy_read read = policies_begin(image);
        const struct {
                struct policy_span span;
                uint32_t i;
                bool is;
                size_t size;
        } rows[] = {
                { { 40, 1 }, 0, true, 8 },
                { { 40, 1 }, 1, false, 8 },
                { { 40, 0 }, 0, false, 8 },
                { { 42, 1 }, 0, false, 8 }, /* not aligned */
                { { POLICY_HALF_BYTES - 8, 1 }, 0, true, 8 },
                { { POLICY_HALF_BYTES - 8, 2 }, 1, false, 8 },
                { { POLICY_HALF_BYTES - 4, 1 }, 0, false, 8 },
                { { POLICY_HALF_BYTES, 1 }, 0, false, 8 },
                { { UINT32_MAX - 3, UINT32_MAX }, 0, false, 8 },
                { { 0, UINT32_MAX }, UINT32_MAX - 1, false, 136 },
                { { 0, UINT32_MAX }, POLICY_TABLE_MAX - 1, true, 8 },
                { { 0, UINT32_MAX }, POLICY_TABLE_MAX, false, 8 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if ((policy_at(&read, &rows[i].span, rows[i].i, rows[i].size) != NULL) !=
                    rows[i].is)
                        fail_msg("row %zu", i);
        free(image);
}

static void test_text_bounds(void **state) {
        void *image = policies_new(one_file, 1, NULL);
        struct policy_read read = policies_begin(image);

        (void)state;
        assert_int_equal(policy_text(&read, &(struct policy_span){ 41, 3 }).n, 3);
        assert_int_equal(policy_text(&read, &(struct policy_span){ POLICY_HALF_BYTES - 3, 3 }).n,
                         3);
        assert_null(policy_text(&read, &(struct policy_span){ POLICY_HALF_BYTES - 3, 4 }).bytes);
        assert_null(policy_text(&read, &(struct policy_span){ UINT32_MAX, UINT32_MAX }).bytes);
        assert_null(policy_text(&read, &(struct policy_span){ 41, 0 }).bytes);
        free(image);
}

/* Who has which policy */

static const struct policies_file who_files[] = {
        { "by-exe.json", "{\"match\":{\"exe\":\"/opt/*/bin/x\"}}" },
        { "by-app.json", "{\"match\":{\"app\":\"curl\"}}" },
        { "by-unit.json", "{\"match\":{\"unit\":\"nginx@*.service\"}}" },
        { "by-uid.json", "{\"match\":{\"uid\":1000}}" },
        { "by-glob.json", "{\"match\":{\"app\":\"py*\"}}" },
        { "by-two.json", "{\"match\":{\"app\":\"wget\",\"uid\":1000}}" },
};

static void assert_policy_of(const struct policy_read *read, const char *app, const char *exe,
                             const char *unit, uint32_t uid, const char *name) {
        const struct policy_identity who = { policy_text_of(app), policy_text_of(exe),
                                             policy_text_of(unit), uid };
        const struct policy_app *found = policy_find(read, &who);
        struct policy_text text = found ? policy_text(read, &found->name) : policy_text_of("none");

        assert_int_equal(text.n, strlen(name));
        assert_memory_equal(text.bytes, name, text.n);
}

static void test_find_by_each_matcher(void **state) {
        void *image = policies_new(who_files, ARRAY_SIZE(who_files), NULL);
        struct policy_read read = policies_begin(image);

        (void)state;
        assert_policy_of(&read, "x", "/opt/v1/bin/x", NULL, 1, "by-exe");
        assert_policy_of(&read, "curl", "/usr/bin/curl", NULL, 1, "by-app");
        /* a link: by the name it was called by, or by that of the program */
        assert_policy_of(&read, "curl", "/usr/bin/multi", NULL, 1, "by-app");
        assert_policy_of(&read, "link", "/usr/bin/curl", NULL, 1, "by-app");
        assert_policy_of(&read, "nginx", "/usr/sbin/nginx", "nginx@a.service", 33, "by-unit");
        assert_policy_of(&read, "sh", "/bin/sh", NULL, 1000, "by-uid");
        assert_policy_of(&read, "python3", "/usr/bin/python3", NULL, 1, "by-glob");
        assert_policy_of(&read, "wget", "/usr/bin/wget", NULL, 1000, "by-two");
        /* both must hold */
        assert_policy_of(&read, "wget", "/usr/bin/wget", NULL, 1001, "none");
        assert_policy_of(&read, NULL, NULL, NULL, 1, "none");
        free(image);
}

static void test_find_default_takes_the_rest(void **state) {
        const struct policies_file files[] = { { "default.json", "{}" }, who_files[1] };
        void *image = policies_new(files, 2, NULL);
        struct policy_read read = policies_begin(image);

        (void)state;
        assert_policy_of(&read, "curl", "/usr/bin/curl", NULL, 1, "by-app");
        assert_policy_of(&read, "x", "/x", NULL, 1, "default");
        assert_policy_of(&read, NULL, NULL, NULL, 1, "default");
        free(image);
}

/* Blackholes */

static void test_judge_blackhole_is_tcp_for_those_who_connect(void **state) {
        const struct policy_blackhole holes[] = {
                { .to = { 4, 32, { 0 }, { 198, 51, 100, 1 } } },
                { .to = { 6, 128, { 0 }, { 0x20, 1, 0xd, 0xb8, [15] = 1 } } },
        };
        const struct policy_networks networks = { .blackholes = holes, .n_blackholes = 2 };
        const struct {
                const char *address;
                enum policy_direction direction;
                enum policy_reason reason;
        } rows[] = {
                { "198.51.100.1:80", POLICY_CONNECT, POLICY_REASON_BLACKHOLE },
                { "198.51.100.2:80", POLICY_CONNECT, POLICY_REASON_NONE },
                { "[2001:db8::1]:80", POLICY_CONNECT, POLICY_REASON_BLACKHOLE },
                { "[2001:db8::2]:80", POLICY_CONNECT, POLICY_REASON_NONE },
                { "198.51.100.1:80", POLICY_LISTEN, POLICY_REASON_NONE },
                { NULL, POLICY_SOCKET, POLICY_REASON_NONE },
        };
        const struct policy_app loopback = { .flags = POLICY_APP_DEFAULT | POLICY_APP_LOOPBACK };
        void *image = policies_new(NULL, 0, &networks);
        struct policy_read read = policies_begin(image);

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct policy_call call = { .direction = rows[i].direction,
                                            .remote = policies_address(rows[i].address) };
                struct policy_verdict verdict, other = { .mptcp = true };

                policy_judge(&read, NULL, &call, &verdict);
                assert_int_equal(verdict.reason, rows[i].reason);
                /* and for a policy of another database, also one that wants loopback */
                policy_judge_host(&read, &loopback, &call, &other);
                assert_int_equal(other.reason, rows[i].reason);
        }
        free(image);
}

static void test_judge_host_keeps_what_is_refused(void **state) {
        const struct policy_blackhole hole = { .to = { 4, 0, { 0 }, { 0 } } };
        const struct policy_networks networks = { .blackholes = &hole, .n_blackholes = 1 };
        const struct policy_call call = { .direction = POLICY_CONNECT,
                                          .remote = policies_address("198.51.100.1:80") };
        struct policy_verdict verdict = { .reason = POLICY_REASON_MODE, .line = 3 };
        void *image = policies_new(NULL, 0, &networks);
        struct policy_read read = policies_begin(image);

        (void)state;
        policy_judge_host(&read, NULL, &call, &verdict);
        assert_int_equal(verdict.reason, POLICY_REASON_MODE);
        free(image);
}

static void test_own_counts_unless_it_weakens(void **state) {
        const struct policy_app plain = { 0 }, off = { .mode = POLICY_MODE_OFF };
        const struct policy_app require = { .auth = POLICY_AUTH_REQUIRE };

        (void)state;
        assert_false(policy_own_counts(&plain, NULL));
        assert_false(policy_own_counts(NULL, NULL));
        assert_true(policy_own_counts(NULL, &plain));
        assert_true(policy_own_counts(&plain, &off));
        assert_false(policy_own_counts(&off, &plain));
        assert_true(policy_own_counts(&off, &off));
        assert_false(policy_own_counts(&require, &plain));
        assert_true(policy_own_counts(&require, &require));
}

/* Verdicts */

#define UP   POLICY_REASON_NONE
#define CONN POLICY_CONNECT
#define LIST POLICY_LISTEN

struct verdict_row {
        const char *socket; /* members of "socket"; NULL: no policy at all */
        enum policy_direction direction;
        const char *local, *remote, *device;
        enum policy_reason reason;
        uint32_t line;
};

#define EXCEPT(rule) "\"except\": [" rule "]"

static const struct verdict_row verdicts[] = {
        /* without a policy */
        { NULL, POLICY_SOCKET, NULL, NULL, NULL, UP, 0 },
        { NULL, CONN, NULL, "198.51.100.1:80", NULL, UP, 0 },
        { NULL, CONN, NULL, "127.0.0.1:80", NULL, POLICY_REASON_LOOPBACK, 0 },
        { NULL, CONN, NULL, "[::1]:80", NULL, POLICY_REASON_LOOPBACK, 0 },
        { NULL, CONN, NULL, "0.0.0.0:80", NULL, POLICY_REASON_LOOPBACK, 0 },
        { NULL, CONN, NULL, "[::]:80", NULL, POLICY_REASON_LOOPBACK, 0 },
        { NULL, CONN, NULL, "192.0.2.7:80", NULL, POLICY_REASON_OWN, 0 },
        { NULL, CONN, NULL, "[2001:db8:7::7]:80", NULL, POLICY_REASON_OWN, 0 },
        { NULL, CONN, "192.0.2.7:5000", "198.51.100.1:80", NULL, POLICY_REASON_BOUND, 0 },
        { NULL, CONN, "0.0.0.0:5000", "198.51.100.1:80", NULL, UP, 0 },
        { NULL, CONN, NULL, "198.51.100.1:80", "eth0", POLICY_REASON_DEVICE, 0 },
        { NULL, LIST, NULL, NULL, NULL, UP, 0 },
        { NULL, LIST, "0.0.0.0:80", NULL, NULL, UP, 0 },
        { NULL, LIST, "[::]:80", NULL, NULL, UP, 0 },
        { NULL, LIST, "127.0.0.1:80", NULL, NULL, POLICY_REASON_LOOPBACK, 0 },
        { NULL, LIST, "192.0.2.7:80", NULL, NULL, POLICY_REASON_BOUND, 0 },
        { NULL, POLICY_BIND, "192.0.2.7:80", NULL, NULL, POLICY_REASON_BOUND, 0 },
        { NULL, POLICY_BIND, "127.0.0.1:5000", NULL, NULL, POLICY_REASON_LOOPBACK, 0 },
        { NULL, POLICY_BIND, "0.0.0.0:80", NULL, NULL, UP, 0 },
        /* directions */
        { "\"upgrade\": []", POLICY_SOCKET, NULL, NULL, NULL, POLICY_REASON_DIRECTION, 3 },
        { "\"upgrade\": [\"listen\"]", POLICY_SOCKET, NULL, NULL, NULL, UP, 0 },
        { "\"upgrade\": [\"listen\"]", CONN, NULL, "198.51.100.1:80", NULL, POLICY_REASON_DIRECTION,
          3 },
        { "\"upgrade\": [\"listen\"]", LIST, NULL, NULL, NULL, UP, 0 },
        { "\"upgrade\": [\"connect\"]", LIST, NULL, NULL, NULL, POLICY_REASON_DIRECTION, 3 },
        { "\"upgrade\": [\"connect\"]", POLICY_BIND, "0.0.0.0:80", NULL, NULL, UP, 0 },
        /* loopback */
        { "\"loopback\": true", CONN, NULL, "127.0.0.1:80", NULL, UP, 0 },
        { "\"loopback\": true", CONN, NULL, "0.0.0.0:80", NULL, UP, 0 },
        { "\"loopback\": true", CONN, NULL, "192.0.2.7:80", NULL, UP, 0 },
        { "\"loopback\": true", LIST, "127.0.0.1:80", NULL, NULL, POLICY_REASON_BOUND, 0 },
        /* bound sockets */
        { "\"source\": true", CONN, "192.0.2.7:5000", "198.51.100.1:80", NULL, UP, 0 },
        { "\"source\": true", CONN, NULL, "198.51.100.1:80", "eth0", UP, 0 },
        { "\"source\": [\"192.0.2.0/24\"]", CONN, "192.0.2.7:5000", "198.51.100.1:80", NULL, UP,
          0 },
        { "\"source\": [\"192.0.2.0/25\"]", CONN, "192.0.2.128:5000", "198.51.100.1:80", NULL,
          POLICY_REASON_BOUND, 0 },
        { "\"source\": [\"192.0.2.0/24\"]", CONN, NULL, "192.0.2.9:80", "eth0",
          POLICY_REASON_DEVICE, 0 },
        { "\"source\": [\"eth*\"]", CONN, NULL, "198.51.100.1:80", "eth0", UP, 0 },
        { "\"source\": [\"eth*\"]", CONN, "192.0.2.9:5000", "198.51.100.1:80", NULL, UP, 0 },
        { "\"source\": [\"eth*\"]", CONN, "203.0.113.1:5000", "192.0.2.1:80", NULL,
          POLICY_REASON_BOUND, 0 },
        { "\"source\": [\"eth*\"]", LIST, "192.0.2.7:80", NULL, NULL, UP, 0 },
        /* exceptions */
        { EXCEPT("{\"to\": \"198.51.100.0/24\"}"), CONN, NULL, "198.51.100.1:80", NULL,
          POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"to\": \"198.51.100.0/24\"}"), CONN, NULL, "198.51.101.1:80", NULL, UP, 0 },
        { EXCEPT("{\"to\": \"0.0.0.0/0\"}"), CONN, NULL, "[2001:db8::1]:80", NULL, UP, 0 },
        { EXCEPT("{\"to\": \"::/0\"}"), CONN, NULL, "[2001:db8::1]:80", NULL, POLICY_REASON_EXCEPT,
          3 },
        { EXCEPT("{\"to\": \"2001:db8::/127\"}"), CONN, NULL, "[2001:db8::1]:80", NULL,
          POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"to\": \"2001:db8::/127\"}"), CONN, NULL, "[2001:db8::2]:80", NULL, UP, 0 },
        { EXCEPT("{\"to\": \"::/0\"}"), LIST, "[::]:80", NULL, NULL, UP, 0 },
        { EXCEPT("{\"port\": \"22,8000-8010\"}"), CONN, NULL, "198.51.100.1:22", NULL,
          POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"port\": \"22,8000-8010\"}"), CONN, NULL, "198.51.100.1:8010", NULL,
          POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"port\": \"22,8000-8010\"}"), CONN, NULL, "198.51.100.1:8011", NULL, UP, 0 },
        { EXCEPT("{\"port\": 22}"), CONN, "0.0.0.0:22", "198.51.100.1:80", NULL, UP, 0 },
        { EXCEPT("{\"port\": 22}"), LIST, "0.0.0.0:22", NULL, NULL, POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"port\": 22}"), POLICY_BIND, "0.0.0.0:22", NULL, NULL, UP, 0 },
        { EXCEPT("{\"interface\": \"eth0\"}"), CONN, NULL, "192.0.2.1:80", NULL,
          POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"interface\": \"eth0\"}"), CONN, NULL, "[2001:db8:7::1]:80", NULL, UP, 0 },
        { EXCEPT("{\"interface\": \"*\"}"), CONN, NULL, "[2001:db8:7::1]:80", NULL,
          POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"to\": \"198.51.100.0/24\", \"port\": 22}"), CONN, NULL, "198.51.100.1:80",
          NULL, UP, 0 },
        { EXCEPT("{\"to\": \"198.51.100.0/24\", \"port\": 22}"), CONN, NULL, "198.51.100.1:22",
          NULL, POLICY_REASON_EXCEPT, 3 },
        { "\"source\": true, " EXCEPT("{\"source\": \"192.0.2.7\"}"), CONN, "192.0.2.7:5000",
          "198.51.100.1:80", NULL, POLICY_REASON_EXCEPT, 3 },
        { "\"source\": true, " EXCEPT("{\"source\": \"192.0.2.7\"}"), POLICY_BIND, "192.0.2.7:5000",
          NULL, NULL, POLICY_REASON_EXCEPT, 3 },
        { EXCEPT("{\"source\": \"0.0.0.0/0\"}"), CONN, "0.0.0.0:5000", "198.51.100.1:80", NULL, UP,
          0 },
        { "\"source\": true, " EXCEPT("{\"interface\": \"eth*\"}"), CONN, NULL, "198.51.100.1:80",
          "eth1", POLICY_REASON_EXCEPT, 3 },
        /* listeners */
        { "\"listen\": [\"443\"]", LIST, "[::]:443", NULL, NULL, UP, 0 },
        { "\"listen\": [\"443\"]", LIST, "[::]:80", NULL, NULL, POLICY_REASON_LISTEN, 3 },
        { "\"listen\": [\"443\"]", LIST, "192.0.2.7:443", NULL, NULL, UP, 0 },
        { "\"listen\": [\"443\"]", LIST, NULL, NULL, NULL, POLICY_REASON_LISTEN, 3 },
        { "\"listen\": [\"192.0.2.7:80-90\"]", LIST, "192.0.2.7:90", NULL, NULL, UP, 0 },
        { "\"listen\": [\"192.0.2.7:80-90\"]", LIST, "192.0.2.8:90", NULL, NULL,
          POLICY_REASON_LISTEN, 3 },
        { "\"listen\": [\"192.0.2.7:80-90\"]", LIST, "0.0.0.0:90", NULL, NULL, POLICY_REASON_LISTEN,
          3 },
        { "\"listen\": [\"443\"]", CONN, "192.0.2.7:5000", "198.51.100.1:80", NULL,
          POLICY_REASON_BOUND, 0 },
        { "\"listen\": [\"443\"], " EXCEPT("{\"port\": 443}"), LIST, "0.0.0.0:443", NULL, NULL,
          POLICY_REASON_EXCEPT, 3 },
};

static struct policy_verdict judge_row(const struct verdict_row *row) {
        struct policy_networks networks = policies_networks();
        struct policies_file file = { "x.json", "{\"match\":{\"app\":\"other\"}}" };
        struct policy_call call = { row->direction, policies_address(row->local),
                                    policies_address(row->remote), policy_text_of(row->device) };
        const struct policy_identity who = { .app = { "x", 1 } };
        struct policy_verdict verdict;
        struct policy_read read;
        char text[1024];
        void *image;

        snprintf(text, sizeof(text), "{ \"match\": { \"app\": \"x\" },\n\"socket\": {\n%s } }",
                 row->socket ? row->socket : "");
        if (row->socket)
                file.text = text;
        image = policies_new(&file, 1, &networks);
        read = policies_begin(image);
        policy_judge(&read, policy_find(&read, &who), &call, &verdict);
        free(image);
        return verdict;
}

static void test_judge_gives_the_expected_reason(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
                struct policy_verdict verdict = judge_row(&verdicts[i]);

                if (verdict.reason != verdicts[i].reason || verdict.line != verdicts[i].line)
                        fail_msg("row %zu: \"%s\" at line %u", i,
                                 policy_reason_name(verdict.reason), verdict.line);
                assert_int_equal(verdict.mptcp, verdict.reason == POLICY_REASON_NONE);
        }
}

static void test_judge_off_is_off(void **state) {
        const struct policies_file file = { "x.json", "{\"match\":{\"app\":\"x\"},\n"
                                                      "\"paths\":{\"mode\":\"off\"}}" };
        const struct policy_identity who = { .app = { "x", 1 } };
        void *image = policies_new(&file, 1, NULL);
        struct policy_read read = policies_begin(image);

        (void)state;
        for (int i = POLICY_SOCKET; i <= POLICY_LISTEN; i++) {
                struct policy_call call = { .direction = (enum policy_direction)i };
                struct policy_verdict verdict;

                policy_judge(&read, policy_find(&read, &who), &call, &verdict);
                assert_false(verdict.mptcp);
                assert_int_equal(verdict.reason, POLICY_REASON_MODE);
                assert_int_equal(verdict.line, 2);
        }
        free(image);
}

static void test_judge_without_database(void **state) {
        struct policy_call call = { .direction = POLICY_CONNECT,
                                    .remote = policies_address("192.0.2.7:80") };
        struct policy_verdict verdict;

        (void)state;
        policy_judge(NULL, NULL, &call, &verdict);
        assert_true(verdict.mptcp);
        call.remote = policies_address("127.0.0.1:80");
        policy_judge(NULL, NULL, &call, &verdict);
        assert_false(verdict.mptcp);
}

static void test_names_of_anything(void **state) {
        (void)state;
        for (int i = 0; i <= 300; i++) {
                assert_non_null(policy_reason_name((enum policy_reason)i));
                assert_non_null(policy_mode_name((enum policy_mode)i));
                assert_non_null(policy_auth_name((enum policy_auth)i));
        }
        assert_string_equal(policy_mode_name(_POLICY_MODE_MAX), "unknown");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_glob_matches_as_expected),
                cmocka_unit_test(test_address_mapped_is_ipv4),
                cmocka_unit_test(test_address_too_short_is_none),
                cmocka_unit_test(test_address_kinds),
                cmocka_unit_test(test_begin_takes_a_good_database),
                cmocka_unit_test(test_begin_refuses_what_is_none),
                cmocka_unit_test(test_end_sees_a_new_generation),
                cmocka_unit_test(test_at_bounds),
                cmocka_unit_test(test_text_bounds),
                cmocka_unit_test(test_find_by_each_matcher),
                cmocka_unit_test(test_find_default_takes_the_rest),
                cmocka_unit_test(test_judge_blackhole_is_tcp_for_those_who_connect),
                cmocka_unit_test(test_judge_host_keeps_what_is_refused),
                cmocka_unit_test(test_own_counts_unless_it_weakens),
                cmocka_unit_test(test_judge_gives_the_expected_reason),
                cmocka_unit_test(test_judge_off_is_off),
                cmocka_unit_test(test_judge_without_database),
                cmocka_unit_test(test_names_of_anything),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
