/*
 * Clocks in microseconds.
 */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read_usec(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* What the thread has used of a processor. */
static inline uint64_t clock_thread_usec(void) {
        return clock_read_usec(CLOCK_THREAD_CPUTIME_ID);
}

/* CLOCK_MONOTONIC: the clock of events, deadlines and pauses. */
static inline uint64_t clock_usec(void) {
        return clock_read_usec(CLOCK_MONOTONIC);
}
