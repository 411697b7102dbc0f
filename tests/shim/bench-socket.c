/*
 * What the hook costs: socket() and close() of an MPTCP socket, through the library and past it.
 *
 * Both ways take turns call by call, so that whatever disturbs the machine disturbs both; the
 * medians are compared, since a ratio of medians holds across machines and runs. The second line
 * compares the way past the library with itself: what the method cannot resolve.
 */
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

enum { N_CALLS = 200000, N_WARM_UP = 2000 };

typedef int socket_func(int domain, int type, int protocol);
typedef int close_func(int fd);

/* A way to make and close a socket that becomes MPTCP. */
struct way {
        socket_func *socket;
        close_func *close;
        int protocol;
};

static uint32_t first[N_CALLS], second[N_CALLS];

static uint64_t now_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint32_t time_call(const struct way *way) {
        const uint64_t start = now_nsec();
        const int fd = way->socket(AF_INET, SOCK_STREAM, way->protocol);

        if (fd < 0 || way->close(fd) < 0)
                abort();
        return (uint32_t)(now_nsec() - start);
}

static int compare(const void *a, const void *b) {
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static uint32_t median(uint32_t *times) {
        qsort(times, N_CALLS, sizeof(*times), compare);
        return times[N_CALLS / 2];
}

static void measure(const char *name, const struct way *way, const struct way *bare) {
        uint32_t a, b;

        for (int i = 0; i < N_WARM_UP; i++)
                (void)time_call(i % 2 ? way : bare);
        for (int i = 0; i < N_CALLS; i++)
                if (i % 2) {
                        first[i] = time_call(way);
                        second[i] = time_call(bare);
                } else {
                        second[i] = time_call(bare);
                        first[i] = time_call(way);
                }

        a = median(first);
        b = median(second);
        (void)printf("%-8s %u ns, bare MPTCP %u ns, ratio %.4f\n", name, a, b, (double)a / b);
}

int main(void) {
        void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
        const struct way library = { socket, close, 0 };
        struct way bare = { NULL, NULL, SUPPORT_MPTCP };

        support_require_shim();
        if (libc) {
                bare.socket = (socket_func *)dlsym(libc, "socket");
                bare.close = (close_func *)dlsym(libc, "close");
        }
        if (!bare.socket || !bare.close)
                support_skip("no libc.so.6 in this process", 0);
        measure("library", &library, &bare);
        measure("control", &bare, &bare);
        return dlclose(libc) != 0;
}
