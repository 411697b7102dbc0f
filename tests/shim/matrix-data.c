/* Rows that are no options: ioctls, TCP_INFO and the data path; see matrix.h. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "matrix.h"

static void print_ioctl(int fd, const char *name, unsigned long request) {
        int value = 4711;

        if (ioctl(fd, request, &value) < 0)
                (void)printf(" %s %s", name, matrix_error(-1));
        else
                (void)printf(" %s %d", name, value);
}

static void print_ioctls(int fd) {
        print_ioctl(fd, "FIONREAD", FIONREAD);
        print_ioctl(fd, "SIOCATMARK", SIOCATMARK);
        print_ioctl(fd, "SIOCOUTQ", SIOCOUTQ);
        print_ioctl(fd, "SIOCOUTQNSD", SIOCOUTQNSD);
        (void)printf(" sockatmark %d", sockatmark(fd));
}

static void print_info(int fd) {
        struct tcp_info info = { 0 };
        socklen_t len = sizeof(info);

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
                (void)printf(" TCP_INFO %s", matrix_error(-1));
        else
                (void)printf(" tcpi_state %d", info.tcpi_state);
}

static void print_poll(int fd) {
        struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

        if (poll(&entry, 1, 0) < 0)
                (void)printf(" poll %s", matrix_error(-1));
        else
                (void)printf(" poll %x", (unsigned int)entry.revents);
}

static void raw_send(const struct matrix_socket *s, const char *text, int flags) {
        (void)syscall(SYS_sendto, s->other, text, strlen(text), flags, NULL, 0);
}

static void run_fresh(struct matrix_socket *s) {
        print_ioctls(s->fd);
        print_info(s->fd);
        print_poll(s->fd);
}

static void run_data(struct matrix_socket *s) {
        raw_send(s, "hello", 0);
        (void)matrix_wait(s->fd, POLLIN);
        run_fresh(s);
}

static void run_fin_unread(struct matrix_socket *s) {
        raw_send(s, "hello", 0);
        (void)syscall(SYS_shutdown, s->other, SHUT_WR);
        (void)matrix_wait(s->fd, POLLRDHUP);
        run_fresh(s);
}

static void run_fin_read(struct matrix_socket *s) {
        char data[16];

        run_fin_unread(s);
        (void)printf(" recv %zd", recv(s->fd, data, sizeof(data), 0));
        run_fresh(s);
        (void)printf(" recv %zd", recv(s->fd, data, sizeof(data), 0));
}

static void run_fin_both(struct matrix_socket *s) {
        (void)syscall(SYS_shutdown, s->other, SHUT_WR);
        (void)matrix_wait(s->fd, POLLRDHUP);
        (void)printf(" shutdown %s", matrix_error(shutdown(s->fd, SHUT_WR)));
        (void)matrix_wait(s->fd, POLLHUP);
        print_ioctl(s->fd, "FIONREAD", FIONREAD);
        print_poll(s->fd);
}

static void run_fin_own(struct matrix_socket *s) {
        (void)printf(" shutdown %s", matrix_error(shutdown(s->fd, SHUT_WR)));
        (void)matrix_wait(s->fd, POLLOUT);
        print_ioctl(s->fd, "FIONREAD", FIONREAD);
        /* 4 until the peer has acknowledged it, then 5. */
        for (int i = 0; i < 100; i++) {
                struct tcp_info info = { 0 };
                socklen_t len = sizeof(info);

                if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
                    info.tcpi_state == TCP_FIN_WAIT2)
                        break;
                (void)usleep(1000);
        }
        print_info(s->fd);
}

static void run_write_after_close(struct matrix_socket *s) {
        (void)syscall(SYS_close, s->other);
        s->other = -1;
        (void)matrix_wait(s->fd, POLLRDHUP);
        (void)printf(" 1st send %s", matrix_error(send(s->fd, "x", 1, MSG_NOSIGNAL)));
        for (int i = 0; i < 100 && !(matrix_wait(s->fd, POLLIN) & (POLLERR | POLLHUP)); i++)
                (void)usleep(1000);
        (void)printf(" 2nd send %s", matrix_error(send(s->fd, "x", 1, MSG_NOSIGNAL)));
}

static void run_oob(struct matrix_socket *s) {
        (void)printf(" send(MSG_OOB) %s", matrix_error(send(s->fd, "!", 1, MSG_OOB)));
}

