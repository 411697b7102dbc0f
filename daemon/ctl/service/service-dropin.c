/*
 * The drop-in of a unit, and the policy of its mode. See service.h.
 *
 * LD_PRELOAD= takes the place of one that the unit has itself, so both are joined, ours first. What
 * the unit says of it later is not followed: "service enable" again does that.
 */
#include "service.h"
#include "unit-words.h"
#include "../../util/cleanup.h"
#include "../../util/replace.h"
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX   (3 * UNIT_WORD)
#define HEAD       "# Made by 'mptcpctl service enable %s', removed by '... disable %s'.\n"
#define GO_SETTING "multipathtcp="

static const char *const modes[] = { "handover", "interactive", "aggregate", "ndiffports" };

/* Files below the root */

/* The directory of a file: a descriptor, or a negative errno. It is made, with those above it. */
static int parent_make(int root, const char *path) {
        char part[PATH_MAX];
        int r;

        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_(closep) int above = -1;
                char *name;

                snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
                name = strrchr(part, '/');
                *name++ = '\0';
                above = root_open(root, *part ? part : "/", O_PATH | O_DIRECTORY);
                if (above < 0)
                        return above;
                r = mkdirat(above, name, 0755) < 0 ? -errno : 0;
                /* whatever the mask is: the daemon's user has to get through */
                if (r == 0 && fchmodat(above, name, 0755, 0) < 0)
                        r = -errno;
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        snprintf(part, sizeof(part), "%.*s", (int)(strrchr(path, '/') - path), path);
        return root_open(root, part, O_PATH | O_DIRECTORY);
}

static int file_read(int root, const char *path, char text[static TEXT_MAX]) {
        _cleanup_(closep) int fd = root_open(root, path, O_RDONLY | O_NONBLOCK);
        ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);

        text[n < 0 ? 0 : n] = '\0';
        return fd < 0 ? fd : n < 0 ? -errno : 0;
}

/* All of it or nothing. 1; 0 if it is so already. */
static int file_write(int root, const char *path, const char *text) {
        const char *name = strrchr(path, '/') + 1;
        _cleanup_(closep) int dir = -1;
        char was[TEXT_MAX], fresh[LIMIT_UNIT + 16];
        int r;

        if (file_read(root, path, was) == 0 && strcmp(was, text) == 0)
                return 0;
        dir = parent_make(root, path);
        if (dir < 0)
                return dir;
        snprintf(fresh, sizeof(fresh), ".%s.new", name);
        r = replace_file(dir, name, fresh, text, true);
        return r < 0 ? r : 1;
}

/* 1; 0 if it is not there. */
static int file_remove(int root, const char *path) {
        char parent[PATH_MAX];
        _cleanup_(closep) int dir = -1;

        snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
        dir = root_open(root, parent, O_PATH | O_DIRECTORY);
        if (dir < 0)
                return dir == -ENOENT ? 0 : dir;
        if (unlinkat(dir, strrchr(path, '/') + 1, 0) < 0)
                return errno == ENOENT ? 0 : -errno;
        return 1;
}

/* A directory that is empty now was made by us, or could have been. */
static void parent_remove(int root, const char *path) {
        char part[PATH_MAX], *name;
        _cleanup_(closep) int above = -1;

        snprintf(part, sizeof(part), "%.*s", (int)(strrchr(path, '/') - path), path);
        name = strrchr(part, '/');
        *name++ = '\0';
        above = root_open(root, part, O_PATH | O_DIRECTORY);
        if (above >= 0)
                (void)unlinkat(above, name, AT_REMOVEDIR);
}

/* Policy of a mode */

/* As systemd-escape(1) writes a dash: what a unit's name has that JSON minds. */
static void backslash_double(const char *from, char to[static 2 * LIMIT_UNIT]) {
        for (; *from; *to++ = *from++)
                if (*from == '\\')
                        *to++ = '\\';
        *to = '\0';
}

/* A template stands for all of its instances. -ENAMETOOLONG: a policy can't be called so. */
static int policy_compose(const struct service *service, const char *mode,
                          char path[static PATH_MAX], char text[static TEXT_MAX]) {
        const char *name = service->unit.name, *at;
        char escaped[2 * LIMIT_UNIT];

        if (strlen(name) + strlen("service-") >= LIMIT_NAME)
                return -ENAMETOOLONG;
        snprintf(path, PATH_MAX, MPTCPIZE_APPS_CONF "/service-%s.json", name);
        backslash_double(name, escaped);
        name = escaped;
        at = strstr(name, "@.");
        snprintf(text, TEXT_MAX,
                 "{\n  \"match\": { \"unit\": \"%.*s%s%s\" },\n"
                 "  \"paths\": { \"mode\": \"%s\" }\n}\n",
                 at ? (int)(at + 1 - name) : (int)strlen(name), name, at ? "*" : "",
                 at ? at + 1 : "", mode);
        return 0;
}

