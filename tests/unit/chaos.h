/*
 * An engine under events and answers in any order, with any error; by chance, or as bytes say. What
 * must be true whatever happens is looked at after each: model-check.h.
 *
 * The first profile has mptcpize_plugin(), the one that is linked in.
 */
#pragma once

#include "model-check.h"
#include "world.h"

#define CHAOS_TOKENS 4u /* TOKEN and those behind it */

struct chaos {
        struct world *world;
        struct model_check check;
        uint64_t random;      /* by chance: its state */
        const uint8_t *bytes; /* or by these, which are used up */
        size_t left;
        bool busy; /* the kernel takes no actions */
};

/* bytes NULL: by chance, where seed makes the story. */
void chaos_begin(struct chaos *chaos, struct world *world, uint64_t seed, const uint8_t *bytes,
                 size_t n);
void chaos_done(struct chaos *chaos);

/* A number below n, which is not 0. When there are no more bytes: 0. */
uint32_t chaos_any(struct chaos *chaos, uint32_t n);

struct mptcpize_address chaos_local(struct chaos *chaos, bool port);
struct mptcpize_address chaos_remote(struct chaos *chaos);
struct connection *chaos_connection(const struct chaos *chaos, uint32_t i);

/* Feeds an event at world->now, and looks at what has become of it. */
void chaos_feed(struct chaos *chaos, struct event event);

/* After what was no event. The kernel takes what it is asked for, unless it is busy. */
void chaos_check(struct chaos *chaos);

/* What an engine meets with some day. */
void chaos_happens(struct chaos *chaos);

/* From now on the kernel does what it is asked for, and a peer takes all joins: for 200 s. */
void chaos_calms_down(struct chaos *chaos);
