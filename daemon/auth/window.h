/* Which sequence numbers have been seen: the highest, and which of the 63 below it (RFC 4303,
 * section 3.4.3). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct window {
        uint64_t top;  /* 0: none yet */
        uint64_t seen; /* bit i: top - i */
};

/* Is it new? It has to be checked before the MAC is believed, and taken after that. */
bool window_is_new(const struct window *window, uint64_t sequence);
void window_take(struct window *window, uint64_t sequence);
