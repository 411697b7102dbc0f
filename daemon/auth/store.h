/*
 * The file in which the secrets of connections are (RUNTIME/auth), mapped: they are nowhere else in
 * the daemon's memory, and the next daemon goes on with them.
 *
 * A header and slots of one size. It grows by chunks whose room is taken before they are touched,
 * so that a full file system is an error and no signal; all addresses stay as they are. Each slot
 * in use has a sum of what must not be half written, the connection and its keys: a slot that a
 * crash has torn is dropped. It means something only where its header says, and only its owner may
 * read it. What ends is cleansed.
 */
#pragma once

#include <stddef.h>
#include "record.h"

struct store;

/*
 * Opens RUNTIME/auth, whose directory the caller has locked, or begins it anew: it has to be of
 * this place (n bytes: a boot and a network namespace, at most STORE_PLACE). What is wrong with an
 * old one is logged, and then it is as if there were none. 0 or a negative errno, logged.
 */
#define STORE_PLACE 96u
int store_new(const char *runtime, const void *place, size_t n, struct store **ret_store);

/* What is in it stays. Takes NULL. */
void store_free(struct store *store);

/* For each record of the last daemon's that was not taken yet. */
void store_each_left(const struct store *store,
                     void (*fn)(const struct auth_record *record, void *userdata), void *userdata);

/*
 * The record of a connection: that of the last daemon, with its keys, or one that is all zero but
 * for these two. Its address stays. NULL: no room.
 */
struct auth_record *store_take(struct store *store, uint64_t cookie, uint32_t token);

/* After its keys were set, or cleansed. */
void store_seal(struct auth_record *record);

/* The connection has ended: cleanses it. */
void store_give(struct store *store, struct auth_record *record);

/* All that is alive has been taken: cleanses the rest. How many that were. */
size_t store_sweep(struct store *store);
