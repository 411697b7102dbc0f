#include "window.h"

#define WINDOW_WIDTH 64u

bool window_is_new(const struct window *window, uint64_t sequence) {
        uint64_t below;

        if (sequence > window->top)
                return true;
        below = window->top - sequence;
        /* Numbers begin at 1: 0 is never new. */
        return sequence != 0 && below < WINDOW_WIDTH && !(window->seen >> below & 1);
}

void window_take(struct window *window, uint64_t sequence) {
        uint64_t ahead;

        if (sequence <= window->top) {
                if (window->top - sequence < WINDOW_WIDTH)
                        window->seen |= UINT64_C(1) << (window->top - sequence);
                return;
        }
        ahead = sequence - window->top;
        window->seen = ahead < WINDOW_WIDTH ? window->seen << ahead | 1 : 1;
        window->top = sequence;
}
