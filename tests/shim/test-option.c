/*
 * Unit tests of shim/option.c and shim/hook-option.c against a fake kernel behind them: the hooks
 * are compiled to call our fake_dlsym(), so every refusal can be played, and every call be counted.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "fd.h"
#include "option.h"

enum { MPTCP = 262, FD = 77, UNTOUCHED = 4711 };

/* Answers of the fake kernel, for the one descriptor there is; and what it was asked. */
static struct {
        int protocol;
        int domain;
        int listens;
        int set_error; /* of any setsockopt(), 0: success */
        int get_error; /* of any other getsockopt() than those above */
        char answer[16];
        socklen_t answer_len;
        uint8_t tcpi_state;
        uint32_t tcpi_pmtu;
        short revents;
        int readable[2]; /* first and second FIONREAD */
        int ioctl_error;
        int n_set, n_get, n_poll, n_ioctl;
} kernel;

static int refuse(int error) {
        errno = error;
        return -1;
}

static int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
        (void)fd, (void)level, (void)name, (void)value, (void)len;
        kernel.n_set++;
        return kernel.set_error ? refuse(kernel.set_error) : 0;
}

static int answer(void *value, socklen_t *len, const void *bytes, socklen_t n) {
        *len = *len < n ? *len : n;
        memcpy(value, bytes, *len);
        return 0;
}

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len) {
        struct tcp_info info = { .tcpi_state = kernel.tcpi_state, .tcpi_pmtu = kernel.tcpi_pmtu };

        (void)fd;
        kernel.n_get++;
        if (level == SOL_SOCKET && name == SO_PROTOCOL)
                return kernel.protocol < 0 ? refuse(ENOTSOCK)
                                           : answer(value, len, &kernel.protocol,
                                                    sizeof(kernel.protocol));
        if (level == SOL_SOCKET && name == SO_DOMAIN)
                return answer(value, len, &kernel.domain, sizeof(kernel.domain));
        if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
                return answer(value, len, &kernel.listens, sizeof(kernel.listens));
        if (level == IPPROTO_TCP && name == TCP_INFO)
                return answer(value, len, &info, sizeof(info));
        if (kernel.get_error)
                return refuse(kernel.get_error);
        return answer(value, len, kernel.answer, kernel.answer_len);
}

static int fake_poll(struct pollfd *fds, nfds_t n, int timeout) {
        assert_int_equal(n, 1);
        assert_int_equal(timeout, 0);
        kernel.n_poll++;
        fds->revents = kernel.revents;
        return kernel.revents != 0;
}

static int fake_ioctl(int fd, unsigned long request, ...) {
        va_list list;
        int *number;

        (void)fd;
        va_start(list, request);
        number = va_arg(list, int *);
        va_end(list);
        kernel.n_ioctl++;
        if (kernel.ioctl_error)
                return refuse(kernel.ioctl_error);
        if (request == FIONREAD)
                *number = kernel.readable[kernel.n_ioctl > 1];
        return 0;
}

/* What the library calls for dlsym(). Whatever else is looked for is not there. */
void *fake_dlsym(void *handle, const char *name);

/* cppcheck-suppress constParameter */
void *fake_dlsym(void *handle, const char *name) {
        static const struct {
                const char *name;
                void *function;
        } functions[] = {
                { "setsockopt", (void *)fake_setsockopt },
                { "getsockopt", (void *)fake_getsockopt },
                { "poll", (void *)fake_poll },
                { "ioctl", (void *)fake_ioctl },
        };

        if (handle != RTLD_NEXT)
                return NULL;
        for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
                if (strcmp(functions[i].name, name) == 0)
                        return functions[i].function;
        return NULL;
}

/* A kernel with an MPTCP socket of IPv6 that refuses all options; flags are those of its word. */
static void begin(uint32_t flags) {
        memset(&kernel, 0, sizeof(kernel));
        kernel.protocol = MPTCP;
        kernel.domain = AF_INET6;
        kernel.set_error = EOPNOTSUPP;
        kernel.get_error = EOPNOTSUPP;
        fd_begin(FD, flags);
        errno = UNTOUCHED;
}

