/*
 * Part of the check of policies: congestion controls that they ask for, and that programs don't
 * get. The library leaves a socket as it was then, since the program didn't ask for any.
 *
 * A module is loaded only for who has CAP_NET_ADMIN, and so is what is not among those that are
 * allowed (Linux, tcp_set_congestion_control()).
 */
#include "doctor.h"
#include "look.h"
#include "../policy-view.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define AVAILABLE "/proc/sys/net/ipv4/tcp_available_congestion_control"
#define ALLOWED   "/proc/sys/net/ipv4/tcp_allowed_congestion_control"

static bool has_word(const char *line, const char *word) {
        const size_t n = strlen(word);

        for (; *line; line += strspn(line, " ")) {
                const size_t len = strcspn(line, " ");

                if (len == n && strncmp(line, word, n) == 0)
                        return true;
                line += len;
        }
        return false;
}

static void add_unavailable(struct doctor *doctor, const char *policy, const char *name) {
        doctor_add(doctor, &(struct finding){
                                           .severity = SEVERITY_WARNING,
                                           .subject = policy,
                                           .what = doctor_text(doctor,
                                                               "the kernel has no congestion "
                                                               "control \"%s\", or has not loaded "
                                                               "it",
                                                               name),
                                           .why = "sockets of these programs have another one",
                                           .remedy = doctor_text(doctor, "modprobe tcp_%s", name),
                           });
}

static void add_forbidden(struct doctor *doctor, const char *policy, const char *name,
                          const char *allowed) {
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_NOTE,
                                   .subject = policy,
                                   .what = doctor_text(doctor,
                                                       "only programs with CAP_NET_ADMIN get the "
                                                       "congestion control \"%s\"",
                                                       name),
                                   .why = "it is not among those that are allowed to others",
                                   .remedy = doctor_text(doctor,
                                                         "sysctl -w net.ipv4.tcp_allowed_"
                                                         "congestion_control='%s %s'",
                                                         allowed, name),
                   });
}

static void congestion_check(struct doctor *doctor, const char *policy, const char *name) {
        char available[LOOK_TEXT], allowed[LOOK_TEXT];

        if (look_line(AVAILABLE, available) < 0 || look_line(ALLOWED, allowed) < 0)
                doctor_add_unseen(doctor, policy, "the kernel's congestion controls can't be read",
                                  "cat " AVAILABLE);
        else if (!has_word(available, name))
                add_unavailable(doctor, policy, name);
        else if (!has_word(allowed, name))
                add_forbidden(doctor, policy, name, allowed);
}

static void sets_check(struct doctor *doctor, const struct policy_read *read,
                       const struct policy_app *app) {
        const struct policy_text file = policy_text(read, &app->file);
        const struct policy_set *set;

        for (uint32_t i = 0; (set = policy_at(read, &app->sets, i, sizeof(*set))); i++)
                if (set->level == IPPROTO_TCP && set->name == TCP_CONGESTION)
                        congestion_check(doctor,
                                         doctor_text(doctor, "%.*s", (int)file.n, file.bytes),
                                         doctor_text(doctor, "%.*s", (int)sizeof(set->text),
                                                     set->text));
}

void doctor_check_congestion(struct doctor *doctor) {
        const char *database = doctor_string(doctor, "PolicyDatabase");
        const struct policy_read *read;
        const struct policy_app *app;
        struct view_error error;
        struct view view;

        if (view_open(&view, *database ? database : NULL, &error) == 0 && view.n > 0) {
                read = &view.bases[view.n - 1].read;
                for (uint32_t i = 0; (app = policy_at(read, &read->half->apps, i, sizeof(*app)));
                     i++)
                        sets_check(doctor, read, app);
        }
        view_done(&view);
}
