/*
 * FNV-1a with 64 bits, for sums against accidents and to see whether something has changed; not
 * against people, who can find two texts with the same one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_NULL UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_more(uint64_t hash, const void *bytes, size_t n) {
        const uint8_t *at = bytes;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
        return hash;
}
