/*
 * The policies in force: compiled into the database that programs map, compiled again when the
 * network of this host has changed, and read for the daemon itself.
 */
#pragma once

#include <limits.h>
#include "daemon.h"
#include "hint/database.h"
#include "host/rules.h"
#include "core/engine.h"

struct policies {
        struct rules *rules;      /* as files have them */
        struct database database; /* as rules has written them */
        uint32_t net_serial;      /* of the network that they were compiled for */
        uint64_t retry_usec;      /* not before; 0: at once */
        char path[PATH_MAX];      /* of the database */
};

/* Opens the database. 0 or a negative errno, which is logged. */
int policies_init(struct policies *policies, const struct daemon_options *options);
/* Also of one that is all zero. */
void policies_done(struct policies *policies);

/* Compiles them for the first time; mistakes are logged. 0 or a negative errno, logged. */
int policies_start(struct policies *policies, const struct engine *engine);

/*
 * Reads the files again, and puts them in force after prepare. A negative errno: the old ones stay
 * in force; one sentence is in error, and what else is wrong is logged.
 */
int policies_reload(struct policies *policies, const struct engine *engine,
                    rules_prepare_fn prepare, void *userdata, char error[static RULES_ERROR]);

/* Has the network changed since they were compiled, and is it time? */
bool policies_are_behind(const struct policies *policies, const struct engine *engine);
/* When it will be, or that time, if this is earlier. */
uint64_t policies_deadline(const struct policies *policies, const struct engine *engine,
                           uint64_t usec);
/* Then they are compiled for it. */
void policies_follow(struct policies *policies, const struct engine *engine);

/* What the database says; NULL: nothing. Valid until the next call. */
const struct policy_read *policies_read(struct policies *policies);
