/*
 * host/roles: roles of interfaces that survive the daemon, and files that say none.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/host/roles.h"
#include "../../daemon/util/cleanup.h"
#include "../../daemon/util/log.h"

#define FIRST "mptcpize roles 1\n"

static char dir[] = "/tmp/test-roles-XXXXXX";
static char path[64];

/* A daemon. */
struct host {
        struct engine engine;
        struct roles *roles;
};

static void host_start(struct host *host) {
        assert_int_equal(engine_init(&host->engine, 1), 0);
        assert_int_equal(roles_new(dir, &host->engine, &host->roles), 0);
}

static void host_stop(struct host *host) {
        roles_free(host->roles);
        engine_done(&host->engine);
}

static size_t host_restart(struct host *host) {
        host_stop(host);
        host_start(host);
        return host->engine.roles.n;
}

static void assert_role(const struct host *host, const char *ifname, enum mptcpize_role role) {
        for (size_t i = 0; i < host->engine.roles.n; i++)
                if (strcmp(host->engine.roles.items[i].name, ifname) == 0) {
                        assert_int_equal(host->engine.roles.items[i].role, role);
                        return;
                }
        fail_msg("%s has no role", ifname);
}

static void write_file(const char *text) {
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_file(const char *text) {
        char found[256] = "";
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_true(read(fd, found, sizeof(found) - 1) >= 0);
        assert_string_equal(found, text);
}

static void test_roles_kept_are_there_after_a_restart(void **state) {
        struct host host;

        (void)state;
        host_start(&host);
        assert_int_equal(host.engine.roles.n, 0);
        assert_int_equal(roles_set(host.roles, "lte0", MPTCPIZE_ROLE_BACKUP, true), 0);
        assert_int_equal(roles_set(host.roles, "eth7", MPTCPIZE_ROLE_OFF, true), 0);
        assert_int_equal(roles_set(host.roles, "lte0", MPTCPIZE_ROLE_MASTER, true), 0);
        assert_file(FIRST "lte0 master\neth7 off\n");
        assert_int_equal(host_restart(&host), 2);
        assert_role(&host, "lte0", MPTCPIZE_ROLE_MASTER);
        assert_role(&host, "eth7", MPTCPIZE_ROLE_OFF);
        host_stop(&host);
}

static void test_roles_not_kept_are_gone_after_a_restart(void **state) {
        struct host host;

        (void)state;
        host_start(&host);
        assert_int_equal(roles_set(host.roles, "lte0", MPTCPIZE_ROLE_BACKUP, true), 0);
        assert_int_equal(roles_set(host.roles, "lte0", MPTCPIZE_ROLE_OFF, false), 0);
        assert_int_equal(roles_set(host.roles, "eth7", MPTCPIZE_ROLE_OFF, false), 0);
        assert_role(&host, "lte0", MPTCPIZE_ROLE_OFF);
        assert_int_equal(host_restart(&host), 1);
        assert_role(&host, "lte0", MPTCPIZE_ROLE_BACKUP);
        host_stop(&host);
}

static void test_roles_back_to_the_configuration_forgets_what_was_kept(void **state) {
        struct host host;

        (void)state;
        host_start(&host);
        assert_int_equal(roles_set(host.roles, "eth7", ROLE_UNSET, false), 0);
        assert_int_equal(access(path, F_OK), -1); /* nothing to write */
        assert_int_equal(roles_set(host.roles, "lte0", MPTCPIZE_ROLE_BACKUP, true), 0);
        assert_int_equal(roles_set(host.roles, "lte0", ROLE_UNSET, false), 0);
        assert_int_equal(host.engine.roles.n, 0);
        assert_int_equal(host_restart(&host), 0);
        assert_file(FIRST);
        host_stop(&host);
}

static void test_roles_of_a_bad_name_are_not_kept(void **state) {
        struct host host;

        (void)state;
        host_start(&host);
        assert_int_equal(roles_set(host.roles, "a b", MPTCPIZE_ROLE_OFF, true), -EINVAL);
        assert_int_equal(access(path, F_OK), -1);
        host_stop(&host);
}

static void test_roles_that_can_not_be_written_are_set_all_the_same(void **state) {
        struct host host;

        (void)state;
        host_start(&host);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_true(roles_set(host.roles, "lte0", MPTCPIZE_ROLE_OFF, true) < 0);
        assert_role(&host, "lte0", MPTCPIZE_ROLE_OFF);
        assert_int_equal(rmdir(path), 0);
        host_stop(&host);
}

static void test_roles_damaged_are_ignored_all_together(void **state) {
        static const char *const files[] = {
                "",
                "mptcpize roles 2\nlte0 off\n",
                "lte0 off\n",
                FIRST "lte0 off\neth7 loud\n",
                FIRST "lte0 off\neth7\n",
                FIRST "lte0 off\neth7 off on\n",
                FIRST "lte0 off\neth7 off",
                FIRST "lte0 off\n\n",
                FIRST "lte0 off\na/b off\n",
                FIRST "lte0 off\nabcdefghijklmnop off\n",
                FIRST
                "lte0 off\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
                "off\n",
        };
        struct host host;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                write_file(files[i]);
                host_start(&host);
                assert_int_equal(host.engine.roles.n, 0);
                /* And the next one begins anew. */
                assert_int_equal(roles_set(host.roles, "lte0", MPTCPIZE_ROLE_ON, true), 0);
                assert_file(FIRST "lte0 on\n");
                host_stop(&host);
        }
}

static void test_roles_over_the_limit_are_damage(void **state) {
        char text[LIMIT_SET_ROLES * 16 + 64] = FIRST;
        struct host host;

        (void)state;
        for (unsigned int i = 0; i < LIMIT_SET_ROLES; i++)
                snprintf(text + strlen(text), 16, "ppp%u off\n", i);
        write_file(text);
        host_start(&host);
        assert_int_equal(host.engine.roles.n, LIMIT_SET_ROLES);
        host_stop(&host);
        snprintf(text + strlen(text), 16, "lte0 off\n");
        write_file(text);
        host_start(&host);
        assert_int_equal(host.engine.roles.n, 0);
        host_stop(&host);
}

static void test_roles_that_others_may_write_are_ignored(void **state) {
        struct host host;

        (void)state;
        write_file(FIRST "lte0 off\n");
        assert_int_equal(chmod(path, 0622), 0);
        host_start(&host);
        assert_int_equal(host.engine.roles.n, 0);
        host_stop(&host);
}

static int setup(void **state) {
        (void)state;
        log_set_level(LOG_CRIT);
        memcpy(strrchr(dir, '-'), "-XXXXXX", sizeof("-XXXXXX"));
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/roles", dir);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        (void)unlink(path);
        return rmdir(dir);
}

int main(void) {
#define ROLES_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                ROLES_TEST(test_roles_kept_are_there_after_a_restart),
                ROLES_TEST(test_roles_not_kept_are_gone_after_a_restart),
                ROLES_TEST(test_roles_back_to_the_configuration_forgets_what_was_kept),
                ROLES_TEST(test_roles_of_a_bad_name_are_not_kept),
                ROLES_TEST(test_roles_that_can_not_be_written_are_set_all_the_same),
                ROLES_TEST(test_roles_damaged_are_ignored_all_together),
                ROLES_TEST(test_roles_over_the_limit_are_damage),
                ROLES_TEST(test_roles_that_others_may_write_are_ignored),
        };

        return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
