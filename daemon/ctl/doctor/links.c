#include "links.h"
#include "dump.h"
#include "../fields.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TRIES          5 /* while interfaces come and go */
#define UNUSED_ADDRESS (IFA_F_TENTATIVE | IFA_F_DEPRECATED | IFA_F_DADFAILED)

/* What mptcpized leaves alone if nobody tells it otherwise, see mptcpized.conf(5). */
static const char *const off_by_default[] = { "docker*", "veth*", "br-*", "virbr*" };

int link_is_usable(const json_t *link) {
        return json_is_true(json_object_get(link, "usable"));
}

int link_is_off(const json_t *link) {
        return json_is_true(json_object_get(link, "loopback")) ||
               strcmp(fields_text(link, "role"), "off") == 0;
}

int link_has_family(const json_t *link, int family) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(link, "addresses"), i, row) {
                if (json_integer_value(json_object_get(row, "family")) == family)
                        return true;
        }
        return false;
}

/* From the kernel */

/* Not what modules leave in each namespace: templates of tunnels (sit0), ifb0, dummy0. */
static bool type_is_plain(const struct ifinfomsg *info) {
        if (info->ifi_type == ARPHRD_ETHER)
                return !(info->ifi_flags & IFF_NOARP);
        return info->ifi_type == ARPHRD_PPP || info->ifi_type == ARPHRD_RAWIP ||
               info->ifi_type == ARPHRD_NONE;
}

/* Is it something inside of this host, or a tunnel? */
static bool kind_is_inner(const struct nlattr *info) {
        static const char *const kinds[] = { "bridge", "dummy",     "gre",     "ip6tnl",
                                             "ipip",   "ipvlan",    "macvlan", "tun",
                                             "vxlan",  "wireguard", "xfrm" };
        const struct nlattr *attributes[IFLA_INFO_KIND + 1];

        dump_nest(info, attributes, ARRAY_SIZE(attributes));
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(dump_string(attributes[IFLA_INFO_KIND]), kinds[i]) == 0)
                        return true;
        return false;
}

static int on_link(const struct nlmsghdr *message, void *userdata) {
        const struct ifinfomsg *info = dump_head(message);
        const struct nlattr *attributes[IFLA_LINKINFO + 1];
        json_t *links = userdata, *link;

        if (message->nlmsg_type != RTM_NEWLINK || !DUMP_HAS(message, *info) ||
            json_array_size(links) >= LIMIT_LINKS)
                return 0;
        dump_attributes(message, sizeof(*info), attributes, ARRAY_SIZE(attributes));
        link = json_pack("{s:s,s:i,s:b,s:b,s:b,s:b,s:b,s:b,s:[]}", "name",
                         dump_string(attributes[IFLA_IFNAME]), "index", info->ifi_index, "up",
                         (info->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING),
                         "dial_up", (info->ifi_flags & (IFF_POINTOPOINT | IFF_NOARP)) != 0,
                         "loopback", (info->ifi_flags & IFF_LOOPBACK) != 0, "plain",
                         type_is_plain(info), "port", dump_number(attributes[IFLA_MASTER]) != 0,
                         "inner", kind_is_inner(attributes[IFLA_LINKINFO]), "addresses");
        return link ? json_array_append_new(links, link) : 0; /* NULL: a name that is no UTF-8 */
}

static json_t *link_find(const json_t *links, const char *field, json_int_t value) {
        json_t *link;
        size_t i;

        json_array_foreach(links, i, link) {
                if (json_integer_value(json_object_get(link, field)) == value)
                        return link;
        }
        return NULL;
}

/* "192.0.2.0/24" */
static void network_print(int family, const unsigned char *bytes, unsigned int len,
                          char text[static INET6_ADDRSTRLEN + 4]) {
        const size_t n = family == AF_INET ? 4 : 16;
        unsigned char network[16] = { 0 };
        char address[INET6_ADDRSTRLEN];

        for (size_t i = 0; i < n; i++) {
                unsigned int keep = len > i * 8 ? len - (unsigned int)i * 8 : 0;

                network[i] = keep >= 8 ? bytes[i]
                                       : (unsigned char)(bytes[i] & (0xff00u >> keep) & 0xffu);
        }
        inet_ntop(family, network, address, sizeof(address));
        snprintf(text, INET6_ADDRSTRLEN + 4, "%s/%u", address, len);
}

