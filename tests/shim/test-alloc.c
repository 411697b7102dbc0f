/*
 * No hook allocates: neither the first call nor later ones, nor those that fall back. (A look-up of
 * the next library, which the constructor does here, neither: see test-early.c.) Run by ./preload,
 * with alloc.c behind the library; under AddressSanitizer, which has to own malloc(), without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc.h"
#include "support.h"

static atomic_ulong n_seen_by_sanitizer;

typedef void malloc_hook(const volatile void *memory, size_t size);
typedef void free_hook(const volatile void *memory);

/* From <sanitizer/allocator_interface.h>; NULL in programs without AddressSanitizer. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-*) */
int __sanitizer_install_malloc_and_free_hooks(malloc_hook *, free_hook *) __attribute__((weak));

static void on_malloc(const volatile void *memory, size_t size) {
        (void)memory;
        (void)size;
        atomic_fetch_add(&n_seen_by_sanitizer, 1);
}

static void on_free(const volatile void *memory) {
        (void)memory;
}

static unsigned long count(void) {
        return alloc_count ? alloc_count() : atomic_load(&n_seen_by_sanitizer);
}

/* The first socket() of the process, so nothing is warm. */
static unsigned long n_first_call;

static void test_socket_first_call_allocates_nothing(void **state) {
        (void)state;
        assert_int_equal(n_first_call, 0);
}

static void test_socket_thousand_calls_allocate_nothing(void **state) {
        const unsigned long before = count();
        int wrong = 0;

        (void)state;
        for (int i = 0; i < 1000; i++)
                wrong += support_probe(AF_INET, SOCK_STREAM, 0) != SUPPORT_MPTCP;
        assert_int_equal(count() - before, 0);
        assert_int_equal(wrong, 0);
}

static int fall_back(int error) {
        unsigned long before;
        int protocol;

        if (support_refuse_protocol(SUPPORT_MPTCP, error) < 0)
                return 2;
        before = count();
        protocol = support_probe(AF_INET, SOCK_STREAM, 0);
        return protocol == IPPROTO_TCP && count() == before ? 0 : 1;
}

static void test_socket_falling_back_allocates_nothing(void **state) {
        (void)state;
        assert_int_equal(support_in_child(fall_back, EPERM), 0);
}

/* A socket that becomes TCP at connect(), with all that takes a hook before and after it. */
static int live(int listener, const struct sockaddr_in *address) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), epfd = epoll_create1(0), one = 1, copy, peer, n;
        struct epoll_event event = { .events = EPOLLIN };
        char byte = 0;

        n = setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)) < 0;
        n += epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0;
        n += fcntl(fd, F_SETFL, fcntl(fd, F_GETFL)) < 0;
        n += connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0;
        peer = accept(listener, NULL, NULL);
        copy = dup(peer);
        n += send(peer, "x", 1, 0) != 1;
        n += recv(fd, &byte, 1, 0) != 1;
        n += ioctl(fd, FIONREAD, &one) < 0;
        n += close(copy) + close(peer) + close(fd) + close(epfd);
        return n;
}

static void test_life_of_descriptor_allocates_nothing(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        int listener = socket(AF_INET, SOCK_STREAM, 0), n = 0;
        socklen_t len = sizeof(address);
        unsigned long before;

        (void)state;
        before = count();
        n += listen(listener, 5) < 0;
        n += getsockname(listener, (struct sockaddr *)&address, &len) < 0;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        n += live(listener, &address);
        assert_int_equal(count() - before, 0);
        assert_int_equal(n, 0);
        assert_int_equal(close(listener), 0);
}

/* The counter counts: or the tests above would prove nothing. */
static void test_count_malloc_is_seen(void **state) {
        const unsigned long before = count();
        void *memory = malloc(1);

        (void)state;
        assert_non_null(memory);
        free(memory);
        assert_int_equal(count() - before, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_count_malloc_is_seen),
                cmocka_unit_test(test_socket_first_call_allocates_nothing),
                cmocka_unit_test(test_socket_thousand_calls_allocate_nothing),
                cmocka_unit_test(test_socket_falling_back_allocates_nothing),
                cmocka_unit_test(test_life_of_descriptor_allocates_nothing),
        };
        unsigned long before;

        if (__sanitizer_install_malloc_and_free_hooks)
                (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
        else if (!alloc_count)
                return 2;

        before = count();
        (void)support_probe(AF_INET, SOCK_STREAM, 0);
        n_first_call = count() - before;
        support_require_shim();
        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
