/*
 * The file that holds a policy database, as its one writer sees it.
 *
 * Programs keep it mapped for their whole life, so it is made once, with its full size, and then
 * only written into: never truncated, renamed over or removed. A half is written while nobody
 * reads it and then put in force by one atomic store (see format.h); whoever still reads the other
 * one finds out by policy_end().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "eval.h"

struct policy_store;

/*
 * Opens the file, or makes it (mode 0644; its directory must be there), and locks out other
 * writers for as long as it is open. A file of another version or with damage is taken over: its
 * readers see that there is nothing for them. alone: the caller knows that there is no other
 * writer, and goes on without the lock if it can't be had, for whoever may read a file may lock it.
 * -EWOULDBLOCK: another writer has it; -EBADF: it is no regular file; -ENOSPC; or another negative
 * errno.
 */
int policy_store_open(const char *path, bool alone, struct policy_store **ret_store);
void policy_store_close(struct policy_store *store); /* takes NULL */

/*
 * Puts the half of size bytes that policy_compile() made in force. Does nothing if the one in
 * force is the same, so that programs don't look at it again. -EINVAL: that is no half.
 */
int policy_store_write(struct policy_store *store, const void *half, size_t size);

/* The generation in force; 0: nothing has been written yet. */
uint32_t policy_store_generation(const struct policy_store *store);

/* Starts to read what is in force; as policy_begin(). */
bool policy_store_read(const struct policy_store *store, struct policy_read *ret_read);

/*
 * A private copy, of POLICY_FILE_BYTES, of the database in a file, for programs that look at it
 * once: what is in it does not change any more. -ENODATA: it is none, or damaged. free() it.
 */
int policy_store_copy(const char *path, void **ret_copy);
