/*
 * The words of the command line.
 *
 * Options may stand before or behind the command. For "run", everything from the first word that
 * is no option on belongs to the program.
 */
#pragma once

#include <stdint.h>
#include "command.h"

#define WORDS_OPTIONS_MAX 64u

/* What the words come to. */
struct words {
        const struct command_table *table;
        const struct command *command; /* NULL: none that there is */
        const char *first;   /* the word that only begins a command ("subflow"), or NULL */
        const char *problem; /* of the first word that is wrong, NULL: none is */
        const char *wrong;
        uint64_t seen; /* options of the table, a bit each */
};

/*
 * Sorts the words; the arguments of the command move to the front of argv, and ctl gets them and
 * what the options say. Returns what was found in words.
 */
void words_read(struct words *words, struct ctl *ctl, int argc, char **argv);

/* Says what is wrong with the words, with what may have been meant. Returns CTL_USAGE. */
int words_fail(const struct words *words, const struct ctl *ctl);

/* CTL_DONE, or CTL_USAGE after it has said what is missing or too much. */
int words_check(const struct words *words, const struct ctl *ctl);
