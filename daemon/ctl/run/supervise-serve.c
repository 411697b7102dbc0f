/*
 * A call that is none of ours, or about which anything is unclear, goes on as if there were no
 * supervisor: it makes a TCP socket, or does with an MPTCP socket what it would do with a TCP one.
 * So every failure in here costs Multipath TCP, and never a connection.
 *
 * What is read of a process that waits for us may be about another one, if it dies meanwhile and
 * its number is taken; its call is then no longer valid, which is asked before anything is
 * believed. Arguments in memory can change while we look at them. That is no matter of security:
 * who does so gets the wrong kind of socket.
 */
#include "supervise-serve.h"
#include "supervise-filter.h"
#include "supervise-process.h"
#include "supervise-rules.h"
#include "supervise-socket.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct serve {
        const struct serve_setup *setup;
        struct processes *processes;
        struct rules rules;
        struct book book;
};

int serve_take(int listener, union serve_call *call) {
        struct pollfd ready = { .fd = listener, .events = POLLIN };

        for (;;) {
                if (poll(&ready, 1, -1) < 0) {
                        if (errno != EINTR)
                                return -errno;
                } else if (ready.revents & POLLIN) {
                        memset(call, 0, sizeof(*call));
                        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call) == 0)
                                return 0;
                        if (errno != EINTR && errno != ENOENT) /* it was killed meanwhile */
                                return -errno;
                } else {
                        return 1;
                }
        }
}

