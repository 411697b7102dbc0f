#include "sockets.h"
#include "dump.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define STATES (1u << TCP_ESTABLISHED | 1u << TCP_LISTEN)

/* What MPTCP sockets have, which TCP dumps list as well: as subflows, or as what they accepted. */
struct known {
        ARRAY_OF(uint32_t) inodes;
        ARRAY_OF(uint16_t) ports; /* of listeners: clients without MPTCP get TCP from them */
};

struct collector {
        struct known known;
        struct sockets *sockets;
};

struct request {
        struct nlmsghdr head;
        struct inet_diag_req_v2 diag;
        char attributes[16];
};

static int diag_dump(uint8_t family, uint32_t protocol, uint32_t states, dump_fn fn,
                     void *userdata) {
        struct request request = {
                .head.nlmsg_len = NLMSG_LENGTH(sizeof(struct inet_diag_req_v2)),
                .head.nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .head.nlmsg_flags = NLM_F_DUMP,
                .diag.sdiag_family = family,
                .diag.sdiag_protocol = (uint8_t)protocol,
                .diag.idiag_ext = protocol == IPPROTO_MPTCP ? 1u << (INET_DIAG_INFO - 1) : 0,
                .diag.idiag_states = states,
        };

        dump_append(&request.head, INET_DIAG_REQ_PROTOCOL, &protocol, sizeof(protocol));
        return dump_ask(NETLINK_SOCK_DIAG, &request.head, fn, userdata);
}

static const struct inet_diag_msg *row_of(const struct nlmsghdr *message) {
        if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
                return NULL;
        return dump_head(message);
}

static int on_mptcp(const struct nlmsghdr *message, void *userdata) {
        const struct inet_diag_msg *row = row_of(message);
        struct collector *collector = userdata;
        int r = 0;

        if (row && row->idiag_inode)
                r = ARRAY_APPEND(&collector->known.inodes, row->idiag_inode, LIMIT_DOCTOR_SOCKETS);
        if (row && r == 0 && row->idiag_state == TCP_LISTEN)
                r = ARRAY_APPEND(&collector->known.ports, row->id.idiag_sport,
                                 LIMIT_DOCTOR_SOCKETS);
        return r;
}

static bool is_any(const struct inet_diag_msg *row) {
        static const unsigned char none[16];

        return memcmp(row->id.idiag_src, none, row->idiag_family == AF_INET ? 4 : 16) == 0;
}

static bool is_loopback(const struct inet_diag_msg *row) {
        const struct in6_addr *address = (const void *)row->id.idiag_src;

        if (row->idiag_family == AF_INET)
                return (ntohl(row->id.idiag_src[0]) >> 24) == IN_LOOPBACKNET;
        if (IN6_IS_ADDR_V4MAPPED(address))
                return (ntohl(row->id.idiag_src[3]) >> 24) == IN_LOOPBACKNET;
        return IN6_IS_ADDR_LOOPBACK(address);
}

/* Both ends are on this host. */
static bool is_own(const struct inet_diag_msg *row) {
        return row->idiag_state != TCP_LISTEN &&
               memcmp(row->id.idiag_src, row->id.idiag_dst, sizeof(row->id.idiag_src)) == 0;
}

/* As mptcpctl policy explain takes it. */
static void end_format(const struct inet_diag_msg *row, char end[static SOCKET_END]) {
        const bool listens = row->idiag_state == TCP_LISTEN;
        const bool v6 = row->idiag_family == AF_INET6;
        const unsigned int port = ntohs(listens ? row->id.idiag_sport : row->id.idiag_dport);
        char address[INET6_ADDRSTRLEN] = "";

        inet_ntop(row->idiag_family, listens ? row->id.idiag_src : row->id.idiag_dst, address,
                  sizeof(address));
        if (listens && is_any(row))
                snprintf(end, SOCKET_END, "*:%u", port);
        else
                snprintf(end, SOCKET_END, v6 ? "[%s]:%u" : "%s:%u", address, port);
}

static int on_tcp(const struct nlmsghdr *message, void *userdata) {
        const struct inet_diag_msg *row = row_of(message);
        struct collector *collector = userdata;
        struct socket_row socket;

        if (!row || !row->idiag_inode || is_loopback(row) || is_own(row))
                return 0;
        socket = (struct socket_row){
                .inode = row->idiag_inode,
                .uid = row->idiag_uid,
                .listens = row->idiag_state == TCP_LISTEN,
                .bound = !is_any(row),
        };
        end_format(row, socket.end);
        for (size_t i = 0; i < collector->known.ports.n && !socket.listens; i++)
                if (collector->known.ports.items[i] == row->id.idiag_sport)
                        return 0;
        return ARRAY_APPEND(&collector->sockets->list, socket, LIMIT_DOCTOR_SOCKETS);
}

