/*
 * Unit tests of the hooks for the life of a descriptor, against a fake of all that is behind
 * them (fake.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "demote.h"
#include "fake.h"
#include "fd.h"
#include "next.h"

enum { MPTCP = FAKE_MPTCP, TYPE = FAKE_TYPE, FD = FAKE_FD, UNTOUCHED = 4711, EPFD = 77 };

static int set_up(void **state) {
        (void)state;
        memset(&fake, 0, sizeof(fake));
        fake.next_fd = FD;
        errno = UNTOUCHED;
        return 0;
}

static void forget_calls(void) {
        memset(fake.log, 0, sizeof(fake.log));
        fake.n_calls = 0;
}

static void assert_calls(const char *expected) {
        assert_string_equal(fake.log, expected);
        assert_int_equal(errno, UNTOUCHED);
}

static const struct sockaddr_in remote = { .sin_family = AF_INET,
                                           .sin_port = 0x5000,
                                           .sin_addr = { 0x010200c0 } }; /* 192.0.2.1 */
static const struct sockaddr_in loopback = { .sin_family = AF_INET,
                                             .sin_port = 0x5000,
                                             .sin_addr = { 0x0100007f } };

static int connect_to(const struct sockaddr_in *address) {
        return connect(FD, (const struct sockaddr *)address, sizeof(*address));
}

/* Start */

/* First of all: nothing but the constructor can have looked up, and it has found nothing. */
static void test_constructor_no_next_library_hooks_fail_enosys(void **state) {
        (void)state;
        assert_true(fake.n_lookups > 0);
        assert_int_equal(socket(AF_INET, TYPE, 0), -1);
        assert_int_equal(errno, ENOSYS);
        errno = 0;
        assert_int_equal(close(FD), -1);
        assert_int_equal(errno, ENOSYS);
        fake.missing = false;
        errno = UNTOUCHED;
        next_resolve();
        assert_int_equal(errno, UNTOUCHED);
}

/* socket() */

static void test_socket_tcp_asks_for_mptcp(void **state) {
        (void)state;
        assert_int_equal(socket(AF_INET6, TYPE | SOCK_NONBLOCK, IPPROTO_TCP), FD);
        assert_calls("S");
        assert_int_equal(fd_flags(FD), FD_MPTCP | FD_INET6 | FD_NONBLOCK);
}

static void test_socket_mptcp_refused_falls_back_with_own_arguments(void **state) {
        static const int refusals[] = {
                EINVAL, EPROTONOSUPPORT, ENOPROTOOPT, EPERM, EMFILE, ESRCH
        };

        (void)state;
        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
                forget_calls();
                fake.mptcp_error = refusals[i];
                assert_int_equal(socket(AF_INET, TYPE, 0), FD);
                assert_calls("Ss");
                assert_int_equal(fd_flags(FD), FD_OTHER);
        }
}

static void test_socket_mptcp_and_tcp_refused_passes_second_error(void **state) {
        (void)state;
        fake.mptcp_error = EPERM;
        fake.fails = 2;
        fake.error = EMFILE;
        assert_int_equal(socket(AF_INET, TYPE, 0), -1);
        assert_int_equal(errno, EMFILE);
}

static void test_socket_left_alone_fails_passes_error_without_retry(void **state) {
        (void)state;
        fake.fails = 1;
        fake.error = EPERM;
        assert_int_equal(socket(AF_UNIX, TYPE, 0), -1);
        assert_int_equal(errno, EPERM);
        assert_string_equal(fake.log, "s");
        set_up(state);
        fake.mptcp_error = ENOPROTOOPT;
        assert_int_equal(socket(AF_INET, TYPE, MPTCP), -1);
        assert_int_equal(errno, ENOPROTOOPT);
        assert_string_equal(fake.log, "S");
}

static void test_socket_number_without_word_is_tcp(void **state) {
        (void)state;
        fake.next_fd = FD_WORDS;
        assert_int_equal(socket(AF_INET, TYPE, 0), FD_WORDS);
        assert_calls("Scs");
        set_up(state);
        fake.next_fd = FD_WORDS - 1;
        assert_int_equal(socket(AF_INET, TYPE, 0), FD_WORDS - 1);
        assert_calls("S");
}

