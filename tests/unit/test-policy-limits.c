/*
 * policy/compile: limits, at their edges.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/util/limits.h"
#include "policies.h"

#define MATCH   "{ \"match\": { \"app\": \"x\" },\n"
#define RULE(s) MATCH "\"socket\": { \"except\": [ " s " ] } }"

/* prefix, n times item with commas between and its number for #, suffix; to be freed. */
static char *repeat(const char *prefix, const char *item, size_t n, const char *suffix) {
        const char *hash = strchr(item, '#');
        int before = (int)(hash ? hash - item : (ptrdiff_t)strlen(item));
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        assert_non_null(stream);
        fputs(prefix, stream);
        for (size_t i = 0; i < n; i++) {
                fprintf(stream, "%s%.*s", i ? "," : "", before, item);
                if (hash)
                        fprintf(stream, "%zu%s", i, hash + 1);
        }
        fputs(suffix, stream);
        fclose(stream);
        return text;
}

/* n items are fine, one more is refused with these words. */
static void assert_limit(const char *prefix, const char *item, size_t n, const char *suffix,
                         const char *words) {
        for (size_t more = 0; more < 2; more++) {
                char *text = repeat(prefix, item, n + more, suffix);
                const struct policies_file file = { "x.json", text };
                struct policy_errors errors = { 0 };
                void *half;
                size_t size;

                assert_int_equal(policies_compile(&file, 1, NULL, &half, &size, &errors),
                                 (int)more);
                if (more)
                        assert_non_null(strstr(errors.list.items[0].what.text, words));
                policy_errors_done(&errors);
                free(half);
                free(text);
        }
}

static void test_limits_of_a_file(void **state) {
        (void)state;
        assert_limit(MATCH "\"socket\": { \"except\": [", "{\"port\": 1#}", LIMIT_POLICY_RULES,
                     "] } }", "expected at most 64 members (here: 65)");
        assert_limit(MATCH "\"socket\": { \"listen\": [", "\"1#\"", LIMIT_POLICY_RULES, "] } }",
                     "expected at most 64 members");
        assert_limit(MATCH "\"socket\": { \"except\": [ { \"to\": [", "\"192.0.2.1\"",
                     LIMIT_POLICY_PREFIXES, "] } ] } }", "expected at most 256 prefixes");
        assert_limit(MATCH "\"socket\": { \"except\": [ { \"port\": \"", "1#", LIMIT_POLICY_PORTS,
                     "\" } ] } }", "expected fewer ranges of ports");
        assert_limit(MATCH "\"paths\": { \"options\": {", "\"x#\": 1", LIMIT_POLICY_PAIRS, "} } }",
                     "expected an object of at most 64 members");
}

static void test_limits_of_text(void **state) {
        char file[128], text[1024], name[512];

        (void)state;
        for (int n = 255; n <= 256; n++) {
                const struct policies_file x = { "x.json", text };
                struct policy_errors errors = { 0 };
                void *half;
                size_t size;

                memset(name, 'a', (size_t)n);
                name[n] = '\0';
                snprintf(text, sizeof(text), "{\"match\":{\"app\":\"%s\"}}", name);
                assert_int_equal(policies_compile(&x, 1, NULL, &half, &size, &errors), n - 255);
                policy_errors_done(&errors);
                free(half);
        }
        for (int n = LIMIT_NAME - 1; n <= (int)LIMIT_NAME; n++) {
                const struct policies_file x = { file, "{\"match\":{\"app\":\"a\"}}" };
                struct policy_errors errors = { 0 };
                void *half;
                size_t size;

                snprintf(file, sizeof(file), "%.*s.json", n, name);
                assert_int_equal(policies_compile(&x, 1, NULL, &half, &size, &errors),
                                 n - (int)LIMIT_NAME + 1);
                policy_errors_done(&errors);
                free(half);
        }
}

