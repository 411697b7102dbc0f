/*
 * Checks of the kernel: is Multipath TCP there, with what the daemon needs, and are its sysctls
 * as they should be, and as the daemon left them?
 */
#include "doctor.h"
#include "genl.h"
#include "look.h"
#include "../fields.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* The kernel's own words on how it was built, where distributions put them. */
static bool kernel_was_built_with(const char *release, const char *line) {
        _cleanup_(freep) char *config = NULL;
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "/boot/config-%s", release);
        return look_file(path, 1 << 20, &config, NULL) >= 0 && strstr(config, line);
}

static void add_no_mptcp(struct doctor *doctor, const char *release) {
        const bool built = kernel_was_built_with(release, "\nCONFIG_MPTCP=y\n");

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = "kernel",
                                   .what = doctor_text(doctor, "Linux %s has no Multipath TCP here",
                                                       release),
                                   .why = built ? "it was built with CONFIG_MPTCP, but "
                                                  "/proc/sys/net/mptcp is not there"
                                                : "as far as can be seen it was built without "
                                                  "CONFIG_MPTCP",
                                   .remedy = "apt-get install linux-image-amd64",
                   });
}

static void add_no_manager(struct doctor *doctor, const char *release, int r) {
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = "kernel",
                                   .what = doctor_text(
                                                   doctor,
                                                   "Linux %s has no user-space path manager%s%s",
                                                   release, r < 0 ? ": " : "",
                                                   r < 0 ? strerror(-r) : ""),
                                   .why = "mptcpized needs Linux 5.19 or later",
                                   .remedy = "apt-get install linux-image-amd64",
                   });
}

/* What the daemon has found that this kernel lacks: it knows what it does without. */
static void features_check(struct doctor *doctor) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(doctor->manager, "KernelFeatures"), i, row) {
                const char *name = fields_text(row, "Name"), *state = fields_text(row, "State");

                /* that it is switched off has been said */
                if (strcmp(name, "mptcp") == 0 ||
                    (strcmp(state, "fallback") != 0 && strcmp(state, "missing") != 0))
                        continue;
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = doctor_text(doctor, "kernel: %s", name),
                                           .what = fields_text(row, "Reason"),
                                           .why = "later kernels have it",
                           });
        }
}

void doctor_check_mptcp(struct doctor *doctor) {
        struct genl_family family;
        struct utsname name;
        long enabled;
        int r;

        if (uname(&name) < 0)
                snprintf(name.release, sizeof(name.release), "(unknown)");
        r = look_sysctl("net/mptcp/enabled", &enabled);
        if (r == -ENOENT && genl_find_family(&family) < 0) {
                add_no_mptcp(doctor, name.release);
                return;
        }
        if (r < 0) { /* containers may have it without its sysctls */
                doctor_add_unseen(doctor, "net.mptcp.enabled",
                                  doctor_text(doctor, "it can't be read: %s", strerror(-r)),
                                  "sysctl net.mptcp.enabled");
                enabled = 1;
        }
        if (enabled == 0)
                doctor_add(doctor, &(struct finding){
                                                   .severity = SEVERITY_BROKEN,
                                                   .subject = "net.mptcp.enabled",
                                                   .what = "Multipath TCP is switched off",
                                                   .why = "all sockets become plain TCP",
                                                   .remedy = "sysctl -w net.mptcp.enabled=1",
                                   });
        r = genl_find_family(&family);
        if (r < 0 && r != -ENOENT)
                doctor_add_unseen(
                                doctor, "path manager",
                                doctor_text(doctor, "the kernel can't be asked: %s", strerror(-r)),
                                "ip mptcp limits show");
        else if (r < 0 || !family.can_create)
                add_no_manager(doctor, name.release, r);
        features_check(doctor);
}

/* Sysctls whose value says something whatever the daemon does. */
struct sysctl_row {
        const char *name;
        bool (*odd)(long value);
        enum severity severity;
        const char *what;
        const char *why;
        long better;
};

static bool is_zero(long value) {
        return value == 0;
}

static bool is_set(long value) {
        return value != 0;
}

static bool is_many(long value) {
        return value > 4;
}

static const struct sysctl_row sysctl_rows[] = {
        { "checksum_enabled", is_set, SEVERITY_NOTE, "checksums are switched on",
          "they find what middleboxes change, and cost time for each byte; a connection has them "
          "if "
          "either end wants them",
          0 },
        { "add_addr_timeout", is_zero, SEVERITY_WARNING,
          "an announcement of an address that gets lost is not repeated",
          "peers then never join that address", 120 },
        { "blackhole_timeout", is_zero, SEVERITY_NOTE,
          "Multipath TCP is never switched off where SYNs with it are lost",
          "each connection through such a network begins with seconds of silence", 3600 },
        { "syn_retrans_before_tcp_fallback", is_many, SEVERITY_WARNING,
          "a SYN with Multipath TCP is repeated often before plain TCP is tried",
          "where such SYNs are lost, connections begin with a minute of silence", 2 },
        { "syn_retrans_before_tcp_fallback", is_zero, SEVERITY_WARNING,
          "the first lost SYN makes a connection plain TCP", "a lossy path then has no subflows",
          2 },
        { "stale_loss_cnt", is_zero, SEVERITY_NOTE, "stale subflows are not told apart",
          "data waits for a subflow that loses all of it", 4 },
        { "close_timeout", is_zero, SEVERITY_WARNING,
          "a connection that has lost its last path ends at once",
          "it can't live until there is another one", 60 },
};

