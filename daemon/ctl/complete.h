/*
 * Completion: what the last word of a command line can become.
 *
 * The scripts for shells (daemon/data/completion) only hand over the words and show what comes
 * back, so that all shells offer the same, and a new command needs no new script. A line for each
 * candidate: the word, a tab, what it is. Two lines are no candidates:
 *
 *     :files          a path is expected
 *     :command N      the words from the N-th on (from 0) are a command line of their own
 *
 * Candidates consist of letters, digits and a few signs that mean nothing to a shell: what has
 * another name is not offered. Errors are silence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "command.h"

/* What has been typed so far, sorted. */
struct typed {
        bool wrong; /* there is no such command */
        const struct command_table *table;
        const struct command *command;       /* NULL: not yet */
        const char *first;                   /* first word of a command of two, or NULL */
        const char *last;                    /* the word to be completed */
        const struct option_row *option;     /* last is its value */
        const char *db;                      /* value of --db */
        bool rest;                           /* no option can follow */
        const char *args[COMMAND_ARGUMENTS]; /* arguments before last */
        size_t n_args;                       /* of these, also those beyond the array */
        size_t at;                           /* index of last */
};

/* Reads words, the last of which is the one to be completed. */
void typed_read(struct typed *typed, const struct command_table *table, char *const *words,
                size_t n);

/* Prints word if it fits what is typed, and is harmless; text says what it is. */
void complete_offer(const struct typed *typed, const char *word, const char *text);

/* complete-bus.c: what only the daemon knows. */
void complete_offer_daemon(const struct typed *typed, enum argument argument);
