/*
 * Which TLS library a program's call comes to, with the preload library between them: the one that
 * it would come to without. Libraries are opened for themselves alone (RTLD_LOCAL), so that nobody
 * but who depends on them sees them.
 *
 *         test-tls-library [hooked] ONE TWO NESTED
 *
 * ONE and TWO each call a TLS library of their own, 1 and 2; NESTED one that calls 3. hooked: one
 * more preload library has SSL_connect(), and it is number 7.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"

static const char *one, *two, *nested;
static int hook; /* what SSL_connect() says whatever the library; 0: nothing is in the way */

static void *open_library(const char *path) {
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        if (!handle)
                fail_msg("%s", dlerror());
        return handle;
}

static void *find(void *handle, const char *name) {
        void *found = dlsym(handle, name);

        assert_non_null(found);
        return found;
}

static int call_connect(void *handle, const char *name) {
        void *found = find(handle, name);
        int (*function)(void);

        memcpy(&function, &found, sizeof(found));
        return function();
}

static int call_write(void *handle, const char *name, int n) {
        void *found = find(handle, name);
        int (*function)(int n);

        memcpy(&function, &found, sizeof(found));
        return function(n);
}

/* A program that asks whether there is OpenSSL is told so by our hooks: it must survive that. */
static void test_call_no_library_fails(void **state) {
        static const char *const names[] = { "SSL_connect", "SSL_accept", "SSL_do_handshake" };
        int (*function)(void *);

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                void *found = find(RTLD_DEFAULT, names[i]);

                if (hook && i == 0)
                        continue;
                memcpy(&function, &found, sizeof(found));
                errno = 0;
                assert_int_equal(function(NULL), -1);
                assert_int_equal(errno, ENOSYS);
        }
}

static void test_call_no_library_reads_nothing(void **state) {
        int (*read_function)(void *, void *, int);
        int (*read_ex_function)(void *, void *, size_t, size_t *);
        void *found = find(RTLD_DEFAULT, "SSL_read");
        size_t n = 4711;

        (void)state;
        memcpy(&read_function, &found, sizeof(found));
        assert_int_equal(read_function(NULL, NULL, 0), -1);
        found = find(RTLD_DEFAULT, "SSL_write_ex");
        memcpy(&read_ex_function, &found, sizeof(found));
        assert_int_equal(read_ex_function(NULL, NULL, 0, &n), 0);
}

static void test_call_no_gnutls_fails(void **state) {
        void *found = find(RTLD_DEFAULT, "gnutls_handshake");
        int (*function)(void *);

        (void)state;
        memcpy(&function, &found, sizeof(found));
        assert_true(function(NULL) < 0);
}

/* errno is kept, also when what a call means has to be found out. */
static void test_call_each_comes_to_its_own_library(void **state) {
        void *first = open_library(one), *second = open_library(two);

        (void)state;
        errno = 4711;
        assert_int_equal(call_connect(first, "connect_one"), (hook ? hook : 1) + 100);
        assert_int_equal(call_connect(second, "connect_two"), (hook ? hook : 2) + 100);
        for (int i = 10; i < 13; i++) {
                assert_int_equal(call_write(first, "write_one", i), 101 + i);
                assert_int_equal(call_write(second, "write_two", i), 102 + i);
        }
        assert_int_equal(errno, 4711);
        assert_int_equal(dlclose(first), 0);
        assert_int_equal(dlclose(second), 0);
}

/* What calls was not opened itself: the linker has no list of what it sees. */
static void test_call_from_a_dependency_comes_to_its_library(void **state) {
        void *handle = open_library(nested);

        (void)state;
        assert_int_equal(call_connect(handle, "connect_nested"), (hook ? hook : 3) + 1100);
        assert_int_equal(call_write(handle, "write_nested", 20), 1123);
        assert_int_equal(dlclose(handle), 0);
}

/* What is remembered stays where it is. */
static void test_call_reopened_comes_to_its_library(void **state) {
        (void)state;
        for (int i = 0; i < 20; i++) {
                void *handle = open_library(i % 2 ? one : two);

                assert_int_equal(call_write(handle, i % 2 ? "write_one" : "write_two", 0),
                                 i % 2 ? 101 : 102);
                assert_int_equal(dlclose(handle), 0);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_call_no_library_fails),
                cmocka_unit_test(test_call_no_library_reads_nothing),
                cmocka_unit_test(test_call_no_gnutls_fails),
                cmocka_unit_test(test_call_each_comes_to_its_own_library),
                cmocka_unit_test(test_call_from_a_dependency_comes_to_its_library),
                cmocka_unit_test(test_call_reopened_comes_to_its_library),
        };

        if (argc != 4 && argc != 5)
                return 2;
        hook = argc == 5 ? 7 : 0;
        one = argv[argc - 3];
        two = argv[argc - 2];
        nested = argv[argc - 1];
        support_require_shim();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
