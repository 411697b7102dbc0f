#include "supervise-socket.h"
#include "../../util/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DESCRIPTORS_MAX 512u /* that one replacement looks through */
#define OPTION_BYTES    32u

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

struct option_row {
        int level;
        int name;
        bool doubled; /* the kernel doubles what is set */
};

/* What a program may have set on an MPTCP socket before it is connected or listens. */
static const struct option_row option_rows[] = {
        { SOL_SOCKET, SO_REUSEADDR, false },
        { SOL_SOCKET, SO_REUSEPORT, false },
        { SOL_SOCKET, SO_KEEPALIVE, false },
        { SOL_SOCKET, SO_LINGER, false },
        { SOL_SOCKET, SO_RCVTIMEO, false },
        { SOL_SOCKET, SO_SNDTIMEO, false },
        { SOL_SOCKET, SO_RCVLOWAT, false },
        { SOL_SOCKET, SO_RCVBUF, true },
        { SOL_SOCKET, SO_SNDBUF, true },
        { SOL_SOCKET, SO_PRIORITY, false },
        { SOL_SOCKET, SO_MARK, false },
        { SOL_SOCKET, SO_TIMESTAMP, false },
        { SOL_SOCKET, SO_BUSY_POLL, false },
        { SOL_SOCKET, SO_BINDTODEVICE, false },
        { IPPROTO_TCP, TCP_NODELAY, false },
        { IPPROTO_TCP, TCP_CORK, false },
        { IPPROTO_TCP, TCP_MAXSEG, false },
        { IPPROTO_TCP, TCP_KEEPIDLE, false },
        { IPPROTO_TCP, TCP_KEEPINTVL, false },
        { IPPROTO_TCP, TCP_KEEPCNT, false },
        { IPPROTO_TCP, TCP_CONGESTION, false },
        { IPPROTO_TCP, TCP_DEFER_ACCEPT, false },
        { IPPROTO_TCP, TCP_FASTOPEN, false },
        { IPPROTO_TCP, TCP_FASTOPEN_CONNECT, false },
        { IPPROTO_TCP, TCP_NOTSENT_LOWAT, false },
        { IPPROTO_IP, IP_TOS, false },
        { IPPROTO_IP, IP_FREEBIND, false },
        { IPPROTO_IP, IP_TRANSPARENT, false },
        { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, false },
        { IPPROTO_IP, IP_LOCAL_PORT_RANGE, false },
        { IPPROTO_IPV6, IPV6_V6ONLY, false },
};

