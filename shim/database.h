/*
 * Compiled policy databases (policy/format.h), mapped for the life of the process.
 */
#pragma once

#include <stdbool.h>

/*
 * Maps the database at path, read-only, for ever: it follows what is written to the file. It must
 * be a regular file of the right size and not be writable by others, and belong to root, or
 *  - with own, to the user that we are: it could be truncated under us (SIGBUS), so it is copied
 *    instead, as it is now;
 *  - without, to whom its directory belongs, if only that one writes there. So the caller vouches
 *    that only root can have made a directory of that name: it is the daemon's, in /run, and the
 *    user that it runs as is trusted like root.
 * NULL: it is not there or not fit; errno says why (EPERM: owner or mode, EINVAL: type or size).
 * The content is not looked at. Keeps no descriptor.
 */
const void *database_map(const char *path, bool own);
