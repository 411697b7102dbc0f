/*
 * A socket() call from a library constructor, for test-early.c. The linker option -z initfirst
 * makes that constructor run before those of preload libraries.
 */
#pragma once

struct early {
        int protocol;                /* what the constructor got: SO_PROTOCOL or a negative errno */
        int errno_after;             /* errno after it, EARLY_UNTOUCHED if the hook kept it */
        unsigned long n_allocations; /* what the call allocated; 0 where alloc.c is not preloaded */
};

enum { EARLY_UNTOUCHED = 4711 };

/* Makes a TCP socket as an application would. */
struct early early_probe(void);

/* What the library's constructor got. */
struct early early_result(void);
