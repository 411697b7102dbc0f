/*
 * Policy databases and the daemon's socket, as a program that is started with the library meets
 * them. Run by ./preload; each test starts this program again as "test-policy WHAT", in a mount
 * namespace where /run is empty, so that the daemon's directory is ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder.h"
#include "config.h"
#include "policy/hint.h"
#include "policy/report.h"
#include "support.h"

#define SYSTEM_DB MPTCPIZE_RUNTIME "/policy.db"
#define USER_DB   "/run/user.db"
#define REPORT    "/run/report"
#define BOTH      (POLICY_APP_CONNECT | POLICY_APP_LISTEN | POLICY_APP_HINTS)

enum { MPTCP = SUPPORT_MPTCP, TCP = IPPROTO_TCP };

/* What the program says on stderr. */
static char said[4096];

/* Databases */

static void write_app(const char *path, uint32_t generation, const char *name, uint32_t flags,
                      enum policy_mode mode) {
        static struct builder builder;
        struct policy_app app;

        builder_init(&builder, generation);
        app = builder_app(&builder, name, flags, mode);
        builder_finish(&builder, &app, 1);
        assert_int_equal(builder_write(&builder, path), 0);
}

/* The default of the tests: "off" for all programs, which shows. */
static void write_off(const char *path) {
        write_app(path, 1, "*", BOTH, POLICY_MODE_OFF);
}

static void spoil(const char *path, off_t offset, uint8_t mask) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, offset), 1);
        byte ^= mask;
        assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
        assert_int_equal(close(fd), 0);
}

/* Programs */

static bool as_user; /* programs run as uid 1000, to whom our files belong to 1000, not to root */

static void become_user(void) {
        int fd;

        if (unshare(CLONE_NEWUSER) < 0)
                _exit(125);
        fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
        if (write(fd, "1000 0 1", 8) != 8)
                _exit(124);
        (void)close(fd);
}

static void on_child(const char *what, const char *const *environment, int errors) {
        for (; *environment; environment += 2)
                (void)setenv(environment[0], environment[1], 1);
        if (as_user)
                become_user();
        (void)dup2(errors, STDERR_FILENO);
        (void)execl("/proc/self/exe", "test-policy", what, (char *)NULL);
        _exit(126);
}

