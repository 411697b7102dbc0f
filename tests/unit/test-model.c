/*
 * The model, its connections, the heap of deadlines and the ring of the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "../../daemon/core/model.h"
#include "world.h"

static int model_setup(void **state) {
        struct model *model = calloc(1, sizeof(*model));

        assert_int_equal(model_init(model), 0);
        *state = model;
        return 0;
}

static int model_teardown(void **state) {
        model_done(*state);
        free(*state);
        return 0;
}

static struct route_event route_to(const char *prefix, uint8_t len, int32_t ifindex) {
        return (struct route_event){
                .prefix = at(prefix), .prefix_len = len, .ifindex = ifindex, .table = 254
        };
}

static void test_route_prefixes_are_matched_per_interface(void **state) {
        struct model *model = *state;
        struct route_event event = route_to("198.51.100.0", 24, 3);
        struct mptcpize_address near = at("198.51.100.77"), far = at("203.0.113.1");

        assert_int_equal(model_route(model, &event), 1);
        assert_int_equal(model_route(model, &event), 0);
        assert_true(model_has_route(model, 3, &near));
        assert_false(model_has_route(model, 3, &far));
        assert_false(model_has_route(model, 2, &near));
        assert_int_equal(model_route_gone(model, &event), 1);
        assert_int_equal(model_route_gone(model, &event), 0);
        assert_false(model_has_route(model, 3, &near));
}

static void test_route_ifindex_main_table_then_prefix_then_metric(void **state) {
        static const struct {
                struct route_event is;
                int32_t best; /* once it is there, too */
        } routes[] = {
                { { .ifindex = 2, .table = 100, .prefix_len = 32, .metric = 0 }, 2 },
                { { .ifindex = 3, .table = 254, .prefix_len = 0, .metric = 200 }, 3 },
                { { .ifindex = 4, .table = 254, .prefix_len = 0, .metric = 100 }, 4 },
                { { .ifindex = 5, .table = 254, .prefix_len = 24, .metric = 600 }, 5 },
                { { .ifindex = 6, .table = 101, .prefix_len = 32, .metric = 0 }, 5 },
        };
        struct mptcpize_address there = at("203.0.113.1"), elsewhere = at("2001:db8::1");
        struct model *model = *state;

        assert_int_equal(model_route_ifindex(model, &there), 0);
        for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
                struct route_event event = routes[i].is;

                event.prefix = at(event.prefix_len == 0    ? "0.0.0.0"
                                  : event.prefix_len == 24 ? "203.0.113.0"
                                                           : "203.0.113.1");
                assert_int_equal(model_route(model, &event), 1);
                assert_int_equal(model_route_ifindex(model, &there), routes[i].best);
        }
        assert_int_equal(model_route_ifindex(model, &elsewhere), 0);
}

static void test_route_over_the_limit_nothing_is_said_missing(void **state) {
        struct model *model = *state;
        struct mptcpize_address far = at("203.0.113.1");
        struct route_event event = route_to("10.0.0.0", 24, 3);

        for (uint32_t i = 0; i < LIMIT_ROUTES; i++) {
                event.metric = i;
                assert_int_equal(model_route(model, &event), 1);
        }
        assert_false(model_has_route(model, 3, &far));
        event.metric = LIMIT_ROUTES;
        assert_int_equal(model_route(model, &event), -ENOBUFS);
        assert_true(model_has_route(model, 3, &far));
        assert_int_equal(model_route_ifindex(model, &far), 0);
        model_net_begin(model);
        assert_int_equal(model_net_end(model), 1);
        assert_false(model_has_route(model, 3, &far));
}

static void test_net_end_drops_what_was_not_listed(void **state) {
        struct model *model = *state;
        struct link_event wifi = { .ifindex = 2, .name = "wifi0", .up = true };
        struct link_event lte = { .ifindex = 3, .name = "lte0", .up = true };

        assert_int_equal(model_link(model, &wifi), 1);
        assert_int_equal(model_link(model, &lte), 1);
        model_net_begin(model);
        assert_int_equal(model_link(model, &lte), 0);
        assert_int_equal(model_net_end(model), 1);
        assert_null(model_find_link(model, 2));
        assert_non_null(model_find_link(model, 3));
        model_net_begin(model);
        assert_int_equal(model_link(model, &lte), 0);
        assert_int_equal(model_net_end(model), 0);
}