static int compare_numbers(const void *a, const void *b) {
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

static int compare_rows(const void *a, const void *b) {
        const struct socket_row *x = a, *y = b;

        return x->inode < y->inode ? -1 : x->inode > y->inode;
}

struct socket_row *sockets_find(const struct sockets *sockets, uint32_t inode) {
        const struct socket_row key = { .inode = inode };

        if (!sockets->list.n)
                return NULL;
        return bsearch(&key, sockets->list.items, sockets->list.n, sizeof(key), compare_rows);
}

static void sort(void *items, size_t n, size_t width,
                 int (*compare)(const void *a, const void *b)) {
        if (n > 0)
                qsort(items, n, width, compare);
}

/* Leaves out what is a part of an MPTCP socket. */
static void sockets_sift(struct sockets *sockets, struct known *known) {
        uint32_t n = 0;

        sort(known->inodes.items, known->inodes.n, sizeof(uint32_t), compare_numbers);
        sort(sockets->list.items, sockets->list.n, sizeof(struct socket_row), compare_rows);
        for (uint32_t i = 0; i < sockets->list.n; i++) {
                const struct socket_row row = sockets->list.items[i];

                if (!known->inodes.n || !bsearch(&row.inode, known->inodes.items, known->inodes.n,
                                                 sizeof(row.inode), compare_numbers))
                        sockets->list.items[n++] = row;
        }
        sockets->list.n = n;
}

int sockets_list(struct sockets *sockets) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        struct collector collector = { .sockets = sockets };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++)
                (void)diag_dump(families[i], IPPROTO_MPTCP, UINT32_MAX, on_mptcp, &collector);
        for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++)
                r = diag_dump(families[i], IPPROTO_TCP, STATES, on_tcp, &collector);
        if (r == 0 || r == -ENOBUFS) /* so many are enough to see what there is */
                sockets_sift(sockets, &collector.known);
        ARRAY_DONE(&collector.known.inodes);
        ARRAY_DONE(&collector.known.ports);
        return r == -ENOBUFS ? 1 : r;
}

void sockets_done(struct sockets *sockets) {
        ARRAY_DONE(&sockets->list);
}

/* All */

struct inodes {
        int (*fn)(uint32_t inode, void *userdata);
        void *userdata;
};

static int on_any(const struct nlmsghdr *message, void *userdata) {
        const struct inet_diag_msg *row = row_of(message);
        const struct inodes *inodes = userdata;

        return row && row->idiag_inode ? inodes->fn(row->idiag_inode, inodes->userdata) : 0;
}

int sockets_each_inode(int (*fn)(uint32_t inode, void *userdata), void *userdata) {
        static const uint32_t protocols[] = { IPPROTO_MPTCP, IPPROTO_TCP };
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        struct inodes inodes = { fn, userdata };
        int r = 0;

        for (size_t i = 0; i < 4 && r >= 0; i++)
                r = diag_dump(families[i % 2], protocols[i / 2], STATES, on_any, &inodes);
        return r;
}

/* Fallback */

struct fallbacks {
        void (*fn)(const char *peer, void *userdata);
        void *userdata;
};

static bool has_fallen_back(const struct nlmsghdr *message) {
        const struct nlattr *attributes[INET_DIAG_INFO + 1];
        const struct mptcp_info *info;

        dump_attributes(message, sizeof(struct inet_diag_msg), attributes, ARRAY_SIZE(attributes));
        info = dump_data(attributes[INET_DIAG_INFO], offsetof(struct mptcp_info, mptcpi_token));
        return info && info->mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK;
}

/* IPv4 as such, also of a socket of the other family. */
static void peer_print(const struct inet_diag_msg *row, char text[static INET6_ADDRSTRLEN]) {
        const struct in6_addr *address = (const void *)row->id.idiag_dst;
        const bool mapped = row->idiag_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(address);

        inet_ntop(mapped ? AF_INET : row->idiag_family, &row->id.idiag_dst[mapped ? 3 : 0], text,
                  INET6_ADDRSTRLEN);
}

static int on_connection(const struct nlmsghdr *message, void *userdata) {
        const struct inet_diag_msg *row = row_of(message);
        const struct fallbacks *fallbacks = userdata;
        char peer[INET6_ADDRSTRLEN];

        if (!row || is_loopback(row) || is_own(row) || !has_fallen_back(message))
                return 0;
        peer_print(row, peer);
        fallbacks->fn(peer, fallbacks->userdata);
        return 0;
}

int sockets_each_fallback(void (*fn)(const char *peer, void *userdata), void *userdata) {
        struct fallbacks fallbacks = { fn, userdata };
        int r = diag_dump(AF_INET, IPPROTO_MPTCP, 1u << TCP_ESTABLISHED, on_connection, &fallbacks);

        return r < 0 ? r
                     : diag_dump(AF_INET6, IPPROTO_MPTCP, 1u << TCP_ESTABLISHED, on_connection,
                                 &fallbacks);
}
