/*
 * Unit tests of shim/tls.c, by way of the hooks that write: a fake library behind them takes what
 * they are told to take.
 */
#include <errno.h>
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
#include "tls.h"

enum {
        HELLO = 43,            /* a hello's bytes up to the end of its random number */
        RANDOM = 11,           /* where that begins */
        FAR = FAKE_FD + 16384, /* shares with FAKE_FD what there is room for */
};

static uint8_t number = 1;

/* A hello that nobody has sent before, with more behind it. */
static void make_hello(uint8_t hello[static HELLO + 7], enum tls_role role) {
        static const uint8_t head[RANDOM] = { 22, 3, 1, 2, 0, 0, 0, 1, 252, 3, 3 };

        memset(hello, 0, HELLO + 7);
        memcpy(hello, head, sizeof(head));
        hello[5] = (uint8_t)role;
        for (size_t i = 0; i < TLS_RANDOM; i++)
                hello[RANDOM + i] = (uint8_t)(number * 7 + i);
        number++;
}

static int setup(void **state) {
        (void)fake_setup(state);
        tls_watch(FAKE_FD);
        return 0;
}

/* In one call. fake-io.c keeps what is sent, of which there is too much here. */
static ssize_t send_all(int fd, const void *data, size_t n) {
        fake.n_calls = fake.n_steps = 0;
        fake.n_stream = 0;
        fake_expect("send", (ssize_t)n);
        return send(fd, data, n, 0);
}

static void assert_watched(int fd, bool watched) {
        assert_int_equal((fd_flags(fd) & FD_HELLO) != 0, watched);
}

/* It is bound to FAKE_FD, once. */
static void assert_bound(enum tls_role role, const uint8_t *hello) {
        assert_watched(FAKE_FD, false);
        assert_int_equal(tls_take(role, hello + RANDOM), FAKE_FD);
        assert_int_equal(tls_take(role, hello + RANDOM), -1);
}

static void test_take_hello_sent_by_any_function_is_found(void **state) {
        uint8_t hello[HELLO + 7];
        struct iovec parts[] = { { hello, 3 }, { hello + 3, 0 }, { hello + 3, HELLO + 4 } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
        struct mmsghdr messages[] = { { .msg_hdr = message } };

        for (int way = 0; way < 6; way++) {
                ssize_t r = 0;

                (void)setup(state);
                make_hello(hello, TLS_CLIENT);
                fake_expect(way == 1 ? "sendto" : way >= 3 ? "sendmsg" : "send", sizeof(hello));
                switch (way) {
                case 0:
                        r = send(FAKE_FD, hello, sizeof(hello), 0);
                        break;
                case 1:
                        r = sendto(FAKE_FD, hello, sizeof(hello), 0, NULL, 0);
                        break;
                case 2:
                        r = write(FAKE_FD, hello, sizeof(hello));
                        break;
                case 3:
                        r = sendmsg(FAKE_FD, &message, 0);
                        break;
                case 4:
                        r = writev(FAKE_FD, parts, 3);
                        break;
                default:
                        assert_int_equal(sendmmsg(FAKE_FD, messages, 1, 0), 1);
                        r = messages[0].msg_len;
                }
                fake_assert(r, sizeof(hello));
                assert_bound(TLS_CLIENT, hello);
        }
}

static void test_take_server_hello_is_found(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_SERVER);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
        assert_bound(TLS_SERVER, hello);
}

static void test_take_hello_in_pieces_is_found(void **state) {
        uint8_t hello[HELLO + 7];

        for (size_t piece = 1; piece < HELLO; piece++) {
                (void)setup(state);
                make_hello(hello, TLS_CLIENT);
                for (size_t at = 0; at < HELLO; at += piece) {
                        assert_watched(FAKE_FD, true);
                        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
                        (void)send_all(FAKE_FD, hello + at,
                                       piece < HELLO - at ? piece : HELLO - at);
                }
                assert_bound(TLS_CLIENT, hello);
        }
}

/* What counts is what the kernel has taken. */
static void test_take_hello_sent_in_part_is_found_when_whole(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        fd_set_flags(FAKE_FD, FD_NONBLOCK);
        fake_expect("send", -EAGAIN);
        fake_expect("send", 20);
        fake_expect("send", sizeof(hello) - 20);
        (void)send(FAKE_FD, hello, sizeof(hello), 0);
        assert_int_equal(send(FAKE_FD, hello, sizeof(hello), 0), 20);
        assert_watched(FAKE_FD, true);
        (void)send(FAKE_FD, hello + 20, sizeof(hello) - 20, 0);
        assert_bound(TLS_CLIENT, hello);
}

