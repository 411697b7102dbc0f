/*
 * Start, and socket(): where an MPTCP socket begins. See hook.h.
 */
#include "hook.h"

#include <string.h>

#include "decide.h"
#include "environment.h"
#include "hint.h"
#include "next.h"

/* In the report, beside the reasons of the policy (enum policy_reason). */
#define HOOK_REASON_SANDBOX (_POLICY_REASON_MAX + 0u)
#define HOOK_REASON_NUMBER  (_POLICY_REASON_MAX + 1u)

/*
 * Everything that needs system calls of ours is done here: a program can put itself into a sandbox
 * or chroot later. Constructors of others may run before this one; their hooks find the functions
 * behind by themselves, no policy, and so the built-in default.
 */
__attribute__((constructor)) static void hook_init(int argc, char **argv, char **variables) {
        (void)argc;
        (void)argv;
        environment_init(variables);
        next_resolve();
        hint_init();
        decide_init();
}

static void hook_set_options(const struct next *next, int fd) {
        struct decide_policy policy;
        int saved = errno;

        decide_policy(&policy);
        for (uint32_t i = 0; i < policy.n_sets; i++) {
                const struct policy_set *set = &policy.sets[i];
                bool text = set->text[0] != '\0';
                socklen_t len = text ? (socklen_t)strnlen(set->text, sizeof(set->text))
                                     : (socklen_t)sizeof(set->value);

                (void)next->setsockopt(fd, set->level, set->name,
                                       text ? (const void *)set->text : &set->value, len);
        }
        errno = saved;
}

void hook_copy_options(int from, int to, bool real) {
        const struct fd_record *record = fd_record(from);
        uint32_t n = record ? record->n_options : 0;

        for (uint32_t i = 0; i < n; i++) {
                struct fd_option option = record->options[i];

                if (!option.accepted)
                        continue;
                if (real)
                        (void)next_functions()->setsockopt(to, option.level, option.name,
                                                           option.value, option.len);
                else
                        fd_note_option(to, option.level, option.name, option.value, option.len,
                                       true);
        }
}

/* Words are there for so many; what has none is TCP, since it could not become TCP later. */
static int hook_give_up(const struct next *next, int fd, int domain, int type, int protocol) {
        int saved = errno;

        (void)next->close(fd);
        errno = saved;
        hint_count(REPORT_POLICY, HOOK_REASON_NUMBER, "the number of the descriptor is too high");
        return next->socket(domain, type, protocol);
}

static uint32_t hook_flags(int domain, int type) {
        return FD_MPTCP | (type & SOCK_NONBLOCK ? FD_NONBLOCK : 0) |
               (domain == AF_INET6 ? FD_INET6 : 0);
}

static const char *hook_error_name(int error) {
        switch (error) {
        case EINVAL: /* before Linux 5.6: a protocol above 255 */
        case EPROTONOSUPPORT:
                return "the kernel has no MPTCP";
        case ENOPROTOOPT:
                return "MPTCP is off (net.mptcp.enabled)";
        case EACCES:
        case EPERM:
                return "a security module or filter forbids MPTCP";
        default:
                return "socket() failed";
        }
}

/* MPTCP failed, or the number is too high: the application gets what it asked for. */
__attribute__((cold, noinline)) static int hook_fall_back(int fd, int saved, int domain, int type,
                                                          int protocol) {
        const struct next *next = next_functions();
        int error = errno;

        if (fd >= 0)
                return hook_give_up(next, fd, domain, type, protocol);
        errno = saved;
        fd = next->socket(domain, type, protocol);
        if (fd >= 0)
                hint_count(REPORT_REFUSED, (uint32_t)error, hook_error_name(error));
        fd_begin(fd, FD_OTHER);
        return fd;
}

static inline int hook_upgrade(const struct next *next, int domain, int type, int protocol) {
        int saved = errno, fd = next->socket(domain, type, DECIDE_IPPROTO_MPTCP);

        if (__builtin_expect((unsigned int)fd >= FD_WORDS, 0))
                return hook_fall_back(fd, saved, domain, type, protocol);
        fd_begin(fd, hook_flags(domain, type));
        return fd;
}

/* What speaks against an upgrade at this moment, REPORT_POLICY's detail, or POLICY_REASON_NONE. */
static uint32_t hook_objection(bool *ret_has_sets) {
        if (__builtin_expect(fd_is_confined(), 0))
                return HOOK_REASON_SANDBOX;
        return decide_socket(ret_has_sets);
}

static void hook_count_objection(uint32_t reason) {
        hint_count(REPORT_POLICY, reason,
                   reason == HOOK_REASON_SANDBOX ? "the program has put itself into a sandbox"
                                                 : policy_reason_name(reason));
}

/* Without the shortcut: which is opened if that was all there is to it. */
__attribute__((noinline)) static int hook_upgrade_fully(const struct next *next, int domain,
                                                        int type, int protocol) {
        uint64_t seen = decide_seen();
        bool sets = false;
        uint32_t objection = hook_objection(&sets);
        int fd;

        if (objection != POLICY_REASON_NONE) {
                hook_count_objection(objection);
                fd = next->socket(domain, type, protocol);
                fd_begin(fd, FD_OTHER);
                return fd;
        }
        fd = hook_upgrade(next, domain, type, protocol);
        if (!hook_is_fresh(fd_flags(fd)))
                return fd;
        hint_count(REPORT_UPGRADED, 0, "");
        if (sets)
                hook_set_options(next, fd);
        else if (!hint_is_counting())
                decide_open_shortcut(seen);
        if (fd_is_confined()) /* since a moment ago, by another thread */
                decide_open_shortcut(0);
        return fd;
}

/*
 * socket(2), with MPTCP in place of TCP (RFC 8684; the socket API is Linux 5.6, net/mptcp), if the
 * policy has nothing against it. In a sandbox that the program has made for itself it is left
 * alone: a filter may kill for an unknown protocol, and demotion would take system calls of ours.
 * Fails with ENOSYS if no other library has a socket(), which only a broken link map can cause.
 */
HOOK_DECLARE(int, socket, (int domain, int type, int protocol));

int hook_socket(int domain, int type, int protocol) {
        const struct next *next = &next_table;
        bool tcp = decide_protocol(domain, type, protocol) != protocol;
        int fd;

        if (__builtin_expect(tcp && decide_is_open(), 1))
                return hook_upgrade(next, domain, type, protocol);
        next = next_functions();
        if (!next->socket)
                return hook_missing();
        if (tcp)
                return hook_upgrade_fully(next, domain, type, protocol);
        fd = next->socket(domain, type, protocol);
        fd_begin(fd, FD_OTHER);
        return fd;
}
