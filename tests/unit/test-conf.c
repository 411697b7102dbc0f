/*
 * core/conf: what a configuration says, and what an error says. The shipped sample is read too:
 * $MPTCPIZED_CONF names it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/core/conf.h"
#include "../../daemon/util/cleanup.h"

static struct conf read_text(const char *text) {
        struct json_error error = { .text = "" };
        struct conf conf;

        if (conf_parse(text, strlen(text), &conf, &error) < 0)
                fail_msg("%u:%u: %s", error.place.line, error.place.column, error.text);
        return conf;
}

/* Fails at line, column, with exactly this sentence, and leaves the result alone. */
static void refuse(const char *text, uint32_t line, uint32_t column, const char *sentence) {
        struct conf conf = { .max_subflows = 77 };
        struct json_error error = { .text = "" };

        assert_int_equal(conf_parse(text, strlen(text), &conf, &error), -EINVAL);
        assert_string_equal(error.text, sentence);
        assert_int_equal(error.place.line, line);
        assert_int_equal(error.place.column, column);
        assert_int_equal(conf.max_subflows, 77);
}

static void assert_defaults(const struct conf *conf) {
        assert_string_equal(conf->plugin, "fullmesh");
        assert_int_equal(conf->max_subflows, LIMIT_SUBFLOWS_DEFAULT);
        assert_int_equal(conf->max_connections, LIMIT_CONNECTIONS);
        assert_int_equal(conf->dead_after, 15);
        assert_int_equal(conf->roles.n, 0);
        assert_int_equal(conf->options.n, 0);
}

static void test_parse_empty_object_is_the_defaults(void **state) {
        struct conf conf = read_text("{}");

        (void)state;
        assert_defaults(&conf);
        assert_int_equal(conf.plugin_place.line, 0);
        conf_done(&conf);
}

static void test_parse_shipped_sample_is_the_defaults(void **state) {
        const char *path = getenv("MPTCPIZED_CONF");
        _cleanup_(fclosep) FILE *file = NULL;
        char text[4096];
        struct conf conf;
        size_t n;

        (void)state;
        if (!path)
                skip();
        file = fopen(path, "re");
        assert_non_null(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        text[n] = '\0';
        conf = read_text(text);
        assert_defaults(&conf);
        conf_done(&conf);
}

static void test_parse_all_keys_are_stored(void **state) {
        struct conf conf = read_text("{ \"plugin\": \"backup2\",\n"
                                     "  \"limits\": { \"max_subflows\": 32,\n"
                                     "                \"max_connections\": 1 },\n"
                                     "  \"dead_after\": 12,\n"
                                     "  \"interfaces\": { \"wwan*\": \"backup\" },\n"
                                     "  \"plugins\": { \"fullmesh\": { \"announced\": true } } }");

        (void)state;
        assert_string_equal(conf.plugin, "backup2");
        assert_int_equal(conf.plugin_place.line, 1);
        assert_int_equal(conf.plugin_place.column, 13);
        assert_int_equal(conf.max_subflows, 32);
        assert_int_equal(conf.max_connections, 1);
        assert_int_equal(conf.dead_after, 12);
        assert_int_equal(conf.roles.n, 1);
        assert_string_equal(conf.roles.items[0].pattern, "wwan*");
        assert_int_equal(conf.roles.items[0].role, MPTCPIZE_ROLE_BACKUP);
        assert_int_equal(conf.options.n, 1);
        assert_string_equal(conf.options.items[0].plugin, "fullmesh");
        assert_string_equal(conf.options.items[0].key, "announced");
        assert_int_equal(conf.options.items[0].place.line, 6);
        assert_int_equal(conf.options.items[0].place.column, 43);
        conf_done(&conf);
}

static void test_parse_text_without_nul_is_read(void **state) {
        struct json_error error;
        struct conf conf;

        (void)state;
        assert_int_equal(conf_parse("{}{", 2, &conf, &error), 0);
        conf_done(&conf);
}

static void test_parse_option_values_become_text(void **state) {
        static const char *const values[] = { "s", "-42", "0.1", "1e+300", "true", "false", "" };
        struct conf conf = read_text("{\"plugins\": {\"p\": {\"a\": \"s\", \"b\": -42, \"c\": 0.1,"
                                     "\"d\": 1e300, \"e\": true, \"f\": false, \"g\": \"\"}}}");
        size_t i;

        (void)state;
        assert_int_equal(conf.options.n, ARRAY_SIZE(values));
        for (i = 0; i < ARRAY_SIZE(values); i++)
                assert_string_equal(conf.options.items[i].value, values[i]);
        conf_done(&conf);
}

static void test_parse_syntax_error_has_a_place(void **state) {
        (void)state;
        refuse("{\n  \"plugin\" \"x\" }", 2, 14, "not valid JSON: ':' expected near '\"x\"'");
}

static void test_parse_unknown_key_lists_the_known(void **state) {
        (void)state;
        refuse("{\n  \"plugni\": 1 }", 2, 3,
               "unknown key, expected \"plugin\", \"limits\", \"dead_after\", "
               "\"routing\", \"allow_join_initial\", \"metrics\", \"auth\", \"interfaces\", "
               "\"plugins\" (here: \"plugni\")");
        refuse("{ \"limits\": { \"max\": 1 } }", 1, 15,
               "unknown key, expected \"max_subflows\", \"max_accepted\", "
               "\"max_joins\", \"max_retries\", \"max_connections\" (here: \"max\")");
}

static void test_parse_plugin_name_is_checked(void **state) {
        static const char *const names[] = { "\"Fullmesh\"", "\"\"", "\"a-b\"", "\"../x\"", "7" };
        char text[64], sentence[128];
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(names); i++) {
                snprintf(text, sizeof(text), "{\"plugin\": %s}", names[i]);
                snprintf(sentence, sizeof(sentence),
                         "expected the name of a plugin, 1 to 63 lower case letters and digits "
                         "(here: %s)",
                         names[i]);
                refuse(text, 1, 12, sentence);
        }
}

