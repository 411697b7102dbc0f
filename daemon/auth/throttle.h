/*
 * How many requests a source may make: buckets of LIMIT_AUTH_RATE tokens that fill up in a second.
 *
 * There is room for so many sources at a time. The one that has been quiet for longest makes room,
 * and starts with a full bucket when it is back: whoever floods the table with sources can only
 * make the throttle milder, and lock nobody out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "../util/limits.h"

#define THROTTLE_WAYS 4u

struct throttle_bucket {
        uint64_t source; /* its hash; 0: nobody's */
        uint64_t usec;   /* when .left was right */
        uint32_t left;   /* thousandths of a request */
};

struct throttle {
        struct throttle_bucket buckets[LIMIT_AUTH_SOURCES / THROTTLE_WAYS][THROTTLE_WAYS];
};

/* May a source make one more? source: a hash that others can't foresee (table.h). */
bool throttle_pass(struct throttle *throttle, uint64_t source, uint64_t now_usec);
