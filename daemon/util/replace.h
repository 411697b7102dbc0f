/*
 * A text as a file that others read while it is replaced: they see the old one or the new one, and
 * never half of it.
 */
#pragma once

#include <stdbool.h>

/*
 * Writes text into the file fresh, and then gives that the name; both are below the directory dir,
 * or anywhere if it is AT_FDCWD. Everybody may read it, whatever the umask is. What an earlier try
 * has left as fresh is removed, and nothing follows a link there. durable: it is on the disk before
 * it has the name, which may take a while.
 * 0, or a negative errno: then there is the old file, and fresh is gone.
 */
int replace_file(int dir, const char *name, const char *fresh, const char *text, bool durable);
