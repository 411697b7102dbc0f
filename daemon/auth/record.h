/*
 * What must be known of a connection to go on with its protection after a restart: its secrets, and
 * how far the two directions are. A fixed layout, since it lives in a file (store.h) that is
 * mapped, so that keys are in this place only: never on the heap, never in a core file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "keys.h"
#include "window.h"

#define RECORD_ADMITTED 16u

struct auth_record {
        uint64_t cookie; /* SO_COOKIE; 0: nobody's */
        uint32_t token;
        uint8_t role;      /* 1: client, 2: server */
        uint8_t mode;      /* enum policy_auth */
        uint8_t keyed;     /* .keys are there */
        uint8_t confirmed; /* the peer has proved that it holds them */
        struct auth_keys keys;
        uint64_t sent;                      /* last sequence number that was used */
        struct window heard;                /* of the peer's */
        uint32_t peer_token;                /* client: of HELLO_ACK */
        uint8_t peer_max;                   /* client: of HELLO_ACK */
        uint8_t peer_mode;                  /* client: of HELLO_ACK */
        uint8_t n_admitted;                 /* in .admitted, the oldest makes room */
        uint8_t ended;                      /* BYE: 0, or its reason */
        uint32_t admitted[RECORD_ADMITTED]; /* hashes of the peer's end of subflows that are right
                                             */
        uint64_t sum;                       /* store.h */
};

_Static_assert(sizeof(struct auth_record) <= 256, "a slot of the store");

static inline bool record_has_keys(const struct auth_record *record) {
        return record->keyed != 0;
}
