/*
 * The policy database as a reader has it. See database.h.
 *
 * It is mapped once it is there, and kept: its writer never replaces the file (policy/format.h).
 */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "../util/cleanup.h"

/* A mapping beyond the end of the file would be deadly to touch. */
static int database_map(struct database *database, const char *path) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat file;
        void *map;

        if (fd < 0 || fstat(fd, &file) < 0)
                return -errno;
        if (!S_ISREG(file.st_mode) || file.st_size != (off_t)POLICY_FILE_BYTES)
                return -EINVAL;
        map = mmap(NULL, POLICY_FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        database->map = map;
        return 0;
}

const struct policy_read *database_read(struct database *database, const char *path) {
        uint32_t generation;

        if (!database->map && database_map(database, path) < 0)
                return NULL;
        generation = policy_generation(database->map, POLICY_FILE_BYTES);
        if (generation != database->generation) {
                database->generation = generation;
                database->sound = policy_begin(database->map, POLICY_FILE_BYTES, &database->read);
        }
        return database->sound ? &database->read : NULL;
}

void database_done(struct database *database) {
        void *map;

        memcpy(&map, &database->map, sizeof(map));
        if (map)
                (void)munmap(map, POLICY_FILE_BYTES);
        *database = DATABASE_NULL;
}
