/*
 * Contract: the host's network.
 */
#include "scene.h"

#include <string.h>

/* Events of one device, the first one for which fits() is true. */
typedef bool (*fits_fn)(const struct event *event, const struct scene *scene);

static void await_fit(struct scene *scene, enum event_type type, fits_fn fits) {
        while (!fits(scene_await(scene, type, 0), scene))
                ;
}

static bool is_lte_down(const struct event *event, const struct scene *scene) {
        return event->link.ifindex == lab_ifindex(scene->lab, LAB_LTE) && !event->link.up;
}

static bool is_lte_up(const struct event *event, const struct scene *scene) {
        return event->link.ifindex == lab_ifindex(scene->lab, LAB_LTE) && event->link.up &&
               !event->link.loopback && strcmp(event->link.name, "lte0") == 0;
}

static bool is_lte_gone(const struct event *event, const struct scene *scene) {
        return event->link.ifindex == lab_ifindex(scene->lab, LAB_LTE);
}

static bool is_lte_address(const struct event *event, const struct scene *scene) {
        const struct mptcpize_address lte = lab_address(LAB_LTE, scene->kind, 0);

        return event->address.ifindex == lab_ifindex(scene->lab, LAB_LTE) &&
               address_equal(&event->address.address, &lte) &&
               event->address.prefix_len == (scene->kind == LAB_V6 ? 64 : 24) &&
               (event->type == EVENT_ADDRESS_GONE || event->address.usable);
}

static bool is_added_route(const struct event *event, const struct scene *scene) {
        struct mptcpize_address prefix = ADDRESS_NULL;

        (void)address_parse("203.0.113.128", &prefix);
        return address_equal(&event->route.prefix, &prefix) && event->route.prefix_len == 25 &&
               event->route.ifindex == lab_ifindex(scene->lab, LAB_LTE) &&
               event->route.table == 254;
}

/* What is known before the world starts to change does not count. */
static void scene_forget(struct scene *scene) {
        (void)scene->kern->ops->dispatch(scene->kern, 1);
        for (size_t i = 0; i < scene->records.n; i++)
                scene->records.items[i]->taken = true;
}

static void test_link_down_and_up_are_told(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        lab_link(scene->lab, LAB_LTE, false);
        await_fit(scene, EVENT_LINK, is_lte_down);
        lab_link(scene->lab, LAB_LTE, true);
        await_fit(scene, EVENT_LINK, is_lte_up);
}

static void test_link_carrier_lost_and_back_are_told(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        lab_carrier(scene->lab, LAB_LTE, false);
        await_fit(scene, EVENT_LINK, is_lte_down);
        lab_carrier(scene->lab, LAB_LTE, true);
        await_fit(scene, EVENT_LINK, is_lte_up);
}

static void test_link_deleted_is_gone(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        lab_link_delete(scene->lab, LAB_LTE);
        await_fit(scene, EVENT_LINK_GONE, is_lte_gone);
}

static void test_address_deleted_and_added_are_told(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        lab_address_delete(scene->lab, LAB_LTE, scene->kind);
        await_fit(scene, EVENT_ADDRESS_GONE, is_lte_address);
        lab_address_add(scene->lab, LAB_LTE, scene->kind);
        await_fit(scene, EVENT_ADDRESS, is_lte_address);
}

static void test_route_added_and_deleted_are_told(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        lab_route_add(scene->lab);
        await_fit(scene, EVENT_ROUTE, is_added_route);
        lab_route_delete(scene->lab);
        await_fit(scene, EVENT_ROUTE_GONE, is_added_route);
}

/* Listing */

/* How many events of the last listing fit. */
static size_t count_listed(const struct scene *scene, enum event_type type, fits_fn fits) {
        size_t n = 0;
        bool inside = false;

        for (size_t i = scene->records.n; i-- > 0;) {
                const struct event *event = &scene->records.items[i]->event;

                if (event->type == EVENT_NET_END)
                        inside = true;
                if (event->type == EVENT_NET_BEGIN)
                        break;
                if (inside && event->type == type && fits(event, scene))
                        n++;
        }
        return n;
}

