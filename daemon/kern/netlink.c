/*
 * Netlink sockets. See netlink.h.
 */
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include "codec-ack.h"

#define MONITOR_BYTES   (8 << 20)
#define REQUEST_SECONDS 5

struct netlink {
        struct nl_sock *sock;
        int fd;
        uint32_t port;
        uint32_t sequence;
        uint8_t buffer[NETLINK_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* libnl's code, positive or negative, as a negative errno. */
static int netlink_error(int code) {
        static const int errors[NLE_MAX + 1] = {
                [NLE_INTR] = EINTR,           [NLE_BAD_SOCK] = EBADF,
                [NLE_AGAIN] = EAGAIN,         [NLE_NOMEM] = ENOMEM,
                [NLE_EXIST] = EADDRINUSE,     [NLE_INVAL] = EINVAL,
                [NLE_RANGE] = ERANGE,         [NLE_MSGSIZE] = EMSGSIZE,
                [NLE_OPNOTSUPP] = EOPNOTSUPP, [NLE_AF_NOSUPPORT] = EAFNOSUPPORT,
                [NLE_OBJ_NOTFOUND] = ENOENT,  [NLE_BUSY] = EBUSY,
                [NLE_NOACCESS] = EACCES,      [NLE_PERM] = EPERM,
                [NLE_NODEV] = ENODEV,
        };

        code = abs(code);
        return code <= NLE_MAX && errors[code] ? -errors[code] : -EIO;
}

int netlink_fd(const struct netlink *netlink) {
        return netlink->fd;
}

void netlink_free(struct netlink *netlink) {
        if (!netlink)
                return;
        nl_socket_free(netlink->sock);
        free(netlink);
}

/* Binds it, too: an unbound socket hears no multicast message, without any error. */
static int netlink_connect(struct netlink *netlink, int protocol) {
        int r;

        netlink->sock = nl_socket_alloc();
        if (!netlink->sock)
                return -ENOMEM;
        r = nl_connect(netlink->sock, protocol);
        if (r < 0)
                return netlink_error(r);
        netlink->fd = nl_socket_get_fd(netlink->sock);
        netlink->port = nl_socket_get_local_port(netlink->sock);
        return 0;
}

static int netlink_open(int protocol, struct netlink **ret_netlink) {
        _cleanup_(netlink_freep) struct netlink *netlink = calloc(1, sizeof(*netlink));
        int r;

        if (!netlink)
                return -ENOMEM;
        r = netlink_connect(netlink, protocol);
        if (r < 0)
                return r;
        *ret_netlink = TAKE_PTR(netlink);
        return 0;
}

static int netlink_set(struct netlink *netlink, int level, int option, int value) {
        return setsockopt(netlink->fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int netlink_new(int protocol, struct netlink **ret_netlink) {
        const struct timeval timeout = { .tv_sec = REQUEST_SECONDS };
        _cleanup_(netlink_freep) struct netlink *netlink = NULL;
        int r;

        r = netlink_open(protocol, &netlink);
        if (r == 0)
                r = netlink_set(netlink, SOL_NETLINK, NETLINK_EXT_ACK, 1);
        if (r == 0)
                r = netlink_set(netlink, SOL_NETLINK, NETLINK_CAP_ACK, 1);
        if (r < 0)
                return r;
        if (setsockopt(netlink->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        *ret_netlink = TAKE_PTR(netlink);
        return 0;
}

int netlink_new_monitor(int protocol, struct netlink **ret_netlink) {
        _cleanup_(netlink_freep) struct netlink *netlink = NULL;
        int r;

        r = netlink_open(protocol, &netlink);
        if (r < 0)
                return r;
        /* An event takes 832 bytes of it: enough for 20000 while we are busy. */
        r = netlink_set(netlink, SOL_SOCKET, SO_RCVBUFFORCE, MONITOR_BYTES);
        if (r < 0)
                r = netlink_set(netlink, SOL_SOCKET, SO_RCVBUF, MONITOR_BYTES);
        if (r < 0)
                return r;
        r = nl_socket_set_nonblocking(netlink->sock);
        if (r < 0)
                return netlink_error(r);
        *ret_netlink = TAKE_PTR(netlink);
        return 0;
}

int netlink_join(struct netlink *netlink, uint32_t group) {
        return netlink_set(netlink, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, (int)group);
}

int netlink_set_strict(struct netlink *netlink) {
        return netlink_set(netlink, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
}

/* One datagram into the buffer. ret_len is 0 for one that is not the kernel's. */
static int netlink_receive(struct netlink *netlink, size_t *ret_len) {
        struct sockaddr_nl from = { 0 };
        struct iovec iov = { netlink->buffer, sizeof(netlink->buffer) };
        struct msghdr header = {
                .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
        };
        ssize_t n;

        do
                n = recvmsg(netlink->fd, &header, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        /* Too long for the buffer: as good as lost. */
        if (header.msg_flags & MSG_TRUNC)
                return -ENOBUFS;
        *ret_len = from.nl_pid == 0 ? (size_t)n : 0;
        return 0;
}

/* Calls take() for each message in the buffer until it returns 1. */
static int netlink_each(struct netlink *netlink, size_t len, netlink_message_fn take,
                        void *userdata) {
        const uint8_t *at = netlink->buffer;
        struct nlmsghdr header;
        size_t step;

        while (len >= sizeof(header)) {
                memcpy(&header, at, sizeof(header));
                if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len)
                        break;
                if (take((const struct nlmsghdr *)(const void *)at, userdata) > 0)
                        return 1;
                step = NLMSG_ALIGN((size_t)header.nlmsg_len);
                if (step > len)
                        step = len;
                at += step;
                len -= step;
        }
        return 0;
}

struct netlink_reader {
        netlink_message_fn on_message;
        void *userdata;
};

static int netlink_take_event(const struct nlmsghdr *message, void *userdata) {
        struct netlink_reader *reader = userdata;

        if (message->nlmsg_type >= NLMSG_MIN_TYPE)
                (void)reader->on_message(message, reader->userdata);
        return 0;
}

int netlink_read(struct netlink *netlink, netlink_message_fn on_message, void *userdata) {
        struct netlink_reader reader = { on_message, userdata };
        size_t len = 0;
        int r;

        r = netlink_receive(netlink, &len);
        if (r < 0)
                return r;
        (void)netlink_each(netlink, len, netlink_take_event, &reader);
        return 0;
}

/* A request in flight. */
struct netlink_exchange {
        uint32_t sequence;
        bool until_end; /* the answer ends with an acknowledgement or NLMSG_DONE */
        bool interrupted;
        int error; /* the first one */
        netlink_message_fn on_message;
        void *userdata;
        char message[LIMIT_REASON];
};

/* 1: that was the last message of the answer. */
static int netlink_take_answer(const struct nlmsghdr *message, void *userdata) {
        struct netlink_exchange *exchange = userdata;
        int r, error = 0;

        /* The rest of an answer that we didn't wait for. */
        if (message->nlmsg_seq != exchange->sequence)
                return 0;
        if (message->nlmsg_flags & NLM_F_DUMP_INTR)
                exchange->interrupted = true;
        if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
                r = codec_ack_decode(message, message->nlmsg_len, &error, exchange->message);
                if (exchange->error == 0)
                        exchange->error = r < 0 ? r : error;
                return 1;
        }
        if (message->nlmsg_type < NLMSG_MIN_TYPE)
                return 0;
        if (exchange->on_message && exchange->error == 0) {
                r = exchange->on_message(message, exchange->userdata);
                exchange->error = r < 0 ? r : 0;
        }
        return !exchange->until_end;
}

static int netlink_finish(struct netlink *netlink, struct netlink_exchange *exchange) {
        size_t len = 0;
        int r;

        do {
                r = netlink_receive(netlink, &len);
                if (r < 0)
                        return r == -EAGAIN ? -ETIMEDOUT : r;
        } while (netlink_each(netlink, len, netlink_take_answer, exchange) == 0);
        if (exchange->error == 0 && exchange->interrupted)
                return -EINTR;
        return exchange->error;
}

int netlink_request(struct netlink *netlink, struct nlmsghdr *request,
                    netlink_message_fn on_message, void *userdata, char *message) {
        struct netlink_exchange exchange = {
                .sequence = ++netlink->sequence,
                .until_end = request->nlmsg_flags & (NLM_F_DUMP | NLM_F_ACK),
                .on_message = on_message,
                .userdata = userdata,
        };
        int r;

        request->nlmsg_flags |= NLM_F_REQUEST;
        request->nlmsg_seq = exchange.sequence;
        request->nlmsg_pid = netlink->port;
        r = nl_sendto(netlink->sock, request, request->nlmsg_len);
        if (r < 0)
                r = netlink_error(r);
        else
                r = netlink_finish(netlink, &exchange);
        if (message)
                memcpy(message, exchange.message, LIMIT_REASON);
        return r;
}
