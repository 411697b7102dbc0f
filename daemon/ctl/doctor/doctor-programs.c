/*
 * Check of programs: which ones use plain TCP to other hosts now, and why?
 *
 * The kernel tells which sockets are plain TCP (sockets.h), /proc whose they are; only root sees
 * the processes of others. Programs are put together by file and reason.
 */
#include "doctor.h"
#include "process.h"
#include "../program.h"
#include "sockets.h"
#include "../../util/array.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <ctype.h>
#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum reason {
        REASON_SECURE,
        REASON_GO,
        REASON_STATIC,
        REASON_POLICY,
        REASON_LOADER,
        REASON_NOT_STARTED,
        _REASON_MAX
};

struct reason_row {
        const char *what;
        const char *why;
};

static const struct reason_row reasons[_REASON_MAX] = {
        [REASON_SECURE] = { "it gains rights when it is started",
                            "the dynamic linker then ignores LD_PRELOAD, so the library does not "
                            "get into it; started by its owner, it does" },
        [REASON_GO] = { "it is a Go program",
                        "it makes its system calls by itself, without the library; from Go 1.21 on "
                        "GODEBUG=multipathtcp=1 in its environment does it, too" },
        [REASON_STATIC] = { "it is a static program",
                            "no library gets into it; a supervisor does" },
        [REASON_POLICY] = { "the library is in it, and left its sockets alone",
                            "a policy says so, or it needs an option that Multipath TCP lacks" },
        [REASON_LOADER] = { "LD_PRELOAD names the library, and it is not in it",
                            "the dynamic linker could not open it: it is not there, or hidden by a "
                            "sandbox" },
        [REASON_NOT_STARTED] = { "it was started without the library", NULL },
};

/* Processes of one file, for one reason. */
struct program {
        struct process first;
        enum reason reason;
        unsigned int processes;
        unsigned int connections;
        unsigned int listeners;
        bool bound;           /* all of its listeners are, to one address each */
        char end[SOCKET_END]; /* of one of its listeners or, if it has none, of a connection */
};

struct search {
        struct sockets sockets;
        ARRAY_OF(struct program) programs;
        bool overflow;
        /* of the process that is being looked at */
        unsigned int connections, listeners, bound;
        char end[SOCKET_END];
};

static void search_done(struct search *search) {
        sockets_done(&search->sockets);
        ARRAY_DONE(&search->programs);
}

static void on_socket(uint32_t inode, void *userdata) {
        struct search *search = userdata;
        struct socket_row *row = sockets_find(&search->sockets, inode);

        if (!row)
                return;
        row->seen = true;
        if (!search->end[0] || (row->listens && !search->listeners))
                snprintf(search->end, sizeof(search->end), "%s", row->end);
        search->connections += !row->listens;
        search->listeners += row->listens;
        search->bound += row->listens && row->bound;
}

static enum reason process_judge(const struct process *process) {
        if (process->kind == PROGRAM_GO)
                return REASON_GO;
        if (process->kind == PROGRAM_STATIC)
                return REASON_STATIC;
        if (process->has_library)
                return REASON_POLICY;
        if (process->secure)
                return REASON_SECURE;
        return process->wants_library ? REASON_LOADER : REASON_NOT_STARTED;
}

static struct program *program_find(struct search *search, const struct process *process) {
        const enum reason reason = process_judge(process);
        struct program *program;

        for (size_t i = 0; i < search->programs.n; i++) {
                program = &search->programs.items[i];
                if (program->reason == reason && strcmp(program->first.exe, process->exe) == 0)
                        return program;
        }
        if (ARRAY_APPEND(&search->programs,
                         ((struct program){ .first = *process, .reason = reason, .bound = true }),
                         LIMIT_DOCTOR_PROGRAMS) < 0)
                return NULL;
        return &search->programs.items[search->programs.n - 1];
}

static void process_take(struct search *search, pid_t pid) {
        struct process process;
        struct program *program;

        search->connections = search->listeners = search->bound = 0;
        search->end[0] = '\0';
        if (process_each_socket(pid, on_socket, search) < 0 ||
            !(search->connections || search->listeners) || process_look(pid, &process) < 0)
                return;
        program = program_find(search, &process);
        search->overflow |= !program;
        if (!program)
                return;
        if (!program->end[0] || (search->listeners && !program->listeners))
                snprintf(program->end, sizeof(program->end), "%s", search->end);
        program->processes++;
        program->connections += search->connections;
        program->listeners += search->listeners;
        program->bound &= search->bound == search->listeners && search->listeners;
}

