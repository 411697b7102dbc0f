/*
 * Compiled policy databases (policy/format.h), mapped for the life of the process.
 */
#pragma once

#include <stdbool.h>

/*
 * Maps the database at path, read-only, for ever: it follows what is written to the file. It must
 * be a regular file of the right size, owned by root or, with own, by the user that we are, and not
 * be writable by others. One that is not root's could be truncated under us (SIGBUS) and is copied
 * instead, as it is now. NULL: it is not there or not fit; errno says why (EPERM: owner or mode,
 * EINVAL: type or size). The content is not looked at. Keeps no descriptor.
 */
const void *database_map(const char *path, bool own);
