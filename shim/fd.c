#include "fd.h"

#include <errno.h>
#include <string.h>

#include "next.h"

#define FD_PROTOCOL 262 /* IPPROTO_MPTCP, which old headers lack */

_Atomic uint64_t fd_words[FD_WORDS];
static struct fd_record fd_records[FD_RECORDS];
struct fd_state fd_state;

static bool fd_has_word(int fd) {
        return fd >= 0 && fd < FD_WORDS;
}

static uint64_t fd_word(int fd) {
        return fd_has_word(fd) ? atomic_load_explicit(&fd_words[fd], memory_order_relaxed) : 0;
}

uint32_t fd_recheck(int fd) {
        uint64_t word = fd_word(fd), mended = (word & ~(uint64_t)FD_FLAGS) | FD_OTHER;
        socklen_t len = sizeof(int);
        int saved = errno, protocol = 0;

        if (fd_is_confined())
                return FD_UNKNOWN;
        if (next_functions()->getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
            protocol == FD_PROTOCOL)
                mended = (word & ~(uint64_t)FD_KIND) | FD_MPTCP | FD_SHARED;
        errno = saved;
        if (!atomic_compare_exchange_strong(&fd_words[fd], &word, mended))
                return FD_UNKNOWN; /* a new life began meanwhile, in another thread */
        return (uint32_t)mended & FD_FLAGS;
}

void fd_raise_top(uint32_t top) {
        uint32_t now = atomic_load_explicit(&fd_state.top, memory_order_relaxed);

        while (now < top && !atomic_compare_exchange_weak(&fd_state.top, &now, top))
                ;
}

void fd_note_sharing(int fd) {
        if (fd_has_word(fd) && (fd_word(fd) & FD_MPTCP))
                fd_set_flags(fd, FD_SHARED);
}

void fd_note_duplicate(int fd, int duplicate) {
        uint32_t flags = fd_flags(fd);

        /* In the child of a vfork() this says nothing of our own number, which may live on. */
        if ((flags & FD_KIND) != FD_MPTCP && (fd_word(duplicate) & FD_MPTCP)) {
                fd_note_close(duplicate);
                return;
        }
        fd_begin(duplicate, (flags & FD_KIND) == FD_MPTCP ? flags | FD_CLOSED : flags & FD_KIND);
}

void fd_note_close_range(unsigned int first, unsigned int last) {
        uint32_t top = atomic_load_explicit(&fd_state.top, memory_order_relaxed);

        for (uint32_t fd = first; fd < top && fd <= last; fd++)
                fd_note_close((int)fd);
}

void fd_set_flags(int fd, uint32_t flags) {
        if (fd_has_word(fd))
                atomic_fetch_or_explicit(&fd_words[fd], flags, memory_order_relaxed);
}

void fd_clear_flags(int fd, uint32_t flags) {
        if (fd_has_word(fd))
                atomic_fetch_and_explicit(&fd_words[fd], ~(uint64_t)flags, memory_order_relaxed);
}

bool fd_is_ours(int fd) {
        uint32_t forks = atomic_load_explicit(&fd_state.forks, memory_order_relaxed) & FD_FORK_MASK;

        return fd_has_word(fd) && ((fd_word(fd) >> FD_FORK_SHIFT) & FD_FORK_MASK) == forks;
}

void fd_note_fork(void) {
        atomic_fetch_add_explicit(&fd_state.forks, 1, memory_order_relaxed);
}

void fd_confine(void) {
        atomic_store_explicit(&fd_state.confined, 1, memory_order_relaxed);
}

/* Records */

uint64_t fd_life(int fd) {
        uint64_t word = fd_word(fd);

        return word & FD_MPTCP ? (word >> FD_SERIAL_SHIFT) << FD_SERIAL_SHIFT | (uint32_t)fd : 0;
}

const struct fd_record *fd_record(int fd) {
        uint64_t owner = fd_life(fd);
        struct fd_record *record = &fd_records[(unsigned int)fd % FD_RECORDS];

        if (!owner || atomic_load_explicit(&record->owner, memory_order_acquire) != owner)
                return NULL;
        return record;
}

