/*
 * See demote.h. In three steps:
 *  - demote_check(): may it be done? The words of fd.h are hints, so the kernel is asked as well;
 *  - demote_prepare(): a new socket that is all the old one is. All that can fail is done here,
 *    while the old socket is untouched;
 *  - demote_exchange(): the new one takes over the number; then what belongs to the number.
 */
#include "demote.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "decide.h"
#include "fd.h"
#include "hint.h"
#include "next.h"

#define DEMOTE_SOL_MPTCP  284 /* include/linux/socket.h; old headers lack it */
#define DEMOTE_MPTCP_INFO 1   /* Linux 5.16, include/uapi/linux/mptcp.h */

/* glibc has it behind _GNU_SOURCE, musl under another name. */
struct demote_owner {
        int type;
        pid_t pid;
};

#define DEMOTE_F_SETOWN_EX 15
#define DEMOTE_F_GETOWN_EX 16
#define DEMOTE_F_SETSIG    10
#define DEMOTE_F_GETSIG    11

struct demotion {
        const struct next *next;
        const struct fd_record *record; /* NULL: nothing is in it */
        int old;
        int new;
        uint32_t flags;           /* FD_* of the old one */
        int status;               /* O_* of the old one */
        int close_on_exec;        /* O_CLOEXEC or 0 */
        bool watched[FD_WATCHES]; /* the record's watch i was registered, as the kernel says */
};

static const char *demote_refusal_name(enum demote_refusal refusal) {
        static const char *const names[_DEMOTE_REFUSAL_MAX] = {
                [DEMOTE_DONE] = "it is TCP",
                [DEMOTE_NOT_MPTCP] = "it is no MPTCP socket",
                [DEMOTE_USED] = "it is connected or listens already",
                [DEMOTE_SHARED] = "other descriptors or processes have it",
                [DEMOTE_UNKNOWN] = "not all that was done to it is known",
                [DEMOTE_SANDBOX] = "the program has put itself into a sandbox",
                [DEMOTE_FAILED] = "the kernel refused a step",
        };

        return names[refusal];
}

/* Checking */

static int demote_get(const struct next *next, int fd, int level, int name) {
        socklen_t len = sizeof(int);
        int value = -1;

        return next->getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

static enum demote_refusal demote_check_word(int fd, uint32_t flags) {
        if (flags & (FD_CONNECTED | FD_LISTENING))
                return DEMOTE_USED;
        if ((flags & FD_SHARED) || !fd_is_ours(fd))
                return DEMOTE_SHARED;
        return flags & FD_INEXACT ? DEMOTE_UNKNOWN : DEMOTE_DONE;
}

/* io_uring and direct system calls may have used it behind our back. */
static bool demote_is_used(const struct next *next, int fd) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);

        return next->getpeername(fd, (struct sockaddr *)&peer, &len) == 0 ||
               demote_get(next, fd, SOL_SOCKET, SO_ACCEPTCONN) != 0;
}

static enum demote_refusal demote_check(const struct next *next, int fd, enum report_kind kind) {
        uint32_t flags = fd_flags(fd);
        enum demote_refusal refusal;

        if ((flags & FD_KIND) == FD_OTHER)
                return DEMOTE_NOT_MPTCP;
        if (fd_is_confined())
                return DEMOTE_SANDBOX;
        if (demote_get(next, fd, SOL_SOCKET, SO_PROTOCOL) != DECIDE_IPPROTO_MPTCP) {
                fd_begin(fd, FD_OTHER);
                return DEMOTE_NOT_MPTCP;
        }
        if ((flags & FD_KIND) == FD_UNKNOWN)
                return DEMOTE_UNKNOWN;
        refusal = demote_check_word(fd, flags);
        if (refusal != DEMOTE_DONE)
                return refusal;
        /* What the policy judges are calls that the kernel refuses to used sockets anyway. */
        return kind == REPORT_DEMOTED && demote_is_used(next, fd) ? DEMOTE_USED : DEMOTE_DONE;
}

/* Preparing */

static bool demote_read_flags(struct demotion *d) {
        int descriptor = d->next->fcntl(d->old, F_GETFD);

        d->status = d->next->fcntl(d->old, F_GETFL);
        d->close_on_exec = descriptor & FD_CLOEXEC ? O_CLOEXEC : 0;
        return descriptor >= 0 && d->status >= 0;
}