/* A fresh MPTCP socket FD with two options, bound and watched. */
static void make_socket(void) {
        struct epoll_event event = { .events = EPOLLIN };
        int one = 1;

        (void)set_up(NULL);
        assert_int_equal(socket(AF_INET, TYPE, 0), FD);
        fd_note_option(FD, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one), false);
        fd_note_option(FD, IPPROTO_IP, IP_TTL, &one, sizeof(one), true);
        assert_int_equal(bind(FD,
                              (const struct sockaddr *)&(struct sockaddr_in){
                                              .sin_family = AF_INET },
                              sizeof(remote)),
                         0);
        assert_int_equal(epoll_ctl(EPFD, EPOLL_CTL_ADD, FD, &event), 0);
        forget_calls();
        errno = UNTOUCHED;
        fake.next_fd = FD + 1;
}

/* connect() */

static void test_connect_loopback_becomes_tcp(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(connect_to(&loopback), 0);
        /* local address; protocol; flags; new socket with options and port; swap between watches */
        assert_calls("ngffsoonoobomdecC");
        assert_int_equal(fake.protocols[FD], IPPROTO_TCP);
        assert_int_equal(fd_flags(FD), FD_OTHER);
}

static void test_connect_elsewhere_stays_mptcp(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(connect_to(&remote), 0);
        assert_int_equal(fake.protocols[FD], MPTCP);
        assert_true(fd_flags(FD) & FD_CONNECTED);
}

static void test_connect_outcome_decides_what_is_connected(void **state) {
        static const struct {
                int error;
                bool connected;
        } outcomes[] = { { 0, true },
                         { EINPROGRESS, true },
                         { EINTR, true },
                         { ECONNREFUSED, false },
                         { ENETUNREACH, false } };

        (void)state;
        for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
                set_up(state);
                assert_int_equal(socket(AF_INET, TYPE, 0), FD);
                fake.error = outcomes[i].error;
                fake.fails = fake.error ? 2 : 0;
                assert_int_equal(connect_to(&remote), fake.error ? -1 : 0);
                assert_int_equal(errno, fake.error ? fake.error : UNTOUCHED);
                assert_int_equal(!!(fd_flags(FD) & FD_CONNECTED), outcomes[i].connected);
        }
}

static const struct sockaddr_in none = { .sin_family = AF_UNSPEC };

static void test_connect_unspec_is_fresh_again(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(connect_to(&remote), 0);
        assert_int_equal(connect_to(&none), 0);
        assert_false(fd_flags(FD) & FD_CONNECTED);
        assert_int_equal(connect_to(&loopback), 0);
        assert_int_equal(fake.protocols[FD], IPPROTO_TCP);
}

static void assert_stays_mptcp_after_unspec(void) {
        assert_int_equal(connect_to(&none), 0);
        assert_false(fd_flags(FD) & FD_CONNECTED);
        assert_int_equal(connect_to(&loopback), 0);
        assert_int_equal(fake.protocols[FD], MPTCP);
        assert_true(fd_flags(FD) & FD_CONNECTED);
}

/* What was done while it was connected is not in the record, and would be lost. */
static void test_connect_unspec_after_use_stays_mptcp(void **state) {
        struct epoll_event event = { .events = EPOLLOUT };
        const int one = 1;

        (void)state;
        make_socket();
        assert_int_equal(connect_to(&remote), 0);
        assert_int_equal(epoll_ctl(EPFD + 1, EPOLL_CTL_ADD, FD, &event), 0);
        assert_stays_mptcp_after_unspec();

        make_socket();
        assert_int_equal(connect_to(&remote), 0);
        assert_int_equal(setsockopt(FD, SOL_SOCKET, SO_LINGER, &one, sizeof(one)), 0);
        assert_stays_mptcp_after_unspec();
}

static void test_connect_fallen_back_gets_accepted_options(void **state) {
        (void)state;
        make_socket();
        fake.fallen_back = true;
        assert_int_equal(connect_to(&remote), 0);
        assert_calls("nCggo");
        assert_true(fd_flags(FD) & FD_FELL_BACK);
        assert_false(fd_find_option(FD, IPPROTO_IP, IP_TTL)->accepted);
        forget_calls();
        demote_settle(FD);
        assert_calls("");
}

static void test_settle_not_yet_established_asks_again(void **state) {
        (void)state;
        make_socket();
        fake.fails = 2;
        fake.error = EINPROGRESS;
        assert_int_equal(connect_to(&remote), -1);
        forget_calls();
        demote_settle(FD);
        demote_settle(FD);
        fake.established = true;
        demote_settle(FD);
        demote_settle(FD);
        assert_string_equal(fake.log, "gpgpgp");
}

