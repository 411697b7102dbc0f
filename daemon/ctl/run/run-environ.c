#include "run-environ.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GO_SETTING "multipathtcp="

/* Directories that $LIB stands for, in programs of both sizes; Debian, others, Debian on ARM. */
struct lib_row {
        const char *wide;
        const char *narrow;
};

static const struct lib_row lib_rows[] = {
        { "/lib/x86_64-linux-gnu/", "/lib32/" },
        { "/lib/x86_64-linux-gnu/", "/lib/i386-linux-gnu/" },
        { "/lib64/", "/lib/" },
        { "/lib/aarch64-linux-gnu/", "/lib/arm-linux-gnueabihf/" },
};

/* Sets a variable to both values, with a separator between them if there are two. */
static int variable_join(const char *name, const char *first, char separator, const char *second) {
        _cleanup_(freep) char *value = NULL;

        if (!*first || !*second)
                separator = '\0';
        if (asprintf(&value, "%s%.1s%s", first, &separator, second) < 0)
                return -ENOMEM;
        return setenv(name, value, 1) < 0 ? -errno : 0;
}

int environ_set_preload(const char *library) {
        const char *old = getenv("LD_PRELOAD");

        return variable_join("LD_PRELOAD", library, ':', old ? old : "");
}

/* Is one of the settings, which commas separate, the one about Multipath TCP? */
static bool go_is_set(const char *settings) {
        while (settings) {
                if (strncmp(settings, GO_SETTING, strlen(GO_SETTING)) == 0)
                        return true;
                settings = strchr(settings, ',');
                settings = settings ? settings + 1 : NULL;
        }
        return false;
}

int environ_set_go(void) {
        const char *old = getenv("GODEBUG");

        if (go_is_set(old))
                return 0;
        return variable_join("GODEBUG", old ? old : "", ',', GO_SETTING "1");
}

void environ_library(const char *path, char to[static PATH_MAX]) {
        const char *name = strrchr(path, '/') + 1;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(lib_rows); i++) {
                size_t wide = strlen(lib_rows[i].wide), prefix = (size_t)(name - path);

                if (prefix < wide || memcmp(name - wide, lib_rows[i].wide, wide) != 0)
                        continue;
                prefix -= wide;
                snprintf(to, PATH_MAX, "%.*s%s%s", (int)prefix, path, lib_rows[i].narrow, name);
                if (access(to, R_OK) < 0)
                        continue;
                snprintf(to, PATH_MAX, "%.*s/$LIB/%s", (int)prefix, path, name);
                return;
        }
        snprintf(to, PATH_MAX, "%s", path);
}
