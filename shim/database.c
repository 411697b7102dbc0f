#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/format.h"

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)

/* Is the directory of path that user's, and nobody else's but root's to put files into? */
static bool database_is_at_home(const char *path, uid_t user) {
        const size_t n = (size_t)(strrchr(path, '/') - path);
        char directory[PATH_MAX];
        struct stat is;

        if (n >= sizeof(directory))
                return false;
        memcpy(directory, path, n);
        directory[n] = '\0';
        return stat(directory, &is) == 0 && is.st_uid == user && !(is.st_mode & OTHERS_WRITE);
}

/* How it can be used: in *ret_shared whether its owner is trusted not to truncate it. */
static int database_check(const struct stat *file, const char *path, bool own, bool *ret_shared) {
        if (!S_ISREG(file->st_mode) || file->st_size != (off_t)POLICY_FILE_BYTES)
                return -EINVAL;
        if (file->st_mode & OTHERS_WRITE)
                return -EPERM;
        *ret_shared = file->st_uid == 0 || (!own && database_is_at_home(path, file->st_uid));
        return *ret_shared || (own && file->st_uid == geteuid()) ? 0 : -EPERM;
}

static void database_read(int fd, char *copy, size_t offset, size_t n) {
        while (n > 0) {
                ssize_t r = pread(fd, copy + offset, n, (off_t)offset);

                if (r <= 0)
                        return; /* what is missing stays zero, and the sum will tell */
                offset += (size_t)r;
                n -= (size_t)r;
        }
}

/* Only what is in use: the header, and of the current half what it says. */
static const void *database_copy(int fd) {
        char *copy = mmap(NULL, POLICY_FILE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        const struct policy_header *header = (const void *)copy;
        const struct policy_half *half;
        size_t at;

        if (copy == MAP_FAILED)
                return NULL;
        database_read(fd, copy, 0, sizeof(*header));
        at = POLICY_HEADER_BYTES + (header->generation & 1u) * (size_t)POLICY_HALF_BYTES;
        half = (const void *)(copy + at);
        database_read(fd, copy, at, sizeof(*half));
        if (half->bytes <= POLICY_HALF_BYTES)
                database_read(fd, copy, at, half->bytes);
        (void)mprotect(copy, POLICY_FILE_BYTES, PROT_READ);
        return copy;
}

static const void *database_map_shared(int fd) {
        const void *map = mmap(NULL, POLICY_FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);

        return map == MAP_FAILED ? NULL : map;
}

const void *database_map(const char *path, bool own) {
        /* O_NONBLOCK: a FIFO must not keep us. */
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), r;
        const void *map = NULL;
        struct stat file;
        bool shared = false;

        if (fd < 0)
                return NULL;
        r = fstat(fd, &file) < 0 ? -errno : database_check(&file, path, own, &shared);
        if (r == 0) {
                map = shared ? database_map_shared(fd) : database_copy(fd);
                r = map ? 0 : -errno;
        }
        (void)close(fd);
        errno = -r;
        return map;
}