static void processes_take(struct search *search) {
        DIR *folder = opendir("/proc");
        struct dirent *entry;

        while (folder && (entry = readdir(folder)))
                if (isdigit((unsigned char)entry->d_name[0]))
                        process_take(search, (pid_t)strtol(entry->d_name, NULL, 10));
        if (folder)
                closedir(folder);
}

/* Findings */

static const char *program_remedy(struct doctor *doctor, const struct program *program) {
        const struct process *first = &program->first;
        const struct passwd *owner = getpwuid(first->owner);
        const char *exe = doctor_quote(doctor, first->exe);
        const char *unit = doctor_quote(doctor, first->unit);

        switch (program->reason) {
        case REASON_SECURE:
                return doctor_text(doctor, "sudo -u %s mptcpctl run -- %s",
                                   doctor_quote(doctor,
                                                first->setid && owner ? owner->pw_name : "root"),
                                   exe);
        case REASON_GO:
        case REASON_STATIC:
                return doctor_text(doctor, "mptcpctl run --supervise -- %s", exe);
        case REASON_POLICY:
                return doctor_text(doctor, "mptcpctl policy explain %s%s '%s'",
                                   program->listeners ? "--listen " : "", exe, program->end);
        case REASON_LOADER:
                return doctor_text(doctor, "LD_DEBUG=files mptcpctl run -- %s", exe);
        case REASON_NOT_STARTED:
        case _REASON_MAX:
                break;
        }
        if (first->unit[0])
                return doctor_text(doctor, "mptcpctl service enable %s && systemctl restart %s",
                                   unit, unit);
        return doctor_text(doctor, "mptcpctl run -- %s", exe);
}

/* "2 connections and 1 listener of process 12 and 3 more" */
static const char *program_counts(struct doctor *doctor, const struct program *program) {
        char more[40] = "";

        if (program->processes > 1)
                snprintf(more, sizeof(more), " and %u more", program->processes - 1);
        return doctor_text(doctor, "%u plain TCP connection%s, %u listener%s, process %d%s",
                           program->connections, program->connections == 1 ? "" : "s",
                           program->listeners, program->listeners == 1 ? "" : "s",
                           (int)program->first.pid, more);
}

static const char *program_why(struct doctor *doctor, const struct program *program) {
        const char *why = reasons[program->reason].why;

        if (program->reason == REASON_POLICY && program->bound)
                why = "it listens at one address each time, which a policy has to allow "
                      "(\"source\")";
        if (!program->first.sandboxed)
                return why;
        return doctor_text(doctor, "%s%sit has a seccomp filter, which may be in the way",
                           why ? why : "", why ? "; " : "");
}

/* Somebody wanted Multipath TCP for it, and it did not come about. */
static bool program_is_disappointed(const struct program *program) {
        const struct process *first = &program->first;

        return program->reason != REASON_POLICY && (first->wants_library || first->wants_go);
}

static void program_report(struct doctor *doctor, const struct program *program) {
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = program_is_disappointed(program) ? SEVERITY_WARNING
                                                                                : SEVERITY_NOTE,
                                   .subject = doctor_text(doctor, "%s", program->first.exe),
                                   .what = doctor_text(doctor, "%s (%s)",
                                                       reasons[program->reason].what,
                                                       program_counts(doctor, program)),
                                   .why = program_why(doctor, program),
                                   .remedy = program_remedy(doctor, program),
                   });
}

/* Of how many sockets has nobody been seen? They are of other users' processes. */
static void unseen_report(struct doctor *doctor, const struct search *search) {
        unsigned int n = 0;

        for (size_t i = 0; i < search->sockets.list.n; i++)
                n += !search->sockets.list.items[i].seen;
        if (n && !doctor->root)
                doctor_add_unseen(doctor, "programs",
                                  doctor_text(doctor,
                                              "%u plain TCP socket%s of programs of other users", n,
                                              n == 1 ? " is" : "s are"),
                                  "sudo mptcpctl doctor");
        if (search->overflow)
                doctor_add_unseen(doctor, "programs", "there are more than can be listed",
                                  "ss --tcp --processes");
}

void doctor_check_programs(struct doctor *doctor) {
        _cleanup_(search_done) struct search search = { 0 };
        int r = sockets_list(&search.sockets);

        if (r < 0) {
                doctor_add_unseen(doctor, "sockets",
                                  doctor_text(doctor, "the kernel does not list them: %s",
                                              strerror(-r)),
                                  "ss --tcp --processes");
                return;
        }
        if (r > 0)
                doctor_add_unseen(doctor, "sockets", "there are more than can be looked at",
                                  "ss --tcp --processes");
        if (search.sockets.list.n)
                processes_take(&search);
        for (size_t i = 0; i < search.programs.n; i++)
                program_report(doctor, &search.programs.items[i]);
        unseen_report(doctor, &search);
}
