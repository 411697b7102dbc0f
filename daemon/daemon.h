/*
 * The composition root: builds all parts of mptcpized and connects them to one event loop.
 *
 *     kernel bytes -> codec -> event -> engine -> model -> plugin decide() -> actions -> queue
 *                  -> codec -> kernel -> answer -> event
 *
 * Receive handlers only feed events; one post source settles the model, hands actions to the
 * kernel and sets the one timer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/limits.h"

struct daemon_options {
        const char *config;                      /* configuration file */
        bool config_optional;                    /* it need not exist */
        const char *runtime;                     /* directory for what must survive a crash */
        const char *plugins;                     /* directory of the plugins */
        const char *policies[LIMIT_POLICY_DIRS]; /* directories of policies: later ones override */
        size_t n_policies;
};

struct daemon;

/* Allocates; touches nothing outside. options must outlive the daemon. 0 or a negative errno. */
int daemon_new(const struct daemon_options *options, struct daemon **ret_daemon);

/*
 * Connects to the kernel and the bus, takes over what it must, reads the state of things. Whatever
 * fails is logged here, in one sentence. 0 or a negative errno.
 */
int daemon_setup(struct daemon *daemon);

/* Loops until SIGTERM or SIGINT. 0 or a negative errno. */
int daemon_run(struct daemon *daemon);

/* Gives back what was taken over; takes NULL and half-built daemons. */
void daemon_free(struct daemon *daemon);

/* Only reads the configuration and tries its plugin's options; says what is wrong. */
int daemon_check(const struct daemon_options *options);

/* Puts back what a daemon that crashed has left changed. */
int daemon_restore(const struct daemon_options *options);
