/*
 * policy/store and policy/load: the file of a database, and the files it is made of.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/limits.h"
#include "../../policy/store.h"
#include "policies.h"

static char directory[] = "/tmp/test-policy-store-XXXXXX";

static const char *path_of(const char *name) {
        static char paths[16][PATH_MAX];
        static unsigned int next;
        char *path = paths[next++ % ARRAY_SIZE(paths)];

        snprintf(path, PATH_MAX, "%s/%s", directory, name);
        return path;
}

static void file_write(const char *path, const void *bytes, size_t n) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
}

static int path_remove(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

/* An empty directory for each test. */
static int setup(void **state) {
        (void)state;
        memset(directory + strlen(directory) - 6, 'X', 6);
        return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        return nftw(directory, path_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* A half in which all policies say n: in .max_subflows and in .uid. */
static void *half_saying(unsigned int n, size_t *ret_size) {
        struct policies_file files[8];
        struct policy_errors errors = { 0 };
        char text[128], names[ARRAY_SIZE(files)][16];
        void *half;

        snprintf(text, sizeof(text), "{\"match\":{\"uid\":%u},\"paths\":{\"max_subflows\":%u}}", n,
                 n % 32 + 1);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                snprintf(names[i], sizeof(names[i]), "%zu.json", i);
                files[i] = (struct policies_file){ names[i], text };
        }
        assert_int_equal(policies_compile(files, ARRAY_SIZE(files), NULL, &half, ret_size, &errors),
                         0);
        return half;
}

static void store_say(struct policy_store *store, unsigned int n) {
        size_t size;
        void *half = half_saying(n, &size);

        assert_int_equal(policy_store_write(store, half, size), 0);
        free(half);
}

/* What all policies say; -1: they don't all say the same. */
static int64_t read_saying(const struct policy_read *read) {
        const struct policy_app *app;
        int64_t said = -1;
        uint32_t i;

        for (i = 0; (app = policy_at(read, &read->half->apps, i, sizeof(*app))); i++) {
                if ((i > 0 && app->uid != said) || app->max_subflows != app->uid % 32 + 1)
                        return -1;
                said = app->uid;
        }
        return i == 8 ? said : -1;
}

static int64_t file_saying(const char *path) {
        struct policy_read read;
        int64_t said;
        void *copy;

        assert_int_equal(policy_store_copy(path, &copy), 0);
        assert_true(policy_begin(copy, POLICY_FILE_BYTES, &read));
        said = read_saying(&read);
        free(copy);
        return said;
}

static struct policy_store *open_store(const char *path) {
        struct policy_store *store;

        assert_int_equal(policy_store_open(path, false, &store), 0);
        return store;
}

static struct policy_header *map_file(const char *path) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        void *map = mmap(NULL, POLICY_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        assert_true(map != MAP_FAILED);
        close(fd);
        return map;
}

/* The file */

static void test_open_makes_a_file_for_everybody(void **state) {
        const char *path = path_of("db");
        mode_t mask = umask(077);
        struct policy_store *store = open_store(path);
        struct stat st;

        (void)state;
        umask(mask);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0644);
        assert_int_equal(st.st_size, POLICY_FILE_BYTES);
        assert_true(st.st_blocks * 512 >= (blkcnt_t)POLICY_FILE_BYTES);
        policy_store_close(store);
}

static void test_open_locks_out_a_second_writer(void **state) {
        const char *path = path_of("db");
        struct policy_store *store = open_store(path), *second = NULL;

        (void)state;
        assert_int_equal(policy_store_open(path, false, &second), -EWOULDBLOCK);
        assert_null(second);
        policy_store_close(store);
        policy_store_close(open_store(path));
        policy_store_close(NULL);
}

/* Everybody may read the file, and so lock it. */
static void test_open_alone_ignores_a_lock(void **state) {
        const char *path = path_of("db");
        struct policy_store *store;
        int fd;

        (void)state;
        policy_store_close(open_store(path));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
        assert_int_equal(policy_store_open(path, true, &store), 0);
        policy_store_close(store);
        close(fd);
}

static void test_open_refuses_what_is_no_file(void **state) {
        struct policy_store *store;

        (void)state;
        assert_int_equal(policy_store_open(directory, false, &store), -EISDIR);
        assert_int_equal(policy_store_open(path_of("no/db"), false, &store), -ENOENT);
        assert_int_equal(symlink("/tmp/x", path_of("link")), 0);
        assert_int_equal(policy_store_open(path_of("link"), false, &store), -ELOOP);
        assert_int_equal(mkfifo(path_of("fifo"), 0644), 0);
        assert_int_equal(policy_store_open(path_of("fifo"), false, &store), -EBADF);
}

