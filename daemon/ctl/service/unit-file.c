/*
 * Unit files. See unit-file.h.
 */
#include "unit-file.h"
#include "../../util/array.h"
#include "../../util/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ALIASES_MAX 8
#define BLANKS      " \t\r\n"

/* systemd's: nothing else is a unit, whatever the names of files are */
#define UNIT_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"

/* In the order in which they count. */
static const char *const unit_dirs[] = {
        "/etc/systemd/system.control", "/run/systemd/system.control",
        "/run/systemd/transient",      "/run/systemd/generator.early",
        "/etc/systemd/system",         "/etc/systemd/system.attached",
        "/run/systemd/system",         "/run/systemd/system.attached",
        "/run/systemd/generator",      "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",     "/lib/systemd/system",
        "/run/systemd/generator.late",
};

int root_open(int root, const char *path, int flags) {
        const struct open_how how = { .flags = (unsigned int)(flags | O_CLOEXEC),
                                      .resolve = RESOLVE_IN_ROOT };
        long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int)fd;
}

/* Names */

int unit_name_is(const char *name, const char *kind) {
        size_t n = strlen(name), k = strlen(kind);

        return n > k && n < LIMIT_UNIT && strcmp(name + n - k, kind) == 0 && !strchr(name, '/') &&
               name[0] != '.' && name[0] != '-' &&
               (strcmp(kind, ".conf") == 0 || strspn(name, UNIT_CHARACTERS) == n);
}

int unit_template(const char *name, char to[static LIMIT_UNIT]) {
        const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

        if (!at || !dot || dot <= at + 1)
                return 0;
        snprintf(to, LIMIT_UNIT, "%.*s%s", (int)(at + 1 - name), name, dot);
        return 1;
}

/* Finding */

/* What a link says, "" if it is none. */
static int dir_read_link(int dir, const char *name, char to[static PATH_MAX]) {
        ssize_t n = readlinkat(dir, name, to, PATH_MAX - 1);

        to[n < 0 ? 0 : n] = '\0';
        return n < 0 && errno != EINVAL ? -errno : 0;
}

/* The file of that name, in the first directory that has it; what it links to in link. */
static int unit_look(int root, const char *name, struct unit *unit, char link[static PATH_MAX]) {
        for (size_t i = 0; i < ARRAY_SIZE(unit_dirs); i++) {
                _cleanup_(closep) int dir = root_open(root, unit_dirs[i], O_PATH | O_DIRECTORY);

                if (dir < 0 || dir_read_link(dir, name, link) < 0)
                        continue;
                snprintf(unit->name, sizeof(unit->name), "%s", name);
                snprintf(unit->file, sizeof(unit->file), "%s/%s", unit_dirs[i], name);
                return strcmp(link, "/dev/null") == 0 ? -ERFKILL : 0;
        }
        return -ENOENT;
}

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* An instance has the file of its template, and an alias of a template is one of all instances. */
static int unit_look_any(int root, const char *name, struct unit *unit,
                         char link[static PATH_MAX]) {
        char template[LIMIT_UNIT];
        int r = unit_look(root, name, unit, link);

        if (r == -ENOENT && unit_template(name, template)) {
                r = unit_look(root, template, unit, link);
                snprintf(unit->name, sizeof(unit->name), "%s", name);
                if (strcmp(last_part(link), template) == 0)
                        link[0] = '\0';
        }
        return r;
}

int unit_find(int root, const char *name, struct unit *ret_unit) {
        char link[PATH_MAX], next[LIMIT_UNIT];
        struct unit unit;
        struct stat is;
        int r = 0;

        snprintf(next, sizeof(next), "%s", name);
        for (int i = 0; i < ALIASES_MAX; i++) {
                _cleanup_(closep) int fd = -1;

                r = unit_look_any(root, next, &unit, link);
                if (r < 0)
                        return r;
                if (link[0] && strcmp(last_part(link), last_part(unit.name)) != 0 &&
                    strchr(last_part(link), '@') == NULL) {
                        snprintf(next, sizeof(next), "%s", last_part(link));
                        continue;
                }
                fd = root_open(root, unit.file, O_RDONLY | O_NONBLOCK);
                if (fd < 0)
                        return fd;
                if (fstat(fd, &is) < 0 || (S_ISREG(is.st_mode) && is.st_size == 0))
                        return -ERFKILL; /* an empty file masks, too */
                *ret_unit = unit;
                return 0;
        }
        return -ELOOP;
}

