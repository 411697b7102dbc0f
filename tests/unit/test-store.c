/*
 * auth/store: secrets that survive the daemon, and files that must not be believed. auth/secret:
 * files with shared keys. auth/ward: the table of protected connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/auth/secret.h"
#include "daemon/auth/store.h"
#include "daemon/auth/ward.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define SLOT 256 /* bytes of one in the file */

static char dir[] = "/tmp/test-store-XXXXXX";
static char path[64], key[64];
static const char here[] = "boot c0ffee, namespace 1", elsewhere[] = "boot c0ffee, namespace 2";

static struct store *open_store(const char *place) {
        struct store *store;

        assert_int_equal(store_new(dir, place, sizeof(here), &store), 0);
        return store;
}

static void set_keys(struct auth_record *record, uint8_t byte) {
        record->keyed = 1;
        record->role = 2;
        memset(&record->keys, byte, sizeof(record->keys));
        store_seal(record);
}

static void count_left(const struct auth_record *record, void *userdata) {
        (void)record;
        ++*(size_t *)userdata;
}

static size_t left_in(const struct store *store) {
        size_t n = 0;

        store_each_left(store, count_left, &n);
        return n;
}

/* A file with connections 1 .. n, of cookie 100 + token, as a daemon leaves it. */
static void leave(uint32_t n) {
        struct store *store = open_store(here);

        for (uint32_t i = 1; i <= n; i++)
                set_keys(store_take(store, 100 + i, i), (uint8_t)i);
        store_free(store);
}