static void test_write_keeps_the_file_and_its_mappings(void **state) {
        const char *path = path_of("db");
        struct policy_store *store = open_store(path);
        struct policy_header *map = map_file(path);
        struct stat before, after;
        struct policy_read read;

        (void)state;
        assert_int_equal(stat(path, &before), 0);
        assert_false(policy_begin(map, POLICY_FILE_BYTES, &read));
        for (unsigned int i = 1; i <= 5; i++) {
                store_say(store, i);
                assert_int_equal(policy_generation(map, POLICY_FILE_BYTES), i);
                assert_true(policy_begin(map, POLICY_FILE_BYTES, &read));
                assert_int_equal(read_saying(&read), i);
        }
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(before.st_ino, after.st_ino);
        assert_int_equal(before.st_size, after.st_size);
        munmap(map, POLICY_FILE_BYTES);
        policy_store_close(store);
}

static void test_write_of_the_same_changes_nothing(void **state) {
        struct policy_store *store = open_store(path_of("db"));
        struct policy_header *map = map_file(path_of("db"));

        (void)state;
        store_say(store, 3);
        store_say(store, 3);
        assert_int_equal(map->generation, 1);
        store_say(store, 4);
        assert_int_equal(map->generation, 2);
        munmap(map, POLICY_FILE_BYTES);
        policy_store_close(store);
}

static void test_write_refuses_what_is_no_half(void **state) {
        struct policy_store *store = open_store(path_of("db"));
        size_t size;
        void *half = half_saying(1, &size);

        (void)state;
        assert_int_equal(policy_store_write(store, half, size - 8), -EINVAL);
        assert_int_equal(policy_store_write(store, half, 8), -EINVAL);
        assert_int_equal(policy_store_write(store, half, POLICY_HALF_BYTES + 8), -EINVAL);
        assert_int_equal(policy_store_write(store, half, size), 0);
        free(half);
        policy_store_close(store);
}

static void test_open_goes_on_where_another_writer_ended(void **state) {
        const char *path = path_of("db");
        struct policy_store *store = open_store(path);
        struct policy_header *map;

        (void)state;
        store_say(store, 3);
        policy_store_close(store);
        assert_int_equal(file_saying(path), 3);
        store = open_store(path);
        assert_int_equal(file_saying(path), 3);
        store_say(store, 4);
        map = map_file(path);
        assert_int_equal(map->generation, 2);
        munmap(map, POLICY_FILE_BYTES);
        policy_store_close(store);
}

static void test_generation_never_becomes_none(void **state) {
        const char *path = path_of("db");
        struct policy_header *map;
        struct policy_store *store = open_store(path);

        (void)state;
        policy_store_close(store);
        map = map_file(path);
        map->generation = UINT32_MAX;
        store = open_store(path);
        store_say(store, 3);
        assert_int_equal(map->generation, 2);
        assert_int_equal(file_saying(path), 3);
        munmap(map, POLICY_FILE_BYTES);
        policy_store_close(store);
}

/* A writer of another version: its readers find nothing, and a generation is never used twice. */
static void test_open_takes_another_version_over(void **state) {
        const char *path = path_of("db");
        struct policy_store *store = open_store(path);
        struct policy_header *map = map_file(path);
        struct policy_read read;

        (void)state;
        for (unsigned int i = 1; i <= 3; i++)
                store_say(store, i);
        policy_store_close(store);
        map->version++;
        assert_false(policy_begin(map, POLICY_FILE_BYTES, &read));
        store = open_store(path);
        assert_int_equal(map->generation, 0);
        store_say(store, 9);
        assert_int_equal(map->generation, 4);
        assert_int_equal(file_saying(path), 9);
        munmap(map, POLICY_FILE_BYTES);
        policy_store_close(store);
}

/*
 * Programs keep the library and the mapping that they were started with over an update of the
 * daemon, and may be updated before it: so the first version can be read for ever.
 */
static void test_open_keeps_in_force_what_an_earlier_writer_wrote(void **state) {
        const char *path = path_of("db");
        struct policy_store *store = open_store(path);
        struct policy_header *map = map_file(path);
        struct policy_read read;

        (void)state;
        store_say(store, 3);
        policy_store_close(store);
        assert_int_equal(map->version, 1);
        map->whole[1] = 0;
        store = open_store(path);
        assert_true(policy_store_read(store, &read));
        assert_false(policy_is_whole(&read));
        assert_int_equal(file_saying(path), 3);
        store_say(store, 3);
        assert_int_equal(map->generation, 2);
        assert_true(policy_store_read(store, &read));
        assert_true(policy_is_whole(&read));
        munmap(map, POLICY_FILE_BYTES);
        policy_store_close(store);
}