static int set(int level, int name, int number) {
        return setsockopt(FD, level, name, &number, sizeof(number));
}

static void assert_set(int level, int name, int number) {
        assert_int_equal(set(level, name, number), 0);
        assert_int_equal(errno, UNTOUCHED);
}

static void assert_refused(int level, int name, int number, int error) {
        assert_int_equal(set(level, name, number), -1);
        assert_int_equal(errno, error);
        errno = UNTOUCHED;
}

static void assert_get(int level, int name, int expected) {
        int number = -4711;
        socklen_t len = sizeof(number);

        assert_int_equal(getsockopt(FD, level, name, &number, &len), 0);
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(len, sizeof(number));
        assert_int_equal(number, expected);
}

/* The table */

static void test_setsockopt_defer_accept_is_withheld(void **state) {
        int number = 0;
        socklen_t len = sizeof(number);

        (void)state;
        begin(FD_MPTCP);
        kernel.set_error = kernel.get_error = 0;
        kernel.answer_len = sizeof(int);
        assert_int_equal(set(IPPROTO_TCP, TCP_DEFER_ACCEPT, 5), 0);
        assert_int_equal(kernel.n_set, 0);
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_DEFER_ACCEPT, &number, &len), 0);
        assert_int_equal(number, 5);
        kernel.protocol = IPPROTO_TCP; /* accepted from a TCP client */
        assert_int_equal(set(IPPROTO_TCP, TCP_DEFER_ACCEPT, 5), 0);
        assert_int_equal(kernel.n_set, 1);
}

static void test_find_every_row_is_found_and_consistent(void **state) {
        int n = 0;

        (void)state;
        for (int level = 0; level < 256; level++)
                for (int name = 0; name < 256; name++) {
                        const struct option *row = option_find(level, name);

                        if (!row)
                                continue;
                        assert_int_equal(option_index(row) < 256, 1);
                        assert_non_null(row->text);
                        if (row->verb == OPTION_ACCEPT)
                                assert_in_range(row->initial - (int64_t)row->min, 0,
                                                (int64_t)row->max - row->min);
                        n++;
                }
        assert_true(n > 70);
        assert_null(option_find(SOL_SOCKET, SO_KEEPALIVE));
        assert_null(option_find(SOL_SOCKET + 65536, SO_OOBINLINE));
}

static void test_parse_edges_are_those_of_tcp(void **state) {
        static const struct {
                int level, name;
                int number;
                socklen_t len;
                int expected; /* negative: the error */
        } cases[] = {
                { IPPROTO_TCP, TCP_SYNCNT, 0, 4, -EINVAL },
                { IPPROTO_TCP, TCP_SYNCNT, 1, 4, 1 },
                { IPPROTO_TCP, TCP_SYNCNT, 127, 4, 127 },
                { IPPROTO_TCP, TCP_SYNCNT, 128, 4, -EINVAL },
                { IPPROTO_TCP, TCP_SYNCNT, 5, 3, -EINVAL },
                { IPPROTO_TCP, TCP_SYNCNT, 5, 8, 5 },
                { IPPROTO_TCP, TCP_QUICKACK, -7, 4, 1 },
                { IPPROTO_TCP, TCP_USER_TIMEOUT, -1, 4, -EINVAL },
                { IPPROTO_IP, IP_TTL, -1, 4, 64 },
                { IPPROTO_IP, IP_TTL, 0, 4, -EINVAL },
                { IPPROTO_IP, IP_TTL, 255, 1, 255 },
                { IPPROTO_IP, IP_TTL, 255, 0, -EINVAL },
                { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255, 1, -EINVAL },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                const int in[2] = { cases[i].number, 0 };
                int number = UNTOUCHED;
                int r = option_parse(option_find(cases[i].level, cases[i].name), in, cases[i].len,
                                     &number);

                if (r == 0)
                        assert_int_equal(number, cases[i].expected);
                else
                        assert_int_equal(r, cases[i].expected);
        }
        assert_int_equal(option_parse(option_find(IPPROTO_IP, IP_TTL), NULL, 4, &(int){ 0 }),
                         -EFAULT);
}

