#include "supervise-process.h"
#include "../program.h"
#include "../../util/cleanup.h"
#include "../../../policy/unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

#define SLOTS 128u

struct processes {
        const char *library;
        struct process slots[SLOTS]; /* by thread id; tid 0: free */
};

static void process_drop(struct process *process) {
        if (process->tid == 0)
                return;
        closep(&process->dir);
        closep(&process->pidfd);
        process->tid = 0;
}

struct processes *processes_new(const char *library) {
        struct processes *processes = calloc(1, sizeof(*processes));

        if (processes)
                processes->library = library;
        return processes;
}

void processes_forget(struct processes *processes) {
        size_t i;

        for (i = 0; i < SLOTS; i++)
                process_drop(&processes->slots[i]);
}

/* Device and inode behind a link of procfs; asks no file server, which could wait for us. */
static bool process_stat(int dir, const char *link, uint64_t *ret_device, uint64_t *ret_inode) {
        struct statx st;

        if (statx(dir, link, AT_STATX_DONT_SYNC, STATX_INO, &st) < 0)
                return false;
        *ret_device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
        *ret_inode = st.stx_ino;
        return true;
}

/* The same thread with the same program as before? */
static bool process_is_current(const struct process *process) {
        uint64_t device, inode;

        return process_stat(process->dir, "exe", &device, &inode) &&
               device == process->exe_device && inode == process->exe_inode;
}

static FILE *process_open(const struct process *process, const char *name) {
        int fd = openat(process->dir, name, O_RDONLY | O_CLOEXEC);
        FILE *file = fd >= 0 ? fdopen(fd, "re") : NULL;

        if (!file)
                closep(&fd);
        return file;
}

/* What comes behind key, or NULL: it is another line. */
static char *line_value(char *line, const char *key) {
        size_t n = strlen(key);

        return strncmp(line, key, n) == 0 ? line + n : NULL;
}

static bool process_read_status(struct process *process) {
        _cleanup_(fclosep) FILE *file = process_open(process, "status");
        char line[256], *value;
        int found = 0;

        while (file && fgets(line, sizeof(line), file)) {
                if ((value = line_value(line, "Tgid:"))) {
                        process->pid = (pid_t)strtol(value, NULL, 10);
                        found |= 1;
                } else if ((value = line_value(line, "Uid:"))) {
                        (void)strtoul(value, &value, 10); /* the real one */
                        process->uid = (uid_t)strtoul(value, NULL, 10);
                        found |= 2;
                }
        }
        return found == 3;
}

static bool process_has(const struct process *process, const char *library) {
        _cleanup_(fclosep) FILE *maps = process_open(process, "maps");
        size_t length = strlen(library);
        char line[PATH_MAX + 128];

        while (maps && fgets(line, sizeof(line), maps)) {
                char *name = strrchr(line, '/');

                if (name && strncmp(name + 1, library, length) == 0)
                        return true;
        }
        return false;
}

static void process_read_unit(struct process *process) {
        _cleanup_(fclosep) FILE *file = process_open(process, "cgroup");
        char text[PATH_MAX];
        struct policy_text unit = { text, file ? fread(text, 1, sizeof(text), file) : 0 };

        unit = policy_unit(unit);
        if (unit.n < sizeof(process->unit))
                memcpy(process->unit, unit.bytes ? unit.bytes : "", unit.n);
}

/* It may have libc and our library, for its parts in C, and makes its system calls without them. */
static bool process_is_go(const struct process *process) {
        _cleanup_(closep) int fd = openat(process->dir, "exe", O_RDONLY | O_CLOEXEC);

        return fd >= 0 && program_look_at(fd) == PROGRAM_GO;
}

/* Where the kernel has put the path that was executed (AT_EXECFN), which is a script's own; 0: ? */
static uint64_t process_path_address(const struct process *process) {
        _cleanup_(fclosep) FILE *file = process_open(process, "auxv");
        unsigned long pair[2];

        while (file && fread(pair, sizeof(pair), 1, file) == 1)
                if (pair[0] == AT_EXECFN)
                        return pair[1];
        return 0;
}

