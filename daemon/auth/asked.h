/*
 * Joins of our own that the peer is asked for, or has allowed (ready): by the number of their
 * action, by their connection, and in the order in which they became ready. When an uplink comes
 * thousands wait here at once.
 */
#pragma once

#include "../core/action.h"
#include "table.h"

struct asked {
        struct action action;
        bool ready;
        struct table_link by_serial, by_token;
        struct asked *before, *behind; /* of those that are ready */
};

struct askeds {
        struct table by_serial, by_token;
        struct asked *first, *last; /* ready */
};

#define ASKEDS_NULL ((struct askeds){ { 0 }, { 0 }, NULL, NULL })

size_t askeds_count(const struct askeds *askeds);

/* A new one. 0, or -ENOBUFS at LIMIT_ACTIONS, or -ENOMEM. */
int askeds_add(struct askeds *askeds, const struct action *action, struct asked **ret_asked);
/* Frees it. */
void askeds_remove(struct askeds *askeds, struct asked *asked);

struct asked *askeds_find(const struct askeds *askeds, uint32_t serial);
/* The first of a connection, and the next of the same; NULL: none. */
struct asked *askeds_first(const struct askeds *askeds, uint32_t token);
struct asked *askeds_next(const struct asked *asked);

void askeds_set_ready(struct askeds *askeds, struct asked *asked, bool ready);

void askeds_done(struct askeds *askeds);
