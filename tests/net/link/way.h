/*
 * One direction of a link: a line of a given rate with a queue in front of it that is bounded in
 * time, then a delay. Packets never overtake each other. Time comes in from outside, and losses
 * come from a generator with a seed: the same packets at the same times fare the same way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mangle.h"

enum { WAY_PACKET_MAX = 2048 };

struct way_packet {
        struct way_packet *next;
        uint64_t due_nsec;
        size_t len;
        uint8_t bytes[];
};

struct way {
        /* Settings; changed at any time, for the packets that come from then on. */
        uint64_t delay_nsec;
        double rate; /* bits per nanosecond; 0: no limit */
        double loss; /* 0 to 1 */
        bool blackhole;
        bool corrupt;
        enum mangle_strip strip;

        uint64_t random;
        uint64_t idle_nsec; /* when the line will have sent all that it has */
        uint64_t last_due_nsec;
        struct way_packet *first, **end;
};

void way_init(struct way *way, uint64_t seed);
void way_done(struct way *way);

/* Takes a copy of a packet, or loses it. Ends the program if there is no memory. */
void way_push(struct way *way, uint64_t now_nsec, uint8_t *bytes, size_t len);

/* The next packet that is due, or NULL; the caller frees it. */
struct way_packet *way_pop(struct way *way, uint64_t now_nsec);

/* When way_pop() will have a packet; UINT64_MAX: there is none. */
uint64_t way_due_nsec(const struct way *way);