static bool demote_create(struct demotion *d) {
        int domain = d->flags & FD_INET6 ? AF_INET6 : AF_INET;
        int nonblock = d->status & O_NONBLOCK ? SOCK_NONBLOCK : 0;

        d->new = d->next->socket(domain, SOCK_STREAM | SOCK_CLOEXEC | nonblock, IPPROTO_TCP);
        return d->new >= 0;
}

/*
 * What only MPTCP took is nothing that TCP loses; and what was accepted without effect was no more
 * than a promise.
 */
static bool demote_set_option(const struct demotion *d, const struct fd_option *option) {
        return d->next->setsockopt(d->new, option->level, option->name, option->value,
                                   option->len) == 0 ||
               option->accepted || errno == EOPNOTSUPP || errno == ENOPROTOOPT;
}

static bool demote_set_options(const struct demotion *d) {
        uint32_t n = d->record ? d->record->n_options : 0;

        for (uint32_t i = 0; i < n; i++)
                if (!demote_set_option(d, &d->record->options[i]))
                        return false;
        return true;
}

static bool demote_set_reuse(const struct demotion *d, int fd, int value) {
        return d->next->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)) == 0;
}

/*
 * Both sockets have the port for a moment, which SO_REUSEADDR on both allows since none listens. So
 * there is no moment in which somebody else can take it, and nothing is lost if it fails.
 */
static bool demote_bind(const struct demotion *d) {
        const struct fd_option *set = fd_find_option(d->old, SOL_SOCKET, SO_REUSEADDR);
        struct sockaddr_storage local;
        socklen_t len = sizeof(local);
        int reuse = 0;
        bool bound;

        if (!(d->flags & FD_BOUND))
                return true;
        if (set)
                memcpy(&reuse, set->value, sizeof(reuse));
        if (d->next->getsockname(d->old, (struct sockaddr *)&local, &len) < 0 ||
            !demote_set_reuse(d, d->old, 1))
                return false;
        bound = demote_set_reuse(d, d->new, 1) &&
                d->next->bind(d->new, (struct sockaddr *)&local, len) == 0 &&
                demote_set_reuse(d, d->new, reuse);
        if (!bound)
                (void)demote_set_reuse(d, d->old, reuse);
        return bound;
}

static bool demote_set_owner(const struct demotion *d) {
        struct demote_owner owner;
        int number;

        if (!(d->flags & FD_OWNED))
                return true;
        number = d->next->fcntl(d->old, DEMOTE_F_GETSIG);
        return number >= 0 && d->next->fcntl(d->old, DEMOTE_F_GETOWN_EX, &owner) == 0 &&
               d->next->fcntl(d->new, DEMOTE_F_SETOWN_EX, &owner) == 0 &&
               (number == 0 || d->next->fcntl(d->new, DEMOTE_F_SETSIG, number) == 0);
}

static bool demote_prepare(struct demotion *d) {
        if (!demote_read_flags(d) || !demote_create(d))
                return false;
        return demote_set_options(d) && demote_bind(d) && demote_set_owner(d);
}

/* Exchanging */

/*
 * An instance of epoll may have been closed, and its number be another's now; whether it has the
 * old socket shows when that is taken out. Closing would do so as well, and takes longer.
 */
static void demote_remove_watches(struct demotion *d) {
        uint32_t n = d->record ? d->record->n_watches : 0;

        for (uint32_t i = 0; i < n; i++) {
                const struct fd_watch *watch = &d->record->watches[i];

                d->watched[i] = watch->epfd >= 0 &&
                                d->next->epoll_ctl(watch->epfd, EPOLL_CTL_DEL, d->old, NULL) == 0;
        }
}

/* To the socket that has the number now. */
static void demote_add_watches(const struct demotion *d) {
        for (uint32_t i = 0; i < FD_WATCHES; i++) {
                struct epoll_event event;
                int epfd;

                if (!d->watched[i])
                        continue;
                event = d->record->watches[i].event;
                epfd = d->record->watches[i].epfd;
                if (d->next->epoll_ctl(epfd, EPOLL_CTL_ADD, d->old, &event) < 0)
                        hint_count(REPORT_KEPT, _DEMOTE_REFUSAL_MAX,
                                   "a registration with epoll was lost");
        }
}

