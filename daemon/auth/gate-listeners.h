/*
 * Listeners as the kernel's sets can have them: elements of a set of intervals must not overlap,
 * and listeners do ("*:443" and "10.0.0.1:443-445").
 *
 * Prefixes contain each other or have nothing in common, so going from the widest to the
 * narrowest, of each only those ports are left that no wider one has.
 */
#pragma once

#include "gate.h"
#include "../util/array.h"

struct gate_listeners {
        ARRAY_OF(struct gate_listener) list;
};

/* Puts them behind those that are there. -ENOMEM; -ENOBUFS: more than max in all. */
int gate_listeners_add(struct gate_listeners *listeners, const struct gate_listener *more, size_t n,
                       size_t max);
void gate_listeners_done(struct gate_listeners *listeners);

/*
 * Those of one family (those of none are of both), without overlaps, and the bits behind a prefix
 * zero. ret_split is empty before. -ENOMEM; -ENOBUFS: more than LIMIT_GATE_ELEMENTS.
 */
int gate_listeners_split(const struct gate_listeners *listeners, uint16_t family,
                         struct gate_listeners *ret_split);