static void sysctl_judge(struct doctor *doctor, const struct sysctl_row *row) {
        char path[LOOK_TEXT];
        long value;
        int r;

        snprintf(path, sizeof(path), "net/mptcp/%s", row->name);
        /* younger kernels have more of them */
        r = look_sysctl(path, &value);
        if (r < 0 && r != -ENOENT)
                doctor_add_unseen(doctor, doctor_text(doctor, "net.mptcp.%s", row->name),
                                  doctor_text(doctor, "it can't be read: %s", strerror(-r)),
                                  doctor_text(doctor, "sysctl net.mptcp.%s", row->name));
        if (r < 0 || !row->odd(value))
                return;
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = row->severity,
                                   .subject = doctor_text(doctor, "net.mptcp.%s", row->name),
                                   .what = doctor_text(doctor, "%s (%ld)", row->what, value),
                                   .why = row->why,
                                   .remedy = doctor_text(doctor, "sysctl -w net.mptcp.%s=%ld",
                                                         row->name, row->better),
                   });
}

/* The path manager itself: without it the daemon manages nothing that is new. */
static bool is_path_manager(const char *name) {
        return strcmp(name, "path_manager") == 0 || strcmp(name, "pm_type") == 0;
}

/* What the daemon has made of a sysctl, and what it is now. */
static void record_judge(struct doctor *doctor, const char *name, const char *made) {
        char path[PATH_MAX], now[LOOK_TEXT];
        const bool manager = is_path_manager(name);

        snprintf(path, sizeof(path), "/proc/sys/net/mptcp/%s", name);
        if (strchr(name, '/') || look_line(path, now) < 0 || strcmp(now, made) == 0)
                return;
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = manager ? SEVERITY_BROKEN : SEVERITY_WARNING,
                                   .subject = doctor_text(doctor, "net.mptcp.%s", name),
                                   .what = doctor_text(doctor,
                                                       "somebody has changed it to %s; mptcpized "
                                                       "had made it %s",
                                                       now, made),
                                   .why = manager ? "new connections are not managed by mptcpized"
                                                  : "mptcpized goes by what it has set",
                                   .remedy = doctor_text(doctor, "sysctl -w net.mptcp.%s=%s", name,
                                                         made),
                   });
}

/* Lines "name was is"; of two of one name the last one counts. */
static void record_read(struct doctor *doctor, char *record) {
        char name[64], was[64], is[64], *rest = NULL;

        for (char *line = strtok_r(record, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                const size_t n = strcspn(line, " ");

                if (rest && strncmp(rest, line, n + 1) == 0)
                        continue;
                if (sscanf(line, "%63s %63s %63s", name, was, is) == 3)
                        record_judge(doctor, name, is);
        }
}

static void record_check(struct doctor *doctor) {
        _cleanup_(freep) char *record = NULL;
        char path[PATH_MAX];
        int r;

        snprintf(path, sizeof(path), "%.4000s/sysctl", doctor->runtime);
        r = look_file(path, 4096, &record, NULL);
        if (r < 0 && r != -ENOENT)
                doctor_add_unseen(doctor, "sysctls",
                                  "whether somebody has changed what mptcpized set can't be seen",
                                  "sudo mptcpctl doctor");
        if (r >= 0)
                record_read(doctor, record);
}

/* Nobody to use it: left over from a daemon that was killed, or set by hand. */
static void leftover_check(struct doctor *doctor) {
        char now[LOOK_TEXT];

        if (look_line("/proc/sys/net/mptcp/path_manager", now) < 0 &&
            look_line("/proc/sys/net/mptcp/pm_type", now) < 0)
                return;
        if (strcmp(now, "userspace") == 0 || strcmp(now, "1") == 0)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_WARNING,
                                           .subject = "net.mptcp.path_manager",
                                           .what = "it is \"userspace\", and mptcpized is not "
                                                   "there",
                                           .why = "connections have one subflow, and take no joins",
                                           .remedy = "mptcpized --restore",
                           });
}

void doctor_check_sysctls(struct doctor *doctor) {
        long value;

        for (size_t i = 0; i < ARRAY_SIZE(sysctl_rows); i++)
                sysctl_judge(doctor, &sysctl_rows[i]);
        if (look_sysctl("net/mptcp/allow_join_initial_addr_port", &value) >= 0 && value == 0)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = "net.mptcp.allow_join_initial_addr_port",
                                           .what = "peers are told not to join the address that "
                                                   "they connected to (0)",
                                           .why = "right behind a load balancer; elsewhere clients "
                                                  "need addresses that are announced",
                                           .remedy = "sysctl -w "
                                                     "net.mptcp.allow_join_initial_addr_port=1",
                           });
        if (doctor->manager)
                record_check(doctor);
        else
                leftover_check(doctor);
}
