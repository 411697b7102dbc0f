/*
 * A second preload library, to see and to play what is next to ours in the chain.
 */
#pragma once

#include <dlfcn.h>
#include <stdatomic.h>

struct spy {
        atomic_uint n_calls;
        atomic_int first_protocol, last_protocol; /* as asked of the spy */
        atomic_int refuse;                        /* errno to answer to protocol 262, or 0 */
        void (*_Atomic callback)(void);           /* called once, inside the next socket() */
};

/* The spy of this process, or NULL if it is not loaded. */
static inline struct spy *spy_find(void) {
        return dlsym(RTLD_DEFAULT, "spy_state");
}