static void test_parse_wrong_kinds_are_refused(void **state) {
        (void)state;
        refuse("{\"limits\": []}", 1, 12,
               "expected an object of limits, {\"max_subflows\": 4} (here: [])");
        refuse("{\"interfaces\": \"wlan0\"}", 1, 16,
               "expected an object of roles, {\"wwan*\": \"backup\"} (here: \"wlan0\")");
        refuse("{\"plugins\": null}", 1, 13,
               "expected an object of plugins, {\"fullmesh\": {...}} (here: null)");
        refuse("{\"plugins\": {\"fullmesh\": true}}", 1, 26,
               "expected an object of options, {\"name\": value} (here: true)");
        refuse("{\"plugins\": {\"Full\": {}}}", 1, 14,
               "expected the name of a plugin, 1 to 63 lower case letters and digits "
               "(here: \"Full\")");
        refuse("{\"plugins\": {\"fullmesh\": {\"a\": [1]}}}", 1, 32,
               "expected a string of at most 255 bytes, a number, true or false (here: [1])");
}

static void test_parse_limits_outside_are_refused(void **state) {
        (void)state;
        refuse("{\"limits\": {\"max_subflows\": 0}}", 1, 29,
               "expected a whole number from 1 to 32 (here: 0)");
        refuse("{\"limits\": {\"max_subflows\": 33}}", 1, 29,
               "expected a whole number from 1 to 32 (here: 33)");
        refuse("{\"limits\": {\"max_subflows\": 4.0}}", 1, 29,
               "expected a whole number from 1 to 32 (here: 4.0)");
        refuse("{\"limits\": {\"max_connections\": 100001}}", 1, 32,
               "expected a whole number from 1 to 100000 (here: 100001)");
        refuse("{\"limits\": {\"max_connections\": \"9\"}}", 1, 32,
               "expected a whole number from 1 to 100000 (here: \"9\")");
}

static void test_parse_dead_after_outside_is_refused(void **state) {
        (void)state;
        refuse("{\"dead_after\": 11}", 1, 16, "expected a whole number from 12 to 600 (here: 11)");
        refuse("{\"dead_after\": 601}", 1, 16,
               "expected a whole number from 12 to 600 (here: 601)");
        refuse("{\"dead_after\": -15}", 1, 16,
               "expected a whole number from 12 to 600 (here: -15)");
        refuse("{\"dead_after\": \"15\"}", 1, 16,
               "expected a whole number from 12 to 600 (here: \"15\")");
}

