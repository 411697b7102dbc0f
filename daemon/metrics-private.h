/*
 * What the files that write metrics share: families and their samples.
 *
 *   metrics.c       all but
 *   metrics-auth.c  those of join authentication
 */
#pragma once

#include <stdio.h>

#include "metrics.h"

struct metrics {
        const struct metrics_host *host;
        enum metrics_format format;
        FILE *file;
};

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO };

struct metric {
        const char *name; /* without "_total" and "_info" */
        const char *help; /* without quotation marks, backslashes and ends of lines */
        enum metric_type type;
        const char *unit; /* that the name ends with, or NULL */
};

void metric_begin(const struct metrics *metrics, const struct metric *metric);

/* labels: as they stand between the braces, "" for none. */
void metric_sample(const struct metrics *metrics, const struct metric *metric, const char *labels,
                   uint64_t value);

/* A family of one sample. */
void metric_number(const struct metrics *metrics, const struct metric *metric, uint64_t value);

/* metrics-auth.c: nothing without an auth. */
void metrics_write_auth(const struct metrics *metrics);