json_t *unit_list(int root, const char *kind) {
        json_t *found = json_object(), *names = json_array();
        const char *name;
        json_t *value;

        for (size_t i = 0; i < ARRAY_SIZE(unit_dirs); i++) {
                int fd = root_open(root, unit_dirs[i], O_RDONLY | O_DIRECTORY);
                DIR *dir = fd < 0 ? NULL : fdopendir(fd);
                struct dirent *entry;

                while (dir && (entry = readdir(dir)))
                        if (unit_name_is(entry->d_name, kind))
                                json_object_set_new(found, entry->d_name, json_true());
                if (dir)
                        (void)closedir(dir);
        }
        json_object_foreach(found, name, value) {
                json_array_append_new(names, json_string(name));
        }
        json_decref(found);
        return names;
}

/* Reading */

struct reading {
        const char *section;
        bool here; /* in that section */
        json_t *settings;
        size_t n_bytes;
};

static int reading_take(struct reading *reading, char *line) {
        char *value = strchr(line, '='), *end;
        json_t *values;

        if (line[0] == '[') {
                size_t n = strlen(reading->section);

                reading->here = strncmp(line + 1, reading->section, n) == 0 && line[n + 1] == ']';
                return 0;
        }
        if (!reading->here || !value)
                return 0;
        for (end = value; end > line && strchr(BLANKS, end[-1]); end--)
                ;
        *end = '\0';
        value += 1 + strspn(value + 1, BLANKS);
        values = json_object_get(reading->settings, line);
        if (!*value || !values) {
                values = json_array();
                json_object_set_new(reading->settings, line, values);
        }
        return *value ? json_array_append_new(values, json_stringn_nocheck(value, strlen(value)))
                      : 0;
}

/* Adds a line of the file to what it goes on; true: it is complete. */
static bool line_join(char **whole, char *line) {
        const char *before = *whole ? *whole : "";
        char *start = line + strspn(line, BLANKS), *joined;
        size_t n = strlen(start);
        bool more;

        while (n > 0 && strchr("\r\n", start[n - 1]))
                start[--n] = '\0';
        if (*start == '#' || *start == ';')
                return !*whole;
        more = n > 0 && start[n - 1] == '\\';
        if (more)
                start[n - 1] = ' ';
        while (!more && n > 0 && strchr(BLANKS, start[n - 1]))
                start[--n] = '\0';
        if (asprintf(&joined, "%s%s", before, start) < 0)
                return true;
        free(*whole);
        *whole = joined;
        return !more;
}

static int reading_take_file(struct reading *reading, int fd) {
        _cleanup_(fclosep) FILE *file = fdopen(fd, "r");
        _cleanup_(freep) char *line = NULL;
        _cleanup_(freep) char *whole = NULL;
        size_t size = 0;
        ssize_t n;

        struct stat is;

        if (!file) {
                close(fd);
                return -ENOMEM;
        }
        /* /dev/null masks a drop-in; other devices have lines without an end */
        if (fstat(fd, &is) < 0 || !S_ISREG(is.st_mode))
                return 0;
        reading->here = false;
        while ((n = getline(&line, &size, file)) > 0) {
                reading->n_bytes += (size_t)n;
                if (reading->n_bytes > LIMIT_UNIT_BYTES)
                        return -EFBIG;
                if (!line_join(&whole, line) || !whole)
                        continue;
                if (reading_take(reading, whole) < 0)
                        return -EILSEQ;
                free(whole);
                whole = NULL;
        }
        return 0;
}

/* Drop-ins */

struct dropin {
        char *name;
        char *path;
};

