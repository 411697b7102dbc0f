/*
 * policy/eval: nothing in a database can harm its reader; policy/compile: nothing in a file can.
 *
 * Images are blocks of exactly the size of a mapped file, so that a sanitizer sees every read
 * beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/util/cleanup.h"
#include "policies.h"

static const struct policies_file rich_files[] = {
        { "a.json",
          "{\"match\":{\"app\":\"a*\",\"exe\":\"/usr/*/a\",\"unit\":\"a*\",\"uid\":1000},"
          "\"socket\":{\"except\":[{\"to\":[\"198.51.100.0/24\",\"2001:db8::/32\"]},"
          "{\"port\":\"22,80-90\"},{\"interface\":\"e*\"},{\"source\":\"192.0.2.7\"}],"
          "\"source\":[\"eth*\",\"192.0.2.0/24\"],\"listen\":[\"*:80\",\"192.0.2.7:443\"],"
          "\"congestion\":\"bbr\",\"mark\":7},"
          "\"paths\":{\"plugin\":\"p\",\"interfaces\":{\"w*\":\"backup\"},\"options\":{\"x\":1}},"
          "\"auth\":{\"mode\":\"require\",\"psk\":\"/etc/k\"}}" },
        { "b.json", "{\"match\":{\"app\":\"*\"},\"socket\":{\"except\":[{\"port\":1}]}}" },
        { "default.json", "{}" },
};

static uint64_t random_state = 88172645463325252u; /* xorshift64: the same numbers each time */

static uint32_t random_below(uint32_t n) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return (uint32_t)(random_state >> 32) % n;
}

static void ask_all(const void *image) {
        struct policy_read read;

        if (!policy_begin(image, POLICY_FILE_BYTES, &read))
                return;
        policies_ask(&read);
        policies_describe(&read);
}

/* A number as damage has it: any, or one at an edge. */
static uint32_t random_number(void) {
        static const uint32_t edges[] = { 0,
                                          1,
                                          4,
                                          255,
                                          POLICY_TABLE_MAX,
                                          POLICY_HALF_BYTES - 4,
                                          POLICY_HALF_BYTES,
                                          POLICY_HALF_BYTES - 136,
                                          INT32_MAX,
                                          UINT32_MAX - 3,
                                          UINT32_MAX };

        return random_below(2) ? edges[random_below(ARRAY_SIZE(edges))]
                               : random_below(POLICY_HALF_BYTES);
}

/* Numbers anywhere, with the sum made right: what a hostile writer could do. */
static void test_hostile_numbers_harm_nobody(void **state) {
        struct policy_networks networks = policies_networks();
        void *good = policies_new(rich_files, ARRAY_SIZE(rich_files), &networks);
        void *image = malloc(POLICY_FILE_BYTES);
        const uint32_t bytes = policies_half(good)->bytes;

        (void)state;
        memcpy(image, good, POLICY_FILE_BYTES);
        for (int i = 0; i < 10000; i++) {
                struct policy_half *half = policies_half(image);

                memcpy(half, policies_half(good), bytes);
                for (uint32_t n = random_below(3) + 1; n > 0; n--)
                        ((uint32_t *)half)[4 + random_below(bytes / 4 - 4)] = random_number();
                policies_stamp(image);
                ask_all(image);
        }
        free(image);
        free(good);
}

static void test_random_bytes_are_noticed(void **state) {
        void *image = policies_new(rich_files, ARRAY_SIZE(rich_files), NULL);
        struct policy_half *half = policies_half(image);
        struct policy_read read;

        (void)state;
        for (int i = 0; i < 10000; i++) {
                uint32_t at = random_below(half->bytes);
                uint8_t bits = (uint8_t)(1u << random_below(8));

                ((uint8_t *)half)[at] ^= bits;
                if (policy_begin(image, POLICY_FILE_BYTES, &read))
                        fail_msg("byte %u", at);
                ((uint8_t *)half)[at] ^= bits;
        }
        assert_true(policy_begin(image, POLICY_FILE_BYTES, &read));
        free(image);
}

/* All of it the same byte, or noise, with the sum right. */
static void test_garbage_harms_nobody(void **state) {
        void *image = policies_new(rich_files, 1, NULL);
        struct policy_half *half = policies_half(image);

        (void)state;
        for (int fill = 0; fill < 300; fill += 5) {
                for (uint32_t i = 16; i < POLICY_HALF_BYTES; i++)
                        ((uint8_t *)half)[i] =
                                        (uint8_t)(fill < 256 ? (uint32_t)fill : random_below(256));
                half->bytes = POLICY_HALF_BYTES;
                policies_stamp(image);
                ask_all(image);
        }
        free(image);
}

/* The verdict on a connection to remote, whose exception has a prefix of len bits. */
static enum policy_reason judge_prefix(const char *to, const char *remote, uint8_t len) {
        const struct policy_call call = { .direction = POLICY_CONNECT,
                                          .remote = policies_address(remote) };
        struct policies_file file = { "x.json", NULL };
        struct policy_verdict verdict;
        const struct policy_rule *rule;
        const struct policy_app *app;
        struct policy_read read;
        char text[128];
        void *image;

