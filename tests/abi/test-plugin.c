/*
 * host/plugin: what is loaded, what is refused, and with which sentence. The fixtures are small
 * plugins, each of which gets one thing wrong; argv[1] is their directory.
 */
#include <errno.h>
#include <fcntl.h>
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

#include "../../daemon/host/plugin.h"
#include "../../daemon/util/cleanup.h"

DEFINE_CLEANUP(struct plugin *, plugin_free)

static const char *fixtures;

static struct plugin *load(const char *name) {
        struct plugin *plugin = NULL;
        char error[PLUGIN_ERROR] = "";

        if (plugin_load(fixtures, name, &plugin, error) != 0)
                fail_msg("%s: %s", name, error);
        return plugin;
}

/* Refused with that error, and a sentence that names the plugin and has this piece. */
static void refuse(const char *dir, const char *name, int wanted, const char *piece) {
        struct plugin *untouched = (struct plugin *)&fixtures, *plugin = untouched;
        char error[PLUGIN_ERROR] = "";

        assert_int_equal(plugin_load(dir, name, &plugin, error), wanted);
        assert_ptr_equal(plugin, untouched);
        if (!strstr(error, piece) || !strstr(error, name) || strchr(error, '\n'))
                fail_msg("%s: not one line with \"%s\": %s", name, piece, error);
}

/* Loading */

static void test_plugin_load_right_one_is_described(void **state) {
        _cleanup_(plugin_freep) struct plugin *plugin = load("good");
        const struct mptcpize_plugin *api = plugin_api(plugin);

        (void)state;
        assert_string_equal(api->name, "good");
        assert_int_equal(api->abi, MPTCPIZE_ABI);
        assert_true(api->init && api->config && api->decide && api->done);
}

static void test_plugin_load_newer_minor_abi_tail_is_ignored(void **state) {
        _cleanup_(plugin_freep) struct plugin *plugin = load("newerminor");
        const struct mptcpize_plugin *api = plugin_api(plugin);
        void *plugin_state = NULL;

        (void)state;
        assert_int_equal(api->abi, MPTCPIZE_ABI + 1);
        assert_int_equal(api->init(&plugin_state), 0);
        assert_int_equal(api->config(plugin_state, "speed", "3"), 0);
        assert_int_equal(api->config(plugin_state, "colour", "3"), -ENOENT);
        api->done(plugin_state);
}

static void test_plugin_load_twice_both_work(void **state) {
        _cleanup_(plugin_freep) struct plugin *first = load("good");
        _cleanup_(plugin_freep) struct plugin *second = load("good");

        (void)state;
        plugin_free(TAKE_PTR(first));
        assert_string_equal(plugin_api(second)->name, "good");
}

static void test_plugin_load_newer_major_abi_is_refused(void **state) {
        (void)state;
        refuse(fixtures, "newermajor", -EPROTONOSUPPORT,
               "made for plugin ABI 2, this mptcpized has ABI 1: install the plugin that belongs");
}

static void test_plugin_load_older_major_abi_is_refused(void **state) {
        (void)state;
        refuse(fixtures, "oldermajor", -EPROTONOSUPPORT,
               "made for plugin ABI 0, this mptcpized has ABI 1: install the plugin that belongs");
}

static void test_plugin_load_wrong_description_is_refused(void **state) {
        static const struct {
                const char *name, *piece;
        } wrong[] = {
                { "shortsize", "too short" },
                { "nodescription", "too short" },
                { "wrongname", "calls itself \"othername\", not \"wrongname\"" },
                { "noname", "calls itself \"\", not \"noname\"" },
                { "nodecide", "a function is missing" },
                { "nosymbol", "no mptcpize plugin (no function mptcpize_plugin)" },
                { "unresolved", "can't be loaded" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                refuse(fixtures, wrong[i].name, -ELIBBAD, wrong[i].piece);
}

/* Files that are no shared objects */

struct directory {
        char path[64];
};

static int directory_make(void **state) {
        struct directory *directory = calloc(1, sizeof(*directory));

        strcpy(directory->path, "/tmp/test-plugin-XXXXXX");
        *state = directory;
        return mkdtemp(directory->path) ? 0 : -1;
}

static int directory_remove(void **state) {
        struct directory *directory = *state;
        char path[96];

        snprintf(path, sizeof(path), "%s/broken.so", directory->path);
        unlink(path);
        rmdir(directory->path);
        free(directory);
        return 0;
}

/* broken.so, with these bytes. */
static void directory_fill(const struct directory *directory, const void *bytes, size_t len) {
        char path[96];
        FILE *file;

        snprintf(path, sizeof(path), "%s/broken.so", directory->path);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, len, file), len);
        assert_int_equal(fclose(file), 0);
}

static void test_plugin_load_missing_file_is_refused(void **state) {
        const struct directory *directory = *state;

        refuse(directory->path, "nosuchplugin", -ENOENT, "there is no plugin \"nosuchplugin\"");
        refuse("/nonexistent", "good", -ENOENT, "there is no plugin \"good\"");
}

static void test_plugin_load_text_file_is_refused(void **state) {
        directory_fill(*state, "fullmesh\n", 9);
        refuse(((struct directory *)*state)->path, "broken", -ELIBBAD, "can't be loaded");
}

static void test_plugin_load_empty_file_is_refused(void **state) {
        directory_fill(*state, "", 0);
        refuse(((struct directory *)*state)->path, "broken", -ELIBBAD, "can't be loaded");
}

