/*
 * See hint-host.h. libFuzzer has a timer, whose signals interrupt system calls.
 */
#include "hint-host.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "hint/reader.h"
#include "util/cleanup.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262 /* glibc 2.32 */
#endif

#define KINDS      10u /* of descriptors */
#define FDS_ENOUGH 64  /* the process has fewer, unless some leak */

struct hint_host {
        struct reader *reader; /* NULL: not begun */
        int reports;
        int socket;
        int fds[KINDS];
};

static struct hint_host host;

/* Where the kernel has no MPTCP, a TCP socket is one more of those that are refused. */
static int stream_socket(int family) {
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

        return fd < 0 ? socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0) : fd;
}

/* Both ends of a connection on the loopback interface, and its listener. */
static void open_connection(int ret_fds[static 3]) {
        struct sockaddr_in at = { .sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(at);

        ret_fds[0] = stream_socket(AF_INET);
        ret_fds[1] = stream_socket(AF_INET);
        assert(bind(ret_fds[0], (struct sockaddr *)&at, len) == 0 && listen(ret_fds[0], 1) == 0);
        assert(getsockname(ret_fds[0], (struct sockaddr *)&at, &len) == 0);
        assert(connect(ret_fds[1], (struct sockaddr *)&at, sizeof(at)) == 0);
        ret_fds[2] = accept4(ret_fds[0], NULL, NULL, SOCK_CLOEXEC);
}

/* The directory is needed no more when there is a connection: nothing of it is left at the end. */
static void open_reader(void) {
        char directory[] = "/tmp/fuzz-hint-XXXXXX";
        struct sockaddr_un at = { .sun_family = AF_UNIX };

        assert(mkdtemp(directory));
        snprintf(at.sun_path, sizeof(at.sun_path), "%s/hint", directory);
        assert(reader_new(at.sun_path, "/dev/null", &host.reader, &host.reports) == 0);
        host.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert(connect(host.socket, (struct sockaddr *)&at, sizeof(at)) == 0);
        assert(unlink(at.sun_path) == 0 && rmdir(directory) == 0);
}

static void hint_host_open(void) {
        open_reader();
        open_connection(host.fds);
        assert(pipe(host.fds + 3) == 0);
        host.fds[5] = stream_socket(AF_INET);
        host.fds[6] = stream_socket(AF_INET6);
        host.fds[7] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        host.fds[8] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        host.fds[9] = host.socket;
}

void hint_host_send(const void *bytes, size_t n, size_t first, size_t n_fds) {
        char control[CMSG_SPACE(5 * sizeof(int))] = { 0 };
        struct iovec part = { .iov_len = n };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        int fds[5];

        memcpy(&part.iov_base, &bytes, sizeof(bytes));
        if (!host.reader)
                hint_host_open();
        for (size_t i = 0; i < n_fds; i++)
                fds[i] = host.fds[(first + i) % KINDS];
        if (n_fds > 0) {
                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                *CMSG_FIRSTHDR(&message) = (struct cmsghdr){
                        .cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
                        .cmsg_level = SOL_SOCKET,
                        .cmsg_type = SCM_RIGHTS,
                };
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), fds, n_fds * sizeof(int));
        }
        assert(TEMP_FAILURE_RETRY(sendmsg(host.socket, &message, 0)) == (ssize_t)n);
}

void hint_host_receive(struct hint_report *ret_report) {
        ssize_t n = TEMP_FAILURE_RETRY(recv(host.reports, ret_report, sizeof(*ret_report), 0));
        int fd;

        assert(n == sizeof(*ret_report));
        fd = dup(host.socket);
        assert(fd >= 0 && fd < FDS_ENOUGH);
        close(fd);
}
