/*
 * hint/owner and hint/cgroups: the policy of a connection of which no program has spoken.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <cmocka.h>

#include "../../daemon/core/connection.h"
#include "../../daemon/hint/cgroups.h"
#include "../../daemon/hint/owner.h"
#include "policies.h"

#define SECOND 1000000u

static const struct policies_file files[] = {
        { "curl.json", "{\"match\": {\"app\": \"curl\"}, \"paths\": {\"max_subflows\": 1}}" },
        { "web.json", "{\"match\": {\"unit\": \"web*.service\"},"
                      " \"socket\": {\"listen\": [\"*:443\"]}, \"paths\": {\"max_subflows\": 2}}" },
        { "user.json", "{\"match\": {\"uid\": 1000},"
                       " \"socket\": {\"except\": [{\"to\": \"198.51.100.0/24\", \"port\": 22}]},"
                       " \"paths\": {\"max_subflows\": 3}}" },
        { "mute.json", "{\"match\": {\"uid\": 1001}}" },
};

/* What is found for a connection; a client's goes to address, a server's came in there. */
static void assert_found(const void *image, uint32_t uid, const char *unit, bool server,
                         const char *address, const char *name) {
        struct policy_read read = policies_begin(image);
        struct mptcpize_remote remote = { .size = sizeof(remote) };
        struct connection connection = { .flags = server ? MPTCPIZE_VIEW_SERVER : 0 };
        char found[LIMIT_NAME];

        assert_int_equal(address_parse("192.0.2.9:5555", &remote.address), 0);
        assert_int_equal(address_parse(address, server ? &connection.local : &remote.address), 0);
        connection.remotes.items = &remote;
        connection.remotes.n = 1;
        assert_true(owner_find(&read, uid, policy_text_of(unit), &connection, found));
        assert_string_equal(found, name);
}

static void test_owner_find_by_user_unit_and_address(void **state) {
        void *image = policies_new(files, 4, NULL);

        (void)state;
        assert_found(image, 1000, NULL, false, "203.0.113.1:443", "user");
        assert_found(image, 1000, NULL, false, "198.51.100.1:443", "user");
        assert_found(image, 1000, NULL, false, "198.51.100.1:22", ""); /* excepted */
        assert_found(image, 1000, NULL, true, "192.0.2.1:80", "user");
        assert_found(image, 33, "web1.service", true, "192.0.2.1:443", "web");
        assert_found(image, 33, "web1.service", true, "192.0.2.1:80", ""); /* not listed */
        assert_found(image, 1000, "web1.service", true, "192.0.2.1:443", "web");
        assert_found(image, 1001, NULL, false, "203.0.113.1:443", ""); /* nothing of paths */
        assert_found(image, 0, NULL, false, "203.0.113.1:443", "");
        assert_found(image, UINT32_MAX, NULL, false, "203.0.113.1:443", ""); /* unknown */
        free(image);
}

static const struct policies_file protected_files[] = {
        { "sshd.json", "{\"match\": {\"app\": \"sshd\"}, \"socket\": {\"listen\": [\"*:22\"]},"
                       " \"auth\": {\"mode\": \"require\", \"psk\": \"/k\"}}" },
        { "tls.json",
          "{\"match\": {\"app\": \"stunnel\"}, \"socket\": {\"listen\": [\"*:22\", \"*:443\"]},"
          " \"auth\": {\"mode\": \"require\"}}" },
        { "redis.json", "{\"match\": {\"app\": \"redis\"}, \"socket\": {\"listen\": [\"*:6379\"]},"
                        " \"auth\": {\"mode\": \"prefer\", \"psk\": \"/k\"}}" },
        { "web.json", "{\"match\": {\"app\": \"web\"}, \"socket\": {\"listen\": [\"*:80\"]},"
                      " \"auth\": {\"mode\": \"prefer\"}}" },
        { "paths.json",
          "{\"match\": {\"uid\": 7}, \"paths\": {\"max_subflows\": 3}, \"socket\": {\"except\":"
          " [{\"port\": 443}]}}" },
};

static void test_owner_find_by_protected_listener(void **state) {
        void *image = policies_new(protected_files, 5, NULL);

        (void)state;
        assert_found(image, 0, NULL, true, "192.0.2.1:22", "sshd"); /* the one with a key */
        assert_found(image, 0, NULL, true, "192.0.2.1:443", "tls");
        assert_found(image, 0, NULL, true, "[2001:db8::1]:6379", "redis");
        assert_found(image, 0, NULL, true, "192.0.2.1:80", ""); /* only its program has a key */
        assert_found(image, 0, NULL, true, "192.0.2.1:8080", "");
        assert_found(image, 0, NULL, false, "203.0.113.1:22", "");  /* a client */
        assert_found(image, 7, NULL, true, "192.0.2.1:22", "sshd"); /* before what is for all */
        assert_found(image, 7, NULL, true, "192.0.2.1:8080", "paths");
        free(image);
}

