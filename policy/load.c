/*
 * Reading policy files from directories. See compile.h.
 */
#include "compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/limits.h"

static void source_done(struct policy_source *source) {
        free(source->path);
        free(source->text);
}

void policy_sources_done(struct policy_sources *sources) {
        for (size_t i = 0; i < sources->list.n; i++)
                source_done(&sources->list.items[i]);
        ARRAY_DONE(&sources->list);
}

static const char *path_base(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* Notes a mistake that is not about a place. -EINVAL, or -ENOMEM. */
static int load_fail(struct policy_errors *errors, const char *path, const char *what,
                     const char *detail) {
        struct policy_error error = { .file = strdup(path) };
        int r = -ENOMEM;

        snprintf(error.what.text, sizeof(error.what.text), "%s%s", what, detail);
        if (error.file)
                r = ARRAY_APPEND(&errors->list, error, LIMIT_POLICY_ERRORS);
        if (r < 0)
                free(error.file);
        if (r == -ENOBUFS)
                errors->left_out++;
        return r == -ENOMEM ? r : -EINVAL;
}

/* Takes text over, also on failure. */
static int sources_put(struct policy_sources *sources, const char *path, char *text, size_t len,
                       uint32_t owner, struct policy_errors *errors) {
        struct policy_source source = { strdup(path), text, len, owner };
        int r = source.path ? 0 : -ENOMEM;
        size_t i;

        for (i = 0; i < sources->list.n && r == 0; i++) {
                struct policy_source *old = &sources->list.items[i];

                if (strcmp(path_base(old->path), path_base(path)) == 0) {
                        source_done(old);
                        *old = source;
                        return 0;
                }
        }
        if (r == 0)
                r = ARRAY_APPEND(&sources->list, source, LIMIT_POLICIES);
        if (r < 0)
                source_done(&source);
        if (r == -ENOBUFS)
                return load_fail(errors, path, "there are more policies than are read: at most ",
                                 "1000");
        return r;
}

int policy_sources_add(struct policy_sources *sources, const char *path, const char *text,
                       size_t len, uint32_t owner, struct policy_errors *errors) {
        char *copy = malloc(len + 1);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, text, len);
        return sources_put(sources, path, copy, len, owner, errors);
}

/* At most one byte over the limit, so that the parser sees when it is too long. */
static int file_read(const char *path, char **ret_text, size_t *ret_len) {
        /* a pipe in the directory must not stop us */
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_(freep) char *text = NULL;
        size_t len = 0;
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        text = malloc(LIMIT_CONF_BYTES + 1);
        if (!text)
                return -ENOMEM;
        do {
                n = read(fd, text + len, LIMIT_CONF_BYTES + 1 - len);
                if (n < 0 && errno != EINTR)
                        return -errno;
                len += n > 0 ? (size_t)n : 0;
        } while (n != 0 && len < LIMIT_CONF_BYTES + 1);
        *ret_text = TAKE_PTR(text);
        *ret_len = len;
        return 0;
}

int policy_load_file(struct policy_sources *sources, const char *path, uint32_t owner,
                     struct policy_errors *errors) {
        char *text = NULL;
        size_t len = 0;
        int r = file_read(path, &text, &len), r_put;

        if (r == -ENOMEM)
                return r;
        r_put = sources_put(sources, path, text, len, owner, errors);
        if (r_put < 0)
                return r_put;
        return r < 0 ? load_fail(errors, path, "the file can't be read: ", strerror(-r)) : 0;
}

/* NAME.json; what editors and package managers leave behind is none. */
static int name_is_policy(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

/* 0 or -EINVAL with errors appended, or -ENOMEM. Frees names. */
static int dir_load_names(struct policy_sources *sources, const char *dir, struct dirent **names,
                          int n, uint32_t owner, struct policy_errors *errors) {
        char path[PATH_MAX];
        int worst = 0;

        for (int i = 0; i < n; i++) {
                int r;

                snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
                r = worst == -ENOMEM ? worst : policy_load_file(sources, path, owner, errors);
                if (r < 0)
                        worst = r;
                free(names[i]);
        }
        free(names);
        return worst;
}

static int dir_load(struct policy_sources *sources, const char *dir, uint32_t owner,
                    struct policy_errors *errors) {
        struct dirent **names;
        int n = scandir(dir, &names, name_is_policy, alphasort);

        if (n < 0 && errno == ENOENT)
                return 0;
        if (n < 0 && errno == ENOMEM)
                return -ENOMEM;
        if (n < 0)
                return load_fail(errors, dir, "the directory can't be read: ", strerror(errno));
        return dir_load_names(sources, dir, names, n, owner, errors);
}

int policy_load_dirs(struct policy_sources *sources, const char *const *dirs, size_t n,
                     uint32_t owner, struct policy_errors *errors) {
        int worst = 0;

        for (size_t i = 0; i < n && worst != -ENOMEM; i++) {
                int r = dir_load(sources, dirs[i], owner, errors);

                if (r < 0)
                        worst = r;
        }
        return worst;
}
