/*
 * The table of commands: what the words of the command line are read by (words.h), what the help
 * is made of (help.h) and what completion offers (complete.h), so that a command is told of once.
 */
#pragma once

#include "ctl.h"

/* Under which title the help lists it. */
enum command_group {
        COMMAND_LOOK,
        COMMAND_STEER,
        COMMAND_POLICY,
        COMMAND_PROGRAM,
        COMMAND_HIDDEN, /* for other programs */
        _COMMAND_GROUP_MAX
};

/* What an argument is, for completion. */
enum argument {
        ARGUMENT_ANY,  /* nothing can be offered */
        ARGUMENT_NONE, /* there is none */
        ARGUMENT_TOKEN,
        ARGUMENT_SOURCE,  /* where a subflow can start: an interface or an address of this host */
        ARGUMENT_SUBFLOW, /* the local end of a subflow of the connection before it */
        ARGUMENT_REMOTE,  /* the remote end of one */
        ARGUMENT_ADDRESS, /* an address of this host */
        ARGUMENT_INTERFACE,
        ARGUMENT_ROLE,
        ARGUMENT_PLUGIN, /* plugin, mode or policy, or the token of a connection before it */
        ARGUMENT_MODE,
        ARGUMENT_POLICY,
        ARGUMENT_LIMIT,   /* KEY=N */
        ARGUMENT_SWITCH,  /* on or off */
        ARGUMENT_COMMAND, /* words of this table */
        ARGUMENT_FILE,
        ARGUMENT_PROGRAM, /* of this host; what follows belongs to it */
        _ARGUMENT_MAX
};

#define COMMAND_ARGUMENTS 4u

struct command {
        const char *name;     /* one word, or two: "subflow add" */
        const char *synopsis; /* of its arguments, with a space before each */
        const char *help;     /* a line */
        size_t min_args;
        size_t max_args;
        ctl_run_fn run;
        bool rest; /* from its first argument on, nothing is an option */
        enum command_group group;
        const char *more;    /* what the arguments are, in lines for 80 columns; NULL: nothing */
        const char *example; /* lines, each a command; NULL: none */
        enum argument arguments[COMMAND_ARGUMENTS]; /* the last that is set goes for the rest */
};

struct option_row {
        const char *name;
        const char *value;   /* what follows it, NULL: nothing does */
        const char *command; /* the names, or first words, of those it is for, with "|"; NULL: all
                              */
        size_t member;       /* offset in struct ctl, of a const char * or else a bool */
        const char *help;
        enum argument argument; /* what the value is */
};

struct command_table {
        const struct command *commands;
        size_t n_commands;
        const struct option_row *options;
        size_t n_options;
};

/* The command of that name; NULL: none. */
const struct command *command_find(const struct command_table *table, const char *name);

/* Is it one of two words, the first of which is word? */
bool command_begins_with(const struct command *command, const char *word);

/* Is the option for this command? */
bool option_fits(const struct option_row *option, const struct command *command);

const struct option_row *option_find(const struct command_table *table, const char *name);
