#include "hint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "config.h"
#include "decide.h"
#include "environment.h"
#include "fd.h"
#include "identity.h"
#include "next.h"

#define HINT_PATH MPTCPIZE_RUNTIME "/" HINT_SOCKET

struct report *_Atomic hint_report;

/* Counters */

static struct report *hint_map_report(int fd) {
        const size_t size = sizeof(struct report);
        struct report *report;
        struct stat file;

        if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode) || file.st_size < (off_t)size)
                return NULL;
        report = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (report == MAP_FAILED)
                return NULL;
        if (!report_is_valid(report, size)) {
                (void)munmap(report, size);
                return NULL;
        }
        return report;
}

void hint_init(void) {
        int saved = errno, fd;
        const char *path = environment_get(REPORT_VARIABLE);

        if (!path)
                return;
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0) {
                atomic_store_explicit(&hint_report, hint_map_report(fd), memory_order_release);
                (void)next_functions()->close(fd);
        }
        errno = saved;
}

void hint_count(enum report_kind kind, uint32_t detail, const char *what) {
        struct report *report = atomic_load_explicit(&hint_report, memory_order_acquire);

        if (report)
                report_count(report, kind, detail, what);
}

/* Datagrams */

static void hint_set_text(char *to, const char *from) {
        size_t n = strnlen(from, HINT_TEXT - 1);

        memcpy(to, from, n);
        to[n] = '\0';
}

/* The whole path or nothing. */
static void hint_set_exe(struct hint *hint) {
        const struct policy_text exe = identity_get()->exe;

        if (exe.n < sizeof(hint->exe))
                memcpy(hint->exe, exe.bytes, exe.n);
}

static int hint_transmit(int to, int fd, struct hint *hint) {
        struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = HINT_PATH };
        struct iovec part = { hint, sizeof(*hint) };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        const struct msghdr message = {
                .msg_name = &address,
                .msg_namelen = sizeof(address),
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        if (next_functions()->sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                return -errno;
        return 0;
}

/* Sends it, with what the policy says filled in. 0 or a negative errno. */
static int hint_deliver(int fd, struct hint *hint) {
        const struct next *next = next_functions();
        struct decide_policy policy;
        int to, r;

        if (!decide_has_daemon())
                return -ECONNREFUSED;
        if (fd_is_confined())
                return -EPERM;
        decide_policy(&policy);
        if (!(policy.flags & POLICY_APP_HINTS))
                return -EACCES;
        hint->mode = policy.mode;
        memcpy(hint->policy, policy.name, sizeof(hint->policy));
        hint_set_exe(hint);
        to = next->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (to < 0)
                return -errno;
        r = hint_transmit(to, fd, hint);
        (void)next->close(to);
        return r;
}

void hint_send(int fd, enum hint_kind kind, uint32_t user_timeout_msec, const char *text) {
        struct hint hint = {
                .version = HINT_VERSION,
                .kind = kind,
                .user_timeout_msec = user_timeout_msec,
        };
        int saved = errno;

        hint_set_text(hint.text, text ? text : "");
        (void)hint_deliver(fd, &hint);
        errno = saved;
}

int hint_send_key(int fd, const uint8_t key[HINT_KEY_BYTES]) {
        struct hint hint = {
                .version = HINT_VERSION,
                .kind = HINT_KEY,
                .key_len = HINT_KEY_BYTES,
        };
        int saved = errno, r;

        memcpy(hint.key, key, sizeof(hint.key));
        r = hint_deliver(fd, &hint);
        hint_cleanse(&hint, sizeof(hint));
        errno = saved;
        return r;
}
