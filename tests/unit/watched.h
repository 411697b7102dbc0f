/*
 * A kernel that answers measurements, for tests of what the engine makes of them: two subflows of
 * the world's connection, each with numbers that the test sets in kernel terms.
 */
#pragma once

#include "world.h"

#define WIFI   0u
#define LTE    1u
#define SERVER "203.0.113.1:80"
#define MSEC   ((uint64_t)1000)

struct watched_path {
        struct measure measure; /* the ages are made from the times that follow */
        uint64_t sent_usec, acked_usec, arrived_usec;
};

struct watched {
        struct world *world;
        struct watched_path paths[2];
        unsigned int samples; /* answered so far */
};

/* A client's connection with two subflows; RTT 40 ms, RTO 240 ms; nothing moves. */
void watched_init(struct watched *watched, struct world *world);

/* Data goes out and is acknowledged now. */
void watched_upload(struct watched *watched, unsigned int path);
/* Data arrives now. */
void watched_download(struct watched *watched, unsigned int path);
/* Data goes out, and nothing is acknowledged any more; the kernel sends again, once so far. */
void watched_silence(struct watched *watched, unsigned int path, uint32_t unacked);

/* What the kernel says of a path now. */
struct measure watched_measure(const struct watched *watched, unsigned int path);

/* Until the engine's next deadline, or usec from now if that is sooner; then an EVENT_TICK. */
void watched_tick(struct watched *watched, uint64_t usec);

/* Answers measurements up to the next other action: true if there is one. */
bool watched_answer(struct watched *watched);

/* Time passes, and measurements are answered; stops before any other action. True: there is one. */
bool watched_pass(struct watched *watched, uint64_t usec);

/* The same while data moves on a path, every 20 ms. */
bool watched_move(struct watched *watched, unsigned int path, uint64_t usec,
                  void (*move)(struct watched *watched, unsigned int path));
