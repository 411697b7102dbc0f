/*
 * The runtime directory, which one daemon uses at a time.
 */
#pragma once

#include <stdio.h>

/* Makes it, and locks it for as long as the descriptor is open. That, or a negative errno; logs. */
int runtime_lock(const char *runtime);

/*
 * Where the directory belongs to another user than root, as that of the service does, what root has
 * made in it becomes that user's, so that the service can go on with it. Without effect for others
 * than root. The lock, and what runtime_create() makes, is that user's from its beginning.
 */
void runtime_hand_over(const char *runtime);

/*
 * Opens a file of the directory that may be there: NULL, with ret_file NULL if it isn't; or what is
 * wrong with it. Whoever else may write to it could tell us anything: so it has to be ours, or of
 * who the directory belongs to, or root's.
 */
const char *runtime_read(const char *runtime, const char *path, FILE **ret_file);

/*
 * Makes a file of the directory anew, for us alone; root makes it for the owner of the directory.
 * 0 or a negative errno.
 */
int runtime_create(const char *runtime, const char *path, FILE **ret_file);
