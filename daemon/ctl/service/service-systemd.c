/*
 * systemd, as "mptcpctl service" needs it. See service.h.
 */
#include "service.h"
#include "../bus-open.h"
#include "../../util/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#define BUS_USEC UINT64_C(10000000)

int service_reload(void) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        if (sd_booted() <= 0)
                return -ENOSYS;
        r = bus_open(&bus, BUS_USEC);
        if (r >= 0)
                r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                       "org.freedesktop.systemd1.Manager", "Reload", NULL, NULL,
                                       NULL);
        return r < 0 ? r : 0;
}

/* By the name of its own library in that directory, which is there whether it runs or not. */
static unsigned int version_in(int root, const char *path) {
        int fd = root_open(root, path, O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        static const char library[] = "libsystemd-shared-";
        const size_t n = sizeof(library) - 1;
        unsigned int found = 0;
        struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (strncmp(entry->d_name, library, n) == 0 && isdigit(entry->d_name[n]))
                        found = (unsigned int)strtoul(entry->d_name + n, NULL, 10);
        if (dir)
                (void)closedir(dir);
        return found;
}

/* Below /usr/lib, or with several architectures below one of its directories. */
unsigned int service_systemd_version(const struct service *service) {
        unsigned int found = version_in(service->root, "/usr/lib/systemd");
        int fd = found ? -1 : root_open(service->root, "/usr/lib", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        char path[PATH_MAX];

        while (dir && !found && (entry = readdir(dir))) {
                snprintf(path, sizeof(path), "/usr/lib/%s/systemd", entry->d_name);
                if (strstr(entry->d_name, "-linux-"))
                        found = version_in(service->root, path);
        }
        if (dir)
                (void)closedir(dir);
        return found;
}
