/*
 * A growing array of plain structs: { type *items; uint32_t n, cap; }. Connections have many of
 * them, so that wider counts would cost 48 bytes each.
 *
 * Invariant: n <= cap, items NULL only if cap is 0. Elements move when the array grows, so
 * nobody keeps a pointer to one across an append.
 */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_OF(type)           \
        struct {                 \
                type *items;     \
                uint32_t n, cap; \
        }

/*
 * Makes room for one more element behind n, at most max. slot is the address of the items
 * pointer. 0, -ENOBUFS at the limit, or -ENOMEM; the array is unchanged then.
 */
static inline int array_reserve(void *slot, uint32_t n, uint32_t *cap, size_t width, size_t max) {
        size_t want = *cap ? (size_t)*cap * 2 : 1; /* most arrays of a connection have one or two */
        void *items, *grown;

        if (n < *cap)
                return 0;
        if (n >= max)
                return -ENOBUFS;
        if (want > max)
                want = max;
        if (want > UINT32_MAX)
                return -ENOMEM;
        memcpy(&items, slot, sizeof(items));
        grown = realloc(items, want * width);
        if (!grown)
                return -ENOMEM;
        memcpy(slot, &grown, sizeof(grown));
        *cap = (uint32_t)want;
        return 0;
}

#define ARRAY_APPEND(a, value, max)                                                         \
        ({                                                                                  \
                int _r = array_reserve(&(a)->items, (a)->n, &(a)->cap, sizeof(*(a)->items), \
                                       (max));                                              \
                if (_r == 0)                                                                \
                        (a)->items[(a)->n++] = (value);                                     \
                _r;                                                                         \
        })

/* Removes element i; the last one takes its place, so order is not kept. */
#define ARRAY_REMOVE(a, i)                             \
        do {                                           \
                size_t _i = (i);                       \
                (a)->items[_i] = (a)->items[--(a)->n]; \
        } while (0)

/* Removes element i and keeps the order. */
#define ARRAY_CUT(a, i)                                           \
        do {                                                      \
                size_t _i = (i);                                  \
                memmove(&(a)->items[_i], &(a)->items[_i + 1],     \
                        ((a)->n - _i - 1) * sizeof(*(a)->items)); \
                (a)->n--;                                         \
        } while (0)

/* Index of the first element whose member is not below key, in an array in its order; or n. */
#define ARRAY_LOWER_BOUND(a, member, key)                           \
        ({                                                          \
                size_t _from = 0, _to = (a)->n;                     \
                while (_from < _to) {                               \
                        size_t _middle = _from + (_to - _from) / 2; \
                        if ((a)->items[_middle].member < (key))     \
                                _from = _middle + 1;                \
                        else                                        \
                                _to = _middle;                      \
                }                                                   \
                _from;                                              \
        })

#define ARRAY_DONE(a)                  \
        do {                           \
                free((a)->items);      \
                (a)->items = NULL;     \
                (a)->n = (a)->cap = 0; \
        } while (0)
