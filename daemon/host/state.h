/*
 * The file in which the daemon keeps what the kernel cannot tell (core/memory.h), so that one that
 * is started later, after an end of any kind, knows it again.
 *
 *     state       what the last daemon kept: only read
 *     state.new   what this one keeps; takes the place of the other when all that is still of use
 *                 has been written to it
 *
 * So the file holds no more than there is, and at every moment one of the two is whole. It is a
 * header and slots of one size, which are written one at a time and each carry a sum: a slot that a
 * crash has torn is ignored. It means something only to the same boot and network namespace, which
 * the header names, and is written by pwrite() and not mapped: then it doesn't count as memory of
 * the daemon, and a full file system is an error and no signal.
 */
#pragma once

#include "../core/engine.h"

struct state;

#define STATE_BOOT 40 /* bytes of a boot id, with its NUL */

/* Where a token means something. */
struct state_place {
        char boot[STATE_BOOT];
        uint64_t netns; /* SO_NETNS_COOKIE; 0: the kernel doesn't say */
};

/* This boot and namespace: 0 or a negative errno. */
int state_here(struct state_place *ret_place);

/*
 * Reads the file in the directory runtime, as far as it can be used, and begins a new one. Whatever
 * is wrong with the old one is logged, and then it is as if there were none. 0; or a negative
 * errno, logged: nothing can be kept.
 */
int state_new(const char *runtime, const struct state_place *place, struct state **ret_state);

/*
 * Gives the engine, which has all its profiles, what the last daemon of this boot and namespace has
 * kept, and keeps what it wants. Without that it knows what the kernel knows, which is no failure.
 * 0; or a negative errno, logged.
 */
int state_start(const char *runtime, struct engine *engine, struct state **ret_state);

/* Takes NULL. The files stay. */
void state_free(struct state *state);

/* For the engine; valid as long as the state. */
struct memory state_memory(struct state *state);
