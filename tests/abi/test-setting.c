/*
 * host/setting: a configuration file and its plugin as one. argv[1] is the directory of the fixture
 * plugins.
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
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/host/setting.h"
#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/limits.h"

DEFINE_CLEANUP(struct setting *, setting_free)

static const char *fixtures;

/* A configuration file that is gone afterwards. */
struct file {
        char path[64];
};

static int file_make(void **state) {
        struct file *file = calloc(1, sizeof(*file));
        int fd;

        strcpy(file->path, "/tmp/test-setting-XXXXXX");
        *state = file;
        fd = mkostemp(file->path, 0);
        return fd < 0 ? -1 : close(fd);
}

static int file_remove(void **state) {
        struct file *file = *state;

        unlink(file->path);
        free(file);
        return 0;
}

static void file_fill(const struct file *file, const char *text) {
        FILE *stream = fopen(file->path, "we");

        assert_non_null(stream);
        assert_true(fputs(text, stream) >= 0);
        assert_int_equal(fclose(stream), 0);
}

static struct setting *read_setting(const char *path, bool optional) {
        struct setting *setting = NULL;
        char error[SETTING_ERROR] = "";

        if (setting_read(path, optional, fixtures, &setting, error) != 0)
                fail_msg("%s", error);
        return setting;
}

/* Refused with that error, and a sentence that is path followed by rest. */
static void refuse(const char *path, bool optional, int wanted, const char *rest) {
        struct setting *untouched = (struct setting *)&fixtures, *setting = untouched;
        char error[SETTING_ERROR] = "", sentence[SETTING_ERROR];

        snprintf(sentence, sizeof(sentence), "%s%s", path, rest);
        assert_int_equal(setting_read(path, optional, fixtures, &setting, error), wanted);
        assert_ptr_equal(setting, untouched);
        if (strncmp(error, sentence, strlen(sentence)) != 0 || strchr(error, '\n'))
                fail_msg("not \"%s...\": %s", sentence, error);
}

static void test_setting_read_whole_file_is_in_place(void **state) {
        const struct file *file = *state;
        _cleanup_(setting_freep) struct setting *setting = NULL;

        file_fill(file, "{ \"plugin\": \"good\", \"limits\": { \"max_subflows\": 7 },\n"
                        "  \"plugins\": { \"good\": { \"speed\": 3 } } }\n");
        setting = read_setting(file->path, false);
        assert_int_equal(setting_conf(setting)->max_subflows, 7);
        assert_int_equal(setting_conf(setting)->options.n, 1);
        assert_string_equal(setting_plugin(setting)->name, "good");
}

/* An empty object: the defaults, so the default plugin, which is no fixture. */
static void test_setting_read_default_plugin_missing_has_no_place(void **state) {
        const struct file *file = *state;

        file_fill(file, "{}");
        refuse(file->path, false, -ENOENT, ": there is no plugin \"fullmesh\"");
}

static void test_setting_read_missing_file_is_refused(void **state) {
        (void)state;
        refuse("/nonexistent/mptcpized.conf", false, -ENOENT, ": No such file or directory");
}

/* plugins holds the plugins of the build, as argv[2]. */
static const char *plugins;

static void test_setting_read_missing_optional_file_gives_defaults(void **state) {
        struct setting *setting = NULL;
        char error[SETTING_ERROR] = "";

        (void)state;
        if (setting_read("/nonexistent/mptcpized.conf", true, plugins, &setting, error) != 0)
                fail_msg("%s", error);
        assert_string_equal(setting_plugin(setting)->name, "fullmesh");
        assert_int_equal(setting_conf(setting)->max_subflows, LIMIT_SUBFLOWS_DEFAULT);
        assert_int_equal(setting_conf(setting)->max_connections, LIMIT_CONNECTIONS);
        setting_free(setting);
}

static void test_setting_read_optional_file_that_is_wrong_is_refused(void **state) {
        const struct file *file = *state;

        file_fill(file, "{ \"colour\": \"blue\" }");
        refuse(file->path, true, -EINVAL, ":1:3: unknown key");
}

static void test_setting_read_directory_is_refused(void **state) {
        (void)state;
        refuse("/proc", true, -EISDIR, ": ");
}

static void test_setting_read_broken_file_is_refused_with_its_place(void **state) {
        static const struct {
                const char *text, *rest;
        } broken[] = {
                { "{\n  \"plugin\": \"good\"\n  \"limits\": {}\n}\n", ":3:" },
                { "{\n  \"limits\": {\n    \"max_subflows\": \"many\"\n  }\n}\n", ":3:21: " },
                { "{\n  \"colour\": \"blue\"\n}\n", ":2:3: unknown key" },
                { "{\n  \"interfaces\": { \"lte0\": \"sometimes\" }\n}\n", ":2:27: " },
                { "{\n  \"plugin\": \"Good\"\n}\n", ":2:13: " },
                { "", ":1:" },
        };
        const struct file *file = *state;

        for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
                file_fill(file, broken[i].text);
                refuse(file->path, false, -EINVAL, broken[i].rest);
        }
}

static void test_setting_read_missing_plugin_is_refused_with_its_place(void **state) {
        const struct file *file = *state;

        file_fill(file, "{\n  \"plugin\": \"nosuchplugin\"\n}\n");
        refuse(file->path, false, -ENOENT, ":2:13: there is no plugin \"nosuchplugin\"");
}

static void test_setting_read_plugin_of_other_abi_is_refused_with_its_place(void **state) {
        const struct file *file = *state;

        file_fill(file, "{\n  \"plugin\": \"newermajor\"\n}\n");
        refuse(file->path, false, -EPROTONOSUPPORT, ":2:13: ");
}

