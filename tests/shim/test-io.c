/*
 * Unit tests of shim/hook-io.c and shim/wait.c against a fake library behind them: every call that
 * they make is in the script of its test, so that one too many fails, and so does one too few.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-io.h"
#include "fd.h"
#include "wait.h"

/* Only with _FORTIFY_SOURCE do headers have them. */
ssize_t __read_chk(int fd, void *data, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *data, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *data, size_t n, size_t room, int flags,
                       struct sockaddr *address, socklen_t *len);

static const char text[] = "0123456789";
#define N 10

/* Reading */

static ssize_t read_by(unsigned int way) {
        char data[4];
        struct iovec part = { data, sizeof(data) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        switch (way) {
        case 0:
                return read(FAKE_FD, data, 4);
        case 1:
                return readv(FAKE_FD, &part, 1);
        case 2:
                return recv(FAKE_FD, data, 4, 0);
        case 3:
                return recvfrom(FAKE_FD, data, 4, 0, NULL, NULL);
        case 4:
                return recvmsg(FAKE_FD, &message, 0);
        case 5:
                return __read_chk(FAKE_FD, data, 4, 4);
        case 6:
                return __recv_chk(FAKE_FD, data, 4, 4, 0);
        default:
                return __recvfrom_chk(FAKE_FD, data, 4, 4, 0, NULL, NULL);
        }
}

enum { READ_WAYS = 8 };

/* All functions that read, with this answer of the kernel. */
static void check_reads(ssize_t answer, ssize_t wanted) {
        for (unsigned int way = 0; way < READ_WAYS; way++) {
                fake.n_calls = fake.n_steps = 0;
                fake_expect("read", answer);
                errno = FAKE_ERRNO;
                fake_assert(read_by(way), wanted);
        }
}

static void test_read_any_result_passes(void **state) {
        (void)state;
        fake_die();
        check_reads(3, 3);
        check_reads(0, 0);
        check_reads(-EAGAIN, -EAGAIN);
        check_reads(-ECONNRESET, -ECONNRESET);
}

static void test_read_dead_connection_times_out(void **state) {
        (void)state;
        fake_die();
        check_reads(-ENOTCONN, -ETIMEDOUT);
}

static void test_read_enotconn_of_living_passes(void **state) {
        static const int ends[] = { 0, POLLHUP | POLLRDHUP, POLLHUP | POLLERR };

        (void)state;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                fake.hang_up = ends[i];
                check_reads(-ENOTCONN, -ENOTCONN);
        }
}

static void test_read_enotconn_never_connected_passes(void **state) {
        (void)state;
        fake_die();
        fake.info = 0;
        check_reads(-ENOTCONN, -ENOTCONN);
        fake.info = 3; /* fell back */
        check_reads(-ENOTCONN, -ENOTCONN);
}

static void test_read_enotconn_not_ours_passes(void **state) {
        (void)state;
        fake_die();
        fd_begin(FAKE_FD, FD_OTHER | FD_CONNECTED);
        check_reads(-ENOTCONN, -ENOTCONN);
        fd_begin(FAKE_FD, FD_MPTCP);
        check_reads(-ENOTCONN, -ENOTCONN);
        fd_begin(FAKE_FD, FAKE_WORD);
        fake.protocol = -ENOTSOCK;
        check_reads(-ENOTCONN, -ENOTCONN);
}

/* Writing without having to wait */

static void test_write_not_ours_passes(void **state) {
        static const uint32_t words[] = { FD_UNKNOWN, FD_OTHER | FD_CONNECTED, FD_MPTCP };

        (void)state;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                fd_begin(FAKE_FD, words[i]);
                fake_expect("write", 4);
                fake_assert(write(FAKE_FD, text, N), 4);
        }
}

static void test_write_nothing_passes(void **state) {
        (void)state;
        fake_expect("write", 0);
        fake_assert(write(FAKE_FD, text, 0), 0);
}

static void test_write_nonblocking_dead_times_out(void **state) {
        (void)state;
        fake_die();
        fd_set_flags(FAKE_FD, FD_NONBLOCK);
        fake_expect("send", -EPIPE);
        fake_assert(write(FAKE_FD, text, N), -ETIMEDOUT);
        assert_int_equal(fake.calls[0].flags, MSG_NOSIGNAL);
}

