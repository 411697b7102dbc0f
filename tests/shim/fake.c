/* See fake.h. */
#include "fake.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cmocka.h>

#define FAKE_SOL_MPTCP 284

struct fake fake = { .missing = true };

/* True: this call fails. */
static bool log_call(char what) {
        fake.log[fake.n_calls++] = what;
        if (fake.n_calls != fake.fails)
                return false;
        errno = fake.error;
        return true;
}

static int fake_socket(int domain, int type, int protocol) {
        int fd = fake.next_fd;

        (void)domain;
        assert_int_equal(type & ~SOCK_NONBLOCK, FAKE_TYPE);
        if (log_call(protocol == FAKE_MPTCP ? 'S' : 's'))
                return -1;
        if (protocol == FAKE_MPTCP && fake.mptcp_error) {
                errno = fake.mptcp_error;
                return -1;
        }
        fake.protocols[fd] = protocol ? protocol : IPPROTO_TCP;
        return fd;
}

static int fake_close(int fd) {
        fake.protocols[fd] = 0;
        return log_call('c') ? -1 : 0;
}

static int fake_connect(int fd, const struct sockaddr *address, socklen_t len) {
        (void)fd;
        (void)address;
        (void)len;
        return log_call('C') ? -1 : 0;
}

static int fake_bind(int fd, const struct sockaddr *address, socklen_t len) {
        (void)fd;
        (void)address;
        (void)len;
        return log_call('b') ? -1 : 0;
}

static int fake_listen(int fd, int backlog) {
        (void)fd;
        (void)backlog;
        return log_call('l') ? -1 : 0;
}

static int fake_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) {
        (void)address;
        (void)len;
        (void)flags;
        fake.protocols[fake.next_fd] = fake.protocols[fd];
        return log_call('a') ? -1 : fake.next_fd;
}

static int fake_accept(int fd, struct sockaddr *address, socklen_t *len) {
        return fake_accept4(fd, address, len, 0);
}

static int fake_name(int fd, struct sockaddr *address, socklen_t *len) {
        struct sockaddr_in *in = (struct sockaddr_in *)address;

        (void)fd;
        *in = (struct sockaddr_in){ .sin_family = AF_INET,
                                    .sin_port = htons(80),
                                    .sin_addr.s_addr = fake.local };
        *len = sizeof(*in);
        return log_call('n') ? -1 : 0;
}

static int fake_getpeername(int fd, struct sockaddr *address, socklen_t *len) {
        (void)fd;
        (void)address;
        (void)len;
        (void)log_call('p');
        errno = ENOTCONN;
        return fake.established ? 0 : -1;
}

static int fake_dup3(int fd, int to, int flags) {
        (void)flags;
        if (log_call('d'))
                return -1;
        fake.protocols[to] = fake.protocols[fd];
        return to;
}

static int fake_dup2(int fd, int to) {
        return fake_dup3(fd, to, 0);
}

static int fake_dup(int fd) {
        return fake_dup3(fd, FAKE_FD + 1, 0);
}

static int fake_fcntl(int fd, int command, ...) {
        (void)fd;
        if (log_call('f'))
                return -1;
        return command == F_DUPFD ? FAKE_FD + 1 : 0;
}

static int fake_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event) {
        (void)epfd;
        (void)fd;
        (void)event;
        return log_call(operation == EPOLL_CTL_ADD ? 'e' : 'm') ? -1 : 0;
}

static pid_t fake_fork(void) {
        return 1;
}

static int fake_prctl(int option, ...) {
        (void)option;
        return 0;
}

static int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
        (void)fd;
        (void)level;
        (void)name;
        (void)value;
        (void)len;
        return log_call('o') ? -1 : 0;
}

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len) {
        int answer = 0;

        (void)log_call('g');
        if (level == FAKE_SOL_MPTCP && fake.fallen_back) {
                errno = EOPNOTSUPP;
                return -1;
        }
        if (level == SOL_SOCKET && name == SO_PROTOCOL)
                answer = fake.protocols[fd];
        else if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
                answer = fake.listening;
        memcpy(value, &answer, sizeof(answer));
        *len = sizeof(answer);
        return fake.protocols[fd] == 0 ? -1 : 0;
}

static const struct {
        const char *name;
        void *function;
} functions[] = {
        { "socket", (void *)fake_socket },
        { "connect", (void *)fake_connect },
        { "bind", (void *)fake_bind },
        { "listen", (void *)fake_listen },
        { "accept", (void *)fake_accept },
        { "accept4", (void *)fake_accept4 },
        { "close", (void *)fake_close },
        { "dup", (void *)fake_dup },
        { "dup2", (void *)fake_dup2 },
        { "dup3", (void *)fake_dup3 },
        { "fcntl", (void *)fake_fcntl },
        { "fcntl64", (void *)fake_fcntl },
        { "epoll_ctl", (void *)fake_epoll_ctl },
        { "fork", (void *)fake_fork },
        { "prctl", (void *)fake_prctl },
        { "setsockopt", (void *)fake_setsockopt },
        { "getsockopt", (void *)fake_getsockopt },
        { "getpeername", (void *)fake_getpeername },
        { "getsockname", (void *)fake_name },
};

/* What the library calls for dlsym(). Spoils errno on success, as a linker is free to. */
void *fake_dlsym(void *handle, const char *name);

/* cppcheck-suppress constParameter */
void *fake_dlsym(void *handle, const char *name) {
        fake.n_lookups++;
        errno = ELIBACC;
        for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
                if (!fake.missing && handle == RTLD_NEXT && strcmp(name, functions[i].name) == 0)
                        return functions[i].function;
        return NULL;
}
