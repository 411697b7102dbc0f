/*
 * Interfaces and addresses of this host, as the kernel and the daemon see them, as JSON:
 *
 *   { "name", "index", "up", "dial_up", "loopback", "plain", "addresses": [ { "address", "family",
 *     "prefix", "network" } ], "role", "role_reason", "usable", "reason", "routing" }
 *
 * Addresses are those that subflows can start from. The last five are the daemon's; without one,
 * what is usable is guessed in the same way.
 */
#pragma once

#include <jansson.h>

/* rows: the daemon's property Interfaces, or NULL. 0 or a negative errno. */
int links_list(const json_t *rows, json_t **ret_links);

/* Does a subflow start from it? */
int link_is_usable(const json_t *link);

/* Has somebody said that it shall not be used, or is it of a kind that never is? */
int link_is_off(const json_t *link);

/* Has it an address of that family? */
int link_has_family(const json_t *link, int family);
