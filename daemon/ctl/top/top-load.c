/*
 * mptcpctl top, out of a module: it alone needs ncurses and libnl, and to load and bind them at
 * each start made "mptcpctl run" slower by a sixth.
 */
#include "../ctl.h"
#include "top-main.h"
#include "config.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Beside the program where it was built, or where it is installed. */
static void module_find(char path[static PATH_MAX]) {
        char exe[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
        const char *slash;

        exe[n < 0 ? 0 : n] = '\0';
        slash = strrchr(exe, '/');
        if (slash &&
            snprintf(path, PATH_MAX, "%.*s/" TOP_MODULE, (int)(slash - exe), exe) < PATH_MAX &&
            access(path, R_OK) == 0)
                return;
        snprintf(path, PATH_MAX, MPTCPIZE_PLUGINS "/" TOP_MODULE);
}

int cmd_top(const struct ctl *ctl) {
        int (*run)(const struct ctl *ctl);
        char path[PATH_MAX];
        void *module, *symbol;

        module_find(path);
        module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        symbol = module ? dlsym(module, TOP_ENTRY) : NULL;
        if (!symbol)
                return ctl_fail(ctl, CTL_FAILED, "top can't be loaded: %s", dlerror());
        memcpy(&run, &symbol, sizeof(run));
        return run(ctl); /* it stays: what it registered at exit is in it */
}
