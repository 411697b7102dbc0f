/*
 * The connection that a command is about: its first argument, TOKEN.
 *
 * That is a token as "connections" prints it, with or without 0x, or so many digits of it, from
 * the first on, that only one connection is meant.
 */
#pragma once

#include <stdint.h>
#include "client.h"
#include "ctl.h"

/* Does text look like one? CTL_DONE, or CTL_USAGE after it has said what a token looks like. */
int target_check(const struct ctl *ctl, const char *text);

/*
 * Finds the connection that text means. CTL_DONE, or an exit status after it has said what is
 * wrong.
 */
int target_find(const struct ctl *ctl, struct client *client, const char *text,
                uint32_t *ret_token);

/* Does something with one connection, at path: an exit status, or a negative errno. */
typedef int (*target_fn)(const struct ctl *ctl, struct client *client, struct client_error *error,
                         const char *path);

/* Calls fn for the connection of the first argument. Returns the exit status. */
int target_run(const struct ctl *ctl, target_fn fn);