static bool demote_exchange(struct demotion *d) {
        bool done;

        /* Once more: another thread may have called fork() or dup() meanwhile. */
        if (demote_check_word(d->old, fd_flags(d->old)) != DEMOTE_DONE)
                return false;
        demote_remove_watches(d);
        done = d->next->dup3(d->new, d->old, d->close_on_exec) >= 0;
        /* Behind it, since O_ASYNC and epoll are about the number. */
        if (done && (d->status & O_ASYNC))
                (void)d->next->fcntl(d->old, F_SETFL, d->status);
        demote_add_watches(d);
        if (done)
                fd_begin(d->old, FD_OTHER);
        return done;
}

static enum demote_refusal demote_try(const struct next *next, int fd) {
        struct demotion d = {
                .next = next,
                .record = fd_record(fd),
                .old = fd,
                .new = -1,
                .flags = fd_flags(fd),
        };
        bool done = demote_prepare(&d) && demote_exchange(&d);

        if (d.new >= 0)
                (void)next->close(d.new);
        return done ? DEMOTE_DONE : DEMOTE_FAILED;
}

enum demote_refusal demote(int fd, enum report_kind kind, uint32_t detail, const char *what) {
        const struct next *next = next_functions();
        enum demote_refusal refusal;
        int saved = errno;

        refusal = demote_check(next, fd, kind);
        if (refusal == DEMOTE_DONE)
                refusal = demote_try(next, fd);
        if (refusal == DEMOTE_DONE) {
                hint_count(kind, detail, what);
                if (kind == REPORT_DEMOTED)
                        hint_send(fd, HINT_DEMOTED, 0, what);
        } else if (refusal != DEMOTE_NOT_MPTCP) {
                hint_count(REPORT_KEPT, refusal, demote_refusal_name(refusal));
        }
        errno = saved;
        return refusal;
}

/* Settling */

/* Sets accepted options for real, as far as the kernel takes them now. */
static void demote_replay_accepted(const struct next *next, int fd) {
        const struct fd_record *record = fd_record(fd);
        uint32_t n = record ? record->n_options : 0;

        for (uint32_t i = 0; i < n; i++) {
                struct fd_option option = record->options[i];

                if (option.accepted &&
                    next->setsockopt(fd, option.level, option.name, option.value, option.len) == 0)
                        fd_note_option(fd, option.level, option.name, option.value, option.len,
                                       false);
        }
}

/*
 * MPTCP_INFO is refused where there is no MPTCP on the wire; TCP_IS_MPTCP, which is made for that
 * question, is younger (Linux 6.1 has none).
 */
int demote_check_mptcp(int fd) {
        socklen_t len = sizeof(int);
        int first, r;

        r = next_functions()->getsockopt(fd, DEMOTE_SOL_MPTCP, DEMOTE_MPTCP_INFO, &first, &len);
        return r < 0 ? -errno : 0;
}

static bool demote_is_tcp(int fd) {
        int r = demote_check_mptcp(fd);

        return r == -EOPNOTSUPP || r == -ENOPROTOOPT; /* IPv4, IPv6 */
}

bool demote_has_fallen_back(int fd) {
        const struct next *next = next_functions();
        int saved = errno;
        bool fallen = !fd_is_confined() && demote_is_tcp(fd) &&
                      demote_get(next, fd, SOL_SOCKET, SO_PROTOCOL) == DECIDE_IPPROTO_MPTCP;

        errno = saved;
        return fallen;
}

void demote_settle(int fd) {
        const struct next *next = next_functions();
        uint32_t flags = fd_flags(fd);
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        int saved = errno;

        if ((flags & FD_KIND) != FD_MPTCP || !(flags & FD_CONNECTED) || (flags & FD_SETTLED) ||
            !((flags & FD_ACCEPTED) || hint_is_counting()) || fd_is_confined())
                return;
        if (demote_has_fallen_back(fd)) {
                fd_set_flags(fd, FD_SETTLED | FD_FELL_BACK);
                demote_replay_accepted(next, fd);
                hint_count(REPORT_FELL_BACK, 0, "");
                hint_send(fd, HINT_FELL_BACK, 0, NULL);
        } else if (next->getpeername(fd, (struct sockaddr *)&peer, &len) == 0) {
                fd_set_flags(fd, FD_SETTLED);
        }
        errno = saved;
}
