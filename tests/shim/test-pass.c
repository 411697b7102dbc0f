/*
 * Unit tests of shim/hook-io.c and shim/wait.c, like test-io.c: messages and what is passed on with
 * them, urgent data, sendfile() and splice(), accept(), and what is left of all in a sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
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

/* <sys/sendfile.h> would make one function of both. */
ssize_t sendfile(int fd, int from, off_t *offset, size_t n);
ssize_t sendfile64(int fd, int from, off64_t *offset, size_t n);
static const char text[] = "0123456789";
#define N 10

/* Urgent data */

static void test_send_urgent_is_refused(void **state) {
        struct iovec part = { NULL, 0 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        struct mmsghdr messages[] = { { .msg_hdr = message } };

        (void)state;
        fake_assert(send(FAKE_FD, text, 1, MSG_OOB), -EOPNOTSUPP);
        fake_assert(sendto(FAKE_FD, text, 1, MSG_OOB, NULL, 0), -EOPNOTSUPP);
        fake_assert(sendmsg(FAKE_FD, &message, MSG_OOB), -EOPNOTSUPP);
        fake_assert(sendmmsg(FAKE_FD, messages, 1, MSG_OOB), -EOPNOTSUPP);
}

static void test_send_urgent_on_tcp_passes(void **state) {
        (void)state;
        fake.protocol = IPPROTO_TCP;
        fake_expect("send", 1);
        fake_assert(send(FAKE_FD, text, 1, MSG_OOB), 1);
        assert_true(fake.calls[0].flags & MSG_OOB);
        assert_int_equal(fd_flags(FAKE_FD), FD_OTHER);
}

/* Each call ends with one completion: there must not be two of it. */
static void test_send_zerocopy_on_tcp_is_one_call(void **state) {
        struct iovec part = { NULL, 0 };
        struct mmsghdr messages[] = { { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } } };
        static const char *const names[] = { "send", "sendto", "sendmsg", "sendmmsg" };
        ssize_t r = 0;

        for (size_t i = 0; i < 4; i++) {
                (void)fake_setup(state);
                fake.protocol = IPPROTO_TCP;
                fake_expect(names[i], 1);
                part = (struct iovec){ (char[]){ 'a' }, 1 };
                if (i == 0)
                        r = send(FAKE_FD, text, N, MSG_ZEROCOPY);
                else if (i == 1)
                        r = sendto(FAKE_FD, text, N, MSG_ZEROCOPY, NULL, 0);
                else if (i == 2)
                        r = sendmsg(FAKE_FD, &messages[0].msg_hdr, MSG_ZEROCOPY);
                else
                        r = sendmmsg(FAKE_FD, messages, 1, MSG_ZEROCOPY);
                fake_assert(r, 1);
                assert_int_equal(fake.calls[0].flags, MSG_ZEROCOPY);
        }
}

/* Without SO_ZEROCOPY, which MPTCP does not have, the flag is nothing. */
static void test_send_zerocopy_on_mptcp_is_not_left_to_block(void **state) {
        (void)state;
        fake_expect("send", 4);
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendmsg", N - 4);
        fake_assert(send(FAKE_FD, text, N, MSG_ZEROCOPY), N);
        fake_assert_stream(text);
}

/* Messages */

static void test_sendmsg_unreadable_passes_error(void **state) {
        (void)state;
        fake_expect("sendmsg", -EFAULT);
        fake_assert(sendmsg(FAKE_FD, NULL, 0), -EFAULT);
        fd_begin(FAKE_FD, FD_OTHER);
        fake_expect("sendmsg", -EFAULT);
        fake_assert(sendmsg(FAKE_FD, NULL, 0), -EFAULT);
}

