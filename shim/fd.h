/*
 * What the hooks remember of descriptors: one atomic word each, and for sockets that may still have
 * to become TCP (demote.h) a record of what was done to them.
 *
 * All of it is a hint. A descriptor can be closed and used again behind our back (closefrom(),
 * stdio, direct system calls, another libc, the other side of a vfork()), so that whatever has
 * consequences asks the kernel first; what it says counts, and mends the word.
 *
 * Fixed arrays, no locks: safe in signal handlers, threads and vfork children. Descriptors from
 * FD_WORDS on have no word, and read as FD_UNKNOWN.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define FD_WORDS 65536
#define FD_RECORDS                                                                    \
        2048 /* descriptors that are this far apart share one, and the first keeps it \
              */

#define FD_FLAGS 0x1ffffu /* all of the following */

/* What it is. */
#define FD_KIND    0x03u
#define FD_UNKNOWN 0x00u /* never seen */
#define FD_OTHER   0x01u /* no MPTCP socket */
#define FD_MPTCP   0x02u /* an MPTCP socket, or accepted from one: then it may be TCP */
#define FD_CLOSED  0x03u /* was one until a close(), or may be one: see fd_flags() */

/* How far it is. None of both: neither connected nor listening. */
#define FD_CONNECTED 0x04u /* connect() has succeeded or is under way, or it was accepted */
#define FD_LISTENING 0x08u

#define FD_SHARED   0x010u /* duplicated, passed on: what happens to it happens to others */
#define FD_NONBLOCK 0x020u /* O_NONBLOCK is set, as far as we have seen */
#define FD_INEXACT  0x040u /* something was done to it that the record has not */
#define FD_ACCEPTED 0x080u /* the record has options that were accepted and have no effect */
#define FD_TIMEOUT  0x100u /* SO_RCVTIMEO was set */
#define FD_DEVICE   0x200u /* SO_BINDTODEVICE or SO_BINDTOIFINDEX was set */

#define FD_BOUND     0x0400u /* bind() has succeeded */
#define FD_INET6     0x0800u /* of AF_INET6, else of AF_INET */
#define FD_OWNED     0x1000u /* F_SETOWN, F_SETOWN_EX, F_SETSIG, or the like by ioctl() */
#define FD_SETTLED   0x2000u /* connected, and known to be MPTCP or to have fallen back */
#define FD_FELL_BACK 0x4000u /* fallen back, and counted as such */
#define FD_UNNOTED   0x8000u /* while connected, something was done that the record has not */

#define FD_HELLO 0x10000u /* connected, and what is sent is to be shown to tls_sent() */

/* An option, as the application set it. */
#define FD_VALUE 40u

struct fd_option {
        uint16_t level;
        uint16_t name;
        uint8_t len;
        bool accepted; /* the kernel refused it, the application was told that it is set */
        char value[FD_VALUE];
};

struct fd_watch {
        int epfd; /* -1: none */
        struct epoll_event event;
};

#define FD_OPTIONS 32u
#define FD_WATCHES 4u

/*
 * Owned by the descriptor whose serial it has. Filled by one thread at a time: who finds it busy
 * sets FD_INEXACT instead of waiting.
 */
struct fd_record {
        _Atomic uint64_t owner; /* fd_life(); 0: nobody */
        _Atomic uint32_t busy;
        _Atomic uint32_t n_options;
        _Atomic uint32_t n_watches;
        struct fd_option options[FD_OPTIONS];
        struct fd_watch watches[FD_WATCHES];
};

/*
 * A word: flags below, then the number of forks at its beginning, then a serial number, which tells
 * one life of the descriptor from the next.
 */
#define FD_FORK_SHIFT   17
#define FD_FORK_MASK    0x7fffu
#define FD_SERIAL_SHIFT 32

/* What is the same for all words, side by side. */
struct fd_state {
        _Atomic uint32_t forks;
        _Atomic uint32_t top; /* no word from here on has ever been written */
        _Atomic uint32_t confined;
};

extern _Atomic uint64_t fd_words[FD_WORDS];
extern struct fd_state fd_state;

/* What fd_flags() does with FD_CLOSED. */
uint32_t fd_recheck(int fd);

