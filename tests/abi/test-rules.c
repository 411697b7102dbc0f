/*
 * host/rules: policies on disk, a network in the model, and what the database says of sockets then.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../daemon/core/model.h"
#include "../../daemon/host/rules.h"
#include "../../daemon/util/limits.h"
#include "policy/eval.h"
#include "policy/store.h"

#define SHIPPED 0
#define ADMIN   1
#define NOT_DOCKER \
        "{\"match\": {\"app\": \"*\"}, \"socket\": {\"except\": [{\"interface\": \"docker0\"}]}}"
#define MISTAKE "{\"match\": {\"app\": \"*\"}, \"colour\": \"blue\"}"

/* A host with policy directories and a network; state of the tests. */
struct host {
        char root[64];
        char dirs[2][96];
        const char *list[2];
        char database[96];
        struct model model;
        struct rules *rules;
};

static struct mptcpize_address at(const char *text) {
        struct mptcpize_address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static void host_link(struct host *host, int32_t ifindex, const char *name) {
        struct link_event link = { .ifindex = ifindex, .up = true };

        snprintf(link.name, sizeof(link.name), "%s", name);
        assert_int_equal(model_link(&host->model, &link), 1);
}

static void host_address(struct host *host, int32_t ifindex, const char *address, uint8_t len) {
        struct address_event event = {
                .ifindex = ifindex, .address = at(address), .prefix_len = len, .usable = true
        };

        assert_int_equal(model_address(&host->model, &event), 1);
}

static void host_policy(const struct host *host, int dir, const char *name, const char *text) {
        char path[160];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", host->dirs[dir], name);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static int host_make(void **state) {
        struct host *host = calloc(1, sizeof(*host));

        *state = host;
        strcpy(host->root, "/tmp/test-rules-XXXXXX");
        if (!mkdtemp(host->root) || model_init(&host->model) < 0)
                return -1;
        for (int i = 0; i < 2; i++) {
                snprintf(host->dirs[i], sizeof(host->dirs[i]), "%s/%d", host->root, i);
                host->list[i] = host->dirs[i];
                if (mkdir(host->dirs[i], 0755) < 0)
                        return -1;
        }
        snprintf(host->database, sizeof(host->database), "%s/policy.db", host->root);
        host_link(host, 2, "eth0");
        host_link(host, 3, "docker0");
        host_address(host, 2, "192.0.2.1", 24);
        host_address(host, 2, "fe80::2", 64);
        host_address(host, 3, "198.51.100.1", 24);
        host_address(host, 3, "fe80::3", 64);
        return rules_new(host->list, 2, host->database, &host->rules);
}

static int host_remove(void **state) {
        struct host *host = *state;
        char command[128];
        int r;

        rules_free(host->rules);
        model_done(&host->model);
        snprintf(command, sizeof(command), "rm -r %s", host->root);
        r = system(command);
        free(host);
        return r;
}

static struct rules_status status_of(const struct host *host) {
        struct rules_status status;

        rules_status(host->rules, &status);
        return status;
}

/* As the evaluator has it. */
static struct policy_address judged(const char *text) {
        struct mptcpize_address address = at(text);
        struct policy_address result = { .family = address.family == AF_INET ? 4 : 6 };

        memcpy(result.bytes, address.bytes, sizeof(result.bytes));
        return result;
}

/* Why a socket of a program called "client" that connects is TCP. */
static enum policy_reason reason_of(const struct host *host, const char *remote) {
        struct policy_identity who = { .app = { "client", 6 }, .uid = 1000 };
        struct policy_call call = { .direction = POLICY_CONNECT };
        struct policy_verdict verdict;
        struct policy_read read;
        void *copy = NULL;

        assert_int_equal(policy_store_copy(host->database, &copy), 0);
        assert_true(policy_begin(copy, POLICY_FILE_BYTES, &read));
        call.remote = judged(remote);
        policy_judge(&read, policy_find(&read, &who), &call, &verdict);
        free(copy);
        return verdict.reason;
}

static void test_start_interface_means_its_networks(void **state) {
        struct host *host = *state;

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(status_of(host).policies, 1);
        assert_int_equal(reason_of(host, "198.51.100.7"), POLICY_REASON_EXCEPT);
        assert_int_equal(reason_of(host, "192.0.2.7"), POLICY_REASON_NONE);
        assert_int_equal(reason_of(host, "203.0.113.1"), POLICY_REASON_NONE);
}

/* fe80::/64 is the network of eth0 just as well. */
static void test_start_link_local_network_is_no_interface_s(void **state) {
        struct host *host = *state;

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "fe80::77"), POLICY_REASON_NONE);
}

static void test_start_own_addresses_are_known(void **state) {
        struct host *host = *state;

        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "192.0.2.1"), POLICY_REASON_OWN);
        assert_int_equal(reason_of(host, "198.51.100.1"), POLICY_REASON_OWN);
        assert_int_equal(reason_of(host, "fe80::3"), POLICY_REASON_OWN);
        assert_int_equal(reason_of(host, "192.0.2.2"), POLICY_REASON_NONE);
}

static void test_follow_new_network_is_excepted(void **state) {
        struct host *host = *state;

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "203.0.113.7"), POLICY_REASON_NONE);
        host_address(host, 3, "203.0.113.1", 24);
        assert_int_equal(rules_follow(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "203.0.113.7"), POLICY_REASON_EXCEPT);
        assert_int_equal(reason_of(host, "203.0.113.1"), POLICY_REASON_OWN);
        assert_int_equal(status_of(host).generation, 2);
}

static void test_follow_renamed_interface_is_followed(void **state) {
        struct host *host = *state;
        struct link_event renamed = { .ifindex = 2, .name = "docker0", .up = true };

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(model_link(&host->model, &renamed), 1);
        assert_int_equal(rules_follow(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "192.0.2.7"), POLICY_REASON_EXCEPT);
}