static void test_format_short_buffer_is_filled_as_the_kernel_does(void **state) {
        const struct option *tcp = option_find(IPPROTO_TCP, TCP_SYNCNT);
        const struct option *ip = option_find(IPPROTO_IP, IP_TTL);
        unsigned char bytes[8];

        (void)state;
        for (socklen_t len = 0; len <= sizeof(bytes); len++) {
                memset(bytes, 0xaa, sizeof(bytes));
                assert_int_equal(option_format(tcp, 3, bytes, len), len < 4 ? len : 4);
                assert_int_equal(bytes[len < 4 ? len : 4], len < 8 || len == 8 ? 0xaa : 0);
                assert_int_equal(option_format(ip, 33, bytes, len), len == 0 ? 0 : len < 4 ? 1 : 4);
        }
}

static void test_readable_fin_queued_is_not_counted(void **state) {
        (void)state;
        assert_int_equal(option_readable(6, POLLIN | POLLRDHUP), 5);
        assert_int_equal(option_readable(1, POLLIN | POLLRDHUP), 0);
        assert_int_equal(option_readable(0, POLLIN | POLLRDHUP), 0);
        assert_int_equal(option_readable(1, POLLHUP), 0);
        assert_int_equal(option_readable(5, POLLIN | POLLHUP), 5);
        assert_int_equal(option_readable(5, POLLIN), 5);
}

/* Setting and getting */

static void test_setsockopt_taken_is_passed(void **state) {
        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        kernel.set_error = 0;
        assert_set(SOL_SOCKET, SO_OOBINLINE, 1);
        assert_int_equal(kernel.n_set, 1);
        assert_int_equal(kernel.n_get, 0);
        assert_null(fd_record(FD));
}

