/*
 * rtnetlink. See codec-rtnl.h.
 */
#include "codec-rtnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/netconf.h>
#include "attr.h"
#include "../util/cleanup.h"

struct sink {
        void (*on_event)(const struct event *event, void *userdata); /* NULL: check only */
        void *userdata;
};

static void sink_give(const struct sink *sink, const struct event *event) {
        if (sink->on_event)
                sink->on_event(event, sink->userdata);
}

/* Links */

struct link_attrs {
        struct attr_blob name;
};

static const struct attr_field link_fields[] = {
        ATTR_FIELD_BLOB(IFLA_IFNAME, struct link_attrs, name),
};

/* Of the flags, LOWER_UP is the carrier; RUNNING also wants operstate up or unknown. */
#define LINK_UP (IFF_UP | IFF_RUNNING | IFF_LOWER_UP)

static int decode_link(const void *bytes, size_t len, enum event_type type,
                       const struct sink *sink) {
        struct event event = { .type = type };
        struct link_attrs attrs = { 0 };
        struct ifinfomsg header;
        uint64_t present = 0;
        int r;

        r = ATTR_READ(bytes, len, &header, link_fields, &attrs, &present);
        if (r < 0)
                return r;
        if (header.ifi_family != AF_UNSPEC)
                return 1;
        /* A name has its NUL and one byte at least. */
        if (header.ifi_index <= 0 || attrs.name.len < 2 ||
            attrs.name.len > sizeof(event.link.name) || attrs.name.data[attrs.name.len - 1])
                return -EBADMSG;
        event.link.ifindex = header.ifi_index;
        event.link.up = (header.ifi_flags & LINK_UP) == LINK_UP;
        event.link.loopback = header.ifi_flags & IFF_LOOPBACK;
        event.link.dial_up = header.ifi_type == ARPHRD_PPP || header.ifi_type == ARPHRD_RAWIP;
        memcpy(event.link.name, attrs.name.data, attrs.name.len);
        sink_give(sink, &event);
        return 0;
}

/* Addresses */

struct address_attrs {
        struct attr_blob address, local;
        uint32_t flags;
};

static const struct attr_field address_fields[] = {
        ATTR_FIELD_BLOB(IFA_ADDRESS, struct address_attrs, address),
        ATTR_FIELD_BLOB(IFA_LOCAL, struct address_attrs, local),
        ATTR_FIELD(IFA_FLAGS, struct address_attrs, flags),
};

/* Bytes of an address, 0 for a family that is none of ours. */
static size_t family_len(uint8_t family) {
        if (family == AF_INET)
                return 4;
        return family == AF_INET6 ? 16 : 0;
}

static bool address_usable(const struct ifaddrmsg *header, uint32_t flags) {
        uint32_t bad = IFA_F_DEPRECATED | IFA_F_DADFAILED;

        /* The same bit means "secondary" for IPv4, which is as good as any. */
        if (header->ifa_family == AF_INET6)
                bad |= IFA_F_TEMPORARY;
        /* RFC 4429: an optimistic address is tentative and may be used. */
        if (!(flags & IFA_F_OPTIMISTIC))
                bad |= IFA_F_TENTATIVE;
        return !(flags & bad) &&
               (header->ifa_scope == RT_SCOPE_UNIVERSE || header->ifa_scope == RT_SCOPE_SITE);
}

/* One of ::ffff:0:0/96 has become IPv4, whose network is no wider than that. */
static void address_set(struct address_event *event, const struct attr_blob *own, uint8_t len) {
        (void)address_init(&event->address, own->data, own->len, 0);
        if (own->len == 16 && event->address.family == AF_INET)
                len = len > 96 ? (uint8_t)(len - 96) : 32;
        event->prefix_len = len;
}

static int decode_address(const void *bytes, size_t len, enum event_type type,
                          const struct sink *sink) {
        struct event event = { .type = type };
        struct address_attrs attrs = { 0 };
        const struct attr_blob *own;
        struct ifaddrmsg header;
        uint64_t present = 0;
        size_t want;
        int r;

        r = ATTR_READ(bytes, len, &header, address_fields, &attrs, &present);
        if (r < 0)
                return r;
        want = family_len(header.ifa_family);
        if (want == 0)
                return 1;
        /* Of a point-to-point link IFA_ADDRESS is the other end. */
        own = present & ATTR_BIT(IFA_LOCAL) ? &attrs.local : &attrs.address;
        if (header.ifa_index == 0 || header.ifa_index > INT32_MAX || own->len != want ||
            header.ifa_prefixlen > want * 8)
                return -EBADMSG;
        if (!(present & ATTR_BIT(IFA_FLAGS)))
                attrs.flags = header.ifa_flags;
        event.address.ifindex = (int32_t)header.ifa_index;
        event.address.usable = address_usable(&header, attrs.flags);
        address_set(&event.address, own, header.ifa_prefixlen);
        sink_give(sink, &event);
        return 0;
}

