/*
 * host/sysctl on the real thing: in a network namespace of its own, so that nothing of this host
 * changes. Without the right to have one, or without MPTCP in the kernel, it is skipped (77).
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/host/sysctl.h"
#include "../../daemon/util/limits.h"
#include "../../daemon/util/log.h"

#define SKIPPED 77

/* Two sysctls that all kernels with MPTCP have, and what they are in a new namespace. */
#define SWITCH     "enabled"
#define SWITCH_WAS "1"
#define NUMBER     "add_addr_timeout"
#define NUMBER_WAS "120"

struct runtime {
        char path[64]; /* of the directory */
        char record[96];
};

static void assert_is(const char *name, const char *wanted) {
        char value[SYSCTL_VALUE] = "";

        assert_int_equal(sysctl_read(name, value), 0);
        assert_string_equal(value, wanted);
}

/* As somebody else would. */
static int set(const char *name, const char *value) {
        char path[128];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/sys/net/mptcp/%s", name);
        file = fopen(path, "we");
        if (!file)
                return -errno;
        return fputs(value, file) < 0 || fclose(file) != 0 ? -EIO : 0;
}

static int runtime_make(void **state) {
        struct runtime *runtime = calloc(1, sizeof(*runtime));

        strcpy(runtime->path, "/tmp/test-sysctl-XXXXXX");
        *state = runtime;
        if (!mkdtemp(runtime->path) || set(SWITCH, SWITCH_WAS) < 0 || set(NUMBER, NUMBER_WAS) < 0)
                return -1;
        snprintf(runtime->record, sizeof(runtime->record), "%s/sysctl", runtime->path);
        return 0;
}

static int runtime_remove(void **state) {
        struct runtime *runtime = *state;

        unlink(runtime->record);
        rmdir(runtime->path);
        free(runtime);
        return 0;
}

static void assert_record(const struct runtime *runtime, bool there) {
        assert_int_equal(access(runtime->record, F_OK) == 0, there);
}

/* In a process that then dies without a word. */
static void take_and_crash(const struct runtime *runtime, const char *name, const char *value) {
        char previous[SYSCTL_VALUE];
        pid_t child = fork();
        int status;

        if (child == 0)
                _exit(sysctl_take(runtime->path, name, value, previous) == 0 ? 42 : 1);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WEXITSTATUS(status), 42);
}

/* Reading */

static void test_sysctl_read_known_has_no_newline(void **state) {
        (void)state;
        assert_is(NUMBER, NUMBER_WAS);
}

static void test_sysctl_read_unknown_is_enoent(void **state) {
        char value[SYSCTL_VALUE] = "untouched";

        (void)state;
        assert_int_equal(sysctl_read("nosuchsysctl", value), -ENOENT);
        assert_string_equal(value, "untouched");
}

/* Taking */

static void test_sysctl_take_is_set_and_recorded(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE] = "";

        assert_int_equal(sysctl_take(runtime->path, NUMBER, "77", previous), 0);
        assert_string_equal(previous, NUMBER_WAS);
        assert_is(NUMBER, "77");
        assert_record(runtime, true);
}

static void test_sysctl_take_already_so_leaves_nothing_to_restore(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE] = "";

        assert_int_equal(sysctl_take(runtime->path, NUMBER, NUMBER_WAS, previous), 0);
        assert_string_equal(previous, NUMBER_WAS);
        assert_record(runtime, false);
        assert_true(sysctl_restore(runtime->path, false) > 0);
        assert_is(NUMBER, NUMBER_WAS);
}

static void test_sysctl_take_unknown_is_enoent(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE] = "untouched";

        assert_int_equal(sysctl_take(runtime->path, "nosuchsysctl", "1", previous), -ENOENT);
        assert_string_equal(previous, "untouched");
        assert_record(runtime, false);
}

static void test_sysctl_take_value_the_kernel_refuses_changes_nothing(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE] = "untouched";

        assert_int_equal(sysctl_take(runtime->path, SWITCH, "7", previous), -EINVAL);
        assert_string_equal(previous, "untouched");
        assert_is(SWITCH, SWITCH_WAS);
        assert_int_equal(sysctl_restore(runtime->path, false) < 0, false);
        assert_is(SWITCH, SWITCH_WAS);
}

/* What can't be put back after a crash is not taken. */
static void test_sysctl_take_without_record_changes_nothing(void **state) {
        char previous[SYSCTL_VALUE] = "untouched";

        (void)state;
        assert_int_equal(sysctl_take("/nonexistent", NUMBER, "77", previous), -ENOENT);
        assert_string_equal(previous, "untouched");
        assert_is(NUMBER, NUMBER_WAS);
}

