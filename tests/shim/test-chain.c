/*
 * Other preload libraries keep working: run by ./preload with spy.c behind our library, as
 * "test-chain behind", or before it, as "test-chain before".
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "spy.h"
#include "support.h"

enum { UNTOUCHED = 4711 };

static struct spy *spy;

static int set_up(void **state) {
        (void)state;
        atomic_store(&spy->n_calls, 0);
        atomic_store(&spy->refuse, 0);
        errno = UNTOUCHED;
        return 0;
}

static void test_socket_library_behind_sees_mptcp(void **state) {
        (void)state;
        assert_int_equal(support_probe(AF_INET, SOCK_STREAM, 0), SUPPORT_MPTCP);
        assert_int_equal(atomic_load(&spy->n_calls), 1);
        assert_int_equal(atomic_load(&spy->first_protocol), SUPPORT_MPTCP);
}

static void test_socket_library_behind_refuses_is_asked_for_tcp(void **state) {
        (void)state;
        atomic_store(&spy->refuse, EPERM);
        assert_int_equal(support_probe(AF_INET, SOCK_STREAM, IPPROTO_TCP), IPPROTO_TCP);
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(atomic_load(&spy->n_calls), 2);
        assert_int_equal(atomic_load(&spy->first_protocol), SUPPORT_MPTCP);
        assert_int_equal(atomic_load(&spy->last_protocol), IPPROTO_TCP);
}

static void test_socket_library_behind_sees_calls_left_alone(void **state) {
        (void)state;
        assert_int_equal(support_probe(AF_INET, SOCK_DGRAM, IPPROTO_UDP), IPPROTO_UDP);
        assert_int_equal(atomic_load(&spy->n_calls), 1);
        assert_int_equal(atomic_load(&spy->last_protocol), IPPROTO_UDP);
}

static void test_socket_library_before_sees_own_protocol(void **state) {
        (void)state;
        assert_int_equal(support_probe(AF_INET, SOCK_STREAM, IPPROTO_TCP), SUPPORT_MPTCP);
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(atomic_load(&spy->n_calls), 1);
        assert_int_equal(atomic_load(&spy->last_protocol), IPPROTO_TCP);
}

static int run_behind(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_socket_library_behind_sees_mptcp, set_up),
                cmocka_unit_test_setup(test_socket_library_behind_refuses_is_asked_for_tcp, set_up),
                cmocka_unit_test_setup(test_socket_library_behind_sees_calls_left_alone, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_before(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_socket_library_before_sees_own_protocol, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv) {
        support_require_shim();
        spy = spy_find();
        if (!spy || argc != 2)
                return 2;
        return (strcmp(argv[1], "before") == 0 ? run_before() : run_behind()) != 0;
}