/* The script is all: nothing is asked, and a socket that blocks after all is left to block. */
static void test_write_nonblocking_part_or_nothing_is_returned(void **state) {
        char digits[] = "0123456789";
        struct iovec part = { digits, N };

        (void)state;
        fd_set_flags(FAKE_FD, FD_NONBLOCK);
        fake.protocol = -ENOTSOCK; /* who asks makes it FD_OTHER */
        fake_expect("send", 4);
        fake_assert(write(FAKE_FD, text, N), 4);
        fake_expect("sendmsg", 4);
        fake_assert(writev(FAKE_FD, &part, 1), 4);
        fake_expect("send", 4);
        fake_assert(send(FAKE_FD, text, N, MSG_MORE), 4);
        assert_int_equal(fake.calls[2].flags, MSG_MORE | MSG_NOSIGNAL);
        fake_expect("send", -EAGAIN);
        fake_assert(write(FAKE_FD, text, N), -EAGAIN);
        fake_expect("send", -EAGAIN);
        fake_assert(send(FAKE_FD, text, N, 0), -EAGAIN);
        assert_int_equal(fd_flags(FAKE_FD), FAKE_WORD | FD_NONBLOCK);
}

static void test_write_whole_is_one_send(void **state) {
        (void)state;
        fake_expect("send", N);
        fake_assert(write(FAKE_FD, text, N), N);
        assert_int_equal(fake.calls[0].flags, MSG_DONTWAIT | MSG_NOSIGNAL);
        fake_assert_stream(text);
}

static void test_send_flags_are_kept(void **state) {
        (void)state;
        fake_expect("send", N);
        fake_assert(send(FAKE_FD, text, N, MSG_MORE), N);
        assert_int_equal(fake.calls[0].flags, MSG_MORE | WAIT_FLAGS);
}

static void test_send_dontwait_never_waits(void **state) {
        (void)state;
        fake_expect("send", -EAGAIN);
        fake_assert(send(FAKE_FD, text, N, MSG_DONTWAIT), -EAGAIN);
        fake_expect("send", 3);
        errno = FAKE_ERRNO;
        fake_assert(send(FAKE_FD, text, N, MSG_DONTWAIT), 3);
}

static void test_send_kernel_error_passes(void **state) {
        (void)state;
        fake_expect("send", -ECONNRESET);
        fake_assert(send(FAKE_FD, text, N, 0), -ECONNRESET);
}

static void test_send_nonblock_unseen_returns_and_is_noted(void **state) {
        (void)state;
        fake.status_flags = O_RDWR | O_NONBLOCK;
        fake_expect("send", -EAGAIN);
        fake_assert(send(FAKE_FD, text, N, 0), -EAGAIN);
        assert_int_equal(fd_flags(FAKE_FD), FAKE_WORD | FD_NONBLOCK);
        fake_expect("send", 3);
        errno = FAKE_ERRNO;
        fake_assert(send(FAKE_FD, text, N, 0), 3);
}

/* Waiting */

static void test_write_full_polls_and_sends(void **state) {
        (void)state;
        fake_expect("send", -EAGAIN);
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendmsg", N);
        fake_assert(write(FAKE_FD, text, N), N);
        assert_int_equal(fake.calls[1].events, POLLOUT);
        assert_int_equal(fake.calls[1].timeout, -1);
        assert_int_equal(fake.calls[2].flags, WAIT_FLAGS);
        fake_assert_stream(text);
}

static void test_sendto_part_polls_and_sends_rest(void **state) {
        (void)state;
        fake_expect("sendto", 3);
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendmsg", 5);
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendmsg", 2);
        fake_assert(sendto(FAKE_FD, text, N, 0, NULL, 0), N);
        fake_assert_stream(text);
        assert_int_equal(fake.calls[2].n, 1);
}

/* However little goes at a time, and so wherever the parts are cut. */
static void test_writev_cut_anywhere_sends_all_in_order(void **state) {
        char digits[] = "0123456789";
        const struct iovec parts[] = {
                { digits, 0 },     { digits, 3 },     { digits + 3, 0 },
                { digits + 3, 1 }, { digits + 4, 6 },
        };

        for (size_t at_most = 1; at_most <= N; at_most++) {
                (void)fake_setup(state);
                fake.at_most = at_most;
                fake_assert(writev(FAKE_FD, parts, 5), N);
                fake_assert_stream(text);
        }
}

static void test_writev_odd_count_passes(void **state) {
        static const struct iovec parts[1025];
        volatile int below = -1; /* the compiler knows better than to allow it */

        (void)state;
        fake_expect("writev", -EINVAL);
        fake_assert(writev(FAKE_FD, parts, below), -EINVAL);
        fake_expect("writev", -EINVAL);
        fake_assert(writev(FAKE_FD, parts, 1025), -EINVAL);
}

static void test_send_timeout_is_kept(void **state) {
        (void)state;
        fake.timeout_msec = 5500;
        fake_expect("send", -EAGAIN);
        fake_expect_poll(0, 0);
        fake_assert(send(FAKE_FD, text, N, 0), -EAGAIN);
        assert_in_range(fake.calls[1].timeout, 1, 5500);
        fake_expect("send", 3);
        fake_expect_poll(0, 0);
        errno = FAKE_ERRNO;
        fake_assert(send(FAKE_FD, text, N, 0), 3);
}