struct dropins {
        ARRAY_OF(struct dropin) list;
};

static void dropins_done(struct dropins *dropins) {
        for (size_t i = 0; i < dropins->list.n; i++) {
                free(dropins->list.items[i].name);
                free(dropins->list.items[i].path);
        }
        ARRAY_DONE(&dropins->list);
}

static bool dropins_has(const struct dropins *dropins, const char *name) {
        for (size_t i = 0; i < dropins->list.n; i++)
                if (strcmp(dropins->list.items[i].name, name) == 0)
                        return true;
        return false;
}

static void dropins_add(struct dropins *dropins, const char *dir, const char *name) {
        struct dropin dropin = { .name = strdup(name) };

        if (asprintf(&dropin.path, "%s/%s", dir, name) < 0)
                dropin.path = NULL;
        if (dropin.name && dropin.path &&
            ARRAY_APPEND(&dropins->list, dropin, LIMIT_UNIT_DROPINS) == 0)
                return;
        free(dropin.name);
        free(dropin.path);
}

/* Those of one directory; of two of one name the first that is found counts. */
static void dropins_add_dir(struct dropins *dropins, int root, const char *dir) {
        int fd = root_open(root, dir, O_RDONLY | O_DIRECTORY);
        DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        while (stream && (entry = readdir(stream)))
                if (unit_name_is(entry->d_name, ".conf") && !dropins_has(dropins, entry->d_name))
                        dropins_add(dropins, dir, entry->d_name);
        if (stream)
                (void)closedir(stream);
}

static void dropins_add_name(struct dropins *dropins, int root, const char *name) {
        char dir[PATH_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(unit_dirs); i++) {
                snprintf(dir, sizeof(dir), "%s/%s.d", unit_dirs[i], name);
                dropins_add_dir(dropins, root, dir);
        }
}

static int dropin_compare(const void *pa, const void *pb) {
        const struct dropin *a = pa, *b = pb;

        return strcmp(a->name, b->name);
}

/* a-b@c.service: a-b@c.service.d, a-b@.service.d, a-.service.d, service.d. */
static void dropins_find(struct dropins *dropins, int root, const char *name) {
        const char *kind = strrchr(name, '.');
        char other[LIMIT_UNIT];

        dropins_add_name(dropins, root, name);
        if (unit_template(name, other))
                dropins_add_name(dropins, root, other);
        for (const char *at = kind; at > name; at--)
                if (at[-1] == '-' && at < kind) {
                        snprintf(other, sizeof(other), "%.*s%s", (int)(at - name), name, kind);
                        dropins_add_name(dropins, root, other);
                }
        dropins_add_name(dropins, root, kind + 1);
        if (dropins->list.n > 0)
                qsort(dropins->list.items, dropins->list.n, sizeof(dropins->list.items[0]),
                      dropin_compare);
}

int unit_read(int root, const struct unit *unit, const char *section, const char *without,
              json_t **ret_settings) {
        struct reading reading = { .section = section };
        _cleanup_(dropins_done) struct dropins dropins = { 0 };
        int fd = root_open(root, unit->file, O_RDONLY | O_NONBLOCK), r;

        if (fd < 0)
                return fd;
        reading.settings = json_object();
        r = reading_take_file(&reading, fd);
        dropins_find(&dropins, root, unit->name);
        for (size_t i = 0; i < dropins.list.n && r == 0; i++) {
                if (without && strcmp(dropins.list.items[i].name, without) == 0)
                        continue;
                fd = root_open(root, dropins.list.items[i].path, O_RDONLY | O_NONBLOCK);
                if (fd >= 0)
                        r = reading_take_file(&reading, fd);
        }
        if (r < 0)
                json_decref(reading.settings);
        else
                *ret_settings = reading.settings;
        return r;
}

const char *unit_value(const json_t *settings, const char *key) {
        const json_t *values = json_object_get(settings, key);
        size_t n = json_array_size(values);
        const char *text = n ? json_string_value(json_array_get(values, n - 1)) : NULL;

        return text ? text : "";
}
