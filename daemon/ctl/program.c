#include "program.h"
#include "image.h"
#include "../util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PATH_DEFAULT  "/bin:/usr/bin" /* of execvp(), if PATH is not set */
#define CHAIN_MAX     4               /* scripts that name a script as their interpreter */
#define FIRST_LINE    256             /* what the kernel reads of it */
#define PROGRAM_BYTES ((off_t)1 << 32)

/* Programs that are started to start others. */
static const char *const starters[] = {
        "ash",  "bash",    "busybox", "chrt",    "dash",     "env",   "fish", "ionice", "ksh",
        "make", "mksh",    "nice",    "nohup",   "parallel", "rbash", "sh",   "setsid", "stdbuf",
        "tcsh", "taskset", "time",    "timeout", "watch",    "xargs", "zsh",
};

static bool is_starter(const char *path) {
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(starters); i++)
                if (strcmp(name, starters[i]) == 0)
                        return true;
        return false;
}

static bool is_runnable(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Where execvp() finds command, in file; 0 or -ENOENT. */
static int program_find(const char *command, char file[static PATH_MAX]) {
        const char *path = getenv("PATH"), *end;

        if (strchr(command, '/')) {
                if (strlen(command) >= PATH_MAX)
                        return -ENAMETOOLONG;
                snprintf(file, PATH_MAX, "%s", command);
                return 0;
        }
        for (path = path ? path : PATH_DEFAULT;; path = end + 1) {
                int length;

                end = strchrnul(path, ':');
                length = snprintf(file, PATH_MAX, "%.*s%s%s", (int)(end - path), path,
                                  end > path ? "/" : "", command);
                if (length < PATH_MAX && is_runnable(file))
                        return 0;
                if (!*end)
                        return -ENOENT;
        }
}

/*
 * The interpreter that a first line names, in to; for "#!/usr/bin/env NAME" it is NAME's file.
 * False: the line names none.
 */
static bool line_read(char *line, char to[static PATH_MAX]) {
        char *rest, *word, *argument;

        line[strcspn(line, "\n")] = '\0';
        word = strtok_r(line + 2, " \t", &rest);
        argument = word ? strtok_r(NULL, " \t", &rest) : NULL;
        if (!word)
                return false;
        if (argument && argument[0] != '-' && !strchr(argument, '=') &&
            strcmp(basename(word), "env") == 0)
                return program_find(argument, to) == 0;
        return program_find(word, to) == 0;
}

int program_look_at(int fd) {
        struct stat st;
        void *bytes;
        int flags;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > PROGRAM_BYTES)
                return -ENOEXEC;
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
                return -errno;
        flags = image_look(bytes, (size_t)st.st_size);
        munmap(bytes, (size_t)st.st_size);
        if (flags < 0)
                return flags;
        if (flags & IMAGE_GO)
                return PROGRAM_GO;
        return flags & IMAGE_INTERP ? PROGRAM_PRELOAD : PROGRAM_STATIC;
}

/* One file: its kind; or -EAGAIN and the next file, which it names, in the place of its own. */
static int file_look(char file[static PATH_MAX]) {
        _cleanup_(closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        char line[FIRST_LINE + 1] = "";
        int kind;

        if (fd < 0)
                return -errno;
        if (pread(fd, line, FIRST_LINE, 0) < 0)
                return -errno;
        if (strncmp(line, "#!", 2) == 0)
                return line_read(line, file) ? -EAGAIN : -ENOEXEC;
        kind = program_look_at(fd);
        if (kind == -ENOEXEC) /* execvp() gives what is no directory to /bin/sh */
                return PROGRAM_STARTER;
        return kind == PROGRAM_PRELOAD && is_starter(file) ? PROGRAM_STARTER : kind;
}

int program_look(const char *command) {
        char file[PATH_MAX];
        int r = program_find(command, file), i;

        for (i = 0; r == 0 && i <= CHAIN_MAX; i++) {
                r = file_look(file);
                if (r != -EAGAIN)
                        return r;
                r = 0;
        }
        return r < 0 ? r : -ELOOP;
}