static void test_take_hello_behind_plain_text_is_found(void **state) {
        static const char text[] = "EHLO example.org\r\n";
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        for (unsigned int i = 1; i < TLS_PLAIN_CALLS; i++)
                (void)send_all(FAKE_FD, text, sizeof(text));
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        assert_bound(TLS_CLIENT, hello);
}

static void test_take_too_many_calls_are_given_up(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        for (unsigned int i = 0; i < TLS_PLAIN_CALLS; i++) {
                assert_watched(FAKE_FD, true);
                (void)send_all(FAKE_FD, "x", 1);
        }
        assert_watched(FAKE_FD, false);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
}

static void test_sent_too_many_bytes_are_given_up(void **state) {
        static char data[TLS_PLAIN_BYTES];
        const struct iovec part = { data, sizeof(data) };

        (void)state;
        tls_sent(FAKE_FD, &part, 1, sizeof(data) - 1);
        assert_watched(FAKE_FD, true);
        tls_sent(FAKE_FD, &part, 1, 1);
        assert_watched(FAKE_FD, false);
}

/* Each byte that has to be there: the hello of another is not taken for one. */
static void test_take_what_is_no_hello_is_not_found(void **state) {
        static const struct {
                size_t at;
                uint8_t byte;
        } wrong[] = { { 0, 23 }, { 1, 2 }, { 3, 0 }, { 5, 4 }, { 5, 0 }, { 9, 2 } };
        uint8_t hello[HELLO + 7];

        for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
                (void)setup(state);
                make_hello(hello, TLS_CLIENT);
                hello[wrong[i].at] = wrong[i].byte;
                (void)send_all(FAKE_FD, hello, sizeof(hello));
                assert_watched(FAKE_FD, true);
                assert_int_equal(tls_take(hello[5], hello + RANDOM), -1);
        }
}

/* HelloRetryRequest is a ServerHello with a number that all have; the next one counts. */
static void test_take_hello_behind_a_retry_is_found(void **state) {
        static const uint8_t retry[TLS_RANDOM] = {
                0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
        };
        uint8_t hello[HELLO + 7], again[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_SERVER);
        memcpy(again, hello, sizeof(again));
        memcpy(again + RANDOM, retry, sizeof(retry));
        (void)send_all(FAKE_FD, again, sizeof(again));
        assert_watched(FAKE_FD, true);
        assert_int_equal(tls_take(TLS_SERVER, retry), -1);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        assert_bound(TLS_SERVER, hello);
}

static void test_take_descriptor_used_again_is_not_found(void **state) {
        uint8_t hello[HELLO + 7], other[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        fd_begin(FAKE_FD, FAKE_WORD);
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);

        tls_watch(FAKE_FD);
        make_hello(other, TLS_CLIENT);
        (void)send_all(FAKE_FD, other, sizeof(other));
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
        assert_bound(TLS_CLIENT, other);
}

static void test_take_descriptor_used_again_for_no_socket_is_not_found(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        fd_begin(FAKE_FD, FD_OTHER);
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
}

/* Closed behind our back by a child of vfork(), it is one still. */
static void test_take_descriptor_closed_by_nobody_is_found(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        fd_note_close(FAKE_FD);
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), FAKE_FD);
}

static void test_take_half_a_hello_of_another_life_is_forgotten(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        (void)send_all(FAKE_FD, hello, 20);
        fd_begin(FAKE_FD, FAKE_WORD);
        tls_watch(FAKE_FD);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        assert_bound(TLS_CLIENT, hello);
}

