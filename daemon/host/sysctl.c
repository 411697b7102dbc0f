#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../util/cleanup.h"
#include "../util/limits.h"
#include "../util/log.h"
#include "runtime.h"

#define SYSCTL_DIR  "/proc/sys/net/mptcp/"
#define SYSCTL_NAME 64

/*
 * The record: a line for each sysctl. There are two of one name while it is being changed once
 * more, so that a crash at any moment leaves a line that fits; then the later one goes first.
 */
struct sysctl_line {
        char name[SYSCTL_NAME];
        char was[SYSCTL_VALUE]; /* before us */
        char is[SYSCTL_VALUE];  /* what we made of it */
};

struct sysctl_record {
        struct sysctl_line lines[LIMIT_SYSCTLS];
        size_t n;
};

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

int sysctl_write(const char *name, const char *value) {
        _cleanup_(closep) int fd = sysctl_open(name, O_WRONLY);

        if (fd < 0)
                return fd;
        return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/* Record */

/* Of net.mptcp, whatever the file says. */
static bool line_is_sane(const struct sysctl_line *line) {
        return !strchr(line->name, '/');
}

/* 0, or 1: there is none that can be believed, and ret_record is empty. */
static int record_read(const char *dir, struct sysctl_record *ret_record) {
        char path[PATH_MAX];
        _cleanup_(fclosep) FILE *file = NULL;
        struct sysctl_line line;
        const char *wrong;

        snprintf(path, sizeof(path), "%s/sysctl", dir);
        ret_record->n = 0;
        wrong = runtime_read(dir, path, &file);
        if (wrong)
                log_warning("%s is ignored: %s", path, wrong);
        if (!file)
                return 1;
        while (ret_record->n < LIMIT_SYSCTLS &&
               fscanf(file, "%63s %63s %63s", line.name, line.was, line.is) == 3)
                if (line_is_sane(&line))
                        ret_record->lines[ret_record->n++] = line;
        return 0;
}

/* All of it or nothing. */
static int record_write(const char *dir, const struct sysctl_record *record) {
        char path[PATH_MAX], new_path[PATH_MAX];
        _cleanup_(fclosep) FILE *file = NULL;
        int r;

        snprintf(path, sizeof(path), "%s/sysctl", dir);
        snprintf(new_path, sizeof(new_path), "%s/sysctl.new", dir);
        r = runtime_create(dir, new_path, &file);
        if (r < 0)
                return r;
        for (size_t i = 0; i < record->n; i++)
                if (fprintf(file, "%s %s %s\n", record->lines[i].name, record->lines[i].was,
                            record->lines[i].is) < 0)
                        return -errno;
        if (fflush(file) != 0)
                return -errno;
        return rename(new_path, path) < 0 ? -errno : 0;
}

static int record_append(struct sysctl_record *record, const char *name, const char *was,
                         const char *is) {
        struct sysctl_line *line = &record->lines[record->n];

        if (record->n == LIMIT_SYSCTLS)
                return -ENOBUFS;
        snprintf(line->name, sizeof(line->name), "%s", name);
        snprintf(line->was, sizeof(line->was), "%s", was);
        snprintf(line->is, sizeof(line->is), "%s", is);
        record->n++;
        return 0;
}

/*
 * The last line is true now, so an earlier one of its name goes. Of both, the older value is kept
 * if what it had become was ours until now.
 */
static bool record_merge(struct sysctl_record *record) {
        struct sysctl_line *last = &record->lines[record->n - 1], *line;

        for (line = record->lines; line < last && strcmp(line->name, last->name) != 0; line++)
                ;
        if (line == last)
                return false;
        if (strcmp(line->is, last->was) != 0)
                memcpy(line->was, last->was, sizeof(line->was));
        memcpy(line->is, last->is, sizeof(line->is));
        record->n--;
        return true;
}

/* Taking and giving back */

static int sysctl_change(const char *dir, const char *name, const char *was, const char *value) {
        struct sysctl_record record;
        int r = record_read(dir, &record);

        if (r >= 0)
                r = record_append(&record, name, was, value);
        if (r == 0)
                r = record_write(dir, &record);
        if (r == 0)
                r = sysctl_write(name, value);
        if (r == 0 && record_merge(&record))
                r = record_write(dir, &record);
        return r;
}

int sysctl_take(const char *dir, const char *name, const char *value,
                char ret_previous[static SYSCTL_VALUE]) {
        char previous[SYSCTL_VALUE];
        int r = sysctl_read(name, previous);

        if (r == 0 && strcmp(previous, value) != 0)
                r = sysctl_change(dir, name, previous, value);
        if (r < 0)
                return r;
        memcpy(ret_previous, previous, sizeof(previous));
        return 0;
}

static int sysctl_put_back(const struct sysctl_line *line, bool verbose) {
        char now[SYSCTL_VALUE];
        int r = sysctl_read(line->name, now);

        if (r == 0 && strcmp(now, line->was) == 0)
                return 0;
        if (r == 0 && strcmp(now, line->is) != 0) {
                log_notice("net.mptcp.%s is %s, which is not ours: left alone", line->name, now);
                return 0;
        }
        if (r == 0)
                r = sysctl_write(line->name, line->was);
        if (r < 0)
                log_error("net.mptcp.%s can't be put back to %s: %s", line->name, line->was,
                          strerror(-r));
        else if (verbose)
                log_info("net.mptcp.%s is %s again", line->name, line->was);
        return r;
}

int sysctl_give_back(const char *dir, const char *name) {
        struct sysctl_record record;
        int r = record_read(dir, &record);
        size_t i = 0;

        if (r != 0)
                return r;
        while (i < record.n && strcmp(record.lines[i].name, name) != 0)
                i++;
        if (i == record.n)
                return 1;
        r = sysctl_put_back(&record.lines[i], true);
        if (r < 0)
                return r;
        memmove(&record.lines[i], &record.lines[i + 1],
                (record.n - i - 1) * sizeof(record.lines[0]));
        record.n--;
        return record_write(dir, &record);
}

int sysctl_restore(const char *dir, bool verbose) {
        struct sysctl_record record;
        char path[PATH_MAX];
        int r = record_read(dir, &record), k;

        if (r != 0)
                return r;
        for (size_t i = record.n; i > 0; i--) {
                k = sysctl_put_back(&record.lines[i - 1], verbose);
                if (k < 0)
                        r = k;
        }
        snprintf(path, sizeof(path), "%s/sysctl", dir);
        if (r == 0 && unlink(path) < 0)
                r = -errno;
        return r;
}