static void test_sendmmsg_stops_at_failure(void **state) {
        char digits[] = "0123456789";
        struct iovec part = { digits, N };
        struct mmsghdr messages[3] = { 0 };

        (void)state;
        for (size_t i = 0; i < 3; i++)
                messages[i].msg_hdr = (struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 };
        fake_expect("sendmsg", N);
        fake_expect("sendmsg", -ECONNRESET);
        fake_assert(sendmmsg(FAKE_FD, messages, 3, 0), 1);
        assert_int_equal(messages[0].msg_len, N);

        errno = FAKE_ERRNO;
        fake_expect("sendmsg", 4);
        fake_assert(sendmmsg(FAKE_FD, messages, 3, MSG_DONTWAIT), 1);
        assert_int_equal(messages[0].msg_len, 4);

        fake_expect("sendmsg", -ECONNRESET);
        fake_assert(sendmmsg(FAKE_FD, messages, 3, 0), -ECONNRESET);
}

/* Connecting with the first data */

static const struct sockaddr address = { .sa_family = AF_INET };

static ssize_t open_by(unsigned int way, int flags) {
        struct sockaddr name = address;
        struct iovec part = { (char[]){ '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }, N };
        struct mmsghdr message = { .msg_hdr = { .msg_name = &name,
                                                .msg_namelen = sizeof(name),
                                                .msg_iov = &part,
                                                .msg_iovlen = 1 } };
        int r;

        fd_begin(FAKE_FD, FD_MPTCP);
        if (way == 0)
                return sendto(FAKE_FD, text, N, MSG_FASTOPEN | flags, &name, sizeof(name));
        if (way == 1)
                return sendmsg(FAKE_FD, &message.msg_hdr, MSG_FASTOPEN | flags);
        r = sendmmsg(FAKE_FD, &message, 1, MSG_FASTOPEN | flags);
        return r < 0 ? r : (ssize_t)message.msg_len;
}

enum { OPEN_WAYS = 3 };

/* The daemon is told before what is left over is waited for. */
static void test_fastopen_is_a_connect_that_does_not_block(void **state) {
        for (unsigned int way = 0; way < OPEN_WAYS; way++) {
                (void)fake_setup(state);
                fake_expect("sendmsg", 4);
                fake_expect_poll(1, POLLOUT);
                fake_expect("sendmsg", N - 4);
                fake_assert(open_by(way, 0), N);
                fake_assert_stream(text);
                assert_int_equal(fake.n_connecting, 1);
                assert_int_equal(fake.connected, 4);
                assert_int_equal(fake.calls[0].flags, MSG_FASTOPEN | WAIT_FLAGS);
                assert_int_equal(fake.calls[2].flags, WAIT_FLAGS);
        }
}

/* To a server that is not known yet. */
static void test_fastopen_without_a_cookie_waits_for_the_connection(void **state) {
        for (unsigned int way = 0; way < OPEN_WAYS; way++) {
                (void)fake_setup(state);
                fake_expect("sendmsg", -EINPROGRESS);
                fake_expect_poll(1, POLLOUT);
                fake_expect("sendmsg", N);
                fake_assert(open_by(way, 0), N);
                assert_int_equal(fake.connected, -1);

                (void)fake_setup(state);
                fake_expect("sendmsg", -EINPROGRESS);
                fake_assert(open_by(way, MSG_DONTWAIT), -EINPROGRESS);

                (void)fake_setup(state);
                fake_expect("sendmsg", -EINPROGRESS);
                fake_expect_poll(1, POLLERR | POLLHUP);
                fake_expect("sendmsg", -ECONNREFUSED);
                fake_assert(open_by(way, 0), -ECONNREFUSED);
        }
}

static void test_fastopen_that_the_kernel_lacks_is_connect_and_send(void **state) {
        for (unsigned int way = 0; way < OPEN_WAYS; way++) {
                (void)fake_setup(state);
                fake_expect("sendmsg", -EOPNOTSUPP);
                fake_expect("connect", 0);
                fake_expect("sendmsg", N);
                fake_assert(open_by(way, 0), N);
                fake_assert_stream(text);
                assert_int_equal(fake.connected, 0);
                assert_int_equal(fake.calls[2].flags, WAIT_FLAGS);

                (void)fake_setup(state);
                fake_expect("sendmsg", -EOPNOTSUPP);
                fake_expect("connect", -ECONNREFUSED);
                fake_assert(open_by(way, 0), -ECONNREFUSED);
        }
}

static void test_fastopen_of_others_passes(void **state) {
        struct sockaddr name = address;

        (void)state;
        fd_begin(FAKE_FD, FD_OTHER);
        fake_expect("sendto", N);
        fake_assert(sendto(FAKE_FD, text, N, MSG_FASTOPEN, &name, sizeof(name)), N);
        assert_int_equal(fake.calls[0].flags, MSG_FASTOPEN);
        assert_int_equal(fake.n_connecting, 0);
}

/* Passing descriptors on: a message on a socket of another kind */

enum { PASSED_MPTCP = 40, PASSED_OTHER = 41 };

static void pass(const struct msghdr *message, ssize_t result) {
        fd_begin(FAKE_FD, FD_OTHER);
        fd_begin(PASSED_MPTCP, FD_MPTCP);
        fd_begin(PASSED_OTHER, FD_OTHER);
        fake_expect("sendmsg", result);
        (void)sendmsg(FAKE_FD, message, 0);
}

static void test_sendmsg_passed_descriptor_becomes_shared(void **state) {
        static const int fds[] = { PASSED_OTHER, PASSED_MPTCP, -1 };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(fds))];
        } control = { .bytes = { 0 } };
        struct msghdr message = { .msg_control = &control,
                                  .msg_controllen = sizeof(control.bytes) };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        (void)state;
        *header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_CREDENTIALS };
        header = CMSG_NXTHDR(&message, header);
        *header = (struct cmsghdr){ CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(header), fds, sizeof(fds));

        pass(&message, -EPERM);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_MPTCP);
        pass(&message, 0);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_MPTCP | FD_SHARED);
        assert_int_equal(fd_flags(PASSED_OTHER), FD_OTHER);

        /* as many bytes of it as there are, and never more */
        header->cmsg_len = CMSG_LEN(sizeof(int));
        pass(&message, 0);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_MPTCP);
        header->cmsg_len = CMSG_LEN(sizeof(fds)) + 64;
        pass(&message, 0);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_MPTCP);
        header->cmsg_len = 0;
        pass(&message, 0);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_MPTCP);
}

