/* See fake-io.h. */
#include "fake-io.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "hook.h"

enum { SOL_MPTCP_LEVEL = 284 };

struct fake_io fake;

int fake_setup(void **state) {
        (void)state;
        fake = (struct fake_io){ .protocol = FAKE_MPTCP, .info = 2 };
        fd_begin(FAKE_FD, FAKE_WORD);
        errno = FAKE_ERRNO;
        return 0;
}

void fake_die(void) {
        fake.hang_up = POLLHUP;
}

void fake_assert(ssize_t got, ssize_t wanted) {
        const int error = errno;

        assert_int_equal(fake.n_calls, fake.n_steps);
        assert_int_equal(got, wanted < 0 ? -1 : wanted);
        assert_int_equal(error, wanted < 0 ? -wanted : FAKE_ERRNO);
}

void fake_assert_stream(const char *wanted) {
        assert_int_equal(fake.n_stream, strlen(wanted));
        assert_memory_equal(fake.stream, wanted, fake.n_stream);
}

void fake_expect(const char *name, ssize_t result) {
        assert_in_range(fake.n_steps, 0, FAKE_STEPS - 1);
        fake.steps[fake.n_steps++] = (struct fake_step){ .name = name, .result = result };
}

void fake_expect_poll(ssize_t result, int revents) {
        fake_expect("poll", result);
        fake.steps[fake.n_steps - 1].revents = revents;
}

static ssize_t fake_answer(ssize_t result) {
        if (result >= 0)
                return result;
        errno = (int)-result;
        return -1;
}

static const struct fake_step *fake_step(const char *name, struct fake_call call) {
        const struct fake_step *step = &fake.steps[fake.n_calls];

        assert_in_range(fake.n_calls, 0, (int)fake.n_steps - 1);
        assert_string_equal(name, step->name);
        fake.calls[fake.n_calls++] = call;
        return step;
}

static ssize_t fake_call(const char *name, struct fake_call call) {
        return fake_answer(fake_step(name, call)->result);
}

/* Puts what a successful write has taken into the stream. */
static ssize_t fake_take(const struct iovec *parts, size_t n, ssize_t result) {
        size_t left = result > 0 ? (size_t)result : 0;

        for (size_t i = 0; i < n && left; i++) {
                size_t some = parts[i].iov_len < left ? parts[i].iov_len : left;

                assert_in_range(fake.n_stream + some, 0, FAKE_STREAM);
                memcpy(fake.stream + fake.n_stream, parts[i].iov_base, some);
                fake.n_stream += some;
                left -= some;
        }
        assert_int_equal(left, 0);
        return result;
}

static ssize_t fake_put(const char *name, int fd, const void *data, size_t n, int flags) {
        struct iovec part = { .iov_len = n };

        memcpy(&part.iov_base, &data, sizeof(data));
        return fake_take(&part, 1,
                         fake_call(name, (struct fake_call){ .fd = fd, .flags = flags, .n = n }));
}

static ssize_t fake_send(int fd, const void *data, size_t n, int flags) {
        return fake_put("send", fd, data, n, flags);
}

static ssize_t fake_sendto(int fd, const void *data, size_t n, int flags,
                           const struct sockaddr *address, socklen_t len) {
        (void)address;
        (void)len;
        return fake_put("sendto", fd, data, n, flags);
}

static int fake_connect(int fd, const struct sockaddr *address, socklen_t len) {
        assert_non_null(address);
        assert_int_equal(len, sizeof(*address));
        return (int)fake_call("connect", (struct fake_call){ .fd = fd });
}

static ssize_t fake_write(int fd, const void *data, size_t n) {
        return fake_put("write", fd, data, n, 0);
}

static ssize_t fake_writev(int fd, const struct iovec *parts, int n) {
        struct fake_call call = { .fd = fd, .n = (size_t)n };

        return fake_take(parts, (size_t)n, fake_call("writev", call));
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *message, int flags) {
        ssize_t r, total = 0;

        if (fake.at_most) {
                for (size_t i = 0; i < message->msg_iovlen; i++)
                        total += (ssize_t)message->msg_iov[i].iov_len;
                r = total < (ssize_t)fake.at_most ? total : (ssize_t)fake.at_most;
        } else {
                r = fake_call("sendmsg",
                              (struct fake_call){ .fd = fd,
                                                  .flags = flags,
                                                  .n = message ? message->msg_iovlen : 0 });
        }
        return r < 0 || !message ? r : fake_take(message->msg_iov, message->msg_iovlen, r);
}

static int fake_sendmmsg(int fd, struct mmsghdr *messages, unsigned int n, int flags) {
        (void)messages;
        return (int)fake_call("sendmmsg", (struct fake_call){ .fd = fd, .n = n, .flags = flags });
}

