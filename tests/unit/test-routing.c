/*
 * core/routing: which addresses need a rule and a table, decided from a host with the uplinks
 * wifi0 (2) and lte0 (3).
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
#include <cmocka.h>

#include "../../daemon/core/address.h"
#include "../../daemon/core/routing.h"

#define LTE4 "198.51.100.1"
#define LTE6 "2001:db8:2::1"

struct host {
        struct model model;
        struct routing routing;
};

static struct mptcpize_address at(const char *text) {
        struct mptcpize_address address = { 0 };

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static void add_link(struct host *host, int32_t ifindex, const char *name, bool dial_up) {
        struct link_event event = { .ifindex = ifindex, .up = true, .dial_up = dial_up };

        snprintf(event.name, sizeof(event.name), "%s", name);
        assert_int_equal(model_link(&host->model, &event), 1);
}

static void add_address(struct host *host, int32_t ifindex, const char *text, uint8_t len) {
        const struct address_event event = {
                .ifindex = ifindex, .address = at(text), .prefix_len = len, .usable = true
        };

        assert_int_equal(model_address(&host->model, &event), 1);
}

static struct route_event route_of(int32_t ifindex, const char *prefix, uint8_t len,
                                   const char *gateway, uint32_t table, uint32_t metric) {
        struct route_event event = { .ifindex = ifindex,
                                     .prefix = at(prefix),
                                     .prefix_len = len,
                                     .table = table,
                                     .metric = metric };

        if (gateway)
                event.gateway = at(gateway);
        return event;
}

static void add_route(struct host *host, struct route_event event) {
        assert_true(model_route(&host->model, &event) >= 0);
}

static void add_default(struct host *host, int32_t ifindex, uint32_t table, uint32_t metric) {
        add_route(host, route_of(ifindex, "0.0.0.0", 0,
                                 ifindex == 2 ? "192.0.2.254" : "198.51.100.254", table, metric));
}

static void set_filter(struct host *host, int32_t ifindex, uint8_t value) {
        const struct filter_event event = { .ifindex = ifindex, .rp_filter = value };

        assert_true(model_filter(&host->model, &event) >= 0);
}

static int setup(void **state) {
        struct host *host = calloc(1, sizeof(*host));

        assert_non_null(host);
        assert_int_equal(model_init(&host->model), 0);
        add_link(host, 2, "wifi0", false);
        add_link(host, 3, "lte0", false);
        add_address(host, 2, "192.0.2.1", 24);
        add_address(host, 3, LTE4, 24);
        add_address(host, 3, LTE6, 64);
        *state = host;
        return 0;
}

static int teardown(void **state) {
        struct host *host = *state;

        model_done(&host->model);
        routing_done(&host->routing);
        free(host);
        return 0;
}

/* Decides anew for these addresses, as after each change of the network. */
static void decide(struct host *host, const char *const *texts, size_t n, bool off) {
        struct routing routing = { .off = off };

        for (size_t i = 0; i < n; i++) {
                const struct mptcpize_address address = at(texts[i]);

                assert_int_equal(routing_consider(&routing, &host->routing, &host->model, &address),
                                 0);
        }
        routing_done(&host->routing);
        host->routing = routing;
}

static struct routing_path path_at(const struct host *host, size_t i) {
        if (!host->routing.paths.items || i >= host->routing.paths.n)
                abort();
        return host->routing.paths.items[i];
}

static bool is_needed(struct host *host, const char *text) {
        decide(host, &text, 1, false);
        return host->routing.paths.n == 1;
}

static struct routing_path needed(struct host *host, const char *text) {
        assert_true(is_needed(host, text));
        return path_at(host, 0);
}

static void assert_address(const struct mptcpize_address *address, const char *text) {
        char buffer[ADDRESS_TEXT];

        assert_string_equal(address_format(address, buffer), text);
}

static void assert_text(const struct host *host, const char *text) {
        const struct routing_path path = path_at(host, 0);
        char buffer[ROUTING_TEXT];

        assert_string_equal(routing_text(&host->routing, &path, buffer), text);
}

/* Nothing is needed */

static void test_default_routes_need_nothing(void **state) {
        struct host *host = *state;

        add_default(host, 2, 254, 100);
        add_default(host, 3, 254, 200);
        set_filter(host, FILTER_ALL, 0);
        set_filter(host, 3, 0);
        assert_false(is_needed(host, "192.0.2.1"));
        assert_false(is_needed(host, LTE4));
        set_filter(host, 3, 2);
        assert_false(is_needed(host, LTE4));
}

/* Answers leave where they came from, by the best route. */
static void test_strict_filter_of_the_best_uplink_needs_nothing(void **state) {
        struct host *host = *state;

        set_filter(host, FILTER_ALL, 1);
        add_default(host, 2, 254, 100);
        assert_false(is_needed(host, "192.0.2.1"));
        add_default(host, 3, 254, 200);
        assert_false(is_needed(host, "192.0.2.1"));
}

