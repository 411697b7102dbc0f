/*
 * Where the kernel refuses MPTCP the application gets its TCP socket and notices nothing. Run by
 * ./preload, as "test-refused seccomp" or "test-refused namespace": each can be skipped by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support.h"

enum { UNTOUCHED = 4711 };

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* What was wrong, as exit codes of children, which can't print. */
enum { NO_SOCKET = 1, ERRNO_TOUCHED, NOT_TCP, FLAGS_LOST, DESCRIPTOR_LEFT, NO_SANDBOX };

static int check_descriptor(int fd) {
        if (support_protocol(fd) != IPPROTO_TCP)
                return NOT_TCP;
        if (!(fcntl(fd, F_GETFL) & O_NONBLOCK) || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
                return FLAGS_LOST;
        return 0;
}

static int check_tcp_socket(int domain, int protocol) {
        const int before = support_count_fds();
        int fd, error, r;

        errno = UNTOUCHED;
        fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
        error = errno;
        if (fd < 0)
                return NO_SOCKET;

        r = check_descriptor(fd);
        (void)close(fd);
        if (r == 0 && error != UNTOUCHED)
                r = ERRNO_TOUCHED;
        if (r == 0 && support_count_fds() != before)
                r = DESCRIPTOR_LEFT;
        return r;
}

static int check_all_tcp_sockets(void) {
        int r = check_tcp_socket(AF_INET, 0);

        return r != 0 ? r : check_tcp_socket(AF_INET, IPPROTO_TCP);
}

static int with_mptcp_refused(int error) {
        return support_refuse_protocol(SUPPORT_MPTCP, error) < 0 ? NO_SANDBOX
                                                                 : check_all_tcp_sockets();
}

static int with_both_refused(int error) {
        if (support_refuse_protocol(SUPPORT_MPTCP, EINVAL) < 0 ||
            support_refuse_protocol(IPPROTO_TCP, error) < 0)
                return NO_SANDBOX;
        return support_probe(AF_INET, SOCK_STREAM, IPPROTO_TCP) == -error ? 0 : 1;
}

static int with_explicit_mptcp(int error) {
        if (support_refuse_protocol(SUPPORT_MPTCP, error) < 0)
                return NO_SANDBOX;
        return support_probe(AF_INET, SOCK_STREAM, SUPPORT_MPTCP) == -error ? 0 : 1;
}

static void test_socket_seccomp_refuses_mptcp_gives_tcp(void **state) {
        /* ENFILE: whatever the error is. */
        static const int refusals[] = {
                EPERM, EACCES, EINVAL, EPROTONOSUPPORT, ENOPROTOOPT, ENFILE
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(refusals); i++)
                assert_int_equal(support_in_child(with_mptcp_refused, refusals[i]), 0);
}

static void test_socket_seccomp_refuses_tcp_too_passes_its_error(void **state) {
        (void)state;
        assert_int_equal(support_in_child(with_both_refused, EPERM), 0);
}

static void test_socket_explicit_mptcp_refused_passes_error(void **state) {
        (void)state;
        assert_int_equal(support_in_child(with_explicit_mptcp, EPERM), 0);
}

static int set_mptcp(char value) {
        int fd = open("/proc/sys/net/mptcp/enabled", O_WRONLY | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        r = write(fd, &value, 1) == 1 ? 0 : -errno;
        (void)close(fd);
        return r;
}

static void test_socket_namespace_without_mptcp_gives_tcp(void **state) {
        (void)state;
        assert_int_equal(set_mptcp('1'), 0);
        assert_int_equal(support_probe(AF_INET, SOCK_STREAM, 0), SUPPORT_MPTCP);
        assert_int_equal(set_mptcp('0'), 0);
        assert_int_equal(check_all_tcp_sockets(), 0);
        assert_int_equal(support_probe(AF_INET, SOCK_STREAM, SUPPORT_MPTCP), -ENOPROTOOPT);
}

static int run_seccomp(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_socket_seccomp_refuses_mptcp_gives_tcp),
                cmocka_unit_test(test_socket_seccomp_refuses_tcp_too_passes_its_error),
                cmocka_unit_test(test_socket_explicit_mptcp_refused_passes_error),
        };

        support_require_shim();
        if (support_in_child(with_mptcp_refused, EPERM) == NO_SANDBOX)
                support_skip("this process may not install a seccomp filter", 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_namespace(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_socket_namespace_without_mptcp_gives_tcp),
        };
        int r;

        support_enter_netns();
        support_require_shim();
        r = set_mptcp('0');
        if (r < 0)
                support_skip("cannot write net.mptcp.enabled", -r);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv) {
        const bool namespace = argc == 2 && strcmp(argv[1], "namespace") == 0;

        return (namespace ? run_namespace() : run_seccomp()) != 0;
}
