/*
 * A fake of the library behind ours, and of the kernel behind that: the preload library's objects
 * are compiled to call fake_dlsym(), so every answer can be played, every call be seen, and any of
 * them fail.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fd.h"

enum { FAKE_MPTCP = 262, FAKE_TYPE = SOCK_STREAM | SOCK_CLOEXEC, FAKE_FD = 1234 };

/* A machine with descriptors whose protocol is all that is known of them. */
struct fake {
        char log[128]; /* s socket, c close, b bind, o setsockopt, d dup3, e epoll ADD, ... */
        size_t n_calls;
        size_t fails;    /* this call (1: the first) fails, 0: none */
        int error;       /* with this */
        int mptcp_error; /* a socket() for MPTCP fails with this, 0: not */
        int next_fd;     /* the next descriptor */
        int protocols[FD_WORDS + 8];
        uint32_t local; /* what sockets are bound to, network byte order */
        bool established;
        bool listening;
        bool fallen_back;
        bool missing;           /* there is no library behind ours */
        unsigned int n_lookups; /* of dlsym() */
};

extern struct fake fake;
