#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../util/cleanup.h"
#include "../util/log.h"

#define SYSCTL_DIR "/proc/sys/net/mptcp/"

static int sysctl_open(const char *name, int flags) {
        char path[PATH_MAX];
        int fd;

        snprintf(path, sizeof(path), SYSCTL_DIR "%s", name);
        fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *name, char value[static SYSCTL_VALUE]) {
        _cleanup_(closep) int fd = sysctl_open(name, O_RDONLY);
        char text[SYSCTL_VALUE];
        ssize_t n;

        if (fd < 0)
                return fd;
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        text[strcspn(text, " \n\t")] = '\0';
        memcpy(value, text, sizeof(text));
        return 0;
}

static int sysctl_write(const char *name, const char *value) {
        _cleanup_(closep) int fd = sysctl_open(name, O_WRONLY);

        if (fd < 0)
                return fd;
        return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/* The record is one line a sysctl: name, what it was, what we made of it. */
static int sysctl_record(const char *dir, const char *name, const char *was, const char *is) {
        char path[PATH_MAX];
        _cleanup_(fclosep) FILE *file = NULL;

        snprintf(path, sizeof(path), "%s/sysctl", dir);
        file = fopen(path, "ae");
        if (!file)
                return -errno;
        if (fprintf(file, "%s %s %s\n", name, was, is) < 0 || fflush(file) != 0)
                return -EIO;
        return 0;
}

int sysctl_take(const char *dir, const char *name, const char *value,
                char ret_previous[static SYSCTL_VALUE]) {
        char previous[SYSCTL_VALUE];
        int r = sysctl_read(name, previous);

        if (r == 0 && strcmp(previous, value) != 0) {
                r = sysctl_record(dir, name, previous, value);
                if (r == 0)
                        r = sysctl_write(name, value);
        }
        if (r < 0)
                return r;
        memcpy(ret_previous, previous, sizeof(previous));
        return 0;
}

static int sysctl_put_back(const char *name, const char *was, const char *is, bool verbose) {
        char now[SYSCTL_VALUE];
        int r = sysctl_read(name, now);

        if (r == 0 && strcmp(now, is) != 0) {
                log_notice("net.mptcp.%s is %s, which is not ours: left alone", name, now);
                return 0;
        }
        if (r == 0)
                r = sysctl_write(name, was);
        if (r < 0)
                log_error("net.mptcp.%s can't be put back to %s: %s", name, was, strerror(-r));
        else if (verbose)
                log_info("net.mptcp.%s is %s again", name, was);
        return r;
}

int sysctl_restore(const char *dir, bool verbose) {
        char path[PATH_MAX], name[64], was[SYSCTL_VALUE], is[SYSCTL_VALUE];
        _cleanup_(fclosep) FILE *file = NULL;
        int r = 0, k;

        snprintf(path, sizeof(path), "%s/sysctl", dir);
        file = fopen(path, "re");
        if (!file)
                return errno == ENOENT ? 1 : -errno;
        while (fscanf(file, "%63s %63s %63s", name, was, is) == 3) {
                k = sysctl_put_back(name, was, is, verbose);
                if (k < 0)
                        r = k;
        }
        if (r == 0 && unlink(path) < 0)
                r = -errno;
        return r;
}
