#include "supervise.h"
#include "supervise-filter.h"
#include "supervise-serve.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#define LISTENER 3 /* the only descriptor of ours that supervisor and keeper have */

/* The listener */

/* The kernel's structures have to fit into ours. */
static int filter_check_sizes(void) {
        struct seccomp_notif_sizes sizes;

        if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
                return -errno;
        return sizes.seccomp_notif > SERVE_STRUCT || sizes.seccomp_notif_resp > SERVE_STRUCT
                               ? -EMSGSIZE
                               : 0;
}

/*
 * Without WAIT_KILLABLE_RECV a signal would interrupt a call that we are answering, which is then
 * made again: a program with many signals, as Go's scheduler sends them, would get two sockets and
 * know of one.
 */
static int filter_set(const struct sock_fprog *program) {
        const unsigned long flags =
                        SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);

        return fd < 0 ? -errno : fd;
}

/* Who may not filter programs that gain rights has to make sure that they gain none. */
static int filter_install(void) {
        struct sock_filter instructions[FILTER_INSTRUCTIONS];
        struct sock_fprog program = { .len = (unsigned short)filter_build(instructions),
                                      .filter = instructions };
        int r = filter_check_sizes();

        if (r < 0)
                return r;
        r = filter_set(&program);
        if (r == -EACCES) {
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                        return -errno;
                r = filter_set(&program);
        }
        return r;
}

/* Between the processes: the listener one way, the supervisor's process id the other way */

static int listener_send(int to, int listener) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
                                  .cmsg_level = SOL_SOCKET,
                                  .cmsg_type = SCM_RIGHTS } };
        char byte = 0;
        struct iovec data = { &byte, 1 };
        struct msghdr message = { .msg_iov = &data,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof(control) };

        memcpy(CMSG_DATA(&control.header), &listener, sizeof(listener));
        return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The listener, or -1: there is none. */
static int listener_receive(int from) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        char byte;
        struct iovec data = { &byte, 1 };
        struct msghdr message = { .msg_iov = &data,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof(control) };
        int listener = -1;

        if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
                memcpy(&listener, CMSG_DATA(&control.header), sizeof(listener));
        return listener;
}

/* Keeper and supervisor */

/*
 * Leaves everything behind that the user sees: terminal, session, directory, descriptors. Signals
 * that are meant for the program, and those that a service manager sends to all processes, are
 * ignored, since the program may still need us when it gets them.
 */
static void keeper_detach(int pair) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), i;
        sigset_t none;

        (void)setsid();
        for (i = 1; i < 32; i++)
                if (!strchr((const char[]){ SIGKILL, SIGSTOP, SIGCHLD, SIGSEGV, SIGBUS, SIGILL,
                                            SIGFPE, SIGABRT, SIGSYS, 0 },
                            i))
                        (void)signal(i, SIG_IGN);
        (void)signal(SIGCHLD, SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (chdir("/") < 0 || null < 0)
                _exit(1);
        for (i = 0; i < LISTENER; i++)
                if (dup2(null, i) < 0)
                        _exit(1);
        if (pair != LISTENER && dup2(pair, LISTENER) < 0)
                _exit(1);
        (void)close_range(LISTENER + 1, ~0u, 0);
}

static void supervisor_live(const struct supervise_setup *setup, union serve_call *call, int pair,
                            int listener) {
        const struct serve_setup serve = { .listener = listener,
                                           .call = call,
                                           .library = setup->library,
                                           .report = setup->report };
        pid_t own = getpid();

        (void)prctl(PR_SET_NAME, "mptcpctl-super");
        /* the caller will run only when we have gone to sleep: tell the scheduler */
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
        (void)send(pair, &own, sizeof(own), MSG_NOSIGNAL);
        close(pair);
        _exit(serve_run(&serve) < 0);
}

static void keeper_live(const struct supervise_setup *setup, union serve_call *call, int pair) {
        int listener, status;
        pid_t supervisor;

        (void)prctl(PR_SET_NAME, "mptcpctl-keeper");
        keeper_detach(pair);
        pair = LISTENER;
        listener = listener_receive(pair);
        if (listener < 0)
                _exit(1);
        supervisor = fork();
        if (supervisor == 0)
                supervisor_live(setup, call, pair, listener);
        close(pair);
        if (supervisor > 0)
                while (waitpid(supervisor, &status, 0) < 0 && errno == EINTR)
                        ;
        if (supervisor > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
                _exit(0);
        /* the call that it was about to answer, then all others */
        do
                serve_continue(listener, call->notif.id);
        while (serve_take(listener, call) == 0);
        _exit(0);
}

/* Starts the keeper as nobody's child: the program must not find one that it does not know. */
static int keeper_start(const struct supervise_setup *setup, union serve_call *call, int pair) {
        pid_t child = fork();

        if (child < 0)
                return -errno;
        if (child == 0) {
                pid_t keeper = fork();

                if (keeper == 0)
                        keeper_live(setup, call, pair);
                _exit(keeper < 0);
        }
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
                ;
        return 0;
}

int supervise_begin(const struct supervise_setup *setup) {
        union serve_call *call = mmap(NULL, sizeof(*call), PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        _cleanup_(closep) int listener = -1, ours = -1;
        pid_t supervisor;
        int pair[2], r;

        if (call == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        r = keeper_start(setup, call, pair[1]);
        close(pair[1]);
        munmap(call, sizeof(*call));
        if (r < 0)
                return r;
        listener = filter_install();
        if (listener < 0)
                return listener;
        if (listener_send(ours, listener) < 0 ||
            recv(ours, &supervisor, sizeof(supervisor), 0) != sizeof(supervisor))
                return -ESRCH;
        /* where only ancestors may examine a process (Yama); its children can't be helped */
        (void)prctl(PR_SET_PTRACER, supervisor, 0, 0, 0);
        return 0;
}
