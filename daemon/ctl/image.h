/*
 * What an ELF file says of how it is started: does the dynamic linker see it, and who built it?
 *
 * Pure: the bytes of a file in, flags out. Every offset in them may be wrong.
 */
#pragma once

#include <stddef.h>

#define IMAGE_INTERP 0x1 /* it names a dynamic linker: a preload library gets into it */
#define IMAGE_GO     0x2 /* the Go toolchain linked it: it makes its system calls by itself */

/*
 * Looks at the n bytes of a file, of either class and in the byte order of this host. Returns
 * IMAGE_* flags, -ENOEXEC if it is no such file, -EBADMSG if its program headers are not in it.
 */
int image_look(const void *bytes, size_t n);