static bool is_route_of_lte(const struct event *event, const struct scene *scene) {
        struct mptcpize_address prefix = ADDRESS_NULL;

        (void)address_parse(scene->kind == LAB_V6 ? "2001:db8:3::" : "203.0.113.0", &prefix);
        return event->route.ifindex == lab_ifindex(scene->lab, LAB_LTE) &&
               address_equal(&event->route.prefix, &prefix);
}

static bool is_loopback(const struct event *event, const struct scene *scene) {
        (void)scene;
        return event->link.loopback;
}

static void test_list_net_has_links_addresses_and_routes(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        assert_int_equal(scene->kern->ops->list_net(scene->kern), 0);
        assert_int_equal(scene->records.items[scene->records.n - 1]->event.type, EVENT_NET_END);
        assert_int_equal(count_listed(scene, EVENT_LINK, is_lte_up), 1);
        assert_int_equal(count_listed(scene, EVENT_LINK, is_loopback), 1);
        assert_int_equal(count_listed(scene, EVENT_ADDRESS, is_lte_address), 1);
        assert_int_equal(count_listed(scene, EVENT_ROUTE, is_route_of_lte), 1);
}

static void test_list_net_again_is_what_is_left(void **state) {
        struct scene *scene = *state;

        lab_address_delete(scene->lab, LAB_LTE, scene->kind);
        lab_unroute(scene->lab, LAB_WIFI, scene->kind);
        assert_int_equal(scene->kern->ops->list_net(scene->kern), 0);
        assert_int_equal(count_listed(scene, EVENT_LINK, is_lte_up), 1);
        assert_int_equal(count_listed(scene, EVENT_ADDRESS, is_lte_address), 0);
        /* IPv4 routes can't be on a device that has no IPv4 address any more. */
        assert_int_equal(count_listed(scene, EVENT_ROUTE, is_route_of_lte),
                         scene->kind == LAB_V6 ? 1 : 0);
}

/* Linux takes IPv4 routes away with their link and tells nobody. */
static void test_link_down_is_followed_by_a_listing_without_its_routes(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        lab_link(scene->lab, LAB_LTE, false);
        await_fit(scene, EVENT_LINK, is_lte_down);
        (void)scene_await(scene, EVENT_NET_END, 0);
        assert_int_equal(count_listed(scene, EVENT_LINK, is_lte_down), 1);
        assert_int_equal(count_listed(scene, EVENT_ROUTE, is_route_of_lte), 0);
        assert_int_equal(count_listed(scene, EVENT_ADDRESS, is_lte_address),
                         scene->kind == LAB_V6 ? 0 : 1);
}

static void test_link_down_takes_ipv6_addresses_away(void **state) {
        struct scene *scene = *state;

        scene->kind = LAB_V6;
        scene_forget(scene);
        lab_link(scene->lab, LAB_LTE, false);
        await_fit(scene, EVENT_ADDRESS_GONE, is_lte_address);
}

static void test_carrier_lost_leaves_addresses_and_routes(void **state) {
        struct scene *scene = *state;

        scene_forget(scene);
        lab_carrier(scene->lab, LAB_LTE, false);
        await_fit(scene, EVENT_LINK, is_lte_down);
        (void)scene_await(scene, EVENT_NET_END, 0);
        assert_int_equal(count_listed(scene, EVENT_LINK, is_lte_down), 1);
        assert_int_equal(count_listed(scene, EVENT_ADDRESS, is_lte_address), 1);
        assert_int_equal(count_listed(scene, EVENT_ROUTE, is_route_of_lte), 1);
}

/* Rules and routes of ours */

static bool is_own_default(const struct event *event, const struct scene *scene) {
        return event->route.ifindex == lab_ifindex(scene->lab, LAB_LTE) &&
               event->route.protocol == ROUTING_PROTOCOL && event->route.prefix_len == 0 &&
               event->route.table == ROUTING_TABLE && event->route.gateway.family;
}

