/*
 * What the test programs of the preload library share: the kernel's own answer to compare with,
 * sandboxes (network namespace, seccomp filter), and skipping with a reason.
 */
#pragma once

#include <stdbool.h>

enum {
        SUPPORT_MPTCP = 262,
        SUPPORT_SKIP = 77, /* exit code that meson counts as skipped */
};

#define SUPPORT_HOST 0xc0000201u /* 192.0.2.1 */

/* The raw system call, which no library can hook. */
int support_kernel_socket(int domain, int type, int protocol);

/* SO_PROTOCOL of fd as the kernel has it, past all hooks, or a negative errno. Closes nothing. */
int support_protocol(int fd);

/* SO_PROTOCOL of a socket(domain, type, protocol) of the application, or a negative errno. */
int support_probe(int domain, int type, int protocol);

/* Number of open descriptors among the first 1024. Calls nothing that allocates or opens. */
int support_count_fds(void);

/* Ends the program as skipped, with the reason, and errno error unless it is 0, on stderr. */
__attribute__((noreturn)) void support_skip(const char *reason, int error);

/*
 * Ends the program as skipped if the kernel gives no MPTCP socket, and as failed if the preload
 * library is not in this process: a test without it would pass for the wrong reason.
 */
void support_require_shim(void);

/* Enters a user and a network namespace of our own, or ends the program as skipped. */
void support_enter_netns(void);

/*
 * In such a namespace, or ends the program as skipped. Loopback has SUPPORT_HOST too, which to a
 * program without a database is an address like any other.
 */
void support_bring_loopback_up(void);

/*
 * From now on the kernel refuses sockets of that protocol (seccomp's only view of a call are its
 * arguments) with the given errno. Can't be undone: call it in a child. 0 or a negative errno.
 */
int support_refuse_protocol(int protocol, int error);

/* Result of body(arg) in a forked child: 0..255, or -1 if it crashed. */
int support_in_child(int (*body)(int arg), int arg);