static void test_setsockopt_taken_before_connect_is_noted(void **state) {
        const struct fd_option *noted;

        (void)state;
        begin(FD_MPTCP);
        kernel.set_error = 0;
        assert_set(SOL_SOCKET, SO_KEEPALIVE, 1);
        noted = fd_find_option(FD, SOL_SOCKET, SO_KEEPALIVE);
        assert_non_null(noted);
        assert_int_equal(noted->len, sizeof(int));
        assert_int_equal(noted->value[0], 1);
        assert_false(noted->accepted);
        assert_int_equal(setsockopt(FD, SOL_SOCKET, SO_RCVTIMEO, (int[4]){ 5 }, 16), 0);
        assert_int_equal(setsockopt(FD, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
        assert_int_equal(fd_flags(FD) & (FD_TIMEOUT | FD_DEVICE), FD_TIMEOUT | FD_DEVICE);
}

static void test_setsockopt_refused_is_accepted_and_remembered(void **state) {
        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        assert_get(SOL_SOCKET, SO_OOBINLINE, 0);
        assert_get(IPPROTO_TCP, TCP_SYNCNT, 6);
        assert_set(SOL_SOCKET, SO_OOBINLINE, 5);
        assert_set(IPPROTO_TCP, TCP_SYNCNT, 3);
        assert_set(IPPROTO_IPV6, IPV6_TCLASS, 16);
        assert_get(SOL_SOCKET, SO_OOBINLINE, 1);
        assert_get(IPPROTO_TCP, TCP_SYNCNT, 3);
        assert_get(IPPROTO_IPV6, IPV6_TCLASS, 16);
        assert_true(fd_flags(FD) & FD_ACCEPTED);
}

static void test_getsockopt_accepted_but_answered_says_what_was_set(void **state) {
        (void)state;
        begin(FD_MPTCP);
        assert_set(SOL_SOCKET, SO_OOBINLINE, 1);
        kernel.get_error = 0;
        kernel.answer_len = sizeof(int);
        assert_get(SOL_SOCKET, SO_OOBINLINE, 1);
        /* A kernel that takes it from now on is believed. */
        kernel.set_error = 0;
        assert_set(SOL_SOCKET, SO_OOBINLINE, 1);
        assert_get(SOL_SOCKET, SO_OOBINLINE, 0);
}

static void test_setsockopt_bad_value_is_refused_as_by_tcp(void **state) {
        (void)state;
        begin(FD_MPTCP);
        assert_refused(IPPROTO_TCP, TCP_USER_TIMEOUT, -1, EINVAL);
        assert_int_equal(setsockopt(FD, IPPROTO_TCP, TCP_USER_TIMEOUT, NULL, 4), -1);
        assert_int_equal(errno, EFAULT);
        assert_int_equal(option_user_timeout(FD), 0);
}

static void test_setsockopt_unknown_or_other_error_stands(void **state) {
        (void)state;
        begin(FD_MPTCP);
        assert_refused(SOL_SOCKET, 4095, 1, EOPNOTSUPP);
        kernel.set_error = EPERM;
        assert_refused(SOL_SOCKET, SO_OOBINLINE, 1, EPERM);
        assert_int_equal(kernel.n_get, 0);
}

static void test_setsockopt_refused_on_tcp_stands(void **state) {
        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        kernel.protocol = IPPROTO_TCP;
        assert_refused(IPPROTO_TCP, TCP_USER_TIMEOUT, 1, EOPNOTSUPP);
        assert_int_equal(fd_flags(FD) & FD_KIND, FD_OTHER);
        begin(FD_OTHER);
        assert_refused(IPPROTO_TCP, TCP_USER_TIMEOUT, 1, EOPNOTSUPP);
        assert_int_equal(kernel.n_get, 0);
}

static void test_setsockopt_ipv6_option_on_ipv4_stands(void **state) {
        (void)state;
        begin(FD_MPTCP);
        kernel.domain = AF_INET;
        assert_refused(IPPROTO_IPV6, IPV6_TCLASS, 1, EOPNOTSUPP);
        assert_set(IPPROTO_IP, IP_TTL, 1);
}

static void test_setsockopt_bind_option_is_accepted_once_connected(void **state) {
        (void)state;
        begin(FD_MPTCP);
        kernel.set_error = EINVAL;
        assert_refused(SOL_SOCKET, SO_REUSEADDR, 1, EINVAL);
        fd_set_flags(FD, FD_CONNECTED);
        assert_set(SOL_SOCKET, SO_REUSEADDR, 1);
        assert_refused(SOL_SOCKET, SO_BINDTODEVICE, 1, EINVAL);
        assert_refused(SOL_SOCKET, SO_OOBINLINE, 1, EINVAL);
}

static void test_setsockopt_demotion_refused_keeps_the_error(void **state) {
        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        assert_refused(SOL_SOCKET, SO_PEEK_OFF, 1, EOPNOTSUPP);
        assert_get(SOL_SOCKET, SO_PEEK_OFF, -1);
        assert_int_equal(setsockopt(FD, IPPROTO_TCP, TCP_ULP, "tls", 3), -1);
        assert_int_equal(errno, ENOENT);
        assert_null(fd_find_option(FD, SOL_SOCKET, SO_PEEK_OFF));
}

static void test_setsockopt_inherited_socket_is_adopted(void **state) {
        (void)state;
        begin(FD_UNKNOWN);
        kernel.listens = 1;
        assert_set(IPPROTO_TCP, TCP_LINGER2, 9);
        assert_get(IPPROTO_TCP, TCP_LINGER2, 9);
        assert_int_equal(fd_flags(FD), FD_MPTCP | FD_SHARED | FD_LISTENING | FD_ACCEPTED);
}

static void test_user_timeout_accepted_is_known(void **state) {
        (void)state;
        begin(FD_MPTCP);
        assert_int_equal(option_user_timeout(FD), 0);
        assert_set(IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
        assert_int_equal(option_user_timeout(FD), 12345);
        kernel.set_error = 0;
        assert_set(IPPROTO_TCP, TCP_USER_TIMEOUT, 777);
        assert_int_equal(option_user_timeout(FD), 0);
}

static void test_getsockopt_protocol_is_tcp(void **state) {
        unsigned char byte = 0;
        socklen_t len = 1;

        (void)state;
        begin(FD_UNKNOWN);
        assert_get(SOL_SOCKET, SO_PROTOCOL, IPPROTO_TCP);
        assert_int_equal(getsockopt(FD, SOL_SOCKET, SO_PROTOCOL, &byte, &len), 0);
        assert_int_equal(byte, IPPROTO_TCP);
        kernel.protocol = IPPROTO_UDP;
        assert_get(SOL_SOCKET, SO_PROTOCOL, IPPROTO_UDP);
        /* A program that asked for MPTCP by itself may know. */
        begin(FD_OTHER);
        assert_get(SOL_SOCKET, SO_PROTOCOL, MPTCP);
}

static void test_getsockopt_ulp_is_empty(void **state) {
        char name[16] = "";
        socklen_t len = sizeof(name);

        (void)state;
        begin(FD_MPTCP);
        kernel.get_error = 0;
        memcpy(kernel.answer, "mptcp", 6);
        kernel.answer_len = 6;
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_ULP, name, &len), 0);
        assert_int_equal(len, 0);
        memcpy(kernel.answer, "tls", 4);
        kernel.answer_len = 4;
        len = sizeof(name);
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_ULP, name, &len), 0);
        assert_int_equal(len, 4);
}

