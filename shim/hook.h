/*
 * What the files with hooks (hook*.c) share.
 *
 * A hook calls the next library that has the function (next.h), so that other preload libraries
 * keep working.
 *
 * Invariants, since a hook may run in a signal handler, in a vfork child, under a seccomp filter,
 * in a program that closes all descriptors, and before or after any constructor:
 *  - no allocation, lock, stdio, getenv or descriptor of our own that lives on;
 *  - state is fixed arrays of atomics (fd.h) and what the constructor has found;
 *  - on success errno is what it was before the call; on failure it is the error of the call whose
 *    result the application gets;
 *  - only libc symbols that every libc for Linux has: musl runs this as built for glibc.
 *
 * Aliases that glibc exports beside the plain names (__connect, __close, __fcntl) are left alone:
 * no program or library of a Debian installation imports one.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "fd.h"

#define HOOK_EXPORT __attribute__((visibility("default")))

/* Out of the way of those calls that are only passed on. */
#define HOOK_APART __attribute__((noinline))

/*
 * Declares hook_<name>(), which is the exported function <name>. So its type need not be the one
 * that a header gives: glibc declares the addresses of connect() and others as unions, which clang
 * takes for a conflict, and gives some functions other names for 64-bit offsets.
 */
#define HOOK_DECLARE(result, name, arguments) \
        HOOK_EXPORT result hook_##name arguments __asm__(#name)

/* An MPTCP socket that may still become TCP? */
static inline bool hook_is_fresh(uint32_t flags) {
        return (flags & (FD_KIND | FD_CONNECTED | FD_LISTENING)) == FD_MPTCP;
}

/* The result of a hook that no other library has the function for. */
static inline int hook_missing(void) {
        errno = ENOSYS;
        return -1;
}

/*
 * For whatever connects a socket, also send functions with MSG_FASTOPEN: the first before the call
 * makes it TCP if the policy says so; the second after it, with its result (below 0: errno says
 * why). Both keep errno.
 */
void hook_connecting(int fd, const struct sockaddr *address, socklen_t len);
void hook_connected(int fd, ssize_t result);

/*
 * What was accepted for one descriptor is so for another that comes from it: set for real on a TCP
 * socket, else remembered. errno is not kept.
 */
void hook_copy_options(int from, int to, bool real);
