/*
 * What the daemon knows, as numbers for a monitoring system: OpenMetrics 1.0, or the older text
 * format of Prometheus, which is what node_exporter reads from files.
 *
 * The formats differ in how they name things: in the older one a counter's TYPE and HELP have the
 * name of its samples, with "_total"; there is no type "info", no UNIT, and no end.
 *
 * How many samples there are is bounded: by the kinds of states, the plugins that are loaded, and
 * LIMIT_METRICS_LINKS interfaces (what is on others counts for interface=""). There is nothing of a
 * single connection.
 */
#pragma once

#include <stdint.h>

#include "core/engine.h"
#include "host/blackhole.h"
#include "host/rules.h"

struct auth;

enum metrics_format {
        METRICS_OPEN,      /* application/openmetrics-text; version=1.0.0 */
        METRICS_PROMETHEUS /* text/plain; version=0.0.4 */
};

/* All outlive those who have it. */
struct metrics_host {
        struct engine *engine;               /* only read */
        const struct rules *rules;           /* NULL: there are none */
        const struct blackholes *blackholes; /* likewise */
        const struct auth *auth;             /* likewise */
        const uint32_t *dead_after;          /* seconds */
        uint64_t started_usec;               /* CLOCK_REALTIME */
};

/* The text, to be freed. 0 or -ENOMEM. */
int metrics_write(const struct metrics_host *host, enum metrics_format format, char **ret_text);
