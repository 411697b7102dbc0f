/*
 * Unit tests of shim/hook.c against a fake library behind it: hook.c is compiled to call our
 * fake_dlsym(), so every answer of the next socket() can be played, and every call be seen.
 */
#include <dlfcn.h>
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

enum { MPTCP = 262, TYPE = SOCK_STREAM | SOCK_CLOEXEC, FD = 1234, UNTOUCHED = 4711 };

struct call {
        int domain, type, protocol;
};

/* What the fake has seen, and the errno of its first two answers; 0 is success with fd FD. */
static struct {
        struct call calls[2];
        unsigned int n_calls;
        int errors[2];
        unsigned int n_lookups;
        bool missing;
} fake = { .missing = true };

static int fake_socket(int domain, int type, int protocol) {
        const unsigned int i = fake.n_calls++;

        assert_in_range(i, 0, 1);
        fake.calls[i] = (struct call){ domain, type, protocol };
        if (fake.errors[i] == 0)
                return FD;
        errno = fake.errors[i];
        return -1;
}

/* What hook.c calls for dlsym(). Spoils errno on success, as a linker is free to. */
void *fake_dlsym(void *handle, const char *name);

/* cppcheck-suppress constParameter */
void *fake_dlsym(void *handle, const char *name) {
        fake.n_lookups++;
        errno = ELIBACC;
        if (fake.missing || handle != RTLD_NEXT || strcmp(name, "socket") != 0)
                return NULL;
        return (void *)fake_socket;
}

/* Calls the hook with a fake that answers first and, if asked again, second. */
static int call_hook(int domain, int protocol, int first, int second) {
        fake.n_calls = 0;
        fake.errors[0] = first;
        fake.errors[1] = second;
        errno = UNTOUCHED;
        return socket(domain, TYPE, protocol);
}

static void assert_call(unsigned int i, int domain, int protocol) {
        assert_in_range(i, 0, fake.n_calls - 1);
        assert_int_equal(fake.calls[i].domain, domain);
        assert_int_equal(fake.calls[i].type, TYPE);
        assert_int_equal(fake.calls[i].protocol, protocol);
}

/* First of all: nothing but the constructor can have looked up. */
static void test_constructor_before_main_looks_up(void **state) {
        (void)state;
        assert_int_equal(fake.n_lookups, 1);
}

/* Second: the constructor has found nothing, so the hook has to look for itself. */
static void test_socket_no_next_library_fails_enosys(void **state) {
        (void)state;
        assert_int_equal(call_hook(AF_INET, 0, 0, 0), -1);
        assert_int_equal(errno, ENOSYS);
        assert_int_equal(call_hook(AF_UNIX, 0, 0, 0), -1);
        assert_int_equal(errno, ENOSYS);
        assert_int_equal(fake.n_calls, 0);
}

static void test_socket_unresolved_looks_up_once(void **state) {
        const unsigned int before = fake.n_lookups;

        (void)state;
        fake.missing = false;
        assert_int_equal(call_hook(AF_INET, 0, 0, 0), FD);
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(call_hook(AF_INET, 0, 0, 0), FD);
        assert_int_equal(fake.n_lookups, before + 1);
}

static void test_socket_tcp_asks_for_mptcp(void **state) {
        (void)state;
        assert_int_equal(call_hook(AF_INET6, IPPROTO_TCP, 0, 0), FD);
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(fake.n_calls, 1);
        assert_call(0, AF_INET6, MPTCP);
}

static void test_socket_mptcp_refused_falls_back_with_own_arguments(void **state) {
        static const int refusals[] = { EINVAL, EPROTONOSUPPORT, ENOPROTOOPT, EACCES, EPERM };
        static const int protocols[] = { 0, IPPROTO_TCP };

        (void)state;
        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
                for (size_t p = 0; p < 2; p++) {
                        assert_int_equal(call_hook(AF_INET, protocols[p], refusals[i], 0), FD);
                        assert_int_equal(errno, UNTOUCHED);
                        assert_int_equal(fake.n_calls, 2);
                        assert_call(0, AF_INET, MPTCP);
                        assert_call(1, AF_INET, protocols[p]);
                }
}

static void test_socket_mptcp_and_tcp_refused_passes_second_error(void **state) {
        (void)state;
        assert_int_equal(call_hook(AF_INET, 0, EPERM, EMFILE), -1);
        assert_int_equal(errno, EMFILE);
        assert_int_equal(fake.n_calls, 2);
}

static void test_socket_real_failure_passes_error_without_retry(void **state) {
        static const int failures[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EAFNOSUPPORT };

        (void)state;
        for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
                assert_int_equal(call_hook(AF_INET, 0, failures[i], 0), -1);
                assert_int_equal(errno, failures[i]);
                assert_int_equal(fake.n_calls, 1);
        }
}

static void test_socket_left_alone_refused_passes_error_without_retry(void **state) {
        (void)state;
        assert_int_equal(call_hook(AF_UNIX, 0, EPERM, 0), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(fake.n_calls, 1);
        assert_call(0, AF_UNIX, 0);

        assert_int_equal(call_hook(AF_INET, MPTCP, ENOPROTOOPT, 0), -1);
        assert_int_equal(errno, ENOPROTOOPT);
        assert_int_equal(fake.n_calls, 1);
        assert_call(0, AF_INET, MPTCP);
}

/* The first two need the state of a fresh process, so the order matters. */
int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_constructor_before_main_looks_up),
                cmocka_unit_test(test_socket_no_next_library_fails_enosys),
                cmocka_unit_test(test_socket_unresolved_looks_up_once),
                cmocka_unit_test(test_socket_tcp_asks_for_mptcp),
                cmocka_unit_test(test_socket_mptcp_refused_falls_back_with_own_arguments),
                cmocka_unit_test(test_socket_mptcp_and_tcp_refused_passes_second_error),
                cmocka_unit_test(test_socket_real_failure_passes_error_without_retry),
                cmocka_unit_test(test_socket_left_alone_refused_passes_error_without_retry),
        };

        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
