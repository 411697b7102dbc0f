/*
 * rtnetlink: links, addresses and routes of this host as events. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/fib_rules.h>
#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include "../core/event.h"

/*
 * Decodes one message and calls on_event for what it says: once, or for a multipath route once per
 * next hop; the caller's on_event sets .usec. Before the first call all of the message has been
 * checked. 0; 1: of no interest, on_event was not called; -EBADMSG: malformed, nor was it.
 *
 * Of interest are: links (RTM_*LINK of no address family: those of AF_BRIDGE speak of a port),
 * addresses and unicast routes of IPv4 and IPv6; not the local table nor cached routes; rules that
 * look at the source address; and the reverse path filters of IPv4 (RTM_NEWNETCONF).
 */
int codec_rtnl_decode(const void *bytes, size_t len,
                      void (*on_event)(const struct event *event, void *userdata), void *userdata);

/*
 * May something be gone of which the kernel sends no message? IPv4 routes vanish silently with
 * their link or address, and so does an IPv6 route that another one replaces. (Of IPv4 it is
 * known which one that is: route_event.replaces.)
 */
bool codec_rtnl_is_lossy(const struct nlmsghdr *header, const struct event *event);

/* The same for a message of no interest: a unicast route may be gone for one of another type. */
bool codec_rtnl_hides_loss(const struct nlmsghdr *header);

/* A dump request. The sender fills in sequence number and port. */
struct rtnl_request {
        struct nlmsghdr header;
        union {
                struct ifinfomsg link;
                struct ifaddrmsg address;
                struct rtmsg route;
                struct fib_rule_hdr rule;
                struct netconfmsg netconf;
        };
};

/* type: RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE (all families), RTM_GETNETCONF. */
void codec_rtnl_list(uint16_t type, struct rtnl_request *ret_request);
