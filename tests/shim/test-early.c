/*
 * Calls before main(), even before the constructor of the preload library: from the program's
 * preinit_array and from the constructor of a library it is linked with (early.c). Run by
 * ./preload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "early.h"
#include "support.h"

static struct early preinit;

__attribute__((no_sanitize("address", "undefined"))) static void on_preinit(void) {
        preinit = early_probe();
}

typedef void preinit_func(void);

#define PREINIT __attribute__((section(".preinit_array"), used))

PREINIT static preinit_func *const preinit_entry = on_preinit;

static void assert_mptcp(struct early early) {
        assert_int_equal(early.protocol, SUPPORT_MPTCP);
        assert_int_equal(early.errno_after, EARLY_UNTOUCHED);
        assert_int_equal(early.n_allocations, 0);
}

static void test_socket_preinit_array_gets_mptcp(void **state) {
        (void)state;
        assert_mptcp(preinit);
}

static void test_socket_library_constructor_gets_mptcp(void **state) {
        (void)state;
        assert_mptcp(early_result());
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_socket_preinit_array_gets_mptcp),
                cmocka_unit_test(test_socket_library_constructor_gets_mptcp),
        };

        support_require_shim();
        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