        snprintf(text, sizeof(text),
                 "{\"match\":{\"uid\":1},\"socket\":{\"except\":[{\"to\":\"%s\"}]}}", to);
        file.text = text;
        image = policies_new(&file, 1, NULL);
        read = policies_begin(image);
        app = policy_at(&read, &read.half->apps, 0, sizeof(*app));
        rule = policy_at(&read, &app->except, 0, sizeof(*rule));
        ((struct policy_prefix *)((char *)policies_half(image) + rule->to.offset))->len = len;
        policy_judge(&read, app, &call, &verdict);
        free(image);
        return verdict.reason;
}

static void test_prefix_longer_than_an_address_is_none(void **state) {
        (void)state;
        assert_int_equal(judge_prefix("2001:db8::1", "[2001:db8::1]:1", 128), POLICY_REASON_EXCEPT);
        assert_int_equal(judge_prefix("2001:db8::1", "[2001:db8::1]:1", 129), POLICY_REASON_NONE);
        assert_int_equal(judge_prefix("2001:db8::1", "[2001:db8::1]:1", 255), POLICY_REASON_NONE);
        assert_int_equal(judge_prefix("192.0.2.1", "192.0.2.1:1", 32), POLICY_REASON_EXCEPT);
        assert_int_equal(judge_prefix("192.0.2.1", "192.0.2.1:1", 33), POLICY_REASON_NONE);
        assert_int_equal(judge_prefix("192.0.2.1", "192.0.2.1:1", 40), POLICY_REASON_NONE);
}

/* Text with letters changed, cut and doubled: a database or mistakes with places, nothing else. */
static void test_damaged_text_is_compiled_or_refused(void **state) {
        static const char letters[] = "{}[]\",:0129.-*/\\ax\n \xc3\xa9\x01";
        struct policy_networks networks = policies_networks();
        char text[1024];
        int good = 0, bad = 0;

        (void)state;
        for (int i = 0; i < 4000; i++) {
                const struct policies_file file = { "x.json", text };
                struct policy_errors errors = { 0 };
                uint32_t n = (uint32_t)strlen(rich_files[0].text);
                void *half;
                size_t size;

                memcpy(text, rich_files[0].text, n + 1);
                for (uint32_t changes = random_below(4); changes > 0; changes--)
                        text[random_below(n)] = letters[random_below(sizeof(letters) - 1)];
                if (random_below(8) == 0)
                        text[random_below(n)] = '\0';
                if (policies_compile(&file, 1, &networks, &half, &size, &errors) == 0) {
                        void *image = policies_image(half, size);

                        ask_all(image);
                        free(image);
                        good++;
                } else {
                        assert_true(errors.list.n > 0);
                        assert_int_not_equal(errors.list.items[0].what.place.line, 0);
                        bad++;
                }
                policy_errors_done(&errors);
                free(half);
        }
        assert_true(good > 500);
        assert_true(bad > 500);
}

/* Earlier writers */

/* What stands in the place of the blackholes is the beginning of a table. */
static void test_earlier_writer_knows_no_blackholes(void **state) {
        const struct policy_blackhole hole = { .to = { 4, 0, { 0 }, { 0 } } };
        const struct policy_networks networks = { .blackholes = &hole, .n_blackholes = 1 };
        const struct policy_call call = { .direction = POLICY_CONNECT,
                                          .remote = policies_address("198.51.100.1:80") };
        struct policy_verdict verdict;
        void *image = policies_new(rich_files, 1, &networks);
        struct policy_read read;

        (void)state;
        ((struct policy_header *)image)->whole[1] = 0;
        read = policies_begin(image);
        assert_non_null(policy_at(&read, &read.half->apps, 0, sizeof(struct policy_app)));
        assert_null(policy_blackhole_at(&read, 0));
        policy_judge(&read, NULL, &call, &verdict);
        assert_int_equal(verdict.reason, POLICY_REASON_NONE);
        free(image);
}

static void test_least_of_an_earlier_writer_is_read(void **state) {
        void *image = policies_new(NULL, 0, NULL);
        struct policy_read read;

        (void)state;
        ((struct policy_header *)image)->whole[1] = 0;
        policies_half(image)->bytes = POLICY_HALF_FIRST;
        policies_stamp(image);
        read = policies_begin(image);
        assert_null(policy_blackhole_at(&read, 0));
        ((struct policy_header *)image)->whole[1] = 1;
        assert_null(policy_blackhole_at(&read, 0));
        free(image);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hostile_numbers_harm_nobody),
                cmocka_unit_test(test_random_bytes_are_noticed),
                cmocka_unit_test(test_garbage_harms_nobody),
                cmocka_unit_test(test_damaged_text_is_compiled_or_refused),
                cmocka_unit_test(test_prefix_longer_than_an_address_is_none),
                cmocka_unit_test(test_earlier_writer_knows_no_blackholes),
                cmocka_unit_test(test_least_of_an_earlier_writer_is_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