static void test_limit_of_files(void **state) {
        struct policy_networks networks = { 0 };
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };
        const struct policy_half *half;
        void *bytes;
        size_t size;
        char path[64];

        (void)state;
        for (unsigned int i = 0; i <= LIMIT_POLICIES; i++) {
                snprintf(path, sizeof(path), "/d/%u.json", i);
                assert_int_equal(policy_sources_add(&sources, path, "{\"match\":{\"uid\":1}}", 19,
                                                    POLICY_SYSTEM, &errors),
                                 i < LIMIT_POLICIES ? 0 : -EINVAL);
        }
        assert_string_equal(errors.list.items[0].what.text,
                            "there are more policies than are read: at most 1000");
        policy_errors_done(&errors);
        assert_int_equal(policy_compile(&sources, &networks, &bytes, &size, &errors), 0);
        half = bytes;
        assert_int_equal(half->apps.n, LIMIT_POLICIES);
        free(bytes);
        policy_sources_done(&sources);
}

/* Files that come to more than there is room for: what fits is in, and the rest is told. */
static void test_limit_of_a_half(void **state) {
        char *text = repeat(MATCH "\"socket\": { \"except\": [ { \"to\": [", "\"192.0.2.#\"", 250,
                            "] } ] } }");
        struct policy_networks networks = { 0 };
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };
        const struct policy_half *half;
        void *bytes;
        size_t size;
        char path[64];

        (void)state;
        for (unsigned int i = 0; i < 150; i++) {
                snprintf(path, sizeof(path), "%u.json", i);
                policy_sources_add(&sources, path, text, strlen(text), POLICY_SYSTEM, &errors);
        }
        policy_sources_add(&sources, "small.json", "{\"match\":{\"uid\":1}}", 19, POLICY_SYSTEM,
                           &errors);
        assert_int_equal(policy_compile(&sources, &networks, &bytes, &size, &errors), 1);
        half = bytes;
        assert_in_range(size, POLICY_HALF_BYTES - 6000, POLICY_HALF_BYTES);
        assert_int_equal(half->apps.n + errors.list.n, 151);
        assert_in_range(errors.list.n, 40, 60);
        assert_string_equal(errors.list.items[0].what.text,
                            "there is no room left: all policies together, with the addresses of "
                            "interfaces that they name, come to at most 524288 bytes");
        policy_errors_done(&errors);
        free(bytes);
        free(text);
        policy_sources_done(&sources);
}

static void test_limit_of_networks(void **state) {
        struct policy_networks networks = { 0 };
        struct policy_network network = { "eth0", { 4, 32, { 0 }, { 192 } }, { 4, 0, { 192 } } };
        const struct policies_file file = { "x.json", RULE("{ \"interface\": \"e*\" }") };
        struct policy_errors errors = { 0 };
        void *half;
        size_t size;

        (void)state;
        for (unsigned int i = 0; i < LIMIT_POLICY_NETWORKS; i++)
                assert_int_equal(ARRAY_APPEND(&networks.list, network, SIZE_MAX), 0);
        assert_int_equal(policies_compile(&file, 1, &networks, &half, &size, &errors), 0);
        free(half);
        assert_int_equal(ARRAY_APPEND(&networks.list, network, SIZE_MAX), 0);
        assert_int_equal(policies_compile(&file, 1, &networks, &half, &size, &errors), -ENOBUFS);
        ARRAY_DONE(&networks.list);
}

static void test_limit_of_errors(void **state) {
        char *text = repeat("{", "\"k#\": 1", LIMIT_POLICY_ERRORS + 5, "}");
        const struct policies_file file = { "default.json", text };
        struct policy_errors errors = { 0 };
        void *half;
        size_t size;

        (void)state;
        assert_int_equal(policies_compile(&file, 1, NULL, &half, &size, &errors), 1);
        assert_int_equal(errors.list.n, LIMIT_POLICY_ERRORS);
        assert_int_equal(errors.left_out, 5);
        policy_errors_done(&errors);
        free(half);
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_limits_of_a_file),  cmocka_unit_test(test_limits_of_text),
                cmocka_unit_test(test_limit_of_files),    cmocka_unit_test(test_limit_of_a_half),
                cmocka_unit_test(test_limit_of_networks), cmocka_unit_test(test_limit_of_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