/* Exit code of "test-policy WHAT", with variables added; what it says is in said[]. */
static int run_with(const char *what, const char *const *environment) {
        int errors = memfd_create("stderr", 0), status;
        pid_t pid = fork();
        ssize_t n;

        assert_true(errors >= 0 && pid >= 0);
        if (pid == 0)
                on_child(what, environment, errors);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        n = pread(errors, said, sizeof(said) - 1, 0);
        assert_true(n >= 0);
        said[n] = '\0';
        assert_int_equal(close(errors), 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(const char *what) {
        static const char *const environment[] = { "MPTCPIZE_POLICY", USER_DB, NULL };

        return run_with(what, environment);
}

static int set_up(void **state) {
        (void)state;
        as_user = false;
        (void)unlink(USER_DB);
        (void)unlink(SYSTEM_DB);
        (void)mkdir(MPTCPIZE_RUNTIME, 0755);
        (void)chmod(MPTCPIZE_RUNTIME, 0755);
        return 0;
}

/* What programs do: each returns the exit code, 0 for a socket that is what it should be. */

static int probe(void) {
        int protocol = support_probe(AF_INET, SOCK_STREAM, 0);

        return protocol == MPTCP ? 0 : protocol == TCP ? 1 : 2;
}

/* The second time there is another generation, as bad as the first. */
static int probe_twice(void) {
        const uint32_t next = 3;
        int first = probe(), fd = open(USER_DB, O_WRONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd >= 0 &&
            pwrite(fd, &next, sizeof(next), offsetof(struct policy_header, generation)) < 0)
                first = 9;
        (void)close(fd);
        return first * 10 + probe();
}

static void rewrite(uint32_t generation, enum policy_mode mode) {
        static struct builder builder;
        struct policy_app app;

        builder_init(&builder, generation);
        app = builder_app(&builder, "*", BOTH, mode);
        builder_finish(&builder, &app, 1);
        if (builder_write(&builder, USER_DB) < 0)
                _exit(99);
}

/* MPTCP at first; then follows each generation at its next socket. */
static int follow(void) {
        if (probe() != 0)
                return 1;
        for (uint32_t generation = 2; generation < 50; generation++) {
                rewrite(generation, generation % 2 ? POLICY_MODE_DEFAULT : POLICY_MODE_OFF);
                if (probe() != (int)((generation + 1) % 2))
                        return 2;
        }
        return 0;
}

/* Puts itself where it can't see the files any more. */
static int follow_in_chroot(void) {
        int fd = open(USER_DB, O_RDWR | O_CLOEXEC), r;
        char *map = mmap(NULL, POLICY_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        uint32_t *generation =
                        (uint32_t *)(void *)(map + offsetof(struct policy_header, generation));

        (void)close(fd);
        rewrite(2, POLICY_MODE_OFF);
        __atomic_store_n(generation, 1, __ATOMIC_RELEASE);
        if (chroot("/proc/self/fdinfo") < 0 || chdir("/") < 0)
                return 98;
        r = probe();
        __atomic_store_n(generation, 2, __ATOMIC_RELEASE);
        return r * 10 + probe();
}

/* The file is cut down while it is in use. */
static int cut(void) {
        int first = probe();

        if (truncate(USER_DB, 0) < 0)
                return 97;
        return first * 10 + probe();
}

static int connect_to(uint32_t host, uint16_t port, int *ret_fd) {
        const struct sockaddr_in to = { .sin_family = AF_INET,
                                        .sin_port = port,
                                        .sin_addr.s_addr = htonl(host) };

        *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
        return connect(*ret_fd, (const struct sockaddr *)&to, sizeof(to));
}

/* A listener and two connections to it, of which the one to loopback is TCP by default. */
static int talk(void) {
        int server = socket(AF_INET, SOCK_STREAM, 0), client, r;
        struct sockaddr_in local = { 0 };
        socklen_t len = sizeof(local);

        if (listen(server, 5) < 0 || getsockname(server, (struct sockaddr *)&local, &len) < 0)
                return 90;
        if (connect_to(SUPPORT_HOST, local.sin_port, &client) < 0)
                return 91;
        r = support_protocol(client) == MPTCP ? 0 : 1;
        (void)close(client);
        if (connect_to(INADDR_LOOPBACK, local.sin_port, &client) < 0)
                return 92;
        r = r * 10 + (support_protocol(client) == MPTCP ? 0 : 1);
        (void)close(client);
        return r;
}

/* Every socket has the options of the policy. */
static int show_options(void) {
        for (int i = 0; i < 3; i++) {
                int fd = socket(AF_INET, SOCK_STREAM, 0), priority = 0;
                char congestion[16] = "";
                socklen_t len = sizeof(priority), n = sizeof(congestion);

                if (support_protocol(fd) != MPTCP ||
                    getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, &len) < 0 || priority != 5 ||
                    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &n) < 0 ||
                    strcmp(congestion, "reno") != 0)
                        return i + 1;
                (void)close(fd);
        }
        return 0;
}

/* A connection to a listener that is TCP for the kernel. */
static int fall_back(void) {
        int server = support_kernel_socket(AF_INET, SOCK_STREAM, 0), client;
        struct sockaddr_in local = { 0 };
        socklen_t len = sizeof(local);

        if (listen(server, 5) < 0 || getsockname(server, (struct sockaddr *)&local, &len) < 0)
                return 90;
        if (connect_to(SUPPORT_HOST, local.sin_port, &client) < 0)
                return 91;
        return close(client);
}

/* The user's database */

static void test_policy_off_gives_tcp(void **state) {
        (void)state;
        assert_int_equal(run("probe"), 0);
        write_off(USER_DB);
        assert_int_equal(run("probe"), 1);
        assert_string_equal(said, "");
}

static void test_policy_of_runtime_directory_is_found(void **state) {
        static const char *const environment[] = { "XDG_RUNTIME_DIR", "/run/user", NULL };

        (void)state;
        (void)mkdir("/run/user", 0755);
        (void)mkdir("/run/user/mptcpize", 0755);
        write_off("/run/user/mptcpize/policy.db");
        assert_int_equal(run_with("probe", environment), 1);
        assert_int_equal(unlink("/run/user/mptcpize/policy.db"), 0);
        assert_int_equal(run_with("probe", environment), 0);
}

static void test_policy_other_program_does_not_count(void **state) {
        (void)state;
        write_app(USER_DB, 1, "curl", BOTH, POLICY_MODE_OFF);
        assert_int_equal(run("probe"), 0);
        write_app(USER_DB, 2, "test-p?licy", BOTH, POLICY_MODE_OFF);
        assert_int_equal(run("probe"), 1);
}

static void test_policy_rewritten_is_followed(void **state) {
        (void)state;
        write_app(USER_DB, 1, "*", BOTH, POLICY_MODE_DEFAULT);
        assert_int_equal(run("follow"), 0);
        write_app(USER_DB, 1, "*", BOTH, POLICY_MODE_DEFAULT);
        assert_int_equal(run("follow-in-chroot"), 1);
}

static void check_ignored(const char *line) {
        static const char *const debugging[] = { "MPTCPIZE_POLICY", USER_DB, "MPTCPIZE_DEBUG", "1",
                                                 NULL };

        assert_int_equal(run("probe-twice"), 0);
        assert_string_equal(said, "");
        assert_int_equal(run_with("probe-twice", debugging), 0);
        assert_string_equal(said, line);
}

static void test_policy_damaged_is_ignored_with_one_line(void **state) {
        const char *line = "mptcpize: ignoring " USER_DB ": damaged, or of another version\n";
        static const off_t offsets[] = { 0, 8, 12, POLICY_HEADER_BYTES + POLICY_HALF_BYTES,
                                         POLICY_HEADER_BYTES + POLICY_HALF_BYTES + 40 };

        (void)state;
        for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
                write_off(USER_DB);
                spoil(USER_DB, offsets[i], 0x10);
                check_ignored(line);
        }
}