/* demote() */

static enum demote_refusal demote_now(void) {
        forget_calls();
        return demote(FD, REPORT_DEMOTED, 1, "TCP_MD5SIG");
}

/* The letter of each call says whether the old socket is still what it was. */
static void test_demote_any_step_fails_old_socket_stays(void **state) {
        size_t last;

        (void)state;
        make_socket();
        assert_int_equal(demote_now(), DEMOTE_DONE);
        last = (size_t)(strchr(fake.log, 'd') - fake.log) + 1;
        for (size_t step = 1; step <= last; step++) {
                enum demote_refusal r;
                char failed;

                make_socket();
                fake.fails = step;
                fake.error = ENOMEM;
                r = demote_now();
                failed = fake.log[step - 1];
                assert_int_equal(errno, UNTOUCHED);
                if (strchr("gpom", failed) && r == DEMOTE_DONE)
                        continue; /* it was no more than a question, or a promise */
                assert_int_equal(r, DEMOTE_FAILED);
                if (failed == 'd') /* it is watched again */
                        assert_string_equal(strchr(fake.log, 'd'), "dec");
                assert_int_equal(fake.protocols[FD], MPTCP);
                assert_int_equal(fake.protocols[FD + 1], 0);
                assert_true(fd_flags(FD) & FD_MPTCP);
        }
}

static void test_demote_option_real_fails_accepted_does_not_matter(void **state) {
        static const struct {
                size_t step;
                int error;
                enum demote_refusal expected;
        } cases[] = { { 7, EPERM, DEMOTE_FAILED },
                      { 7, EOPNOTSUPP, DEMOTE_DONE },
                      { 8, EINVAL, DEMOTE_DONE } };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                make_socket();
                fake.fails = cases[i].step;
                fake.error = cases[i].error;
                assert_int_equal(demote_now(), cases[i].expected);
                assert_int_equal(fake.log[cases[i].step - 1], 'o');
        }
}

static void test_demote_used_or_shared_or_unknown_stays(void **state) {
        static const struct {
                uint32_t flags;
                enum demote_refusal expected;
        } cases[] = { { FD_CONNECTED, DEMOTE_USED },
                      { FD_LISTENING, DEMOTE_USED },
                      { FD_SHARED, DEMOTE_SHARED },
                      { FD_INEXACT, DEMOTE_UNKNOWN } };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                make_socket();
                fd_set_flags(FD, cases[i].flags);
                assert_int_equal(demote_now(), cases[i].expected);
                assert_calls("g");
        }
        make_socket();
        fake.established = true; /* by io_uring, say */
        assert_int_equal(demote_now(), DEMOTE_USED);
        make_socket();
        fake.protocols[FD] = IPPROTO_TCP;
        assert_int_equal(demote_now(), DEMOTE_NOT_MPTCP);
        assert_int_equal(fd_flags(FD), FD_OTHER);
}

static void test_demote_after_fork_stays(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(fork(), 1);
        assert_int_equal(demote_now(), DEMOTE_SHARED);
        make_socket();
        assert_int_equal(demote_now(), DEMOTE_DONE);
}

/* Duplicates, close() */

static void test_dup_all_kinds_share(void **state) {
        (void)state;
        for (int i = 0; i < 4; i++) {
                int to = FD + 1, r;

                make_socket();
                r = i == 0   ? dup(FD)
                    : i == 1 ? dup2(FD, to)
                    : i == 2 ? dup3(FD, to, 0)
                             : fcntl(FD, F_DUPFD, 3);
                assert_int_equal(r, to);
                fake.protocols[to] = MPTCP;
                assert_true(fd_flags(FD) & FD_SHARED);
                assert_true(fd_flags(to) & FD_SHARED);
                assert_int_equal(fd_flags(to) & FD_KIND, FD_MPTCP);
                assert_non_null(fd_find_option(to, IPPROTO_IP, IP_TTL));
                assert_null(fd_find_option(to, SOL_SOCKET, SO_KEEPALIVE));
        }
}

static void test_dup2_to_itself_shares_nothing(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(dup2(FD, FD), FD);
        assert_false(fd_flags(FD) & FD_SHARED);
}

