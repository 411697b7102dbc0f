/*
 * Which listeners the policies of this host protect by name: those in "listen" of every policy with
 * "auth": {"mode": "require"}. Of several policies that speak of one listener the strictest counts,
 * since nobody knows beforehand which of their programs will listen there.
 */
#pragma once

#include "eval.h"

struct policy_listener {
        struct policy_prefix at; /* family 0: any address, of both families */
        struct policy_ports ports;
};

/*
 * Puts the first max of them into ret_listeners, each once; returns how many there are, which may
 * be more. read NULL: there is no database.
 */
size_t policy_required_listeners(const struct policy_read *read,
                                 struct policy_listener *ret_listeners, size_t max);

/*
 * Does it ask for protection of listeners that it doesn't name? They are protected from the first
 * hint of a program on, and no sooner.
 */
bool policy_leaves_listeners_open(const struct policy_app *app);
