#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static struct policy_identity identity;
static char identity_exe[PATH_MAX];
static char identity_app[NAME_MAX + 1];
static char identity_cgroups[4096];

const struct policy_identity *identity_get(void) {
        return &identity;
}

/* What comes before the first byte of that kind, and *text behind it. */
static struct policy_text identity_cut(struct policy_text *text, char byte) {
        const char *end = text->n > 0 ? memchr(text->bytes, byte, text->n) : NULL;
        struct policy_text head = { text->bytes, end ? (size_t)(end - text->bytes) : text->n };

        text->bytes += head.n + (end != NULL);
        text->n -= head.n + (end != NULL);
        return head;
}

static bool identity_ends(struct policy_text text, const char *suffix) {
        size_t n = strlen(suffix);

        return text.n > n && memcmp(text.bytes + text.n - n, suffix, n) == 0;
}

static bool identity_is(struct policy_text text, const char *what) {
        return text.n == strlen(what) && (text.n == 0 || memcmp(text.bytes, what, text.n) == 0);
}

static struct policy_text identity_last_unit(struct policy_text path) {
        struct policy_text unit = { NULL, 0 };

        while (path.n > 0) {
                struct policy_text part = identity_cut(&path, '/');

                if (identity_ends(part, ".service") || identity_ends(part, ".scope") ||
                    identity_ends(part, ".slice"))
                        unit = part;
        }
        return unit;
}

/* A line is "number:controllers:path"; units are in the one without controllers, or systemd's. */
struct policy_text identity_unit(struct policy_text cgroups) {
        struct policy_text unit = { NULL, 0 };

        while (cgroups.n > 0 && unit.n == 0) {
                struct policy_text line = identity_cut(&cgroups, '\n');
                struct policy_text controllers;

                (void)identity_cut(&line, ':');
                controllers = identity_cut(&line, ':');
                if (identity_is(controllers, "") || identity_is(controllers, "name=systemd"))
                        unit = identity_last_unit(line);
        }
        return unit;
}

static struct policy_text identity_read_cgroups(void) {
        struct policy_text text = { identity_cgroups, 0 };
        int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return text;
        while (text.n < sizeof(identity_cgroups) &&
               (n = read(fd, identity_cgroups + text.n, sizeof(identity_cgroups) - text.n)) > 0)
                text.n += (size_t)n;
        (void)close(fd);
        return text;
}

/* Of the path that was executed; copied, since programs write over it to set their title. */
static struct policy_text identity_read_app(void) {
        const char *path = (const char *)getauxval(AT_EXECFN), *slash;
        struct policy_text app = { identity_app, 0 };

        if (!path)
                return app;
        slash = strrchr(path, '/');
        path = slash ? slash + 1 : path;
        app.n = strnlen(path, NAME_MAX);
        memcpy(identity_app, path, app.n);
        return app;
}

void identity_init(void) {
        int saved = errno;
        ssize_t n = readlink("/proc/self/exe", identity_exe, sizeof(identity_exe));

        identity.exe = (struct policy_text){ identity_exe, n > 0 ? (size_t)n : 0 };
        identity.app = identity_read_app();
        identity.unit = identity_unit(identity_read_cgroups());
        identity.uid = geteuid();
        errno = saved;
}
