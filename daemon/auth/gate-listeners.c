/*
 * Listeners without overlaps. See gate-listeners.h.
 */
#include "gate-listeners.h"

#include <string.h>
#include <sys/socket.h>

#define IPV4_BITS 32u
#define IPV6_BITS 128u

int gate_listeners_add(struct gate_listeners *listeners, const struct gate_listener *more, size_t n,
                       size_t max) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = ARRAY_APPEND(&listeners->list, more[i], max);
        return r;
}

void gate_listeners_done(struct gate_listeners *listeners) {
        ARRAY_DONE(&listeners->list);
}

static void listener_mask(struct gate_listener *listener) {
        uint8_t *bytes = listener->prefix.bytes;
        unsigned int len = listener->prefix_len;

        for (size_t i = 0; i < sizeof(listener->prefix.bytes); i++) {
                const unsigned int left = len < 8 ? len : 8;

                bytes[i] &= (uint8_t)(0xff00u >> left);
                len -= left;
        }
}

/* As one of this family; false if it is none. */
static bool listener_as(const struct gate_listener *listener, uint16_t family,
                        struct gate_listener *ret) {
        const unsigned int bits = family == AF_INET ? IPV4_BITS : IPV6_BITS;

        if (listener->prefix.family != 0 && listener->prefix.family != family)
                return false;
        if (listener->first > listener->last)
                return false;
        *ret = *listener;
        if (listener->prefix.family == 0)
                ret->prefix_len = 0;
        if (ret->prefix_len > bits)
                ret->prefix_len = (uint8_t)bits;
        ret->prefix.family = family;
        ret->prefix.port = 0;
        listener_mask(ret);
        return true;
}

static bool listener_overlaps(const struct gate_listener *wide, const struct gate_listener *piece) {
        return wide->first <= piece->last && piece->first <= wide->last &&
               address_in_prefix(&piece->prefix, &wide->prefix, wide->prefix_len);
}

/* Adds what the first n, from number i on, have not of it. Goes into itself once for each of those
 * that overlaps at most. */
static int split_add(struct gate_listeners *split, size_t i, size_t n, struct gate_listener piece) {
        for (; i < n; i++) {
                const struct gate_listener wide = split->list.items[i];
                struct gate_listener before = piece;

                if (!listener_overlaps(&wide, &piece))
                        continue;
                if (piece.first < wide.first) {
                        int r;

                        before.last = (uint16_t)(wide.first - 1);
                        r = split_add(split, i + 1, n, before);
                        if (r < 0)
                                return r;
                }
                if (piece.last <= wide.last)
                        return 0;
                piece.first = (uint16_t)(wide.last + 1);
        }
        return gate_listeners_add(split, &piece, 1, LIMIT_GATE_ELEMENTS);
}

static int listener_compare(const void *a, const void *b) {
        const struct gate_listener *x = a, *y = b;

        return (int)x->prefix_len - (int)y->prefix_len;
}

static int split_sorted(const struct gate_listeners *sorted, struct gate_listeners *split) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < sorted->list.n; i++)
                r = split_add(split, 0, split->list.n, sorted->list.items[i]);
        return r;
}

int gate_listeners_split(const struct gate_listeners *listeners, uint16_t family,
                         struct gate_listeners *ret_split) {
        struct gate_listeners sorted = { 0 };
        struct gate_listener listener;
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < listeners->list.n; i++)
                if (listener_as(&listeners->list.items[i], family, &listener))
                        r = gate_listeners_add(&sorted, &listener, 1, listeners->list.n);
        if (r == 0 && sorted.list.n > 0) {
                qsort(sorted.list.items, sorted.list.n, sizeof(listener), listener_compare);
                r = split_sorted(&sorted, ret_split);
        }
        gate_listeners_done(&sorted);
        return r;
}