static void test_setting_read_option_mistake_is_refused_with_its_place(void **state) {
        const struct file *file = *state;

        file_fill(file, "{ \"plugin\": \"good\",\n  \"plugins\": { \"good\": {\n"
                        "    \"colour\": \"blue\" } } }\n");
        refuse(file->path, false, -EINVAL,
               ":3:15: plugin good has no option \"colour\" (value \"blue\")");
        file_fill(file, "{ \"plugin\": \"good\",\n  \"plugins\": { \"good\": {\n"
                        "    \"speed\": 1, \"speed\": 2 } } }\n");
        refuse(file->path, false, -EINVAL, ":3:");
        file_fill(file, "{ \"plugin\": \"good\",\n  \"plugins\": { \"good\": {\n"
                        "    \"speed\": 10 } } }\n");
        refuse(file->path, false, -EINVAL, ":3:14: plugin good: option \"speed\" can't be \"10\"");
}

/* A mode or a policy may want them later. */
static void test_setting_read_option_mistake_of_another_plugin_is_refused(void **state) {
        const struct file *file = *state;

        file_fill(file, "{ \"plugin\": \"good\",\n  \"plugins\": { \"newerminor\": {\n"
                        "    \"speed\": 1, \"colour\": \"blue\" } } }\n");
        refuse(file->path, false, -EINVAL,
               ":3:27: plugin newerminor has no option \"colour\" (value \"blue\")");
        file_fill(file, "{ \"plugin\": \"good\", \"plugins\": { \"nosuchplugin\": { \"a\": 1 },\n"
                        "  \"newermajor\": { \"a\": 1 }, \"newerminor\": { \"speed\": 1 } } }\n");
        setting_free(read_setting(file->path, false));
}

/* One wrong value for each plugin of ours, at line 2, column 3. */
static void test_setting_read_wrong_values_for_our_plugins_are_refused(void **state) {
        static const struct {
                const char *plugin, *option, *value;
        } wrong[] = {
                { "announce", "port", "65536" },
                { "announce", "interfaces", "\"a,,b\"" },
                { "announce", "demote_initial", "1" },
                { "backup", "mode", "\"aggregate\"" },
                { "backup", "energy", "\"low\"" },
                { "fullmesh", "announced", "\"yes\"" },
                { "fullmesh", "start_after_bytes", "-1" },
                { "fullmesh", "start_after_ms", "\"1s\"" },
                { "ndiffports", "subflows", "9" },
        };
        const struct file *file = *state;
        const char *saved = fixtures;
        char text[256], rest[256];

        fixtures = plugins;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                snprintf(text, sizeof(text), "{ \"plugins\": { \"%s\": { \"%s\":\n  %s } } }\n",
                         wrong[i].plugin, wrong[i].option, wrong[i].value);
                file_fill(file, text);
                snprintf(rest, sizeof(rest), ":2:3: plugin %s: option \"%s\" can't be ",
                         wrong[i].plugin, wrong[i].option);
                refuse(file->path, false, -EINVAL, rest);
        }
        fixtures = saved;
}

/* Not at start, but when a connection comes, a plugin would fail: so it is tried at start. */
static void test_setting_read_plugin_without_state_is_refused(void **state) {
        const struct file *file = *state;

        file_fill(file, "{ \"plugin\": \"noinit\" }");
        refuse(file->path, false, -ENOMEM, ": out of memory");
}

static void test_setting_read_file_at_limit_is_read(void **state) {
        const struct file *file = *state;
        char *text = malloc(LIMIT_CONF_BYTES + 2);

        assert_non_null(text);
        memset(text, ' ', LIMIT_CONF_BYTES + 1);
        memcpy(text, "{ \"plugin\": \"good\" }", strlen("{ \"plugin\": \"good\" }"));
        text[LIMIT_CONF_BYTES] = '\0';
        file_fill(file, text);
        setting_free(read_setting(file->path, false));
        text[LIMIT_CONF_BYTES] = ' ';
        text[LIMIT_CONF_BYTES + 1] = '\0';
        file_fill(file, text);
        refuse(file->path, false, -EINVAL, ":");
        free(text);
}

static void test_setting_free_null_does_nothing(void **state) {
        (void)state;
        setting_free(NULL);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, file_make, file_remove)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                WITH_FILE(test_setting_read_whole_file_is_in_place),
                WITH_FILE(test_setting_read_default_plugin_missing_has_no_place),
                cmocka_unit_test(test_setting_read_missing_file_is_refused),
                cmocka_unit_test(test_setting_read_missing_optional_file_gives_defaults),
                WITH_FILE(test_setting_read_optional_file_that_is_wrong_is_refused),
                cmocka_unit_test(test_setting_read_directory_is_refused),
                WITH_FILE(test_setting_read_broken_file_is_refused_with_its_place),
                WITH_FILE(test_setting_read_missing_plugin_is_refused_with_its_place),
                WITH_FILE(test_setting_read_plugin_of_other_abi_is_refused_with_its_place),
                WITH_FILE(test_setting_read_option_mistake_is_refused_with_its_place),
                WITH_FILE(test_setting_read_option_mistake_of_another_plugin_is_refused),
                WITH_FILE(test_setting_read_wrong_values_for_our_plugins_are_refused),
                WITH_FILE(test_setting_read_plugin_without_state_is_refused),
                WITH_FILE(test_setting_read_file_at_limit_is_read),
                cmocka_unit_test(test_setting_free_null_does_nothing),
        };

        if (argc != 3) {
                fprintf(stderr, "usage: test-setting FIXTURES PLUGINS\n");
                return 2;
        }
        fixtures = argv[1];
        plugins = argv[2];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
