#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../util/cleanup.h"
#include "../util/log.h"
#include "runtime.h"

#define ROLES_FIRST "mptcpize roles 1\n"
#define ROLES_LINE  64 /* bytes: a name, a role, both ends */

struct roles {
        const char *runtime;
        char path[PATH_MAX];
        char new_path[PATH_MAX];
        struct engine *engine;
        ARRAY_OF(struct set_role) kept;
};

void roles_free(struct roles *roles) {
        if (!roles)
                return;
        ARRAY_DONE(&roles->kept);
        free(roles);
}

DEFINE_CLEANUP(struct roles *, roles_free)

/* What is kept */

static size_t roles_find(const struct roles *roles, const char *ifname) {
        size_t i = 0;

        while (i < roles->kept.n && strcmp(roles->kept.items[i].name, ifname) != 0)
                i++;
        return i;
}

static int roles_put(struct roles *roles, const char *ifname, enum mptcpize_role role) {
        const size_t i = roles_find(roles, ifname);
        struct set_role entry = { .role = role };

        snprintf(entry.name, sizeof(entry.name), "%s", ifname);
        if (i == roles->kept.n)
                return ARRAY_APPEND(&roles->kept, entry, LIMIT_SET_ROLES);
        roles->kept.items[i] = entry;
        return 0;
}

/* Reading */

/* "lte0 backup\n", and nothing else. */
static bool line_parse(const char *line, struct set_role *ret_role) {
        char name[ROLES_LINE], word[ROLES_LINE], end;

        if (sscanf(line, "%63s %63s%c", name, word, &end) != 3 || end != '\n' ||
            strlen(name) >= sizeof(ret_role->name) || role_parse(word, &ret_role->role) < 0)
                return false;
        memcpy(ret_role->name, name, strlen(name) + 1);
        return true;
}

/* What is wrong with it, or NULL. */
static const char *roles_read_lines(struct roles *roles, FILE *file) {
        struct set_role role = { .name = "" };
        char line[ROLES_LINE];

        if (!fgets(line, sizeof(line), file) || strcmp(line, ROLES_FIRST) != 0)
                return "it is no list of roles";
        while (fgets(line, sizeof(line), file))
                if (!line_parse(line, &role) || roles_put(roles, role.name, role.role) < 0)
                        return "it is damaged";
        return ferror(file) ? strerror(EIO) : NULL;
}

static const char *roles_read(struct roles *roles, const char *runtime) {
        _cleanup_(fclosep) FILE *file = NULL;
        const char *wrong = runtime_read(runtime, roles->path, &file);

        return wrong || !file ? wrong : roles_read_lines(roles, file);
}

/* All of it, or nothing: one bad name is a sign that somebody else has written it. */
static const char *roles_take(struct roles *roles) {
        for (size_t i = 0; i < roles->kept.n; i++)
                if (engine_set_role(roles->engine, roles->kept.items[i].name,
                                    (int)roles->kept.items[i].role) < 0) {
                        while (i-- > 0)
                                (void)engine_set_role(roles->engine, roles->kept.items[i].name,
                                                      ROLE_UNSET);
                        return "it is damaged";
                }
        return NULL;
}

/* Writing */

static int roles_write(const struct roles *roles) {
        _cleanup_(fclosep) FILE *file = NULL;
        int r = runtime_create(roles->runtime, roles->new_path, &file);

        if (r < 0)
                return r;
        if (fputs(ROLES_FIRST, file) < 0)
                return -EIO;
        for (size_t i = 0; i < roles->kept.n; i++)
                if (fprintf(file, "%s %s\n", roles->kept.items[i].name,
                            role_name(roles->kept.items[i].role)) < 0)
                        return -errno;
        if (fflush(file) != 0 || rename(roles->new_path, roles->path) < 0)
                return -errno;
        return 0;
}

static int roles_keep(struct roles *roles, const char *ifname, int role_or_unset) {
        const size_t i = roles_find(roles, ifname);
        int r;

        if (role_or_unset != ROLE_UNSET) {
                r = roles_put(roles, ifname, (enum mptcpize_role)role_or_unset);
                if (r < 0)
                        return r;
        } else if (i < roles->kept.n) {
                ARRAY_CUT(&roles->kept, i);
        } else {
                return 0;
        }
        r = roles_write(roles);
        if (r < 0) {
                log_error("%s can't be written: %s", roles->path, strerror(-r));
                (void)unlink(roles->new_path);
        }
        return r;
}

int roles_set(struct roles *roles, const char *ifname, int role_or_unset, bool keep) {
        int r = engine_set_role(roles->engine, ifname, role_or_unset);

        if (r < 0 || (!keep && role_or_unset != ROLE_UNSET))
                return r;
        return roles_keep(roles, ifname, role_or_unset);
}

int roles_new(const char *runtime, struct engine *engine, struct roles **ret_roles) {
        _cleanup_(roles_freep) struct roles *roles = calloc(1, sizeof(*roles));
        const char *wrong;

        if (!roles)
                return -ENOMEM;
        roles->runtime = runtime;
        roles->engine = engine;
        snprintf(roles->path, sizeof(roles->path), "%s/roles", runtime);
        snprintf(roles->new_path, sizeof(roles->new_path), "%s/roles.new", runtime);
        wrong = roles_read(roles, runtime);
        if (!wrong)
                wrong = roles_take(roles);
        if (wrong) {
                log_warning("%s is ignored: %s", roles->path, wrong);
                ARRAY_DONE(&roles->kept);
        }
        *ret_roles = TAKE_PTR(roles);
        return 0;
}
