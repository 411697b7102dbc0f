#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../util/cleanup.h"

#define DATAGRAM     512u              /* bytes; what is longer is none of the protocol */
#define BUFFER_BYTES (4 * 1024 * 1024) /* some 5000 datagrams: a tenth of a second of junk */

union control {
        size_t first; /* of a struct cmsghdr, for its alignment */
        char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
        char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* What one call of recvmmsg() fills. */
struct place {
        struct sockaddr_storage from;
        struct iovec part;
        union control control;
        uint8_t bytes[DATAGRAM];
};

struct socket {
        int fds[SOCKET_FAMILIES]; /* IPv4, IPv6; -1: none */
        struct place places[SOCKET_BATCH];
        struct mmsghdr messages[SOCKET_BATCH];
};

/* Receiving */

/* An interface counts only where an address means nothing without it: else routes decide. */
static void path_take(struct protocol_path *path, struct cmsghdr *header) {
        struct in_pktinfo info4;
        struct in6_pktinfo info6;

        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
                memcpy(&info4, CMSG_DATA(header), sizeof(info4));
                (void)address_init(&path->local, &info4.ipi_addr, 4, 0);
        }
        if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
                memcpy(&info6, CMSG_DATA(header), sizeof(info6));
                (void)address_init(&path->local, &info6.ipi6_addr, 16, 0);
                if (address_is_link_local(&path->remote))
                        path->ifindex = (int32_t)info6.ipi6_ifindex;
        }
}

static void socket_prepare(struct socket *socket) {
        for (size_t i = 0; i < SOCKET_BATCH; i++) {
                struct place *place = &socket->places[i];

                place->part = (struct iovec){ place->bytes, sizeof(place->bytes) };
                socket->messages[i].msg_hdr = (struct msghdr){
                        .msg_name = &place->from,
                        .msg_namelen = sizeof(place->from),
                        .msg_iov = &place->part,
                        .msg_iovlen = 1,
                        .msg_control = &place->control,
                        .msg_controllen = sizeof(place->control),
                };
        }
}

static void socket_give(const struct mmsghdr *message, const struct place *place,
                        socket_datagram_fn on_datagram, void *userdata) {
        struct msghdr header = message->msg_hdr;
        struct protocol_path path = { .ifindex = 0 };

        if (header.msg_flags & MSG_TRUNC || address_from_sockaddr(&place->from, &path.remote) < 0)
                return;
        for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at))
                path_take(&path, at);
        on_datagram(&path, place->bytes, message->msg_len, userdata);
}

size_t socket_dispatch(struct socket *socket, size_t family, socket_datagram_fn on_datagram,
                       void *userdata) {
        int n;

        socket_prepare(socket);
        n = recvmmsg(socket->fds[family], socket->messages, SOCKET_BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
                socket_give(&socket->messages[i], &socket->places[i], on_datagram, userdata);
        return n > 0 ? (size_t)n : 0;
}

/* Sending */

/* IPv6 takes the interface of a link-local address from there, too. */
static void message_set_path(struct msghdr *message, union control *control,
                             const struct protocol_path *path) {
        const bool v4 = path->remote.family == AF_INET;
        struct in_pktinfo info4 = { .ipi_ifindex = path->ifindex };
        struct in6_pktinfo info6 = { .ipi6_ifindex = (unsigned int)path->ifindex };
        struct cmsghdr *header;

        if (path->local.family != path->remote.family)
                return;
        memcpy(&info4.ipi_spec_dst, path->local.bytes, 4);
        memcpy(&info6.ipi6_addr, path->local.bytes, 16);
        message->msg_control = control;
        message->msg_controllen = v4 ? sizeof(control->v4) : sizeof(control->v6);
        header = CMSG_FIRSTHDR(message);
        header->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
        header->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
        header->cmsg_len = v4 ? CMSG_LEN(sizeof(info4)) : CMSG_LEN(sizeof(info6));
        memcpy(CMSG_DATA(header), v4 ? (const void *)&info4 : (const void *)&info6,
               v4 ? sizeof(info4) : sizeof(info6));
}

void socket_send(struct socket *socket, const struct protocol_path *path, const void *bytes,
                 size_t n) {
        const int fd = socket->fds[path->remote.family == AF_INET6];
        union { /* sendmsg() does not write to it */
                const void *in;
                void *out;
        } data = { .in = bytes };
        struct sockaddr_storage to;
        struct iovec part = { data.out, n };
        union control control = { .v6 = { 0 } };
        struct msghdr message = { .msg_name = &to, .msg_iov = &part, .msg_iovlen = 1 };

        if (fd < 0)
                return;
        message.msg_namelen = address_to_sockaddr(&path->remote, (uint32_t)path->ifindex, &to);
        message_set_path(&message, &control, path);
        (void)sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Life */

void socket_free(struct socket *socket) {
        if (!socket)
                return;
        for (size_t i = 0; i < SOCKET_FAMILIES; i++)
                closep(&socket->fds[i]);
        free(socket);
}

DEFINE_CLEANUP(struct socket *, socket_free)

/* More than the sysctl allows takes CAP_NET_ADMIN. */
static void fd_set_buffer(int fd) {
        const int bytes = BUFFER_BYTES;

        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
                (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static int fd_set_options(int fd, int family) {
        const int yes = 1;
        int r;

        fd_set_buffer(fd);
        if (family == AF_INET)
                return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes)) < 0 ? -errno : 0;
        r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
        if (r == 0)
                r = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes));
        return r < 0 ? -errno : 0;
}

static int fd_open(int family, uint16_t port, int *ret_fd) {
        const struct mptcpize_address any = { .family = (uint16_t)family, .port = port };
        _cleanup_(closep) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_storage at;
        socklen_t n = address_to_sockaddr(&any, 0, &at);
        int r;

        if (fd < 0)
                return -errno;
        r = fd_set_options(fd, family);
        if (r == 0 && bind(fd, (const struct sockaddr *)&at, n) < 0)
                r = -errno;
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

int socket_new(uint16_t port, struct socket **ret_socket) {
        static const int families[SOCKET_FAMILIES] = { AF_INET, AF_INET6 };
        _cleanup_(socket_freep) struct socket *opened = calloc(1, sizeof(*opened));
        int r = 0;

        if (!opened)
                return -ENOMEM;
        opened->fds[0] = opened->fds[1] = -1;
        for (size_t i = 0; i < SOCKET_FAMILIES && r == 0; i++) {
                r = fd_open(families[i], port, &opened->fds[i]);
                /* without IPv6 in the kernel, or with none of its addresses */
                if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
                        r = 0;
        }
        if (r == 0 && opened->fds[0] < 0 && opened->fds[1] < 0)
                r = -EAFNOSUPPORT;
        if (r < 0)
                return r;
        *ret_socket = TAKE_PTR(opened);
        return 0;
}

int socket_fd(const struct socket *socket, size_t family) {
        return socket->fds[family];
}
