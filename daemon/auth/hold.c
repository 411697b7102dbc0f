#include "hold.h"

#include <string.h>

#define HOLD_USEC UINT64_C(500000)

static bool held_is_live(const struct held *held, uint64_t now_usec) {
        return held->number != 0 && now_usec < held->usec + HOLD_USEC;
}

/* How many of this source's are there? */
static unsigned int hold_count(const struct hold *hold, uint32_t source, uint64_t now_usec) {
        unsigned int n = 0;

        for (unsigned int i = 0; i < LIMIT_AUTH_HELD; i++)
                if (hold->sources[i] == source && held_is_live(&hold->held[i], now_usec))
                        n++;
        return n;
}

/* Numbers go up by one with each place, around and around: the next is the oldest, or free. */
bool hold_keep(struct hold *hold, const struct protocol_path *path, uint32_t source, uint64_t id,
               const void *bytes, uint64_t now_usec) {
        struct held *held = &hold->held[hold->last % LIMIT_AUTH_HELD];

        if (hold_count(hold, source, now_usec) >= LIMIT_AUTH_HELD_SOURCE)
                return false;
        hold->sources[hold->last % LIMIT_AUTH_HELD] = source;
        hold->last++;
        hold->until_usec = now_usec + HOLD_USEC;
        *held = (struct held){ .path = *path, .id = id, .usec = now_usec, .number = hold->last };
        memcpy(held->bytes, bytes, HOLD_BYTES);
        return true;
}

bool hold_take(struct hold *hold, uint64_t id, uint64_t now_usec, struct held *ret_held) {
        struct held *first = NULL;

        if (now_usec >= hold->until_usec)
                return false;
        for (unsigned int i = 0; i < LIMIT_AUTH_HELD; i++) {
                struct held *held = &hold->held[i];

                if (held->id == id && held_is_live(held, now_usec) &&
                    (!first || held->number < first->number))
                        first = held;
        }
        if (!first)
                return false;
        *ret_held = *first;
        first->number = 0;
        return true;
}
