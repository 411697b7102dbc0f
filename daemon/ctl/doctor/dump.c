#include "dump.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BUFFER_BYTES 65536u

/* Reading */

const void *dump_head(const struct nlmsghdr *message) {
        return (const char *)message + NLMSG_HDRLEN;
}

static bool attribute_fits(const struct nlattr *attribute, size_t left) {
        return left >= NLA_HDRLEN && attribute->nla_len >= NLA_HDRLEN && attribute->nla_len <= left;
}

static void attributes_read(const char *at, size_t left, const struct nlattr **table, size_t n) {
        memset(table, 0, n * sizeof(*table));
        for (;;) {
                const struct nlattr *attribute = (const void *)at;
                size_t step;

                if (!attribute_fits(attribute, left))
                        return;
                if ((attribute->nla_type & NLA_TYPE_MASK) < n)
                        table[attribute->nla_type & NLA_TYPE_MASK] = attribute;
                step = NLA_ALIGN(attribute->nla_len);
                if (step >= left)
                        return;
                at += step;
                left -= step;
        }
}

void dump_attributes(const struct nlmsghdr *message, size_t head, const struct nlattr **table,
                     size_t n) {
        const size_t before = NLMSG_HDRLEN + NLMSG_ALIGN(head);

        attributes_read((const char *)message + before,
                        message->nlmsg_len > before ? message->nlmsg_len - before : 0, table, n);
}

void dump_nest(const struct nlattr *nest, const struct nlattr **table, size_t n) {
        if (nest)
                attributes_read((const char *)nest + NLA_HDRLEN, dump_size(nest), table, n);
        else
                memset(table, 0, n * sizeof(*table));
}

size_t dump_size(const struct nlattr *attribute) {
        return attribute ? attribute->nla_len - (size_t)NLA_HDRLEN : 0;
}

const void *dump_data(const struct nlattr *attribute, size_t min) {
        return attribute && dump_size(attribute) >= min ? (const char *)attribute + NLA_HDRLEN
                                                        : NULL;
}

unsigned int dump_number(const struct nlattr *attribute) {
        uint32_t wide;
        uint16_t half;

        if (dump_size(attribute) >= sizeof(wide)) {
                memcpy(&wide, dump_data(attribute, sizeof(wide)), sizeof(wide));
                return wide;
        }
        if (dump_size(attribute) >= sizeof(half)) {
                memcpy(&half, dump_data(attribute, sizeof(half)), sizeof(half));
                return half;
        }
        return dump_size(attribute) ? *(const unsigned char *)dump_data(attribute, 1) : 0;
}

const char *dump_string(const struct nlattr *attribute) {
        const char *text = dump_data(attribute, 1);

        return text && memchr(text, '\0', dump_size(attribute)) ? text : "";
}

/* Asking */

void dump_append(struct nlmsghdr *request, unsigned short type, const void *data, size_t n) {
        struct nlattr attribute = { (unsigned short)(NLA_HDRLEN + n), type };
        char *at = (char *)request + NLMSG_ALIGN(request->nlmsg_len);

        memcpy(at, &attribute, sizeof(attribute));
        memcpy(at + NLA_HDRLEN, data, n);
        request->nlmsg_len = NLMSG_ALIGN(request->nlmsg_len) + (uint32_t)NLA_ALIGN(NLA_HDRLEN + n);
}

static int socket_open(int protocol) {
        const struct timeval patience = { .tv_sec = 1 };
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        return fd;
}

/* What the kernel says at the end of a dump: nothing, or why it could not go on. */
static int done_read(const struct nlmsghdr *message) {
        int error = 0;

        if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
                memcpy(&error, dump_head(message), sizeof(error));
        return error < 0 ? error : 0;
}

static int message_take(const struct nlmsghdr *message, dump_fn fn, void *userdata) {
        const struct nlmsgerr *error = dump_head(message);
        int r;

        if (message->nlmsg_seq != DUMP_SEQUENCE)
                return 1;
        if (message->nlmsg_flags & NLM_F_DUMP_INTR)
                return -EINTR;
        if (message->nlmsg_type == NLMSG_DONE)
                return done_read(message);
        if (message->nlmsg_type == NLMSG_ERROR)
                return message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) || error->error > 0
                                       ? -EBADMSG
                                       : error->error;
        r = fn(message, userdata);
        return r < 0 ? r : (message->nlmsg_flags & NLM_F_MULTI) != 0;
}

int dump_take(const char *buffer, size_t n, dump_fn fn, void *userdata) {
        int r = 1;

        for (size_t at = 0; r > 0 && n - at >= NLMSG_HDRLEN;) {
                const struct nlmsghdr *message = (const void *)(buffer + at);

                if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len > n - at)
                        return -EBADMSG;
                r = message_take(message, fn, userdata);
                at += NLMSG_ALIGN(message->nlmsg_len);
                if (at >= n)
                        break;
        }
        return r;
}

int dump_ask(int protocol, struct nlmsghdr *request, dump_fn fn, void *userdata) {
        _cleanup_(closep) int fd = socket_open(protocol);
        _cleanup_(freep) char *buffer = malloc(BUFFER_BYTES);
        int r = 1;

        if (fd < 0 || !buffer)
                return fd < 0 ? fd : -ENOMEM;
        request->nlmsg_flags |= NLM_F_REQUEST;
        request->nlmsg_seq = DUMP_SEQUENCE;
        if (send(fd, request, request->nlmsg_len, 0) < 0)
                return -errno;
        while (r > 0) {
                ssize_t n = recv(fd, buffer, BUFFER_BYTES, 0);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        r = dump_take(buffer, (size_t)n, fn, userdata);
        }
        return r;
}
