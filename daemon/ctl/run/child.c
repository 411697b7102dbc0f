#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* All that can be waited for: not those of faults, and of job control only what others send. */
static void signals_fill(sigset_t *set) {
        static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP };
        size_t i;

        sigfillset(set);
        for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
                sigdelset(set, faults[i]);
}

/* True: the child has ended, and *status says how. */
static bool child_reap(pid_t child, int *status) {
        if (waitpid(child, status, WNOHANG | WUNTRACED) != child)
                return false;
        if (!WIFSTOPPED(*status))
                return true;
        /* whoever waits for us learns of it, and when we go on so does the child */
        (void)kill(getpid(), SIGSTOP);
        (void)kill(child, SIGCONT);
        return false;
}

/* SI_KERNEL and above: from the terminal, which has sent it to the child as well. */
static void signal_forward(pid_t child, const siginfo_t *info) {
        if (info->si_code <= 0)
                (void)kill(child, info->si_signo);
}

int child_run(child_start_fn start, void *context) {
        const struct sigaction heed = { .sa_handler = SIG_DFL };
        struct sigaction children;
        sigset_t all, before;
        siginfo_t info;
        pid_t child;
        int status;

        signals_fill(&all);
        sigprocmask(SIG_BLOCK, &all, &before);
        /* whoever ignores it, as we may have been told to, can't wait for children */
        (void)sigaction(SIGCHLD, &heed, &children);
        child = fork();
        if (child < 0) {
                int r = -errno;

                sigprocmask(SIG_SETMASK, &before, NULL);
                return r;
        }
        if (child == 0) {
                (void)sigaction(SIGCHLD, &children, NULL);
                sigprocmask(SIG_SETMASK, &before, NULL);
                exit(start(context));
        }
        for (;;) {
                if (sigwaitinfo(&all, &info) < 0)
                        continue;
                if (info.si_signo != SIGCHLD)
                        signal_forward(child, &info);
                else if (child_reap(child, &status))
                        break;
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        return status;
}

_Noreturn void child_end(int status) {
        const struct rlimit none = { 0, 0 };
        int signum = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        sigset_t one;

        if (signum == 0)
                exit(WEXITSTATUS(status));
        /* one core file is enough, and it is the program's */
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(signum, SIG_DFL);
        sigemptyset(&one);
        sigaddset(&one, signum);
        sigprocmask(SIG_UNBLOCK, &one, NULL);
        (void)raise(signum);
        exit(128 + signum);
}