static void run_urgent(struct matrix_socket *s) {
        char byte = 0;

        raw_send(s, "abc", 0);
        raw_send(s, "!", MSG_OOB);
        (void)matrix_wait(s->fd, POLLIN);
        print_ioctls(s->fd);
        (void)printf(" recv(MSG_OOB) %s", matrix_error(recv(s->fd, &byte, 1, MSG_OOB)));
}

static void run_zerocopy(struct matrix_socket *s) {
        (void)printf(" send(MSG_ZEROCOPY) %s", matrix_error(send(s->fd, "x", 1, MSG_ZEROCOPY)));
}

static void run_cmsg(struct matrix_socket *s) {
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, 4095 } };
        struct iovec part = { .iov_base = "x", .iov_len = 1 };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };

        (void)printf(" unknown cmsg %s", matrix_error(sendmsg(s->fd, &message, 0)));
}

static void on_alarm(int number) {
        (void)number;
}

/* A watchdog ends an accept() that would wait for ever. */
static void run_accept_timeout(struct matrix_socket *s) {
        const struct timeval timeout = { .tv_usec = 50000 };
        const struct sigaction action = { .sa_handler = on_alarm };
        const struct itimerval watchdog = { .it_value = { .tv_sec = 2 } }, off = { 0 };

        (void)setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        (void)sigaction(SIGALRM, &action, NULL);
        (void)setitimer(ITIMER_REAL, &watchdog, NULL);
        (void)printf(" accept %s", matrix_error(accept(s->fd, NULL, NULL)));
        (void)setitimer(ITIMER_REAL, &off, NULL);
}

static const struct {
        const char *name;
        enum matrix_state state;
        void (*run)(struct matrix_socket *s);
} data_rows[] = {
        { "fresh ioctls", MATRIX_FRESH, run_fresh },
        { "bound ioctls", MATRIX_BOUND, run_fresh },
        { "listening ioctls", MATRIX_LISTENING, run_fresh },
        { "listening accept with SO_RCVTIMEO", MATRIX_LISTENING, run_accept_timeout },
        { "connected ioctls", MATRIX_CONNECTED, run_fresh },
        { "connected data", MATRIX_CONNECTED, run_data },
        { "connected FIN unread", MATRIX_CONNECTED, run_fin_unread },
        { "connected FIN read", MATRIX_CONNECTED, run_fin_read },
        { "connected FIN both", MATRIX_CONNECTED, run_fin_both },
        { "connected FIN own", MATRIX_CONNECTED, run_fin_own },
        { "connected write after close", MATRIX_CONNECTED, run_write_after_close },
        { "connected MSG_OOB", MATRIX_CONNECTED, run_oob },
        { "connected urgent", MATRIX_CONNECTED, run_urgent },
        { "connected MSG_ZEROCOPY", MATRIX_CONNECTED, run_zerocopy },
        { "connected cmsg", MATRIX_CONNECTED, run_cmsg },
        { "accepted ioctls", MATRIX_ACCEPTED, run_fresh },
        { "accepted data", MATRIX_ACCEPTED, run_data },
        { "accepted FIN read", MATRIX_ACCEPTED, run_fin_read },
        { "accepted FIN both", MATRIX_ACCEPTED, run_fin_both },
        { "accepted-tcp FIN read", MATRIX_ACCEPTED_TCP, run_fin_read },
        { "accepted-tcp MSG_OOB", MATRIX_ACCEPTED_TCP, run_oob },
        { "accepted-tcp urgent", MATRIX_ACCEPTED_TCP, run_urgent },
        { "fallback ioctls", MATRIX_FALLBACK, run_fresh },
        { "fallback data", MATRIX_FALLBACK, run_data },
        { "fallback FIN unread", MATRIX_FALLBACK, run_fin_unread },
        { "fallback FIN read", MATRIX_FALLBACK, run_fin_read },
        { "fallback FIN both", MATRIX_FALLBACK, run_fin_both },
        { "fallback FIN own", MATRIX_FALLBACK, run_fin_own },
        { "fallback MSG_OOB", MATRIX_FALLBACK, run_oob },
        { "fallback urgent", MATRIX_FALLBACK, run_urgent },
        { "disconnected ioctls", MATRIX_DISCONNECTED, run_fresh },
};

void matrix_run_data(int domain) {
        for (size_t i = 0; i < sizeof(data_rows) / sizeof(*data_rows); i++) {
                struct matrix_socket s;

                matrix_open(&s, domain, data_rows[i].state);
                matrix_advance(&s, data_rows[i].state);
                (void)printf("%s %s:", domain == AF_INET ? "v4" : "v6", data_rows[i].name);
                data_rows[i].run(&s);
                (void)putchar('\n');
                matrix_close(&s);
        }
}