/* The other end of a pair of sockets that has the number of a connection that was closed. */
static void test_sendmsg_passed_on_stale_word_becomes_shared(void **state) {
        static const int fd = PASSED_MPTCP;
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(fd))];
        } control = { .header = { CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS } };
        struct iovec part = { NULL, 0 };
        struct mmsghdr messages[] = { { .msg_hdr = { .msg_iov = &part,
                                                     .msg_iovlen = 1,
                                                     .msg_control = &control,
                                                     .msg_controllen = sizeof(control) } } };

        (void)state;
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        fd_begin(PASSED_MPTCP, FD_MPTCP);
        fake_expect("sendmsg", 0);
        fake_assert(sendmsg(FAKE_FD, &messages[0].msg_hdr, 0), 0);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_MPTCP | FD_SHARED);
        fd_begin(PASSED_MPTCP, FD_MPTCP);
        fake_expect("sendmsg", 0);
        fake_assert(sendmmsg(FAKE_FD, messages, 1, 0), 1);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_MPTCP | FD_SHARED);
}

static void test_recvmsg_descriptors_have_no_past(void **state) {
        static const int fds[] = { PASSED_OTHER, PASSED_MPTCP };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(fds))];
        } control = { .header = { CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS } };
        struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };

        (void)state;
        memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
        fd_begin(PASSED_OTHER, FD_OTHER);
        fd_begin(PASSED_MPTCP, FD_CLOSED | FD_CONNECTED | FD_ACCEPTED);
        fake_expect("read", -EAGAIN);
        fake_assert(recvmsg(FAKE_FD, &message, 0), -EAGAIN);
        assert_int_equal(fd_flags(PASSED_OTHER), FD_OTHER);
        errno = FAKE_ERRNO;
        fake_expect("read", 1);
        fake_assert(recvmsg(FAKE_FD, &message, 0), 1);
        assert_int_equal(fd_flags(PASSED_OTHER), FD_UNKNOWN);
        assert_int_equal(fd_flags(PASSED_MPTCP), FD_UNKNOWN);
}

/* Moving */

enum { CHUNK = FAKE_SNDBUF / 4 };

