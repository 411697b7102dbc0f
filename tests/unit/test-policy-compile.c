/*
 * policy/compile: each mistake with its place, the order of policies, and limits at their edges.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/limits.h"
#include "../../policy/describe.h"
#include "policies.h"

/* Mistakes */

struct mistake {
        const char *text;
        const char *error; /* "LINE:COLUMN: what" */
};

#define MATCH       "{ \"match\": { \"app\": \"x\" },\n"
#define SOCKET(s)   MATCH "\"socket\": { " s " } }"
#define PATHS(s)    MATCH "\"paths\": { " s " } }"
#define AUTH(s)     MATCH "\"auth\": { " s " } }"
#define RULE(s)     SOCKET("\"except\": [ " s " ]")
#define HEAD(s)     "{ \"match\": { " s " } }"
#define EXPECT_NAME "a string of 1 to 255 bytes"

static const struct mistake mistakes[] = {
        /* the file */
        { "", "1:1: not valid JSON: '[' or '{' expected near end of file" },
        { "{", "1:1: not valid JSON: string or '}' expected near end of file" },
        { "[]", "1:1: the file must be one object, {...} (here: [])" },
        { MATCH "\"match\": {} }", "2:7: not valid JSON: duplicate object key near '\"match\"'" },
        { "{ \"socket\": {} }", "1:1: expected \"match\", which says which programs this is for" },
        { MATCH "\"sokcet\": {} }",
          "2:1: unknown key, did you mean \"socket\"? (here: \"sokcet\")" },
        { MATCH "\"comment\": {} }",
          "2:1: unknown key, expected \"match\", \"socket\", \"paths\", \"auth\" (here: "
          "\"comment\")" },
        { MATCH "\"socket\": [] }", "2:11: expected an object, {...} (here: [])" },
        { MATCH "\"paths\": 1 }", "2:10: expected an object, {...} (here: 1)" },
        { MATCH "\"auth\": \"require\" }", "2:9: expected an object, {...} (here: \"require\")" },
        /* match */
        { "{ \"match\": {} }",
          "1:12: expected at least one of \"app\", \"exe\", \"unit\" and \"uid\" (here: {})" },
        { HEAD("\"name\": \"x\""),
          "1:14: unknown key, expected \"app\", \"exe\", \"unit\", \"uid\" (here: \"name\")" },
        { HEAD("\"app\": 1"), "1:21: expected a name or a pattern, " EXPECT_NAME " (here: 1)" },
        { HEAD("\"app\": \"\""),
          "1:21: expected a name or a pattern, " EXPECT_NAME " (here: \"\")" },
        { HEAD("\"app\": \"/usr/bin/x\""),
          "1:21: expected a name without \"/\"; paths are for \"exe\" (here: \"/usr/bin/x\")" },
        { HEAD("\"exe\": \"bin/x\""),
          "1:21: expected an absolute path or a pattern of one (here: \"bin/x\")" },
        { HEAD("\"unit\": []"), "1:22: expected a name or a pattern, " EXPECT_NAME " (here: [])" },
        { HEAD("\"uid\": -1"),
          "1:21: expected a user's number or the name of one that there is (here: -1)" },
        { HEAD("\"uid\": 4294967295"),
          "1:21: expected a user's number or the name of one that there is (here: 4294967295)" },
        { HEAD("\"uid\": \"no such user\""),
          "1:21: expected a user's number or the name of one that there is (here: \"no such "
          "user\")" },
        /* socket */
        { SOCKET("\"foo\": 1"), "2:13: unknown key, see mptcpize-policy(5) (here: \"foo\")" },
        { SOCKET("\"upgrade\": \"connect\""),
          "2:24: expected a list of \"connect\" and \"listen\" (here: \"connect\")" },
        { SOCKET("\"upgrade\": [ \"connect\", \"accept\" ]"),
          "2:37: expected \"connect\" or \"listen\" (here: \"accept\")" },
        { SOCKET("\"loopback\": 1"), "2:25: expected true or false (here: 1)" },
        { SOCKET("\"ktls\": \"no\""), "2:21: expected true or false (here: \"no\")" },
        { SOCKET("\"hints\": null"), "2:22: expected true or false (here: null)" },
        { SOCKET("\"pacing\": true"), "2:23: expected \"demote\" or \"error\" (here: true)" },
        { SOCKET("\"congestion\": \"BBR\""),
          "2:27: expected the name of a congestion control, \"bbr\" (here: \"BBR\")" },
        { SOCKET("\"congestion\": \"abcdefghijklmnop\""),
          "2:27: expected the name of a congestion control, \"bbr\" (here: "
          "\"abcdefghijklmnop\")" },
        { SOCKET("\"nodelay\": 1"), "2:24: expected true or false (here: 1)" },
        { SOCKET("\"keepalive\": 1"), "2:26: expected true or false (here: 1)" },
        { SOCKET("\"send_buffer\": 4095"),
          "2:28: expected a whole number from 4096 to 1073741824 (here: 4095)" },
        { SOCKET("\"receive_buffer\": 1073741825"),
          "2:31: expected a whole number from 4096 to 1073741824 (here: 1073741825)" },
        { SOCKET("\"mark\": 4294967296"),
          "2:21: expected a whole number from 0 to 4294967295 (here: 4294967296)" },
        { SOCKET("\"tos\": 256"), "2:20: expected a whole number from 0 to 255 (here: 256)" },
        { SOCKET("\"tos\": 1.5"), "2:20: expected a whole number from 0 to 255 (here: 1.5)" },
        { SOCKET("\"priority\": 16"), "2:25: expected a whole number from 0 to 15 (here: 16)" },
        /* except */
        { SOCKET("\"except\": {}"), "2:23: expected a list of exceptions, [{...}] (here: {})" },
        { RULE("\"22\""), "2:25: expected an object, {...} (here: \"22\")" },
        { RULE("{}"), "2:25: expected at least one of \"to\", \"port\", \"interface\" and "
                      "\"source\" (here: {})" },
        { RULE("{ \"ports\": 22 }"),
          "2:27: unknown key, did you mean \"port\"? (here: \"ports\")" },
        { RULE("{ \"to\": [] }"), "2:33: expected at least one prefix (here: [])" },
        { RULE("{ \"to\": 10 }"), "2:33: expected an address or a prefix (here: 10)" },
        { RULE("{ \"to\": \"example.com\" }"),
          "2:33: expected an address or a prefix, \"192.0.2.0/24\" or \"2001:db8::/32\" (here: "
          "\"example.com\")" },
        { RULE("{ \"to\": [ \"192.0.2.1\", \"192.0.2.0/33\" ] }"),
          "2:48: expected a prefix of 0 to 32 bits (here: \"192.0.2.0/33\")" },
        { RULE("{ \"to\": \"2001:db8::/129\" }"),
          "2:33: expected a prefix of 0 to 128 bits (here: \"2001:db8::/129\")" },
        { RULE("{ \"to\": \"::ffff:192.0.2.0/95\" }"),
          "2:33: expected a prefix of 96 to 128 bits (here: \"::ffff:192.0.2.0/95\")" },
        { RULE("{ \"source\": \"192.0.2.1/24\" }"),
          "2:37: expected an address without bits behind the length of the prefix (here: "
          "\"192.0.2.1/24\")" },
        { RULE("{ \"port\": 0 }"),
          "2:35: expected ports from 1 to 65535, 22 or \"22,8000-8010\" (here: 0)" },
        { RULE("{ \"port\": \"22,\" }"),
          "2:35: expected ports from 1 to 65535, \"22,8000-8010\" (here: \"22,\")" },
        { RULE("{ \"port\": \"1-65536\" }"),
          "2:35: expected ports from 1 to 65535, \"22,8000-8010\" (here: \"1-65536\")" },
        { RULE("{ \"port\": \"22-21\" }"),
          "2:35: expected the lower port of a range first (here: \"22-21\")" },
        { RULE("{ \"interface\": \"a/b\" }"),
          "2:40: expected the name of an interface or a pattern (here: \"a/b\")" },
        { RULE("{ \"interface\": \"192.0.2.1\" }"),
          "2:40: expected the name of an interface or a pattern (here: \"192.0.2.1\")" },
        /* listen, source */
        { SOCKET("\"listen\": []"), "2:23: expected a list of listeners, [\"*:443\"] (here: [])" },
        { SOCKET("\"listen\": [ 443 ]"), "2:25: expected a string, \"*:443\" (here: 443)" },
        { SOCKET("\"listen\": [ \"example.com:443\" ]"),
          "2:25: expected \"443\", \"*:443\", \"192.0.2.1:443\" or \"[2001:db8::1]:443\" (here: "
          "\"example.com:443\")" },
        { SOCKET("\"listen\": [ \"2001:db8::1\" ]"),
          "2:25: expected \"443\", \"*:443\", \"192.0.2.1:443\" or \"[2001:db8::1]:443\" (here: "
          "\"2001:db8::1\")" },
        { SOCKET("\"listen\": [ \"*:\" ]"),
          "2:25: expected ports from 1 to 65535, \"22,8000-8010\" (here: \"*:\")" },
        { SOCKET("\"upgrade\": [ \"connect\" ], \"listen\": [ \"443\" ]"),
          "2:39: expected \"listen\" in \"upgrade\", too (here: \"listen\")" },
        { SOCKET("\"listen\": [ \"[::1]:80\" ]"),
          "2:25: expected \"loopback\": true with an address of loopback (here: \"[::1]:80\")" },
        { SOCKET("\"source\": false"),
          "2:23: expected true, or a list of prefixes and interfaces (here: false)" },
        { SOCKET("\"source\": [ \"300.0.0.1\" ]"),
          "2:25: expected an address, a prefix or the name of an interface (here: "
          "\"300.0.0.1\")" },
        /* paths */
        { PATHS("\"mode\": \"on\""),
          "2:20: expected \"off\", \"handover\", \"interactive\", \"aggregate\" or "
          "\"ndiffports\" (here: \"on\")" },
        { PATHS("\"plugin\": \"../x\""),
          "2:22: expected the name of a plugin, 1 to 63 lower case letters and digits (here: "
          "\"../x\")" },
        { PATHS("\"mode\": \"off\", \"plugin\": \"x\""),
          "2:27: expected either \"mode\" or \"plugin\", not both (here: \"plugin\")" },
        { PATHS("\"max_subflows\": 33"), "2:28: expected a whole number from 1 to 32 (here: 33)" },
        { PATHS("\"interfaces\": []"),
          "2:26: expected an object of at most 64 members (here: [])" },
        { PATHS("\"interfaces\": { \"wwan0\": \"slow\" }"),
          "2:37: expected \"master\", \"on\", \"backup\" or \"off\" (here: \"slow\")" },
        { PATHS("\"interfaces\": { \"\": \"on\" }"),
          "2:28: expected the name of an interface or a pattern (here: \"\")" },
        { PATHS("\"options\": { \"x\": [] }"),
          "2:30: expected a string of at most 255 bytes, a number, true or false (here: [])" },
        { PATHS("\"options\": { \"\": 1 }"),
          "2:25: expected the name of an option, 1 to 63 bytes (here: \"\")" },
        /* auth */
        { AUTH("\"mode\": \"on\""),
          "2:19: expected \"off\", \"prefer\" or \"require\" (here: \"on\")" },
        { AUTH("\"mode\": \"prefer\", \"psk\": \"keys/key\""),
          "2:36: expected the absolute path of a file, or the name of a credential (here: "
          "\"keys/key\")" },
        { AUTH("\"mode\": \"prefer\", \"psk\": \"/etc/keys/\""),
          "2:36: expected the absolute path of a file, or the name of a credential (here: "
          "\"/etc/keys/\")" },
        { AUTH("\"mode\": \"prefer\", \"psk\": \"..\""),
          "2:36: expected the absolute path of a file, or the name of a credential (here: "
          "\"..\")" },
        { AUTH("\"mode\": \"prefer\", \"psk\": 1"),
          "2:36: expected the path of a file, " EXPECT_NAME " (here: 1)" },
        { AUTH("\"psk\": \"/etc/key\""),
          "2:11: expected \"mode\": \"prefer\" or \"require\" with a key (here: \"psk\")" },
};

