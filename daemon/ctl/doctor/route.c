#include "route.h"
#include "dump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdint.h>

struct request {
        struct nlmsghdr head;
        struct rtmsg route;
        char attributes[128];
};

static int on_route(const struct nlmsghdr *message, void *userdata) {
        const struct rtmsg *route = dump_head(message);

        (void)userdata;
        if (!DUMP_HAS(message, *route))
                return -EBADMSG;
        switch (route->rtm_type) {
        case RTN_UNREACHABLE:
        case RTN_BLACKHOLE:
        case RTN_PROHIBIT:
        case RTN_THROW:
                return -EHOSTUNREACH;
        default:
                return 0;
        }
}

/* flags: RTM_F_FIB_MATCH, so that a route must be there and is not made up. */
static int route_ask(int family, const char *from, const char *to, unsigned short device,
                     int ifindex, unsigned int flags) {
        const uint8_t len = family == AF_INET ? 32 : 128;
        struct request request = {
                .head.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                .head.nlmsg_type = RTM_GETROUTE,
                .route.rtm_family = (uint8_t)family,
                .route.rtm_src_len = len,
                .route.rtm_dst_len = len,
                .route.rtm_flags = flags,
        };
        unsigned char bytes[16];

        if (inet_pton(family, from, bytes) != 1)
                return -EINVAL;
        dump_append(&request.head, RTA_SRC, bytes, len / 8u);
        if (inet_pton(family, to, bytes) != 1)
                return -EINVAL;
        dump_append(&request.head, RTA_DST, bytes, len / 8u);
        dump_append(&request.head, device, &ifindex, sizeof(ifindex));
        return dump_ask(NETLINK_ROUTE, &request.head, on_route, NULL);
}

int route_out(int family, const char *local, const char *remote, int ifindex) {
        return route_ask(family, local, remote, RTA_OIF, ifindex, RTM_F_FIB_MATCH);
}

int route_back(int family, const char *local, const char *remote, int ifindex) {
        return route_ask(family, remote, local, RTA_IIF, ifindex, 0);
}
