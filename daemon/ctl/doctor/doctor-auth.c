/*
 * Check of join authentication in programs: which of those whose policy asks for it can't tell the
 * daemon the keys of their TLS sessions, and why? Only such as have sockets are looked at, since a
 * policy may well be for all programs. The gate and the port are in doctor-gate.c.
 */
#include "doctor-auth.h"
#include "process.h"
#include "sockets.h"
#include "../policy-view.h"
#include "../program.h"
#include "../../util/array.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What there is to be done where no key can be taken from a program. */
#define WAYS                                                                                       \
        "; a shared key (\"psk\") does without, mptcpize_set_key() is for who can change it, and " \
        "stunnel or haproxy can do its TLS"

enum mute {
        MUTE_SECURE,
        MUTE_LOADER,
        MUTE_NOT_STARTED,
        MUTE_GO,
        MUTE_STATIC,
        MUTE_HINTS,
        MUTE_HIDDEN,
        MUTE_JAVA,
        MUTE_OLD,
        MUTE_OTHER,
        MUTE_BUILTIN,
        MUTE_RUST,
        MUTE_NO_TLS,
        _MUTE_MAX /* it is not */
};

struct mute_row {
        const char *what;
        const char *why;
};

static const struct mute_row mutes[_MUTE_MAX] = {
        [MUTE_SECURE] = { "it gains rights when it is started, so the library is not in it",
                          "the dynamic linker then ignores LD_PRELOAD; started by its owner, it "
                          "does not" },
        [MUTE_LOADER] = { "LD_PRELOAD names the library, and it is not in it",
                          "the dynamic linker could not open it: it is not there, or hidden by a "
                          "sandbox" },
        [MUTE_NOT_STARTED] = { "it was started without the library",
                               "nobody tells mptcpized of its sockets and keys" },
        [MUTE_GO] = { "it is a Go program", "crypto/tls is in it, and not within reach" WAYS },
        [MUTE_STATIC] = { "it is a static program", "its TLS is in it, and not within reach" WAYS },
        [MUTE_HINTS] = { "its policy says \"hints\": false",
                         "so the library does not talk to mptcpized" },
        [MUTE_HIDDEN] = { "its sandbox hides the socket of mptcpized",
                          "the library has nobody to tell its keys to" },
        [MUTE_JAVA] = { "it is a Java virtual machine", "it has a TLS of its own" WAYS },
        [MUTE_OLD] = { "its OpenSSL is older than 3", "the library takes keys from OpenSSL 3 and "
                                                      "GnuTLS" WAYS },
        [MUTE_OTHER] = { "its TLS is neither OpenSSL's nor GnuTLS's",
                         "the library takes keys from those two" WAYS },
        [MUTE_BUILTIN] = { "OpenSSL or BoringSSL is linked into it",
                           "the library only sees calls of shared libraries" WAYS },
        [MUTE_RUST] = { "it uses rustls",
                        "the library only sees calls of OpenSSL and GnuTLS" WAYS },
        [MUTE_NO_TLS] = { "no TLS library is in it now",
                          "it has no TLS, or another process ends it" WAYS },
};

/* Processes of one file, for one reason. */
struct silent {
        struct process first;
        enum mute mute;
        enum policy_auth auth;
        char policy[LIMIT_NAME];
        unsigned int processes;
};

struct inquiry {
        struct doctor *doctor;
        const struct policy_read *read;
        ARRAY_OF(uint32_t) inodes; /* of TCP and MPTCP, in their order */
        ARRAY_OF(struct silent) silent;
        bool has_socket; /* the process that is being looked at */
        bool overflow;
};

static void inquiry_done(struct inquiry *inquiry) {
        ARRAY_DONE(&inquiry->inodes);
        ARRAY_DONE(&inquiry->silent);
}

/* Sockets */