static void test_compile_each_mistake_has_its_place(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
                const struct policies_file file = { "/etc/x.json", mistakes[i].text };
                struct policy_errors errors = { 0 };
                char text[POLICY_ERROR_TEXT];
                void *half = NULL;
                size_t size;

                assert_int_equal(policies_compile(&file, 1, NULL, &half, &size, &errors), 1);
                policy_error_print(&errors.list.items[0], text);
                if (strncmp(text, "/etc/x.json:", 12) != 0 ||
                    strcmp(text + 12, mistakes[i].error) != 0)
                        fail_msg("row %zu: %s\nexpected:                  %s", i, text,
                                 mistakes[i].error);
                assert_int_equal(errors.list.n, 1);
                assert_int_equal(((struct policy_half *)half)->apps.n, 0);
                policy_errors_done(&errors);
                free(half);
        }
}

static void test_compile_tells_all_mistakes(void **state) {
        const struct policies_file files[] = {
                { "a.json", SOCKET("\"tos\": 999, \"priority\": 999") },
                { "b.json", "nonsense" },
        };
        struct policy_errors errors = { 0 };
        void *half;
        size_t size;

        (void)state;
        assert_int_equal(policies_compile(files, 2, NULL, &half, &size, &errors), 1);
        assert_int_equal(errors.list.n, 3);
        assert_string_equal(errors.list.items[1].file, "a.json");
        assert_string_equal(errors.list.items[2].file, "b.json");
        policy_errors_done(&errors);
        free(half);
}

