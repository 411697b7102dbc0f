/*
 * What the hooks of options, and of what writes and reads, cost: each call through the library, and
 * past it, over a next library whose functions return at once (stub.c), so that no system call is
 * in it.
 *
 * A single call is below what a clock tells, so batches take turns, and the median of their means
 * counts. The control compares the way past the library with itself. Prints lines of nanoseconds
 * through and past the library, CALL and SOCKET.
 */
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "stub.h"
#include "support.h"

enum { N_BATCHES = 201, N_CALLS = 1000 };

union function {
        int (*set)(int fd, int level, int name, const void *value, socklen_t len);
        int (*get)(int fd, int level, int name, void *value, socklen_t *len);
        int (*control)(int fd, unsigned long request, ...);
        ssize_t (*send)(int fd, const void *data, size_t n, int flags);
        ssize_t (*recv)(int fd, void *data, size_t n, int flags);
        ssize_t (*write)(int fd, const void *data, size_t n);
        ssize_t (*read)(int fd, void *data, size_t n);
        ssize_t (*writev)(int fd, const struct iovec *parts, int n);
        ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
};

static int value;
static socklen_t value_len = sizeof(value);
static char data[STUB_BYTES];
static struct iovec part = { data, sizeof(data) };
static const struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

static double now_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

#define BATCH(name, call)                              \
        static double name(union function f, int fd) { \
                const double start = now_nsec();       \
                                                       \
                for (int i = 0; i < N_CALLS; i++)      \
                        (void)(call);                  \
                return (now_nsec() - start) / N_CALLS; \
        }

BATCH(batch_set, f.set(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)))
BATCH(batch_get, f.get(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &value_len))
BATCH(batch_control, f.control(fd, FIONREAD, &value))
BATCH(batch_send, f.send(fd, data, sizeof(data), 0))
BATCH(batch_recv, f.recv(fd, data, sizeof(data), 0))
BATCH(batch_write, f.write(fd, data, sizeof(data)))
BATCH(batch_read, f.read(fd, data, sizeof(data)))
BATCH(batch_writev, f.writev(fd, &part, 1))
BATCH(batch_sendmsg, f.sendmsg(fd, &message, 0))

static const struct {
        const char *name;
        double (*batch)(union function f, int fd);
} calls[] = {
        { "setsockopt", batch_set }, { "getsockopt", batch_get }, { "ioctl", batch_control },
        { "send", batch_send },      { "recv", batch_recv },      { "write", batch_write },
        { "read", batch_read },      { "writev", batch_writev },  { "sendmsg", batch_sendmsg },
};

static union function find(const char *prefix, const char *name) {
        char symbol[32];
        union function f;
        void *found;

        (void)snprintf(symbol, sizeof(symbol), "%s%s", prefix, name);
        found = dlsym(RTLD_DEFAULT, symbol);
        if (!found)
                support_skip("the stub is not behind the library", 0);
        memcpy(&f, &found, sizeof(f));
        return f;
}

static int compare(const void *a, const void *b) {
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void measure(const char *title, size_t call, const char *prefix, int fd) {
        static double through[N_BATCHES], past[N_BATCHES];
        const union function hook = find(prefix, calls[call].name);
        const union function bare = find("stub_", calls[call].name);

        for (int i = 0; i < N_BATCHES; i++) {
                through[i] = calls[call].batch(hook, fd);
                past[i] = calls[call].batch(bare, fd);
        }
        qsort(through, N_BATCHES, sizeof(*through), compare);
        qsort(past, N_BATCHES, sizeof(*past), compare);
        (void)printf("%.2f %.2f %s, %s\n", through[N_BATCHES / 2], past[N_BATCHES / 2],
                     calls[call].name, title);
}

static int open_socket(int domain, bool connected) {
        const struct sockaddr_in away = { .sin_family = AF_INET,
                                          .sin_port = htons(9),
                                          .sin_addr.s_addr = htonl(0xc0000201) };
        const int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || (connected && connect(fd, (const struct sockaddr *)&away, sizeof(away)) < 0))
                abort();
        return fd;
}

int main(void) {
        support_require_shim();
        const struct {
                const char *title;
                int fd;
        } sockets[] = {
                { "no MPTCP", open_socket(AF_UNIX, false) },
                { "MPTCP, connected", open_socket(AF_INET, true) },
                { "MPTCP, fresh", open_socket(AF_INET, false) },
                { "never seen", 1000 },
        };

        for (size_t c = 0; c < sizeof(calls) / sizeof(*calls); c++)
                for (size_t s = 0; s < sizeof(sockets) / sizeof(*sockets); s++)
                        measure(sockets[s].title, c, "", sockets[s].fd);
        measure("control", 0, "stub_", sockets[0].fd);
        return 0;
}