/* What a copy that was cut off leaves: a right beginning. */
static void test_plugin_load_cut_off_file_is_refused(void **state) {
        char path[4096], bytes[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/good.so", fixtures);
        file = fopen(path, "re");
        assert_non_null(file);
        assert_int_equal(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
        fclose(file);
        directory_fill(*state, bytes, sizeof(bytes));
        refuse(((struct directory *)*state)->path, "broken", -ELIBBAD, "can't be loaded");
}

static void test_plugin_free_null_does_nothing(void **state) {
        (void)state;
        plugin_free(NULL);
}

/* Options */

/* The result of trying one option of the plugin at line 4, column 7. */
static int try_option(const struct plugin *plugin, const char *owner, const char *key,
                      const char *value, struct json_error *error) {
        struct conf_option option = { .place = { .line = 4, .column = 7 } };
        struct conf conf;
        int r;

        conf_init(&conf);
        snprintf(option.plugin, sizeof(option.plugin), "%s", owner);
        snprintf(option.key, sizeof(option.key), "%s", key);
        snprintf(option.value, sizeof(option.value), "%s", value);
        assert_int_equal(ARRAY_APPEND(&conf.options, option, LIMIT_PLUGIN_OPTIONS), 0);
        *error = (struct json_error){ .text = "" };
        r = plugin_try_options(plugin, &conf, error);
        conf_done(&conf);
        return r;
}

static void test_plugin_try_options_right_value_is_taken(void **state) {
        _cleanup_(plugin_freep) struct plugin *plugin = load("good");
        struct json_error error;

        (void)state;
        assert_int_equal(try_option(plugin, "good", "speed", "9", &error), 0);
}

static void test_plugin_try_options_of_another_plugin_are_not_tried(void **state) {
        _cleanup_(plugin_freep) struct plugin *plugin = load("good");
        struct json_error error;

        (void)state;
        assert_int_equal(try_option(plugin, "other", "colour", "blue", &error), 0);
}

static void test_plugin_try_options_mistake_is_told_with_its_place(void **state) {
        static const struct {
                const char *key, *value, *sentence;
        } wrong[] = {
                { "colour", "blue",
                  "plugin good has no option \"colour\" (value \"blue\") (see mptcpized.conf(5))" },
                { "speed", "10",
                  "plugin good: option \"speed\" can't be \"10\" (see mptcpized.conf(5))" },
                { "stubborn", "yes",
                  "plugin good: option \"stubborn\" can't be \"yes\" (see mptcpized.conf(5))" },
        };
        _cleanup_(plugin_freep) struct plugin *plugin = load("good");
        struct json_error error;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                assert_int_equal(try_option(plugin, "good", wrong[i].key, wrong[i].value, &error),
                                 -EINVAL);
                assert_string_equal(error.text, wrong[i].sentence);
                assert_int_equal(error.place.line, 4);
                assert_int_equal(error.place.column, 7);
        }
}

static void test_plugin_try_options_long_value_is_cut(void **state) {
        _cleanup_(plugin_freep) struct plugin *plugin = load("good");
        char value[LIMIT_VALUE];
        struct json_error error;

        (void)state;
        memset(value, 'x', sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        assert_int_equal(try_option(plugin, "good", "speed", value, &error), -EINVAL);
        assert_in_range(strlen(error.text), 60, sizeof(error.text) - 1);
        assert_null(strstr(error.text, value));
}

static void test_plugin_try_options_no_state_is_enomem(void **state) {
        _cleanup_(plugin_freep) struct plugin *plugin = load("noinit");
        struct json_error error;

        (void)state;
        assert_int_equal(try_option(plugin, "noinit", "speed", "1", &error), -ENOMEM);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plugin_load_right_one_is_described),
                cmocka_unit_test(test_plugin_load_newer_minor_abi_tail_is_ignored),
                cmocka_unit_test(test_plugin_load_twice_both_work),
                cmocka_unit_test(test_plugin_load_newer_major_abi_is_refused),
                cmocka_unit_test(test_plugin_load_older_major_abi_is_refused),
                cmocka_unit_test(test_plugin_load_wrong_description_is_refused),
                cmocka_unit_test_setup_teardown(test_plugin_load_missing_file_is_refused,
                                                directory_make, directory_remove),
                cmocka_unit_test_setup_teardown(test_plugin_load_text_file_is_refused,
                                                directory_make, directory_remove),
                cmocka_unit_test_setup_teardown(test_plugin_load_empty_file_is_refused,
                                                directory_make, directory_remove),
                cmocka_unit_test_setup_teardown(test_plugin_load_cut_off_file_is_refused,
                                                directory_make, directory_remove),
                cmocka_unit_test(test_plugin_free_null_does_nothing),
                cmocka_unit_test(test_plugin_try_options_right_value_is_taken),
                cmocka_unit_test(test_plugin_try_options_of_another_plugin_are_not_tried),
                cmocka_unit_test(test_plugin_try_options_mistake_is_told_with_its_place),
                cmocka_unit_test(test_plugin_try_options_long_value_is_cut),
                cmocka_unit_test(test_plugin_try_options_no_state_is_enomem),
        };

        if (argc != 2) {
                fprintf(stderr, "usage: test-plugin DIRECTORY\n");
                return 2;
        }
        fixtures = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