static void test_compile_leaves_bad_files_out_without_trace(void **state) {
        const struct policies_file files[] = {
                { "a.json", MATCH "\"socket\": { \"except\": [ { \"port\": 1 } ] } }" },
                { "b.json", MATCH "\"socket\": { \"except\": [ { \"port\": 2 }, 3 ] } }" },
                { "c.json", MATCH "\"socket\": { \"except\": [ { \"port\": 4 } ] } }" },
        };
        const struct policies_file good[] = { files[0], files[2] };
        struct policy_errors errors = { 0 };
        void *half, *half_good;
        size_t size, size_good;

        (void)state;
        assert_int_equal(policies_compile(files, 3, NULL, &half, &size, &errors), 1);
        policy_errors_done(&errors);
        assert_int_equal(policies_compile(good, 2, NULL, &half_good, &size_good, &errors), 0);
        assert_int_equal(size, size_good);
        assert_memory_equal(half, half_good, size);
        free(half);
        free(half_good);
}

/* Order */

static void test_compile_puts_the_most_specific_first(void **state) {
        static const struct policies_file files[] = {
                { "default.json", "{\"match\":{\"exe\":\"/x\",\"uid\":1}}" },
                { "all.json", "{\"match\":{\"app\":\"*\"}}" },
                { "glob.json", "{\"match\":{\"app\":\"c?rl\"}}" },
                { "glob-uid.json", "{\"match\":{\"app\":\"c*\",\"uid\":1}}" },
                { "uid.json", "{\"match\":{\"uid\":1}}" },
                { "unit.json", "{\"match\":{\"unit\":\"*\"}}" },
                { "unit-uid.json", "{\"match\":{\"unit\":\"x.service\",\"uid\":1}}" },
                { "app.json", "{\"match\":{\"app\":\"curl\"}}" },
                { "app2.json", "{\"match\":{\"app\":\"curl\"}}" },
                { "bpp.json", "{\"match\":{\"app\":\"curl\"}}" },
                { "app-uid.json", "{\"match\":{\"app\":\"curl\",\"uid\":1}}" },
                { "app-unit-uid.json", "{\"match\":{\"app\":\"c\",\"uid\":1,\"unit\":\"x\"}}" },
                { "exe.json", "{\"match\":{\"exe\":\"/x\"}}" },
                { "exe-all.json", "{\"match\":{\"exe\":\"/x\",\"app\":\"*\"}}" },
                { "exe-app.json", "{\"match\":{\"exe\":\"/x\",\"app\":\"y\"}}" },
        };
        static const char *const order[] = { "exe-app",  "exe-all", "exe",      "app-unit-uid",
                                             "app-uid",  "bpp",     "app2",     "app",
                                             "unit-uid", "unit",    "glob-uid", "uid",
                                             "glob",     "all",     "default" };
        void *image = policies_new(files, ARRAY_SIZE(files), NULL);
        struct policy_read read;

        (void)state;
        assert_true(policy_begin(image, POLICY_FILE_BYTES, &read));
        assert_int_equal(read.half->apps.n, ARRAY_SIZE(files));
        for (uint32_t i = 0; i < ARRAY_SIZE(order); i++) {
                const struct policy_app *app = policy_at(&read, &read.half->apps, i, sizeof(*app));
                struct policy_text name = policy_text(&read, &app->name);

                if (name.n != strlen(order[i]) || memcmp(name.bytes, order[i], name.n) != 0)
                        fail_msg("%u: %.*s", i, (int)name.n, name.bytes);
        }
        free(image);
}

