/*
 * mptcpctl run: a program with the library in it, or with a supervisor beside it.
 *
 * The program takes the place of mptcpctl, so that its exit status, signals and terminal are its
 * own; unless something is left to be done at its end: then mptcpctl stays and waits. The daemon
 * is not needed: without one, connections are MPTCP all the same and have one subflow, or those
 * that the kernel makes.
 */
#include "child.h"
#include "../ctl.h"
#include "../library.h"
#include "../program.h"
#include "run-environ.h"
#include "run-file.h"
#include "run-policy.h"
#include "run-report.h"
#include "supervise.h"
#include "../../util/cleanup.h"
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct run {
        const struct ctl *ctl;
        bool has_policy;
        struct report *report; /* NULL: nobody counts */
        char library[PATH_MAX];
        char policy_path[PATH_MAX]; /* "": none */
        char report_path[PATH_MAX];
};

/* After execvp() came back. */
static int run_fail_program(const struct ctl *ctl, const char *program, int r) {
        if (r == -ENOENT || r == -ENOTDIR)
                return ctl_fail(ctl, CTL_RUN_NOT_FOUND,
                                "\"%s\" is not found, or the interpreter that its first line names "
                                "is not",
                                program);
        return ctl_fail(ctl, CTL_RUN_CANNOT, "\"%s\" can't be run: %s", program, strerror(-r));
}

/* Shells and scripts are supervised for the sake of what they may start. */
static bool run_wants_supervision(const struct ctl *ctl) {
        if (ctl->supervise || ctl->no_supervise)
                return ctl->supervise;
        switch (program_look(ctl->args[0])) {
        case PROGRAM_STATIC:
        case PROGRAM_GO:
        case PROGRAM_STARTER:
                return true;
        default:
                return false;
        }
}

/*
 * Nobody asked for supervision in so many words if it is chosen by the kind of program: then what
 * the kernel refuses is only done without. CTL_DONE, or an exit status after it has said why.
 */
static int run_supervise(const struct run *run, bool *ret_supervised) {
        const struct supervise_setup setup = { .library = basename(run->library),
                                               .report = run->report };
        int r = supervise_begin(&setup);

        *ret_supervised = r == 0 || r == -EBUSY;
        if (r == -ESRCH)
                return ctl_fail(run->ctl, CTL_FAILED, "the supervisor can't be started");
        if (r == -EBUSY && (run->ctl->supervise || run->has_policy))
                return ctl_fail(run->ctl, CTL_FAILED,
                                "another supervisor is in charge here already, with a policy of "
                                "its own: see --no-supervise");
        if (r == -EBUSY && run->report)
                fprintf(stderr, "mptcpctl: another supervisor is in charge here already, and does "
                                "not count for this run\n");
        if (r < 0 && r != -EBUSY && run->ctl->supervise)
                return ctl_fail(run->ctl, CTL_FAILED, "the kernel refuses supervision: %s",
                                strerror(-r));
        return CTL_DONE;
}

/* Becomes the program. */
static int run_execute(void *context) {
        const struct run *run = context;
        const struct ctl *ctl = run->ctl;
        bool supervised = false;
        int r = CTL_DONE;

        if (run_wants_supervision(ctl))
                r = run_supervise(run, &supervised);
        if (r != CTL_DONE)
                return r;
        /* Go's own Multipath TCP knows no policy: it is for where nothing better reaches it */
        r = environ_set_preload(run->library);
        if (r == 0 && !supervised)
                r = environ_set_go();
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "the environment can't be set: %s", strerror(-r));
        execvp(ctl->args[0], ctl->args);
        return run_fail_program(ctl, ctl->args[0], -errno);
}

static int run_open_report(struct run *run) {
        _cleanup_(closep) int fd = run_file_make("report", run->report_path);

        run->report = fd < 0 ? NULL : report_map(fd);
        if (!run->report || setenv(REPORT_VARIABLE, run->report_path, 1) < 0)
                return ctl_fail(run->ctl, CTL_FAILED, "the file \"%s\" can't be written: %s",
                                run->report_path, strerror(fd < 0 ? -fd : errno));
        return CTL_DONE;
}

static void run_clean(const struct run *run) {
        if (run->report_path[0])
                unlink(run->report_path);
        if (run->policy_path[0])
                unlink(run->policy_path);
}

/* With files to be removed at the end, and with something to be said then. */
static int run_and_wait(struct run *run) {
        int r = CTL_DONE, status;

        if (run->has_policy)
                r = run_policy_make(run->ctl, run->policy_path);
        if (r == CTL_DONE && run->ctl->verbose)
                r = run_open_report(run);
        if (r != CTL_DONE) {
                run_clean(run);
                return r;
        }
        status = child_run(run_execute, run);
        run_clean(run);
        if (status < 0)
                return ctl_fail(run->ctl, CTL_FAILED, "no process can be made: %s",
                                strerror(-status));
        if (run->report)
                report_print(run->report, run->ctl->json);
        child_end(status);
}

int cmd_run(const struct ctl *ctl) {
        struct run run = { .ctl = ctl, .has_policy = ctl->policy || ctl->mode };
        int r;

        if (ctl->supervise && ctl->no_supervise)
                return ctl_fail(ctl, CTL_USAGE,
                                "--supervise and --no-supervise exclude each other");
        r = library_find(ctl, run.library);
        if (r != CTL_DONE)
                return r;
        return ctl->verbose || run.has_policy ? run_and_wait(&run) : run_execute(&run);
}
