/*
 * Reading hints. See reader.h.
 *
 * A datagram is taken apart here, and only here: one descriptor, the kernel's credentials, a
 * structure that may be longer than ours. All descriptors that came with it are closed whatever it
 * is. What the sender says of its policy is not believed; its mode counts where the policy of this
 * host leaves the paths open. A key goes on with the report, and is cleansed here.
 */
#include "reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include "../core/conf.h"
#include "../util/cleanup.h"
#include "../util/thread.h"
#include "database.h"
#include "owner.h"
#include "program.h"
#include "subject.h"

#define STACK_BYTES  ((size_t)256 * 1024)
#define DESCRIPTORS  4u /* more than one is wrong; more than these the kernel closes itself */
#define TRIES        4  /* of a look at the database while it is written */
#define STUCK_SEC    1
#define HINT_MINIMUM (offsetof(struct hint, policy)) /* version and kind, and the numbers */

struct reader {
        pthread_t thread;
        bool started;
        int socket;
        int pair[2]; /* the thread writes to the second */
        uint64_t own_namespace;
        struct sockaddr_un address;
        const char *path; /* of the database */
        struct database database;
};

/* One datagram. */
struct datagram {
        struct hint hint;
        size_t n_bytes;
        int flags;
        struct ucred sender;
        bool sender_known;
        int fds[4 * DESCRIPTORS]; /* more than the control data below can hold */
        size_t n_fds;
};

/* Receiving */

static void datagram_take(struct datagram *datagram, struct cmsghdr *header) {
        const size_t n = header->cmsg_len - CMSG_LEN(0);

        if (header->cmsg_level != SOL_SOCKET)
                return;
        if (header->cmsg_type == SCM_CREDENTIALS && n == sizeof(datagram->sender)) {
                memcpy(&datagram->sender, CMSG_DATA(header), n);
                datagram->sender_known = true;
        }
        if (header->cmsg_type == SCM_RIGHTS && n <= sizeof(datagram->fds)) {
                memcpy(datagram->fds, CMSG_DATA(header), n);
                datagram->n_fds = n / sizeof(int);
        }
}

/* 0 or a negative errno; an end of file is -ESHUTDOWN. It is to be cleansed in any case. */
static int datagram_receive(int socket, struct datagram *ret_datagram) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int[DESCRIPTORS])) + CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec part = { &ret_datagram->hint, sizeof(ret_datagram->hint) };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n;

        *ret_datagram = (struct datagram){ .n_fds = 0 };
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (n < 0)
                return -errno;
        if (n == 0 && message.msg_controllen == 0)
                return -ESHUTDOWN;
        for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at))
                datagram_take(ret_datagram, at);
        ret_datagram->hint.exe[sizeof(ret_datagram->hint.exe) - 1] = '\0';
        ret_datagram->n_bytes = (size_t)n;
        ret_datagram->flags = message.msg_flags;
        return 0;
}

static void datagram_done(struct datagram *datagram) {
        for (size_t i = 0; i < datagram->n_fds; i++)
                (void)close(datagram->fds[i]);
        datagram->n_fds = 0;
        explicit_bzero(&datagram->hint, sizeof(datagram->hint));
}

/* What is wrong with it, or NULL. */
static const char *datagram_wrong(const struct datagram *datagram) {
        const struct hint *hint = &datagram->hint;

        if (!datagram->sender_known)
                return "no credentials";
        if (datagram->n_bytes < HINT_MINIMUM)
                return "too short";
        if (hint->version != HINT_VERSION)
                return "of another version";
        if (hint->kind == 0 || hint->kind >= _HINT_KIND_MAX)
                return "of an unknown kind";
        if (hint->kind == HINT_KEY &&
            (hint->key_len != HINT_KEY_BYTES || datagram->n_bytes < sizeof(*hint)))
                return "a key of the wrong length";
        /* MSG_TRUNC alone: a structure that has grown since. */
        if (datagram->flags & MSG_CTRUNC || datagram->n_fds != 1)
                return "not exactly one descriptor";
        return NULL;
}

static const char *reader_refusal(int error) {
        switch (error) {
        case -EXDEV:
                return "a socket of another network namespace";
        case -EINVAL:
                return "a listener that does not listen";
        default:
                return "not a socket of that kind";
        }
}

/* Policy */

static void reader_name_mode(uint32_t mode, char name[static LIMIT_NAME]) {
        name[0] = '\0';
        if (mode > POLICY_MODE_OFF && mode < POLICY_MODE_PLUGIN)
                snprintf(name, LIMIT_NAME, CONF_PROFILE_MODE "%s",
                         policy_mode_name((enum policy_mode)mode));
}

/* False: the database was rewritten meanwhile. */
static bool reader_try_profile(struct reader *reader, const struct policy_identity *identity,
                               uint32_t mode, struct hint_report *report) {
        const struct policy_read *read = database_read(&reader->database, reader->path);
        const struct policy_app *app = read ? policy_find(read, identity) : NULL;
        struct policy_text text;

        reader_name_mode(mode, report->profile);
        report->policy[0] = '\0';
        if (!app)
                return !read || policy_end(read);
        text = policy_text(read, &app->name);
        snprintf(report->policy, LIMIT_NAME, "%.*s", (int)(text.n < LIMIT_NAME ? text.n : 0),
                 text.n ? text.bytes : "");
        if (owner_speaks_of_paths(app) || !report->profile[0])
                memcpy(report->profile, report->policy, LIMIT_NAME);
        return policy_end(read);
}

