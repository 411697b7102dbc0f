#include "next.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

struct next next_table;
_Atomic uint32_t next_ready;

struct next_name {
        const char *name;
        size_t offset;
};

static const struct next_name next_names[] = {
#define NEXT_NAME(result, name, arguments) { #name, offsetof(struct next, name) },
        NEXT_FUNCTIONS(NEXT_NAME)
#undef NEXT_NAME
};

/*
 * Must not end in the call of dlsym(): as a tail call RTLD_NEXT would be relative to our caller,
 * and the answer would be our own hook.
 */
void next_resolve(void) {
        int saved = errno;

        for (size_t i = 0; i < sizeof(next_names) / sizeof(*next_names); i++) {
                void *found = dlsym(RTLD_NEXT, next_names[i].name);

                memcpy((char *)&next_table + next_names[i].offset, &found, sizeof(found));
        }
        atomic_store_explicit(&next_ready, 1, memory_order_release);
        errno = saved;
}