/* Does a life that has ended own this record, or one that needs it no more? */
static bool fd_is_free(const struct fd_record *record) {
        uint64_t owner = atomic_load_explicit(&record->owner, memory_order_relaxed);
        int fd = (int)(uint32_t)owner;
        uint64_t word = fd_word(fd);

        return !owner || fd_life(fd) != owner || (word & FD_KIND) != FD_MPTCP ||
               ((word & FD_CONNECTED) && !(word & FD_ACCEPTED));
}

/* The record of fd for writing: to be ended with fd_end(). NULL: FD_INEXACT is set. */
static struct fd_record *fd_start(int fd) {
        uint64_t owner = fd_life(fd);
        struct fd_record *record = &fd_records[(unsigned int)fd % FD_RECORDS];

        if (!owner)
                return NULL;
        if (atomic_exchange_explicit(&record->busy, 1, memory_order_acquire)) {
                fd_set_flags(fd, FD_INEXACT);
                return NULL;
        }
        if (atomic_load_explicit(&record->owner, memory_order_relaxed) == owner)
                return record;
        if (fd_is_free(record) && !(fd_word(fd) & FD_INEXACT)) {
                atomic_store_explicit(&record->n_options, 0, memory_order_relaxed);
                atomic_store_explicit(&record->n_watches, 0, memory_order_relaxed);
                atomic_store_explicit(&record->owner, owner, memory_order_release);
                return record;
        }
        fd_set_flags(fd, FD_INEXACT);
        atomic_store_explicit(&record->busy, 0, memory_order_release);
        return NULL;
}

static void fd_end(struct fd_record *record) {
        atomic_store_explicit(&record->busy, 0, memory_order_release);
}

static struct fd_option *fd_option(struct fd_record *record, int level, int name) {
        uint32_t n = atomic_load_explicit(&record->n_options, memory_order_acquire);

        for (uint32_t i = 0; i < n; i++)
                if (record->options[i].level == level && record->options[i].name == name)
                        return &record->options[i];
        return NULL;
}

const struct fd_option *fd_find_option(int fd, int level, int name) {
        struct fd_record *record = &fd_records[(unsigned int)fd % FD_RECORDS];

        return fd_record(fd) ? fd_option(record, level, name) : NULL;
}

void fd_note_option(int fd, int level, int name, const void *value, socklen_t len, bool accepted) {
        struct fd_record *record = fd_start(fd);
        struct fd_option *option;
        uint32_t n;

        if (!record)
                return;
        option = fd_option(record, level, name);
        n = atomic_load_explicit(&record->n_options, memory_order_relaxed);
        if (len > FD_VALUE || (unsigned int)level > UINT16_MAX || (unsigned int)name > UINT16_MAX ||
            (!option && n == FD_OPTIONS)) {
                fd_set_flags(fd, FD_INEXACT);
        } else {
                if (!option) {
                        option = &record->options[n];
                        option->level = (uint16_t)level;
                        option->name = (uint16_t)name;
                }
                option->len = (uint8_t)len;
                option->accepted = accepted;
                memcpy(option->value, value, len);
                if (option == &record->options[n])
                        atomic_store_explicit(&record->n_options, n + 1, memory_order_release);
                if (accepted)
                        fd_set_flags(fd, FD_ACCEPTED);
        }
        fd_end(record);
}

void fd_note_watch(int fd, int epfd, const struct epoll_event *event) {
        struct fd_record *record = fd_start(fd);
        struct fd_watch *watch = NULL;
        uint32_t n;

        if (!record)
                return;
        n = atomic_load_explicit(&record->n_watches, memory_order_relaxed);
        for (uint32_t i = 0; i < n; i++)
                if (record->watches[i].epfd == epfd || (!watch && record->watches[i].epfd < 0))
                        watch = &record->watches[i];
        if (!watch && n < FD_WATCHES) {
                watch = &record->watches[n];
                atomic_store_explicit(&record->n_watches, n + 1, memory_order_release);
        }
        if (watch) {
                watch->event = *event;
                watch->epfd = epfd;
        } else {
                fd_set_flags(fd, FD_INEXACT);
        }
        fd_end(record);
}

void fd_drop_watch(int fd, int epfd) {
        struct fd_record *record = fd_start(fd);
        uint32_t n;

        if (!record)
                return;
        n = atomic_load_explicit(&record->n_watches, memory_order_relaxed);
        for (uint32_t i = 0; i < n; i++)
                if (record->watches[i].epfd == epfd)
                        record->watches[i].epfd = -1;
        fd_end(record);
}
