/*
 * Looking at this host: small files, and what other programs print.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LOOK_TEXT 256

/* The first line of a file, without its newline. 0 or a negative errno. */
int look_line(const char *path, char text[static LOOK_TEXT]);

/* A sysctl, "net/mptcp/enabled", that is a number. 0 or a negative errno. */
int look_sysctl(const char *name, long *ret_value);

/* The whole of a file of at most max bytes; longer ones are cut. free() it. */
int look_file(const char *path, size_t max, char **ret_text, size_t *ret_n);

/*
 * What a program prints on its standard output; it gets a second of time, and at most max bytes
 * are kept. argv[0] is looked for in PATH and, for users, in the directories of root's programs.
 * free() it. -ENOENT: there is no such program; -EIO: it failed; -ETIMEDOUT; -EFBIG.
 */
int look_output(char *const argv[], size_t max, char **ret_text);
