/*
 * The names of the daemon's limits.
 */
#pragma once

#include <stddef.h>

/* The i-th, as in mptcpized.conf(5); NULL: there are no more. */
const char *limit_key(size_t i);

/* What it limits, in a few words. */
const char *limit_help(const char *key);
