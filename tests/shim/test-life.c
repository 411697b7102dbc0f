/*
 * Descriptors that come and go behind the library's back: vfork children that close ours, programs
 * that close all, fork() among threads, signals. What connects to loopback has to become TCP and to
 * carry data, whatever happens around it. Run by ./preload. A deadlock ends the program by SIGALRM.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support.h"

enum { N_THREADS = 4, N_ROUNDS = 500, N_FORKS = 100, DEADLOCK_SEC = 120, UNTOUCHED = 4711 };

static int listener;
static struct sockaddr_in address;
static atomic_int n_wrong;

static int connect_to_listener(int fd) {
        return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* One byte there and back. */
static bool talks(int fd, int peer) {
        char byte = 0;

        return write(fd, "a", 1) == 1 && read(peer, &byte, 1) == 1 && byte == 'a' &&
               write(peer, "b", 1) == 1 && read(fd, &byte, 1) == 1 && byte == 'b';
}

static void assert_talks(int fd) {
        int peer = accept(listener, NULL, NULL);

        assert_true(talks(fd, peer));
        assert_int_equal(close(peer), 0);
}

/* Closes all but the standard descriptors, as children do that are going to call exec(). */
static void vfork_and_close_all(void) {
        int status;
        /* The call is what is tested. */
        /* cppcheck-suppress vforkCalled; NOLINTNEXTLINE(clang-analyzer-security.*) */
        pid_t pid = vfork();

        if (pid == 0) {
                for (int fd = 3; fd < 64; fd++) /* NOLINT(clang-analyzer-unix.Vfork) */
                        (void)close(fd);        /* NOLINT(clang-analyzer-unix.Vfork) */
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_close_all_in_vfork_child_connection_goes_on(void **state) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        (void)state;
        assert_int_equal(connect_to_listener(fd), 0);
        vfork_and_close_all();
        assert_talks(fd);
        assert_int_equal(close(fd), 0);
}

/* It might have been passed on, so it stays what it is; and works. */
static void test_close_all_in_vfork_child_fresh_socket_stays(void **state) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        (void)state;
        vfork_and_close_all();
        assert_int_equal(support_protocol(fd), SUPPORT_MPTCP);
        assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_talks(fd);
        assert_int_equal(close(fd), 0);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect_to_listener(fd), 0);
        assert_int_equal(support_protocol(fd), IPPROTO_TCP);
        assert_talks(fd);
        assert_int_equal(close(fd), 0);
}

/* The child puts a socket where the parent has a file. */
static void test_dup2_in_vfork_child_file_stays_file(void **state) {
        int file = fileno(tmpfile()), fd = socket(AF_INET, SOCK_STREAM, 0), status;
        char byte = 0;
        pid_t pid;

        (void)state;
        /* cppcheck-suppress vforkCalled; NOLINTNEXTLINE(clang-analyzer-security.*) */
        pid = vfork();
        if (pid == 0)
                _exit(dup2(fd, file) < 0); /* NOLINT(clang-analyzer-unix.Vfork) */
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(write(file, "x", 1), 1);
        assert_int_equal(lseek(file, 0, SEEK_SET), 0);
        assert_int_equal(read(file, &byte, 1), 1);
        assert_int_equal(byte, 'x');
        assert_int_equal(close(fd), 0);
}

static int close_all_and_go_on(int how) {
        char byte = 0;
        int fds[2], ends[2];

        for (int i = 0; i < 20; i++)
                (void)socket(AF_INET, SOCK_STREAM, 0);
        if (how == 0)
                closefrom(3);
        else if (close_range(3, ~0U, 0) < 0)
                return 1;
        if (support_count_fds() != 3)
                return 2;
        /* The numbers are pipes and sockets now. */
        if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1 || read(ends[0], &byte, 1) != 1)
                return 3;
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || write(fds[0], "y", 1) != 1 ||
            read(fds[1], &byte, 1) != 1 || byte != 'y')
                return 4;
        return support_probe(AF_INET, SOCK_STREAM, 0) == SUPPORT_MPTCP ? 0 : 5;
}