/* A string in its memory, up to a page of the smallest size at a time. */
static bool process_read_string(const struct process *process, uint64_t address, char *to,
                                size_t size) {
        const size_t page = 4096;
        size_t n = 0;

        while (n < size) {
                size_t part = page - (address + n) % page;

                part = part < size - n ? part : size - n;
                if (!process_read(process, address + n, to + n, part))
                        return false;
                if (memchr(to + n, '\0', part))
                        return true;
                n += part;
        }
        return false;
}

/* The name of the file that was executed; that of the main thread if its memory is closed to us. */
static void process_read_app(struct process *process) {
        uint64_t address = process_path_address(process);
        char path[PATH_MAX];
        FILE *file;

        if (address && process_read_string(process, address, path, sizeof(path))) {
                snprintf(process->app, sizeof(process->app), "%s", basename(path));
                return;
        }
        file = process_open(process, "comm");
        if (file && fgets(process->app, sizeof(process->app), file))
                process->app[strcspn(process->app, "\n")] = '\0';
        fclosep(&file);
}

/*
 * May we look into it? An impossible descriptor of a process that we may examine is a bad one, and
 * of another one forbidden. The kernel's other questions of this kind are answered alike.
 */
static bool process_may_be_examined(const struct process *process) {
        return syscall(SYS_pidfd_getfd, process->pidfd, INT_MAX, 0) < 0 && errno == EBADF;
}

static int process_pidfd(const struct process *process) {
        int fd = (int)syscall(SYS_pidfd_open, process->tid, PIDFD_THREAD);

        return fd >= 0 ? fd : (int)syscall(SYS_pidfd_open, process->pid, 0);
}

static bool process_fill(struct process *process, pid_t tid, const char *library) {
        char path[32];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d", (int)tid);
        *process = (struct process){ .tid = tid, .pidfd = -1 };
        process->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process->dir < 0 || !process_read_status(process) ||
            !process_stat(process->dir, "exe", &process->exe_device, &process->exe_inode))
                return false;
        n = readlinkat(process->dir, "exe", process->exe, sizeof(process->exe) - 1);
        process->pidfd = process_pidfd(process);
        if (n < 0 || process->pidfd < 0)
                return false;
        process->examinable = process_may_be_examined(process);
        process->preloaded = process_has(process, library) && !process_is_go(process);
        process_read_app(process);
        process_read_unit(process);
        return true;
}

struct process *processes_get(struct processes *processes, pid_t tid, bool *ret_new) {
        struct process *process = &processes->slots[(unsigned int)tid % SLOTS];

        *ret_new = false;
        if (process->tid == tid && process_is_current(process))
                return process;
        *ret_new = true;
        process_drop(process);
        if (process_fill(process, tid, processes->library))
                return process;
        process_drop(process);
        return NULL;
}

struct policy_identity process_identity(const struct process *process) {
        return (struct policy_identity){ .app = policy_text_of(process->app),
                                         .exe = policy_text_of(process->exe),
                                         .unit = policy_text_of(process->unit),
                                         .uid = process->uid };
}

bool process_is_near(const struct process *process) {
        static uint64_t our_device, our_inode;
        uint64_t device, inode;

        if (!our_inode && !process_stat(AT_FDCWD, "/proc/self/ns/net", &our_device, &our_inode))
                return false;
        return process_stat(process->dir, "ns/net", &device, &inode) && device == our_device &&
               inode == our_inode;
}

int process_descriptor(const struct process *process, int fd) {
        int copy = (int)syscall(SYS_pidfd_getfd, process->pidfd, fd, 0);

        return copy < 0 ? -errno : copy;
}

bool process_closes_on_exec(const struct process *process, int fd) {
        _cleanup_(fclosep) FILE *file = NULL;
        char line[128], *value;

        snprintf(line, sizeof(line), "fdinfo/%d", fd);
        file = process_open(process, line);
        while (file && fgets(line, sizeof(line), file))
                if ((value = line_value(line, "flags:")))
                        return strtoul(value, NULL, 8) & O_CLOEXEC;
        return false;
}

bool process_read(const struct process *process, uint64_t address, void *to, size_t n) {
        struct iovec local = { to, n };
        /* NOLINTNEXTLINE(performance-no-int-to-ptr) of another process */
        struct iovec remote = { (void *)(uintptr_t)address, n };

        return process_vm_readv(process->tid, &local, 1, &remote, 1, 0) == (ssize_t)n;
}
