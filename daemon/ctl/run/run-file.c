#include "run-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int run_file_make(const char *what, char path[static PATH_MAX]) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        int fd;

        snprintf(path, PATH_MAX, "%s/mptcpctl-%s-XXXXXX", runtime && *runtime ? runtime : "/tmp",
                 what);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0 && runtime && *runtime) {
                snprintf(path, PATH_MAX, "/tmp/mptcpctl-%s-XXXXXX", what);
                fd = mkostemp(path, O_CLOEXEC);
        }
        return fd < 0 ? -errno : fd;
}
