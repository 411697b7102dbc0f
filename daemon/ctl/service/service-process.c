/*
 * The processes of a unit, and whether the library is in them. See service.h.
 */
#include "service.h"
#include "../../util/cleanup.h"
#include "../../util/clock.h"
#include "policy/unit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_FILE "/" SERVICE_LIBRARY

/* Is it the unit, or an instance of it? */
static bool unit_is_of(const struct service *service, struct policy_text unit) {
        char name[LIMIT_UNIT], template[LIMIT_UNIT];

        if (unit.n == 0 || unit.n >= sizeof(name))
                return false;
        memcpy(name, unit.bytes, unit.n);
        name[unit.n] = '\0';
        return strcmp(name, service->unit.name) == 0 ||
               (unit_template(name, template) && strcmp(template, service->unit.name) == 0);
}

static FILE *process_open(const char *pid, const char *name) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, name);
        return fopen(path, "re");
}

static bool process_is_of(const struct service *service, const char *pid) {
        _cleanup_(fclosep) FILE *file = process_open(pid, "cgroup");
        char text[4096];
        size_t n = file ? fread(text, 1, sizeof(text), file) : 0;

        return n > 0 && unit_is_of(service, policy_unit((struct policy_text){ text, n }));
}

/* true, false, or null: it is not for us to know. */
static json_t *process_has_library(const char *pid) {
        _cleanup_(fclosep) FILE *file = process_open(pid, "maps");
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;
        bool any = false;

        while (file && getline(&line, &size, file) > 0) {
                any = true;
                if (strstr(line, LIBRARY_FILE))
                        return json_true();
        }
        return any ? json_false() : json_null();
}

#define STARTED_AFTER 20 /* blanks behind the name, see proc_pid_stat(5) */

/* When it was started: seconds since 1970, 0 if nobody knows. */
static double process_started(const char *pid) {
        _cleanup_(fclosep) FILE *file = process_open(pid, "stat");
        unsigned long long ticks;
        char text[1024] = "", *end;

        if (file && fread(text, 1, sizeof(text) - 1, file) == 0)
                return 0;
        end = strrchr(text, ')'); /* a name may have anything in it */
        for (unsigned int i = 0; end && i < STARTED_AFTER; i++)
                end = strchr(end + 1, ' ');
        if (!end)
                return 0;
        ticks = strtoull(end, NULL, 10);
        return (double)(clock_read_usec(CLOCK_REALTIME) - clock_read_usec(CLOCK_BOOTTIME)) / 1e6 +
               (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Started with the drop-in, and without the library all the same. */
static bool process_is_out_of_reach(const struct service *service, const char *pid) {
        _cleanup_(closep) int fd = root_open(service->root, service->file, O_PATH);
        struct stat is;

        return fd >= 0 && fstat(fd, &is) == 0 &&
               process_started(pid) > (double)is.st_mtim.tv_sec + (double)is.st_mtim.tv_nsec / 1e9;
}

static void process_judge(struct service *service, const char *pid, bool has) {
        const char *list = "restart_needed";

        if (has == service_is_enabled(service))
                return;
        if (!has && process_is_out_of_reach(service, pid))
                list = "out_of_reach";
        json_array_append_new(json_object_get(service->result, list),
                              json_integer(strtol(pid, NULL, 10)));
}

static void process_add(struct service *service, const char *pid) {
        _cleanup_(fclosep) FILE *file = process_open(pid, "comm");
        json_t *has = process_has_library(pid);
        json_int_t number = strtol(pid, NULL, 10);
        char name[64] = "";

        if (!file || !fgets(name, sizeof(name), file))
                name[0] = '\0';
        name[strcspn(name, "\n")] = '\0';
        if (json_is_boolean(has))
                process_judge(service, pid, json_is_true(has));
        json_array_append_new(json_object_get(service->result, "processes"),
                              json_pack("{s:I,s:s?,s:o}", "pid", number, "program",
                                        name[0] ? name : NULL, "library", has));
}

void service_list_processes(struct service *service) {
        DIR *dir = service->is_host && !service->is_socket ? opendir("/proc") : NULL;
        struct dirent *entry;

        json_object_set_new(service->result, "processes", json_array());
        json_object_set_new(service->result, "restart_needed", json_array());
        json_object_set_new(service->result, "out_of_reach", json_array());
        while (dir && (entry = readdir(dir)))
                if (isdigit((unsigned char)entry->d_name[0]) &&
                    process_is_of(service, entry->d_name))
                        process_add(service, entry->d_name);
        if (dir)
                (void)closedir(dir);
        if (json_array_size(json_object_get(service->result, "out_of_reach")) > 0)
                service_warn(service,
                             "%zu of its processes were started with the drop-in and do without "
                             "the library all the same: they are static, gain rights, or have an "
                             "environment of their own",
                             json_array_size(json_object_get(service->result, "out_of_reach")));
}