static void serve_send(int listener, struct seccomp_notif_resp resp) {
        union {
                struct seccomp_notif_resp resp;
                char bytes[SERVE_STRUCT];
        } answer = { .resp = resp };

        /* ENOENT: it was killed; EINPROGRESS: answered already */
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

void serve_continue(int listener, uint64_t id) {
        serve_send(listener, (struct seccomp_notif_resp){
                                             .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE });
}

/* The result of the call: 0 or more, or -errno. */
static void serve_return(const struct serve *serve, int result) {
        serve_send(serve->setup->listener,
                   (struct seccomp_notif_resp){ .id = serve->setup->call->notif.id,
                                                .val = result < 0 ? 0 : result,
                                                .error = result < 0 ? result : 0 });
}

static void serve_count(const struct serve *serve, enum report_kind kind, uint32_t detail,
                        const char *what) {
        if (serve->setup->report)
                report_count(serve->setup->report, kind, detail, what);
}

static bool call_is_valid(const struct serve *serve) {
        return ioctl(serve->setup->listener, SECCOMP_IOCTL_NOTIF_ID_VALID,
                     &serve->setup->call->notif.id) == 0;
}

static int call_argument(const struct serve *serve, int i) {
        return (int)serve->setup->call->notif.data.args[i];
}

/*
 * Gives the caller a descriptor of fd: any one, or newfd with SETFD. Returns it, or -errno.
 *
 * The call is answered in a second step. SECCOMP_ADDFD_FLAG_SEND would do both at once, but if we
 * are killed before the caller has run (and only SIGKILL can interrupt us), the kernel (6.18) takes
 * the descriptor back and leaves the answer, 0: the caller would believe that standard input is its
 * socket. As it is, the keeper answers, and at worst the caller has a descriptor too many.
 */
static int call_add(const struct serve *serve, int fd, uint32_t flags, int newfd, bool cloexec) {
        struct seccomp_notif_addfd add = {
                .id = serve->setup->call->notif.id,
                .flags = flags,
                .srcfd = (uint32_t)fd,
                .newfd = (uint32_t)newfd,
                .newfd_flags = cloexec ? O_CLOEXEC : 0,
        };

        int added = ioctl(serve->setup->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

        return added < 0 ? -errno : added;
}

static void serve_judge(struct serve *serve, struct process *process,
                        const struct policy_call *call, struct rules_answer *ret_answer) {
        struct policy_identity who = process_identity(process);

        rules_judge(&serve->rules, &who, &process->known, call, ret_answer);
}

/* May its sockets be touched? Not if a policy has something to say that we can't find out. */
static bool process_is_ours(struct serve *serve, struct process *process,
                            const struct rules_answer *answer) {
        if (process->examinable || !answer->app)
                return process_is_near(process);
        serve_count(serve, REPORT_REFUSED, EPERM, "a process that may not be examined");
        return false;
}

/* True: the call has been answered. */
static bool serve_socket(struct serve *serve, struct process *process) {
        const struct policy_call purpose = { .direction = POLICY_SOCKET };
        int domain = call_argument(serve, 0), type = call_argument(serve, 1), added;
        _cleanup_(closep) int fd = -1;
        struct rules_answer answer;

        serve_judge(serve, process, &purpose, &answer);
        if (!answer.verdict.mptcp) {
                serve_count(serve, REPORT_POLICY, answer.verdict.reason,
                            policy_reason_name(answer.verdict.reason));
                return false;
        }
        if (!process_is_ours(serve, process, &answer))
                return false;
        fd = socket_make(domain, type | SOCK_CLOEXEC, IPPROTO_MPTCP, process->uid);
        if (fd < 0) {
                serve_count(serve, REPORT_REFUSED, (uint32_t)-fd, strerrordesc_np(-fd));
                return false;
        }
        socket_apply(fd, answer.read, answer.app);
        book_add(&serve->book, fd, process->pid);
        added = call_add(serve, fd, 0, 0, type & SOCK_CLOEXEC);
        if (added < 0)
                return false;
        serve_count(serve, REPORT_UPGRADED, 0, "");
        serve_return(serve, added);
        return true;
}

/* Binds a socket as another one was, whose last descriptor has been closed. 0 or -errno. */
static int socket_rebind(int fd, const struct sockaddr_storage *bound, socklen_t len) {
        struct policy_address local = policy_address(bound, len);

        if (policy_is_wildcard(&local) && local.port == 0)
                return 0;
        return bind(fd, (const struct sockaddr *)bound, len) < 0 ? -errno : 0;
}

/* Puts a TCP socket in the place of fd, of which copy is ours. 0 or -errno: nothing has happened.
 */
static int serve_replace(const struct serve *serve, const struct process *process, int fd, int copy,
                         int *ret_twin) {
        _cleanup_(closep) int twin = socket_twin(copy, process->uid);
        int r = twin;

        if (r >= 0)
                r = call_add(serve, twin, SECCOMP_ADDFD_FLAG_SETFD, fd,
                             process_closes_on_exec(process, fd));
        if (r < 0)
                return r;
        *ret_twin = TAKE_FD(twin);
        return 0;
}

/*
 * The policy is against Multipath TCP for this socket, of which copy is ours. The address gets free
 * with the last descriptor of the old socket, and is then taken again; whoever was faster leaves
 * the caller with the error that the address is in use. True: the call has been answered.
 */
static bool serve_demote(struct serve *serve, const struct process *process, int fd, int *copy,
                         enum policy_reason reason) {
        enum socket_state state = socket_check(&serve->book, process, fd, *copy);
        struct sockaddr_storage bound = { .ss_family = AF_UNSPEC };
        _cleanup_(closep) int twin = -1;
        socklen_t len = sizeof(bound);
        int r;

        if (state == SOCKET_USED || !call_is_valid(serve))
                return false;
        if (state != SOCKET_READY) {
                serve_count(serve, REPORT_KEPT, state, socket_state_name(state));
                return false;
        }
        r = getsockname(*copy, (struct sockaddr *)&bound, &len) < 0 ? -errno : 0;
        if (r == 0)
                r = serve_replace(serve, process, fd, *copy, &twin);
        if (r < 0) {
                serve_count(serve, REPORT_KEPT, (uint32_t)-r, strerrordesc_np(-r));
                return false;
        }
        serve_count(serve, REPORT_POLICY, reason, policy_reason_name(reason));
        close(TAKE_FD(*copy));
        r = socket_rebind(twin, &bound, len);
        if (r < 0)
                serve_return(serve, r);
        return r < 0;
}

/* The address that a socket is bound to, and the device. */
static void socket_describe(int fd, struct policy_call *call, char device[static 16]) {
        struct sockaddr_storage bound;
        socklen_t len = sizeof(bound), n = 16;

        if (getsockname(fd, (struct sockaddr *)&bound, &len) == 0)
                call->local = policy_address(&bound, len);
        if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &n) == 0 && n > 0)
                call->device = (struct policy_text){ device, strnlen(device, n) };
}