static void test_send_timeout_without_end_is_cut(void **state) {
        (void)state;
        fake.timeout_msec = INT64_C(1000000000000);
        fake_expect("send", -EAGAIN);
        fake_expect_poll(0, 0);
        fake_assert(send(FAKE_FD, text, N, 0), -EAGAIN);
        assert_in_range(fake.calls[1].timeout, INT32_MAX - 60000, INT32_MAX);
}

/* POLLOUT, and still no memory for it: polls for nothing but the end of a pause. */
static void test_send_no_memory_pauses(void **state) {
        (void)state;
        fake_expect("send", -EAGAIN);
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendmsg", -EAGAIN);
        fake_expect_poll(0, 0);
        fake_expect("sendmsg", N);
        fake_assert(send(FAKE_FD, text, N, 0), N);
        assert_int_equal(fake.calls[3].events, 0);
        assert_int_equal(fake.calls[3].timeout, 10);
}

static void test_send_poll_refused_passes(void **state) {
        (void)state;
        fake_expect("send", -EAGAIN);
        fake_expect_poll(-EINVAL, 0); /* RLIMIT_NOFILE is 0 */
        fake_expect("send", N);
        fake_assert(send(FAKE_FD, text, N, 0), N);
        assert_int_equal(fake.calls[2].flags, 0);
}

/* The first data after connect() with TCP_FASTOPEN_CONNECT */
static void test_send_connects_waits_for_it(void **state) {
        (void)state;
        fake_expect("send", -EINPROGRESS);
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendmsg", N);
        fake_assert(send(FAKE_FD, text, N, 0), N);
        fake_expect("send", -EINPROGRESS);
        errno = FAKE_ERRNO;
        fake_assert(send(FAKE_FD, text, N, MSG_DONTWAIT), -EINPROGRESS);
}

/* Signals */

static void on_signal(int number) {
        (void)number;
}

static void handle(int number, int flags) {
        const struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

        assert_return_code(sigaction(number, &action, NULL), errno);
}

static int forget_handlers(void **state) {
        (void)state;
        (void)signal(SIGUSR1, SIG_DFL);
        (void)signal(SIGALRM, SIG_DFL);
        return 0;
}

static void test_send_interrupted_by_restarting_handler_waits_on(void **state) {
        (void)state;
        handle(SIGUSR1, SA_RESTART);
        fake_expect("send", -EAGAIN);
        fake_expect_poll(-EINTR, 0);
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendmsg", N);
        fake_assert(send(FAKE_FD, text, N, 0), N);
}

static void test_send_interrupted_by_other_handler_says_so(void **state) {
        (void)state;
        handle(SIGUSR1, SA_RESTART);
        handle(SIGALRM, 0);
        fake_expect("send", -EAGAIN);
        fake_expect_poll(-EINTR, 0);
        fake_assert(send(FAKE_FD, text, N, 0), -EINTR);
}

static void test_send_interrupted_with_timeout_says_so(void **state) {
        (void)state;
        handle(SIGUSR1, SA_RESTART);
        fake.timeout_msec = 5000;
        fake_expect("send", -EAGAIN);
        fake_expect_poll(-EINTR, 0);
        fake_assert(send(FAKE_FD, text, N, 0), -EINTR);
}

static void test_send_interrupted_after_part_returns_it(void **state) {
        (void)state;
        handle(SIGUSR1, SA_RESTART);
        fake_expect("send", 3);
        fake_expect_poll(-EINTR, 0);
        fake_assert(send(FAKE_FD, text, N, 0), 3);
}

/* The end of a connection */

static void test_write_dies_meanwhile_times_out_without_signal(void **state) {
        (void)state;
        fake_die();
        fake_expect("send", -EAGAIN);
        fake_expect_poll(1, POLLHUP);
        fake_expect("sendmsg", -EPIPE);
        fake_assert(write(FAKE_FD, text, N), -ETIMEDOUT);
        assert_true(fake.calls[2].flags & MSG_NOSIGNAL);
}

static void test_send_dead_times_out_without_signal(void **state) {
        (void)state;
        fake_die();
        fake_expect("send", -EPIPE);
        fake_assert(send(FAKE_FD, text, N, 0), -ETIMEDOUT);
}

static void test_send_broken_after_part_leaves_error_to_next(void **state) {
        (void)state;
        fake_die();
        fake_expect("send", 3);
        fake_expect_poll(1, POLLHUP);
        fake_assert(send(FAKE_FD, text, N, 0), 3);
}

