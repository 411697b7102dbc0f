#include "replace.h"
#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int file_fill(int dir, const char *name, const char *text, bool durable) {
        _cleanup_(closep) int fd = openat(
                        dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        const size_t len = strlen(text);
        ssize_t n;

        if (fd < 0 || fchmod(fd, 0644) < 0)
                return -errno;
        n = write(fd, text, len);
        if (n < 0 || (durable && fsync(fd) < 0))
                return -errno;
        return (size_t)n == len ? 0 : -ENOSPC;
}

int replace_file(int dir, const char *name, const char *fresh, const char *text, bool durable) {
        int r;

        if (unlinkat(dir, fresh, 0) < 0 && errno != ENOENT)
                return -errno;
        r = file_fill(dir, fresh, text, durable);
        if (r == 0 && renameat(dir, fresh, dir, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir, fresh, 0);
        return r;
}
