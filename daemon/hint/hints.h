/*
 * Hints of programs (policy/hint.h), as the loop sees them: events for the engine, and lines in the
 * log of what went another way than a program might expect.
 */
#pragma once

#include "../core/event.h"

#define HINTS_BATCH 16 /* of one dispatch */

struct hints;

typedef void (*hints_event_fn)(const struct event *event, void *userdata);

/*
 * Listens on HINT_SOCKET in the directory runtime, and evaluates the database, a path that must
 * outlive it, for the programs that speak. 0, or a negative errno; -EOPNOTSUPP: the
 * kernel doesn't tell network namespaces apart (before Linux 5.14).
 */
int hints_new(const char *runtime, const char *database, hints_event_fn on_event, void *userdata,
              struct hints **ret_hints);
void hints_free(struct hints *hints);

/* Readable when there are any. */
int hints_fd(const struct hints *hints);

/* Gives at most HINTS_BATCH EVENT_HINTs; returns how many. */
int hints_dispatch(struct hints *hints);
