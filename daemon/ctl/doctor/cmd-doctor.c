/*
 * mptcpctl doctor: why is something not multipath here?
 *
 * A table of checks, each of which adds findings (doctor.h). Needs neither rights nor a daemon:
 * without one of them less can be seen, and that is a finding as well.
 */
#include "../client.h"
#include "doctor.h"
#include "doctor-bus.h"
#include "../render.h"
#include "../../util/cleanup.h"
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct check {
        const char *name;
        const char *passed; /* what it means that nothing was found */
        void (*run)(struct doctor *doctor);
};

static const struct check checks[] = {
        { "mptcp", "the kernel has Multipath TCP and its user-space path manager",
          doctor_check_mptcp },
        { "sysctls", "net.mptcp is as it should be", doctor_check_sysctls },
        { "daemon", "mptcpized runs, and has room for more", doctor_check_daemon },
        { "networkmanager", "NetworkManager is not in the way", doctor_check_networkmanager },
        { "path-manager", "nobody else manages paths", doctor_check_owner }, /* but for those */
        { "policies", "all policies are in force", doctor_check_policies },
        { "library", "programs find the library", doctor_check_library },
        { "interfaces", "there are several usable interfaces", doctor_check_interfaces },
        { "routing", "each usable address has a way out and back", doctor_check_routing },
        { "firewall", "no rule strips or drops Multipath TCP", doctor_check_firewall },
        { "programs", "no program uses plain TCP to other hosts", doctor_check_programs },
        { "peers", "nothing fell back to plain TCP", doctor_check_peers },
        { "authentication", "joins are authenticated where policies ask for it",
          doctor_check_authentication },
};

/* The daemon, as far as it answers. */
struct patient {
        json_t *manager;
        struct client_error error;
        char runtime[PATH_MAX];
};

static void patient_done(struct patient *patient) {
        json_decref(patient->manager);
}

/* The directory is where the database is, whatever the daemon was told. */
static void patient_find_runtime(struct patient *patient) {
        const char *database =
                        json_string_value(json_object_get(patient->manager, "PolicyDatabase"));
        const char *slash = database ? strrchr(database, '/') : NULL;

        snprintf(patient->runtime, PATH_MAX, "%s", MPTCPIZE_RUNTIME);
        if (slash)
                snprintf(patient->runtime, PATH_MAX, "%.*s", (int)(slash - database), database);
}

static void patient_init(struct patient *patient) {
        _cleanup_(client_freep) struct client *client = NULL;

        *patient = (struct patient){ .manager = NULL };
        if (client_new(&client, &patient->error) >= 0)
                (void)client_properties(client, &patient->error, &patient->manager, CLIENT_PATH,
                                        CLIENT_MANAGER);
        patient_find_runtime(patient);
}

static json_t *doctor_run(struct doctor *doctor, const struct check *check) {
        doctor->check = check->name;
        doctor->worst = SEVERITY_OK;
        doctor->unseen = false;
        doctor->n = 0;
        check->run(doctor);
        if (doctor->n == 0)
                doctor_add(doctor, &(struct finding){ .severity = SEVERITY_OK,
                                                      .subject = check->name,
                                                      .what = check->passed });
        return json_pack("{s:s,s:s,s:b,s:I}", "check", check->name, "severity",
                         severity_name(doctor->worst), "complete", !doctor->unseen, "findings",
                         (json_int_t)doctor->n);
}

static json_t *doctor_report(struct doctor *doctor) {
        json_t *rows = json_array();
        enum severity worst = SEVERITY_OK;
        bool complete = true;

        for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
                json_array_append_new(rows, doctor_run(doctor, &checks[i]));
                worst = doctor->worst > worst ? doctor->worst : worst;
                complete = complete && !doctor->unseen;
        }
        return json_pack("{s:s,s:s,s:b,s:b,s:o,s:O}", "version", MPTCPIZE_VERSION, "severity",
                         severity_name(worst), "root", doctor->root, "complete", complete, "checks",
                         rows, "findings", doctor->findings);
}

static int doctor_print(const struct ctl *ctl, const json_t *report) {
        const char *worst = json_string_value(json_object_get(report, "severity"));

        if (!worst)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, report, render_doctor);
        return strcmp(worst, severity_name(SEVERITY_BROKEN)) == 0 ? CTL_FAILED : CTL_DONE;
}

int cmd_doctor(const struct ctl *ctl) {
        _cleanup_(patient_done) struct patient patient;
        _cleanup_(doctor_bus_freep) struct doctor_bus *bus = NULL;
        _cleanup_(json_decrefp) json_t *findings = json_array(), *texts = json_array();
        _cleanup_(json_decrefp) json_t *world = json_object(), *report = NULL;
        struct doctor doctor = {
                .root = geteuid() == 0,
                .findings = findings,
                .texts = texts,
                .world = world,
        };

        patient_init(&patient);
        doctor.bus_error = doctor_bus_new(&bus);
        doctor.bus = bus;
        doctor.manager = patient.manager;
        doctor.no_answer = patient.error.text;
        doctor.runtime = patient.runtime;
        report = doctor_report(&doctor);
        return doctor_print(ctl, report);
}