static void reader_find_profile(struct reader *reader, const struct policy_identity *identity,
                                uint32_t mode, struct hint_report *report) {
        for (int i = 0; i < TRIES; i++)
                if (reader_try_profile(reader, identity, mode, report))
                        return;
        report->profile[0] = report->policy[0] = '\0';
}

/* Reports */

/* text need not end in NUL if it is as long as that of a hint. */
static void report_set_text(struct hint_report *report, const char *text) {
        size_t n;

        for (n = 0; n < sizeof(report->text) - 1 && text[n]; n++)
                report->text[n] = (char)(text[n] < ' ' || text[n] > '~' ? '?' : text[n]);
        report->text[n] = '\0';
}

static void reader_refuse(const char *why, struct hint_report *ret_report) {
        *ret_report = (struct hint_report){ .event = { .kind = HINT_REFUSED } };
        report_set_text(ret_report, why);
}

/* A connection that fell back to TCP has no token, and no use for a key. */
static void report_set_key(struct hint_report *report, const struct hint *hint) {
        report->keyed = hint->kind == HINT_KEY && report->event.token;
        if (report->keyed)
                memcpy(report->key, hint->key, sizeof(report->key));
}

static void reader_judge(struct reader *reader, struct datagram *datagram,
                         struct hint_report *ret_report) {
        struct hint_report report = { .event = { .kind = datagram->hint.kind } };
        const char *wrong = datagram_wrong(datagram);
        struct policy_identity identity;
        struct program_text text;
        struct subject subject;
        int r;

        if (wrong) {
                reader_refuse(wrong, ret_report);
                return;
        }
        r = subject_read(datagram->fds[0], report.event.kind, reader->own_namespace, &subject);
        if (r < 0) {
                reader_refuse(reader_refusal(r), ret_report);
                return;
        }
        report.event.cookie = subject.cookie;
        report.event.token = subject.token;
        report.event.local = subject.local;
        report.event.ipv6_only = subject.ipv6_only;
        report.event.user_timeout_msec = datagram->hint.user_timeout_msec;
        program_read(&datagram->sender, datagram->hint.exe, &report.event.program, &text,
                     &identity);
        reader_find_profile(reader, &identity, datagram->hint.mode, &report);
        report_set_text(&report, datagram->hint.text);
        *ret_report = report;
        report_set_key(ret_report, &datagram->hint);
}

/* The thread */

static void *reader_main(void *userdata) {
        struct reader *reader = userdata;
        struct hint_report report;
        int r;

        for (;;) {
                struct datagram datagram;

                r = datagram_receive(reader->socket, &datagram);
                if (r == -EINTR || r == -ENOMEM || r == -ENOBUFS)
                        continue;
                if (r < 0)
                        return NULL;
                reader_judge(reader, &datagram, &report);
                /* First the news, then what may never return. */
                r = send(reader->pair[1], &report, sizeof(report), MSG_NOSIGNAL) < 0 ? -errno : 0;
                explicit_bzero(&report, sizeof(report));
                datagram_done(&datagram);
                if (r < 0)
                        return NULL;
        }
}

static int reader_start(struct reader *reader) {
        int r = thread_start(&reader->thread, STACK_BYTES, reader_main, reader);

        reader->started = r == 0;
        return r;
}

/* True if it has ended. */
static bool reader_stop(struct reader *reader) {
        struct timespec until;

        if (!reader->started)
                return true;
        (void)shutdown(reader->socket, SHUT_RDWR);
        (void)shutdown(reader->pair[0], SHUT_RDWR);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STUCK_SEC;
        return pthread_timedjoin_np(reader->thread, NULL, &until) == 0;
}

void reader_free(struct reader *reader) {
        if (!reader)
                return;
        if (reader->address.sun_path[0])
                (void)unlink(reader->address.sun_path);
        if (!reader_stop(reader))
                return; /* it still has all of this in use */
        database_done(&reader->database);
        closep(&reader->socket);
        closep(&reader->pair[0]);
        closep(&reader->pair[1]);
        free(reader);
}

DEFINE_CLEANUP(struct reader *, reader_free)

/* Setting up */

/*
 * Anybody may speak; what is left of a daemon that was killed makes room. The mode is that of the
 * beginning: a chmod() by name, as root, would be that of whatever the owner of the directory has
 * put there meanwhile.
 */
static int reader_bind(struct reader *reader, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const int yes = 1;
        size_t n = strlen(path);
        mode_t before;
        int r;

        if (n >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, n + 1);
        reader->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (reader->socket < 0 ||
            setsockopt(reader->socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0)
                return -errno;
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        before = umask(0111);
        r = bind(reader->socket, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno
                                                                                         : 0;
        (void)umask(before);
        if (r == 0)
                reader->address = address;
        return r;
}

int reader_new(const char *socket, const char *database, struct reader **ret_reader, int *ret_fd) {
        _cleanup_(reader_freep) struct reader *reader = calloc(1, sizeof(*reader));
        int r;

        if (!reader)
                return -ENOMEM;
        reader->socket = reader->pair[0] = reader->pair[1] = -1;
        reader->path = database;
        r = reader_bind(reader, socket);
        if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reader->pair) < 0)
                r = -errno;
        if (r < 0)
                return r;
        reader->own_namespace = subject_own_namespace(reader->socket);
        if (!reader->own_namespace)
                return -EOPNOTSUPP;
        r = reader_start(reader);
        if (r < 0)
                return r;
        *ret_fd = reader->pair[0];
        *ret_reader = TAKE_PTR(reader);
        return 0;
}
