/*
 * The watch over the kernel's counters: EVENT_COUNTERS when one has risen, and once at the start.
 *
 * They are read once a second while there are connections, or may soon be, and otherwise so seldom
 * that an idle daemon stays idle.
 */
#pragma once

#include <stddef.h>
#include <systemd/sd-event.h>

#include "core/event.h"

struct counters;

typedef void (*counters_event_fn)(const struct event *event, void *userdata);

/*
 * n_connections outlives the counters. NULL: they can't be read, which is logged and no failure:
 * what they tell of is noticed later, or not at all.
 */
struct counters *counters_start(sd_event *event, const size_t *n_connections,
                                counters_event_fn on_event, void *userdata);

/* Takes NULL. */
void counters_free(struct counters *counters);

/* To be called after each event: the first connection ends the long pauses. Takes NULL. */
void counters_follow(struct counters *counters);

/* A connection is on its way: no long pauses until it must be there. Takes NULL. */
void counters_hurry(struct counters *counters);