/* A vfork child has its own descriptors, but our memory. */
static void test_close_in_vfork_child_socket_comes_back_shared(void **state) {
        (void)state;
        make_socket();
        fd_set_flags(FD, FD_CONNECTED);
        assert_int_equal(close(FD), 0);
        fake.protocols[FD] = MPTCP; /* still there */
        forget_calls();
        assert_int_equal(fd_flags(FD) & (FD_KIND | FD_CONNECTED | FD_SHARED),
                         FD_MPTCP | FD_CONNECTED | FD_SHARED);
        assert_calls("g");
        assert_non_null(fd_find_option(FD, IPPROTO_IP, IP_TTL));
        (void)fd_flags(FD);
        assert_calls("g");
}

static void test_close_number_used_again_is_other(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(close(FD), 0);
        forget_calls();
        assert_int_equal(fd_flags(FD), FD_OTHER);
        assert_int_equal(fd_flags(FD), FD_OTHER);
        assert_calls("g");
}

static void test_close_of_another_leaves_nothing(void **state) {
        (void)state;
        fd_begin(FD, FD_OTHER);
        fake.protocols[FD] = IPPROTO_TCP;
        assert_int_equal(close(FD), 0);
        forget_calls();
        assert_int_equal(fd_flags(FD), FD_UNKNOWN);
        assert_calls("");
}

/* What a child of vfork() puts over our number is not in our table of descriptors. */
static void test_dup2_in_vfork_child_socket_comes_back(void **state) {
        (void)state;
        make_socket();
        fd_begin(FD + 1, FD_OTHER);
        fake.protocols[FD + 1] = IPPROTO_TCP;
        assert_int_equal(dup2(FD + 1, FD), FD);
        fake.protocols[FD] = MPTCP; /* still ours */
        assert_int_equal(fd_flags(FD) & FD_KIND, FD_MPTCP);
}

static void test_fcntl_setfl_is_followed(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(fcntl(FD, F_SETFL, O_NONBLOCK), 0);
        assert_true(fd_flags(FD) & FD_NONBLOCK);
        assert_int_equal(fcntl(FD, F_SETFL, 0), 0);
        assert_false(fd_flags(FD) & FD_NONBLOCK);
        assert_int_equal(fcntl(FD, F_SETOWN, 1), 0);
        assert_true(fd_flags(FD) & FD_OWNED);
}

/* listen() and accept() */

static void test_listen_on_loopback_becomes_tcp(void **state) {
        (void)state;
        make_socket();
        fake.local = loopback.sin_addr.s_addr;
        assert_int_equal(listen(FD, 1), 0);
        assert_int_equal(fake.protocols[FD], IPPROTO_TCP);
}

/* Its word says otherwise: a vfork child has had a socket of its own at that number. */
static void test_listen_again_stays_what_it_is(void **state) {
        (void)state;
        make_socket();
        fake.local = loopback.sin_addr.s_addr;
        fake.listening = true;
        assert_int_equal(listen(FD, 2), 0);
        assert_calls("gl");
        assert_int_equal(fake.protocols[FD], MPTCP);
}

static void test_accept_from_mptcp_listener_inherits(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(listen(FD, 1), 0);
        assert_true(fd_flags(FD) & FD_LISTENING);
        forget_calls();
        assert_int_equal(accept4(FD, NULL, NULL, SOCK_NONBLOCK), FD + 1);
        assert_calls("ag");
        assert_true(fd_flags(FD + 1) & FD_CONNECTED);
        assert_true(fd_flags(FD + 1) & FD_NONBLOCK);
        assert_true(fd_find_option(FD + 1, IPPROTO_IP, IP_TTL)->accepted);
}

static void test_accept_of_tcp_client_sets_options(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(listen(FD, 1), 0);
        fake.protocols[FD] = IPPROTO_TCP; /* what the fake accepts */
        forget_calls();
        assert_int_equal(accept(FD, NULL, NULL), FD + 1);
        assert_calls("ago");
        assert_int_equal(fd_flags(FD + 1), FD_OTHER);
}

