/*
 * The policies that are in force, or would be: as the programs of the user who asks find them.
 *
 * There are up to two databases: the system's and, for those who have one, the user's own. What
 * has not been compiled is compiled here and now, from the directories.
 */
#pragma once

#include <jansson.h>

#include "policy/compile.h"
#include "policy/eval.h"
#include "policy/store.h"

struct view_base {
        char *database; /* its path; NULL: compiled from the files */
        void *memory;
        struct policy_read read;
};

struct view {
        struct view_base bases[2]; /* the user's own first */
        size_t n;
        struct policy_errors errors; /* of what was compiled here */
};

struct view_error {
        char text[512];
};

/*
 * Opens the database db or, if that is NULL, MPTCPIZE_POLICY or, if that is not set, those that
 * count for this user. 0 or a negative errno with error filled in.
 */
int view_open(struct view *view, const char *db, struct view_error *error);
void view_done(struct view *view);

/* The directory of this user's own policies; NULL: none, or no memory. free() it. */
char *view_own_dir(void);

/* The user's own database; NULL: there is no place for one, or no memory. free() it. */
char *view_own_database(void);

/* Addresses and networks of this host. 0 or a negative errno. */
int view_networks(struct policy_networks *ret_networks);

/* Paths of databases as JSON, null for what was compiled here. */
json_t *view_databases(const struct view *view);
