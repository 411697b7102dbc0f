/*
 * What to do with a call of the application: pure functions of its arguments.
 *
 * Separate from the hooks so that every rule can be tested without a kernel. Nothing here calls
 * libc, touches errno or keeps state, so it is safe in signal handlers, threads and vfork children.
 */
#pragma once

#include <stdbool.h>

enum {
        /* Linux 5.6, include/uapi/linux/in.h; our own copy since libc headers may lack it. */
        DECIDE_IPPROTO_MPTCP = 262,
};

/*
 * The protocol to ask the kernel for when the application calls socket(domain, type, protocol).
 *
 * Returns DECIDE_IPPROTO_MPTCP when the call asks for a TCP socket, and protocol itself, which
 * means "leave this call alone", in every other case. A call that asks for MPTCP already is left
 * alone too: its error belongs to the application. Cannot fail.
 */
int decide_protocol(int domain, int type, int protocol);

/*
 * Whether error, the positive errno of a refused MPTCP socket, says that there is no MPTCP for
 * this process, so that the application gets what it asked for. All other errors (EMFILE, ENFILE,
 * ENOBUFS, ENOMEM, EAFNOSUPPORT, ...) would hit a TCP socket as well and are the application's.
 */
bool decide_is_refusal(int error);
