/*
 * Text of others for those who take nothing but UTF-8: the bus closes its connection at the first
 * string that is none. Names of programs and interfaces are bytes, and may be cut anywhere.
 */
#pragma once

#include <stddef.h>

/* Every byte that belongs to no character becomes "?". */
void utf8_clean(char *text);

/* The same in a copy, which is cut where size, with the NUL, is too small. Returns copy. */
const char *utf8_copy(const char *text, char *copy, size_t size);