static void test_sendfile_goes_in_chunks_that_fit(void **state) {
        (void)state;
        for (int i = 0; i < 2; i++) {
                fake_expect_poll(1, POLLOUT);
                fake_expect("sendfile", CHUNK);
        }
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendfile", 5);
        fake_assert(sendfile(FAKE_FD, 3, NULL, 2 * CHUNK + 5), 2 * CHUNK + 5);
        assert_int_equal(fake.calls[3].n, CHUNK);
        assert_int_equal(fake.calls[5].n, 5);
}

static void test_sendfile_end_of_file_ends(void **state) {
        (void)state;
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendfile", CHUNK - 1);
        fake_assert(sendfile64(FAKE_FD, 3, NULL, 2 * CHUNK), CHUNK - 1);
}

static void test_sendfile_not_blocking_passes(void **state) {
        (void)state;
        fake.status_flags = O_NONBLOCK;
        fake_expect("sendfile", 7);
        fake_assert(sendfile(FAKE_FD, 3, NULL, 2 * CHUNK), 7);
        assert_int_equal(fake.calls[0].n, 2 * CHUNK);
}

static void test_sendfile_stale_word_passes(void **state) {
        (void)state;
        fake.protocol = -ENOTSOCK;
        fake_expect("sendfile", 2 * CHUNK);
        fake_assert(sendfile(FAKE_FD, 3, NULL, 2 * CHUNK), 2 * CHUNK);
        assert_int_equal(fd_flags(FAKE_FD), FD_OTHER);
}

static void test_sendfile_dead_times_out_without_call(void **state) {
        (void)state;
        fake_die();
        fake_expect_poll(1, POLLHUP);
        fake_assert(sendfile(FAKE_FD, 3, NULL, CHUNK), -ETIMEDOUT);
}

static void test_sendfile_dies_after_part_returns_it(void **state) {
        (void)state;
        fake_die();
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendfile", CHUNK);
        fake_expect_poll(1, POLLHUP);
        fake_assert(sendfile(FAKE_FD, 3, NULL, 2 * CHUNK), CHUNK);
}

/* No second call: that would bring a SIGPIPE, though a part has been sent. */
static void test_sendfile_closed_after_part_returns_it(void **state) {
        (void)state;
        fake.hang_up = POLLHUP | POLLRDHUP;
        fake_expect_poll(1, POLLOUT);
        fake_expect("sendfile", CHUNK);
        fake_expect_poll(1, POLLHUP);
        fake_assert(sendfile(FAKE_FD, 3, NULL, 2 * CHUNK), CHUNK);
}

static void test_sendfile_closed_gets_the_kernels_error(void **state) {
        (void)state;
        fake.hang_up = POLLHUP | POLLRDHUP;
        fake_expect_poll(1, POLLHUP);
        fake_expect("sendfile", -EPIPE);
        fake_assert(sendfile(FAKE_FD, 3, NULL, CHUNK), -EPIPE);
}

static void test_splice_moves_one_chunk(void **state) {
        (void)state;
        fake_expect_poll(1, POLLOUT);
        fake_expect("splice", CHUNK);
        fake_assert(splice(3, NULL, FAKE_FD, NULL, 3 * CHUNK, 0), CHUNK);
        assert_int_equal(fake.calls[1].n, CHUNK);
}

/* Nothing to move: no reason to wait for room. */
static void test_move_nothing_does_not_wait(void **state) {
        (void)state;
        fake_expect("sendfile", 0);
        fake_assert(sendfile(FAKE_FD, 3, NULL, 0), 0);
        fake_expect("splice", 0);
        fake_assert(splice(3, NULL, FAKE_FD, NULL, 0, 0), 0);
        fake_expect_poll(0, 0);
        fake_expect("splice", -EAGAIN);
        fake_assert(splice(3, NULL, FAKE_FD, NULL, CHUNK, SPLICE_F_NONBLOCK), -EAGAIN);
        assert_int_equal(fake.calls[2].fd, 3);
        errno = FAKE_ERRNO;
        fake_expect_poll(1, POLLIN);
        fake_expect_poll(1, POLLOUT);
        fake_expect("splice", CHUNK);
        fake_assert(splice(3, NULL, FAKE_FD, NULL, CHUNK, SPLICE_F_NONBLOCK), CHUNK);
}

