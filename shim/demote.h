/*
 * Making TCP of an MPTCP socket, in place: while nothing has been connected or listens yet, and no
 * other descriptor or process has the socket.
 *
 * A TCP socket takes the place of the descriptor (dup3()), with what was done to the old one done
 * to it again: options as the application set them (fd.h), address and port, O_NONBLOCK, O_ASYNC
 * with owner and signal, FD_CLOEXEC, and registrations with epoll with their data.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/report.h"

/* Why a socket stays MPTCP. */
enum demote_refusal {
        DEMOTE_DONE,
        DEMOTE_NOT_MPTCP, /* nothing to do: it is no MPTCP socket */
        DEMOTE_USED,      /* connected, connecting or listening */
        DEMOTE_SHARED,    /* duplicated, passed on, or from before a fork() */
        DEMOTE_UNKNOWN,   /* not all that was done to it is known (FD_INEXACT), or not from us */
        DEMOTE_SANDBOX,   /* the process has confined itself (fd_is_confined()) */
        DEMOTE_FAILED,    /* the kernel refused a step; the old socket is as it was */
        _DEMOTE_REFUSAL_MAX
};

/*
 * Makes the socket fd TCP. kind, detail and what say why, for the report (REPORT_POLICY or
 * REPORT_DEMOTED; what does not become TCP counts as REPORT_KEPT, except DEMOTE_NOT_MPTCP). errno
 * is kept.
 */
enum demote_refusal demote(int fd, enum report_kind kind, uint32_t detail, const char *what);

/*
 * For a socket that connect() has been called on: finds out, once, whether the connection has
 * become MPTCP or has fallen back to TCP. Has it fallen back, the options that were accepted
 * without effect are set for real where the kernel takes them now, and the fall-back is counted and
 * told to the daemon. To be called when a connect() is known to have ended: when it has succeeded,
 * and, non-blocking, when the application asks for SO_ERROR. Costs nothing if nothing was accepted
 * and nobody counts. errno is kept.
 */
void demote_settle(int fd);

/* Is there MPTCP on the wire? 0; -EOPNOTSUPP or -ENOPROTOOPT: no; or another negative errno. */
int demote_check_mptcp(int fd);

/* Is the socket, connected, MPTCP here and TCP on the wire? One system call or two. */
bool demote_has_fallen_back(int fd);
