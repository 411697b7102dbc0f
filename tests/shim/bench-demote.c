/*
 * What it costs that a socket becomes TCP at connect(): a non-blocking connect() to loopback, which
 * is TCP by default, of a socket with options set and registered with an epoll instance, through
 * the library and past it. Both ways take turns, and their medians are compared.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

enum { N_ROUNDS = 200000, N_WARM_UP = 1000 };

struct option {
        int level;
        int name;
        int value;
};

static const struct option options[] = {
        { SOL_SOCKET, SO_REUSEADDR, 1 },    { IPPROTO_TCP, TCP_NODELAY, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },    { IPPROTO_TCP, TCP_USER_TIMEOUT, 30000 },
        { SOL_SOCKET, SO_SNDBUF, 200000 },  { SOL_SOCKET, SO_RCVBUF, 200000 },
        { SOL_SOCKET, SO_PRIORITY, 2 },     { SOL_SOCKET, SO_RCVLOWAT, 1 },
        { SOL_SOCKET, SO_OOBINLINE, 1 },    { SOL_SOCKET, SO_TIMESTAMP, 0 },
        { SOL_SOCKET, SO_REUSEPORT, 1 },    { SOL_SOCKET, SO_DONTROUTE, 0 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 60 },  { IPPROTO_TCP, TCP_KEEPINTVL, 10 },
        { IPPROTO_TCP, TCP_KEEPCNT, 5 },    { IPPROTO_TCP, TCP_SYNCNT, 4 },
        { IPPROTO_TCP, TCP_LINGER2, 30 },   { IPPROTO_TCP, TCP_WINDOW_CLAMP, 0 },
        { IPPROTO_TCP, TCP_QUICKACK, 1 },   { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 100000 },
        { IPPROTO_TCP, TCP_CORK, 0 },       { IPPROTO_IP, IP_TOS, 0 },
        { IPPROTO_IP, IP_TTL, 60 },         { IPPROTO_IP, IP_RECVERR, 0 },
        { IPPROTO_IP, IP_MTU_DISCOVER, 1 }, { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
};

/* The calls of one way. */
struct way {
        int (*socket)(int, int, int);
        int (*connect)(int, const struct sockaddr *, socklen_t);
        int (*setsockopt)(int, int, int, const void *, socklen_t);
        int (*epoll_ctl)(int, int, int, struct epoll_event *);
        int (*close)(int);
        int (*accept)(int, struct sockaddr *, socklen_t *);
};

static uint32_t times[2][N_ROUNDS];
static struct sockaddr_in server;
static int listener, epoll;

static uint64_t now_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void way_resolve(struct way *way, void *handle) {
        void *found[] = { dlsym(handle, "socket"),     dlsym(handle, "connect"),
                          dlsym(handle, "setsockopt"), dlsym(handle, "epoll_ctl"),
                          dlsym(handle, "close"),      dlsym(handle, "accept") };

        memcpy(way, found, sizeof(*way));
}

static uint32_t time_connect(const struct way *way, size_t n_options, const struct way *bare) {
        const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
        struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
        const int fd = way->socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        uint64_t start, end;
        int taken;

        for (size_t i = 0; i < n_options; i++)
                if (way->setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                                    sizeof(int)) < 0)
                        perror("setsockopt");
        event.data.fd = fd;
        if (way->epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                abort();
        start = now_nsec();
        (void)way->connect(fd, (struct sockaddr *)&server, sizeof(server));
        end = now_nsec();
        taken = bare->accept(listener, NULL, NULL);
        if (taken < 0 || support_protocol(fd) != IPPROTO_TCP)
                abort();
        /* a reset, so that no port is kept waiting */
        if (bare->setsockopt(taken, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
                abort();
        (void)bare->close(taken);
        (void)way->close(fd);
        return (uint32_t)(end - start);
}

static int compare(const void *a, const void *b) {
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static void measure(const struct way *library, const struct way *bare, size_t n_options) {
        const struct way *ways[] = { library, bare };

        for (int i = -N_WARM_UP; i < N_ROUNDS; i++)
                for (int k = 0; k < 2; k++) {
                        const int which = (i ^ k) & 1;
                        const uint32_t t = time_connect(ways[which], n_options, bare);

                        if (i >= 0)
                                times[which][i] = t;
                }
        for (int k = 0; k < 2; k++)
                qsort(times[k], N_ROUNDS, sizeof(**times), compare);
        (void)printf("demotion at connect, %2zu options, 1 epoll registration: "
                     "%u ns, TCP %u ns, extra %d ns\n",
                     n_options, times[0][N_ROUNDS / 2], times[1][N_ROUNDS / 2],
                     (int)(times[0][N_ROUNDS / 2] - times[1][N_ROUNDS / 2]));
}

int main(void) {
        void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
        socklen_t len = sizeof(server);
        struct way library, bare;

        support_require_shim();
        if (!libc)
                support_skip("no libc.so.6 in this process", 0);
        way_resolve(&library, RTLD_DEFAULT);
        way_resolve(&bare, libc);
        server = (struct sockaddr_in){ .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        listener = bare.socket(AF_INET, SOCK_STREAM, 0);
        epoll = epoll_create1(EPOLL_CLOEXEC);
        if (bind(listener, (struct sockaddr *)&server, len) < 0 || listen(listener, 16) < 0 ||
            getsockname(listener, (struct sockaddr *)&server, &len) < 0)
                abort();
        measure(&library, &bare, 4);
        measure(&library, &bare, sizeof(options) / sizeof(*options));
        return dlclose(libc) != 0;
}
