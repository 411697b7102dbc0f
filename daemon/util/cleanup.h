/*
 * Ownership helpers: _cleanup_(x_freep) on a local, TAKE_PTR to hand it over.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

#define TAKE_PTR(p)                      \
        ({                               \
                typeof(p) *_pp = &(p);   \
                typeof(p) _taken = *_pp; \
                *_pp = NULL;             \
                _taken;                  \
        })

#define TAKE_FD(fd)                \
        ({                         \
                int *_pfd = &(fd); \
                int _fd = *_pfd;   \
                *_pfd = -1;        \
                _fd;               \
        })

/* From a member to the structure that it is in. */
#define CONTAINER_OF(pointer, type, member) \
        ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Each owner gets what the other had. */
#define SWAP(a, b)                    \
        do {                          \
                typeof(a) _was = (a); \
                (a) = (b);            \
                (b) = _was;           \
        } while (0)

/* Defines name##p, the cleanup function of a local pointer. */
#define DEFINE_CLEANUP(type, fn)            \
        static inline void fn##p(type *p) { \
                if (*p)                     \
                        fn(*p);             \
        }

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void freep(void *p) {
        free(*(void **)p);
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

static inline void fclosep(FILE **f) {
        if (*f)
                fclose(*f);
}
