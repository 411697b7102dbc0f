/*
 * The lines of "monitor": one for each thing that happened, flushed at once, as text or as one
 * JSON object.
 *
 * Beside the daemon's kinds of events there are "connected", "disconnected" (with a reason) and
 * "lost" (with a count).
 */
#pragma once

#include <jansson.h>
#include "ctl.h"

/* The line of an event of the bus; NULL: no memory. */
json_t *event_line_new(const json_t *event);

/* 0, or a negative errno: it can't be written. */
int event_line_print(const struct ctl *ctl, const json_t *line);

/*
 * The exit status when no more lines follow, because of r: 0, or what event_line_print() has
 * returned. That nobody reads any more (-EPIPE) is no failure, and nothing of it is left in stdout.
 */
int event_line_end(const struct ctl *ctl, int r);
