/*
 * The numbers of all subflows, from the kernel. See traffic.h.
 *
 * The dump and its rows are the daemon's code: kern/ is the only place that knows netlink.
 */
#include "traffic.h"
#include "../text.h"
#include "../../core/address.h"
#include "../../kern/codec-diag.h"
#include "../../kern/netlink.h"
#include "../../util/cleanup.h"
#include "../../util/clock.h"
#include "../../util/limits.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define TRIES 4 /* of a dump that is interrupted by changes */

struct place {
        int32_t ifindex;
        struct mptcpize_address address; /* family 0: none of its addresses, but itself */
        char name[TRAFFIC_INTERFACE];
};

struct reader {
        struct traffic traffic;
        ARRAY_OF(struct place) places;
};

/* Interfaces */

static int reader_add_place(struct reader *reader, int32_t ifindex, const char *name,
                            const struct mptcpize_address *address) {
        struct place place = { .ifindex = ifindex, .address = *address };

        text_escape(name, place.name, sizeof(place.name));
        return ARRAY_APPEND(&reader->places, place, LIMIT_LINKS + LIMIT_ADDRESSES);
}

static int reader_list_names(struct reader *reader) {
        struct if_nameindex *names = if_nameindex(), *at;
        const struct mptcpize_address none = { 0 };
        int r = 0;

        if (!names)
                return errno ? -errno : -ENOMEM;
        for (at = names; r == 0 && at->if_index; at++)
                r = reader_add_place(reader, (int32_t)at->if_index, at->if_name, &none);
        if_freenameindex(names);
        return r;
}

/* 0 if it is an address that a subflow can have. */
static int address_take(const struct sockaddr *from, struct mptcpize_address *ret_address) {
        struct sockaddr_in6 six;
        struct sockaddr_in four;

        if (from && from->sa_family == AF_INET) {
                memcpy(&four, from, sizeof(four));
                return address_init(ret_address, &four.sin_addr, sizeof(four.sin_addr), 0);
        }
        if (from && from->sa_family == AF_INET6) {
                memcpy(&six, from, sizeof(six));
                return address_init(ret_address, &six.sin6_addr, sizeof(six.sin6_addr), 0);
        }
        return -EAFNOSUPPORT;
}

static int reader_list_addresses(struct reader *reader) {
        struct mptcpize_address address;
        struct ifaddrs *list, *at;
        int r = 0;

        if (getifaddrs(&list) < 0)
                return -errno;
        for (at = list; at && r == 0; at = at->ifa_next)
                if (address_take(at->ifa_addr, &address) == 0)
                        r = reader_add_place(reader, 0, at->ifa_name, &address);
        freeifaddrs(list);
        return r;
}

/* The interface that the subflow is bound to, or else the one that has its address. */
static const char *reader_interface(const struct reader *reader,
                                    const struct snapshot_subflow *subflow) {
        const struct place *place;
        size_t i;

        for (i = 0; i < reader->places.n; i++) {
                place = &reader->places.items[i];
                if (subflow->ifindex ? place->ifindex == subflow->ifindex
                                     : place->address.family && address_same_host(&place->address,
                                                                                  &subflow->local))
                        return place->name;
        }
        return "";
}

/* Rows */

static int on_row(const struct nlmsghdr *message, void *userdata) {
        struct reader *reader = userdata;
        struct snapshot_subflow subflow;
        struct traffic_row row = { .up = 0 };
        int r = codec_diag_decode_subflow(message, message->nlmsg_len, &subflow);

        if (r != 0)
                return r < 0 ? r : 0;
        row.cookie = subflow.cookie;
        row.token = subflow.token;
        row.sent = subflow.measure.bytes_sent;
        row.received = subflow.measure.bytes_received;
        row.rtt_usec = subflow.measure.rtt_usec;
        row.retransmits = subflow.measure.retransmits;
        memcpy(row.interface, reader_interface(reader, &subflow), sizeof(row.interface));
        address_format(&subflow.local, row.local);
        address_format(&subflow.remote, row.remote);
        return ARRAY_APPEND(&reader->traffic.rows, row, LIMIT_SNAPSHOT);
}

static int reader_dump(struct reader *reader, struct netlink *diag) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        struct diag_request request;
        size_t i;

        reader->traffic.rows.n = 0;
        reader->traffic.usec = clock_usec();
        for (i = 0; i < ARRAY_SIZE(families); i++) {
                int r;

                codec_diag_subflows(families[i], &request);
                r = netlink_request(diag, &request.header, on_row, reader, NULL);
                /* A kernel without IPv6. */
                if (r < 0 && !(r == -ENOENT && families[i] == AF_INET6))
                        return r;
        }
        return 0;
}

static int reader_fill(struct reader *reader) {
        _cleanup_(netlink_freep) struct netlink *diag = NULL;
        int r = reader_list_names(reader);
        int i;

        if (r == 0)
                r = reader_list_addresses(reader);
        if (r == 0)
                r = netlink_new(NETLINK_SOCK_DIAG, &diag);
        if (r < 0)
                return r;
        r = -EINTR;
        for (i = 0; i < TRIES && r == -EINTR; i++)
                r = reader_dump(reader, diag);
        return r;
}

int traffic_read(struct traffic *ret_traffic) {
        struct reader reader = { .traffic = { .usec = 0 } };
        int r = reader_fill(&reader);

        ARRAY_DONE(&reader.places);
        if (r < 0) {
                traffic_done(&reader.traffic);
                return r;
        }
        traffic_sort(&reader.traffic);
        *ret_traffic = reader.traffic;
        return 0;
}