/* What is in the half */

static const struct policy_app *image_app(const void *image, struct policy_read *read) {
        assert_true(policy_begin(image, POLICY_FILE_BYTES, read));
        return policy_at(read, &read->half->apps, 0, sizeof(struct policy_app));
}

static void test_compile_defaults(void **state) {
        const struct policies_file file = { "/a/b.c.json", "\n\n{\"match\":{\"app\":\"x\"}}" };
        void *image = policies_new(&file, 1, NULL);
        struct policy_read read;
        const struct policy_app *app = image_app(image, &read);

        (void)state;
        assert_int_equal(policy_text(&read, &app->name).n, strlen("b.c"));
        assert_int_equal(policy_text(&read, &app->file).n, strlen("/a/b.c.json"));
        assert_int_equal(app->uid, POLICY_ANY_UID);
        assert_int_equal(app->line, 3);
        assert_int_equal(app->flags, POLICY_APP_CONNECT | POLICY_APP_LISTEN | POLICY_APP_HINTS |
                                                     POLICY_APP_KTLS | POLICY_APP_PACING);
        assert_int_equal(app->mode, POLICY_MODE_DEFAULT);
        assert_int_equal(app->auth, POLICY_AUTH_OFF);
        assert_int_equal(app->except.n + app->listen.n + app->source.n + app->sets.n, 0);
        free(image);
}

