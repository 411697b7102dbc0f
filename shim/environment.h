/*
 * The environment, from the constructor.
 *
 * Ours runs first of all (-z initfirst), so before libc's, when getenv() knows nothing yet. glibc
 * gives constructors the environment as their third argument; musl gives them nothing, but has set
 * environ by then.
 */
#pragma once

/* Called once. third_argument: that of the constructor, whatever it is. */
void environment_init(char **third_argument);

/*
 * The value of a variable, or NULL: also in programs that are more privileged than the one who has
 * set it (AT_SECURE).
 */
const char *environment_get(const char *name);