/* Restoring */

static void test_sysctl_restore_own_is_put_back_once(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE];

        assert_int_equal(sysctl_take(runtime->path, NUMBER, "77", previous), 0);
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, NUMBER_WAS);
        assert_record(runtime, false);
        assert_true(sysctl_restore(runtime->path, false) > 0);
}

static void test_sysctl_restore_after_crash_is_put_back(void **state) {
        const struct runtime *runtime = *state;

        take_and_crash(runtime, NUMBER, "77");
        assert_is(NUMBER, "77");
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, NUMBER_WAS);
        assert_record(runtime, false);
}

static void test_sysctl_restore_changed_by_others_is_left_alone(void **state) {
        const struct runtime *runtime = *state;

        take_and_crash(runtime, NUMBER, "77");
        assert_int_equal(set(NUMBER, "88"), 0);
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, "88");
        assert_record(runtime, false);
}

static void test_sysctl_restore_two_are_judged_one_by_one(void **state) {
        const struct runtime *runtime = *state;

        take_and_crash(runtime, NUMBER, "77");
        take_and_crash(runtime, SWITCH, "0");
        assert_int_equal(set(NUMBER, "88"), 0);
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, "88");
        assert_is(SWITCH, SWITCH_WAS);
}

/* A new configuration: what counts is how it was before the first one. */
static void test_sysctl_restore_taken_twice_is_as_before_both(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE];

        assert_int_equal(sysctl_take(runtime->path, NUMBER, "77", previous), 0);
        assert_int_equal(sysctl_take(runtime->path, NUMBER, "88", previous), 0);
        assert_string_equal(previous, "77");
        assert_is(NUMBER, "88");
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, NUMBER_WAS);
        assert_record(runtime, false);
}

static void test_sysctl_restore_changed_between_is_the_others(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE];

        assert_int_equal(sysctl_take(runtime->path, NUMBER, "77", previous), 0);
        assert_int_equal(set(NUMBER, "99"), 0);
        assert_int_equal(sysctl_take(runtime->path, NUMBER, "88", previous), 0);
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, "99");
}

/* The record of a crash between its two lines and the change: either may be true. */
static void test_sysctl_restore_crash_during_second_take_is_as_before_both(void **state) {
        const struct runtime *runtime = *state;

        for (int changed = 0; changed <= 1; changed++) {
                FILE *file = fopen(runtime->record, "we");

                assert_non_null(file);
                fputs(NUMBER " " NUMBER_WAS " 77\n" NUMBER " 77 88\n", file);
                fclose(file);
                assert_int_equal(set(NUMBER, changed ? "88" : "77"), 0);
                assert_int_equal(sysctl_restore(runtime->path, false), 0);
                assert_is(NUMBER, NUMBER_WAS);
        }
}

/* However often the configuration changes, the record stays as long as there are sysctls. */
static void test_sysctl_take_many_times_fits_the_limit(void **state) {
        const struct runtime *runtime = *state;
        char value[SYSCTL_VALUE], previous[SYSCTL_VALUE];

        for (unsigned int i = 1; i <= 3 * LIMIT_SYSCTLS; i++) {
                snprintf(value, sizeof(value), "%u", i);
                assert_int_equal(sysctl_take(runtime->path, NUMBER, value, previous), 0);
        }
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, NUMBER_WAS);
}

static void test_sysctl_take_over_the_limit_changes_nothing(void **state) {
        const struct runtime *runtime = *state;
        char previous[SYSCTL_VALUE] = "untouched";
        FILE *file = fopen(runtime->record, "we");

        assert_non_null(file);
        for (unsigned int i = 0; i < LIMIT_SYSCTLS; i++)
                fprintf(file, "name%u 1 2\n", i);
        fclose(file);
        assert_int_equal(sysctl_take(runtime->path, NUMBER, "77", previous), -ENOBUFS);
        assert_string_equal(previous, "untouched");
        assert_is(NUMBER, NUMBER_WAS);
}

/* A daemon that crashes again and again: what counts is how it was before the first one. */
static void test_sysctl_restore_two_crashes_is_as_before_both(void **state) {
        const struct runtime *runtime = *state;

        take_and_crash(runtime, NUMBER, "77");
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        take_and_crash(runtime, NUMBER, "77");
        assert_int_equal(sysctl_restore(runtime->path, false), 0);
        assert_is(NUMBER, NUMBER_WAS);
}

