/*
 * Checks of what is installed: the daemon, its policies, and the library.
 */
#include "doctor.h"
#include "doctor-bus.h"
#include "../run/run-environ.h"
#include "../../util/cleanup.h"
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEMD      "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define LOADER32     "/lib/ld-linux.so.2"

static bool has_systemd(void) {
        return access("/run/systemd/system", F_OK) == 0;
}

/* The daemon */

static void add_not_running(struct doctor *doctor) {
        const bool no_bus = strstr(doctor->no_answer, "bus can't be reached") != NULL;

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = no_bus ? "system bus" : "mptcpized",
                                   .what = doctor_text(doctor, "%s", doctor->no_answer),
                                   .why = "connections keep the one path that they began with, or "
                                          "those that the kernel makes",
                                   .remedy = no_bus          ? "systemctl start dbus"
                                             : has_systemd() ? "systemctl enable --now mptcpized"
                                                             : "mptcpized",
                   });
}

static void version_check(struct doctor *doctor) {
        const char *version = doctor_string(doctor, "Version");

        if (strcmp(version, MPTCPIZE_VERSION) == 0)
                return;
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_WARNING,
                                   .subject = "version",
                                   .what = doctor_text(doctor,
                                                       "mptcpized is of version %s, mptcpctl "
                                                       "of " MPTCPIZE_VERSION,
                                                       version),
                                   .why = "it was not restarted after the update, or there "
                                          "are two of them installed",
                                   .remedy = "systemctl restart mptcpized",
                   });
}

/* Will it be there after the next boot? Only where systemd starts it. */
static void unit_check(struct doctor *doctor) {
        _cleanup_(json_decrefp) json_t *reply = NULL;
        const char *state;

        if (!has_systemd() ||
            doctor_bus_call(doctor->bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD ".Manager",
                            "GetUnitFileState", &reply, "s", "mptcpized.service") < 0)
                return;
        state = json_string_value(json_array_get(reply, 0));
        if (state && strncmp(state, "disabled", strlen("disabled")) == 0)
                doctor_add(doctor, &(struct finding){
                                                   .severity = SEVERITY_NOTE,
                                                   .subject = "mptcpized.service",
                                                   .what = "it does not start at boot",
                                                   .remedy = "systemctl enable mptcpized",
                                   });
}

static void room_check(struct doctor *doctor) {
        const json_int_t n = doctor_number(doctor, "ConnectionCount");
        const json_int_t max = doctor_number(doctor, "MaxConnections");
        const json_int_t undecided = doctor_number(doctor, "Undecided");

        if (max > 0 && n >= max)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_WARNING,
                                           .subject = "max_connections",
                                           .what = doctor_text(doctor,
                                                               "%" JSON_INTEGER_FORMAT
                                                               " connections are managed, and no "
                                                               "more may be",
                                                               n),
                                           .why = "further ones keep the path that they began with",
                                           .remedy = "mptcpctl limits max_connections=100000",
                           });
        if (undecided > 0)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = "connections",
                                           .what = doctor_text(doctor,
                                                               "%" JSON_INTEGER_FORMAT " of them, "
                                                               "older than mptcpized, are not yet "
                                                               "decided on",
                                                               undecided),
                                           .why = "it looks at them one after the other",
                                           .remedy = "mptcpctl status",
                           });
}

/* What was refused at a limit, since the start. */
struct counter_row {
        const char *name;
        enum severity severity;
        const char *what;
        const char *remedy;
};

static const struct counter_row counter_rows[] = {
        { "connections_refused", SEVERITY_WARNING,
          "connections were not managed, as there were max_connections of them",
          "mptcpctl limits max_connections=100000" },
        { "subflows_surplus", SEVERITY_NOTE, "joins of peers were over max_accepted and closed",
          "mptcpctl limits max_accepted=64" },
        { "retries_held", SEVERITY_NOTE, "retries of subflows were put off by max_retries",
          "mptcpctl limits max_retries=100000" },
        { "actions_dropped", SEVERITY_WARNING, "actions were dropped, as the queue was full",
          "journalctl -u mptcpized" },
        { "plugin_errors", SEVERITY_WARNING, "mistakes of a plugin were refused",
          "journalctl -u mptcpized" },
};

