/*
 * There is no screen without ncurses. See top-screen.h.
 */
#include "top-screen.h"

#include <errno.h>

int top_screen_new(struct top_screen **ret_screen) {
        (void)ret_screen;
        return -ENOSYS;
}

void top_screen_free(struct top_screen *screen) {
        (void)screen;
}

int top_screen_fd(const struct top_screen *screen) {
        (void)screen;
        return -1;
}

uint32_t top_screen_key(struct top_screen *screen) {
        (void)screen;
        return 0;
}

void top_screen_size(struct top_screen *screen, size_t *ret_rows, size_t *ret_columns) {
        (void)screen;
        *ret_rows = *ret_columns = 0;
}

void top_screen_draw(struct top_screen *screen, const struct top_view *view,
                     const struct top_data *data) {
        (void)screen, (void)view, (void)data;
}

void top_screen_refresh(struct top_screen *screen) {
        (void)screen;
}