/* Routes */

struct route_attrs {
        struct attr_blob destination, hops, gateway, via;
        uint32_t table, metric;
        int32_t ifindex;
};

static const struct attr_field route_fields[] = {
        ATTR_FIELD_BLOB(RTA_DST, struct route_attrs, destination),
        ATTR_FIELD_BLOB(RTA_MULTIPATH, struct route_attrs, hops),
        ATTR_FIELD_BLOB(RTA_GATEWAY, struct route_attrs, gateway),
        ATTR_FIELD_BLOB(RTA_VIA, struct route_attrs, via),
        ATTR_FIELD(RTA_TABLE, struct route_attrs, table),
        ATTR_FIELD(RTA_PRIORITY, struct route_attrs, metric),
        ATTR_FIELD(RTA_OIF, struct route_attrs, ifindex),
};

/*
 * RTA_GATEWAY is of the family of the route, RTA_VIA of its own (an IPv4 route by an IPv6 gateway).
 * No address_init(): the family must stay.
 */
static int route_gateway(const struct attr_blob *gateway, const struct attr_blob *via,
                         struct route_event *route) {
        uint16_t family = route->prefix.family;
        struct attr_blob bytes = *gateway;

        route->gateway = (struct mptcpize_address){ 0 };
        if (via->len > sizeof(family)) {
                memcpy(&family, via->data, sizeof(family));
                bytes = (struct attr_blob){ via->data + sizeof(family), via->len - sizeof(family) };
        }
        if (bytes.len == 0)
                return 0;
        if (bytes.len != family_len((uint8_t)family))
                return -EBADMSG;
        route->gateway.family = (uint8_t)family;
        memcpy(route->gateway.bytes, bytes.data, bytes.len);
        return 0;
}

struct hop_attrs {
        struct attr_blob gateway, via;
};

static const struct attr_field hop_fields[] = {
        ATTR_FIELD_BLOB(RTA_GATEWAY, struct hop_attrs, gateway),
        ATTR_FIELD_BLOB(RTA_VIA, struct hop_attrs, via),
};

static int decode_hop(const struct rtnexthop *hop, const uint8_t *data, struct route_event *route) {
        const struct attr_blob blob = { data + sizeof(*hop), hop->rtnh_len - sizeof(*hop) };
        struct hop_attrs attrs = { 0 };
        uint64_t present = 0;
        int r = attr_decode(&blob, hop_fields, ARRAY_SIZE(hop_fields), &attrs, &present);

        route->ifindex = hop->rtnh_ifindex;
        route->onlink = hop->rtnh_flags & RTNH_F_ONLINK;
        return r < 0 ? r : route_gateway(&attrs.gateway, &attrs.via, route);
}

/* Every next hop of a multipath route gives one event; the first one replaces, if any does. */
static int decode_hops(struct attr_blob hops, struct event *event, const struct sink *sink) {
        struct rtnexthop hop;
        size_t step;
        int r;

        while (hops.len > 0) {
                if (hops.len < sizeof(hop))
                        return -EBADMSG;
                memcpy(&hop, hops.data, sizeof(hop));
                if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > hops.len || hop.rtnh_ifindex <= 0)
                        return -EBADMSG;
                r = decode_hop(&hop, hops.data, &event->route);
                if (r < 0)
                        return r;
                sink_give(sink, event);
                event->route.replaces = false;
                step = NLMSG_ALIGN((size_t)hop.rtnh_len);
                if (step > hops.len)
                        step = hops.len;
                hops.data += step;
                hops.len -= step;
        }
        return 0;
}

static int route_prefix(const struct rtmsg *header, const struct route_attrs *attrs,
                        uint64_t present, struct route_event *route) {
        const size_t want = family_len(header->rtm_family);
        const bool given = present & ATTR_BIT(RTA_DST);

        if (header->rtm_dst_len > want * 8 || (given && attrs->destination.len != want) ||
            (!given && header->rtm_dst_len > 0))
                return -EBADMSG;
        /* No address_init(): the family must stay, also for a prefix of ::ffff:0:0/96. */
        route->prefix.family = header->rtm_family;
        if (header->rtm_dst_len > 0)
                memcpy(route->prefix.bytes, attrs->destination.data, want);
        route->prefix_len = header->rtm_dst_len;
        return 0;
}

