/* See builder.h. */
#include "builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/eval.h"

void builder_init(struct builder *builder, uint32_t generation) {
        memset(builder, 0, sizeof(*builder));
        builder->half.generation = generation;
        builder->end = sizeof(builder->half);
}

struct policy_span builder_add(struct builder *builder, const void *data, size_t n,
                               size_t n_elements) {
        struct policy_span span = { builder->end, (uint32_t)n_elements };

        if (n > 0)
                memcpy(builder->bytes + builder->end, data, n);
        builder->end += (uint32_t)((n + 7) / 8 * 8);
        return span;
}

struct policy_span builder_add_text(struct builder *builder, const char *text) {
        return builder_add(builder, text, strlen(text), strlen(text));
}

struct policy_app builder_app(struct builder *builder, const char *name, uint32_t flags,
                              enum policy_mode mode) {
        return (struct policy_app){
                .name = builder_add_text(builder, name),
                .app = builder_add_text(builder, name),
                .uid = POLICY_ANY_UID,
                .flags = flags,
                .mode = mode,
        };
}

void builder_finish(struct builder *builder, const struct policy_app *apps, uint32_t n) {
        const size_t summed = offsetof(struct policy_half, bytes);

        builder->half.apps = builder_add(builder, apps, n * sizeof(*apps), n);
        builder->half.bytes = builder->end;
        builder->half.sum = policy_sum(builder->bytes + summed, builder->end - summed);
}

int builder_write(const struct builder *builder, const char *path) {
        const struct policy_header fresh = {
                POLICY_MAGIC, POLICY_VERSION, POLICY_HALF_BYTES, 0, { 0 }
        };
        uint32_t generation = builder->half.generation;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        char *map;

        if (fd < 0 || ftruncate(fd, POLICY_FILE_BYTES) < 0)
                return -errno;
        map = mmap(NULL, POLICY_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void)close(fd);
        if (map == MAP_FAILED)
                return -errno;
        memcpy(map, &fresh, offsetof(struct policy_header, generation));
        memcpy(map + POLICY_HEADER_BYTES + (generation & 1) * (size_t)POLICY_HALF_BYTES,
               builder->bytes, sizeof(builder->bytes));
        __atomic_store_n(&((struct policy_header *)(void *)map)->generation, generation,
                         __ATOMIC_RELEASE);
        return munmap(map, POLICY_FILE_BYTES);
}