static int compare_inodes(const void *a, const void *b) {
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

static int on_inode(uint32_t inode, void *userdata) {
        struct inquiry *inquiry = userdata;

        return ARRAY_APPEND(&inquiry->inodes, inode, 2 * LIMIT_DOCTOR_SOCKETS);
}

static void on_descriptor(uint32_t inode, void *userdata) {
        struct inquiry *inquiry = userdata;

        inquiry->has_socket |= inquiry->inodes.n &&
                               bsearch(&inode, inquiry->inodes.items, inquiry->inodes.n,
                                       sizeof(inode), compare_inodes);
}

/* Programs */

static bool is_hidden(const struct doctor *doctor, pid_t pid) {
        char path[PATH_MAX];
        struct stat st;

        if (!doctor->manager || !doctor->root)
                return false;
        snprintf(path, sizeof(path), "/proc/%d/root%.3000s/hint", (int)pid, doctor->runtime);
        return stat(path, &st) < 0 && errno == ENOENT;
}

static enum mute tls_judge(const struct process *process) {
        static const enum mute of[_TLS_KIND_MAX] = {
                [TLS_NONE] = MUTE_NO_TLS, [TLS_KNOWN] = _MUTE_MAX, [TLS_OLD] = MUTE_OLD,
                [TLS_OTHER] = MUTE_OTHER, [TLS_JAVA] = MUTE_JAVA,  [TLS_BUILTIN] = MUTE_BUILTIN,
                [TLS_RUST] = MUTE_RUST,   [TLS_GO] = MUTE_GO,
        };

        return of[process->tls != TLS_NONE ? process->tls : process_look_for_tls(process->pid)];
}

static enum mute process_judge(const struct doctor *doctor, const struct process *process,
                               const struct policy_app *app) {
        const bool has_key = app->psk.n > 0;

        if (process->kind == PROGRAM_GO || process->kind == PROGRAM_STATIC)
                return has_key ? _MUTE_MAX : process->kind == PROGRAM_GO ? MUTE_GO : MUTE_STATIC;
        if (!process->has_library)
                return process->secure          ? MUTE_SECURE
                       : process->wants_library ? MUTE_LOADER
                                                : MUTE_NOT_STARTED;
        if (!(app->flags & POLICY_APP_HINTS))
                return MUTE_HINTS;
        if (is_hidden(doctor, process->pid))
                return MUTE_HIDDEN;
        return has_key ? _MUTE_MAX : tls_judge(process);
}

static void silent_add(struct inquiry *inquiry, const struct process *process, enum mute mute,
                       const struct policy_app *app) {
        const struct policy_text name = policy_text(inquiry->read, &app->name);
        struct silent silent = { .first = *process, .mute = mute, .processes = 1 };

        for (size_t i = 0; i < inquiry->silent.n; i++) {
                struct silent *other = &inquiry->silent.items[i];

                if (other->mute == mute && strcmp(other->first.exe, process->exe) == 0) {
                        other->processes++;
                        return;
                }
        }
        silent.auth = app->auth;
        snprintf(silent.policy, sizeof(silent.policy), "%.*s", (int)name.n, name.bytes);
        inquiry->overflow |= ARRAY_APPEND(&inquiry->silent, silent, LIMIT_DOCTOR_PROGRAMS) < 0;
}

static void process_take(struct inquiry *inquiry, pid_t pid) {
        struct policy_identity who;
        const struct policy_app *app;
        struct process process;
        enum mute mute;

        inquiry->has_socket = false;
        if (process_each_socket(pid, on_descriptor, inquiry) < 0 || !inquiry->has_socket ||
            process_look(pid, &process) < 0)
                return;
        who = (struct policy_identity){ policy_text_of(process.name), policy_text_of(process.exe),
                                        policy_text_of(process.unit), process.uid };
        app = policy_find(inquiry->read, &who);
        if (!app || app->auth == POLICY_AUTH_OFF || app->mode == POLICY_MODE_OFF)
                return;
        mute = process_judge(inquiry->doctor, &process, app);
        if (mute != _MUTE_MAX)
                silent_add(inquiry, &process, mute, app);
}

static void processes_take(struct inquiry *inquiry) {
        DIR *folder = opendir("/proc");
        struct dirent *entry;

        while (folder && (entry = readdir(folder)))
                if (isdigit((unsigned char)entry->d_name[0]))
                        process_take(inquiry, (pid_t)strtol(entry->d_name, NULL, 10));
        if (folder)
                closedir(folder);
}

/* Findings */

static const char *silent_remedy(struct doctor *doctor, const struct silent *silent) {
        const char *exe = doctor_quote(doctor, silent->first.exe);
        const char *unit = doctor_quote(doctor, silent->first.unit);

        if (silent->mute == MUTE_HINTS)
                return doctor_text(doctor, "mptcpctl policy show %s",
                                   doctor_word(doctor, silent->policy));
        if (silent->mute == MUTE_HIDDEN && silent->first.unit[0])
                return doctor_text(doctor,
                                   "mkdir -p /etc/systemd/system/%s.d && printf "
                                   "'[Service]\\nBindPaths=%s\\n' "
                                   "> /etc/systemd/system/%s.d/mptcpize-hint.conf && systemctl "
                                   "daemon-reload && systemctl restart %s",
                                   unit, doctor->runtime, unit, unit);
        if (silent->mute == MUTE_LOADER)
                return doctor_text(doctor, "LD_DEBUG=files mptcpctl run -- %s", exe);
        if (silent->mute == MUTE_NOT_STARTED)
                return silent->first.unit[0] ? doctor_text(doctor,
                                                           "mptcpctl service enable %s && "
                                                           "systemctl restart %s",
                                                           unit, unit)
                                             : doctor_text(doctor, "mptcpctl run -- %s", exe);
        return MANUAL_AUTH;
}

static void silent_report(struct doctor *doctor, const struct silent *silent) {
        const bool strict = silent->auth == POLICY_AUTH_REQUIRE;
        char more[40] = "";

        if (silent->processes > 1)
                snprintf(more, sizeof(more), " and %u more", silent->processes - 1);
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = strict ? SEVERITY_WARNING : SEVERITY_NOTE,
                                   .subject = doctor_text(doctor, "%s", silent->first.exe),
                                   .what = doctor_text(doctor,
                                                       "%s (process %d%s; policy %s: auth %s, so "
                                                       "%s)",
                                                       mutes[silent->mute].what,
                                                       (int)silent->first.pid, more, silent->policy,
                                                       policy_auth_name(silent->auth),
                                                       strict ? "it gets no joins"
                                                              : "joins are not authenticated"),
                                   .why = mutes[silent->mute].why,
                                   .remedy = silent_remedy(doctor, silent),
                   });
}

