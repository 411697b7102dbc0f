/*
 * The policies of this host: files of the policy directories, compiled into the one database that
 * the preload libraries have mapped (see policy/compile.h, policy/store.h).
 *
 * The database also has this host's own addresses and the networks of its interfaces, so it is
 * written anew when those change: from the files as they were read last, for a file that somebody
 * is editing counts only after a reload.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../util/limits.h"
#include "policy/format.h"

#define RULES_ERROR 1024

struct model;
struct policy_read;
struct rules;

/* What has to be made of policies before they are in force. 0, or a negative errno: they are not.
 */
typedef int (*rules_prepare_fn)(const struct policy_read *read, void *userdata);

/* What there is to show. Strings are valid until the next call that changes something. */
struct rules_status {
        const char *database;
        const char *const *dirs; /* later ones override */
        size_t n_dirs;
        uint32_t policies;   /* in the database */
        uint32_t generation; /* of the database */
        char *const *errors; /* of the last reading: "FILE:LINE:COLUMN: what" */
        size_t n_errors;
};

/*
 * Opens the database, and makes it if it isn't there; nothing is read or written yet. dirs and
 * database must outlive the rules. The caller sees to it that nobody else has rules with this
 * database. 0 or a negative errno.
 */
int rules_new(const char *const *dirs, size_t n_dirs, const char *database,
              struct rules **ret_rules);

/* The database stays. Takes NULL. */
void rules_free(struct rules *rules);

/*
 * Reads all files and writes the database, for the network that model has. Files with mistakes are
 * left out. 0; positive: there are errors in the status; or a negative errno.
 */
int rules_start(struct rules *rules, const struct model *model);

/*
 * The same, but with any mistake, or a negative errno of prepare (which may be NULL), all stays as
 * it is: a negative errno, and errors in the status.
 */
int rules_reload(struct rules *rules, const struct model *model, rules_prepare_fn prepare,
                 void *userdata);

/* Writes the database if the network has changed in a way that matters. 0 or a negative errno. */
int rules_follow(struct rules *rules, const struct model *model);

/*
 * Only looks for mistakes, and gives each to on_error. 0, -EINVAL if there are any, or another
 * negative errno.
 */
int rules_check(const char *const *dirs, size_t n_dirs, void (*on_error)(const char *error));

/*
 * What becomes of struct policy_blackhole: those in the database now, as an earlier daemon may have
 * left them (at most LIMIT_BLACKHOLES); and putting others in their place, which writes the
 * database. 0 or a negative errno.
 */
size_t rules_blackholes(const struct rules *rules,
                        struct policy_blackhole ret_rows[static LIMIT_BLACKHOLES]);
int rules_set_blackholes(struct rules *rules, const struct policy_blackhole *rows, size_t n);

void rules_status(const struct rules *rules, struct rules_status *ret_status);
