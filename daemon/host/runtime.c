#include "runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/cleanup.h"
#include "../util/log.h"

/* A file with a second name may be anybody's. */
static void file_hand_over(int fd, const char *name, const struct stat *to) {
        struct stat is;

        if (fstat(fd, &is) < 0 || is.st_uid != 0 || is.st_nlink != 1 ||
            !(S_ISREG(is.st_mode) || S_ISSOCK(is.st_mode)))
                return;
        if (fchownat(fd, "", to->st_uid, to->st_gid, AT_EMPTY_PATH) < 0)
                log_warning("%s can't be given to the owner of its directory: %s", name,
                            strerror(errno));
}

/* Whether what root makes in that directory is to be another user's. */
static bool directory_is_of_another(const char *runtime, struct stat *ret_to) {
        return geteuid() == 0 && stat(runtime, ret_to) == 0 && ret_to->st_uid != 0;
}

void runtime_hand_over(const char *runtime) {
        DIR *dir = geteuid() == 0 ? opendir(runtime) : NULL;
        struct dirent *entry;
        struct stat to;

        if (!dir)
                return;
        if (fstat(dirfd(dir), &to) == 0 && to.st_uid != 0)
                while ((entry = readdir(dir))) {
                        _cleanup_(closep) int fd = openat(dirfd(dir), entry->d_name,
                                                          O_PATH | O_NOFOLLOW | O_CLOEXEC);

                        if (fd >= 0)
                                file_hand_over(fd, entry->d_name, &to);
                }
        (void)closedir(dir);
}

/* Locking */

int runtime_lock(const char *runtime) {
        _cleanup_(closep) int fd = -1;
        char path[PATH_MAX];
        struct stat to;

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
        if (directory_is_of_another(runtime, &to))
                file_hand_over(fd, path, &to);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                log_error("another mptcpized is running: it holds %s", path);
                return -EBUSY;
        }
        return TAKE_FD(fd);
}

/* Files */

static bool runtime_is_of(const char *runtime, uid_t user) {
        struct stat is;

        return user == 0 || user == geteuid() || (stat(runtime, &is) == 0 && is.st_uid == user);
}

static const char *file_judge(int fd, const char *runtime) {
        struct stat is;

        if (fstat(fd, &is) < 0)
                return strerror(errno);
        if (!S_ISREG(is.st_mode))
                return "it is no regular file";
        if (!runtime_is_of(runtime, is.st_uid) || is.st_mode & (S_IWGRP | S_IWOTH))
                return "others may write to it";
        return NULL;
}

const char *runtime_read(const char *runtime, const char *path, FILE **ret_file) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        const char *wrong;

        *ret_file = NULL;
        if (fd < 0)
                return errno == ENOENT ? NULL : strerror(errno);
        wrong = file_judge(fd, runtime);
        if (wrong)
                return wrong;
        *ret_file = fdopen(fd, "r");
        if (!*ret_file)
                return strerror(errno);
        (void)TAKE_FD(fd);
        return NULL;
}

int runtime_create(const char *runtime, const char *path, FILE **ret_file) {
        _cleanup_(closep) int fd = -1;
        struct stat to;

        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 && directory_is_of_another(runtime, &to))
                file_hand_over(fd, path, &to);
        *ret_file = fd < 0 ? NULL : fdopen(fd, "w");
        if (!*ret_file)
                return -errno;
        (void)TAKE_FD(fd);
        return 0;
}