static void counters_check(struct doctor *doctor) {
        const json_t *counters = json_object_get(doctor->manager, "Counters");

        for (size_t i = 0; i < ARRAY_SIZE(counter_rows); i++) {
                const json_int_t n =
                                json_integer_value(json_object_get(counters, counter_rows[i].name));

                if (n > 0)
                        doctor_add(doctor,
                                   &(struct finding){
                                                   .severity = counter_rows[i].severity,
                                                   .subject = counter_rows[i].name,
                                                   .what = doctor_text(doctor,
                                                                       "%" JSON_INTEGER_FORMAT
                                                                       " since the start: %s",
                                                                       n, counter_rows[i].what),
                                                   .remedy = counter_rows[i].remedy,
                                   });
        }
}

void doctor_check_daemon(struct doctor *doctor) {
        unit_check(doctor);
        if (!doctor->manager) {
                add_not_running(doctor);
                return;
        }
        version_check(doctor);
        room_check(doctor);
        counters_check(doctor);
}

/* Policies */

/* "FILE:LINE:COLUMN: what": the file, or all of it. */
static const char *error_file(struct doctor *doctor, const char *error) {
        const char *end = strstr(error, ": ");

        for (int colons = 0; end && end > error && colons < 2; end--)
                colons += end[-1] == ':';
        if (!end)
                end = error + strcspn(error, ":");
        return doctor_text(doctor, "%.*s", (int)(end - error), error);
}

static void add_policy_error(struct doctor *doctor, const char *error) {
        const char *file = error_file(doctor, error);

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = file,
                                   .what = doctor_text(doctor, "%s", error),
                                   .why = "what is in the file is not in force",
                                   .remedy = doctor_text(doctor,
                                                         "mptcpctl policy check %s && mptcpctl "
                                                         "reload",
                                                         doctor_quote(doctor, file)),
                   });
}

static const char *database_problem(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return strerror(errno);
        if (!(st.st_mode & S_IROTH))
                return "not everybody may read it";
        return NULL;
}

static void database_check(struct doctor *doctor) {
        const char *path = doctor_string(doctor, "PolicyDatabase");
        const char *problem = database_problem(path);

        if (problem)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_BROKEN,
                                           .subject = doctor_text(doctor, "%s", path),
                                           .what = doctor_text(doctor,
                                                               "programs can't read the policy "
                                                               "database: %s",
                                                               problem),
                                           .why = "they go on as if there were no policies",
                                           .remedy = "systemctl restart mptcpized",
                           });
}

void doctor_check_policies(struct doctor *doctor) {
        const json_t *error;
        size_t i;

        if (!doctor->manager) {
                doctor_add_unseen(doctor, "policies",
                                  "which of them are in force is only known to mptcpized",
                                  "mptcpctl policy list");
                return;
        }
        json_array_foreach(json_object_get(doctor->manager, "PolicyErrors"), i, error) {
                add_policy_error(doctor, json_string_value(error));
        }
        database_check(doctor);
        doctor_check_congestion(doctor);
}

/* The library */

static const char *library_path(void) {
        const char *named = getenv("MPTCPIZE_SHIM");

        return named && *named ? named : MPTCPIZE_SHIM_PATH;
}

static void library32_check(struct doctor *doctor, const char *library) {
        char path[PATH_MAX];

        if (access(LOADER32, F_OK) < 0 || strlen(library) >= PATH_MAX || !strchr(library, '/'))
                return;
        environ_library(library, path);
        if (!strstr(path, "$LIB"))
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = "32-bit programs",
                                           .what = "there is no library for them",
                                           .why = "this host can run them; their sockets stay "
                                                  "plain "
                                                  "TCP",
                                           .remedy = "meson setup -Dlib32=enabled build && meson "
                                                     "install -C build",
                           });
}

/* Where programs with the library tell the daemon who they are. */
static void hint_check(struct doctor *doctor) {
        char path[PATH_MAX];
        struct stat st;

        snprintf(path, sizeof(path), "%.4000s/hint", doctor->runtime);
        if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && access(path, W_OK) == 0)
                return;
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = doctor_text(doctor, "%s", path),
                                   .what = doctor_text(doctor,
                                                       "programs can't talk to mptcpized: %s",
                                                       errno ? strerror(errno) : "it is no socket"),
                                   .why = "connections have no program and no policy of their own",
                                   .remedy = "systemctl restart mptcpized",
                   });
}

void doctor_check_library(struct doctor *doctor) {
        const char *library = library_path();

        if (access(library, R_OK) < 0)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_BROKEN,
                                           .subject = doctor_text(doctor, "%s", library),
                                           .what = doctor_text(doctor,
                                                               "the library can't be read: %s",
                                                               strerror(errno)),
                                           .why = "programs that are started with it stay plain "
                                                  "TCP",
                                           .remedy = "meson install -C build",
                           });
        else
                library32_check(doctor, library);
        if (doctor->manager)
                hint_check(doctor);
}
