/*
 * Sockets that begin as MPTCP and become TCP, on the real kernel: what was done to the first has to
 * be found on the second. A control, made TCP by a plain system call, has the same done to it. Run
 * by ./preload; without a policy, loopback and sockets bound to one address are TCP.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support.h"

enum { UNTOUCHED = 4711 };

#define COOKIE    UINT64_C(0x1122334455667788)
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* Values that are nobody's default. */
static const struct {
        int level, name, value;
} options[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },    { SOL_SOCKET, SO_RCVBUF, 33333 },
        { SOL_SOCKET, SO_SNDBUF, 44444 },   { SOL_SOCKET, SO_PRIORITY, 3 },
        { SOL_SOCKET, SO_REUSEADDR, 1 },    { IPPROTO_TCP, TCP_NODELAY, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 77 },  { IPPROTO_TCP, TCP_KEEPCNT, 5 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 11 }, { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5555 },
        { IPPROTO_IP, IP_TOS, 0x10 },
};

static int listener;
static struct sockaddr_in address; /* of the listener, which is plain TCP on loopback */

static int get_option(int fd, int level, int name) {
        socklen_t len = sizeof(int);
        int value = -1;

        return getsockopt(fd, level, name, &value, &len) < 0 ? -errno : value;
}

static void set_options(int fd) {
        for (size_t i = 0; i < N_OPTIONS; i++)
                assert_return_code(setsockopt(fd, options[i].level, options[i].name,
                                              &options[i].value, sizeof(int)),
                                   errno);
}

static int bind_any(int fd, uint32_t host, uint16_t port) {
        const struct sockaddr_in any = { .sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(host) };

        return bind(fd, (const struct sockaddr *)&any, sizeof(any));
}

static uint16_t port_of(int fd) {
        struct sockaddr_in local = { 0 };
        socklen_t len = sizeof(local);

        assert_return_code(getsockname(fd, (struct sockaddr *)&local, &len), errno);
        return ntohs(local.sin_port);
}

static int connect_to_listener(int fd) {
        return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static int make_mptcp(void) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_int_equal(support_protocol(fd), SUPPORT_MPTCP);
        return fd;
}

static int set_up(void **state) {
        (void)state;
        errno = UNTOUCHED;
        return 0;
}

static void test_connect_loopback_keeps_options(void **state) {
        int control = support_kernel_socket(AF_INET, SOCK_STREAM, 0), fd = make_mptcp();

        (void)state;
        set_options(control);
        set_options(fd);
        errno = UNTOUCHED;
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        for (size_t i = 0; i < N_OPTIONS; i++)
                assert_int_equal(get_option(fd, options[i].level, options[i].name),
                                 get_option(control, options[i].level, options[i].name));
        assert_int_equal(close(fd), 0);
        assert_int_equal(close(control), 0);
}

static void test_connect_loopback_ipv6_becomes_tcp(void **state) {
        int fd = socket(AF_INET6, SOCK_STREAM, 0), server = support_kernel_socket(AF_INET6, 1, 0);
        struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        socklen_t len = sizeof(local);

        (void)state;
        if (server < 0 || bind(server, (struct sockaddr *)&local, len) < 0)
                skip();
        assert_int_equal(listen(server, 1), 0);
        assert_int_equal(getsockname(server, (struct sockaddr *)&local, &len), 0);
        assert_int_equal(support_protocol(fd), SUPPORT_MPTCP);
        assert_int_equal(connect(fd, (struct sockaddr *)&local, len), 0);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        assert_int_equal(get_option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET6);
        assert_int_equal(close(fd), 0);
        assert_int_equal(close(server), 0);
}

static void test_connect_loopback_keeps_descriptor_flags(void **state) {
        (void)state;
        for (int i = 0; i < 4; i++) {
                int nonblock = i & 1 ? SOCK_NONBLOCK : 0, cloexec = i & 2 ? SOCK_CLOEXEC : 0;
                int fd = socket(AF_INET, SOCK_STREAM | nonblock | cloexec, 0), r;

                r = connect_to_listener(fd);
                assert_true(r == 0 || (nonblock && errno == EINPROGRESS));
                assert_int_equal(support_protocol(fd), IPPROTO_TCP);
                assert_int_equal(!!(fcntl(fd, F_GETFL) & O_NONBLOCK), !!nonblock);
                assert_int_equal(!!(fcntl(fd, F_GETFD) & FD_CLOEXEC), !!cloexec);
                assert_int_equal(close(fd), 0);
        }
}

static sig_atomic_t signalled_fd;

static void on_io(int number, siginfo_t *info, void *context) {
        (void)number;
        (void)context;
        signalled_fd = info->si_fd;
}