/* The timeout is the socket's, whichever descriptor it was set on. */
static void test_accept_from_duplicated_listener_asks_for_timeout(void **state) {
        const struct timeval timeout = { .tv_sec = 1 };

        (void)state;
        make_socket();
        assert_int_equal(listen(FD, 1), 0);
        fd_clear_flags(FD, FD_ACCEPTED);
        forget_calls();
        assert_int_equal(accept(FD, NULL, NULL), FD + 1);
        assert_calls("a");
        assert_int_equal(dup(FD), FD + 1);
        assert_int_equal(setsockopt(FD + 1, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
        forget_calls();
        assert_int_equal(accept(FD, NULL, NULL), FD + 1);
        assert_calls("fga");
}

/* From before this program, so that nobody has seen what it is. */
static void test_accept_from_inherited_listener_is_asked_once(void **state) {
        (void)state;
        fd_begin(FD, FD_UNKNOWN);
        fake.protocols[FD] = MPTCP;
        fake.next_fd = FD + 1;
        assert_int_equal(accept(FD, NULL, NULL), FD + 1);
        assert_int_equal(fd_flags(FD), FD_MPTCP | FD_LISTENING | FD_SHARED);
        assert_int_equal(fd_flags(FD + 1), FD_MPTCP | FD_CONNECTED);
        assert_calls("gfga"); /* what it is; O_NONBLOCK and timeout, for others may have set it */

        fd_begin(FD, FD_UNKNOWN);
        fake.protocols[FD] = IPPROTO_TCP;
        forget_calls();
        assert_int_equal(accept(FD, NULL, NULL), FD + 1);
        assert_int_equal(accept(FD, NULL, NULL), FD + 1);
        assert_int_equal(fd_flags(FD + 1), FD_OTHER);
        assert_calls("gaa");
}

/* Last of all: there is no way back. */
static void test_prctl_seccomp_leaves_everything_alone(void **state) {
        (void)state;
        make_socket();
        assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_false(fd_is_confined());
        assert_int_equal(prctl(PR_SET_SECCOMP, 2, 0, 0, 0), 0);
        assert_true(fd_is_confined());
        assert_int_equal(connect_to(&loopback), 0);
        assert_calls("C");
        assert_int_equal(close(FD), 0);
        assert_int_equal(fd_flags(FD), FD_UNKNOWN);
        assert_int_equal(socket(AF_INET, TYPE, 0), FD + 1);
        assert_calls("Ccs");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_constructor_no_next_library_hooks_fail_enosys),
                cmocka_unit_test_setup(test_socket_tcp_asks_for_mptcp, set_up),
                cmocka_unit_test_setup(test_socket_mptcp_refused_falls_back_with_own_arguments,
                                       set_up),
                cmocka_unit_test_setup(test_socket_mptcp_and_tcp_refused_passes_second_error,
                                       set_up),
                cmocka_unit_test_setup(test_socket_left_alone_fails_passes_error_without_retry,
                                       set_up),
                cmocka_unit_test_setup(test_socket_number_without_word_is_tcp, set_up),
                cmocka_unit_test(test_connect_loopback_becomes_tcp),
                cmocka_unit_test(test_connect_elsewhere_stays_mptcp),
                cmocka_unit_test(test_connect_outcome_decides_what_is_connected),
                cmocka_unit_test(test_connect_unspec_is_fresh_again),
                cmocka_unit_test(test_connect_unspec_after_use_stays_mptcp),
                cmocka_unit_test(test_connect_fallen_back_gets_accepted_options),
                cmocka_unit_test(test_settle_not_yet_established_asks_again),
                cmocka_unit_test(test_demote_any_step_fails_old_socket_stays),
                cmocka_unit_test(test_demote_option_real_fails_accepted_does_not_matter),
                cmocka_unit_test(test_demote_used_or_shared_or_unknown_stays),
                cmocka_unit_test(test_demote_after_fork_stays),
                cmocka_unit_test(test_dup_all_kinds_share),
                cmocka_unit_test(test_dup2_to_itself_shares_nothing),
                cmocka_unit_test(test_close_in_vfork_child_socket_comes_back_shared),
                cmocka_unit_test(test_close_number_used_again_is_other),
                cmocka_unit_test(test_close_of_another_leaves_nothing),
                cmocka_unit_test(test_dup2_in_vfork_child_socket_comes_back),
                cmocka_unit_test(test_fcntl_setfl_is_followed),
                cmocka_unit_test(test_listen_on_loopback_becomes_tcp),
                cmocka_unit_test(test_listen_again_stays_what_it_is),
                cmocka_unit_test(test_accept_from_mptcp_listener_inherits),
                cmocka_unit_test(test_accept_of_tcp_client_sets_options),
                cmocka_unit_test(test_accept_from_duplicated_listener_asks_for_timeout),
                cmocka_unit_test_setup(test_accept_from_inherited_listener_is_asked_once, set_up),
                cmocka_unit_test(test_prctl_seccomp_leaves_everything_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