static void flip(off_t at) {
        _cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* How often these 32 equal bytes are in the file. */
static bool file_has_key(uint8_t byte) {
        static char bytes[1 << 20];
        _cleanup_(fclosep) FILE *file = fopen(path, "re");
        const size_t n = fread(bytes, 1, sizeof(bytes), file);
        char wanted[KEYS_KEY];

        memset(wanted, byte, sizeof(wanted));
        return memmem(bytes, n, wanted, sizeof(wanted)) != NULL;
}

static int setup(void **state) {
        (void)state;
        unlink(path);
        log_set_level(LOG_ERR - 1);
        return 0;
}

static void test_store_taken_again_has_its_keys(void **state) {
        struct store *store;
        struct auth_record *record;

        (void)state;
        leave(3);
        store = open_store(here);
        assert_int_equal(left_in(store), 3);
        record = store_take(store, 102, 2);
        assert_true(record_has_keys(record));
        assert_int_equal(record->keys.c2s[31], 2);
        assert_int_equal(record->role, 2);
        assert_int_equal(left_in(store), 2);
        store_free(store);
}

static void test_store_taken_with_another_cookie_is_empty(void **state) {
        struct store *store;
        struct auth_record *record;

        (void)state;
        leave(1);
        store = open_store(here);
        record = store_take(store, 7, 1);
        assert_false(record_has_keys(record));
        assert_int_equal(record->cookie, 7);
        assert_int_equal(record->token, 1);
        assert_int_equal(left_in(store), 1);
        store_free(store);
}

static void test_store_given_back_is_cleansed(void **state) {
        struct store *store = open_store(here);
        struct auth_record *record = store_take(store, 101, 1);

        (void)state;
        set_keys(record, 0xaa);
        assert_true(file_has_key(0xaa));
        store_give(store, record);
        assert_false(file_has_key(0xaa));
        assert_ptr_equal(store_take(store, 102, 2), record);
        store_free(store);
}

static void test_store_swept_keeps_what_was_taken(void **state) {
        struct store *store;

        (void)state;
        leave(3);
        store = open_store(here);
        (void)store_take(store, 103, 3);
        assert_int_equal(store_sweep(store), 2);
        assert_false(file_has_key(1));
        assert_false(file_has_key(2));
        assert_true(file_has_key(3));
        assert_int_equal(left_in(store), 0);
        store_free(store);
}

static void test_store_torn_slot_is_dropped(void **state) {
        struct store *store;

        (void)state;
        leave(3);
        flip(SLOT + 1 * SLOT + (off_t)offsetof(struct auth_record, keys) + 5);
        store = open_store(here);
        assert_int_equal(left_in(store), 2);
        store_free(store);
        store = open_store(here); /* which was cleansed */
        assert_int_equal(left_in(store), 2);
        store_free(store);
}

static void test_store_more_admitted_than_fit_is_dropped(void **state) {
        struct store *store = open_store(here);
        struct auth_record *record = store_take(store, 101, 1);

        (void)state;
        set_keys(record, 1);
        record->n_admitted = RECORD_ADMITTED;
        store_free(store);
        store = open_store(here);
        assert_int_equal(left_in(store), 1);
        store_take(store, 101, 1)->n_admitted++;
        store_free(store);
        store = open_store(here);
        assert_int_equal(left_in(store), 0);
        store_free(store);
}

static void test_store_counters_need_no_seal(void **state) {
        struct store *store = open_store(here);
        struct auth_record *record = store_take(store, 101, 1);

        (void)state;
        set_keys(record, 1);
        record->sent = 17;
        record->heard.top = 4;
        record->confirmed = 1;
        store_free(store);
        store = open_store(here);
        assert_int_equal(store_take(store, 101, 1)->sent, 17);
        store_free(store);
}

static void test_store_of_another_place_is_begun_anew(void **state) {
        struct store *store;

        (void)state;
        leave(2);
        store = open_store(elsewhere);
        assert_int_equal(left_in(store), 0);
        assert_false(file_has_key(1));
        store_free(store);
}

static void test_store_damaged_is_begun_anew(void **state) {
        struct store *store;

        (void)state;
        leave(2);
        flip(9);
        store = open_store(here);
        assert_int_equal(left_in(store), 0);
        store_free(store);
        leave(2);
        assert_int_equal(truncate(path, 3 * SLOT / 2), 0);
        store = open_store(here);
        assert_int_equal(left_in(store), 0);
        store_free(store);
}

static void test_store_readable_by_others_is_not_believed(void **state) {
        struct store *store;
        struct stat is;

        (void)state;
        leave(2);
        assert_int_equal(chmod(path, 0640), 0);
        store = open_store(here);
        assert_int_equal(left_in(store), 0);
        assert_int_equal(stat(path, &is), 0);
        assert_int_equal(is.st_mode & 0777, 0600);
        store_free(store);
}

static void test_store_link_is_not_followed(void **state) {
        struct store *store;
        struct stat is;

        (void)state;
        assert_int_equal(symlink("/dev/null", path), 0);
        store = open_store(here);
        assert_int_equal(lstat(path, &is), 0);
        assert_true(S_ISREG(is.st_mode));
        store_free(store);
}

static void test_store_addresses_stay_when_it_grows(void **state) {
        struct store *store = open_store(here);
        struct auth_record *first = store_take(store, 101, 1);

        (void)state;
        set_keys(first, 1);
        for (uint32_t i = 2; i <= 3000; i++)
                set_keys(store_take(store, 100 + i, i), (uint8_t)i);
        assert_int_equal(first->token, 1);
        assert_int_equal(first->keys.c2s[0], 1);
        store_free(store);
        store = open_store(here);
        assert_int_equal(left_in(store), 3000);
        assert_int_equal(store_take(store, 3100, 3000)->keys.c2s[0], (uint8_t)3000);
        store_free(store);
}

/* Shared keys */

static void write_key(size_t n, mode_t mode) {
        _cleanup_(fclosep) FILE *file = NULL;

        unlink(key);
        file = fopen(key, "we");
        for (size_t i = 0; i < n; i++)
                fputc('k', file);
        assert_int_equal(fchmod(fileno(file), mode), 0);
}

static ssize_t read_key(const char *name, const char *word) {
        char bytes[LIMIT_AUTH_PSK], error[SECRET_ERROR] = "";
        ssize_t n = secret_read(name, bytes, error);

        if (n < 0)
                assert_non_null(strstr(error, word));
        return n;
}

static void test_secret_read_in_order_is_read(void **state) {
        (void)state;
        write_key(LIMIT_AUTH_PSK_MIN, 0600);
        assert_int_equal(read_key(key, ""), LIMIT_AUTH_PSK_MIN);
        write_key(LIMIT_AUTH_PSK, 0400);
        assert_int_equal(read_key(key, ""), LIMIT_AUTH_PSK);
}

static void test_secret_read_wrong_file_is_refused(void **state) {
        (void)state;
        write_key(LIMIT_AUTH_PSK_MIN, 0640);
        assert_int_equal(read_key(key, "0600"), -EACCES);
        write_key(LIMIT_AUTH_PSK_MIN - 1, 0600);
        assert_int_equal(read_key(key, "too short"), -EACCES);
        write_key(LIMIT_AUTH_PSK + 1, 0600);
        assert_int_equal(read_key(key, "too long"), -EACCES);
        assert_int_equal(read_key(dir, "no regular file"), -EACCES);
        unlink(key);
        assert_int_equal(read_key(key, key), -ENOENT);
}

/* Reasons of connections are short: what is wrong comes before the path. */
static void test_secret_read_says_what_is_wrong_first(void **state) {
        char bytes[LIMIT_AUTH_PSK], error[SECRET_ERROR];
        const char *place, *remedy;

        (void)state;
        write_key(LIMIT_AUTH_PSK_MIN, 0640);
        assert_int_equal(secret_read(key, bytes, error), -EACCES);
        remedy = strstr(error, "it needs mode 0600");
        place = strstr(error, key);
        assert_non_null(remedy);
        assert_non_null(place);
        assert_true(remedy < place && place - error < (ptrdiff_t)LIMIT_REASON);
}

static void test_secret_read_credential_is_as_systemd_made_it(void **state) {
        (void)state;
        write_key(LIMIT_AUTH_PSK_MIN, 0440);
        unsetenv("CREDENTIALS_DIRECTORY");
        assert_int_equal(read_key("key", "no credential key"), -ENOENT);
        setenv("CREDENTIALS_DIRECTORY", dir, 1);
        assert_int_equal(read_key("key", ""), LIMIT_AUTH_PSK_MIN);
}

/* Wards */

static void remove_odd(struct ward *ward, void *userdata) {
        if (ward->token % 2)
                wards_remove(userdata, ward);
}

static void test_wards_many_are_found(void **state) {
        struct wards wards = WARDS_NULL;

        (void)state;
        assert_null(wards_find(&wards, 1));
        for (uint32_t i = 1; i <= 1000; i++)
                assert_non_null(wards_add(&wards, i * 64));
        for (uint32_t i = 1; i <= 1000; i++)
                assert_int_equal(wards_find(&wards, i * 64)->token, i * 64);
        assert_non_null(wards_add(&wards, 3));
        wards_each(&wards, remove_odd, &wards);
        assert_null(wards_find(&wards, 3));
        assert_int_equal(wards.by_token.n, 1000);
        wards_done(&wards);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_store_taken_again_has_its_keys, setup),
                cmocka_unit_test_setup(test_store_taken_with_another_cookie_is_empty, setup),
                cmocka_unit_test_setup(test_store_given_back_is_cleansed, setup),
                cmocka_unit_test_setup(test_store_swept_keeps_what_was_taken, setup),
                cmocka_unit_test_setup(test_store_torn_slot_is_dropped, setup),
                cmocka_unit_test_setup(test_store_more_admitted_than_fit_is_dropped, setup),
                cmocka_unit_test_setup(test_store_counters_need_no_seal, setup),
                cmocka_unit_test_setup(test_store_of_another_place_is_begun_anew, setup),
                cmocka_unit_test_setup(test_store_damaged_is_begun_anew, setup),
                cmocka_unit_test_setup(test_store_readable_by_others_is_not_believed, setup),
                cmocka_unit_test_setup(test_store_link_is_not_followed, setup),
                cmocka_unit_test_setup(test_store_addresses_stay_when_it_grows, setup),
                cmocka_unit_test(test_secret_read_in_order_is_read),
                cmocka_unit_test(test_secret_read_wrong_file_is_refused),
                cmocka_unit_test(test_secret_read_says_what_is_wrong_first),
                cmocka_unit_test(test_secret_read_credential_is_as_systemd_made_it),
                cmocka_unit_test(test_wards_many_are_found),
        };
        int failed;

        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/auth", dir);
        snprintf(key, sizeof(key), "%s/key", dir);
        failed = cmocka_run_group_tests_name("store", tests, NULL, NULL);
        unlink(path);
        unlink(key);
        rmdir(dir);
        return failed;
}
