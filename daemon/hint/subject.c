/*
 * The socket that a hint is about. See subject.h.
 */
#include "subject.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <linux/mptcp.h>
#include "policy/hint.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

/* The option must have exactly its size: 0 or a negative errno. */
static int subject_get(int fd, int name, void *value, socklen_t size) {
        socklen_t n = size;

        if (getsockopt(fd, SOL_SOCKET, name, value, &n) < 0)
                return -errno;
        return n == size ? 0 : -EINVAL;
}

uint64_t subject_own_namespace(int socket) {
        uint64_t cookie = 0;

        return subject_get(socket, SO_NETNS_COOKIE, &cookie, sizeof(cookie)) < 0 ? 0 : cookie;
}

static int subject_check(int fd, unsigned int kind, uint64_t own_namespace) {
        const int wanted = kind == HINT_DEMOTED ? IPPROTO_TCP : IPPROTO_MPTCP;
        uint64_t cookie = 0;
        int protocol = 0, listening = 0, r;

        r = subject_get(fd, SO_PROTOCOL, &protocol, sizeof(protocol));
        if (r == 0 && protocol != wanted)
                r = -EPROTONOSUPPORT;
        if (r == 0)
                r = subject_get(fd, SO_NETNS_COOKIE, &cookie, sizeof(cookie));
        if (r == 0 && cookie != own_namespace)
                r = -EXDEV;
        if (r == 0 && kind == HINT_LISTEN) {
                r = subject_get(fd, SO_ACCEPTCONN, &listening, sizeof(listening));
                if (r == 0 && !listening)
                        r = -EINVAL;
        }
        return r;
}

/* A connection that fell back refuses the question. */
static uint32_t subject_token(int fd) {
        struct mptcp_info info = { 0 };
        socklen_t n = sizeof(info);

        return getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &n) < 0 ? 0 : info.mptcpi_token;
}

/* MPTCP sockets of older kernels don't say. */
static bool subject_is_ipv6_only(int fd) {
        socklen_t n = sizeof(int);
        int value = 0;

        return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &n) == 0 && value;
}

static int subject_local(int fd, struct mptcpize_address *ret_local) {
        struct sockaddr_storage storage = { 0 };
        socklen_t n = sizeof(storage);

        if (getsockname(fd, (struct sockaddr *)&storage, &n) < 0)
                return -errno;
        return address_from_sockaddr(&storage, ret_local) < 0 ? -EPROTONOSUPPORT : 0;
}

int subject_read(int fd, unsigned int kind, uint64_t own_namespace, struct subject *ret_subject) {
        struct subject subject = { 0 };
        int r = subject_check(fd, kind, own_namespace);

        if (r == 0)
                r = subject_get(fd, SO_COOKIE, &subject.cookie, sizeof(subject.cookie));
        if (r == 0 && kind == HINT_LISTEN)
                r = subject_local(fd, &subject.local);
        if (r < 0)
                return r;
        if (kind == HINT_CONNECT || kind == HINT_OPTION || kind == HINT_KEY)
                subject.token = subject_token(fd);
        if (kind == HINT_LISTEN)
                subject.ipv6_only = subject_is_ipv6_only(fd);
        *ret_subject = subject;
        return 0;
}
