/*
 * A fake of the library behind ours, for the hooks that read and write: it answers by a script, and
 * collects what would have gone over the wire. Linked with shim code that was compiled to call
 * fake_dlsym().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fd.h"

enum {
        FAKE_FD = 1234,
        FAKE_WORD = FD_MPTCP | FD_CONNECTED,
        FAKE_ERRNO = 4711, /* before a call */
        FAKE_MPTCP = 262,
        FAKE_SNDBUF = 400,
        FAKE_STEPS = 16,
        FAKE_STREAM = 128,
};

/* The next call has to be this one. */
struct fake_step {
        const char *name;
        ssize_t result; /* < 0: -errno */
        int revents;    /* of poll() */
};

/* What a call was made with. */
struct fake_call {
        int fd, flags, timeout;
        short events;
        size_t n; /* bytes, or parts */
        const void *data;
};

struct fake_io {
        struct fake_step steps[FAKE_STEPS];
        struct fake_call calls[FAKE_STEPS];
        unsigned int n_steps, n_calls;
        int protocol;         /* SO_PROTOCOL, or -errno */
        int status_flags;     /* F_GETFL */
        int64_t timeout_msec; /* SO_SNDTIMEO and SO_RCVTIMEO */
        int hang_up;          /* what a poll() for POLLRDHUP says */
        uint32_t info;        /* flags of MPTCP_INFO */
        size_t at_most;       /* no script: every write takes no more, every poll() says POLLOUT */
        unsigned int n_connecting; /* hook_connecting() has been called */
        ssize_t connected;         /* with that result, hook_connected() */
        char stream[FAKE_STREAM];
        size_t n_stream;
};

extern struct fake_io fake;

/* The setup of a test: forgets everything; FAKE_FD is an established MPTCP connection. */
int fake_setup(void **state);

/* All paths are lost, and close_timeout is over. */
void fake_die(void);

/* Adds to the script. */
void fake_expect(const char *name, ssize_t result);
void fake_expect_poll(ssize_t result, int revents);

/* The call has returned that (-errno: -1 and errno), and the whole script has been played. */
void fake_assert(ssize_t got, ssize_t wanted);

/* What all writes together have written. */
void fake_assert_stream(const char *wanted);

/* What the shim calls for dlsym(). */
void *fake_dlsym(void *handle, const char *name);