static void test_getsockopt_info_says_close_wait_after_fin(void **state) {
        struct tcp_info info;
        socklen_t len = sizeof(info);

        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        kernel.tcpi_state = TCP_ESTABLISHED;
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
        assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
        kernel.revents = POLLRDHUP;
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
        assert_int_equal(info.tcpi_state, TCP_CLOSE_WAIT);
        kernel.tcpi_state = TCP_FIN_WAIT2;
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
        assert_int_equal(info.tcpi_state, TCP_FIN_WAIT2);
        assert_int_equal(errno, UNTOUCHED);
}

static void test_getsockopt_mtu_is_that_of_the_path(void **state) {
        int mtu = 0;
        socklen_t len = sizeof(mtu);

        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        kernel.tcpi_state = TCP_ESTABLISHED;
        kernel.tcpi_pmtu = 1400;
        assert_get(IPPROTO_IP, IP_MTU, 1400);
        assert_get(IPPROTO_IPV6, IPV6_MTU, 1400);
        kernel.tcpi_state = TCP_CLOSE;
        assert_int_equal(getsockopt(FD, IPPROTO_IP, IP_MTU, &mtu, &len), -1);
        assert_int_equal(errno, ENOTCONN);
}

static void test_getsockopt_ip_options_are_empty(void **state) {
        char options[40];
        socklen_t len = sizeof(options);

        (void)state;
        begin(FD_MPTCP);
        assert_int_equal(getsockopt(FD, IPPROTO_IP, IP_OPTIONS, options, &len), 0);
        assert_int_equal(len, 0);
        len = (socklen_t)-1;
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_SYNCNT, options, &len), -1);
        assert_int_equal(errno, EINVAL);
}

/* ioctl() */

static void test_ioctl_readable_leaves_out_the_fin(void **state) {
        int n = 0;

        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        kernel.readable[0] = 5;
        kernel.readable[1] = 9; /* another came, and the FIN */
        kernel.revents = POLLIN;
        assert_int_equal(ioctl(FD, FIONREAD, &n), 0);
        assert_int_equal(n, 5);
        kernel.n_ioctl = 0;
        kernel.revents = POLLIN | POLLRDHUP;
        assert_int_equal(ioctl(FD, FIONREAD, &n), 0);
        assert_int_equal(n, 8);
        assert_int_equal(errno, UNTOUCHED);
}

