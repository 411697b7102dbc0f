/*
 * What supervision costs: a socket() that the supervisor answers, beside one that the kernel makes
 * as it is (Multipath TCP by its own number, about which nobody is asked), call by call in turns.
 * And a system call about which nobody is asked, which is to be compared with a run on its own.
 *
 *         mptcpctl run ./supervised; ./supervised
 *
 * Linked statically, so that the preload library is not in the way. Pinned to one processor
 * (taskset -c 0) it shows the work that is done; else also how long this machine takes to wake up
 * a processor that sleeps, which in a virtual machine can be more than all the rest.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { N_CALLS = 20000, MPTCP = 262 };

static uint32_t asked[N_CALLS], bare[N_CALLS], bytes[N_CALLS];

static uint64_t now_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint32_t time_socket(int protocol) {
        const uint64_t start = now_nsec();
        const int fd = socket(AF_INET, SOCK_STREAM, protocol);

        if (fd < 0 || close(fd) < 0)
                abort();
        return (uint32_t)(now_nsec() - start);
}

static uint32_t time_byte(int fd) {
        const uint64_t start = now_nsec();

        if (write(fd, "", 1) != 1)
                abort();
        return (uint32_t)(now_nsec() - start);
}

static int compare(const void *a, const void *b) {
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static void print(const char *name, uint32_t *times) {
        qsort(times, N_CALLS, sizeof(*times), compare);
        printf("%-26s median %6u ns, 10%% %6u ns, 90%% %6u ns\n", name, times[N_CALLS / 2],
               times[N_CALLS / 10], times[N_CALLS - N_CALLS / 10]);
}

int main(void) {
        const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        int i;

        for (i = 0; i < N_CALLS; i++) {
                asked[i] = time_socket(0);
                bare[i] = time_socket(MPTCP);
                bytes[i] = time_byte(null);
        }
        print("socket()+close()", asked);
        print("socket()+close(), not asked", bare);
        print("write() of a byte", bytes);
        return close(null) < 0;
}
