/*
 * A file for the preload library to map, of bytes that a fuzzer has chosen, and some of which
 * change while they are read.
 *
 * What was mapped has nothing beside it, so that reading one byte too far is noticed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How an input begins; what follows is put into the half that is in force. */
struct database_input {
        uint8_t own;        /* it is mapped as a user's own */
        uint8_t other_size; /* 1: than that of a database */
        uint8_t stamped;    /* 1: with a right header and sum, which readers take for sound */
        uint8_t generation;
        uint8_t fill; /* what is nowhere else */
        uint8_t zero[3];
        uint32_t at, size;      /* of what follows, and of the half */
        uint32_t changes[4][2]; /* where in the file, 0: no more; and to what */
};

/* As the library maps it, or NULL; until database_host_unmap(). */
const void *database_host_map(const uint8_t *data, size_t n);
void database_host_unmap(void);

/* Makes the next change; false: there is none. */
bool database_host_change(void);