static void test_parse_metrics_are_taken(void **state) {
        struct conf conf = read_text("{\"metrics\": {\"file\": \"/a/b.prom\"}}");

        (void)state;
        assert_string_equal(conf.metrics_file, "/a/b.prom");
        assert_int_equal(conf.metrics_interval, 15);
        conf_done(&conf);
        conf = read_text("{\"metrics\": {\"interval\": 3600}}");
        assert_string_equal(conf.metrics_file, "");
        assert_int_equal(conf.metrics_interval, 3600);
        conf_done(&conf);
}

static void test_parse_metrics_that_are_wrong_are_refused(void **state) {
        static const char what[] = "expected the path of a file that begins with \"/\", at most "
                                   "255 bytes (here: ";
        static const char *const files[] = { "\"a.prom\"", "\"\"", "\"/a/\"", "1" };
        char text[512], sentence[256];
        struct json_error error;
        struct conf conf;
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(files); i++) {
                snprintf(text, sizeof(text), "{\"metrics\": {\"file\": %s}}", files[i]);
                snprintf(sentence, sizeof(sentence), "%s%s)", what, files[i]);
                refuse(text, 1, 22, sentence);
        }
        refuse("{\"metrics\": {\"interval\": 0}}", 1, 26,
               "expected a whole number from 1 to 3600 (here: 0)");
        refuse("{\"metrics\": 5}", 1, 13,
               "expected an object, {\"file\": \"/path/to/mptcpize.prom\"} (here: 5)");
        snprintf(text, sizeof(text), "{\"metrics\": {\"file\": \"/%0255d\"}}", 0);
        assert_int_equal(conf_parse(text, strlen(text), &conf, &error), -EINVAL);
        snprintf(text, sizeof(text), "{\"metrics\": {\"file\": \"/%0254d\"}}", 0);
        conf = read_text(text);
        assert_int_equal(strlen(conf.metrics_file), 255);
        conf_done(&conf);
}

static void test_parse_auth_port_at_the_edge_is_taken(void **state) {
        static const char *const texts[] = { "{}", "{\"auth\": {}}", "{\"auth\": {\"port\": 1}}",
                                             "{\"auth\": {\"port\": 65535}}" };
        static const uint32_t ports[] = { 8684, 8684, 1, 65535 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct conf conf = read_text(texts[i]);

                assert_int_equal(conf.auth_port, ports[i]);
                conf_done(&conf);
        }
}

static void test_parse_auth_that_is_wrong_is_refused(void **state) {
        (void)state;
        refuse("{\n  \"auth\": { \"port\": 0 } }", 2, 21,
               "expected a whole number from 1 to 65535 (here: 0)");
        refuse("{\"auth\": {\"port\": 65536}}", 1, 19,
               "expected a whole number from 1 to 65535 (here: 65536)");
        refuse("{\"auth\": {\"port\": \"8684\"}}", 1, 19,
               "expected a whole number from 1 to 65535 (here: \"8684\")");
        refuse("{\"auth\": 8684}", 1, 10, "expected an object, {\"port\": 8684} (here: 8684)");
        refuse("{\"auth\": {\"mode\": \"off\"}}", 1, 11,
               "unknown key, expected \"port\" (here: \"mode\")");
}

static void test_parse_dead_after_at_the_edge_is_taken(void **state) {
        struct conf conf = read_text("{\"dead_after\": 600}");

        (void)state;
        assert_int_equal(conf.dead_after, 600);
        conf_done(&conf);
}

static void test_parse_limits_at_the_edge_are_taken(void **state) {
        struct conf conf =
                        read_text("{\"limits\":{\"max_subflows\":1,\"max_connections\":100000}}");

        (void)state;
        assert_int_equal(conf.max_subflows, 1);
        assert_int_equal(conf.max_connections, 100000);
        conf_done(&conf);
}

static void test_parse_bad_role_is_refused(void **state) {
        (void)state;
        refuse("{\"interfaces\": {\"wwan0\": \"spare\"}}", 1, 26,
               "expected a role: \"master\", \"on\", \"backup\" or \"off\" (here: \"spare\")");
}