/* The same socket may be connected once more. */
static void test_watch_again_forgets(void **state) {
        uint8_t hello[HELLO + 7], other[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        tls_watch(FAKE_FD);
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
        make_hello(other, TLS_CLIENT);
        (void)send_all(FAKE_FD, other, sizeof(other));
        assert_bound(TLS_CLIENT, other);
}

/* The first one has made it; who has seen it there can send it, too. */
static void test_take_number_sent_twice_is_the_firsts(void **state) {
        uint8_t hello[HELLO + 7];
        const struct iovec part = { hello, sizeof(hello) };

        (void)state;
        make_hello(hello, TLS_SERVER);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        fd_begin(FAKE_FD + 1, FAKE_WORD);
        tls_watch(FAKE_FD + 1);
        tls_sent(FAKE_FD + 1, &part, 1, sizeof(hello));
        assert_watched(FAKE_FD + 1, false);
        assert_bound(TLS_SERVER, hello);
}

static void test_take_of_two_that_share_the_later_is_found(void **state) {
        uint8_t hello[HELLO + 7], other[HELLO + 7];
        const struct iovec part = { other, sizeof(other) };

        (void)state;
        make_hello(hello, TLS_CLIENT);
        make_hello(other, TLS_CLIENT);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        fd_begin(FAR, FAKE_WORD);
        tls_watch(FAR);
        tls_sent(FAR, &part, 1, sizeof(other));
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
        assert_int_equal(tls_take(TLS_CLIENT, other + RANDOM), FAR);
}

/* More that wait than one bucket has room for: all but those that lost their place are found. */
static void test_take_of_many_each_is_found(void **state) {
        static uint8_t hellos[256][HELLO + 7];
        int found = 0;

        (void)state;
        for (int i = 0; i < 256; i++) {
                const struct iovec part = { hellos[i], sizeof(hellos[i]) };

                make_hello(hellos[i], TLS_SERVER);
                memcpy(hellos[i] + RANDOM + 8, &(uint32_t){ (uint32_t)i % 64 }, 4);
                hellos[i][RANDOM] = (uint8_t)i;
                fd_begin(FAKE_FD + 1 + i, FAKE_WORD);
                tls_watch(FAKE_FD + 1 + i);
                tls_sent(FAKE_FD + 1 + i, &part, 1, sizeof(hellos[i]));
        }
        for (int i = 0; i < 256; i++)
                found += tls_take(TLS_SERVER, hellos[i] + RANDOM) == FAKE_FD + 1 + i;
        assert_int_equal(found, 256);
}

static void test_watch_no_mptcp_socket_does_nothing(void **state) {
        (void)state;
        fd_begin(FAKE_FD, FD_OTHER | FD_CONNECTED);
        tls_watch(FAKE_FD);
        assert_watched(FAKE_FD, false);
        tls_watch(-1);
        tls_watch(FD_WORDS);
}

/* What is not watched is not looked at, whoever sends it. */
static void test_sent_unwatched_is_not_found(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        fd_begin(FAKE_FD, FAKE_WORD);
        make_hello(hello, TLS_CLIENT);
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
}

/* A duplicate is the same connection; it goes on where it is. */
static void test_sent_on_a_duplicate_is_found(void **state) {
        uint8_t hello[HELLO + 7];
        const struct iovec part = { hello, sizeof(hello) };

        (void)state;
        make_hello(hello, TLS_CLIENT);
        fd_begin(FAKE_FD + 1, fd_flags(FAKE_FD));
        tls_sent(FAKE_FD + 1, &part, 1, sizeof(hello));
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), FAKE_FD + 1);
}

static void test_sent_in_a_sandbox_is_not_found(void **state) {
        uint8_t hello[HELLO + 7];

        (void)state;
        make_hello(hello, TLS_CLIENT);
        fd_confine();
        (void)send_all(FAKE_FD, hello, sizeof(hello));
        atomic_store(&fd_state.confined, 0);
        assert_int_equal(tls_take(TLS_CLIENT, hello + RANDOM), -1);
}

/* The counter of forks has lost a bit to the flag. */
static void test_flag_is_apart_from_forks(void **state) {
        (void)state;
        for (uint32_t i = 0; i <= FD_FORK_MASK; i++) {
                fd_begin(FAKE_FD, FAKE_WORD);
                assert_true(fd_is_ours(FAKE_FD));
                assert_watched(FAKE_FD, false);
                fd_note_fork();
                assert_false(fd_is_ours(FAKE_FD));
        }
        fd_begin(FAKE_FD, FAKE_WORD | FD_HELLO);
        assert_watched(FAKE_FD, true);
        assert_true(fd_is_ours(FAKE_FD));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_take_hello_sent_by_any_function_is_found),
                TEST(test_take_server_hello_is_found),
                TEST(test_take_hello_in_pieces_is_found),
                TEST(test_take_hello_sent_in_part_is_found_when_whole),
                TEST(test_take_hello_behind_plain_text_is_found),
                TEST(test_take_too_many_calls_are_given_up),
                TEST(test_sent_too_many_bytes_are_given_up),
                TEST(test_take_what_is_no_hello_is_not_found),
                TEST(test_take_hello_behind_a_retry_is_found),
                TEST(test_take_descriptor_used_again_is_not_found),
                TEST(test_take_descriptor_used_again_for_no_socket_is_not_found),
                TEST(test_take_descriptor_closed_by_nobody_is_found),
                TEST(test_take_half_a_hello_of_another_life_is_forgotten),
                TEST(test_watch_again_forgets),
                TEST(test_take_number_sent_twice_is_the_firsts),
                TEST(test_take_of_two_that_share_the_later_is_found),
                TEST(test_take_of_many_each_is_found),
                TEST(test_watch_no_mptcp_socket_does_nothing),
                TEST(test_sent_unwatched_is_not_found),
                TEST(test_sent_on_a_duplicate_is_found),
                TEST(test_sent_in_a_sandbox_is_not_found),
                TEST(test_flag_is_apart_from_forks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