/* Links go up and down, routes come and go: none of it is in the database. */
static void test_follow_what_does_not_matter_writes_nothing(void **state) {
        struct host *host = *state;
        struct link_event down = { .ifindex = 2, .name = "eth0" };

        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(model_link(&host->model, &down), 1);
        assert_int_equal(rules_follow(host->rules, &host->model), 0);
        assert_int_equal(status_of(host).generation, 1);
}

static void test_follow_left_out_file_stays_left_out(void **state) {
        struct host *host = *state;

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        host_policy(host, ADMIN, "broken.json", MISTAKE);
        assert_true(rules_start(host->rules, &host->model) > 0);
        assert_int_equal(status_of(host).policies, 1);
        host_address(host, 2, "203.0.113.1", 24);
        assert_int_equal(rules_follow(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "203.0.113.1"), POLICY_REASON_OWN);
        assert_int_equal(status_of(host).n_errors, 1);
        assert_int_equal(status_of(host).policies, 1);
}

static void test_reload_mistake_tells_and_keeps(void **state) {
        struct host *host = *state;
        char wanted[160];

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        host_policy(host, ADMIN, "all.json", MISTAKE);
        assert_int_equal(rules_reload(host->rules, &host->model, NULL, NULL), -EINVAL);
        assert_int_equal(status_of(host).n_errors, 1);
        snprintf(wanted, sizeof(wanted), "%s/all.json:1:25: ", host->dirs[ADMIN]);
        assert_memory_equal(status_of(host).errors[0], wanted, strlen(wanted));
        assert_int_equal(status_of(host).generation, 1);
        assert_int_equal(reason_of(host, "198.51.100.7"), POLICY_REASON_EXCEPT);
}

/* What was read last and found good counts, not what lies there now. */
static void test_follow_after_failed_reload_has_the_old_policies(void **state) {
        struct host *host = *state;

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        host_policy(host, SHIPPED, "all.json", MISTAKE);
        assert_int_equal(rules_reload(host->rules, &host->model, NULL, NULL), -EINVAL);
        host_address(host, 3, "203.0.113.1", 24);
        assert_int_equal(rules_follow(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "203.0.113.7"), POLICY_REASON_EXCEPT);
}

static unsigned int n_told;

static void on_error(const char *error) {
        assert_non_null(strstr(error, ".json:1:25: "));
        n_told++;
}

static void test_check_tells_each_mistake(void **state) {
        struct host *host = *state;

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        n_told = 0;
        assert_int_equal(rules_check(host->list, 2, on_error), 0);
        assert_int_equal(n_told, 0);
        host_policy(host, SHIPPED, "one.json", MISTAKE);
        host_policy(host, ADMIN, "two.json", MISTAKE);
        assert_int_equal(rules_check(host->list, 2, on_error), -EINVAL);
        assert_int_equal(n_told, 2);
        assert_int_equal(status_of(host).generation, 0);
}

static void test_start_as_many_addresses_as_there_can_be(void **state) {
        struct host *host = *state;
        char text[ADDRESS_TEXT];

        for (unsigned int i = 4; i < LIMIT_ADDRESSES; i++) {
                snprintf(text, sizeof(text), "10.%u.%u.1", i / 256, i % 256);
                host_address(host, 3, text, 24);
        }
        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, text), POLICY_REASON_OWN);
}

/* They outlive a writer, and changes of the network. */
static void test_set_blackholes_count_until_others_are_set(void **state) {
        const struct policy_blackhole hole = { .to = { 4, 32, { 0 }, { 203, 0, 113, 7 } },
                                               .until = 99 };
        struct policy_blackhole rows[LIMIT_BLACKHOLES];
        struct host *host = *state;

        host_policy(host, SHIPPED, "all.json", NOT_DOCKER);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(rules_set_blackholes(host->rules, &hole, 1), 0);
        assert_int_equal(reason_of(host, "203.0.113.7"), POLICY_REASON_BLACKHOLE);
        assert_int_equal(reason_of(host, "198.51.100.7"), POLICY_REASON_EXCEPT);
        host_address(host, 2, "203.0.113.77", 24);
        assert_int_equal(rules_follow(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "203.0.113.7"), POLICY_REASON_BLACKHOLE);
        rules_free(host->rules);
        assert_int_equal(rules_new(host->list, 2, host->database, &host->rules), 0);
        assert_int_equal(rules_start(host->rules, &host->model), 0);
        assert_int_equal(reason_of(host, "203.0.113.7"), POLICY_REASON_BLACKHOLE);
        assert_int_equal(rules_blackholes(host->rules, rows), 1);
        assert_int_equal(rows[0].until, 99);
        assert_int_equal(rules_set_blackholes(host->rules, rows, 0), 0);
        assert_int_equal(reason_of(host, "203.0.113.7"), POLICY_REASON_NONE);
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, host_make, host_remove)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_HOST(test_start_interface_means_its_networks),
                WITH_HOST(test_start_link_local_network_is_no_interface_s),
                WITH_HOST(test_start_own_addresses_are_known),
                WITH_HOST(test_start_as_many_addresses_as_there_can_be),
                WITH_HOST(test_follow_new_network_is_excepted),
                WITH_HOST(test_follow_renamed_interface_is_followed),
                WITH_HOST(test_follow_what_does_not_matter_writes_nothing),
                WITH_HOST(test_follow_left_out_file_stays_left_out),
                WITH_HOST(test_reload_mistake_tells_and_keeps),
                WITH_HOST(test_follow_after_failed_reload_has_the_old_policies),
                WITH_HOST(test_set_blackholes_count_until_others_are_set),
                WITH_HOST(test_check_tells_each_mistake),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