/* Asynchronous I/O, to this process and with a signal of choice, speaks of the right descriptor. */
static void test_connect_loopback_keeps_owner_and_signal(void **state) {
        const struct sigaction action = { .sa_sigaction = on_io, .sa_flags = SA_SIGINFO };
        const struct timespec patience = { .tv_sec = 20 };
        struct f_owner_ex owner = { F_OWNER_PID, getpid() }, found = { 0 };
        int fd = make_mptcp(), peer;
        sigset_t set, before;

        (void)state;
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGRTMIN);
        assert_int_equal(sigaction(SIGRTMIN, &action, NULL), 0);
        assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
        assert_int_equal(fcntl(fd, F_SETOWN_EX, &owner), 0);
        assert_int_equal(fcntl(fd, F_SETSIG, SIGRTMIN), 0);
        assert_int_equal(fcntl(fd, F_SETFL, O_ASYNC), 0);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        assert_int_equal(fcntl(fd, F_GETSIG), SIGRTMIN);
        assert_int_equal(fcntl(fd, F_GETOWN_EX, &found), 0);
        assert_int_equal(found.pid, owner.pid);
        assert_int_equal(found.type, owner.type);
        peer = accept(listener, NULL, NULL);
        assert_int_equal(write(peer, "x", 1), 1);
        while (signalled_fd != fd) {
                siginfo_t info;

                assert_int_equal(sigtimedwait(&set, &info, &patience), SIGRTMIN);
                signalled_fd = info.si_fd;
        }
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
        assert_int_equal(close(peer), 0);
        assert_int_equal(close(fd), 0);
}

static bool is_free(uint16_t port, bool reuse) {
        int fd = support_kernel_socket(AF_INET, SOCK_STREAM, 0), one = reuse, r;

        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        r = bind_any(fd, INADDR_ANY, port);
        (void)close(fd);
        return r == 0;
}

static void test_connect_loopback_keeps_port_to_itself(void **state) {
        int fd = make_mptcp();
        uint16_t port;

        (void)state;
        assert_int_equal(bind_any(fd, INADDR_ANY, 0), 0);
        assert_int_equal(support_protocol(fd), SUPPORT_MPTCP);
        port = port_of(fd);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        assert_int_equal(port_of(fd), port);
        assert_int_equal(get_option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
        assert_false(is_free(port, false));
        assert_false(is_free(port, true));
        assert_int_equal(close(fd), 0);
}

static void test_bind_one_address_becomes_tcp(void **state) {
        static const uint32_t hosts[] = { INADDR_LOOPBACK, SUPPORT_HOST };

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                int fd = make_mptcp();

                assert_int_equal(bind_any(fd, hosts[i], 0), 0);
                assert_int_equal(support_protocol(fd), IPPROTO_TCP);
                assert_int_equal(close(fd), 0);
        }
}

static void test_listen_everywhere_stays_mptcp(void **state) {
        int fd = make_mptcp();

        (void)state;
        assert_int_equal(bind_any(fd, INADDR_ANY, 0), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(support_protocol(fd), SUPPORT_MPTCP);
        assert_int_equal(close(fd), 0);
}

static void check_watch(uint32_t how) {
        struct epoll_event event = { .events = EPOLLOUT | how, .data.u64 = COOKIE }, seen = { 0 };
        int fd = make_mptcp(), epfd = epoll_create1(EPOLL_CLOEXEC);

        assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), 0);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        assert_int_equal(epoll_wait(epfd, &seen, 1, 20000), 1);
        assert_true(seen.data.u64 == COOKIE);
        assert_int_equal(seen.events, EPOLLOUT);
        /* Seen again only if it is level-triggered and for good. */
        assert_int_equal(epoll_wait(epfd, &seen, 1, 0), how & (EPOLLET | EPOLLONESHOT) ? 0 : 1);
        /* And it is known by its number. */
        assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL), 0);
        assert_int_equal(close(epfd), 0);
        assert_int_equal(close(fd), 0);
}

static void test_connect_loopback_keeps_epoll_registrations(void **state) {
        (void)state;
        check_watch(0);
        check_watch(EPOLLET);
        check_watch(EPOLLONESHOT);
        check_watch(EPOLLET | EPOLLONESHOT);
        check_watch(EPOLLEXCLUSIVE);
}

static void test_connect_loopback_last_epoll_data_counts(void **state) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = 1 }, seen = { 0 };
        int fd = make_mptcp(), epfds[2] = { epoll_create1(0), epoll_create1(0) };

        (void)state;
        for (int i = 0; i < 2; i++)
                assert_int_equal(epoll_ctl(epfds[i], EPOLL_CTL_ADD, fd, &event), 0);
        event = (struct epoll_event){ .events = EPOLLOUT, .data.u64 = 2 };
        assert_int_equal(epoll_ctl(epfds[0], EPOLL_CTL_MOD, fd, &event), 0);
        assert_int_equal(epoll_ctl(epfds[1], EPOLL_CTL_DEL, fd, NULL), 0);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        assert_int_equal(epoll_wait(epfds[0], &seen, 1, 20000), 1);
        assert_int_equal(seen.data.u64, 2);
        assert_int_equal(epoll_ctl(epfds[1], EPOLL_CTL_DEL, fd, NULL), -1);
        for (int i = 0; i < 2; i++)
                assert_int_equal(close(epfds[i]), 0);
        assert_int_equal(close(fd), 0);
}