static void test_policy_unfit_file_is_ignored_with_one_line(void **state) {
        (void)state;
        write_off(USER_DB);
        assert_int_equal(chmod(USER_DB, 0664), 0);
        check_ignored("mptcpize: ignoring " USER_DB ": wrong owner or mode\n");
        assert_int_equal(chmod(USER_DB, 0646), 0);
        check_ignored("mptcpize: ignoring " USER_DB ": wrong owner or mode\n");
        assert_int_equal(chmod(USER_DB, 0644), 0);
        assert_int_equal(truncate(USER_DB, POLICY_FILE_BYTES - 1), 0);
        check_ignored("mptcpize: ignoring " USER_DB ": not a database\n");
        assert_int_equal(unlink(USER_DB), 0);
        assert_int_equal(mkfifo(USER_DB, 0644), 0);
        check_ignored("mptcpize: ignoring " USER_DB ": not a database\n");
        assert_int_equal(unlink(USER_DB), 0);
        check_ignored("");
}

static void test_policy_sets_options_on_every_socket(void **state) {
        static const struct policy_set sets[] = {
                { SOL_SOCKET, SO_PRIORITY, 5, "" },
                { IPPROTO_TCP, 9999, 1, "" }, /* which no kernel knows: no harm */
                { IPPROTO_TCP, TCP_CONGESTION, 0, "reno" },
        };
        static struct builder builder;
        struct policy_app app;

        (void)state;
        builder_init(&builder, 1);
        app = builder_app(&builder, "*", BOTH, POLICY_MODE_DEFAULT);
        app.sets = builder_add(&builder, sets, sizeof(sets), 3);
        builder_finish(&builder, &app, 1);
        assert_int_equal(builder_write(&builder, USER_DB), 0);
        assert_int_equal(run("show-options"), 0);
}

/* One that its owner can cut down under us is copied. */
static void test_policy_of_user_cut_down_is_still_there(void **state) {
        (void)state;
        as_user = true;
        write_off(USER_DB);
        assert_int_equal(run("cut"), 11);
        assert_string_equal(said, "");
}

/* Whose directory it is may put the database there: the daemon need not be root. */
static void test_policy_system_of_stranger_is_ignored(void **state) {
        static const char *const debugging[] = { "MPTCPIZE_DEBUG", "1", NULL };

        (void)state;
        write_off(SYSTEM_DB);
        as_user = true;
        assert_int_equal(run("probe"), 1);
        assert_int_equal(chmod(MPTCPIZE_RUNTIME, 0777), 0);
        assert_int_equal(run("probe"), 0);
        assert_string_equal(said, "");
        assert_int_equal(run_with("probe", debugging), 0);
        assert_string_equal(said, "mptcpize: ignoring " SYSTEM_DB ": wrong owner or mode\n");
}

/* The system's, and both together */

static void test_policy_system_off_is_not_weakened(void **state) {
        (void)state;
        write_off(SYSTEM_DB);
        assert_int_equal(run("probe"), 1);
        write_app(USER_DB, 1, "*", BOTH, POLICY_MODE_AGGREGATE);
        assert_int_equal(run("probe"), 1);
}

static void write_auth(const char *path, uint32_t generation, enum policy_mode mode,
                       enum policy_auth auth) {
        static struct builder builder;
        struct policy_app app;

        builder_init(&builder, generation);
        app = builder_app(&builder, "*", BOTH, mode);
        app.auth = auth;
        builder_finish(&builder, &app, 1);
        assert_int_equal(builder_write(&builder, path), 0);
}

