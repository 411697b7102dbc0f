/*
 * What descriptors, not sockets, have done to them: closed, duplicated, inherited, watched. Here
 * only notes are made (fd.h). And the system calls by which a program makes itself a sandbox.
 *
 * Third arguments of fcntl() and the like are passed on as they came, as a pointer's width: the
 * C library reads them like that as well.
 */
#include "hook.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "decide.h"
#include "demote.h"
#include "hint.h"
#include "next.h"

/* Linux's numbers, which headers hide or name otherwise; the same on all architectures. */
#define HOOK_F_SETSIG            10
#define HOOK_F_SETOWN_EX         15
#define HOOK_F_DUPFD_CLOEXEC     1030
#define HOOK_CLOSE_RANGE_CLOEXEC 4

/* Closing */

/* Whether a connection was MPTCP to its end is worth a system call only if somebody counts. */
static void hook_count_fall_back(int fd) {
        uint32_t flags = fd_flags(fd);

        if ((flags & (FD_KIND | FD_CONNECTED | FD_FELL_BACK)) == (FD_MPTCP | FD_CONNECTED) &&
            demote_has_fallen_back(fd)) {
                fd_set_flags(fd, FD_FELL_BACK);
                hint_count(REPORT_FELL_BACK, 0, "");
        }
}

HOOK_DECLARE(int, close, (int fd));

int hook_close(int fd) {
        const struct next *next = next_functions();

        if (__builtin_expect(!next->close, 0))
                return hook_missing();
        if (__builtin_expect(hint_is_counting(), 0))
                hook_count_fall_back(fd);
        fd_note_close(fd);
        return next->close(fd);
}

HOOK_DECLARE(int, close_range, (unsigned int first, unsigned int last, int flags));

int hook_close_range(unsigned int first, unsigned int last, int flags) {
        const struct next *next = next_functions();

        if (!next->close_range)
                return hook_missing();
        if (!(flags & HOOK_CLOSE_RANGE_CLOEXEC))
                fd_note_close_range(first, last);
        return next->close_range(first, last, flags);
}

HOOK_DECLARE(void, closefrom, (int first));

void hook_closefrom(int first) {
        const struct next *next = next_functions();

        if (!next->closefrom)
                return;
        fd_note_close_range(first < 0 ? 0 : (unsigned int)first, UINT32_MAX);
        next->closefrom(first);
}

/* Duplicating */

static int hook_duplicated(int fd, int duplicate) {
        int saved = errno;

        if (duplicate < 0 || duplicate == fd)
                return duplicate;
        fd_note_duplicate(fd, duplicate);
        if (fd_flags(fd) & FD_ACCEPTED)
                hook_copy_options(fd, duplicate, false);
        errno = saved;
        return duplicate;
}

HOOK_DECLARE(int, dup, (int fd));

int hook_dup(int fd) {
        const struct next *next = next_functions();

        if (!next->dup)
                return hook_missing();
        fd_note_sharing(fd);
        return hook_duplicated(fd, next->dup(fd));
}

HOOK_DECLARE(int, dup2, (int fd, int to));

int hook_dup2(int fd, int to) {
        const struct next *next = next_functions();

        if (!next->dup2)
                return hook_missing();
        if (fd != to)
                fd_note_sharing(fd);
        return hook_duplicated(fd, next->dup2(fd, to));
}

HOOK_DECLARE(int, dup3, (int fd, int to, int flags));

int hook_dup3(int fd, int to, int flags) {
        const struct next *next = next_functions();

        if (!next->dup3)
                return hook_missing();
        fd_note_sharing(fd);
        return hook_duplicated(fd, next->dup3(fd, to, flags));
}

/* fcntl() */

typedef int hook_fcntl_func(int fd, int command, ...);

static void hook_note_status(int fd, const void *argument) {
        if ((fd_flags(fd) & FD_KIND) != FD_MPTCP)
                return;
        if ((uintptr_t)argument & O_NONBLOCK)
                fd_set_flags(fd, FD_NONBLOCK);
        else
                fd_clear_flags(fd, FD_NONBLOCK);
}