/* A number that was an instance of epoll and now is another one, which knows nothing of us. */
static void check_stranger(uint32_t how) {
        struct epoll_event event = { .events = EPOLLOUT | how, .data.u64 = COOKIE };
        int fd = make_mptcp(), epfd = epoll_create1(0), again;

        assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), 0);
        assert_int_equal(close(epfd), 0);
        again = epoll_create1(0);
        assert_int_equal(again, epfd);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        assert_int_equal(epoll_ctl(again, EPOLL_CTL_DEL, fd, NULL), -1);
        assert_int_equal(errno, ENOENT);
        assert_int_equal(close(again), 0);
        assert_int_equal(close(fd), 0);
}

static void test_connect_loopback_stranger_epoll_is_left_alone(void **state) {
        (void)state;
        check_stranger(0);
        check_stranger(EPOLLEXCLUSIVE);
}

static int check_child(int fd) {
        return support_protocol(fd) == SUPPORT_MPTCP ? 0 : 1;
}

static void test_connect_shared_socket_stays_mptcp(void **state) {
        (void)state;
        for (int i = 0; i < 5; i++) {
                int fd = make_mptcp(), other = -1;

                switch (i) {
                case 0:
                        other = dup(fd);
                        break;
                case 1:
                        other = dup2(fd, 100);
                        break;
                case 2:
                        other = dup3(fd, 100, O_CLOEXEC);
                        break;
                case 3:
                        other = fcntl(fd, F_DUPFD_CLOEXEC, 50);
                        break;
                default:
                        assert_int_equal(support_in_child(check_child, fd), 0);
                        break;
                }
                assert_int_equal(connect_to_listener(fd), 0);
                assert_int_equal(support_protocol(fd), SUPPORT_MPTCP);
                if (other >= 0)
                        assert_int_equal(close(other), 0);
                assert_int_equal(close(fd), 0);
        }
}

static void test_connect_again_after_refusal_works(void **state) {
        int fd = make_mptcp(), closed = support_kernel_socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in nowhere = address;

        (void)state;
        assert_int_equal(bind_any(closed, INADDR_LOOPBACK, 0), 0);
        nowhere.sin_port = htons(port_of(closed));
        assert_int_equal(connect(fd, (struct sockaddr *)&nowhere, sizeof(nowhere)), -1);
        assert_int_equal(errno, ECONNREFUSED);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(close(closed), 0);
        assert_int_equal(close(fd), 0);
}

static void test_connect_thousand_times_leaves_no_descriptor(void **state) {
        const int before = support_count_fds();

        (void)state;
        for (int i = 0; i < 1000; i++) {
                int fd = make_mptcp(), peer;

                assert_int_equal(connect_to_listener(fd), 0);
                peer = accept(listener, NULL, NULL);
                assert_true(peer >= 0);
                assert_int_equal(close(fd), 0);
                assert_int_equal(close(peer), 0);
        }
        assert_int_equal(support_count_fds(), before);
}

/* Bound in a network namespace of our own: ports and loopback are ours. */
static void make_listener(void) {
        socklen_t len = sizeof(address);

        listener = support_kernel_socket(AF_INET, SOCK_STREAM, 0);
        if (bind_any(listener, INADDR_LOOPBACK, 0) < 0 || listen(listener, 100) < 0 ||
            getsockname(listener, (struct sockaddr *)&address, &len) < 0)
                support_skip("no loopback", errno);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_connect_thousand_times_leaves_no_descriptor, set_up),
                cmocka_unit_test_setup(test_connect_loopback_keeps_options, set_up),
                cmocka_unit_test_setup(test_connect_loopback_ipv6_becomes_tcp, set_up),
                cmocka_unit_test_setup(test_connect_loopback_keeps_descriptor_flags, set_up),
                cmocka_unit_test_setup(test_connect_loopback_keeps_port_to_itself, set_up),
                cmocka_unit_test_setup(test_bind_one_address_becomes_tcp, set_up),
                cmocka_unit_test_setup(test_listen_everywhere_stays_mptcp, set_up),
                cmocka_unit_test_setup(test_connect_loopback_keeps_epoll_registrations, set_up),
                cmocka_unit_test_setup(test_connect_loopback_last_epoll_data_counts, set_up),
                cmocka_unit_test_setup(test_connect_loopback_stranger_epoll_is_left_alone, set_up),
                cmocka_unit_test_setup(test_connect_again_after_refusal_works, set_up),
                cmocka_unit_test_setup(test_connect_shared_socket_stays_mptcp, set_up),
                cmocka_unit_test_setup(test_connect_loopback_keeps_owner_and_signal, set_up),
        };

        support_enter_netns();
        support_bring_loopback_up();
        support_require_shim();
        make_listener();
        (void)alarm(120);
        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