const char *service_mode(const struct service *service) {
        char path[PATH_MAX], text[TEXT_MAX], is[TEXT_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
                if (policy_compose(service, modes[i], path, text) == 0 &&
                    file_read(service->root, path, is) == 0 && strcmp(is, text) == 0)
                        return modes[i];
        return NULL;
}

static int policy_write(const struct service *service) {
        char path[PATH_MAX], text[TEXT_MAX], is[TEXT_MAX];
        int r = policy_compose(service, service->ctl->mode, path, text);

        if (r < 0)
                return r;
        /* one that somebody has changed is theirs */
        if (file_read(service->root, path, is) == 0 && !service_mode(service))
                return -EEXIST;
        return file_write(service->root, path, text);
}

static int policy_remove(const struct service *service) {
        char path[PATH_MAX], text[TEXT_MAX];
        const char *mode = service_mode(service);
        int r = mode ? policy_compose(service, mode, path, text) : 0;

        return !mode || r < 0 ? r : file_remove(service->root, path);
}

/* Drop-in */

static int line_append(char text[static TEXT_MAX], const char *first, const char *separator,
                       const char *second) {
        char word[2 * UNIT_WORD], quoted[2 * UNIT_WORD];
        size_t n = strlen(text);
        int r;

        if (snprintf(word, sizeof(word), "%s%s%s", first, separator, second) >= (int)sizeof(word))
                return -ENOBUFS;
        r = unit_quote(word, quoted, sizeof(quoted));
        if (r < 0)
                return r;
        r = snprintf(text + n, TEXT_MAX - n, "Environment=%s\n", quoted);
        return r >= (int)(TEXT_MAX - n) ? -ENOBUFS : 0;
}

/* In settings a percent sign begins a specifier; what the unit has keeps its own. */
static void percent_double(const char *from, char to[static PATH_MAX]) {
        size_t n = 0;

        for (; *from && n + 2 < PATH_MAX; from++) {
                if (*from == '%')
                        to[n++] = '%';
                to[n++] = *from;
        }
        to[n] = '\0';
}

static int dropin_add_library(const struct service *service, const char *library,
                              char text[static TEXT_MAX]) {
        char path[PATH_MAX], first[UNIT_WORD + 16], old[UNIT_WORD] = "";

        percent_double(library, path);
        snprintf(first, sizeof(first), "LD_PRELOAD=%s", path);
        (void)unit_variable(service->plain, "LD_PRELOAD", old);
        return line_append(text, first, *old ? ":" : "", old);
}

/* Go's own Multipath TCP, unless the unit speaks of it. */
static int dropin_add_go(const struct service *service, char text[static TEXT_MAX]) {
        char first[UNIT_WORD + 16], old[UNIT_WORD] = "";

        (void)unit_variable(service->plain, "GODEBUG", old);
        if (strstr(old, GO_SETTING))
                return 0;
        snprintf(first, sizeof(first), "GODEBUG=%s", old);
        return line_append(text, first, *old ? "," : "", GO_SETTING "1");
}

static int dropin_compose(const struct service *service, const char *library,
                          char text[static TEXT_MAX]) {
        const char *name = service->unit.name;
        int r;

        if (service->is_socket) {
                snprintf(text, TEXT_MAX, HEAD "[Socket]\nSocketProtocol=mptcp\n", name, name);
                return 0;
        }
        snprintf(text, TEXT_MAX, HEAD "[Service]\n", name, name);
        r = dropin_add_library(service, library, text);
        return r == 0 && service->is_go ? dropin_add_go(service, text) : r;
}

int service_dropin_write(struct service *service, const char *library) {
        char text[TEXT_MAX];
        int policy = 0, r = dropin_compose(service, library, text);

        if (r == 0 && service->ctl->mode)
                policy = policy_write(service);
        if (r == 0 && policy < 0)
                r = policy;
        if (r == 0)
                r = file_write(service->root, service->file, text);
        return r < 0 ? r : r | policy;
}

int service_dropin_remove(struct service *service) {
        int r = file_remove(service->root, service->file), policy;

        if (r < 0)
                return r;
        if (r > 0)
                parent_remove(service->root, service->file);
        policy = policy_remove(service);
        return policy < 0 ? policy : r | policy;
}
