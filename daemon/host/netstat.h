/*
 * The kernel's counters of this network namespace, as /proc/net/netstat has them: what tells, at
 * the price of one read, that something somewhere went wrong.
 */
#pragma once

#include <stddef.h>

#include "../core/event.h"

struct netstat;

/* Takes the counters that count from a text of pairs of lines, names and values; others are 0. */
void netstat_parse(const char *text, struct counters_event *ret_counters);

/* Of the namespace that the caller is in now, whatever becomes of it. 0 or a negative errno. */
int netstat_new(struct netstat **ret_netstat);

/* 0 or a negative errno. */
int netstat_read(struct netstat *netstat, struct counters_event *ret_counters);

/* Takes NULL. */
void netstat_free(struct netstat *netstat);
