/*
 * Sockets of the programs in the real lab. See socket.h.
 */
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/mptcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

#define LIMIT_SECONDS 10 /* a failure if it takes so long */

void lab_die(const char *file, int line, const char *what) {
        fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, strerror(errno));
        abort();
}

static socklen_t socket_name_make(const struct mptcpize_address *address, bool v6,
                                  struct sockaddr_storage *ret) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

        memset(ret, 0, sizeof(*ret));
        if (!v6) {
                in->sin_family = AF_INET;
                in->sin_port = htons(address->port);
                memcpy(&in->sin_addr, address->bytes, 4);
                return sizeof(*in);
        }
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        if (address->family == AF_INET6) {
                memcpy(&in6->sin6_addr, address->bytes, 16);
        } else {
                in6->sin6_addr.s6_addr[10] = in6->sin6_addr.s6_addr[11] = 0xff;
                memcpy(in6->sin6_addr.s6_addr + 12, address->bytes, 4);
        }
        return sizeof(*in6);
}

static struct mptcpize_address socket_name_read(const struct sockaddr_storage *from) {
        struct mptcpize_address address = ADDRESS_NULL;
        struct sockaddr_in6 in6 = { 0 };
        struct sockaddr_in in = { 0 };

        if (from->ss_family == AF_INET) {
                memcpy(&in, from, sizeof(in));
                (void)address_init(&address, &in.sin_addr, 4, ntohs(in.sin_port));
        } else {
                memcpy(&in6, from, sizeof(in6));
                (void)address_init(&address, &in6.sin6_addr, 16, ntohs(in6.sin6_port));
        }
        return address;
}

static int socket_open(bool v6, int protocol) {
        const struct timeval limit = { .tv_sec = LIMIT_SECONDS };
        int fd = CHECK(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol));

        CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
        CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
        return fd;
}

int socket_listen(const struct mptcpize_address *address, bool v6, int protocol) {
        struct sockaddr_storage to;
        const socklen_t len = socket_name_make(address, v6, &to);
        const int one = 1;
        int fd = socket_open(v6, protocol);

        CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
        CHECK(bind(fd, (struct sockaddr *)&to, len));
        CHECK(listen(fd, 64));
        return fd;
}

int socket_connect(const struct mptcpize_address *from, const struct mptcpize_address *to,
                   bool v6) {
        struct sockaddr_storage name = { 0 };
        socklen_t len = socket_name_make(from, v6, &name);
        int fd = socket_open(v6, IPPROTO_MPTCP);

        CHECK(bind(fd, (struct sockaddr *)&name, len));
        len = socket_name_make(to, v6, &name);
        CHECK(connect(fd, (struct sockaddr *)&name, len));
        return fd;
}

int socket_try(const struct mptcpize_address *to) {
        const bool v6 = to->family == AF_INET6;
        struct sockaddr_storage name = { 0 };
        const socklen_t len = socket_name_make(to, v6, &name);
        int fd = socket_open(v6, IPPROTO_TCP);

        if (connect(fd, (struct sockaddr *)&name, len) == 0)
                return fd;
        if (errno != ECONNREFUSED)
                lab_die(__FILE__, __LINE__, "connect");
        close(fd);
        return -1;
}

struct mptcpize_address socket_local(int fd) {
        struct sockaddr_storage name = { 0 };
        socklen_t len = sizeof(name);

        CHECK(getsockname(fd, (struct sockaddr *)&name, &len));
        return socket_name_read(&name);
}

struct mptcpize_address socket_remote(int fd) {
        struct sockaddr_storage name = { 0 };
        socklen_t len = sizeof(name);

        CHECK(getpeername(fd, (struct sockaddr *)&name, &len));
        return socket_name_read(&name);
}

uint32_t socket_token(int fd) {
        struct mptcp_info info = { 0 };
        socklen_t len = sizeof(info);

        if (getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &len) < 0)
                return 0;
        return info.mptcpi_token;
}