static void test_find_address_on_two_links_prefers_one_that_is_up(void **state) {
        struct model *model = *state;
        struct link_event down = { .ifindex = 2, .name = "eth0" };
        struct link_event up = { .ifindex = 3, .name = "eth1", .up = true };
        struct address_event first = { .ifindex = 2, .address = at("192.0.2.1"), .usable = true };
        struct address_event second = { .ifindex = 3, .address = at("192.0.2.1"), .usable = true };

        model_link(model, &down);
        model_link(model, &up);
        model_address(model, &first);
        assert_int_equal(model_find_address(model, &first.address)->is.ifindex, 2);
        model_address(model, &second);
        assert_int_equal(model_find_address(model, &first.address)->is.ifindex, 3);
}

/* The network that an interface is in is part of what the host is. */
static void test_address_with_another_prefix_is_a_change(void **state) {
        struct model *model = *state;
        struct address_event event = {
                .ifindex = 2, .address = at("192.0.2.1"), .prefix_len = 24, .usable = true
        };

        assert_int_equal(model_address(model, &event), 1);
        assert_int_equal(model_address(model, &event), 0);
        event.prefix_len = 25;
        assert_int_equal(model_address(model, &event), 1);
        assert_int_equal(model_address(model, &event), 0);
}

static void test_link_over_the_limit_is_refused(void **state) {
        struct model *model = *state;
        struct link_event link = { .name = "eth0" };

        for (uint32_t i = 0; i < LIMIT_LINKS; i++) {
                link.ifindex = (int32_t)i + 1;
                assert_int_equal(model_link(model, &link), 1);
        }
        link.ifindex++;
        assert_int_equal(model_link(model, &link), -ENOBUFS);
}

static struct connection *add(struct model *model, uint32_t token) {
        struct mptcpize_address local = at("192.0.2.1:40000"), remote = at("203.0.113.1:80");
        struct connection *connection;

        assert_int_equal(model_add(model, token, &local, &remote, &connection), 0);
        return connection;
}

static void test_add_same_token_twice_returns_the_first(void **state) {
        struct model *model = *state;
        struct mptcpize_address local = at("192.0.2.9:1"), remote = at("203.0.113.1:80");
        struct connection *first = add(model, 5), *second;

        assert_int_equal(model_add(model, 5, &local, &remote, &second), -EEXIST);
        assert_ptr_equal(first, second);
}

static void test_find_colliding_tokens_are_kept_apart(void **state) {
        struct model *model = *state;

        for (uint32_t i = 0; i < 64; i++)
                add(model, i);
        for (uint32_t i = 0; i < 64; i++)
                assert_int_equal(model_find(model, i)->token, i);
        model_remove(model, model_find(model, 7));
        assert_null(model_find(model, 7));
        assert_non_null(model_find(model, 8));
}

static void test_local_id_initial_address_is_zero_and_others_count_up(void **state) {
        struct connection *connection = add(*state, 5);
        struct mptcpize_address initial = at("192.0.2.1"), other = at("198.51.100.1"),
                                third = at("10.0.0.1"), port = at("192.0.2.1:8080");
        uint8_t id;

        assert_int_equal(connection_local_id(connection, &other, &id), 0);
        assert_int_equal(id, 1);
        assert_int_equal(connection_local_id(connection, &initial, &id), 0);
        assert_int_equal(id, 0);
        assert_int_equal(connection_local_id(connection, &third, &id), 0);
        assert_int_equal(id, 2);
        assert_int_equal(connection_local_id(connection, &other, &id), 0);
        assert_int_equal(id, 1);
        assert_int_equal(connection_local_id(connection, &port, &id), 0);
        assert_int_equal(id, 3);
}

