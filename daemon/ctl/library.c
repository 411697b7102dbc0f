/*
 * The library that programs get. See library.h.
 */
#include "library.h"
#include "run/run-environ.h"
#include "service/unit-file.h"
#include "../util/cleanup.h"
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHIM_VARIABLE "MPTCPIZE_SHIM"

/* The dynamic loader only warns about a library that it can't open: look before. 0 or -errno. */
static int library_check(const char *path) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EISDIR;
        /* both separate the names in LD_PRELOAD, and nothing quotes them */
        return strpbrk(path, ": ") ? -EINVAL : 0;
}

static int library_fail(const struct ctl *ctl, const char *path, int r) {
        if (r == -EINVAL)
                return ctl_fail(ctl, CTL_FAILED,
                                "the library \"%s\" can't be preloaded: its path has a space or a "
                                "colon in it",
                                path);
        return ctl_fail(ctl, CTL_FAILED,
                        "the library \"%s\" can't be read (%s): install mptcpize, or name the "
                        "library in " SHIM_VARIABLE,
                        path, strerror(-r));
}

int library_find(const struct ctl *ctl, char library[static PATH_MAX]) {
        const char *named = getenv(SHIM_VARIABLE);
        const char *path = named && *named ? named : MPTCPIZE_SHIM_PATH;
        char absolute[PATH_MAX];
        int r;

        /* the program may change its directory before it starts another one */
        if (path[0] != '/') {
                if (!realpath(path, absolute))
                        return library_fail(ctl, path, -errno);
                path = absolute;
        }
        r = library_check(path);
        if (r < 0)
                return library_fail(ctl, path, r);
        if (named && *named)
                snprintf(library, PATH_MAX, "%s", path);
        else
                environ_library(path, library);
        return CTL_DONE;
}

int library_find_in(const struct ctl *ctl, int root, char library[static PATH_MAX]) {
        const char *named = getenv(SHIM_VARIABLE);
        const char *path = named && *named ? named : MPTCPIZE_SHIM_PATH;
        _cleanup_(closep) int fd = root_open(root, path, O_RDONLY | O_NONBLOCK);

        if (fd < 0 || path[0] != '/' || strpbrk(path, ": "))
                return library_fail(ctl, path, fd < 0 ? fd : -EINVAL);
        snprintf(library, PATH_MAX, "%s", path);
        return CTL_DONE;
}
