/*
 * mptcpctl --help, and the help of one command.
 */
#pragma once

#include <stdio.h>
#include "command.h"

/* All commands, by group, and the options that are for all. */
void help_print(FILE *file, const struct command_table *table);

/* One command: synopsis, arguments, its options, an example. */
void help_print_command(const struct command_table *table, const struct command *command);

/* All commands that begin with a word ("subflow"). */
void help_print_group(const struct command_table *table, const char *first);
