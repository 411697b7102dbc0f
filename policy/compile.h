/*
 * The compiler of the policy language: JSON files in, one half of a database (format.h) out.
 *
 *         policy_load_dirs(&sources, dirs, n, POLICY_SYSTEM, &errors); read files
 *         r = policy_compile(&sources, &networks, &half, &size, &errors);   again when networks
 * change policy_store_write(store, half, size);                       see store.h
 *
 * A file with a mistake is left out as a whole, all of its mistakes are told, and the others are
 * compiled all the same. Whether that is wanted is the caller's choice: who has a good database
 * keeps it, since a policy that is missing may open what it kept closed.
 *
 * Order: of the policies that match a program the most specific one counts, and it is the first in
 * the database (see entry_compare() in compile.c).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/array.h"
#include "daemon/util/json.h"
#include "eval.h"
#include "format.h"

#define POLICY_SYSTEM POLICY_ANY_UID /* owner of a file that is not a user's own */

/* A mistake; place.line is 0 if it is not about a place in the file. */
struct policy_error {
        char *file;
        struct json_error what;
};

struct policy_errors {
        ARRAY_OF(struct policy_error) list;
        size_t left_out; /* beyond LIMIT_POLICY_ERRORS */
};

void policy_errors_done(struct policy_errors *errors);

/* "FILE:LINE:COLUMN: what", or "FILE: what". */
#define POLICY_ERROR_TEXT 1024
void policy_error_print(const struct policy_error *error, char text[static POLICY_ERROR_TEXT]);

/* A file that was read. Its name without .json is the name of the policy. */
struct policy_source {
        char *path;
        char *text; /* NULL: it could not be read, so that an earlier one of its name is gone, too
                     */
        size_t len;
        uint32_t owner; /* POLICY_SYSTEM, or the user whose programs alone it is for */
};

struct policy_sources {
        ARRAY_OF(struct policy_source) list;
};

void policy_sources_done(struct policy_sources *sources);

/*
 * Adds a file whose text is known, as a copy; one of the same name makes room for it. 0, -EINVAL
 * with an error appended, or -ENOMEM.
 */
int policy_sources_add(struct policy_sources *sources, const char *path, const char *text,
                       size_t len, uint32_t owner, struct policy_errors *errors);

/* Reads one file, whatever it is called. 0, -EINVAL with an error appended, or -ENOMEM. */
int policy_load_file(struct policy_sources *sources, const char *path, uint32_t owner,
                     struct policy_errors *errors);

/*
 * Reads all NAME.json of directories. A file of a later directory replaces the one of the same
 * name of an earlier one; a directory that is not there is empty. 0, -EINVAL with errors appended
 * (the rest is read all the same), or -ENOMEM.
 */
int policy_load_dirs(struct policy_sources *sources, const char *const *dirs, size_t n,
                     uint32_t owner, struct policy_errors *errors);

/* An address of this host, and the network that it is in. */
struct policy_network {
        char ifname[16];
        struct policy_prefix network;
        struct policy_address address; /* port does not count */
};

/* What is known of this host's network. */
struct policy_networks {
        ARRAY_OF(struct policy_network) list;
        const struct policy_blackhole *blackholes; /* not its own */
        size_t n_blackholes;
};

/*
 * Compiles: ret_half has *ret_size bytes, belongs to the caller, and is what policy_store_write()
 * takes; there are POLICY_HALF_BYTES in it, so that eval.h may read it, too. 0; or 1: errors has
 * more, and the files with mistakes are left out; or -ENOBUFS: more networks than
 * LIMIT_POLICY_NETWORKS; or -ENOMEM. ret_half is set for 0 and 1.
 */
int policy_compile(const struct policy_sources *sources, const struct policy_networks *networks,
                   void **ret_half, size_t *ret_size, struct policy_errors *errors);
