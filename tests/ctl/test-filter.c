/*
 * ctl/supervise-filter: the program, interpreted here, stops just the calls that matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "../../daemon/ctl/run/supervise-filter.h"
#include "../../daemon/util/cleanup.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define NATIVE AUDIT_ARCH_I386
#elif defined(__arm__)
#define NATIVE AUDIT_ARCH_ARM
#else
#define NATIVE AUDIT_ARCH_RISCV64
#endif

/* The few instructions that such programs are made of. */
static uint32_t interpret(const struct sock_filter *program, size_t n,
                          const struct seccomp_data *data) {
        uint32_t a = 0;
        size_t i;

        for (i = 0; i < n; i++) {
                const struct sock_filter *at = &program[i];

                switch (at->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        assert_true(at->k <= sizeof(*data) - sizeof(a));
                        memcpy(&a, (const char *)data + at->k, sizeof(a));
                        break;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= at->k;
                        break;
                case BPF_JMP | BPF_JA:
                        i += at->k;
                        break;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        i += a == at->k ? at->jt : at->jf;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        i += a >= at->k ? at->jt : at->jf;
                        break;
                case BPF_RET | BPF_K:
                        return at->k;
                default:
                        fail_msg("instruction %zu", i);
                }
        }
        fail_msg("the program has no end");
        return 0;
}

static bool stops(uint32_t arch, int nr, uint64_t first, uint64_t second, uint64_t third) {
        const struct seccomp_data data = { .arch = arch,
                                           .nr = nr,
                                           .args = { first, second, third } };
        struct sock_filter program[FILTER_INSTRUCTIONS];
        uint32_t verdict = interpret(program, filter_build(program), &data);

        assert_true(verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_USER_NOTIF);
        return verdict == SECCOMP_RET_USER_NOTIF;
}

static bool stops_socket(int domain, int type, int protocol) {
        return stops(NATIVE, __NR_socket, (uint64_t)domain, (uint64_t)type, (uint64_t)protocol);
}

static void test_filter_stops_tcp_sockets(void **state) {
        (void)state;
        assert_true(stops_socket(AF_INET, SOCK_STREAM, 0));
        assert_true(stops_socket(AF_INET6, SOCK_STREAM, 0));
        assert_true(stops_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        assert_true(stops_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        /* arguments are ints: what is above them in the register does not count */
        assert_true(stops(NATIVE, __NR_socket, UINT64_C(0xffffffff00000002), SOCK_STREAM, 0));
}

static void test_filter_passes_other_sockets(void **state) {
        (void)state;
        assert_false(stops_socket(AF_UNIX, SOCK_STREAM, 0));
        assert_false(stops_socket(AF_NETLINK, SOCK_STREAM, 0));
        assert_false(stops_socket(AF_INET, SOCK_DGRAM, 0));
        assert_false(stops_socket(AF_INET6, SOCK_RAW, IPPROTO_TCP));
        assert_false(stops_socket(AF_INET, SOCK_STREAM, 262)); /* it is MPTCP already */
        assert_false(stops_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
        assert_false(stops_socket(AF_INET, SOCK_STREAM | 0x100, 0));
}

static void test_filter_stops_addresses_of_the_internet(void **state) {
        static const int calls[] = { __NR_connect, __NR_bind };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(calls); i++) {
                assert_true(stops(NATIVE, calls[i], 3, 0, sizeof(struct sockaddr_in)));
                assert_true(stops(NATIVE, calls[i], 3, 0, sizeof(struct sockaddr_in6)));
                assert_true(stops(NATIVE, calls[i], 3, 0, sizeof(struct sockaddr_storage)));
                assert_false(stops(NATIVE, calls[i], 3, 0, sizeof(struct sockaddr_un)));
                assert_false(stops(NATIVE, calls[i], 3, 0, sizeof(struct sockaddr_in) - 1));
                assert_false(stops(NATIVE, calls[i], 3, 0, 0));
        }
}

static void test_filter_stops_what_changes_a_process(void **state) {
        (void)state;
        assert_true(stops(NATIVE, __NR_listen, 3, 5, 0));
        assert_true(stops(NATIVE, __NR_execve, 0, 0, 0));
        assert_true(stops(NATIVE, __NR_execveat, 0, 0, 0));
}

static void test_filter_passes_other_calls(void **state) {
        static const int calls[] = { __NR_read,    __NR_write,  __NR_sendto, __NR_recvfrom,
                                     __NR_accept4, __NR_close,  __NR_ioctl,  __NR_epoll_ctl,
                                     __NR_futex,   __NR_openat, -1,          0x7fffffff };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(calls); i++) {
                assert_false(stops(NATIVE, calls[i], AF_INET, SOCK_STREAM, 0));
                assert_int_equal(filter_call(NATIVE, calls[i]), FILTER_NONE);
        }
        assert_false(stops(0x12345678, __NR_socket, AF_INET, SOCK_STREAM, 0));
}

static void test_filter_knows_other_abis(void **state) {
        (void)state;
#if defined(__x86_64__)
        assert_true(stops(AUDIT_ARCH_I386, 359, AF_INET, SOCK_STREAM, 0));
        assert_int_equal(filter_call(AUDIT_ARCH_I386, 359), FILTER_SOCKET);
        assert_false(stops(AUDIT_ARCH_I386, __NR_socket, AF_INET, SOCK_STREAM, 0));
        assert_true(stops(AUDIT_ARCH_I386, 11, 0, 0, 0));
        assert_true(stops(NATIVE, 0x40000000 | __NR_socket, AF_INET, SOCK_STREAM, 0));
#else
        skip();
#endif
        assert_int_equal(filter_call(NATIVE, __NR_connect), FILTER_CONNECT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_filter_stops_tcp_sockets),
                cmocka_unit_test(test_filter_passes_other_sockets),
                cmocka_unit_test(test_filter_stops_addresses_of_the_internet),
                cmocka_unit_test(test_filter_stops_what_changes_a_process),
                cmocka_unit_test(test_filter_passes_other_calls),
                cmocka_unit_test(test_filter_knows_other_abis),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
