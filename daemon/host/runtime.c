#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "../util/cleanup.h"
#include "../util/log.h"

int runtime_lock(const char *runtime) {
        _cleanup_(closep) int fd = -1;
        char path[PATH_MAX];

        if (mkdir(runtime, 0755) < 0 && errno != EEXIST) {
                log_error("%s can't be made: %s", runtime, strerror(errno));
                return -errno;
        }
        snprintf(path, sizeof(path), "%s/lock", runtime);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        /* whoever may read it may lock it, and so keep us from starting */
        if (fd < 0 || fchmod(fd, 0600) < 0) {
                int r = -errno;

                log_error("%s can't be opened: %s", path, strerror(-r));
                return r;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                log_error("another mptcpized is running: it holds %s", path);
                return -EBUSY;
        }
        return TAKE_FD(fd);
}
