/*
 * The runtime directory, which one daemon uses at a time.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Makes it, and locks it for as long as the descriptor is open. That, or a negative errno; logs. */
int runtime_lock(const char *runtime);

/*
 * Where the directory belongs to another user than root, as that of the service does, what root has
 * made in it becomes that user's, so that the service can go on with it. Without effect for others
 * than root.
 */
void runtime_hand_over(const char *runtime);

/* Is a file of that user in the directory one of ours, or of who the directory belongs to? */
bool runtime_is_of(const char *runtime, uid_t user);
