/*
 * What the hooks cost in calls of the kernel, through the library and past it:
 *
 *         bench-socket [WRAP|- [ADDRESS PORT]]
 *
 * socket() and close() of an MPTCP socket; with WRAP, the path of another library that makes such
 * sockets, also by that one's socket(); with an address where a byte is answered by a byte, send()
 * and recv() of one, without the time between them. The control compares the way past the library
 * with itself: what the method cannot resolve. Prints lines of WHAT WAY NANOSECONDS.
 *
 * The ways take turns call by call, so that whatever disturbs the machine disturbs all; the medians
 * are compared, since a ratio of medians holds across machines and runs.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

enum { N_CALLS = 40000, N_TRIPS = 10000, N_WARM_UP = 2000, N_WAYS = 3 };

/* A way to make and close a socket that becomes MPTCP, and to use one. */
struct way {
        const char *name;
        int protocol;
        int (*socket)(int domain, int type, int protocol);
        int (*close)(int fd);
        ssize_t (*send)(int fd, const void *data, size_t n, int flags);
        ssize_t (*recv)(int fd, void *data, size_t n, int flags);
};

static uint32_t times[N_WAYS][N_CALLS];

static uint64_t now_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint32_t time_socket(const struct way *way, int unused) {
        const uint64_t start = now_nsec();
        const int fd = way->socket(AF_INET, SOCK_STREAM, way->protocol);

        (void)unused;
        if (fd < 0 || way->close(fd) < 0)
                abort();
        return (uint32_t)(now_nsec() - start);
}

static uint32_t time_trip(const struct way *way, int fd) {
        struct pollfd answer = { .fd = fd, .events = POLLIN };
        const uint64_t start = now_nsec();
        uint64_t sent, arrived;
        char byte = 'x';

        if (way->send(fd, &byte, 1, 0) != 1)
                abort();
        sent = now_nsec();
        if (poll(&answer, 1, -1) != 1)
                abort();
        arrived = now_nsec();
        if (way->recv(fd, &byte, 1, 0) != 1)
                abort();
        return (uint32_t)(now_nsec() - arrived + sent - start);
}

static int compare(const void *a, const void *b) {
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static void measure(const char *what, uint32_t (*once)(const struct way *way, int fd), int fd,
                    const struct way *ways, size_t n_ways, size_t n_calls) {
        for (size_t i = 0; i < N_WARM_UP; i++)
                (void)once(&ways[i % n_ways], fd);
        for (size_t i = 0; i < n_calls; i++)
                for (size_t k = 0; k < n_ways; k++)
                        times[(i + k) % n_ways][i] = once(&ways[(i + k) % n_ways], fd);
        for (size_t w = 0; w < n_ways; w++) {
                qsort(times[w], n_calls, sizeof(**times), compare);
                (void)printf("%s %s %u\n", what, ways[w].name, times[w][n_calls / 2]);
        }
}

static int connect_to(const char *address, const char *port) {
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
        const int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
            connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
            support_protocol(fd) != SUPPORT_MPTCP)
                support_skip("no MPTCP connection to there", 0);
        return fd;
}

static struct way find_bare(void *libc) {
        struct way bare = { "bare", SUPPORT_MPTCP, NULL, NULL, NULL, NULL };
        void *found[] = { dlsym(libc, "socket"), dlsym(libc, "close"), dlsym(libc, "send"),
                          dlsym(libc, "recv") };

        memcpy(&bare.socket, found, sizeof(found));
        return bare;
}

/* The same, but for its socket(). */
static struct way find_wrap(const char *path, const struct way *bare) {
        struct way wrap = *bare;
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        void *found = library ? dlsym(library, "socket") : NULL;

        if (!found)
                support_skip(dlerror(), 0);
        memcpy(&wrap.socket, &found, sizeof(found));
        wrap.name = "wrap";
        wrap.protocol = 0;
        return wrap;
}

int main(int argc, char **argv) {
        void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
        struct way ways[N_WAYS] = { { "library", 0, socket, close, send, recv } };
        size_t n_ways = 2;

        support_require_shim();
        if (!libc)
                support_skip("no libc.so.6 in this process", 0);
        ways[1] = find_bare(libc);
        if (argc > 1 && strcmp(argv[1], "-") != 0)
                ways[n_ways++] = find_wrap(argv[1], &ways[1]);
        measure("socket", time_socket, -1, ways, n_ways, N_CALLS);
        if (argc > 3)
                measure("trip", time_trip, connect_to(argv[2], argv[3]), ways, 2, N_TRIPS);
        ways[0] = ways[1];
        measure("control", time_socket, -1, ways, 2, N_CALLS);
        return 0;
}