static void programs_check(struct doctor *doctor, const struct policy_read *read) {
        _cleanup_(inquiry_done) struct inquiry inquiry = { .doctor = doctor, .read = read };

        (void)sockets_each_inode(on_inode, &inquiry);
        if (!inquiry.inodes.n)
                return;
        qsort(inquiry.inodes.items, inquiry.inodes.n, sizeof(uint32_t), compare_inodes);
        processes_take(&inquiry);
        for (size_t i = 0; i < inquiry.silent.n; i++)
                silent_report(doctor, &inquiry.silent.items[i]);
        if (inquiry.overflow)
                doctor_add_unseen(doctor, "programs", "there are more than can be listed",
                                  "ss --tcp --processes");
        if (!doctor->root)
                doctor_add_unseen(doctor, "programs", "those of other users can't be looked at",
                                  "sudo mptcpctl doctor");
}

/* Does any policy ask for it at all? */
static bool is_asked_for(const struct policy_read *read) {
        const struct policy_app *app;

        for (uint32_t i = 0; (app = policy_at(read, &read->half->apps, i, sizeof(*app))); i++)
                if (app->auth != POLICY_AUTH_OFF)
                        return true;
        return false;
}

void doctor_check_authentication(struct doctor *doctor) {
        const char *database = doctor_string(doctor, "PolicyDatabase");
        const struct policy_read *read = NULL;
        struct view_error error;
        struct view view;

        /* without one, or with a damaged one: the check of policies tells of it */
        if (view_open(&view, *database ? database : NULL, &error) == 0 && view.n > 0 &&
            is_asked_for(&view.bases[view.n - 1].read))
                read = &view.bases[view.n - 1].read;
        if (read)
                keys_check(doctor, read);
        if (doctor->manager)
                gate_check(doctor);
        if (read)
                programs_check(doctor, read);
        view_done(&view);
}
