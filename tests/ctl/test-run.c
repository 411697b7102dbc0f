/*
 * ctl/run-report, ctl/run-environ: what is said at the end of a run, and set at its beginning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../daemon/ctl/run/run-environ.h"
#include "../../daemon/ctl/run/run-report.h"
#include "../../daemon/util/cleanup.h"

static char *report_text(const struct report *report) {
        json_t *value = report_json(report);
        char *text = json_dumps(value, JSON_COMPACT);

        json_decref(value);
        return text;
}

static void test_report_of_nothing_is_empty(void **state) {
        struct report report = { 0 };
        _cleanup_(freep) char *text = NULL;

        (void)state;
        report_init(&report);
        text = report_text(&report);
        assert_string_equal(text, "{\"sockets\":[]}");
}

static void test_report_adds_up_and_sorts(void **state) {
        struct report report = { 0 };
        _cleanup_(freep) char *text = NULL;

        (void)state;
        report_init(&report);
        report_count(&report, REPORT_OPTION, 7, "TCP_QUICKACK");
        report_count(&report, REPORT_UPGRADED, 0, "");
        report_count(&report, REPORT_UPGRADED, 0, "");
        report_count(&report, REPORT_POLICY, 3, "loopback");
        /* two processes that began a row at the same time */
        report.rows[100].key = (uint32_t)REPORT_UPGRADED << 24;
        report.rows[100].count = 5;
        text = report_text(&report);
        assert_string_equal(text,
                            "{\"sockets\":["
                            "{\"what\":\"upgraded\",\"detail\":\"\",\"count\":7},"
                            "{\"what\":\"policy\",\"detail\":\"loopback\",\"count\":1},"
                            "{\"what\":\"option\",\"detail\":\"TCP_QUICKACK\",\"count\":1}]}");
}

/* Any program that is run may write into it. */
static void test_report_of_garbage_is_safe(void **state) {
        struct report report;
        _cleanup_(freep) char *text = NULL;
        size_t i;

        (void)state;
        memset(&report, 0xff, sizeof(report));
        for (i = 0; i < REPORT_ROWS; i++)
                report.rows[i].key = (uint32_t)i << 24;
        report.rows[0].what[0] = '\x1b';
        text = report_text(&report);
        assert_non_null(text);
        assert_null(strchr(text, '\x1b'));
}

static void test_report_that_is_full_counts_the_rest(void **state) {
        struct report report = { 0 };
        _cleanup_(freep) char *text = NULL;
        uint32_t i;

        (void)state;
        report_init(&report);
        for (i = 0; i < REPORT_ROWS + 9; i++)
                report_count(&report, REPORT_OPTION, i, "same");
        text = report_text(&report);
        assert_string_equal(text, "{\"sockets\":["
                                  "{\"what\":\"option\",\"detail\":\"same\",\"count\":127},"
                                  "{\"what\":\"other\",\"detail\":\"\",\"count\":10}]}");
}

static void test_go_setting_is_joined(void **state) {
        static const struct {
                const char *before, *after;
        } cases[] = {
                { NULL, "multipathtcp=1" },
                { "", "multipathtcp=1" },
                { "gctrace=1", "gctrace=1,multipathtcp=1" },
                { "multipathtcp=0", "multipathtcp=0" },
                { "gctrace=1,multipathtcp=0", "gctrace=1,multipathtcp=0" },
                { "xmultipathtcp=0", "xmultipathtcp=0,multipathtcp=1" },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                unsetenv("GODEBUG");
                if (cases[i].before)
                        setenv("GODEBUG", cases[i].before, 1);
                assert_int_equal(environ_set_go(), 0);
                assert_string_equal(getenv("GODEBUG"), cases[i].after);
        }
}

static void file_make(const char *root, const char *directory) {
        char path[256];

        snprintf(path, sizeof(path), "mkdir -p '%s/%s'; : >'%s/%s/libmptcpize.so'", root, directory,
                 root, directory);
        assert_int_equal(system(path), 0);
}

static void test_library_of_two_sizes_is_named_by_lib(void **state) {
        char root[] = "/tmp/test-run-XXXXXX", path[256], to[PATH_MAX], wanted[256];

        (void)state;
        assert_non_null(mkdtemp(root));
        file_make(root, "lib/x86_64-linux-gnu");
        snprintf(path, sizeof(path), "%s/lib/x86_64-linux-gnu/libmptcpize.so", root);
        environ_library(path, to);
        assert_string_equal(to, path);
        file_make(root, "lib32");
        environ_library(path, to);
        snprintf(wanted, sizeof(wanted), "%s/$LIB/libmptcpize.so", root);
        assert_string_equal(to, wanted);
        snprintf(path, sizeof(path), "rm -r '%s'", root);
        assert_int_equal(system(path), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_report_of_nothing_is_empty),
                cmocka_unit_test(test_report_adds_up_and_sorts),
                cmocka_unit_test(test_report_of_garbage_is_safe),
                cmocka_unit_test(test_report_that_is_full_counts_the_rest),
                cmocka_unit_test(test_go_setting_is_joined),
                cmocka_unit_test(test_library_of_two_sizes_is_named_by_lib),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