static bool route_wanted(const struct rtmsg *header, uint32_t table) {
        return family_len(header->rtm_family) && header->rtm_type == RTN_UNICAST &&
               !(header->rtm_flags & RTM_F_CLONED) && table != RT_TABLE_LOCAL;
}

static int route_deliver(const struct route_attrs *attrs, uint64_t present, struct event *event,
                         const struct sink *sink) {
        const struct sink check = { NULL, NULL };
        struct event checked = *event;
        int r;

        if (present & ATTR_BIT(RTA_MULTIPATH)) {
                r = attrs->hops.len > 0 ? decode_hops(attrs->hops, &checked, &check) : -EBADMSG;
                if (r == 0)
                        r = decode_hops(attrs->hops, event, sink);
                return r;
        }
        /* A route by a nexthop object may come without a device. */
        if (!(present & ATTR_BIT(RTA_OIF)))
                return 1;
        if (attrs->ifindex <= 0)
                return -EBADMSG;
        event->route.ifindex = attrs->ifindex;
        r = route_gateway(&attrs->gateway, &attrs->via, &event->route);
        if (r == 0)
                sink_give(sink, event);
        return r;
}

/*
 * Of IPv4 there is one route for each prefix, type of service, table and metric, and what takes
 * its place says so. What an IPv6 route replaces depends on more: see codec_rtnl_is_lossy().
 */
static bool route_replaces(const void *bytes, const struct rtmsg *route) {
        struct nlmsghdr header;

        memcpy(&header, bytes, sizeof(header));
        return header.nlmsg_type == RTM_NEWROUTE && header.nlmsg_flags & NLM_F_REPLACE &&
               route->rtm_family == AF_INET && route->rtm_tos == 0;
}

static int decode_route(const void *bytes, size_t len, enum event_type type,
                        const struct sink *sink) {
        struct event event = { .type = type };
        struct route_attrs attrs = { 0 };
        struct rtmsg header = { 0 };
        uint64_t present = 0;
        int r;

        r = ATTR_READ(bytes, len, &header, route_fields, &attrs, &present);
        if (r < 0)
                return r;
        if (!(present & ATTR_BIT(RTA_TABLE)))
                attrs.table = header.rtm_table;
        if (!route_wanted(&header, attrs.table))
                return 1;
        r = route_prefix(&header, &attrs, present, &event.route);
        if (r < 0)
                return r;
        event.route.table = attrs.table;
        event.route.metric = attrs.metric;
        event.route.protocol = header.rtm_protocol;
        event.route.scope = header.rtm_scope;
        event.route.onlink = header.rtm_flags & RTNH_F_ONLINK;
        event.route.replaces = route_replaces(bytes, &header);
        return route_deliver(&attrs, present, &event, sink);
}

/* Rules */

struct rule_attrs {
        struct attr_blob from;
        uint32_t priority, table;
        uint8_t protocol;
};

static const struct attr_field rule_fields[] = {
        ATTR_FIELD_BLOB(FRA_SRC, struct rule_attrs, from),
        ATTR_FIELD(FRA_PRIORITY, struct rule_attrs, priority),
        ATTR_FIELD(FRA_TABLE, struct rule_attrs, table),
        ATTR_FIELD(FRA_PROTOCOL, struct rule_attrs, protocol),
};

static int decode_rule(const void *bytes, size_t len, enum event_type type,
                       const struct sink *sink) {
        struct event event = { .type = type };
        struct rule_attrs attrs = { 0 };
        struct fib_rule_hdr header;
        uint64_t present = 0;
        int r;

        r = ATTR_READ(bytes, len, &header, rule_fields, &attrs, &present);
        if (r < 0)
                return r;
        if (!family_len(header.family) || header.src_len == 0)
                return 1;
        if (attrs.from.len != family_len(header.family) || header.src_len > attrs.from.len * 8)
                return -EBADMSG;
        event.rule.from.family = header.family;
        memcpy(event.rule.from.bytes, attrs.from.data, attrs.from.len);
        event.rule.from_len = header.src_len;
        event.rule.protocol = attrs.protocol;
        event.rule.priority = attrs.priority;
        event.rule.table = present & ATTR_BIT(FRA_TABLE) ? attrs.table : header.table;
        if (header.action != FR_ACT_TO_TBL)
                event.rule.table = 0;
        sink_give(sink, &event);
        return 0;
}