static bool is_own_rule(const struct event *event, const struct scene *scene) {
        const struct mptcpize_address lte = lab_address(LAB_LTE, scene->kind, 0);

        return address_same_host(&event->rule.from, &lte) &&
               event->rule.from_len == (scene->kind == LAB_V6 ? 128 : 32) &&
               event->rule.protocol == ROUTING_PROTOCOL &&
               event->rule.priority == ROUTING_PRIORITY && event->rule.table == ROUTING_TABLE;
}

static struct routing_path path_of_lte(const struct scene *scene) {
        struct routing_path path = {
                .ifindex = lab_ifindex(scene->lab, LAB_LTE),
                .address = lab_address(LAB_LTE, scene->kind, 0),
                .prefix_len = scene->kind == LAB_V6 ? 64 : 24,
                .table = ROUTING_TABLE,
        };

        (void)address_parse(scene->kind == LAB_V6 ? "2001:db8:2::2" : "198.51.100.2",
                            &path.gateway);
        return path;
}

static void test_route_is_made_once_and_deleted(void **state) {
        struct scene *scene = *state;
        struct routing_path path = path_of_lte(scene);
        const struct routing nothing = { .off = true };
        struct routing wanted = { .paths = { .items = &path, .n = 1, .cap = 1 } };
        const struct kern_ops *ops = scene->kern->ops;

        scene_forget(scene);
        assert_int_equal(ops->route(scene->kern, &wanted), 3);
        await_fit(scene, EVENT_ROUTE, is_own_default);
        await_fit(scene, EVENT_RULE, is_own_rule);
        assert_int_equal(ops->route(scene->kern, &wanted), 0);
        assert_int_equal(ops->list_net(scene->kern), 0);
        assert_int_equal(count_listed(scene, EVENT_ROUTE, is_own_default), 1);
        assert_int_equal(count_listed(scene, EVENT_RULE, is_own_rule), 1);
        assert_int_equal(ops->route(scene->kern, &nothing), 3);
        await_fit(scene, EVENT_ROUTE_GONE, is_own_default);
        await_fit(scene, EVENT_RULE_GONE, is_own_rule);
        assert_int_equal(ops->route(scene->kern, &nothing), 0);
}

static void test_route_changes_the_difference(void **state) {
        struct scene *scene = *state;
        struct routing_path path = path_of_lte(scene);
        struct routing wanted = { .paths = { .items = &path, .n = 1, .cap = 1 } };
        const struct kern_ops *ops = scene->kern->ops;

        assert_int_equal(ops->route(scene->kern, &wanted), 3);
        path.gateway.bytes[scene->kind == LAB_V6 ? 15 : 3] = 9;
        assert_int_equal(ops->route(scene->kern, &wanted),
                         2); /* the default route of before, too */
        assert_int_equal(ops->route(scene->kern, &wanted), 0);
}

int contract_net(void) {
        const struct CMUnitTest tests[] = {
                SCENE_TEST(test_link_down_and_up_are_told),
                SCENE_TEST(test_link_carrier_lost_and_back_are_told),
                SCENE_TEST(test_link_deleted_is_gone),
                SCENE_TESTS(test_address_deleted_and_added_are_told),
                SCENE_TEST(test_route_added_and_deleted_are_told),
                SCENE_TESTS(test_list_net_has_links_addresses_and_routes),
                SCENE_TESTS(test_list_net_again_is_what_is_left),
                SCENE_TESTS(test_link_down_is_followed_by_a_listing_without_its_routes),
                SCENE_TEST(test_link_down_takes_ipv6_addresses_away),
                SCENE_TESTS(test_carrier_lost_leaves_addresses_and_routes),
                SCENE_TESTS(test_route_is_made_once_and_deleted),
                SCENE_TESTS(test_route_changes_the_difference),
        };

        return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
