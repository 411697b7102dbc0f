/*
 * util/replace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/replace.h"

/* A directory, open too. */
struct place {
        char path[32];
        int dir;
};

static int setup(void **state) {
        struct place *place = calloc(1, sizeof(*place));

        assert_non_null(place);
        snprintf(place->path, sizeof(place->path), "/tmp/mptcpize-XXXXXX");
        assert_non_null(mkdtemp(place->path));
        place->dir = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(place->dir >= 0);
        *state = place;
        return 0;
}

static int teardown(void **state) {
        struct place *place = *state;

        (void)unlinkat(place->dir, "file", 0);
        (void)unlinkat(place->dir, "file", AT_REMOVEDIR);
        (void)unlinkat(place->dir, "other", 0);
        assert_int_equal(rmdir(place->path), 0); /* nothing else was left */
        (void)close(place->dir);
        free(place);
        return 0;
}

static void assert_text(const struct place *place, const char *name, const char *wanted) {
        _cleanup_(closep) int fd = openat(place->dir, name, O_RDONLY | O_CLOEXEC);
        char text[32];
        ssize_t n;

        assert_true(fd >= 0);
        n = read(fd, text, sizeof(text) - 1);
        assert_true(n >= 0);
        text[n] = '\0';
        assert_string_equal(text, wanted);
}

static void test_replace_is_the_new_text_for_all_to_read(void **state) {
        const struct place *place = *state;
        const mode_t was = umask(0077);
        struct stat file;

        assert_int_equal(replace_file(place->dir, "file", "fresh", "old and longer", false), 0);
        assert_int_equal(replace_file(place->dir, "file", "fresh", "new", true), 0);
        (void)umask(was);
        assert_text(place, "file", "new");
        assert_int_equal(fstatat(place->dir, "file", &file, 0), 0);
        assert_int_equal(file.st_mode & 07777, 0644);
}

static void test_replace_takes_paths_too(void **state) {
        const struct place *place = *state;
        char name[64], fresh[64];

        snprintf(name, sizeof(name), "%s/file", place->path);
        snprintf(fresh, sizeof(fresh), "%s/fresh", place->path);
        assert_int_equal(replace_file(AT_FDCWD, name, fresh, "text", false), 0);
        assert_text(place, "file", "text");
}

static void test_replace_does_not_follow_what_an_earlier_try_has_left(void **state) {
        const struct place *place = *state;

        assert_int_equal(replace_file(place->dir, "other", "fresh", "untouched", false), 0);
        assert_int_equal(symlinkat("other", place->dir, "fresh"), 0);
        assert_int_equal(replace_file(place->dir, "file", "fresh", "text", false), 0);
        assert_text(place, "other", "untouched");
        assert_text(place, "file", "text");
}

static void test_replace_leaves_nothing_of_what_fails(void **state) {
        const struct place *place = *state;

        assert_int_equal(mkdirat(place->dir, "file", 0755), 0);
        assert_int_equal(replace_file(place->dir, "file", "fresh", "text", false), -EISDIR);
        assert_int_equal(faccessat(place->dir, "fresh", F_OK, 0), -1);
        assert_int_equal(replace_file(place->dir, "no/file", "no/fresh", "text", false), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_replace_is_the_new_text_for_all_to_read, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_replace_takes_paths_too, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                test_replace_does_not_follow_what_an_earlier_try_has_left, setup,
                                teardown),
                cmocka_unit_test_setup_teardown(test_replace_leaves_nothing_of_what_fails, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