/* A writer that died in the middle has touched the spare half only. */
static void test_half_written_is_not_in_force(void **state) {
        const char *path = path_of("db");
        struct policy_store *store = open_store(path);
        char *map = (char *)map_file(path);

        (void)state;
        store_say(store, 3);
        memset(map + POLICY_HEADER_BYTES, 0xa5, POLICY_HALF_BYTES / 2);
        assert_int_equal(file_saying(path), 3);
        store_say(store, 4);
        assert_int_equal(file_saying(path), 4);
        munmap(map, POLICY_FILE_BYTES);
        policy_store_close(store);
}

static void test_copy_refuses_what_is_no_database(void **state) {
        char *garbage = calloc(1, POLICY_FILE_BYTES);
        void *copy;

        (void)state;
        assert_int_equal(policy_store_copy(path_of("none"), &copy), -ENOENT);
        assert_int_equal(policy_store_copy(directory, &copy), -ENODATA);
        file_write(path_of("short"), garbage, POLICY_FILE_BYTES - 1);
        assert_int_equal(policy_store_copy(path_of("short"), &copy), -ENODATA);
        file_write(path_of("zero"), garbage, POLICY_FILE_BYTES);
        assert_int_equal(policy_store_copy(path_of("zero"), &copy), -ENODATA);
        free(garbage);
}

/* One writer, many readers */

struct reader {
        const struct policy_header *map;
        bool stop; /* atomic */
        uint64_t reads, mixes, changes;
};

/* As a program: begins once per generation, then reads what it has found again and again. */
static void *reader_run(void *userdata) {
        struct reader *reader = userdata;
        struct policy_read read;

        while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
                int64_t first;

                if (!policy_begin(reader->map, POLICY_FILE_BYTES, &read))
                        continue;
                first = read_saying(&read);
                for (int i = 0; i < 50; i++) {
                        int64_t said = read_saying(&read);

                        if (!policy_end(&read)) {
                                __atomic_add_fetch(&reader->changes, 1, __ATOMIC_RELAXED);
                                break;
                        }
                        reader->reads++;
                        reader->mixes += said < 0 || said != first;
                }
        }
        return NULL;
}

static void test_readers_never_see_a_mix(void **state) {
        struct policy_store *store = open_store(path_of("db"));
        struct reader reader = { .map = map_file(path_of("db")) };
        void *halves[16];
        size_t sizes[ARRAY_SIZE(halves)];
        pthread_t thread;
        unsigned int i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(halves); i++)
                halves[i] = half_saying(1000 + i, &sizes[i]);
        assert_int_equal(pthread_create(&thread, NULL, reader_run, &reader), 0);
        /* many, and until the reader has been overtaken often enough to tell */
        for (i = 0; i < 20000 || __atomic_load_n(&reader.changes, __ATOMIC_RELAXED) < 100; i++)
                assert_int_equal(policy_store_write(store, halves[i % ARRAY_SIZE(halves)],
                                                    sizes[i % ARRAY_SIZE(halves)]),
                                 0);
        __atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        assert_true(reader.reads > 0);
        assert_int_equal(reader.mixes, 0);
        for (i = 0; i < ARRAY_SIZE(halves); i++)
                free(halves[i]);
        policy_store_close(store);
}

/* Loading */

#define GOOD "{\"match\":{\"uid\":1}}"

static void test_load_reads_policies_only(void **state) {
        const char *dirs[] = { directory, path_of("missing") };
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };

        (void)state;
        file_write(path_of("b.json"), GOOD, sizeof(GOOD) - 1);
        file_write(path_of("a.json"), GOOD, sizeof(GOOD) - 1);
        file_write(path_of(".hidden.json"), "x", 1);
        file_write(path_of("a.json~"), "x", 1);
        file_write(path_of(".json"), "x", 1);
        file_write(path_of("README"), "x", 1);
        assert_int_equal(policy_load_dirs(&sources, dirs, 2, POLICY_SYSTEM, &errors), 0);
        assert_int_equal(sources.list.n, 2);
        assert_string_equal(sources.list.items[0].path, path_of("a.json"));
        assert_int_equal(sources.list.items[0].len, sizeof(GOOD) - 1);
        policy_sources_done(&sources);
}

