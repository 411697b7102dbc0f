/*
 * The sender of a hint. See program.h.
 *
 * The three files are read through one descriptor of the process, so they speak of the same one.
 * Each hint reads them anew, since a process may have executed something else meanwhile; that is
 * 10 us. The name is the kernel's, which is that of the file that was executed, cut at 15 bytes,
 * unless the program has given itself another; the path can't be chosen by it.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../util/cleanup.h"
#include "../util/utf8.h"
#include "policy/unit.h"

#define DELETED " (deleted)" /* what the kernel adds when a file has been replaced since */

/* How many bytes there are, at most size. */
static size_t program_read_file(int dir, const char *name, char *bytes, size_t size) {
        _cleanup_(closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
        size_t n = 0;
        ssize_t k;

        while (fd >= 0 && n < size && (k = read(fd, bytes + n, size - n)) > 0)
                n += (size_t)k;
        return n;
}

static struct policy_text program_read_exe(int dir, const char *claim, char exe[static PATH_MAX]) {
        ssize_t n = readlinkat(dir, "exe", exe, PATH_MAX);
        const size_t tail = strlen(DELETED);
        struct policy_text text = { exe, n > 0 ? (size_t)n : 0 };

        if (n < 0 && errno == EACCES)
                return policy_text_of(claim);
        if (text.n > tail && memcmp(exe + text.n - tail, DELETED, tail) == 0)
                text.n -= tail;
        return text;
}

/*
 * Control characters would be somebody else's in a log or on a terminal, and what is no UTF-8 would
 * keep the bus from telling of any connection.
 */
static void program_clean(char *text) {
        char *name = text;

        name[strcspn(name, "\n")] = '\0';
        for (; *name; name++)
                if ((unsigned char)*name < ' ' || *name == 0x7f)
                        *name = '?';
        utf8_clean(text);
}

void program_read(const struct ucred *sender, const char *claim, struct program *ret_program,
                  struct program_text *ret_text, struct policy_identity *ret_identity) {
        struct policy_text cgroups = { ret_text->cgroups, 0 };
        _cleanup_(closep) int dir = -1;
        char path[32];

        *ret_program = (struct program){ .pid = sender->pid, .uid = sender->uid };
        *ret_identity = (struct policy_identity){ .uid = sender->uid };
        snprintf(path, sizeof(path), "/proc/%d", sender->pid);
        if (sender->pid > 0)
                dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return;
        (void)program_read_file(dir, "comm", ret_program->name, sizeof(ret_program->name) - 1);
        program_clean(ret_program->name);
        cgroups.n = program_read_file(dir, "cgroup", ret_text->cgroups, sizeof(ret_text->cgroups));
        ret_identity->app = policy_text_of(ret_program->name);
        ret_identity->exe = program_read_exe(dir, claim, ret_text->exe);
        ret_identity->unit = policy_unit(cgroups);
}
