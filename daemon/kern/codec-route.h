/*
 * Requests that make and delete routes and rules, of IPv4 and IPv6. Pure.
 */
#pragma once

#include <stdbool.h>
#include <linux/netlink.h>
#include "../core/event.h"

#define CODEC_ROUTE_BYTES 128 /* enough for any request */

/* The sender fills in sequence number and port. */
union route_request {
        struct nlmsghdr header;
        uint8_t bytes[CODEC_ROUTE_BYTES];
};

/* add: to make it, -EEXIST if there is one; or else to delete just this. */
void codec_route_encode(const struct route_event *route, bool add, union route_request *ret);
void codec_route_encode_rule(const struct rule_event *rule, bool add, union route_request *ret);

/* A dump of all routes of a family that have that protocol; needs NETLINK_GET_STRICT_CHK. */
void codec_route_list(uint8_t family, uint8_t protocol, union route_request *ret);
