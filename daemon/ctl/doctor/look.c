#include "look.h"
#include "../../util/cleanup.h"
#include "../../util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MSEC 1000
#define CHUNK         65536u

int look_file(const char *path, size_t max, char **ret_text, size_t *ret_n) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        _cleanup_(freep) char *text = NULL;
        size_t n = 0;
        ssize_t k = 1;

        if (fd < 0)
                return -errno;
        text = malloc(max + 1);
        if (!text)
                return -ENOMEM;
        while (n < max && (k = read(fd, text + n, max - n)) > 0)
                n += (size_t)k;
        if (k < 0)
                return -errno;
        text[n] = '\0';
        if (ret_n)
                *ret_n = n;
        *ret_text = TAKE_PTR(text);
        return 0;
}

int look_line(const char *path, char text[static LOOK_TEXT]) {
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, text, LOOK_TEXT - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return 0;
}

int look_sysctl(const char *name, long *ret_value) {
        char path[PATH_MAX], text[LOOK_TEXT], *end;
        long value;
        int r;

        snprintf(path, sizeof(path), "/proc/sys/%s", name);
        r = look_line(path, text);
        if (r < 0)
                return r;
        value = strtol(text, &end, 10);
        if (end == text)
                return -EBADMSG;
        *ret_value = value;
        return 0;
}

/* Programs */

/* Where root's programs are, which are not in everybody's PATH. */
static int program_find(const char *name, char path[static PATH_MAX]) {
        static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin",
                                               "/bin" };

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                snprintf(path, PATH_MAX, "%s/%s", folders[i], name);
                if (access(path, X_OK) == 0)
                        return 0;
        }
        return -ENOENT;
}

static int64_t now_msec(void) {
        return (int64_t)(clock_usec() / 1000);
}

/* Until the end of the output. 0 or a negative errno. */
static int pipe_read(int fd, size_t max, char **text) {
        const int64_t until = now_msec() + PATIENCE_MSEC;
        size_t n = 0;

        for (;;) {
                struct pollfd ready = { .fd = fd, .events = POLLIN };
                int64_t left = until - now_msec();
                char *grown;
                ssize_t k;

                if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
                        return -ETIMEDOUT;
                if (n >= max)
                        return -EFBIG;
                grown = realloc(*text, n + CHUNK + 1);
                if (!grown)
                        return -ENOMEM;
                *text = grown;
                k = read(fd, grown + n, CHUNK);
                if (k < 0)
                        return -errno;
                n += (size_t)k;
                grown[n] = '\0';
                if (k == 0)
                        return 0;
        }
}

static int program_start(char *const argv[], int to, pid_t *ret_pid) {
        posix_spawn_file_actions_t actions;
        char path[PATH_MAX];
        int r = program_find(argv[0], path);

        if (r < 0)
                return r;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        r = posix_spawn(ret_pid, path, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

int look_output(char *const argv[], size_t max, char **ret_text) {
        _cleanup_(freep) char *text = NULL;
        _cleanup_(closep) int from = -1;
        int ends[2], status, r;
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        from = ends[0];
        r = program_start(argv, ends[1], &pid);
        close(ends[1]);
        if (r < 0)
                return r;
        r = pipe_read(from, max, &text);
        if (r < 0)
                (void)kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) != pid || (r == 0 && status != 0))
                r = -EIO;
        if (r < 0)
                return r;
        *ret_text = TAKE_PTR(text);
        return 0;
}