/* The user says "off", which shows whose policy it was. */
static void test_policy_system_auth_is_not_weakened(void **state) {
        (void)state;
        write_auth(SYSTEM_DB, 1, POLICY_MODE_DEFAULT, POLICY_AUTH_REQUIRE);
        write_auth(USER_DB, 1, POLICY_MODE_OFF, POLICY_AUTH_PREFER);
        assert_int_equal(run("probe"), 0);
        write_auth(USER_DB, 2, POLICY_MODE_OFF, POLICY_AUTH_REQUIRE);
        assert_int_equal(run("probe"), 1);
        write_auth(SYSTEM_DB, 2, POLICY_MODE_OFF, POLICY_AUTH_REQUIRE);
        write_auth(USER_DB, 3, POLICY_MODE_DEFAULT, POLICY_AUTH_REQUIRE);
        assert_int_equal(run("probe"), 1);
}

static void test_policy_user_decides_otherwise(void **state) {
        (void)state;
        write_app(SYSTEM_DB, 1, "*", BOTH | POLICY_APP_LOOPBACK, POLICY_MODE_DEFAULT);
        assert_int_equal(run("talk"), 0);
        write_app(USER_DB, 1, "curl", BOTH, POLICY_MODE_OFF);
        assert_int_equal(run("talk"), 0);
        write_app(USER_DB, 2, "*", BOTH, POLICY_MODE_DEFAULT);
        assert_int_equal(run("talk"), 1);
        write_app(USER_DB, 3, "*", BOTH, POLICY_MODE_OFF);
        assert_int_equal(run("talk"), 11);
}

/* Only the system's database has the host's own addresses. */
static void test_policy_own_addresses_are_the_systems(void **state) {
        static const struct policy_prefix own = { .family = 4,
                                                  .len = 32,
                                                  .bytes = { 192, 0, 2, 1 } };
        static struct builder builder;

        (void)state;
        builder_init(&builder, 1);
        builder.half.own = builder_add(&builder, &own, sizeof(own), 1);
        builder_finish(&builder, NULL, 0);
        assert_int_equal(builder_write(&builder, SYSTEM_DB), 0);
        assert_int_equal(run("talk"), 11);
        write_app(USER_DB, 1, "*", BOTH, POLICY_MODE_DEFAULT);
        assert_int_equal(run("talk"), 11);
        write_app(USER_DB, 2, "*", BOTH | POLICY_APP_LOOPBACK, POLICY_MODE_DEFAULT);
        assert_int_equal(run("talk"), 0);
}

/* Reports and hints */

static uint32_t reported(const struct report *report, enum report_kind kind) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < REPORT_ROWS; i++)
                if (report->rows[i].key >> 24 == (uint32_t)kind)
                        n += report->rows[i].count;
        return n;
}

static void test_report_counts_what_became_of_sockets(void **state) {
        static const char *const environment[] = { REPORT_VARIABLE, REPORT, NULL };
        int fd = open(REPORT, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct report *report;

        (void)state;
        assert_int_equal(ftruncate(fd, sizeof(*report)), 0);
        report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        report_init(report);
        assert_int_equal(run_with("talk", environment), 1);
        assert_int_equal(reported(report, REPORT_UPGRADED), 3);
        assert_int_equal(reported(report, REPORT_POLICY), 1);
        assert_int_equal(reported(report, REPORT_FELL_BACK), 0);
        assert_int_equal(run_with("fall-back", environment), 0);
        assert_int_equal(reported(report, REPORT_UPGRADED), 4);
        assert_int_equal(reported(report, REPORT_FELL_BACK), 1);
        assert_int_equal(reported(report, REPORT_KEPT), 0);
        assert_int_equal(munmap(report, sizeof(*report)), 0);
        assert_int_equal(close(fd), 0);
}

static int make_daemon(void) {
        const struct sockaddr_un address = { AF_UNIX, MPTCPIZE_RUNTIME "/" HINT_SOCKET };
        int fd = support_kernel_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)unlink(address.sun_path);
        assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

/* The next hint; its descriptor is the sender's MPTCP socket. false: there is none. */
static bool receive(int fd, struct hint *ret_hint) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = { ret_hint, sizeof(*ret_hint) };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof(control) };
        int passed;

        if (recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
                return false;
        assert_int_equal(control.header.cmsg_type, SCM_RIGHTS);
        memcpy(&passed, CMSG_DATA(&control.header), sizeof(passed));
        assert_int_equal(support_protocol(passed), MPTCP);
        assert_int_equal(close(passed), 0);
        return true;
}

