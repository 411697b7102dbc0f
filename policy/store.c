#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/util/cleanup.h"
#include "eval.h"

struct policy_store {
        int fd; /* holds the lock */
        struct policy_header *header;
        uint32_t generation; /* the last one */
};

DEFINE_CLEANUP(struct policy_store *, policy_store_close)

void policy_store_close(struct policy_store *store) {
        if (!store)
                return;
        if (store->header)
                munmap(store->header, POLICY_FILE_BYTES);
        closep(&store->fd);
        free(store);
}

/*
 * The size is that of a database, or more. Blocks are reserved: a file with holes would kill us,
 * not fail, when the disk is full.
 */
static int store_grow(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        /* not what umask makes of it: everybody's programs read it */
        if ((st.st_mode & 07777) != 0644 && fchmod(fd, 0644) < 0)
                return -errno;
        return -posix_fallocate(fd, 0, POLICY_FILE_BYTES);
}

/* Of another version, or new: nothing is in force until the header is ours. Generations go on. */
static void store_claim(struct policy_store *store) {
        struct policy_header *header = store->header;

        store->generation = header->generation;
        if (memcmp(header->magic, POLICY_MAGIC, sizeof(header->magic)) == 0 &&
            header->version == POLICY_VERSION && header->half_bytes == POLICY_HALF_BYTES)
                return;
        __atomic_store_n(&header->generation, 0, __ATOMIC_SEQ_CST);
        memcpy(header->magic, POLICY_MAGIC, sizeof(header->magic));
        header->version = POLICY_VERSION;
        header->half_bytes = POLICY_HALF_BYTES;
}

int policy_store_open(const char *path, bool alone, struct policy_store **ret_store) {
        _cleanup_(policy_store_closep) struct policy_store *store = calloc(1, sizeof(*store));
        void *map;
        int r;

        if (!store)
                return -ENOMEM;
        store->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
        if (store->fd < 0)
                return -errno;
        if (flock(store->fd, LOCK_EX | LOCK_NB) < 0 && !alone)
                return -errno;
        r = store_grow(store->fd);
        if (r < 0)
                return r;
        map = mmap(NULL, POLICY_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, store->fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        store->header = map;
        store_claim(store);
        *ret_store = TAKE_PTR(store);
        return 0;
}

uint32_t policy_store_generation(const struct policy_store *store) {
        return policy_generation(store->header, POLICY_FILE_BYTES);
}

bool policy_store_read(const struct policy_store *store, struct policy_read *ret_read) {
        return policy_begin(store->header, POLICY_FILE_BYTES, ret_read);
}

/* Generation and sum are made anew by each writing; the rest tells halves apart. */
static bool store_has(const struct policy_store *store, const struct policy_half *half) {
        const size_t from = offsetof(struct policy_half, apps);
        struct policy_read read;

        return policy_begin(store->header, POLICY_FILE_BYTES, &read) && policy_is_whole(&read) &&
               read.half->bytes == half->bytes &&
               memcmp((const char *)read.half + from, (const char *)half + from,
                      half->bytes - from) == 0;
}

int policy_store_write(struct policy_store *store, const void *half, size_t size) {
        const struct policy_half *from = half;
        uint32_t generation = store->generation + 1;
        struct policy_half *to;

        if (size < sizeof(*from) || size > POLICY_HALF_BYTES || size % sizeof(uint64_t) != 0 ||
            from->bytes != size)
                return -EINVAL;
        if (store_has(store, from))
                return 0;
        if (generation == 0) /* that means "nothing yet"; the lowest bit must still change */
                generation = 2;
        to = (void *)((char *)store->header + POLICY_HEADER_BYTES +
                      (size_t)(generation & 1u) * POLICY_HALF_BYTES);
        /* a reader that sees any of this must see that the last flip is behind it */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        memcpy(to, half, size);
        __atomic_store_n(&store->header->whole[generation & 1u], generation, __ATOMIC_RELAXED);
        to->generation = generation;
        to->sum = policy_sum((const char *)to + sizeof(to->sum), size - sizeof(to->sum));
        __atomic_store_n(&store->header->generation, generation, __ATOMIC_RELEASE);
        store->generation = generation;
        return 0;
}

/* The whole file, with a generation in it that stayed the same meanwhile. */
static int copy_take(const void *map, void *copy) {
        struct policy_read read;
        int tries;

        for (tries = 0; tries < 100; tries++) {
                if (!policy_begin(map, POLICY_FILE_BYTES, &read))
                        continue;
                memcpy(copy, map, POLICY_FILE_BYTES);
                if (policy_end(&read))
                        return policy_begin(copy, POLICY_FILE_BYTES, &read) ? 0 : -ENODATA;
        }
        return -ENODATA;
}

int policy_store_copy(const char *path, void **ret_copy) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        _cleanup_(freep) void *copy = NULL;
        struct stat st;
        void *map;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < (off_t)POLICY_FILE_BYTES)
                return -ENODATA;
        copy = malloc(POLICY_FILE_BYTES);
        if (!copy)
                return -ENOMEM;
        map = mmap(NULL, POLICY_FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        r = copy_take(map, copy);
        munmap(map, POLICY_FILE_BYTES);
        if (r == 0)
                *ret_copy = TAKE_PTR(copy);
        return r;
}