static void test_owner_need_only_what_names_no_program(void **state) {
        static const struct {
                const char *match;
                bool any, units;
        } rows[] = {
                { "{\"app\": \"curl\"}", false, false },
                { "{\"exe\": \"/usr/bin/*\"}", false, false },
                { "{\"app\": \"cur*\", \"uid\": 7}", false, false },
                { "{\"app\": \"*\"}", true, false },
                { "{\"uid\": 7}", true, false },
                { "{\"unit\": \"a.service\"}", true, true },
                { "{\"unit\": \"a.service\", \"app\": \"a\"}", false, false },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char text[256];
                const struct policies_file file = { "a.json", text };
                struct policy_read read;
                struct owner_need need;
                void *image;

                snprintf(text, sizeof(text), "{\"match\": %s, \"paths\": {\"max_subflows\": 1}}",
                         rows[i].match);
                image = policies_new(&file, 1, NULL);
                read = policies_begin(image);
                need = owner_need(&read);
                assert_int_equal(need.any, rows[i].any);
                assert_int_equal(need.units, rows[i].units);
                free(image);
        }
        assert_false(owner_need(NULL).any);
}

static void test_owner_need_silent_policies_need_nothing(void **state) {
        void *image = policies_new(&files[3], 1, NULL);
        struct policy_read read = policies_begin(image);

        (void)state;
        assert_false(owner_need(&read).any);
        free(image);
}

static void test_owner_policy_of_authentication_alone_counts(void **state) {
        const struct policies_file file = {
                "safe.json", "{\"match\": {\"uid\": 7}, \"auth\": {\"mode\": \"prefer\"}}"
        };
        void *image = policies_new(&file, 1, NULL);
        struct policy_read read = policies_begin(image);

        (void)state;
        assert_true(owner_need(&read).any);
        assert_false(owner_speaks_of_paths(
                        policy_at(&read, &read.half->apps, 0, sizeof(struct policy_app))));
        assert_found(image, 7, NULL, true, "192.0.2.1:443", "safe");
        free(image);
}

/* Control groups: any file system will do. */

static char root[] = "/tmp/test-identity-XXXXXX";

static uint64_t group(const char *path) {
        char full[256];
        struct stat st;

        snprintf(full, sizeof(full), "%s/%s", root, path);
        assert_int_equal(mkdir(full, 0755), 0);
        assert_int_equal(stat(full, &st), 0);
        return st.st_ino;
}

static int remove_root(void **state) {
        char command[64];

        (void)state;
        snprintf(command, sizeof(command), "rm -r %s", root);
        return system(command);
}

static void assert_unit(struct cgroups *cgroups, uint64_t id, uint64_t now, const char *unit) {
        const struct policy_text text = cgroups_unit(cgroups, id, now);

        assert_int_equal(text.n, unit ? strlen(unit) : 0);
        if (unit)
                assert_memory_equal(text.bytes, unit, text.n);
}

static void test_cgroups_unit_is_the_last_of_the_path(void **state) {
        struct cgroups *cgroups;
        uint64_t slice, service, inner, user, late, now = SECOND;

        (void)state;
        assert_non_null(mkdtemp(root));
        slice = group("system.slice");
        service = group("system.slice/web.service");
        inner = group("system.slice/web.service/worker");
        user = group("user");
        assert_int_equal(cgroups_new(root, &cgroups), 0);
        assert_unit(cgroups, service, now, "web.service");
        assert_unit(cgroups, slice, now, "system.slice");
        assert_unit(cgroups, inner, now, "web.service");
        assert_unit(cgroups, user, now, NULL);
        assert_unit(cgroups, 0, now, NULL);
        late = group("late.scope");
        assert_unit(cgroups, late, now + SECOND - 1, NULL); /* not listed all the time */
        assert_unit(cgroups, late, now + SECOND, "late.scope");
        cgroups_free(cgroups);
}

/* The kernel's numbers are of cgroup2, also where it is mounted beside version 1. */
static void test_cgroups_mount_is_version_2(void **state) {
        const char *mount = cgroups_mount();
        struct statfs fs;

        (void)state;
        if (!*mount) {
                print_message("SKIP: no cgroup2 at a usual place\n");
                skip();
        }
        assert_int_equal(statfs(mount, &fs), 0);
        assert_int_equal(fs.f_type, CGROUP2_SUPER_MAGIC);
}

static void test_cgroups_none_have_no_unit(void **state) {
        struct cgroups *cgroups;

        (void)state;
        assert_int_equal(cgroups_new("/nonexistent", &cgroups), 0);
        assert_unit(cgroups, 7, SECOND, NULL);
        cgroups_free(cgroups);
        cgroups_free(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_owner_find_by_user_unit_and_address),
                cmocka_unit_test(test_owner_find_by_protected_listener),
                cmocka_unit_test(test_owner_need_only_what_names_no_program),
                cmocka_unit_test(test_owner_need_silent_policies_need_nothing),
                cmocka_unit_test(test_owner_policy_of_authentication_alone_counts),
                cmocka_unit_test_teardown(test_cgroups_unit_is_the_last_of_the_path, remove_root),
                cmocka_unit_test(test_cgroups_mount_is_version_2),
                cmocka_unit_test(test_cgroups_none_have_no_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
