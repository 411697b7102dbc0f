/*
 * HELLOs of keys that are not known here yet: with TLS 1.3 the client is ready first, and its HELLO
 * may be here before our own program has the key. Anybody can send some, so that there are few, and
 * few of one source; the oldest makes room, since a real one doesn't have to wait for long.
 */
#pragma once

#include "protocol.h"

#define HOLD_BYTES 52u /* of a HELLO */

struct held {
        struct protocol_path path;
        uint64_t id;     /* of the key */
        uint64_t usec;   /* since when; */
        uint64_t number; /* and in which order */
        uint8_t bytes[HOLD_BYTES];
};

struct hold {
        uint32_t sources[LIMIT_AUTH_HELD]; /* hashes; apart, as each datagram looks through them */
        struct held held[LIMIT_AUTH_HELD]; /* .number 0: free */
        uint64_t last;
        uint64_t until_usec; /* nothing is held from then on */
};

/* Keeps a HELLO. source: hash of where it is from. False: that source has too many here. */
bool hold_keep(struct hold *hold, const struct protocol_path *path, uint32_t source, uint64_t id,
               const void *bytes, uint64_t now_usec);

/* Takes the oldest HELLO of that key out. False: there is none. */
bool hold_take(struct hold *hold, uint64_t id, uint64_t now_usec, struct held *ret_held);