/* Filters */

struct netconf_attrs {
        int32_t ifindex, rp_filter;
};

static const struct attr_field netconf_fields[] = {
        ATTR_FIELD(NETCONFA_IFINDEX, struct netconf_attrs, ifindex),
        ATTR_FIELD(NETCONFA_RP_FILTER, struct netconf_attrs, rp_filter),
};

/* What is said of new interfaces (NETCONFA_IFINDEX_DEFAULT) is no interface's. */
static int decode_netconf(const void *bytes, size_t len, enum event_type type,
                          const struct sink *sink) {
        const uint64_t needed = ATTR_BIT(NETCONFA_IFINDEX) | ATTR_BIT(NETCONFA_RP_FILTER);
        struct event event = { .type = type };
        struct netconf_attrs attrs = { 0 };
        struct netconfmsg header;
        uint64_t present = 0;
        int r;

        r = ATTR_READ(bytes, len, &header, netconf_fields, &attrs, &present);
        if (r < 0)
                return r;
        if (header.ncm_family != AF_INET || (present & needed) != needed ||
            (attrs.ifindex <= 0 && attrs.ifindex != NETCONFA_IFINDEX_ALL))
                return 1;
        event.filter.ifindex = attrs.ifindex > 0 ? attrs.ifindex : FILTER_ALL;
        event.filter.rp_filter = (uint8_t)attrs.rp_filter;
        sink_give(sink, &event);
        return 0;
}

/* All */

static const struct {
        uint16_t message;
        enum event_type type;
        int (*decode)(const void *bytes, size_t len, enum event_type type, const struct sink *sink);
} messages[] = {
        { RTM_NEWLINK, EVENT_LINK, decode_link },
        { RTM_DELLINK, EVENT_LINK_GONE, decode_link },
        { RTM_NEWADDR, EVENT_ADDRESS, decode_address },
        { RTM_DELADDR, EVENT_ADDRESS_GONE, decode_address },
        { RTM_NEWROUTE, EVENT_ROUTE, decode_route },
        { RTM_DELROUTE, EVENT_ROUTE_GONE, decode_route },
        { RTM_NEWRULE, EVENT_RULE, decode_rule },
        { RTM_DELRULE, EVENT_RULE_GONE, decode_rule },
        { RTM_NEWNETCONF, EVENT_FILTER, decode_netconf },
};

int codec_rtnl_decode(const void *bytes, size_t len,
                      void (*on_event)(const struct event *event, void *userdata), void *userdata) {
        const struct sink sink = { on_event, userdata };
        struct nlmsghdr header;

        if (len < sizeof(header))
                return -EBADMSG;
        memcpy(&header, bytes, sizeof(header));
        for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
                if (messages[i].message == header.nlmsg_type)
                        return messages[i].decode(bytes, len, messages[i].type, &sink);
        return 1;
}

bool codec_rtnl_is_lossy(const struct nlmsghdr *header, const struct event *event) {
        if (event->type == EVENT_LINK)
                return !event->link.up;
        if (event->type == EVENT_ROUTE)
                return header->nlmsg_flags & NLM_F_REPLACE && !event->route.replaces;
        return event->type == EVENT_LINK_GONE || event->type == EVENT_ADDRESS_GONE;
}

bool codec_rtnl_hides_loss(const struct nlmsghdr *header) {
        return header->nlmsg_type == RTM_NEWROUTE && header->nlmsg_flags & NLM_F_REPLACE;
}

void codec_rtnl_list(uint16_t type, struct rtnl_request *ret_request) {
        size_t body = sizeof(ret_request->route);

        if (type == RTM_GETLINK)
                body = sizeof(ret_request->link);
        else if (type == RTM_GETADDR)
                body = sizeof(ret_request->address);
        else if (type == RTM_GETRULE)
                body = sizeof(ret_request->rule);
        else if (type == RTM_GETNETCONF)
                body = sizeof(ret_request->netconf);
        memset(ret_request, 0, sizeof(*ret_request));
        ret_request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
        ret_request->header.nlmsg_type = type;
        ret_request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        /* Of the filters there is no listing of all families. */
        if (type == RTM_GETNETCONF)
                ret_request->netconf.ncm_family = AF_INET;
}
