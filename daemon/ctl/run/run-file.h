/*
 * A file for one run: in the user's runtime directory or in /tmp, with a name of its own.
 */
#pragma once

#include <limits.h>

/*
 * Makes "mptcpctl-WHAT-XXXXXX", readable for this user only; whoever makes it removes it. Returns
 * a descriptor, or -errno; path is the file, or what was tried.
 */
int run_file_make(const char *what, char path[static PATH_MAX]);
