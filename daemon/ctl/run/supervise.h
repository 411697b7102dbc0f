/*
 * Supervision: programs that no preload library gets into get their Multipath TCP sockets from
 * another process, which the kernel asks at each socket() (seccomp user notification,
 * seccomp_unotify(2)). Their children too, whatever they execute.
 *
 *         keeper --- supervisor        both in a session of their own, with nothing of the
 *            :            :            program's open, and gone when the last program is
 *            : (listener) :
 *         mptcpctl, which becomes the program by execve()
 *
 * The listener is where the kernel's questions arrive. If nobody had it open any more, the calls
 * would fail; if nobody answered, they would wait for ever. So the keeper has it, too, and when the
 * supervisor dies it lets all calls go on as they are: new sockets are TCP then.
 *
 * The program keeps the process id, parent, session, terminal and descriptors that mptcpctl had.
 */
#pragma once

#include "../../../policy/report.h"

struct supervise_setup {
        const char *library;   /* name of the file of the preload library */
        struct report *report; /* shared memory; NULL: nobody counts */
};

/*
 * From now on this process, which has one thread, and its children are supervised. 0; -EBUSY: they
 * are by somebody else already; -ESRCH: the supervisor died at once, and no program can be executed
 * any more; or another negative errno, and nothing has changed but, at worst, that no_new_privs
 * (prctl(2)) is set.
 */
int supervise_begin(const struct supervise_setup *setup);
