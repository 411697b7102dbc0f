#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "policy/unit.h"

static struct policy_identity identity;
static char identity_exe[PATH_MAX];
static char identity_app[NAME_MAX + 1];
static char identity_cgroups[4096];

const struct policy_identity *identity_get(void) {
        return &identity;
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
        /* NOLINTNEXTLINE(performance-no-int-to-ptr) as getauxval(3) has it */
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
        identity.unit = policy_unit(identity_read_cgroups());
        identity.uid = geteuid();
        errno = saved;
}
