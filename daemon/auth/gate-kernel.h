/*
 * What the kernel has of our table, read without libnftables: that would list all tables, and can't
 * read its own words for ours again (tokens without a type).
 */
#pragma once

#include "gate-listeners.h"
#include "../kern/netlink.h"

typedef int (*gate_token_fn)(uint32_t token, void *userdata);
typedef int (*gate_listener_fn)(const struct gate_listener *listener, void *userdata);

/* 1: there is a table; 0: none; or a negative errno. */
int gate_kernel_present(struct netlink *netlink);

/* Each element of the sets, until a function returns a negative errno. 0, that, or another negative
 * errno; -ENOENT: the table has no such set, which is not ours then. */
int gate_kernel_tokens(struct netlink *netlink, gate_token_fn on_token, void *userdata);
int gate_kernel_listeners(struct netlink *netlink, gate_listener_fn on_listener, void *userdata);

/* Packets that were dropped since the table was written. 0 or a negative errno. */
int gate_kernel_dropped(struct netlink *netlink, uint64_t *ret_packets);

/* Number of the ruleset's generation: one more with every transaction of anybody's. */
int gate_kernel_generation(struct netlink *netlink, uint32_t *ret_generation);
