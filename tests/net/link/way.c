#include "way.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_NSEC UINT64_C(40000000) /* as tbf's latency on the other paths of the lab */

void way_init(struct way *way, uint64_t seed) {
        *way = (struct way){ .random = seed };
        way->end = &way->first;
}

void way_done(struct way *way) {
        struct way_packet *packet;

        while ((packet = way_pop(way, UINT64_MAX)))
                free(packet);
}

/* SplitMix64, to a number from 0 to below 1. */
static double way_random(struct way *way) {
        uint64_t z = way->random += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return (double)((z ^ (z >> 31)) >> 11) / 0x1p53;
}

/* When the line has sent that packet; UINT64_MAX: the queue is full. */
static uint64_t way_send(struct way *way, uint64_t now_nsec, size_t len) {
        uint64_t start_nsec = now_nsec;

        if (way->rate <= 0)
                return now_nsec;
        if (way->idle_nsec > now_nsec) {
                if (way->idle_nsec - now_nsec > QUEUE_NSEC)
                        return UINT64_MAX;
                start_nsec = way->idle_nsec;
        }
        way->idle_nsec = start_nsec + (uint64_t)((double)len * 8 / way->rate);
        return way->idle_nsec;
}

static void way_queue(struct way *way, uint64_t due_nsec, const uint8_t *bytes, size_t len) {
        struct way_packet *packet = malloc(sizeof(*packet) + len);

        if (!packet)
                abort();
        way->last_due_nsec = due_nsec > way->last_due_nsec ? due_nsec : way->last_due_nsec;
        packet->next = NULL;
        packet->due_nsec = way->last_due_nsec;
        packet->len = len;
        memcpy(packet->bytes, bytes, len);
        *way->end = packet;
        way->end = &packet->next;
}

void way_push(struct way *way, uint64_t now_nsec, uint8_t *bytes, size_t len) {
        uint64_t sent_nsec;

        if (way->blackhole || (way->loss > 0 && way_random(way) < way->loss))
                return;
        sent_nsec = way_send(way, now_nsec, len);
        if (sent_nsec == UINT64_MAX)
                return;
        (void)mangle_strip(bytes, len, way->strip);
        if (way->corrupt)
                (void)mangle_corrupt(bytes, len);
        way_queue(way, sent_nsec + way->delay_nsec, bytes, len);
}

struct way_packet *way_pop(struct way *way, uint64_t now_nsec) {
        struct way_packet *packet = way->first;

        if (!packet || packet->due_nsec > now_nsec)
                return NULL;
        way->first = packet->next;
        if (!way->first)
                way->end = &way->first;
        return packet;
}

uint64_t way_due_nsec(const struct way *way) {
        return way->first ? way->first->due_nsec : UINT64_MAX;
}
