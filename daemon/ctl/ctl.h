/*
 * What the commands of mptcpctl share.
 *
 * A command asks the daemon (client.h), builds one JSON tree of what it learned (fields.h), and
 * prints it: with --json the tree itself, otherwise a text made of it (render.h). The tree is the
 * contract; both forms show the same facts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#define CTL_DONE   0
#define CTL_FAILED 1 /* also: not found */
#define CTL_USAGE  2

#define CTL_RUN_CANNOT    126 /* as shells have it: the program is there but can't be run, */
#define CTL_RUN_NOT_FOUND 127 /* or it is not there */

struct command_table;

struct ctl {
        bool json;
        bool help;
        bool version;
        bool verbose; /* these are for "run" */
        bool supervise;
        bool no_supervise;
        const char *mode;
        const char *policy;
        bool backup; /* for "subflow add" */
        bool keep;   /* for "interface" */
        bool listen; /* these for "policy" */
        bool connect;
        const char *db;
        const char *output;
        const char *uid;
        const char *unit;
        const char *from;
        const char *device;
        bool once; /* these for "top" */
        const char *interval;
        const char *root; /* these for "service" */
        bool user;
        char **args; /* of the command, ends with NULL */
        size_t n_args;
        const struct command_table *table;
};

/* A command: returns the exit status, having printed what there is to say. */
typedef int (*ctl_run_fn)(const struct ctl *ctl);

int cmd_status(const struct ctl *ctl);
int cmd_connections(const struct ctl *ctl);
int cmd_show(const struct ctl *ctl);
int cmd_plugin(const struct ctl *ctl);
int cmd_advise(const struct ctl *ctl);
int cmd_reload(const struct ctl *ctl);
int cmd_metrics(const struct ctl *ctl);
int cmd_top(const struct ctl *ctl);
int cmd_run(const struct ctl *ctl);
int cmd_doctor(const struct ctl *ctl);
int cmd_help(const struct ctl *ctl);
int cmd_subflow_add(const struct ctl *ctl);
int cmd_subflow_remove(const struct ctl *ctl);
int cmd_subflow_backup(const struct ctl *ctl);
int cmd_announce_add(const struct ctl *ctl);
int cmd_announce_remove(const struct ctl *ctl);
int cmd_interface(const struct ctl *ctl);
int cmd_limits(const struct ctl *ctl);
int cmd_monitor(const struct ctl *ctl);
int cmd_complete(const struct ctl *ctl);

/*
 * Prints an error: for people on standard error and, with --json, as {"error": "..."} on standard
 * output. Returns status, so that a command can return it.
 */
int ctl_fail(const struct ctl *ctl, int status, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* The end of a command that has nothing to print: with --json an empty object. CTL_DONE. */
int ctl_done(const struct ctl *ctl);

/*
 * CTL_DONE, or CTL_USAGE after it has said which argument can't be a name or an address: it has
 * control characters, or bytes that are no text, or is longer than any name.
 */
int ctl_check_words(const struct ctl *ctl);