/* The address in the arguments; family 0: it is none of the Internet. */
static struct policy_address call_address(const struct serve *serve,
                                          const struct process *process) {
        struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
        size_t n = (uint32_t)call_argument(serve, 2);

        if (n > sizeof(address) ||
            !process_read(process, serve->setup->call->notif.data.args[1], &address, n) ||
            !call_is_valid(serve))
                n = 0;
        return policy_address(&address, n);
}

/* bind(), connect(), listen(): is the socket still one for Multipath TCP? True: answered. */
static bool serve_use(struct serve *serve, struct process *process,
                      enum policy_direction direction) {
        struct policy_call call = { .direction = direction };
        int fd = call_argument(serve, 0);
        _cleanup_(closep) int copy = -1;
        struct policy_address address = { .family = 0 };
        struct rules_answer answer;
        char device[16] = "";

        if (direction != POLICY_LISTEN) {
                address = call_address(serve, process);
                if (address.family == 0)
                        return false;
        }
        copy = process_descriptor(process, fd);
        if (copy < 0 || !book_has(&serve->book, copy))
                return false;
        socket_describe(copy, &call, device);
        *(direction == POLICY_CONNECT ? &call.remote : &call.local) = address;
        serve_judge(serve, process, &call, &answer);
        if (answer.verdict.mptcp)
                return false;
        return serve_demote(serve, process, fd, &copy, answer.verdict.reason);
}

static bool serve_dispatch(struct serve *serve, struct process *process, enum filter_call call) {
        switch (call) {
        case FILTER_SOCKET:
                return serve_socket(serve, process);
        case FILTER_BIND:
                return serve_use(serve, process, POLICY_BIND);
        case FILTER_CONNECT:
                return serve_use(serve, process, POLICY_CONNECT);
        case FILTER_LISTEN:
                return serve_use(serve, process, POLICY_LISTEN);
        case FILTER_NONE:
        case FILTER_CHANGE:
        case _FILTER_CALL_MAX:
                break;
        }
        return false;
}

/* True: the call has been answered. */
static bool serve_one(struct serve *serve) {
        const struct seccomp_notif *notif = &serve->setup->call->notif;
        enum filter_call call = filter_call(notif->data.arch, notif->data.nr);
        struct process *process;
        bool is_new;

        if (call == FILTER_CHANGE)
                processes_forget(serve->processes);
        if (call == FILTER_CHANGE || notif->pid == 0) /* 0: it hides from us in a PID namespace */
                return false;
        process = processes_get(serve->processes, (pid_t)notif->pid, &is_new);
        if (is_new && !call_is_valid(serve)) {
                processes_forget(serve->processes);
                return false;
        }
        return process && !process->preloaded && serve_dispatch(serve, process, call);
}

int serve_run(const struct serve_setup *setup) {
        static struct serve serve;
        int r;

        serve.setup = setup;
        serve.processes = processes_new(setup->library);
        if (!serve.processes)
                return -ENOMEM;
        rules_init(&serve.rules);
        while ((r = serve_take(setup->listener, setup->call)) == 0)
                if (!serve_one(&serve))
                        serve_continue(setup->listener, setup->call->notif.id);
        return r < 0 ? r : 0;
}
