/*
 * "Did you mean": is a word a slip of the finger for another one?
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Single letters to add, drop or replace that make name of typed (Levenshtein). Names of
 * LIMIT_NAME bytes or more are as far away as can be: SIZE_MAX.
 */
size_t slip_distance(const char *typed, const char *name);

/* Two letters at most, and not more than half of the name. */
bool slip_is(const char *typed, const char *name);
