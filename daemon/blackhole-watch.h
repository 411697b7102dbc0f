/*
 * Lost SYNs, as the loop sees them: listens to events, writes the policy database, and sets back
 * the kernel's switch (see host/blackhole.h).
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/event.h"
#include "host/blackhole.h"
#include "host/rules.h"

struct blackhole_watch;

/*
 * Takes over what the database of rules still has; rules_start() comes before the loop. 0 or a
 * negative errno.
 */
int blackhole_watch_new(sd_event *event, struct rules *rules, struct blackhole_watch **ret_watch);

/* Takes NULL. */
void blackhole_watch_free(struct blackhole_watch *watch);

/* To be called for each event. Takes NULL: the rules come later than the first events. */
void blackhole_watch_feed(struct blackhole_watch *watch, const struct event *event);

/* For those who show it. */
const struct blackholes *blackhole_watch_state(const struct blackhole_watch *watch);