/* {"KEY": with a key of len bytes between before and after. */
static char *with_name(const char *before, size_t len, const char *after) {
        char *text, name[LIMIT_VALUE + 1];
        size_t size;
        FILE *file = open_memstream(&text, &size);

        assert_non_null(file);
        assert_true(len < sizeof(name));
        memset(name, 'x', len);
        fprintf(file, "%s%.*s%s", before, (int)len, name, after);
        fclose(file);
        return text;
}

struct name_case {
        const char *before, *after;
        size_t max;
};

/* Each name and value: as long as it may be, and a byte longer. */
static void test_parse_names_and_values_at_their_limits(void **state) {
        static const struct name_case cases[] = {
                { "{\"plugin\": \"", "\"}", LIMIT_NAME - 1 },
                { "{\"interfaces\": {\"", "\": \"on\"}}", LIMIT_NAME - 1 },
                { "{\"plugins\": {\"", "\": {\"a\": 1}}}", LIMIT_NAME - 1 },
                { "{\"plugins\": {\"p\": {\"", "\": 1}}}", LIMIT_NAME - 1 },
                { "{\"plugins\": {\"p\": {\"a\": \"", "\"}}}", LIMIT_VALUE - 1 },
        };
        struct json_error error;
        struct conf conf;
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                char *fits = with_name(cases[i].before, cases[i].max, cases[i].after);
                char *over = with_name(cases[i].before, cases[i].max + 1, cases[i].after);

                conf = read_text(fits);
                conf_done(&conf);
                assert_int_equal(conf_parse(over, strlen(over), &conf, &error), -EINVAL);
                free(fits);
                free(over);
        }
}

static void test_parse_empty_names_are_refused(void **state) {
        (void)state;
        refuse("{\"interfaces\": {\"\": \"on\"}}", 1, 17,
               "expected the name of an interface or a pattern, 1 to 63 bytes (here: \"\")");
        refuse("{\"plugins\": {\"p\": {\"\": 1}}}", 1, 20,
               "expected the name of an option, 1 to 63 bytes (here: \"\")");
}

/* An object of n members, "0", "1", ..., all of this value, between before and after. */
static int parse_many(const char *before, size_t n, const char *value, const char *after,
                      struct conf *ret_conf, struct json_error *error) {
        _cleanup_(freep) char *text = NULL;
        size_t len, i;
        FILE *file = open_memstream(&text, &len);

        assert_non_null(file);
        fputs(before, file);
        for (i = 0; i < n; i++)
                fprintf(file, "%s\"%zu\": %s", i ? "," : "", i, value);
        fputs(after, file);
        fclose(file);
        return conf_parse(text, len, ret_conf, error);
}

static void test_parse_role_patterns_at_limit(void **state) {
        struct json_error error;
        struct conf conf;

        (void)state;
        assert_int_equal(parse_many("{\"interfaces\": {", LIMIT_ROLE_PATTERNS, "\"off\"", "}}",
                                    &conf, &error),
                         0);
        assert_int_equal(conf.roles.n, LIMIT_ROLE_PATTERNS);
        conf_done(&conf);
        assert_int_equal(parse_many("{\"interfaces\": {", LIMIT_ROLE_PATTERNS + 1, "\"off\"", "}}",
                                    &conf, &error),
                         -EINVAL);
        assert_string_equal(error.text, "expected at most 256 interfaces (here: \"256\")");
}

static void test_parse_options_at_limit(void **state) {
        struct json_error error;
        struct conf conf;

        (void)state;
        assert_int_equal(parse_many("{\"plugins\": {\"p\": {", LIMIT_PLUGIN_OPTIONS, "1", "}}}",
                                    &conf, &error),
                         0);
        assert_int_equal(conf.options.n, LIMIT_PLUGIN_OPTIONS);
        conf_done(&conf);
        assert_int_equal(parse_many("{\"plugins\": {\"p\": {", LIMIT_PLUGIN_OPTIONS + 1, "1", "}}}",
                                    &conf, &error),
                         -EINVAL);
        assert_string_equal(error.text, "expected at most 64 options of plugins (here: \"64\")");
}

