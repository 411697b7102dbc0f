/*
 * mptcpctl run: a program with the library in it.
 *
 * LD_PRELOAD is set and the program takes the place of mptcpctl, so that its exit status, signals
 * and terminal are its own. The daemon is not needed: without one, connections are MPTCP all the
 * same and have one subflow, or those that the kernel makes.
 */
#include "ctl.h"
#include "../util/cleanup.h"
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHIM_VARIABLE "MPTCPIZE_SHIM"

/* The dynamic loader only warns about a library that it can't open: look before. 0 or -errno. */
static int shim_check(const char *path) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EISDIR;
        /* both separate the names in LD_PRELOAD, and nothing quotes them */
        return strpbrk(path, ": ") ? -EINVAL : 0;
}

/* LD_PRELOAD: our library first, then what was there. 0 or -errno. */
static int preload_set(const char *path) {
        const char *old = getenv("LD_PRELOAD");
        char *value;
        size_t size;
        int r;

        if (!old || !*old)
                return setenv("LD_PRELOAD", path, 1) < 0 ? -errno : 0;
        size = strlen(path) + strlen(old) + 2;
        value = malloc(size);
        if (!value)
                return -ENOMEM;
        snprintf(value, size, "%s:%s", path, old);
        r = setenv("LD_PRELOAD", value, 1) < 0 ? -errno : 0;
        free(value);
        return r;
}

static int run_fail_shim(const struct ctl *ctl, const char *path, int r) {
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

/* After execvp() came back. */
static int run_fail_program(const struct ctl *ctl, const char *program, int r) {
        if (r == -ENOENT || r == -ENOTDIR)
                return ctl_fail(ctl, CTL_RUN_NOT_FOUND,
                                "\"%s\" is not found, or the interpreter that its first line names "
                                "is not",
                                program);
        return ctl_fail(ctl, CTL_RUN_CANNOT, "\"%s\" can't be run: %s", program, strerror(-r));
}

int cmd_run(const struct ctl *ctl) {
        const char *named = getenv(SHIM_VARIABLE);
        const char *path = named && *named ? named : MPTCPIZE_SHIM_PATH;
        char absolute[PATH_MAX];
        int r;

        /* the program may change its directory before it starts another one */
        if (path[0] != '/') {
                if (!realpath(path, absolute))
                        return run_fail_shim(ctl, path, -errno);
                path = absolute;
        }
        r = shim_check(path);
        if (r < 0)
                return run_fail_shim(ctl, path, r);
        r = preload_set(path);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "LD_PRELOAD can't be set: %s", strerror(-r));
        execvp(ctl->args[0], ctl->args);
        return run_fail_program(ctl, ctl->args[0], -errno);
}
