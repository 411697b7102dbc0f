/*
 * See starve.h. Under AddressSanitizer that is asked for memory, and finds what is lost of it;
 * otherwise glibc, by the names that its own functions have.
 *
 * A program that is preloaded is told by a file, STARVE_FILE, that it maps, numbers of 64 bits: how
 * many allocations there were, which one is to fail (0: none), whether all later ones are to, and
 * how many have failed.
 */
#include "starve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STARVE_EXPORT __attribute__((visibility("default")))

struct starve {
        atomic_ulong count;
        atomic_ulong fails; /* 0: none does */
        atomic_ulong lasting;
        atomic_ulong failed;
        atomic_bool held;
};

static struct starve starve_own;
static struct starve *starve_state = &starve_own;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *memory, size_t size) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *memory, size_t size);

void starve_begin(unsigned long n, bool lasting) {
        atomic_store(&starve_state->failed, 0);
        atomic_store(&starve_state->lasting, lasting);
        atomic_store(&starve_state->fails, atomic_load(&starve_state->count) + n);
}

void starve_hold(bool hold) {
        atomic_store(&starve_state->held, hold);
}

bool starve_end(void) {
        atomic_store(&starve_state->fails, 0);
        return atomic_load(&starve_state->failed);
}

static bool starve_now(void) {
        const unsigned long fails = atomic_load(&starve_state->fails);
        unsigned long count;

        if (atomic_load(&starve_state->held))
                return false;
        count = atomic_fetch_add(&starve_state->count, 1) + 1;
        if (!fails || (atomic_load(&starve_state->lasting) ? count < fails : count != fails))
                return false;
        atomic_fetch_add(&starve_state->failed, 1);
        errno = ENOMEM;
        return true;
}

STARVE_EXPORT void *malloc(size_t size) {
        if (starve_now())
                return NULL;
        return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

STARVE_EXPORT void *calloc(size_t n, size_t size) {
        if (starve_now())
                return NULL;
        return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

STARVE_EXPORT void *realloc(void *memory, size_t size) {
        if (starve_now())
                return NULL;
        return __interceptor_realloc ? __interceptor_realloc(memory, size)
                                     : __libc_realloc(memory, size);
}

static __attribute__((constructor)) void starve_open(void) {
        const char *path = getenv("STARVE_FILE");
        void *map;
        int fd;

        if (!path)
                return;
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                abort();
        map = mmap(NULL, sizeof(*starve_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                abort();
        close(fd);
        starve_state = map;
}