static void test_rule_of_the_host_is_enough(void **state) {
        struct host *host = *state;
        struct rule_event rule = {
                .from = at("198.51.100.0"), .from_len = 24, .protocol = 4, .table = 9
        };

        add_default(host, 3, 9, 0);
        assert_true(is_needed(host, LTE4));
        assert_int_equal(model_rule(&host->model, &rule), 1);
        assert_false(is_needed(host, LTE4));
        assert_int_equal(model_rule_gone(&host->model, &rule), 1);
        rule.protocol = ROUTING_PROTOCOL;
        assert_int_equal(model_rule(&host->model, &rule), 1);
        assert_true(is_needed(host, LTE4));
}

static void test_network_behind_a_gateway_is_what_is_wanted(void **state) {
        struct host *host = *state;

        add_route(host, route_of(3, "10.0.0.0", 8, "198.51.100.9", 254, 0));
        assert_false(is_needed(host, LTE4));
}

static void test_unknown_routes_are_no_reason(void **state) {
        struct host *host = *state;

        host->model.routes_unknown = true;
        assert_false(is_needed(host, LTE4));
}

/* Strict filters */

static void test_strict_filter_of_the_second_uplink_needs_a_rule(void **state) {
        struct host *host = *state;
        struct routing_path path;

        add_default(host, 2, 254, 100);
        add_default(host, 3, 254, 200);
        set_filter(host, 3, 1);
        path = needed(host, LTE4);
        assert_int_equal(path.reason, ROUTING_FILTER);
        assert_int_equal(path.table, ROUTING_TABLE);
        assert_address(&path.gateway, "198.51.100.254");
        assert_text(host, "own rule and table 26200: rp_filter is strict");
        set_filter(host, FILTER_ALL, 2); /* the larger one counts */
        assert_false(is_needed(host, LTE4));
}

/* Else the rule would come and go with the first uplink, too late for the packets on the way. */
static void test_strict_filter_keeps_the_rule_when_routes_change(void **state) {
        struct host *host = *state;
        const struct route_event first = route_of(2, "0.0.0.0", 0, "192.0.2.254", 254, 100);

        set_filter(host, 3, 1);
        add_route(host, first);
        add_default(host, 3, 254, 200);
        assert_true(is_needed(host, LTE4));
        assert_int_equal(model_route_gone(&host->model, &first), 1);
        assert_true(is_needed(host, LTE4));
        set_filter(host, 3, 0);
        assert_false(is_needed(host, LTE4));
        set_filter(host, 3, 1);
        assert_false(is_needed(host, LTE4));
}

static void test_strict_filter_is_not_of_ipv6(void **state) {
        struct host *host = *state;

        set_filter(host, FILTER_ALL, 1);
        add_route(host, route_of(2, "::", 0, "fe80::1", 254, 100));
        add_route(host, route_of(3, "::", 0, "fe80::1", 254, 200));
        assert_false(is_needed(host, LTE6));
}

/* No default route */

/* Whatever the filter: the join itself would leave by the other interface. */
static void test_unbound_subflows_of_the_second_uplink_need_a_rule(void **state) {
        struct host *host = *state;
        struct routing_path path;

        add_default(host, 2, 254, 100);
        add_default(host, 3, 254, 200);
        assert_false(is_needed(host, LTE4));
        host->model.unbound = true;
        assert_false(is_needed(host, "192.0.2.1"));
        path = needed(host, LTE4);
        assert_int_equal(path.reason, ROUTING_UNBOUND);
        assert_int_equal(path.table, ROUTING_TABLE);
        assert_text(host, "own rule and table 26200: this kernel binds no subflow to it");
}

static void test_gateway_of_another_table_is_taken(void **state) {
        struct host *host = *state;
        struct route_event route = route_of(3, "::", 0, "fe80::1", 99, 5);
        struct routing_path path;

        route.onlink = true;
        add_route(host, route);
        path = needed(host, LTE6);
        assert_int_equal(path.reason, ROUTING_NO_ROUTE);
        assert_address(&path.gateway, "fe80::1");
        assert_true(path.onlink);
        assert_text(host, "own rule and table 26200: no default route in the main table");
}

static void test_own_routes_are_not_the_hosts(void **state) {
        struct host *host = *state;
        struct route_event own = route_of(3, "0.0.0.0", 0, "198.51.100.254", ROUTING_TABLE, 1024);

        own.protocol = ROUTING_PROTOCOL;
        add_route(host, own);
        assert_int_equal(needed(host, LTE4).reason, ROUTING_NO_GATEWAY);
}

static void test_dial_up_needs_no_gateway(void **state) {
        struct host *host = *state;
        struct route_event routes[ROUTING_ROUTES];
        struct routing_path path;

        add_link(host, 4, "ppp0", true);
        add_address(host, 4, "203.0.113.9", 32);
        path = needed(host, "203.0.113.9");
        assert_int_equal(path.reason, ROUTING_NO_ROUTE);
        assert_int_equal(path.gateway.family, 0);
        assert_int_equal(routing_routes(&path, routes), 1);
        assert_int_equal(routes[0].prefix_len, 0);
        assert_int_equal(routes[0].scope, 253);
}