static int on_address(const struct nlmsghdr *message, void *userdata) {
        const struct ifaddrmsg *info = dump_head(message);
        const struct nlattr *attributes[IFA_FLAGS + 1];
        char address[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN + 4];
        const unsigned char *bytes;
        json_t *link;

        if (message->nlmsg_type != RTM_NEWADDR || !DUMP_HAS(message, *info) ||
            info->ifa_scope >= RT_SCOPE_LINK ||
            (info->ifa_family != AF_INET && info->ifa_family != AF_INET6))
                return 0;
        dump_attributes(message, sizeof(*info), attributes, ARRAY_SIZE(attributes));
        if ((dump_number(attributes[IFA_FLAGS]) | info->ifa_flags) & UNUSED_ADDRESS)
                return 0;
        bytes = dump_data(attributes[attributes[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS],
                          info->ifa_family == AF_INET ? 4 : 16);
        link = link_find(userdata, "index", (json_int_t)info->ifa_index);
        if (!bytes || !link)
                return 0;
        inet_ntop(info->ifa_family, bytes, address, sizeof(address));
        network_print(info->ifa_family, bytes, info->ifa_prefixlen, network);
        return json_array_append_new(json_object_get(link, "addresses"),
                                     json_pack("{s:s,s:i,s:i,s:s}", "address", address, "family",
                                               (int)info->ifa_family, "prefix",
                                               (int)info->ifa_prefixlen, "network", network));
}

struct request {
        struct nlmsghdr head;
        struct rtgenmsg genmsg;
        char pad[64];
};

static int kernel_list(uint16_t type, dump_fn fn, json_t *links) {
        struct request request = {
                .head.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                .head.nlmsg_type = type,
                .head.nlmsg_flags = NLM_F_DUMP,
        };

        return dump_ask(NETLINK_ROUTE, &request.head, fn, links);
}

/* From the daemon */

struct key_row {
        const char *from;
        const char *to;
};

static const struct key_row keys[] = {
        { "Role", "role" },     { "RoleReason", "role_reason" }, { "Usable", "usable" },
        { "Reason", "reason" }, { "Routing", "routing" },
};

static void link_merge(json_t *link, const json_t *rows) {
        const json_t *row = link_find(rows, "Index",
                                      json_integer_value(json_object_get(link, "index")));

        for (size_t i = 0; row && i < ARRAY_SIZE(keys); i++)
                json_object_set(link, keys[i].to, json_object_get(row, keys[i].from));
}

static bool name_is_off(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(off_by_default); i++)
                if (fnmatch(off_by_default[i], name, 0) == 0)
                        return true;
        return false;
}

static void link_guess(json_t *link) {
        const bool up = json_is_true(json_object_get(link, "up"));
        const bool off = name_is_off(fields_text(link, "name"));
        const bool any = json_array_size(json_object_get(link, "addresses")) > 0;

        json_object_set_new(link, "role", json_string(off ? "off" : "on"));
        json_object_set_new(link, "role_reason", json_string("default"));
        json_object_set_new(link, "usable", json_boolean(up && any && !link_is_off(link)));
        json_object_set_new(link, "reason",
                            json_string(off  ? "its role is off"
                                        : up ? "no address"
                                             : "down, or no carrier"));
        json_object_set_new(link, "routing", json_string(""));
}

static int kernel_list_all(json_t *links) {
        int r = -EINTR;

        for (int i = 0; i < TRIES && r == -EINTR; i++) {
                json_array_clear(links);
                r = kernel_list(RTM_GETLINK, on_link, links);
                if (r == 0)
                        r = kernel_list(RTM_GETADDR, on_address, links);
        }
        return r;
}

int links_list(const json_t *rows, json_t **ret_links) {
        _cleanup_(json_decrefp) json_t *links = json_array();
        json_t *link;
        size_t i;
        int r = kernel_list_all(links);

        if (r < 0)
                return r;
        json_array_foreach(links, i, link) {
                link_guess(link);
                link_merge(link, rows);
        }
        *ret_links = TAKE_PTR(links);
        return 0;
}
