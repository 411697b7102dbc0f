#include "process.h"
#include "look.h"
#include "../program.h"
#include "../../util/cleanup.h"
#include "policy/unit.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LIBRARY     "libmptcpize.so"
#define SMALL_BYTES 65536u
#define MAPS_BYTES  (16u << 20) /* of 65530 mappings, with usual names */
#define EXE_BYTES   (512 << 20)
#define DELETED     " (deleted)"

static void path_print(char path[static 64], pid_t pid, const char *name) {
        snprintf(path, 64, "/proc/%d/%s", (int)pid, name);
}

static int process_read(pid_t pid, const char *name, size_t max, char **ret_text, size_t *ret_n) {
        char path[64];

        path_print(path, pid, name);
        return look_file(path, max, ret_text, ret_n);
}

/* The value of a variable of an environment, strings one behind the other; "" if it is not set. */
static const char *environ_find(const char *text, size_t n, const char *name) {
        const size_t len = strlen(name);

        for (const char *at = text; at < text + n; at += strlen(at) + 1)
                if (strncmp(at, name, len) == 0 && at[len] == '=')
                        return at + len + 1;
        return "";
}

static void look_at_environ(struct process *process) {
        _cleanup_(freep) char *text = NULL;
        size_t n;

        if (process_read(process->pid, "environ", SMALL_BYTES, &text, &n) < 0)
                return;
        process->wants_library = strstr(environ_find(text, n, "LD_PRELOAD"), LIBRARY);
        process->wants_go = strstr(environ_find(text, n, "GODEBUG"), "multipathtcp=1");
}

static void look_at_maps(struct process *process) {
        _cleanup_(freep) char *text = NULL;

        if (process_read(process->pid, "maps", MAPS_BYTES, &text, NULL) >= 0)
                process->has_library = strstr(text, LIBRARY);
        process->tls = text ? tls_of_maps(text) : TLS_NONE;
}

/* Pairs of words, of the size that this host's programs have. */
static void look_at_auxv(struct process *process) {
        _cleanup_(freep) char *bytes = NULL;
        size_t n;

        if (process_read(process->pid, "auxv", SMALL_BYTES, &bytes, &n) < 0)
                return;
        for (size_t at = 0; at + 2 * sizeof(unsigned long) <= n; at += 2 * sizeof(unsigned long)) {
                unsigned long pair[2];

                memcpy(pair, bytes + at, sizeof(pair));
                if (pair[0] == AT_SECURE)
                        process->secure = pair[1] != 0;
        }
}

static void look_at_status(struct process *process) {
        _cleanup_(freep) char *text = NULL;

        const char *uids;
        char *end;

        if (process_read(process->pid, "status", SMALL_BYTES, &text, NULL) < 0)
                return;
        process->sandboxed = strstr(text, "\nSeccomp:\t2");
        uids = strstr(text, "\nUid:\t");
        if (!uids)
                return;
        (void)strtoul(uids + strlen("\nUid:\t"), &end, 10); /* the real one */
        process->uid = (uint32_t)strtoul(end, NULL, 10);
}

/* The kernel cuts names; that of a file is whole. */
static void look_at_name(struct process *process) {
        const char *slash = strrchr(process->exe, '/');
        char path[64], comm[LOOK_TEXT] = "";

        path_print(path, process->pid, "comm");
        (void)look_line(path, comm);
        if (slash && strncmp(slash + 1, comm, strlen(comm)) == 0)
                snprintf(process->name, sizeof(process->name), "%.*s", LIMIT_NAME - 1, slash + 1);
        else
                snprintf(process->name, sizeof(process->name), "%.*s", LIMIT_NAME - 1, comm);
}

static void look_at_cgroup(struct process *process) {
        _cleanup_(freep) char *text = NULL;
        struct policy_text unit;
        size_t n;

        if (process_read(process->pid, "cgroup", SMALL_BYTES, &text, &n) < 0)
                return;
        unit = policy_unit((struct policy_text){ text, n });
        if (unit.n > strlen(".service") && unit.n < sizeof(process->unit) &&
            memcmp(unit.bytes + unit.n - strlen(".service"), ".service", strlen(".service")) == 0)
                snprintf(process->unit, sizeof(process->unit), "%.*s", (int)unit.n, unit.bytes);
}

/* The file by way of /proc, as the process has it: it may be of another mount namespace. */
static int look_at_program(struct process *process) {
        _cleanup_(closep) int fd = -1;
        char path[64], *deleted;
        struct stat st;
        ssize_t n;

        path_print(path, process->pid, "exe");
        n = readlink(path, process->exe, sizeof(process->exe) - 1);
        if (n < 0)
                return -errno;
        process->exe[n] = '\0';
        deleted = strstr(process->exe, DELETED);
        if (deleted && !deleted[strlen(DELETED)])
                *deleted = '\0';
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        process->kind = fd < 0 ? -errno : program_look_at(fd);
        if (stat(path, &st) == 0) {
                process->setid = st.st_mode & (S_ISUID | S_ISGID);
                process->owner = st.st_uid;
        }
        return 0;
}

int process_look(pid_t pid, struct process *ret_process) {
        int r;

        memset(ret_process, 0, sizeof(*ret_process));
        ret_process->pid = pid;
        r = look_at_program(ret_process);
        if (r < 0)
                return r;
        look_at_environ(ret_process);
        look_at_maps(ret_process);
        look_at_auxv(ret_process);
        look_at_status(ret_process);
        look_at_name(ret_process);
        look_at_cgroup(ret_process);
        return 0;
}

enum tls_kind process_look_for_tls(pid_t pid) {
        _cleanup_(closep) int fd = -1;
        enum tls_kind kind;
        char path[64];
        struct stat st;
        void *bytes;

        path_print(path, pid, "exe");
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > EXE_BYTES)
                return TLS_NONE;
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
                return TLS_NONE;
        kind = tls_of_image(bytes, (size_t)st.st_size);
        munmap(bytes, (size_t)st.st_size);
        return kind;
}

int process_each_socket(pid_t pid, void (*fn)(uint32_t inode, void *userdata), void *userdata) {
        char path[64], target[64];
        struct dirent *entry;
        DIR *folder;

        path_print(path, pid, "fd");
        folder = opendir(path);
        if (!folder)
                return -errno;
        while ((entry = readdir(folder))) {
                ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

                if (n <= 0)
                        continue;
                target[n] = '\0';
                if (strncmp(target, "socket:[", 8) == 0)
                        fn((uint32_t)strtoul(target + 8, NULL, 10), userdata);
        }
        closedir(folder);
        return 0;
}