/* The kernel's own SIGPIPE, or none, by making the call again as it was made. */
static void test_write_closed_pipe_is_called_as_it_was(void **state) {
        struct iovec part = { NULL, 0 };

        (void)state;
        fake.hang_up = POLLHUP | POLLRDHUP;
        fake_expect("send", -EPIPE);
        fake_expect("write", -EPIPE);
        fake_assert(write(FAKE_FD, text, N), -EPIPE);
        fake_expect("send", -EPIPE);
        fake_expect("send", -EPIPE);
        fake_assert(send(FAKE_FD, text, N, MSG_MORE), -EPIPE);
        assert_int_equal(fake.calls[3].flags, MSG_MORE);
        fake_expect("sendmsg", -EPIPE);
        fake_expect("writev", -EPIPE);
        fake_assert(writev(FAKE_FD, &part, 1), -EPIPE);
}

/* Words that are wrong */

static void test_write_stale_word_file_is_written(void **state) {
        (void)state;
        fake.protocol = -ENOTSOCK;
        fake_expect("send", -ENOTSOCK);
        fake_expect("write", N);
        fake_assert(write(FAKE_FD, text, N), N);
        assert_int_equal(fd_flags(FAKE_FD), FD_OTHER);
}

static void test_write_stale_word_odd_socket_is_written(void **state) {
        static const int refusals[] = { EINVAL, EOPNOTSUPP, EAGAIN };

        (void)state;
        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
                (void)fake_setup(state);
                fake.protocol = 0;
                fake_expect("send", -refusals[i]);
                fake_expect("write", N);
                fake_assert(write(FAKE_FD, text, N), N);
                assert_int_equal(fd_flags(FAKE_FD), FD_OTHER);
        }
}

static void test_send_accepted_from_tcp_sleeps_in_kernel(void **state) {
        (void)state;
        fake.protocol = IPPROTO_TCP;
        fake_expect("send", 3);
        fake_expect("sendmsg", 7);
        fake_assert(send(FAKE_FD, text, N, MSG_MORE), N);
        assert_int_equal(fake.calls[1].flags, MSG_MORE | MSG_NOSIGNAL);
        assert_int_equal(fd_flags(FAKE_FD), FD_OTHER);
        fake_assert_stream(text);
}

static void test_send_tcp_error_after_part_returns_part(void **state) {
        (void)state;
        fake.protocol = IPPROTO_TCP;
        fake_expect("send", 3);
        fake_expect("sendmsg", -ECONNRESET);
        fake_assert(send(FAKE_FD, text, N, 0), 3);
}

#define TEST(name)        cmocka_unit_test_setup(name, fake_setup)
#define SIGNAL_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, forget_handlers)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_read_any_result_passes),
                TEST(test_read_dead_connection_times_out),
                TEST(test_read_enotconn_of_living_passes),
                TEST(test_read_enotconn_never_connected_passes),
                TEST(test_read_enotconn_not_ours_passes),
                TEST(test_write_not_ours_passes),
                TEST(test_write_nothing_passes),
                TEST(test_write_nonblocking_dead_times_out),
                TEST(test_write_nonblocking_part_or_nothing_is_returned),
                TEST(test_write_whole_is_one_send),
                TEST(test_send_flags_are_kept),
                TEST(test_send_dontwait_never_waits),
                TEST(test_send_kernel_error_passes),
                TEST(test_send_nonblock_unseen_returns_and_is_noted),
                TEST(test_write_full_polls_and_sends),
                TEST(test_sendto_part_polls_and_sends_rest),
                TEST(test_writev_cut_anywhere_sends_all_in_order),
                TEST(test_writev_odd_count_passes),
                TEST(test_send_timeout_is_kept),
                TEST(test_send_timeout_without_end_is_cut),
                TEST(test_send_no_memory_pauses),
                TEST(test_send_poll_refused_passes),
                TEST(test_send_connects_waits_for_it),
                SIGNAL_TEST(test_send_interrupted_by_restarting_handler_waits_on),
                SIGNAL_TEST(test_send_interrupted_by_other_handler_says_so),
                SIGNAL_TEST(test_send_interrupted_with_timeout_says_so),
                SIGNAL_TEST(test_send_interrupted_after_part_returns_it),
                TEST(test_write_dies_meanwhile_times_out_without_signal),
                TEST(test_send_dead_times_out_without_signal),
                TEST(test_send_broken_after_part_leaves_error_to_next),
                TEST(test_write_closed_pipe_is_called_as_it_was),
                TEST(test_write_stale_word_file_is_written),
                TEST(test_write_stale_word_odd_socket_is_written),
                TEST(test_send_accepted_from_tcp_sleeps_in_kernel),
                TEST(test_send_tcp_error_after_part_returns_part),
        };

        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