static void assert_hint(int daemon, enum hint_kind kind, const char *policy,
                        enum policy_mode mode) {
        struct hint hint = { 0 };

        assert_true(receive(daemon, &hint));
        assert_int_equal(hint.version, HINT_VERSION);
        assert_int_equal(hint.kind, kind);
        assert_string_equal(hint.policy, policy);
        assert_int_equal(hint.mode, mode);
        assert_string_equal(basename(hint.exe), "test-policy");
}

static void test_hint_sent_at_listen_and_connect(void **state) {
        int daemon = make_daemon();
        struct hint hint = { 0 };

        (void)state;
        assert_int_equal(run("talk"), 1); /* no database: there was no daemon */
        assert_false(receive(daemon, &hint));
        write_app(SYSTEM_DB, 1, "curl", BOTH, POLICY_MODE_OFF);
        assert_int_equal(run("talk"), 1); /* no policy for us */
        assert_hint(daemon, HINT_LISTEN, "", POLICY_MODE_DEFAULT);
        assert_hint(daemon, HINT_CONNECT, "", POLICY_MODE_DEFAULT);
        write_app(SYSTEM_DB, 2, "test-*", BOTH, POLICY_MODE_HANDOVER);
        assert_int_equal(run("talk"), 1);
        assert_hint(daemon, HINT_LISTEN, "test-*", POLICY_MODE_HANDOVER);
        assert_hint(daemon, HINT_CONNECT, "test-*", POLICY_MODE_HANDOVER);
        write_app(SYSTEM_DB, 3, "*", BOTH & ~POLICY_APP_HINTS, POLICY_MODE_HANDOVER);
        assert_int_equal(run("talk"), 1);
        assert_false(receive(daemon, &hint));
        assert_int_equal(close(daemon), 0);
}

/* Nobody reads: the program is not kept. */
static void test_hint_full_queue_keeps_nobody(void **state) {
        int daemon = make_daemon();

        (void)state;
        write_app(SYSTEM_DB, 1, "*", BOTH, POLICY_MODE_DEFAULT);
        for (int i = 0; i < 20; i++)
                assert_int_equal(run("talk"), 1);
        assert_int_equal(close(daemon), 0);
}

static int run_all(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_policy_off_gives_tcp, set_up),
                cmocka_unit_test_setup(test_policy_of_runtime_directory_is_found, set_up),
                cmocka_unit_test_setup(test_policy_other_program_does_not_count, set_up),
                cmocka_unit_test_setup(test_policy_rewritten_is_followed, set_up),
                cmocka_unit_test_setup(test_policy_damaged_is_ignored_with_one_line, set_up),
                cmocka_unit_test_setup(test_policy_unfit_file_is_ignored_with_one_line, set_up),
                cmocka_unit_test_setup(test_policy_sets_options_on_every_socket, set_up),
                cmocka_unit_test_setup(test_policy_of_user_cut_down_is_still_there, set_up),
                cmocka_unit_test_setup(test_policy_system_of_stranger_is_ignored, set_up),
                cmocka_unit_test_setup(test_policy_system_off_is_not_weakened, set_up),
                cmocka_unit_test_setup(test_policy_system_auth_is_not_weakened, set_up),
                cmocka_unit_test_setup(test_policy_user_decides_otherwise, set_up),
                cmocka_unit_test_setup(test_policy_own_addresses_are_the_systems, set_up),
                cmocka_unit_test_setup(test_report_counts_what_became_of_sockets, set_up),
                cmocka_unit_test_setup(test_hint_sent_at_listen_and_connect, set_up),
                cmocka_unit_test_setup(test_hint_full_queue_keeps_nobody, set_up),
        };

        support_enter_netns();
        support_bring_loopback_up();
        support_require_shim();
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
                support_skip("cannot mount an empty /run", errno);
        return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

int main(int argc, char **argv) {
        static const struct {
                const char *what;
                int (*function)(void);
        } programs[] = {
                { "probe", probe },
                { "probe-twice", probe_twice },
                { "follow", follow },
                { "follow-in-chroot", follow_in_chroot },
                { "cut", cut },
                { "talk", talk },
                { "fall-back", fall_back },
                { "show-options", show_options },
        };

        for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
                if (argc == 2 && strcmp(argv[1], programs[i].what) == 0)
                        return programs[i].function();
        return argc == 1 ? run_all() : 2;
}
