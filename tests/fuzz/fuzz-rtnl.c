/*
 * Links, addresses, routes, rules and filters.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "fuzz.h"
#include "kern/codec-rtnl.h"

static void check_prefix(const struct mptcpize_address *address, uint8_t len) {
        assert(address->family == AF_INET || address->family == AF_INET6);
        assert(len <= (address->family == AF_INET ? 32 : 128));
}

static void on_event(const struct event *event, void *userdata) {
        ++*(unsigned int *)userdata;
        if (event->type == EVENT_LINK || event->type == EVENT_LINK_GONE) {
                assert(event->link.ifindex > 0 && event->link.name[15] == '\0');
        } else if (event->type == EVENT_ADDRESS || event->type == EVENT_ADDRESS_GONE) {
                assert(event->address.ifindex > 0);
                check_prefix(&event->address.address, event->address.prefix_len);
        } else if (event->type == EVENT_ROUTE || event->type == EVENT_ROUTE_GONE) {
                assert(event->route.ifindex > 0);
                check_prefix(&event->route.prefix, event->route.prefix_len);
                assert(event->route.prefix_len || address_is_any(&event->route.prefix));
        } else if (event->type == EVENT_FILTER) {
                assert(event->filter.ifindex > 0 || event->filter.ifindex == FILTER_ALL);
        } else {
                assert(event->type == EVENT_RULE || event->type == EVENT_RULE_GONE);
                check_prefix(&event->rule.from, event->rule.from_len);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        unsigned int events = 0;
        int r = codec_rtnl_decode(data, n, on_event, &events);

        assert(r == 0 ? events > 0 : (r == 1 || r == -EBADMSG) && events == 0);
        return 0;
}