static void test_learn_id_keeps_the_bijection(void **state) {
        struct connection *connection = add(*state, 5);
        struct mptcpize_address a = at("198.51.100.1"), b = at("10.0.0.1");
        uint8_t id;

        assert_int_equal(connection_local_id(connection, &a, &id), 0);
        assert_int_equal(connection_learn_id(connection, &b, 1), 0); /* takes a's id */
        assert_int_equal(connection_local_id(connection, &a, &id), 0);
        assert_int_equal(id, 2);
        assert_int_equal(connection_learn_id(connection, &b, 9), 0);
        assert_int_equal(connection_local_id(connection, &b, &id), 0);
        assert_int_equal(id, 9);
        assert_int_equal(connection->ids.n, 2);
}

static void test_local_id_over_the_limit_is_refused(void **state) {
        struct connection *connection = add(*state, 5);
        char text[32];
        uint8_t id;

        for (unsigned int i = 0; i < LIMIT_IDS; i++) {
                struct mptcpize_address address;

                snprintf(text, sizeof(text), "10.0.1.%u", i);
                address = at(text);
                assert_int_equal(connection_local_id(connection, &address, &id), 0);
        }
        assert_int_equal(connection_local_id(connection, &(struct mptcpize_address){ .family = 2 },
                                             &id),
                         -ENOBUFS);
}

static void test_remotes_over_the_limit_are_refused(void **state) {
        struct connection *connection = add(*state, 5);
        struct mptcpize_remote remote = { .size = sizeof(remote), .address = at("10.0.0.1:80") };

        for (unsigned int i = 1; i < LIMIT_REMOTES; i++) {
                remote.id = (uint8_t)i;
                remote.address.bytes[3] = (uint8_t)i;
                assert_int_equal(connection_add_remote(connection, &remote), 1);
                assert_int_equal(connection_add_remote(connection, &remote), 0);
        }
        remote.id++;
        assert_int_equal(connection_add_remote(connection, &remote), -ENOBUFS);
        connection_remove_remote(connection, 3);
        assert_null(connection_find_remote(connection, 3));
        assert_int_equal(connection_add_remote(connection, &remote), 1);
        connection_remove_remote(connection, 0); /* the initial one stays */
        assert_non_null(connection_find_remote(connection, 0));
}

static void test_subflows_over_the_limit_are_refused(void **state) {
        struct connection *connection = add(*state, 5);
        struct subflow subflow = { .is = { .size = sizeof(subflow.is) } }, *added;

        for (unsigned int i = 0; i < LIMIT_SUBFLOWS; i++)
                assert_int_equal(connection_add_subflow(connection, &subflow, &added), 0);
        assert_int_equal(connection_add_subflow(connection, &subflow, &added), -ENOBUFS);
}

/* Heap */

struct item {
        struct heap_node node;
        uint64_t due;
};

static void test_heap_gives_the_least_first(void **state) {
        struct heap heap = HEAP_NULL;
        struct item items[200];
        uint64_t last = 0;

        (void)state;
        assert_int_equal(heap_reserve(&heap, 200), 0);
        for (size_t i = 0; i < 200; i++) {
                items[i].node = HEAP_NODE_INIT;
                heap_set(&heap, &items[i].node, (i * 7919) % 211);
        }
        for (size_t i = 0; i < 200; i += 3) /* move */
                heap_set(&heap, &items[i].node, (i * 104729) % 307);
        for (size_t i = 0; i < 200; i += 5) /* remove, also twice */
                heap_remove(&heap, &items[i].node);
        heap_remove(&heap, &items[0].node);
        assert_int_equal(heap.n, 160);
        while (heap_first(&heap)) {
                struct heap_node *first = heap_first(&heap);

                assert_true(first->key >= last);
                last = first->key;
                heap_remove(&heap, first);
        }
        assert_null(heap_first(&heap));
        heap_done(&heap);
}

/* Trace */

struct seen {
        size_t n;
        uint64_t first, last;
};

static int see(const struct trace_line *line, void *userdata) {
        struct seen *seen = userdata;

        if (!seen->n++)
                seen->first = line->usec;
        seen->last = line->usec;
        return 0;
}

