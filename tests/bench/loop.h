/*
 * What the makers of connections share: the clock, epoll, and an end with a word.
 */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

static inline void fail(const char *what) {
        fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
        exit(1);
}

static inline uint64_t now_usec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline void watch(int epoll, int fd, uint32_t events, int how) {
        struct epoll_event event = { .events = events, .data.fd = fd };

        if (epoll_ctl(epoll, how, fd, &event) < 0)
                fail("epoll_ctl");
}
