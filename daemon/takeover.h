/*
 * What the daemon changes on its host, and puts back: sysctls of net.mptcp, and rules and routes
 * of our own. The gate (auth/gate.h) stays closed while there is something behind it.
 *
 * Everything here logs, in one sentence, what it could not do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/conf.h"
#include "core/routing.h"
#include "kern/kern.h"
#include "host/sysctl.h"

struct takeover {
        const char *runtime; /* directory, where the record of sysctls is */
        bool active;         /* there is something to put back */
        char path_manager[SYSCTL_VALUE];
        char previous_path_manager[SYSCTL_VALUE];
        uint32_t dead_after; /* seconds, as the kernel has it */
        uint32_t wanted_dead_after;
        enum conf_join_initial wanted_join_initial;
        struct routing routing; /* that was put in place last */
};

/*
 * What of this can be had here, as the kernel's features, beside those that kern/ has found; tells
 * what is missing.
 */
void takeover_look(struct features *features);

/* New sockets get the user-space path manager. 0 or a negative errno. */
int takeover_path_manager(struct takeover *takeover);

/*
 * Sets what the configuration asks for. What somebody else has put there since is replaced only
 * where the configuration has changed.
 */
void takeover_follow(struct takeover *takeover, const struct conf *conf);

/* Makes rules and routes be what is wanted, and tells of what has changed. */
void takeover_route(struct takeover *takeover, struct kern *kern, const struct routing *wanted);

/* Puts all back; does nothing if nothing was taken. */
void takeover_end(struct takeover *takeover);

/*
 * Puts back what a daemon that crashed has left. 0: done; positive: there was nothing; else a
 * negative errno.
 */
int takeover_restore(const char *runtime);

/* The same at a start, and says so. 0 or a negative errno. */
int takeover_restore_last(const char *runtime);
