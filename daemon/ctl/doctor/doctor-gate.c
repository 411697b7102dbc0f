/*
 * Check of what join authentication needs on this host: the gate, the port, files of shared keys.
 */
#include "doctor-auth.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CREDENTIALS "/run/credentials/mptcpized.service"

static void add_gate_missing(struct doctor *doctor) {
        const char *reason = doctor_string(doctor, "GateReason");

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = "gate",
                                   .what = doctor_text(
                                                   doctor,
                                                   "the firewall table that keeps strangers out "
                                                   "can't be made%s%s",
                                                   *reason ? ": " : "", reason),
                                   .why = "what requires authentication gets no joins; with prefer "
                                          "they are closed only once they are there",
                                   .remedy = strstr(reason, "built without")
                                                             ? "apt-get install libnftables-dev && "
                                                               "meson setup --reconfigure "
                                                               "-Dgate=enabled build"
                                                             : "modprobe nf_tables && mptcpctl "
                                                               "reload",
                   });
}

/* What it is about can be seen by its words only. */
static void add_reason(struct doctor *doctor, const char *reason) {
        const char *remedy = strstr(reason, "in use") ? "ss --udp --listening --processes"
                             : strstr(reason, "not permitted")
                                             ? "systemctl edit mptcpized # SocketBindAllow=udp:PORT"
                                             : "journalctl -u mptcpized";

        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_BROKEN,
                                   .subject = "mptcpized",
                                   .what = doctor_text(doctor, "%s", reason),
                                   .why = "joins can't be authenticated as the policies ask",
                                   .remedy = remedy,
                   });
}

struct auth_counter_row {
        const char *name;
        const char *what;
        const char *why;
        const char *remedy;
};

static const struct auth_counter_row auth_counters[] = {
        { "auth_silent", "peers did not answer when they were asked to authenticate",
          "they have no mptcpized with a policy for it, or another key or port, or UDP is lost",
          "mptcpctl connections" },
        { "auth_unanswered", "requests to join got no answer",
          "UDP does not get through by some path", "mptcpctl monitor" },
        { "auth_forged", "messages had a wrong MAC",
          "somebody tries, or something on the way changes them", "mptcpctl metrics" },
        { "auth_intruders", "subflows that nobody had admitted were closed",
          "somebody tries to join connections, or the gate was not in force", "mptcpctl monitor" },
};

static void auth_counters_check(struct doctor *doctor) {
        const json_t *counters = json_object_get(doctor->manager, "Counters");

        for (size_t i = 0; i < ARRAY_SIZE(auth_counters); i++) {
                const struct auth_counter_row *row = &auth_counters[i];
                const json_int_t n = json_integer_value(json_object_get(counters, row->name));

                if (n > 0)
                        doctor_add(doctor,
                                   &(struct finding){
                                                   .severity = SEVERITY_NOTE,
                                                   .subject = row->name,
                                                   .what = doctor_text(doctor,
                                                                       "%" JSON_INTEGER_FORMAT
                                                                       " since the start: %s",
                                                                       n, row->what),
                                                   .why = row->why,
                                                   .remedy = row->remedy,
                                   });
        }
}

void gate_check(struct doctor *doctor) {
        const char *reason = doctor_string(doctor, "AuthReason");

        if (strcmp(doctor_string(doctor, "Gate"), "missing") == 0)
                add_gate_missing(doctor);
        /* what was found before it mostly is what it says */
        if (*reason && doctor->worst < SEVERITY_BROKEN)
                add_reason(doctor, reason);
        auth_counters_check(doctor);
}

/* Shared keys */

/* Who the daemon is: its runtime directory is its own. */
static uid_t daemon_uid(const struct doctor *doctor) {
        struct stat st;

        return stat(doctor->runtime, &st) == 0 ? st.st_uid : 0;
}

static const char *user_name(struct doctor *doctor, uid_t uid) {
        const struct passwd *user = getpwuid(uid);

        return user ? doctor_text(doctor, "%s", user->pw_name)
                    : doctor_text(doctor, "%u", (unsigned int)uid);
}

/* What mptcpized has against the file; NULL: nothing. ret_remedy: a command with its name. */
static const char *key_problem(struct doctor *doctor, const char *path, const struct stat *st,
                               const char **ret_remedy) {
        const char *word = doctor_word(doctor, path);
        const uid_t uid = daemon_uid(doctor);

        *ret_remedy = doctor_text(doctor, "chmod 0400 %s && mptcpctl reload", word);
        if (st->st_mode & 077)
                return "others than its owner may read it";
        *ret_remedy = doctor_text(doctor, "chown %s %s && mptcpctl reload", user_name(doctor, uid),
                                  word);
        if (st->st_uid != uid)
                return doctor_text(doctor, "mptcpized, who is %s, can't read it",
                                   user_name(doctor, uid));
        *ret_remedy = doctor_text(doctor, "head -c 32 /dev/urandom > %s && mptcpctl reload", word);
        if (st->st_size < (off_t)LIMIT_AUTH_PSK_MIN || st->st_size > (off_t)LIMIT_AUTH_PSK)
                return doctor_text(doctor, "it has %lld bytes, not %u to %u",
                                   (long long)st->st_size, LIMIT_AUTH_PSK_MIN, LIMIT_AUTH_PSK);
        return NULL;
}

static void add_key(struct doctor *doctor, const char *path, const char *what, const char *remedy) {
        doctor_add(doctor, &(struct finding){
                                           .severity = SEVERITY_BROKEN,
                                           .subject = doctor_text(doctor, "%s", path),
                                           .what = doctor_text(doctor,
                                                               "this shared key can't be "
                                                               "used: %s",
                                                               what),
                                           .why = "with require there are no joins without it; "
                                                  "both hosts need the same",
                                           .remedy = remedy,
                           });
}

static void key_check(struct doctor *doctor, const char *path, bool credential) {
        const char *remedy, *problem;
        struct stat st;

        if (stat(path, &st) < 0 && errno == ENOENT)
                add_key(doctor, path, "it is not there",
                        credential ? "systemctl edit mptcpized # LoadCredential=NAME:FILE"
                                   : MANUAL_AUTH);
        else if (stat(path, &st) < 0)
                doctor_add_unseen(doctor, doctor_text(doctor, "%s", path), strerror(errno),
                                  "sudo mptcpctl doctor");
        else if (!S_ISREG(st.st_mode))
                add_key(doctor, path, "it is no file", MANUAL_AUTH);
        else if (!credential && (problem = key_problem(doctor, path, &st, &remedy)))
                add_key(doctor, path, problem, remedy);
}

void keys_check(struct doctor *doctor, const struct policy_read *read) {
        const struct policy_app *app;
        char path[PATH_MAX];

        for (uint32_t i = 0; (app = policy_at(read, &read->half->apps, i, sizeof(*app))); i++) {
                const struct policy_text psk = policy_text(read, &app->psk);
                const bool credential = !memchr(psk.bytes ? psk.bytes : "", '/', psk.n);

                if (app->auth == POLICY_AUTH_OFF || !psk.n)
                        continue;
                snprintf(path, sizeof(path), "%s%.*s", credential ? CREDENTIALS "/" : "",
                         (int)psk.n, psk.bytes);
                key_check(doctor, path, credential);
        }
}
