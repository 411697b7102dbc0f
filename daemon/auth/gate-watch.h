/*
 * Has anybody else changed our table? The kernel tells of all transactions to whoever listens.
 */
#pragma once

#include <stdbool.h>
#include "../kern/netlink.h"

struct gate_watch;

int gate_watch_new(struct gate_watch **ret_watch);
void gate_watch_free(struct gate_watch *watch);
DEFINE_CLEANUP(struct gate_watch *, gate_watch_free)

int gate_watch_fd(const struct gate_watch *watch);

/* Since the last look: true if somebody changed the table, or news of that may have been lost. */
bool gate_watch_look(struct gate_watch *watch);

/* The same right after a transaction of our own, which does not count. alone: it is known that
 * nobody else made one meanwhile. */
bool gate_watch_own(struct gate_watch *watch, bool alone);

/* The name of the program that did it, "" if not known. */
const char *gate_watch_who(const struct gate_watch *watch);
