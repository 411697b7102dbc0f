/* See spy.h. */
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include "spy.h"
#include "support.h"

#define SPY_EXPORT __attribute__((visibility("default")))

SPY_EXPORT struct spy spy_state;

typedef int socket_func(int domain, int type, int protocol);

static _Atomic(socket_func *) next_socket;

/* Looks up once: dlsym() is not safe in a signal handler that interrupts another dlsym(). */
static socket_func *find_next_socket(void) {
        socket_func *next = atomic_load(&next_socket);

        if (!next) {
                next = (socket_func *)dlsym(RTLD_NEXT, "socket");
                atomic_store(&next_socket, next);
        }
        return next;
}

static void record(int protocol) {
        if (atomic_fetch_add(&spy_state.n_calls, 1) == 0)
                atomic_store(&spy_state.first_protocol, protocol);
        atomic_store(&spy_state.last_protocol, protocol);
}

static void call_back(void) {
        void (*callback)(void) = atomic_exchange(&spy_state.callback, NULL);

        if (callback)
                callback();
}

SPY_EXPORT int socket(int domain, int type, int protocol) {
        socket_func *next = find_next_socket();
        const int refuse = atomic_load(&spy_state.refuse);
        int fd = -1;

        record(protocol);
        call_back();
        if (!next)
                errno = ENOSYS;
        else if (refuse != 0 && protocol == SUPPORT_MPTCP)
                errno = refuse;
        else
                fd = next(domain, type, protocol);
        return fd;
}
