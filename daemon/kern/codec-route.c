/*
 * Making and deleting routes and rules. See codec-route.h.
 */
#include "codec-route.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

static size_t family_len(uint8_t family) {
        return family == AF_INET6 ? 16 : 4;
}

static void begin(union route_request *request, uint16_t type, uint16_t flags, const void *header,
                  size_t len) {
        memset(request, 0, sizeof(*request));
        request->header.nlmsg_type = type;
        request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
        memcpy(request->bytes + NLMSG_HDRLEN, header, len);
}

static void put(union route_request *request, uint16_t type, const void *value, size_t len) {
        const struct nlattr attr = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type };
        const size_t at = NLMSG_ALIGN(request->header.nlmsg_len);

        assert(at + NLA_HDRLEN + len <= sizeof(request->bytes));
        memcpy(request->bytes + at, &attr, sizeof(attr));
        memcpy(request->bytes + at + NLA_HDRLEN, value, len);
        request->header.nlmsg_len = (uint32_t)(at + NLA_HDRLEN + len);
}

static void put_u32(union route_request *request, uint16_t type, uint32_t value) {
        put(request, type, &value, sizeof(value));
}

/* Of the route's family, or with its own one (an IPv4 route by an IPv6 gateway). */
static void put_gateway(union route_request *request, const struct route_event *route) {
        const size_t len = family_len(route->gateway.family);
        const uint16_t family = route->gateway.family;
        uint8_t via[2 + 16];

        if (!family)
                return;
        if (family == route->prefix.family) {
                put(request, RTA_GATEWAY, route->gateway.bytes, len);
                return;
        }
        memcpy(via, &family, sizeof(family));
        memcpy(via + sizeof(family), route->gateway.bytes, len);
        put(request, RTA_VIA, via, sizeof(family) + len);
}

void codec_route_encode(const struct route_event *route, bool add, union route_request *ret) {
        const struct rtmsg header = {
                .rtm_family = (uint8_t)route->prefix.family,
                .rtm_dst_len = route->prefix_len,
                .rtm_table = RT_TABLE_UNSPEC, /* it is in RTA_TABLE */
                .rtm_protocol = route->protocol,
                .rtm_scope = route->scope,
                .rtm_type = RTN_UNICAST,
                .rtm_flags = route->onlink ? RTNH_F_ONLINK : 0,
        };

        begin(ret, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0, &header,
              sizeof(header));
        put_u32(ret, RTA_TABLE, route->table);
        put_u32(ret, RTA_PRIORITY, route->metric);
        put_u32(ret, RTA_OIF, (uint32_t)route->ifindex);
        if (route->prefix_len)
                put(ret, RTA_DST, route->prefix.bytes, family_len(header.rtm_family));
        put_gateway(ret, route);
}

void codec_route_encode_rule(const struct rule_event *rule, bool add, union route_request *ret) {
        const struct fib_rule_hdr header = {
                .family = (uint8_t)rule->from.family,
                .src_len = rule->from_len,
                .table = RT_TABLE_UNSPEC,
                .action = FR_ACT_TO_TBL,
        };

        begin(ret, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0, &header,
              sizeof(header));
        put(ret, FRA_SRC, rule->from.bytes, family_len(header.family));
        put_u32(ret, FRA_TABLE, rule->table);
        put_u32(ret, FRA_PRIORITY, rule->priority);
        put(ret, FRA_PROTOCOL, &rule->protocol, sizeof(rule->protocol));
}

void codec_route_list(uint8_t family, uint8_t protocol, union route_request *ret) {
        const struct rtmsg header = { .rtm_family = family, .rtm_protocol = protocol };

        begin(ret, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
        ret->header.nlmsg_flags &= (uint16_t)~NLM_F_ACK;
}