static void test_close_all_numbers_are_used_again(void **state) {
        (void)state;
        assert_int_equal(support_in_child(close_all_and_go_on, 0), 0);
        assert_int_equal(support_in_child(close_all_and_go_on, 1), 0);
}

/* What happens in a thread or a signal handler. */
static bool connects(void) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool well = fd >= 0 && connect_to_listener(fd) == 0;

        (void)close(fd);
        return well;
}

static void *accept_all(void *arg) {
        (void)arg;
        for (;;) {
                int fd = accept(listener, NULL, NULL);

                if (fd < 0)
                        return NULL;
                (void)close(fd);
        }
}

static atomic_bool connecting;

static void *connect_often(void *arg) {
        for (int i = 0; i < N_ROUNDS; i++)
                if (!connects())
                        atomic_fetch_add(&n_wrong, 1);
        return arg;
}

/* fork() may come at any moment of a demotion; the child has to be able to go on. */
static int probe_in_child(int unused) {
        (void)unused;
        return support_probe(AF_INET, SOCK_STREAM, 0) == SUPPORT_MPTCP && connects() ? 0 : 1;
}

static void test_fork_among_connecting_threads_all_go_on(void **state) {
        pthread_t threads[N_THREADS];

        (void)state;
        for (int i = 0; i < N_THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, connect_often, NULL), 0);
        for (int i = 0; i < N_FORKS; i++)
                assert_int_equal(support_in_child(probe_in_child, 0), 0);
        for (int i = 0; i < N_THREADS; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&n_wrong), 0);
}

static void on_signal(int number) {
        const int saved = errno;

        (void)number;
        errno = UNTOUCHED;
        if (!connects() || errno != UNTOUCHED)
                atomic_fetch_add(&n_wrong, 1);
        errno = saved;
}

static void *storm(void *arg) {
        const pthread_t *thread = arg;

        while (atomic_load(&connecting))
                if (pthread_kill(*thread, SIGUSR1) != 0)
                        return arg;
        return NULL;
}

static void test_connect_signal_storm_handlers_connect(void **state) {
        const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        pthread_t self = pthread_self(), sender;

        (void)state;
        assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
        atomic_store(&connecting, true);
        assert_int_equal(pthread_create(&sender, NULL, storm, &self), 0);
        for (int i = 0; i < N_ROUNDS; i++)
                if (!connects() && errno != EINTR)
                        atomic_fetch_add(&n_wrong, 1);
        atomic_store(&connecting, false);
        assert_int_equal(pthread_join(sender, NULL), 0);
        assert_int_equal(atomic_load(&n_wrong), 0);
}

static int change_user(int unused) {
        (void)unused;
        if (setgid(getgid()) < 0 || setuid(getuid()) < 0)
                return 2;
        return probe_in_child(0);
}

static void test_setuid_goes_on(void **state) {
        (void)state;
        assert_int_equal(support_in_child(change_user, 0), 0);
}

static void make_listener(void) {
        socklen_t len = sizeof(address);

        address = (struct sockaddr_in){ .sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        listener = support_kernel_socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 1000) < 0 ||
            getsockname(listener, (struct sockaddr *)&address, &len) < 0)
                support_skip("no loopback", errno);
}

static int start_acceptor(void **state) {
        static pthread_t acceptor;

        (void)state;
        return pthread_create(&acceptor, NULL, accept_all, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_close_all_in_vfork_child_connection_goes_on),
                cmocka_unit_test(test_close_all_in_vfork_child_fresh_socket_stays),
                cmocka_unit_test(test_dup2_in_vfork_child_file_stays_file),
                cmocka_unit_test(test_close_all_numbers_are_used_again),
                cmocka_unit_test_setup(test_fork_among_connecting_threads_all_go_on,
                                       start_acceptor),
                cmocka_unit_test(test_connect_signal_storm_handlers_connect),
                cmocka_unit_test(test_setuid_goes_on),
        };

        support_enter_netns();
        support_bring_loopback_up();
        support_require_shim();
        make_listener();
        (void)alarm(DEADLOCK_SEC);
        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
