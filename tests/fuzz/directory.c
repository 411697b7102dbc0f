/*
 * See directory.h. In memory, where there is a file system for that.
 */
#include "directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

static char path[PATH_MAX];

static void directory_done(void) {
        DIR *directory = opendir(path);
        struct dirent *entry;

        while (directory && (entry = readdir(directory)))
                (void)unlinkat(dirfd(directory), entry->d_name, 0);
        if (directory)
                closedir(directory);
        (void)rmdir(path);
}

const char *directory_path(void) {
        if (path[0])
                return path;
        snprintf(path, sizeof(path), "%s/fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(path) || atexit(directory_done) != 0)
                abort();
        log_set_level(LOG_CRIT); /* there is something wrong with most files */
        return path;
}

static int directory_open(const char *name, int flags) {
        char file[PATH_MAX + NAME_MAX];

        snprintf(file, sizeof(file), "%s/%s", directory_path(), name);
        return open(file, flags | O_CLOEXEC, 0600);
}

void directory_write(const char *name, const void *bytes, size_t n) {
        _cleanup_(closep) int fd = directory_open(name, O_WRONLY | O_CREAT | O_TRUNC);

        if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
                abort();
}

size_t directory_read(const char *name, void *bytes, size_t size) {
        _cleanup_(closep) int fd = directory_open(name, O_RDONLY);
        ssize_t n = fd < 0 ? 0 : read(fd, bytes, size);

        return n > 0 ? (size_t)n : 0;
}
