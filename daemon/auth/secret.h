/*
 * Memory for secrets, and the files that shared keys are in.
 *
 * Whatever a process holds ends up in a core file unless it says otherwise, and freed memory keeps
 * what was in it; so secrets live in maps of their own, and are cleansed where they have passed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "../util/limits.h"

#define SECRET_ERROR 384u

/* All zero, in no core file, and not swapped out if that can be had. NULL: no memory. */
void *secret_new(size_t n);
/* Cleanses; takes NULL. */
void secret_free(void *memory, size_t n);

/* The same promise for a map that is there already. */
void secret_shield(void *memory, size_t n);

void secret_cleanse(void *memory, size_t n);

/*
 * Reads the shared key of a policy ("psk"): an absolute path, or the name of a credential of the
 * service ($CREDENTIALS_DIRECTORY, systemd.exec(5)). It has to be a regular file of
 * LIMIT_AUTH_PSK_MIN to LIMIT_AUTH_PSK bytes; and, unless it is a credential, root's or our own,
 * and for nobody else. How many bytes are in memory, which has room for LIMIT_AUTH_PSK; or a
 * negative errno, with a sentence.
 */
ssize_t secret_read(const char *psk, void *memory, char error[static SECRET_ERROR]);
