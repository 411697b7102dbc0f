/*
 * Exported symbols of libmptcpize.so, which the dynamic linker finds before those of libc.
 *
 * A hook decides (decide.h), calls the next library that has the function, so that other preload
 * libraries keep working, and falls back to the call as the application made it.
 *
 * Invariants, since a hook may run in a signal handler, in a vfork child, under a seccomp filter,
 * in a program that closes all descriptors, and before or after any constructor:
 *  - no allocation, lock, stdio, getenv or descriptor of our own;
 *  - the only state is next_socket, written with the same value by whoever comes first;
 *  - on success errno is what it was before the call; on failure it is the error of the call whose
 *    result the application gets;
 *  - only libc symbols that every libc for Linux has: musl runs this file as built for glibc.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>

#include "decide.h"

#define HOOK_EXPORT __attribute__((visibility("default")))

typedef int socket_func(int domain, int type, int protocol);

static _Atomic(socket_func *) next_socket;

/*
 * The socket() behind ours, or NULL if there is none. Must not end in the call of dlsym(): as a
 * tail call RTLD_NEXT would be relative to our caller, and the answer would be our own hook.
 */
static socket_func *hook_next_socket(void) {
        socket_func *next = atomic_load_explicit(&next_socket, memory_order_relaxed);
        int saved;

        if (next)
                return next;

        saved = errno;
        next = (socket_func *)dlsym(RTLD_NEXT, "socket");
        atomic_store_explicit(&next_socket, next, memory_order_relaxed);
        errno = saved;
        return next;
}

/*
 * Resolves early, because dlsym() takes the linker's lock and is thus best not called in a signal
 * handler. The hook resolves by itself as well: constructors of others may run before this one.
 */
__attribute__((constructor)) static void hook_init(void) {
        (void)hook_next_socket();
}

/*
 * socket(2), with MPTCP in place of TCP (RFC 8684; the socket API is Linux 5.6, net/mptcp).
 *
 * Where MPTCP is refused (decide_is_refusal()) the application gets the socket it asked for, with
 * its own arguments, and errno as it was before. Fails with ENOSYS if no other library has a
 * socket(), which only a broken link map can cause.
 */
HOOK_EXPORT int socket(int domain, int type, int protocol) {
        socket_func *next = hook_next_socket();
        int wanted = decide_protocol(domain, type, protocol);
        int saved = errno, fd;

        if (!next) {
                errno = ENOSYS;
                return -1;
        }

        fd = next(domain, type, wanted);
        if (fd >= 0 || wanted == protocol || !decide_is_refusal(errno))
                return fd;

        errno = saved;
        return next(domain, type, protocol);
}
