/*
 * The compiler of policies for fuzzers: keeps what is promised of every text.
 *
 * There are mistakes, each with a place within the text, or a database; never both.
 */
#pragma once

#include <jansson.h>

/* The image of that one file, which is to be freed; NULL: it has mistakes. */
void *policy_host_compile(const char *text, size_t n);

/* The policy of an image with one. */
json_t *policy_host_describe(const void *image);
