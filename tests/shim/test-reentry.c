/*
 * Calls from where a lock, a buffer or a descriptor of the library would show: signal handlers,
 * threads, vfork children. Run by ./preload, with spy.c behind the library.
 *
 * A deadlock ends the program by SIGALRM.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "spy.h"
#include "support.h"

enum { N_THREADS = 8, N_CALLS = 5000, N_SIGNALS = 5000, DEADLOCK_SEC = 60, UNTOUCHED = 4711 };

static atomic_int n_handled, n_wrong;

static bool is_mptcp(void) {
        return support_probe(AF_INET, SOCK_STREAM, 0) == SUPPORT_MPTCP;
}

static void on_signal(int number) {
        const int saved = errno;

        (void)number;
        errno = UNTOUCHED;
        if (!is_mptcp() || errno != UNTOUCHED)
                atomic_fetch_add(&n_wrong, 1);
        atomic_fetch_add(&n_handled, 1);
        errno = saved;
}

static int set_up(void **state) {
        const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

        (void)state;
        atomic_store(&n_handled, 0);
        atomic_store(&n_wrong, 0);
        return sigaction(SIGUSR1, &action, NULL);
}

static void raise_in_socket(void) {
        (void)raise(SIGUSR1);
}

static void test_socket_interrupted_inside_hook_reenters(void **state) {
        struct spy *spy = spy_find();

        (void)state;
        assert_non_null(spy);
        errno = UNTOUCHED;
        atomic_store(&spy->callback, raise_in_socket);
        assert_true(is_mptcp());
        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(atomic_load(&n_handled), 1);
        assert_int_equal(atomic_load(&n_wrong), 0);
}

/* Interrupts the thread given, each time the last signal is handled, so none is merged. */
static void *send_signals(void *arg) {
        const pthread_t *thread = arg;

        for (int i = 0; i < N_SIGNALS; i++) {
                if (pthread_kill(*thread, SIGUSR1) != 0)
                        return arg;
                while (atomic_load(&n_handled) <= i)
                        (void)sched_yield();
        }
        return NULL;
}

static void test_socket_signal_storm_handlers_get_mptcp(void **state) {
        pthread_t self = pthread_self(), sender;
        void *result;

        (void)state;
        assert_int_equal(pthread_create(&sender, NULL, send_signals, &self), 0);
        while (atomic_load(&n_handled) < N_SIGNALS)
                if (!is_mptcp())
                        atomic_fetch_add(&n_wrong, 1);
        assert_int_equal(pthread_join(sender, &result), 0);
        assert_null(result);
        assert_int_equal(atomic_load(&n_wrong), 0);
}

/* Calls that lead to different protocols, so that a value that threads share would show. */
static struct kind {
        int domain, type, protocol, expected;
} kinds[] = {
        { AF_INET, SOCK_STREAM, 0, SUPPORT_MPTCP },
        { AF_INET, SOCK_DGRAM, IPPROTO_UDP, IPPROTO_UDP },
        { AF_INET, SOCK_STREAM, IPPROTO_TCP, SUPPORT_MPTCP },
        { AF_UNIX, SOCK_STREAM, 0, 0 },
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static pthread_barrier_t barrier;

static void *call_often(void *arg) {
        const struct kind *kind = arg;

        (void)pthread_barrier_wait(&barrier);
        for (int i = 0; i < N_CALLS; i++) {
                errno = UNTOUCHED;
                if (support_probe(kind->domain, kind->type, kind->protocol) != kind->expected ||
                    errno != UNTOUCHED)
                        atomic_fetch_add(&n_wrong, 1);
        }
        return NULL;
}

static void test_socket_eight_threads_get_what_they_ask_for(void **state) {
        const int before = support_count_fds();
        pthread_t threads[N_THREADS];

        (void)state;
        assert_int_equal(pthread_barrier_init(&barrier, NULL, N_THREADS), 0);
        for (int i = 0; i < N_THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, call_often, &kinds[i % N_KINDS]),
                                 0);
        for (int i = 0; i < N_THREADS; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(pthread_barrier_destroy(&barrier), 0);
        assert_int_equal(atomic_load(&n_wrong), 0);
        assert_int_equal(support_count_fds(), before);
}

static void test_socket_vfork_child_gets_mptcp(void **state) {
        pid_t pid;
        int status;

        (void)state;
        errno = UNTOUCHED;
        /* The call is what programs do between vfork() and exec: that is the point. */
        /* cppcheck-suppress vforkCalled; NOLINTNEXTLINE(clang-analyzer-security.*) */
        pid = vfork();
        if (pid == 0)
                _exit(is_mptcp() ? 0 : 1); /* NOLINT(clang-analyzer-unix.Vfork) */
        assert_true(pid > 0);
        assert_int_equal(errno, UNTOUCHED);
        assert_true(is_mptcp());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_socket_interrupted_inside_hook_reenters, set_up),
                cmocka_unit_test_setup(test_socket_signal_storm_handlers_get_mptcp, set_up),
                cmocka_unit_test_setup(test_socket_eight_threads_get_what_they_ask_for, set_up),
                cmocka_unit_test_setup(test_socket_vfork_child_gets_mptcp, set_up),
        };

        support_require_shim();
        (void)alarm(DEADLOCK_SEC);
        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
