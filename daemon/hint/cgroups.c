/*
 * Units of control groups. See cgroups.h.
 */
#include "cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "../util/array.h"
#include "../util/cleanup.h"
#include "../util/limits.h"
#include "policy/unit.h"

#define PAUSE_USEC 1000000u /* between two listings */
#define DEPTH_MAX  16u

struct cgroup {
        uint64_t id;
        char unit[LIMIT_UNIT];
};

struct cgroups {
        const char *root;
        uint64_t listed_usec; /* 0: never */
        ARRAY_OF(struct cgroup) list;
};

const char *cgroups_mount(void) {
        static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        struct statfs fs;

        for (size_t i = 0; i < ARRAY_SIZE(places); i++)
                if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return places[i];
        return "";
}

int cgroups_new(const char *root, struct cgroups **ret_cgroups) {
        struct cgroups *cgroups = calloc(1, sizeof(*cgroups));

        if (!cgroups)
                return -ENOMEM;
        cgroups->root = root;
        *ret_cgroups = cgroups;
        return 0;
}

void cgroups_free(struct cgroups *cgroups) {
        if (!cgroups)
                return;
        ARRAY_DONE(&cgroups->list);
        free(cgroups);
}

/* Where a listing is: the path below the root, as the kernel writes it of a process. */
struct place {
        char text[PATH_MAX]; /* "0::" and the path */
        size_t n;
        unsigned int depth;
};

/* Only groups of units: the others have nothing to tell. */
static void cgroups_add(struct cgroups *cgroups, uint64_t id, const struct place *place) {
        const struct policy_text unit = policy_unit((struct policy_text){ place->text, place->n });
        struct cgroup cgroup = { .id = id };

        if (unit.n == 0 || unit.n >= sizeof(cgroup.unit))
                return;
        memcpy(cgroup.unit, unit.bytes, unit.n);
        (void)ARRAY_APPEND(&cgroups->list, cgroup, LIMIT_CGROUPS);
}

/* Takes fd over. */
static void cgroups_list(struct cgroups *cgroups, int fd, struct place *place) {
        const struct place here = { .n = place->n, .depth = place->depth };
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!dir) {
                closep(&fd);
                return;
        }
        while ((entry = readdir(dir)) && cgroups->list.n < LIMIT_CGROUPS) {
                const size_t n = strlen(entry->d_name);

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || here.depth == DEPTH_MAX ||
                    here.n + n + 1 >= sizeof(place->text))
                        continue;
                place->text[here.n] = '/';
                memcpy(place->text + here.n + 1, entry->d_name, n);
                place->n = here.n + 1 + n;
                place->depth = here.depth + 1;
                cgroups_add(cgroups, entry->d_ino, place);
                cgroups_list(cgroups,
                             openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                             place);
        }
        (void)closedir(dir);
}

static void cgroups_list_all(struct cgroups *cgroups) {
        struct place place = { .text = "0::", .n = 3 };

        cgroups->list.n = 0;
        cgroups_list(cgroups, open(cgroups->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &place);
}

static const struct cgroup *cgroups_find(const struct cgroups *cgroups, uint64_t id) {
        for (size_t i = 0; i < cgroups->list.n; i++)
                if (cgroups->list.items[i].id == id)
                        return &cgroups->list.items[i];
        return NULL;
}

struct policy_text cgroups_unit(struct cgroups *cgroups, uint64_t id, uint64_t now_usec) {
        const struct cgroup *cgroup = id ? cgroups_find(cgroups, id) : NULL;

        if (!cgroup && id &&
            (!cgroups->listed_usec || cgroups->listed_usec + PAUSE_USEC <= now_usec)) {
                cgroups_list_all(cgroups);
                cgroups->listed_usec = now_usec;
                cgroup = cgroups_find(cgroups, id);
        }
        if (!cgroup)
                return policy_text_of(NULL);
        return policy_text_of(cgroup->unit);
}
