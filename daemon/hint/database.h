/*
 * The compiled policy database of this host, as one of its readers (policy/eval.h).
 *
 * Belongs to one thread.
 */
#pragma once

#include "policy/eval.h"

struct database {
        const void *map; /* NULL: there is none */
        uint32_t generation;
        bool sound;
        struct policy_read read;
};

#define DATABASE_NULL ((struct database){ 0 })

/* The current generation, or NULL: there is no database, or none that can be used. */
const struct policy_read *database_read(struct database *database, const char *path);
void database_done(struct database *database);
