/*
 * Where the library is that programs get to use Multipath TCP.
 */
#pragma once

#include <limits.h>

#include "ctl.h"

/*
 * The library, as LD_PRELOAD will name it: the installed one, or what $MPTCPIZE_SHIM says.
 * CTL_DONE, or an exit status after it has said why.
 */
int library_find(const struct ctl *ctl, char library[static PATH_MAX]);

/* The same below another root. */
int library_find_in(const struct ctl *ctl, int root, char library[static PATH_MAX]);