static void test_parse_over_bytes_limit_is_refused(void **state) {
        struct json_error error;
        struct conf conf;
        char *text = malloc(LIMIT_CONF_BYTES + 1);

        (void)state;
        assert_non_null(text);
        memset(text, ' ', LIMIT_CONF_BYTES + 1);
        text[0] = '{';
        text[1] = '}';
        assert_int_equal(conf_parse(text, LIMIT_CONF_BYTES + 1, &conf, &error), -EINVAL);
        assert_int_equal(conf_parse(text, LIMIT_CONF_BYTES, &conf, &error), 0);
        conf_done(&conf);
        free(text);
}

static void assert_role(const struct conf *conf, const char *ifname, enum mptcpize_role role,
                        const char *why) {
        const char *found = NULL;

        assert_int_equal(conf_role(conf, ifname, NULL), role);
        assert_int_equal(conf_role(conf, ifname, &found), role);
        assert_string_equal(found, why);
}

static void test_role_first_of_the_file_then_built_in_then_default(void **state) {
        struct conf conf =
                        read_text("{\"interfaces\": {\"wwan1\": \"master\", \"wwan*\": \"backup\","
                                  "\"docker0\": \"on\"}}");

        (void)state;
        assert_role(&conf, "wwan1", MPTCPIZE_ROLE_MASTER, "wwan1");
        assert_role(&conf, "wwan2", MPTCPIZE_ROLE_BACKUP, "wwan*");
        assert_role(&conf, "docker0", MPTCPIZE_ROLE_ON, "docker0");
        assert_role(&conf, "docker1", MPTCPIZE_ROLE_OFF, "docker*");
        assert_role(&conf, "veth12", MPTCPIZE_ROLE_OFF, "veth*");
        assert_role(&conf, "br-1a2b", MPTCPIZE_ROLE_OFF, "br-*");
        assert_role(&conf, "virbr0", MPTCPIZE_ROLE_OFF, "virbr*");
        assert_role(&conf, "br0", MPTCPIZE_ROLE_ON, "default");
        conf_done(&conf);
}

static void test_role_parse_names_and_others(void **state) {
        enum mptcpize_role role = MPTCPIZE_ROLE_OFF;
        unsigned int i;

        (void)state;
        for (i = 0; i <= MPTCPIZE_ROLE_OFF; i++) {
                assert_int_equal(role_parse(role_name((enum mptcpize_role)i), &role), 0);
                assert_int_equal(role, i);
        }
        assert_int_equal(role_parse("On", &role), -EINVAL);
        assert_int_equal(role, MPTCPIZE_ROLE_OFF);
        assert_string_equal(role_name((enum mptcpize_role)4), "unknown");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse_empty_object_is_the_defaults),
                cmocka_unit_test(test_parse_shipped_sample_is_the_defaults),
                cmocka_unit_test(test_parse_all_keys_are_stored),
                cmocka_unit_test(test_parse_text_without_nul_is_read),
                cmocka_unit_test(test_parse_option_values_become_text),
                cmocka_unit_test(test_parse_syntax_error_has_a_place),
                cmocka_unit_test(test_parse_unknown_key_lists_the_known),
                cmocka_unit_test(test_parse_plugin_name_is_checked),
                cmocka_unit_test(test_parse_wrong_kinds_are_refused),
                cmocka_unit_test(test_parse_limits_outside_are_refused),
                cmocka_unit_test(test_parse_limits_at_the_edge_are_taken),
                cmocka_unit_test(test_parse_dead_after_outside_is_refused),
                cmocka_unit_test(test_parse_dead_after_at_the_edge_is_taken),
                cmocka_unit_test(test_parse_metrics_are_taken),
                cmocka_unit_test(test_parse_metrics_that_are_wrong_are_refused),
                cmocka_unit_test(test_parse_auth_port_at_the_edge_is_taken),
                cmocka_unit_test(test_parse_auth_that_is_wrong_is_refused),
                cmocka_unit_test(test_parse_bad_role_is_refused),
                cmocka_unit_test(test_parse_names_and_values_at_their_limits),
                cmocka_unit_test(test_parse_empty_names_are_refused),
                cmocka_unit_test(test_parse_role_patterns_at_limit),
                cmocka_unit_test(test_parse_options_at_limit),
                cmocka_unit_test(test_parse_over_bytes_limit_is_refused),
                cmocka_unit_test(test_role_first_of_the_file_then_built_in_then_default),
                cmocka_unit_test(test_role_parse_names_and_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