static void test_splice_from_dead_times_out(void **state) {
        (void)state;
        fake_die();
        fake_expect("splice", -ENOTCONN);
        fake_assert(splice(FAKE_FD, NULL, 3, NULL, CHUNK, 0), -ETIMEDOUT);
}

/* accept() */

static void assert_accept(int r, int wanted) {
        assert_int_equal(errno, FAKE_ERRNO);
        assert_int_equal(r, wanted);
        assert_int_equal(fake.n_calls, fake.n_steps);
}

static void test_wait_for_accept_every_answer_is_told(void **state) {
        (void)state;
        assert_accept(wait_for_accept(FAKE_FD), 0); /* no timeout: not a single poll() */
        fake.timeout_msec = 300;
        fake_expect_poll(1, POLLIN);
        assert_accept(wait_for_accept(FAKE_FD), 0);
        assert_int_equal(fake.calls[0].events, POLLIN);
        assert_in_range(fake.calls[0].timeout, 1, 300);
        fake_expect_poll(0, 0);
        assert_accept(wait_for_accept(FAKE_FD), -EAGAIN);
        fake_expect_poll(-EINTR, 0);
        assert_accept(wait_for_accept(FAKE_FD), -EINTR);
        fake_expect_poll(-EINVAL, 0);
        assert_accept(wait_for_accept(FAKE_FD), 0);
        fake.status_flags = O_NONBLOCK;
        assert_accept(wait_for_accept(FAKE_FD), 0);
}

/* A sandbox, for good: last of all */

static void test_confined_every_call_passes(void **state) {
        char data[4];

        (void)state;
        fake_die();
        fd_confine();
        fake_expect("read", -ENOTCONN);
        fake_assert(read(FAKE_FD, data, sizeof(data)), -ENOTCONN);
        fake_expect("write", -EPIPE);
        fake_assert(write(FAKE_FD, text, N), -EPIPE);
        fake_expect("send", -EPIPE);
        fake_assert(send(FAKE_FD, text, 1, MSG_OOB), -EPIPE);
        assert_int_equal(fake.calls[2].flags, MSG_OOB);
        fake_expect("sendfile", -EPIPE);
        fake_assert(sendfile(FAKE_FD, 3, NULL, CHUNK), -EPIPE);
}

#define TEST(name) cmocka_unit_test_setup(name, fake_setup)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_send_urgent_is_refused),
                TEST(test_send_urgent_on_tcp_passes),
                TEST(test_send_zerocopy_on_tcp_is_one_call),
                TEST(test_send_zerocopy_on_mptcp_is_not_left_to_block),
                TEST(test_sendmsg_unreadable_passes_error),
                TEST(test_sendmmsg_stops_at_failure),
                TEST(test_fastopen_is_a_connect_that_does_not_block),
                TEST(test_fastopen_without_a_cookie_waits_for_the_connection),
                TEST(test_fastopen_that_the_kernel_lacks_is_connect_and_send),
                TEST(test_fastopen_of_others_passes),
                TEST(test_sendmsg_passed_descriptor_becomes_shared),
                TEST(test_sendmsg_passed_on_stale_word_becomes_shared),
                TEST(test_recvmsg_descriptors_have_no_past),
                TEST(test_sendfile_goes_in_chunks_that_fit),
                TEST(test_sendfile_end_of_file_ends),
                TEST(test_sendfile_not_blocking_passes),
                TEST(test_sendfile_stale_word_passes),
                TEST(test_sendfile_dead_times_out_without_call),
                TEST(test_sendfile_dies_after_part_returns_it),
                TEST(test_sendfile_closed_after_part_returns_it),
                TEST(test_sendfile_closed_gets_the_kernels_error),
                TEST(test_splice_moves_one_chunk),
                TEST(test_move_nothing_does_not_wait),
                TEST(test_splice_from_dead_times_out),
                TEST(test_wait_for_accept_every_answer_is_told),
                TEST(test_confined_every_call_passes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