static ssize_t fake_sendfile(int fd, int from, void *offset, size_t n) {
        (void)from;
        (void)offset;
        return fake_call("sendfile", (struct fake_call){ .fd = fd, .n = n });
}

static ssize_t fake_splice(int from, void *from_offset, int fd, void *offset, size_t n,
                           unsigned int flags) {
        (void)from;
        (void)from_offset;
        (void)offset;
        return fake_call("splice", (struct fake_call){ .fd = fd, .n = n, .flags = (int)flags });
}

/* All that read: the hooks look at their result only. */
static ssize_t fake_read(int fd) {
        return fake_call("read", (struct fake_call){ .fd = fd });
}

static int fake_poll(struct pollfd *fds, nfds_t n, int timeout) {
        const struct fake_step *step;

        assert_int_equal(n, 1);
        if (fds->events == POLLRDHUP) {
                assert_int_equal(timeout, 0);
                fds->revents = (short)fake.hang_up;
                return fake.hang_up != 0;
        }
        if (fake.at_most) {
                fds->revents = POLLOUT;
                return 1;
        }
        step = fake_step("poll", (struct fake_call){ .fd = fds->fd,
                                                     .events = fds->events,
                                                     .timeout = timeout });
        fds->revents = (short)step->revents;
        return (int)fake_answer(step->result);
}

static int fake_get(void *value, socklen_t *len, const void *answer, size_t n) {
        assert_int_equal(*len, n);
        memcpy(value, answer, n);
        return 0;
}

/* Spoils errno, as a failing call does. */
static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len) {
        const struct timeval timeout = { .tv_sec = fake.timeout_msec / 1000,
                                         .tv_usec = fake.timeout_msec % 1000 * 1000L };
        const uint32_t info[3] = { 0, 0, fake.info };
        const int sndbuf = FAKE_SNDBUF;

        assert_int_equal(fd, FAKE_FD);
        errno = ELIBACC;
        if (fake.protocol < 0)
                return (int)fake_answer(fake.protocol);
        if (level == SOL_MPTCP_LEVEL)
                return fake_get(value, len, info, sizeof(info));
        assert_int_equal(level, SOL_SOCKET);
        if (name == SO_PROTOCOL)
                return fake_get(value, len, &fake.protocol, sizeof(fake.protocol));
        if (name == SO_SNDBUF)
                return fake_get(value, len, &sndbuf, sizeof(sndbuf));
        assert_true(name == SO_SNDTIMEO || name == SO_RCVTIMEO);
        return fake_get(value, len, &timeout, sizeof(timeout));
}

static int fake_fcntl(int fd, int command, ...) {
        (void)command;
        assert_int_equal(fd, FAKE_FD);
        return fake.status_flags;
}

/* What hook-connect.c does is tested elsewhere. */

void hook_connecting(int fd, const struct sockaddr *address, socklen_t len) {
        assert_int_equal(fd, FAKE_FD);
        assert_non_null(address);
        assert_int_equal(len, sizeof(*address));
        assert_int_equal(fake.n_calls, 0);
        fake.n_connecting++;
}

void hook_connected(int fd, ssize_t result) {
        assert_int_equal(fd, FAKE_FD);
        fake.connected = result;
        if (result >= 0 || errno == EINPROGRESS)
                fd_set_flags(fd, FD_CONNECTED);
}

static const struct {
        const char *name;
        void *function;
} fake_functions[] = {
        { "send", (void *)fake_send },
        { "sendto", (void *)fake_sendto },
        { "write", (void *)fake_write },
        { "writev", (void *)fake_writev },
        { "sendmsg", (void *)fake_sendmsg },
        { "sendmmsg", (void *)fake_sendmmsg },
        { "sendfile", (void *)fake_sendfile },
        { "sendfile64", (void *)fake_sendfile },
        { "splice", (void *)fake_splice },
        { "read", (void *)fake_read },
        { "readv", (void *)fake_read },
        { "recv", (void *)fake_read },
        { "recvfrom", (void *)fake_read },
        { "recvmsg", (void *)fake_read },
        { "__read_chk", (void *)fake_read },
        { "__recv_chk", (void *)fake_read },
        { "__recvfrom_chk", (void *)fake_read },
        { "poll", (void *)fake_poll },
        { "getsockopt", (void *)fake_getsockopt },
        { "fcntl", (void *)fake_fcntl },
        { "connect", (void *)fake_connect },
};

/* cppcheck-suppress constParameter */
void *fake_dlsym(void *handle, const char *name) {
        (void)handle;
        for (size_t i = 0; i < sizeof(fake_functions) / sizeof(fake_functions[0]); i++)
                if (strcmp(fake_functions[i].name, name) == 0)
                        return fake_functions[i].function;
        return NULL;
}