static void test_ioctl_readable_nothing_or_no_mptcp_is_passed(void **state) {
        int n = 0;

        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        kernel.revents = POLLIN | POLLRDHUP;
        assert_int_equal(ioctl(FD, FIONREAD, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(kernel.n_get + kernel.n_poll, 0);
        kernel.protocol = -1; /* a pipe, say */
        kernel.readable[0] = kernel.readable[1] = 7;
        fd_begin(FD, FD_UNKNOWN);
        assert_int_equal(ioctl(FD, FIONREAD, &n), 0);
        assert_int_equal(n, 7);
        assert_int_equal(kernel.n_poll, 0);
        assert_int_equal(fd_flags(FD), FD_UNKNOWN);
}

static void test_ioctl_mark_is_none(void **state) {
        int mark = 1;

        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        kernel.ioctl_error = ENOTTY;
        assert_int_equal(ioctl(FD, SIOCATMARK, &mark), 0);
        assert_int_equal(mark, 0);
        assert_int_equal(sockatmark(FD), 0);
        assert_int_equal(errno, UNTOUCHED);
        kernel.protocol = IPPROTO_TCP;
        assert_int_equal(sockatmark(FD), -1);
        assert_int_equal(errno, ENOTTY);
}

static void test_ioctl_nonblocking_is_noted(void **state) {
        (void)state;
        begin(FD_MPTCP);
        assert_int_equal(ioctl(FD, FIONBIO, &(int){ 1 }), 0);
        assert_true(fd_flags(FD) & FD_NONBLOCK);
        assert_int_equal(ioctl(FD, FIONBIO, &(int){ 0 }), 0);
        assert_false(fd_flags(FD) & FD_NONBLOCK);
}

/* The last one: there is no way out of a sandbox. */
static void test_confined_nothing_but_the_call_is_made(void **state) {
        struct tcp_info info;
        socklen_t len = sizeof(info);
        int n;

        (void)state;
        begin(FD_MPTCP | FD_CONNECTED);
        fd_confine();
        assert_set(SOL_SOCKET, SO_OOBINLINE, 1);
        assert_get(SOL_SOCKET, SO_OOBINLINE, 1);
        assert_refused(SOL_SOCKET, SO_PEEK_OFF, 1, EOPNOTSUPP);
        assert_int_equal(kernel.n_set, 2);
        assert_int_equal(kernel.n_get, 1);
        kernel.tcpi_state = TCP_ESTABLISHED;
        kernel.revents = POLLIN | POLLRDHUP;
        kernel.readable[0] = 3;
        assert_int_equal(getsockopt(FD, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
        assert_int_equal(ioctl(FD, FIONREAD, &n), 0);
        assert_int_equal(kernel.n_get, 2);
        assert_int_equal(kernel.n_ioctl, 1);
        assert_int_equal(kernel.n_poll, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_setsockopt_defer_accept_is_withheld),
                cmocka_unit_test(test_find_every_row_is_found_and_consistent),
                cmocka_unit_test(test_parse_edges_are_those_of_tcp),
                cmocka_unit_test(test_format_short_buffer_is_filled_as_the_kernel_does),
                cmocka_unit_test(test_readable_fin_queued_is_not_counted),
                cmocka_unit_test(test_setsockopt_taken_is_passed),
                cmocka_unit_test(test_setsockopt_taken_before_connect_is_noted),
                cmocka_unit_test(test_setsockopt_refused_is_accepted_and_remembered),
                cmocka_unit_test(test_getsockopt_accepted_but_answered_says_what_was_set),
                cmocka_unit_test(test_setsockopt_bad_value_is_refused_as_by_tcp),
                cmocka_unit_test(test_setsockopt_unknown_or_other_error_stands),
                cmocka_unit_test(test_setsockopt_refused_on_tcp_stands),
                cmocka_unit_test(test_setsockopt_ipv6_option_on_ipv4_stands),
                cmocka_unit_test(test_setsockopt_bind_option_is_accepted_once_connected),
                cmocka_unit_test(test_setsockopt_demotion_refused_keeps_the_error),
                cmocka_unit_test(test_setsockopt_inherited_socket_is_adopted),
                cmocka_unit_test(test_user_timeout_accepted_is_known),
                cmocka_unit_test(test_getsockopt_protocol_is_tcp),
                cmocka_unit_test(test_getsockopt_ulp_is_empty),
                cmocka_unit_test(test_getsockopt_info_says_close_wait_after_fin),
                cmocka_unit_test(test_getsockopt_mtu_is_that_of_the_path),
                cmocka_unit_test(test_getsockopt_ip_options_are_empty),
                cmocka_unit_test(test_ioctl_readable_leaves_out_the_fin),
                cmocka_unit_test(test_ioctl_readable_nothing_or_no_mptcp_is_passed),
                cmocka_unit_test(test_ioctl_mark_is_none),
                cmocka_unit_test(test_ioctl_nonblocking_is_noted),
                cmocka_unit_test(test_confined_nothing_but_the_call_is_made),
        };

        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
