/*
 * Hands out metrics: as text to whoever asks, and to node_exporter in a file, which is written when
 * the loop has nothing else to do and is gone when the daemon is.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/conf.h"
#include "metrics.h"

struct exporter;

/* host is copied, and the daemon was started now. 0 or a negative errno. */
int exporter_new(sd_event *event, const struct metrics_host *host, struct exporter **ret_exporter);

/* Removes the file. Takes NULL. */
void exporter_free(struct exporter *exporter);

/* A configuration is in place: where the file is, and how often it is written. Takes NULL. */
void exporter_follow(struct exporter *exporter, const struct conf *conf);

/*
 * For the bus: OpenMetrics, valid until the next call; NULL: no memory. It is made anew only if
 * twenty times the time has passed that it took, so that nobody can keep the loop busy with it.
 */
const char *exporter_text(void *exporter);
