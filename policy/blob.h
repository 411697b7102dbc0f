/*
 * Half of a database in the making: a block of POLICY_HALF_BYTES that is filled from its start.
 *
 * Once something does not fit, nothing is added any more and full is set: whoever fills it asks
 * once, at the end of a file, and cuts the block back to where that file began.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct blob {
        char *bytes;
        uint32_t n;
        uint32_t reserved; /* bytes at the end that stay free */
        bool full;
};

/* 0 or -ENOMEM. */
int blob_init(struct blob *blob);
void blob_done(struct blob *blob);

/* Adds a table of n elements of width bytes, aligned to 8. Empty if it does not fit. */
struct policy_span blob_table(struct blob *blob, const void *items, size_t width, size_t n);

/* Adds a string; NULL is none. */
struct policy_span blob_text(struct blob *blob, const char *text);