static void test_compile_options(void **state) {
        static const struct policy_set expected[] = {
                { IPPROTO_TCP, TCP_CONGESTION, 0, "bbr" }, { IPPROTO_TCP, TCP_NODELAY, 1, "" },
                { SOL_SOCKET, SO_KEEPALIVE, 0, "" },       { SOL_SOCKET, SO_SNDBUF, 4096, "" },
                { SOL_SOCKET, SO_RCVBUF, 1 << 30, "" },    { SOL_SOCKET, SO_MARK, -1, "" },
                { IPPROTO_IP, IP_TOS, 255, "" },           { SOL_SOCKET, SO_PRIORITY, 15, "" },
        };
        const struct policies_file file = {
                "x.json", SOCKET("\"congestion\": \"bbr\", \"nodelay\": true, \"keepalive\": false,"
                                 "\"send_buffer\": 4096, \"receive_buffer\": 1073741824,"
                                 "\"mark\": 4294967295, \"tos\": 255, \"priority\": 15")
        };
        void *image = policies_new(&file, 1, NULL);
        struct policy_read read;
        const struct policy_app *app = image_app(image, &read);

        (void)state;
        assert_int_equal(app->sets.n, ARRAY_SIZE(expected));
        assert_memory_equal(policy_at(&read, &app->sets, 0, sizeof(expected)), expected,
                            sizeof(expected));
        free(image);
}

static void test_compile_knows_users_by_name(void **state) {
        const struct policies_file file = { "x.json", "{\"match\":{\"uid\":\"root\"}}" };
        struct policy_read read;
        void *image = policies_new(&file, 1, NULL);

        (void)state;
        assert_int_equal(image_app(image, &read)->uid, 0);
        free(image);
}

/* Compiles the one file of a user. */
static int compile_own(const char *text, struct policy_app *ret_app, struct policy_errors *errors) {
        struct policy_networks networks = { 0 };
        struct policy_sources sources = { 0 };
        const struct policy_half *half;
        void *bytes;
        size_t size;
        int r;

        assert_int_equal(policy_sources_add(&sources, "x.json", text, strlen(text), 1000, errors),
                         0);
        r = policy_compile(&sources, &networks, &bytes, &size, errors);
        half = bytes;
        if (half->apps.n > 0)
                memcpy(ret_app, (const char *)bytes + half->apps.offset, sizeof(*ret_app));
        policy_sources_done(&sources);
        free(bytes);
        return r;
}

/* The daemon reads the key, who may read more than a user. */
static void test_compile_key_of_a_user_is_a_mistake(void **state) {
        struct policy_errors errors = { 0 };
        char text[POLICY_ERROR_TEXT];
        struct policy_app app;

        (void)state;
        assert_int_equal(compile_own(AUTH("\"mode\": \"require\",\n  \"psk\": \"/etc/key\""), &app,
                                     &errors),
                         1);
        assert_int_equal(errors.list.n, 1);
        policy_error_print(&errors.list.items[0], text);
        assert_string_equal(text, "x.json:3:3: expected no key: only the system's policies have "
                                  "one (here: \"psk\")");
        policy_errors_done(&errors);
}

static void test_compile_own_policy_is_for_its_owner(void **state) {
        struct policy_errors errors = { 0 };
        char text[POLICY_ERROR_TEXT];
        struct policy_app app = { 0 };

        (void)state;
        assert_int_equal(compile_own("{\"match\":{\"app\":\"x\"}}", &app, &errors), 0);
        assert_int_equal(app.uid, 1000);
        assert_true(app.flags & POLICY_APP_USER);
        assert_int_equal(compile_own("{\"match\":{\"uid\":1000}}", &app, &errors), 0);
        assert_int_equal(compile_own("{\"match\":{\"uid\":0}}", &app, &errors), 1);
        policy_error_print(&errors.list.items[0], text);
        assert_string_equal(text, "x.json:1:17: expected user 1000, whose own policy this is "
                                  "(here: 0)");
        policy_errors_done(&errors);
}

