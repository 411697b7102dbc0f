/*
 * The terminal of `mptcpctl top`: ncurses, or without it nothing but a sentence that says so.
 *
 * However the program ends, the terminal is put back: also when it crashes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "top-view.h"

struct top_screen;

/*
 * Takes the terminal over. -ENOTTY: standard input or output is none; -ENOTSUP: it can't be
 * written at will, or is not known, its name being TERM; -ENOSYS: built without ncurses; -ENOMEM.
 */
int top_screen_new(struct top_screen **ret_screen);
void top_screen_free(struct top_screen *screen);

/* The descriptor on which keys arrive. */
int top_screen_fd(const struct top_screen *screen);

/* The next key, as top_view_key() takes it; 0: there is none now. */
uint32_t top_screen_key(struct top_screen *screen);

/* Rows and columns, which change with the window. */
void top_screen_size(struct top_screen *screen, size_t *ret_rows, size_t *ret_columns);

/* Draws all of it: only what has changed is written. */
void top_screen_draw(struct top_screen *screen, const struct top_view *view,
                     const struct top_data *data);

/* Everything anew, whatever others have written over it. */
void top_screen_refresh(struct top_screen *screen);