static void hook_note_owner(int fd) {
        if ((fd_flags(fd) & FD_KIND) == FD_MPTCP)
                fd_set_flags(fd, FD_OWNED);
}

static int hook_control(hook_fcntl_func *next, int fd, int command, void *argument) {
        int r;

        if (__builtin_expect(!next, 0))
                return hook_missing();
        if (command == F_DUPFD || command == HOOK_F_DUPFD_CLOEXEC) {
                fd_note_sharing(fd);
                return hook_duplicated(fd, next(fd, command, argument));
        }
        r = next(fd, command, argument);
        if (r < 0)
                return r;
        if (command == F_SETFL)
                hook_note_status(fd, argument);
        else if (command == F_SETOWN || command == HOOK_F_SETOWN_EX || command == HOOK_F_SETSIG)
                hook_note_owner(fd);
        return r;
}

HOOK_DECLARE(int, fcntl, (int fd, int command, ...));

int hook_fcntl(int fd, int command, ...) {
        void *argument;
        va_list list;

        va_start(list, command);
        argument = va_arg(list, void *);
        va_end(list);
        return hook_control(next_functions()->fcntl, fd, command, argument);
}

HOOK_DECLARE(int, fcntl64, (int fd, int command, ...));

int hook_fcntl64(int fd, int command, ...) {
        void *argument;
        va_list list;

        va_start(list, command);
        argument = va_arg(list, void *);
        va_end(list);
        return hook_control(next_functions()->fcntl64, fd, command, argument);
}

/* epoll */

/* Only while the socket may become another: for connections the note would be a waste. */
static void hook_note_watch(int epfd, int operation, int fd, const struct epoll_event *event) {
        const uint32_t flags = fd_flags(fd);

        if ((flags & (FD_KIND | FD_CONNECTED | FD_UNNOTED)) == (FD_MPTCP | FD_CONNECTED))
                fd_set_flags(fd, FD_UNNOTED);
        if (!hook_is_fresh(flags))
                return;
        if (operation == EPOLL_CTL_DEL)
                fd_drop_watch(fd, epfd);
        else if (event)
                fd_note_watch(fd, epfd, event);
}

HOOK_DECLARE(int, epoll_ctl, (int epfd, int operation, int fd, struct epoll_event *event));

int hook_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event) {
        const struct next *next = next_functions();
        int r;

        if (__builtin_expect(!next->epoll_ctl, 0))
                return hook_missing();
        r = next->epoll_ctl(epfd, operation, fd, event);
        if (r == 0)
                hook_note_watch(epfd, operation, fd, event);
        return r;
}

/* Processes */

HOOK_DECLARE(pid_t, fork, (void));

pid_t hook_fork(void) {
        const struct next *next = next_functions();

        if (!next->fork)
                return hook_missing();
        fd_note_fork();
        return next->fork();
}

/* Of libseccomp, if the program is linked with it. */
int seccomp_load(void *filter) __attribute__((weak));

/*
 * PR_SET_NO_NEW_PRIVS is what an unprivileged program has to do before it loads a filter, but some
 * do no more than that. So it counts only where libseccomp is, which then loads a filter by a
 * system call that nobody can see.
 */
static bool hook_confines(int option) {
        return option == PR_SET_SECCOMP || (option == PR_SET_NO_NEW_PRIVS && seccomp_load);
}

HOOK_DECLARE(int, prctl, (int option, ...));

int hook_prctl(int option, ...) {
        const struct next *next = next_functions();
        unsigned long arguments[4];
        va_list list;
        int r;

        va_start(list, option);
        for (int i = 0; i < 4; i++)
                arguments[i] = va_arg(list, unsigned long);
        va_end(list);
        if (!next->prctl)
                return hook_missing();
        r = next->prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
        if (r == 0 && hook_confines(option)) {
                fd_confine();
                decide_open_shortcut(0);
        }
        return r;
}