/*
 * The flags (FD_*) of a descriptor; FD_UNKNOWN for those without a word, and never FD_CLOSED: a
 * vfork child shares our memory and not our descriptors, so what it closed we may still have, and
 * what it made by dup2() we may not have. The kernel is asked once; what is an MPTCP socket has its
 * flags again, and FD_SHARED. errno is kept.
 */
static inline uint32_t fd_flags(int fd) {
        uint32_t flags;

        if (__builtin_expect((unsigned int)fd >= FD_WORDS, 0))
                return FD_UNKNOWN;
        flags = (uint32_t)atomic_load_explicit(&fd_words[fd], memory_order_relaxed) & FD_FLAGS;
        return __builtin_expect((flags & FD_KIND) == FD_CLOSED, 0) ? fd_recheck(fd) : flags;
}

void fd_raise_top(uint32_t top);

/*
 * A new life of this descriptor, with these flags and an empty record. No atomic addition, since
 * who begins a life is alone with the number.
 */
static inline void fd_begin(int fd, uint32_t flags) {
        uint64_t serial, forks;

        if (__builtin_expect((unsigned int)fd >= FD_WORDS, 0))
                return;
        if (__builtin_expect((uint32_t)fd >= fd_state.top, 0))
                fd_raise_top((uint32_t)fd + 1);
        serial = (fd_words[fd] >> FD_SERIAL_SHIFT) + 1;
        forks = fd_state.forks & FD_FORK_MASK;
        atomic_store_explicit(&fd_words[fd],
                              serial << FD_SERIAL_SHIFT | forks << FD_FORK_SHIFT | flags,
                              memory_order_relaxed);
}

/*
 * A duplicate of fd has been made; before that, fd_note_sharing(). In a vfork child it is not what
 * our memory says.
 */
void fd_note_sharing(int fd);
void fd_note_duplicate(int fd, int duplicate);

/* Called before a close(), or before all from first to last are closed. */
static inline void fd_note_close(int fd) {
        uint64_t word;

        if (__builtin_expect((unsigned int)fd >= FD_WORDS, 0))
                return;
        /* What another thread sets at this moment is lost, and was late anyway. */
        word = atomic_load_explicit(&fd_words[fd], memory_order_relaxed);
        if ((word & FD_KIND) == FD_MPTCP)
                atomic_store_explicit(&fd_words[fd], word | FD_CLOSED, memory_order_relaxed);
        else if ((word & FD_KIND) == FD_OTHER)
                atomic_store_explicit(&fd_words[fd], word & ~(uint64_t)FD_FLAGS,
                                      memory_order_relaxed);
}

void fd_note_close_range(unsigned int first, unsigned int last);

void fd_set_flags(int fd, uint32_t flags);
void fd_clear_flags(int fd, uint32_t flags);

/*
 * Which life of which socket has this number: serial << 32 | fd. 0: no MPTCP socket, and not from
 * one.
 */
uint64_t fd_life(int fd);

/* Was it made in this process, or before the last fork()? Then no other one has it. */
bool fd_is_ours(int fd);

/* Called before a fork(): all descriptors are shared from now on. */
void fd_note_fork(void);

/*
 * The process has asked for a sandbox (prctl(2) PR_SET_NO_NEW_PRIVS or PR_SET_SECCOMP): from now on
 * hooks make no system call but the one that the application made, which may be all it may make.
 */
void fd_confine(void);

static inline bool fd_is_confined(void) {
        return atomic_load_explicit(&fd_state.confined, memory_order_relaxed);
}

/* The record of a descriptor, to read; NULL if it has none. */
const struct fd_record *fd_record(int fd);

/*
 * Notes an option or the registration with an epoll instance; a later one of the same level and
 * name (epfd) replaces the earlier. What can't be noted (no word, too long, no room, busy) sets
 * FD_INEXACT. fd_drop_watch() forgets a registration.
 */
void fd_note_option(int fd, int level, int name, const void *value, socklen_t len, bool accepted);
void fd_note_watch(int fd, int epfd, const struct epoll_event *event);
void fd_drop_watch(int fd, int epfd);

/* The value of an accepted option, or NULL. The record may change while it is read. */
const struct fd_option *fd_find_option(int fd, int level, int name);
