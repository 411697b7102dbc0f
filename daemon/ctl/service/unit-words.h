/*
 * Values of settings of units that are lists of words, quoted as systemd.syntax(7) has it.
 */
#pragma once

#include <jansson.h>

#define UNIT_WORD 4096

/* The next word of *text, which moves behind it; one that is too long is cut. 0: no more. */
int unit_word(const char **text, char word[static UNIT_WORD]);

/* Of the values of Environment=, what variable name is in the end; false: it is not set. */
int unit_variable(const json_t *settings, const char *name, char value[static UNIT_WORD]);

/* A word so that systemd reads it as it is, in quotes; -ENOBUFS: there is no room for it. */
int unit_quote(const char *word, char *to, size_t size);