static uint64_t socket_cookie(int fd) {
        uint64_t cookie = 0;
        socklen_t len = sizeof(cookie);

        (void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
        return cookie;
}

void book_add(struct book *book, int fd, pid_t pid) {
        uint64_t cookie = socket_cookie(fd);

        book->entries[cookie % BOOK_ENTRIES].cookie = cookie;
        book->entries[cookie % BOOK_ENTRIES].pid = pid;
}

/* The one for whom a socket was made; 0: not by us, or long ago. */
static pid_t book_find(const struct book *book, int fd) {
        uint64_t cookie = socket_cookie(fd);
        size_t i = cookie % BOOK_ENTRIES;

        return cookie != 0 && book->entries[i].cookie == cookie ? book->entries[i].pid : 0;
}

bool book_has(const struct book *book, int fd) {
        return book_find(book, fd) != 0;
}

int socket_make(int domain, int type, int protocol, uint32_t uid) {
        bool other = uid != geteuid();
        int fd;

        if (other) {
                setfsuid(uid);
                if ((uint32_t)setfsuid((uid_t)-1) != uid)
                        return -EPERM;
        }
        fd = socket(domain, type, protocol);
        if (fd < 0)
                fd = -errno;
        if (other)
                setfsuid(geteuid());
        return fd;
}

void socket_apply(int fd, const struct policy_read *read, const struct policy_app *app) {
        const struct policy_set *set;
        uint32_t i;

        for (i = 0; app && (set = policy_at(read, &app->sets, i, sizeof(*set))); i++) {
                const void *value = *set->text ? (const void *)set->text : &set->value;
                size_t size = *set->text ? strnlen(set->text, sizeof(set->text))
                                         : sizeof(set->value);

                (void)setsockopt(fd, set->level, set->name, value, (socklen_t)size);
        }
}

static bool socket_is_unused(int fd) {
        struct tcp_info info = { .tcpi_state = 0 };
        socklen_t len = sizeof(info);

        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
               info.tcpi_state == TCP_CLOSE;
}

/* kcmp(2) finds out whether an epoll instance has a file under a number. Whoever can't tell: yes.
 */
static bool is_watched(const struct process *process, int epoll, int fd) {
        struct kcmp_epoll_slot slot = { .efd = (uint32_t)epoll, .tfd = (uint32_t)fd };

        return syscall(SYS_kcmp, process->tid, process->tid, KCMP_EPOLL_TFD, fd, &slot) >= 0 ||
               errno != ENOENT;
}

/* One entry of /proc/PID/fd, beside fd itself. */
static enum socket_state descriptor_check(const struct process *process, int directory,
                                          const char *name, int fd, const char *own) {
        char link[64];
        ssize_t n = readlinkat(directory, name, link, sizeof(link) - 1);
        int number = (int)strtol(name, NULL, 10); /* "." and ".." are no links */

        if (n < 0 || number == fd)
                return SOCKET_READY;
        link[n] = '\0';
        if (strcmp(link, own) == 0)
                return SOCKET_SHARED;
        if (strcmp(link, "anon_inode:[eventpoll]") == 0 && is_watched(process, number, fd))
                return SOCKET_WATCHED;
        return SOCKET_READY;
}

/* Does anything else in the process know the socket? */
static enum socket_state descriptors_check(const struct process *process, int fd, int copy) {
        int directory = openat(process->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *entries = directory >= 0 ? fdopendir(directory) : NULL;
        enum socket_state state = SOCKET_READY;
        const struct dirent *entry;
        unsigned int n = 0;
        char own[64];
        struct stat st = { 0 };

        if (!entries || fstat(copy, &st) < 0)
                state = SOCKET_SHARED;
        snprintf(own, sizeof(own), "socket:[%lu]", (unsigned long)st.st_ino);
        while (state == SOCKET_READY && (entry = readdir(entries))) {
                state = descriptor_check(process, directory, entry->d_name, fd, own);
                if (++n > DESCRIPTORS_MAX)
                        state = SOCKET_CROWDED;
        }
        if (entries)
                closedir(entries);
        else
                closep(&directory);
        return state;
}

enum socket_state socket_check(const struct book *book, const struct process *process, int fd,
                               int copy) {
        if (!socket_is_unused(copy))
                return SOCKET_USED;
        /* its maker's child has it from the maker */
        if (book_find(book, copy) != process->pid)
                return SOCKET_SHARED;
        return descriptors_check(process, fd, copy);
}

const char *socket_state_name(enum socket_state state) {
        static const char *const names[_SOCKET_STATE_MAX] = {
                [SOCKET_SHARED] = "shared by descriptors or processes",
                [SOCKET_WATCHED] = "registered with epoll",
                [SOCKET_CROWDED] = "too many descriptors to look through",
        };

        return names[state];
}

/* What the one has and the other has not: the twin is new, so whatever differs was set. */
static int option_copy(const struct option_row *row, int from, int to) {
        char wanted[OPTION_BYTES] = "", is[OPTION_BYTES] = "";
        socklen_t n = sizeof(wanted), m = sizeof(is);

        if (getsockopt(from, row->level, row->name, wanted, &n) < 0 ||
            getsockopt(to, row->level, row->name, is, &m) < 0)
                return 0; /* not of this kernel, family or protocol */
        if (n == m && memcmp(wanted, is, n) == 0)
                return 0;
        if (row->doubled) {
                int value;

                memcpy(&value, wanted, sizeof(value));
                value /= 2;
                memcpy(wanted, &value, sizeof(value));
        }
        return setsockopt(to, row->level, row->name, wanted, n) < 0 ? -errno : 0;
}

/* O_ASYNC has an owner and a signal, which are not ours to hand on. */
static int flags_copy(int from, int to) {
        int flags = fcntl(from, F_GETFL);

        if (flags < 0)
                return -errno;
        if (flags & O_ASYNC)
                return -EOPNOTSUPP;
        return fcntl(to, F_SETFL, flags) < 0 ? -errno : 0;
}

int socket_twin(int old, uint32_t uid) {
        _cleanup_(closep) int fd = -1;
        int domain, r;
        socklen_t len = sizeof(domain);
        size_t i;

        if (getsockopt(old, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
                return -errno;
        fd = socket_make(domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP, uid);
        if (fd < 0)
                return fd;
        r = flags_copy(old, fd);
        for (i = 0; r == 0 && i < ARRAY_SIZE(option_rows); i++)
                r = option_copy(&option_rows[i], old, fd);
        return r < 0 ? r : TAKE_FD(fd);
}