static void test_load_later_directory_wins(void **state) {
        const char *dirs[] = { path_of("one"), path_of("two") };
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };

        (void)state;
        mkdir(dirs[0], 0755);
        mkdir(dirs[1], 0755);
        file_write(path_of("one/a.json"), "1", 1);
        file_write(path_of("one/b.json"), "1", 1);
        file_write(path_of("two/a.json"), "22", 2);
        assert_int_equal(policy_load_dirs(&sources, dirs, 2, POLICY_SYSTEM, &errors), 0);
        assert_int_equal(sources.list.n, 2);
        assert_string_equal(sources.list.items[0].path, path_of("two/a.json"));
        assert_int_equal(sources.list.items[0].len, 2);
        policy_sources_done(&sources);
}

/* The one that it was to replace does not come back, and the rest is read. */
static void test_load_unreadable_is_told(void **state) {
        const char *dirs[] = { path_of("one"), path_of("two") };
        struct policy_networks networks = { 0 };
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };
        char text[POLICY_ERROR_TEXT];
        void *half;
        size_t size;

        (void)state;
        mkdir(dirs[0], 0755);
        mkdir(dirs[1], 0755);
        file_write(path_of("one/a.json"), GOOD, sizeof(GOOD) - 1);
        file_write(path_of("two/c.json"), GOOD, sizeof(GOOD) - 1);
        mkdir(path_of("two/a.json"), 0755);
        mkfifo(path_of("two/b.json"), 0644);
        assert_int_equal(policy_load_dirs(&sources, dirs, 2, POLICY_SYSTEM, &errors), -EINVAL);
        assert_int_equal(errors.list.n, 2);
        policy_error_print(&errors.list.items[0], text);
        assert_non_null(strstr(text, "two/a.json: the file can't be read: Is a directory"));
        policy_errors_done(&errors);
        assert_int_equal(policy_compile(&sources, &networks, &half, &size, &errors), 0);
        assert_int_equal(((struct policy_half *)half)->apps.n, 1);
        free(half);
        policy_sources_done(&sources);
}

static void test_load_too_long_is_refused(void **state) {
        struct policy_networks networks = { 0 };
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };
        char *text = malloc(LIMIT_CONF_BYTES + 1), message[POLICY_ERROR_TEXT];
        const char *path = path_of("a.json");

        (void)state;
        memset(text, ' ', LIMIT_CONF_BYTES + 1);
        memcpy(text, GOOD, sizeof(GOOD) - 1);
        for (size_t more = 0; more < 2; more++) {
                void *half;
                size_t size;

                file_write(path, text, LIMIT_CONF_BYTES + more);
                assert_int_equal(policy_load_file(&sources, path, POLICY_SYSTEM, &errors), 0);
                assert_int_equal(policy_compile(&sources, &networks, &half, &size, &errors),
                                 (int)more);
                free(half);
        }
        policy_error_print(&errors.list.items[0], message);
        assert_non_null(strstr(message, "a.json:1:1: the file is too long: at most 262144 bytes"));
        policy_errors_done(&errors);
        policy_sources_done(&sources);
        free(text);
}

static void test_load_shipped_policies_are_good(void **state) {
        const char *dirs[] = { getenv("POLICY_APPS") };
        struct policy_networks networks = { 0 };
        struct policy_sources sources = { 0 };
        struct policy_errors errors = { 0 };
        void *half;
        size_t size;

        (void)state;
        assert_non_null(dirs[0]);
        assert_int_equal(policy_load_dirs(&sources, dirs, 1, POLICY_SYSTEM, &errors), 0);
        assert_true(sources.list.n >= 20);
        assert_int_equal(policy_compile(&sources, &networks, &half, &size, &errors), 0);
        free(half);
        policy_sources_done(&sources);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_open_makes_a_file_for_everybody),
                TEST(test_open_locks_out_a_second_writer),
                TEST(test_open_alone_ignores_a_lock),
                TEST(test_open_refuses_what_is_no_file),
                TEST(test_write_keeps_the_file_and_its_mappings),
                TEST(test_write_of_the_same_changes_nothing),
                TEST(test_write_refuses_what_is_no_half),
                TEST(test_open_goes_on_where_another_writer_ended),
                TEST(test_generation_never_becomes_none),
                TEST(test_open_takes_another_version_over),
                TEST(test_open_keeps_in_force_what_an_earlier_writer_wrote),
                TEST(test_half_written_is_not_in_force),
                TEST(test_copy_refuses_what_is_no_database),
                TEST(test_readers_never_see_a_mix),
                TEST(test_load_reads_policies_only),
                TEST(test_load_later_directory_wins),
                TEST(test_load_unreadable_is_told),
                TEST(test_load_too_long_is_refused),
                TEST(test_load_shipped_policies_are_good),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
