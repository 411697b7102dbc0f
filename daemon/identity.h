/*
 * Whose connections are of which no hint has spoken: one question to the kernel each, and only if
 * there are policies that make a difference.
 */
#pragma once

#include "core/engine.h"
#include "hint/database.h"
#include "kern/kern.h"

struct identity;

/* What it works on; all of it outlives the identity. */
struct identity_host {
        struct engine *engine;
        struct kern *kern;
        struct database *policies;
        const char *path; /* of the database */
};

/* 0 or -ENOMEM. */
int identity_new(const struct identity_host *host, struct identity **ret_identity);

/* Takes NULL. */
void identity_free(struct identity *identity);

/* To be called for each event after the engine has had it. Takes NULL. */
void identity_feed(struct identity *identity, const struct event *event);
