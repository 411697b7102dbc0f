/* See alloc.h. __libc_malloc() and its like are glibc's names for the functions we hide. */
#include <stdatomic.h>
#include <stddef.h>

#include "alloc.h"

#define ALLOC_EXPORT __attribute__((visibility("default")))

static atomic_ulong n_allocations;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *memory, size_t size);
void *memalign(size_t alignment, size_t size);
void *aligned_alloc(size_t alignment, size_t size);

ALLOC_EXPORT unsigned long alloc_count(void) {
        return atomic_load(&n_allocations);
}

ALLOC_EXPORT void *malloc(size_t size) {
        atomic_fetch_add(&n_allocations, 1);
        return __libc_malloc(size);
}

ALLOC_EXPORT void *calloc(size_t n, size_t size) {
        atomic_fetch_add(&n_allocations, 1);
        return __libc_calloc(n, size);
}

ALLOC_EXPORT void *realloc(void *memory, size_t size) {
        atomic_fetch_add(&n_allocations, 1);
        return __libc_realloc(memory, size);
}

ALLOC_EXPORT void *memalign(size_t alignment, size_t size) {
        atomic_fetch_add(&n_allocations, 1);
        return __libc_memalign(alignment, size);
}

ALLOC_EXPORT void *aligned_alloc(size_t alignment, size_t size) {
        return memalign(alignment, size);
}