static void test_compile_expands_networks(void **state) {
        struct policy_network items[] = {
                { "eth0", { 4, 24, { 0 }, { 192, 0, 2 } }, { 4, 0, { 192, 0, 2, 7 } } },
                { "eth1", { 4, 16, { 0 }, { 198, 51 } }, { 4, 0, { 198, 51, 100, 7 } } },
                { "wwan0", { 6, 64, { 0 }, { 0x20, 1 } }, { 6, 0, { 0x20, 1, [15] = 7 } } },
        };
        const struct policies_file file = { "x.json", RULE("{ \"interface\": \"eth*\" }") };
        struct policy_networks networks = { .list = { items, 3, 3 } };
        void *image = policies_new(&file, 1, &networks);
        struct policy_read read;
        const struct policy_app *app = image_app(image, &read);
        const struct policy_rule *rule = policy_at(&read, &app->except, 0, sizeof(*rule));
        const struct policy_prefix *own = policy_at(&read, &read.half->own, 2, sizeof(*own));

        (void)state;
        assert_int_equal(rule->near.n, 2);
        assert_memory_equal(policy_at(&read, &rule->near, 1, 20), &items[1].network, 20);
        assert_int_equal(read.half->own.n, 3);
        assert_int_equal(own->len, 128);
        assert_memory_equal(own->bytes, items[2].address.bytes, 16);
        free(image);
}

/* Described and compiled again, a policy is the same. */
static void test_describe_is_the_language(void **state) {
        const struct policies_file file = {
                "x.json",
                "{\"match\":{\"app\":\"a*\",\"exe\":\"/x\",\"unit\":\"u\",\"uid\":7},"
                "\"socket\":{\"upgrade\":[\"listen\"],\"except\":[{\"to\":\"::ffff:192.0.2.0/"
                "120\"},"
                "{\"port\":\"22,80-90\",\"source\":[\"2001:db8::/32\",\"198.51.100.1\"]},"
                "{\"interface\":\"e*\"}],\"loopback\":true,\"source\":[\"eth*\",\"192.0.2.0/24\"],"
                "\"listen\":[\"80\",\"192.0.2.7:443\",\"[::1]:1-2\"],\"ktls\":false,"
                "\"pacing\":\"error\",\"hints\":false,\"congestion\":\"bbr\",\"mark\":4294967295,"
                "\"nodelay\":true},\"paths\":{\"mode\":\"ndiffports\",\"max_subflows\":3,"
                "\"interfaces\":{\"w*\":\"backup\"},\"options\":{\"x\":\"\",\"y\":\"z\"}},"
                "\"auth\":{\"mode\":\"require\",\"psk\":\"/etc/k\"}}"
        };
        struct policies_file again = file;
        struct policy_read read, read_again;
        void *image = policies_new(&file, 1, NULL), *image_again;
        json_t *described = policy_describe(&read, image_app(image, &read)), *described_again;
        char *text = json_dumps(described, 0);

        (void)state;
        again.text = text;
        image_again = policies_new(&again, 1, NULL);
        described_again = policy_describe(&read_again, image_app(image_again, &read_again));
        assert_true(json_equal(described, described_again));
        assert_int_equal(image_app(image, &read)->flags,
                         image_app(image_again, &read_again)->flags);
        json_decref(described);
        json_decref(described_again);
        free(text);
        free(image);
        free(image_again);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_compile_key_of_a_user_is_a_mistake),
                cmocka_unit_test(test_compile_each_mistake_has_its_place),
                cmocka_unit_test(test_compile_tells_all_mistakes),
                cmocka_unit_test(test_compile_leaves_bad_files_out_without_trace),
                cmocka_unit_test(test_compile_puts_the_most_specific_first),
                cmocka_unit_test(test_compile_defaults),
                cmocka_unit_test(test_compile_options),
                cmocka_unit_test(test_compile_knows_users_by_name),
                cmocka_unit_test(test_compile_own_policy_is_for_its_owner),
                cmocka_unit_test(test_compile_expands_networks),
                cmocka_unit_test(test_describe_is_the_language),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