static void test_trace_ring_keeps_the_newest(void **state) {
        struct trace trace;
        struct trace_line line = { .kind = TRACE_NOTE };
        struct seen seen = { 0 };

        (void)state;
        assert_int_equal(trace_init(&trace), 0);
        for (uint64_t i = 0; i < 3 * TRACE_LINES; i++) {
                line.usec = i;
                line.token = i % 2;
                trace_add(&trace, &line);
        }
        assert_int_equal(trace_each(&trace, 1, 5, see, &seen), 0);
        assert_int_equal(seen.n, 5);
        assert_int_equal(seen.first, 3 * TRACE_LINES - 9);
        assert_int_equal(seen.last, 3 * TRACE_LINES - 1);
        seen.n = 0;
        assert_int_equal(trace_each(&trace, 1, SIZE_MAX, see, &seen), 0);
        assert_int_equal(seen.n, TRACE_LINES / 2);
        trace_done(&trace);
}

static void test_trace_format_names_what_happened(void **state) {
        struct trace_line line = {
                .kind = TRACE_FAILED,
                .action = ACTION_CREATE,
                .error = -EADDRNOTAVAIL,
                .local = at("192.0.2.1"),
                .remote = at("203.0.113.1:80"),
        };
        char text[256];

        (void)state;
        assert_string_equal(trace_format(&line, text, sizeof(text)),
                            "failed: create 192.0.2.1 -> 203.0.113.1:80: "
                            "Cannot assign requested address");
        line.error = -EKEYREJECTED; /* no key of a service was rejected: an address is not known */
        assert_string_equal(trace_format(&line, text, sizeof(text)),
                            "failed: create 192.0.2.1 -> 203.0.113.1:80: Not confirmed");
        line = (struct trace_line){ .kind = TRACE_NOTE };
        assert_string_equal(trace_format(&line, text, sizeof(text)), "note");
        line = (struct trace_line){ .kind = TRACE_ACTION,
                                    .action = ACTION_BACKUP,
                                    .local = at("192.0.2.1") };
        assert_string_equal(trace_format(&line, text, sizeof(text)), "backup 192.0.2.1");
        line.off = true;
        assert_string_equal(trace_format(&line, text, sizeof(text)), "backup off 192.0.2.1");
}

static void test_from_goes_through_tokens_in_order_as_the_table_grows(void **state) {
        static const uint32_t n = 5000;
        const struct connection *connection;
        struct model *model = *state;
        uint32_t found = 0;

        assert_null(model_from(model, 0));
        /* The highest token, and in steps of a prime some all over the place. */
        for (uint32_t i = 0; i < n; i++)
                add(model, UINT32_MAX - i * 2654435761u);
        connection = model_from(model, 0);
        while (connection) {
                const uint32_t token = connection->token;

                found++;
                assert_ptr_equal(model_find(model, token), connection);
                assert_ptr_equal(model_from(model, token), connection);
                connection = token < UINT32_MAX ? model_from(model, token + 1) : NULL;
                assert_true(connection ? connection->token > token : token == UINT32_MAX);
        }
        assert_int_equal(found, n);
}

#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_route_prefixes_are_matched_per_interface),
                T(test_route_ifindex_main_table_then_prefix_then_metric),
                T(test_route_over_the_limit_nothing_is_said_missing),
                T(test_net_end_drops_what_was_not_listed),
                T(test_find_address_on_two_links_prefers_one_that_is_up),
                T(test_address_with_another_prefix_is_a_change),
                T(test_link_over_the_limit_is_refused),
                T(test_add_same_token_twice_returns_the_first),
                T(test_find_colliding_tokens_are_kept_apart),
                T(test_from_goes_through_tokens_in_order_as_the_table_grows),
                T(test_local_id_initial_address_is_zero_and_others_count_up),
                T(test_learn_id_keeps_the_bijection),
                T(test_local_id_over_the_limit_is_refused),
                T(test_remotes_over_the_limit_are_refused),
                T(test_subflows_over_the_limit_are_refused),
                cmocka_unit_test(test_heap_gives_the_least_first),
                cmocka_unit_test(test_trace_ring_keeps_the_newest),
                cmocka_unit_test(test_trace_format_names_what_happened),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
