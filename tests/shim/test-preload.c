/*
 * The library in a program of ours: sockets of every kind, compared with what the kernel itself
 * says to the same call. Run by ./preload.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support.h"

enum { UNTOUCHED = 4711 };

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static const int domains[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_UNSPEC, 4095, -1 };
static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW, 0, 15, 65537 };
static const int flags[] = { 0, SOCK_NONBLOCK, SOCK_CLOEXEC, SOCK_NONBLOCK | SOCK_CLOEXEC };
static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, SUPPORT_MPTCP, 263, -1 };

static int n_fds_at_start;

/* What a call has led to: the descriptor's properties, or a negative errno in protocol. */
struct outcome {
        int protocol, status_flags, fd_flags;
};

static struct outcome outcome_of(int fd) {
        struct outcome o = { .protocol = -errno };

        if (fd < 0)
                return o;
        o.protocol = support_protocol(fd);
        o.status_flags = fcntl(fd, F_GETFL);
        o.fd_flags = fcntl(fd, F_GETFD);
        (void)close(fd);
        return o;
}

static bool is_tcp(int domain, int type, int protocol) {
        return (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM &&
               (protocol == 0 || protocol == IPPROTO_TCP);
}

static void check_call(int domain, int type, int flag, int protocol) {
        struct outcome kernel = outcome_of(support_kernel_socket(domain, type | flag, protocol));
        struct outcome hooked = outcome_of(socket(domain, type | flag, protocol));

        if (is_tcp(domain, type, protocol) && kernel.protocol == IPPROTO_TCP)
                kernel.protocol = SUPPORT_MPTCP;
        assert_int_equal(hooked.protocol, kernel.protocol);
        assert_int_equal(hooked.status_flags, kernel.status_flags);
        assert_int_equal(hooked.fd_flags, kernel.fd_flags);
}

static void test_socket_whole_matrix_differs_from_kernel_in_tcp_only(void **state) {
        (void)state;
        for (size_t d = 0; d < N_ELEMENTS(domains); d++)
                for (size_t t = 0; t < N_ELEMENTS(types); t++)
                        for (size_t f = 0; f < N_ELEMENTS(flags); f++)
                                for (size_t p = 0; p < N_ELEMENTS(protocols); p++)
                                        check_call(domains[d], types[t], flags[f], protocols[p]);
}

static void test_socket_tcp_becomes_mptcp(void **state) {
        (void)state;
        assert_int_equal(support_probe(AF_INET, SOCK_STREAM, 0), SUPPORT_MPTCP);
        assert_int_equal(support_probe(AF_INET, SOCK_STREAM, IPPROTO_TCP), SUPPORT_MPTCP);
}

static void test_socket_flags_kept_on_mptcp(void **state) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        (void)state;
        assert_int_equal(support_protocol(fd), SUPPORT_MPTCP);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(close(fd), 0);
}

static void test_socket_success_keeps_errno(void **state) {
        static const int kinds[] = { AF_INET, AF_UNIX };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
                int fd;

                errno = UNTOUCHED;
                fd = socket(kinds[i], SOCK_STREAM, 0);
                assert_int_equal(errno, UNTOUCHED);
                assert_int_equal(close(fd), 0);
        }
}

/* ./preload starts programs with descriptors 0, 1 and 2 only. */
static void test_constructor_keeps_no_descriptor(void **state) {
        (void)state;
        assert_int_equal(n_fds_at_start, 3);
}

static int fails_with_emfile(int unused) {
        const struct rlimit none = { 0, 0 };

        (void)unused;
        if (setrlimit(RLIMIT_NOFILE, &none) < 0)
                return 2;
        return support_probe(AF_INET, SOCK_STREAM, 0) == -EMFILE ? 0 : 1;
}

static void test_socket_no_descriptor_left_fails_emfile(void **state) {
        (void)state;
        assert_int_equal(support_in_child(fails_with_emfile, 0), 0);
}

static void test_socket_thousand_calls_leave_no_descriptor(void **state) {
        const int before = support_count_fds();

        (void)state;
        for (int i = 0; i < 1000; i++)
                assert_int_equal(support_probe(AF_INET, SOCK_STREAM, 0), SUPPORT_MPTCP);
        assert_int_equal(support_count_fds(), before);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_socket_whole_matrix_differs_from_kernel_in_tcp_only),
                cmocka_unit_test(test_socket_tcp_becomes_mptcp),
                cmocka_unit_test(test_socket_flags_kept_on_mptcp),
                cmocka_unit_test(test_socket_success_keeps_errno),
                cmocka_unit_test(test_constructor_keeps_no_descriptor),
                cmocka_unit_test(test_socket_no_descriptor_left_fails_emfile),
                cmocka_unit_test(test_socket_thousand_calls_leave_no_descriptor),
        };

        n_fds_at_start = support_count_fds();
        support_require_shim();
        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
