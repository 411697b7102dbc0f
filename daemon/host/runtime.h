/*
 * The runtime directory, which one daemon uses at a time.
 */
#pragma once

/* Makes it, and locks it for as long as the descriptor is open. That, or a negative errno; logs. */
int runtime_lock(const char *runtime);
