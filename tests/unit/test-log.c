/*
 * util/log: prefixes, levels, one line a message. What standard error is is looked at once in a
 * process, so each test logs in a child whose standard error is a temporary file.
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/log.h"

struct capture {
        const char *stream; /* format of $JOURNAL_STREAM: device, inode; NULL: not set */
        int (*run)(void);   /* in the child; its exit status */
        int status;
        char text[4096];
};

static void capture_child(const struct capture *capture, int fd) {
        struct stat st;

        unsetenv("JOURNAL_STREAM");
        if (fstat(fd, &st) < 0 || dup2(fd, STDERR_FILENO) < 0)
                _exit(99);
        if (capture->stream) {
                char stream[64];

                snprintf(stream, sizeof(stream), "%llu:%llu%s", (unsigned long long)st.st_dev,
                         (unsigned long long)st.st_ino, capture->stream);
                setenv("JOURNAL_STREAM", stream, 1);
        }
        _exit(capture->run());
}

static void capture_run(struct capture *capture) {
        _cleanup_(fclosep) FILE *file = tmpfile();
        size_t n;
        pid_t pid;

        assert_non_null(file);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                capture_child(capture, fileno(file));
        assert_int_equal(waitpid(pid, &capture->status, 0), pid);
        rewind(file);
        n = fread(capture->text, 1, sizeof(capture->text) - 1, file);
        capture->text[n] = '\0';
}

static int run_two(void) {
        log_warning("link %s", "wlan0");
        log_error("gone");
        return 0;
}

static void test_message_without_journal_names_the_program(void **state) {
        struct capture capture = { .run = run_two };

        (void)state;
        capture_run(&capture);
        assert_string_equal(capture.text, "mptcpized: link wlan0\nmptcpized: gone\n");
}

static void test_message_to_journal_has_priority(void **state) {
        struct capture capture = { .run = run_two, .stream = "" };

        (void)state;
        capture_run(&capture);
        assert_string_equal(capture.text, "<4>link wlan0\n<3>gone\n");
}

static void test_message_with_other_stream_names_the_program(void **state) {
        struct capture capture = { .run = run_two, .stream = "0" };

        (void)state;
        capture_run(&capture);
        assert_memory_equal(capture.text, "mptcpized: ", 11);
}

static int run_levels(void) {
        if (log_level() != LOG_INFO)
                return 1;
        log_info("one");
        log_debug("two");
        log_set_level(LOG_DEBUG);
        log_debug("three");
        log_set_level(LOG_ERR);
        log_warning("four");
        return 0;
}

static void test_message_below_level_is_dropped(void **state) {
        struct capture capture = { .run = run_levels };

        (void)state;
        capture_run(&capture);
        assert_int_equal(capture.status, 0);
        assert_string_equal(capture.text, "mptcpized: one\nmptcpized: three\n");
}

static int run_errno(void) {
        errno = ENOENT;
        log_error("%m");
        if (errno != ENOENT)
                return 1;
        close(STDERR_FILENO);
        log_error("lost");
        return errno != ENOENT;
}

static void test_message_keeps_errno(void **state) {
        struct capture capture = { .run = run_errno };

        (void)state;
        capture_run(&capture);
        assert_int_equal(capture.status, 0);
        assert_string_equal(capture.text, "mptcpized: No such file or directory\n");
}

static int run_hostile(void) {
        char text[3000];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        log_error("a\nb\x1b");
        log_error("%s", text);
        return 0;
}

static void test_message_stays_one_bounded_line(void **state) {
        struct capture capture = { .run = run_hostile };
        const char *second;

        (void)state;
        capture_run(&capture);
        assert_memory_equal(capture.text, "mptcpized: a?b?\n", 16);
        second = capture.text + 16;
        assert_int_equal(strlen(second), 2048);
        assert_ptr_equal(strchr(second, '\n'), second + 2047);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message_without_journal_names_the_program),
                cmocka_unit_test(test_message_to_journal_has_priority),
                cmocka_unit_test(test_message_with_other_stream_names_the_program),
                cmocka_unit_test(test_message_below_level_is_dropped),
                cmocka_unit_test(test_message_keeps_errno),
                cmocka_unit_test(test_message_stays_one_bounded_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
