/*
 * Making TCP of an MPTCP socket, in place: while nothing has been connected or listens yet, and no
 * other descriptor or process has the socket.
 *
 * A TCP socket takes the place of the descriptor (dup3()), with what was done to the old one done
 * to it again: options as the application set them (fd.h), address and port, O_NONBLOCK, O_ASYNC
 * with owner and signal, FD_CLOEXEC, and registrations with epoll with their data.
 */
#pragma once

#include <stdint.h>

#include "policy/report.h"

/* Why a socket stays MPTCP. */
enum demote_refusal {
        DEMOTE_DONE,
        DEMOTE_NOT_MPTCP, /* nothing to do: it is no MPTCP socket */
        DEMOTE_USED,      /* connected, connecting or listening */
        DEMOTE_SHARED,    /* duplicated, passed on, or from before a fork() */
        DEMOTE_UNKNOWN,   /* not all that was done to it is known (FD_INEXACT), or not from us */
        DEMOTE_FAILED,    /* the kernel refused a step; the old socket is as it was */
        _DEMOTE_REFUSAL_MAX
};

/*
 * Makes the socket fd TCP. kind, detail and what say why, for the report (REPORT_POLICY or
 * REPORT_DEMOTED; what does not become TCP counts as REPORT_KEPT, except DEMOTE_NOT_MPTCP). errno
 * is kept.
 */
enum demote_refusal demote(int fd, enum report_kind kind, uint32_t detail, const char *what);