static void test_no_gateway_is_told_and_nothing_added(void **state) {
        struct host *host = *state;

        assert_int_equal(needed(host, LTE4).table, 0);
        assert_text(host, "no default route, and no gateway is known: "
                          "add a default route, of a worse metric");
}

static void test_off_only_tells(void **state) {
        static const char *const lte = LTE4;
        struct host *host = *state;

        add_default(host, 2, 254, 100);
        add_default(host, 3, 254, 200);
        set_filter(host, 3, 1);
        decide(host, &lte, 1, true);
        assert_int_equal(path_at(host, 0).table, 0);
        assert_text(host, "rp_filter is strict: \"routing\" is off, so add a rule and a table");
}

/* Tables */

static void test_tables_stay_and_are_not_shared(void **state) {
        static const char *const both[] = { LTE4, LTE6 }, *const second[] = { LTE6 };
        struct host *host = *state;

        add_default(host, 3, 9, 0);
        add_route(host, route_of(3, "::", 0, "fe80::1", 9, 0));
        decide(host, both, 2, false);
        assert_int_equal(path_at(host, 0).table, ROUTING_TABLE);
        assert_int_equal(path_at(host, 1).table, ROUTING_TABLE + 1);
        decide(host, second, 1, false);
        assert_int_equal(path_at(host, 0).table, ROUTING_TABLE + 1);
        decide(host, both, 2, false);
        assert_int_equal(path_at(host, 0).table, ROUTING_TABLE);
        assert_int_equal(path_at(host, 1).table, ROUTING_TABLE + 1);
}

static void test_foreign_tables_are_left_out(void **state) {
        struct host *host = *state;

        add_default(host, 3, 9, 0);
        for (uint32_t i = 0; i < LIMIT_ROUTING - 1; i++)
                add_route(host, route_of(2, "10.0.0.0", 8, NULL, ROUTING_TABLE + i, 0));
        assert_int_equal(needed(host, LTE4).table, ROUTING_TABLE + LIMIT_ROUTING - 1);
        add_route(host, route_of(2, "10.0.0.0", 8, NULL, ROUTING_TABLE + LIMIT_ROUTING - 1, 0));
        assert_int_equal(needed(host, LTE4).table, 0);
        assert_text(host, "no default route in the main table: no table is free for it");
}

static void test_paths_over_the_limit_are_refused(void **state) {
        struct host *host = *state;
        struct routing routing = { .off = false };

        add_default(host, 3, 9, 0);
        for (uint32_t i = 0; i <= LIMIT_ROUTING; i++) {
                struct mptcpize_address address;
                char text[32];

                snprintf(text, sizeof(text), "198.51.100.%u", 10 + i);
                add_address(host, 3, text, 24);
                address = at(text);
                assert_int_equal(routing_consider(&routing, &host->routing, &host->model, &address),
                                 i < LIMIT_ROUTING ? 0 : -ENOBUFS);
        }
        routing_done(&routing);
}

/* What a path is made of */

static void test_routes_are_the_network_and_the_gateway(void **state) {
        struct host *host = *state;
        struct route_event routes[ROUTING_ROUTES];
        struct routing_path path;
        struct rule_event rule;

        add_address(host, 2, "192.0.2.77", 28);
        add_default(host, 2, 9, 0);
        path = needed(host, "192.0.2.77");
        assert_int_equal(routing_routes(&path, routes), 2);
        assert_address(&routes[0].prefix, "192.0.2.64");
        assert_int_equal(routes[0].prefix_len, 28);
        assert_int_equal(routes[0].scope, 253);
        assert_int_equal(routes[0].gateway.family, 0);
        assert_address(&routes[1].prefix, "0.0.0.0");
        assert_address(&routes[1].gateway, "192.0.2.254");
        assert_int_equal(routes[1].table, ROUTING_TABLE);
        assert_int_equal(routes[1].protocol, ROUTING_PROTOCOL);
        rule = routing_rule(&path);
        assert_address(&rule.from, "192.0.2.77");
        assert_int_equal(rule.from_len, 32);
        assert_int_equal(rule.priority, ROUTING_PRIORITY);
        assert_int_equal(rule.table, ROUTING_TABLE);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_default_routes_need_nothing),
                T(test_strict_filter_of_the_best_uplink_needs_nothing),
                T(test_rule_of_the_host_is_enough),
                T(test_network_behind_a_gateway_is_what_is_wanted),
                T(test_unknown_routes_are_no_reason),
                T(test_strict_filter_of_the_second_uplink_needs_a_rule),
                T(test_strict_filter_keeps_the_rule_when_routes_change),
                T(test_strict_filter_is_not_of_ipv6),
                T(test_unbound_subflows_of_the_second_uplink_need_a_rule),
                T(test_gateway_of_another_table_is_taken),
                T(test_own_routes_are_not_the_hosts),
                T(test_dial_up_needs_no_gateway),
                T(test_no_gateway_is_told_and_nothing_added),
                T(test_off_only_tells),
                T(test_tables_stay_and_are_not_shared),
                T(test_foreign_tables_are_left_out),
                T(test_paths_over_the_limit_are_refused),
                T(test_routes_are_the_network_and_the_gateway),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
