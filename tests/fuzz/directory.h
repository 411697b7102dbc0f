/*
 * A directory of a fuzzer's own, for parsers that open their files themselves. At the end it is
 * gone, with what is in it.
 */
#pragma once

#include <stddef.h>

/* Its path; the first call makes it. */
const char *directory_path(void);

/* Makes a file of these bytes, or replaces it. */
void directory_write(const char *name, const void *bytes, size_t n);

/* How many bytes of a file there are, at most size. 0: none. */
size_t directory_read(const char *name, void *bytes, size_t size);