/* The disk was full, or the machine died in the middle of the line. */
static void test_sysctl_restore_half_a_record_changes_nothing(void **state) {
        const struct runtime *runtime = *state;
        FILE *file = fopen(runtime->record, "we");

        assert_non_null(file);
        fputs(NUMBER " " NUMBER_WAS, file);
        fclose(file);
        assert_int_equal(set(NUMBER, "77"), 0);
        assert_int_equal(sysctl_restore(runtime->path, false) < 0, false);
        assert_is(NUMBER, "77");
}

static void test_sysctl_restore_no_directory_has_nothing_to_do(void **state) {
        (void)state;
        assert_true(sysctl_restore("/nonexistent", false) > 0);
}

/* Of who may write there: one that root would wait for, one elsewhere, one that others write to. */
static void test_sysctl_restore_record_of_others_is_not_believed(void **state) {
        const struct runtime *runtime = *state;
        char elsewhere[128];
        FILE *file;

        snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", runtime->path);
        file = fopen(elsewhere, "we");
        assert_non_null(file);
        fputs(SWITCH " 0 " SWITCH_WAS "\n", file);
        fclose(file);
        assert_int_equal(mkfifo(runtime->record, 0600), 0);
        assert_true(sysctl_restore(runtime->path, false) > 0);
        assert_int_equal(unlink(runtime->record), 0);
        assert_int_equal(symlink(elsewhere, runtime->record), 0);
        assert_true(sysctl_restore(runtime->path, false) > 0);
        assert_int_equal(rename(elsewhere, runtime->record), 0);
        assert_int_equal(chmod(runtime->record, 0622), 0);
        assert_true(sysctl_restore(runtime->path, false) > 0);
        assert_is(SWITCH, SWITCH_WAS);
}

/* A namespace of our own, as root or as anybody; NULL, or why there is none. */
static const char *enter_namespace(void) {
        int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;

        if (access("/proc/sys/net/mptcp/" NUMBER, F_OK) < 0)
                return "this kernel has no MPTCP (no /proc/sys/net/mptcp)";
        if (unshare(flags) < 0)
                return "the kernel gives no network namespace";
        if (set(NUMBER, NUMBER_WAS) < 0)
                return "sysctls can't be written, even in a network namespace of our own";
        return NULL;
}

#define WITH_RUNTIME(test) cmocka_unit_test_setup_teardown(test, runtime_make, runtime_remove)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sysctl_read_known_has_no_newline),
                cmocka_unit_test(test_sysctl_read_unknown_is_enoent),
                WITH_RUNTIME(test_sysctl_take_is_set_and_recorded),
                WITH_RUNTIME(test_sysctl_take_already_so_leaves_nothing_to_restore),
                WITH_RUNTIME(test_sysctl_take_unknown_is_enoent),
                WITH_RUNTIME(test_sysctl_take_value_the_kernel_refuses_changes_nothing),
                WITH_RUNTIME(test_sysctl_take_without_record_changes_nothing),
                WITH_RUNTIME(test_sysctl_restore_own_is_put_back_once),
                WITH_RUNTIME(test_sysctl_restore_after_crash_is_put_back),
                WITH_RUNTIME(test_sysctl_restore_changed_by_others_is_left_alone),
                WITH_RUNTIME(test_sysctl_restore_two_are_judged_one_by_one),
                WITH_RUNTIME(test_sysctl_restore_taken_twice_is_as_before_both),
                WITH_RUNTIME(test_sysctl_restore_changed_between_is_the_others),
                WITH_RUNTIME(test_sysctl_restore_crash_during_second_take_is_as_before_both),
                WITH_RUNTIME(test_sysctl_take_many_times_fits_the_limit),
                WITH_RUNTIME(test_sysctl_take_over_the_limit_changes_nothing),
                WITH_RUNTIME(test_sysctl_restore_two_crashes_is_as_before_both),
                WITH_RUNTIME(test_sysctl_restore_half_a_record_changes_nothing),
                WITH_RUNTIME(test_sysctl_restore_record_of_others_is_not_believed),
                cmocka_unit_test(test_sysctl_restore_no_directory_has_nothing_to_do),
        };
        const char *why = enter_namespace();

        if (why) {
                printf("SKIP: %s\n", why);
                return SKIPPED;
        }
        log_set_level(LOG_ERR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
