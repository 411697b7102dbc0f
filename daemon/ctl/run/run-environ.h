/*
 * What a program finds in its environment so that it uses Multipath TCP.
 */
#pragma once

#include <limits.h>

/* 0 or -errno. */

/* LD_PRELOAD: our library first, then what was there. */
int environ_set_preload(const char *library);

/*
 * GODEBUG: Go's own Multipath TCP (Go 1.21), beside what was there, and not if something was said
 * of it.
 */
int environ_set_go(void);

/*
 * How LD_PRELOAD is to name the library: where there is one for 32-bit programs beside it, with
 * the $LIB that the dynamic linker of each program replaces by its own directory.
 */
void environ_library(const char *path, char to[static PATH_MAX]);
