#include "throttle.h"

#include "../util/cleanup.h"

#define THROTTLE_ONE  1000u
#define THROTTLE_FULL (LIMIT_AUTH_RATE * THROTTLE_ONE)
#define SECOND        UINT64_C(1000000)

static struct throttle_bucket *throttle_find(struct throttle *throttle, uint64_t source) {
        struct throttle_bucket *set = throttle->buckets[source % ARRAY_SIZE(throttle->buckets)];
        struct throttle_bucket *oldest = &set[0];

        for (unsigned int i = 0; i < THROTTLE_WAYS; i++) {
                if (set[i].source == source)
                        return &set[i];
                if (set[i].usec < oldest->usec)
                        oldest = &set[i];
        }
        *oldest = (struct throttle_bucket){ .source = source, .left = THROTTLE_FULL };
        return oldest;
}

static void throttle_fill(struct throttle_bucket *bucket, uint64_t now_usec) {
        const uint64_t since = now_usec > bucket->usec ? now_usec - bucket->usec : 0;
        uint64_t left;

        if (since >= SECOND) {
                bucket->left = THROTTLE_FULL;
                bucket->usec = now_usec;
                return;
        }
        left = since * THROTTLE_FULL / SECOND;
        if (left == 0)
                return; /* it adds up */
        left += bucket->left;
        bucket->left = left > THROTTLE_FULL ? THROTTLE_FULL : (uint32_t)left;
        bucket->usec = now_usec;
}

bool throttle_pass(struct throttle *throttle, uint64_t source, uint64_t now_usec) {
        struct throttle_bucket *bucket;

        source |= 1; /* 0 is nobody */
        bucket = throttle_find(throttle, source);
        throttle_fill(bucket, now_usec);
        if (bucket->left < THROTTLE_ONE)
                return false;
        bucket->left -= THROTTLE_ONE;
        return true;
}
