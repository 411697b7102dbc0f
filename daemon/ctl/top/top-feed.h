/*
 * Fetches what `mptcpctl top` shows, without ever waiting for it: the daemon may be busy, stopped
 * or gone while the screen still answers to keys. It is not started by being asked.
 *
 * A round reads the kernel's numbers, some pages of the daemon's list, and the subflows of those
 * connections that are shown.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include "top-data.h"
#include "../../util/cleanup.h"

struct top_feed;

/* A round has ended, or the subflows that were asked for have come. data is settled. */
typedef void (*top_feed_fn)(void *userdata);

/*
 * data and event outlive the feed. all: every round has the whole list and the subflows of all
 * connections.
 */
int top_feed_new(sd_event *event, struct top_data *data, bool all, top_feed_fn on_fed,
                 void *userdata, struct top_feed **ret_feed);
void top_feed_free(struct top_feed *feed);
DEFINE_CLEANUP(struct top_feed *, top_feed_free)

/* Begins a round, unless one is under way. tokens: of the connections that are shown. */
void top_feed_round(struct top_feed *feed, const uint32_t *tokens, size_t n);

/* Asks for the subflows of those of which they are not known yet. */
void top_feed_more(struct top_feed *feed, const uint32_t *tokens, size_t n);

/* The daemon did not answer the last time; or the bus is gone. */
bool top_feed_is_waiting(const struct top_feed *feed);

/* Why the kernel's numbers are not known: a negative errno, 0: they are. */
int top_feed_error(const struct top_feed *feed);
