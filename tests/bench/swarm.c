/*
 * Thousands of MPTCP connections, as fast as they come.
 *
 *         swarm serve PORT PORTS
 *         swarm dial ADDRESS PORT PORTS COUNT KEEP AT_ONCE [PID FROM TO]
 *
 * The server listens on PORTS ports from PORT on, says "listening", and answers each byte with the
 * same. The client makes COUNT connections, AT_ONCE at a time; each sends a byte and waits for the
 * answer, which is what makes it ESTABLISHED. Then it is closed, but for one of every KEEP (0: none
 * is kept). When all are made it says "done SECONDS", and how many it has; at the end of its
 * standard input it ends. With a PID, that process is stopped (SIGSTOP) from connection FROM to
 * connection TO.
 *
 * Many ports, because a client has no more than 64,000 connections to one, and the closed ones
 * still count for a minute.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { EVENTS = 256, BACKLOG = 4096 };

struct dial {
        struct sockaddr_in to;
        uint16_t port, ports;
        uint32_t count, keep, at_once;
        pid_t stopped;
        uint32_t from, until;
        uint32_t begun, finished, kept, failed;
        int epoll;
};

static int new_epoll(void) {
        struct rlimit files;
        int epoll;

        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                fail("RLIMIT_NOFILE");
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                fail("RLIMIT_NOFILE");
        epoll = epoll_create1(EPOLL_CLOEXEC);
        if (epoll < 0)
                fail("epoll_create1");
        return epoll;
}

/* Server */

static int listener(uint16_t port) {
        const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
        const int on = 1;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_MPTCP);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, BACKLOG) < 0)
                fail("listen");
        return fd;
}

static void answer(int fd) {
        char byte;
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

        if (n == 1)
                n = send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        else if (n < 0 && errno == EAGAIN)
                n = 1;
        if (n != 1)
                (void)close(fd);
}

static void accept_all(int epoll, int listening) {
        int fd;

        while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                watch(epoll, fd, EPOLLIN, EPOLL_CTL_ADD);
}

static _Noreturn void serve(uint16_t port, uint16_t ports) {
        struct epoll_event events[EVENTS];
        const int epoll = new_epoll();
        int first = 0, last = 0;

        for (uint16_t i = 0; i < ports; i++) {
                last = listener((uint16_t)(port + i));
                first = i == 0 ? last : first;
                watch(epoll, last, EPOLLIN, EPOLL_CTL_ADD);
        }
        puts("listening");
        (void)fflush(stdout);
        for (;;) {
                const int n = epoll_wait(epoll, events, EVENTS, -1);

                for (int i = 0; i < n; i++)
                        if (events[i].data.fd >= first && events[i].data.fd <= last)
                                accept_all(epoll, events[i].data.fd);
                        else
                                answer(events[i].data.fd);
        }
}

/* Client */

static void dial_signal(const struct dial *dial) {
        if (dial->stopped && dial->begun == dial->from)
                (void)kill(dial->stopped, SIGSTOP);
        if (dial->stopped && dial->begun == dial->until) {
                printf("continued %llu\n", (unsigned long long)now_usec());
                (void)fflush(stdout);
                (void)kill(dial->stopped, SIGCONT);
        }
}

static void dial_one(struct dial *dial) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_MPTCP);

        if (fd < 0)
                fail("socket");
        dial->to.sin_port = htons((uint16_t)(dial->port + dial->begun % dial->ports));
        if (connect(fd, (const struct sockaddr *)&dial->to, sizeof(dial->to)) < 0 &&
            errno != EINPROGRESS)
                fail("connect");
        watch(dial->epoll, fd, EPOLLOUT, EPOLL_CTL_ADD);
        dial->begun++;
        dial_signal(dial);
}

/* One that is kept has no need of being watched: what happens to it is nobody's business. */
static void dial_finish(struct dial *dial, int fd, bool good) {
        const bool keep = good && dial->keep && dial->finished % dial->keep == 0;

        dial->finished++;
        dial->failed += !good;
        dial->kept += keep;
        if (keep)
                watch(dial->epoll, fd, 0, EPOLL_CTL_DEL);
        else
                (void)close(fd);
}

static void dial_progress(struct dial *dial, const struct epoll_event *event) {
        const int fd = event->data.fd;
        char byte = 'x';

        if (event->events & EPOLLIN && !(event->events & EPOLLERR))
                dial_finish(dial, fd, recv(fd, &byte, 1, MSG_DONTWAIT) == 1);
        else if (event->events & EPOLLOUT && !(event->events & EPOLLERR) &&
                 send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
                watch(dial->epoll, fd, EPOLLIN, EPOLL_CTL_MOD);
        else
                dial_finish(dial, fd, false);
}

static int dial_all(struct dial *dial) {
        struct epoll_event events[EVENTS];
        const uint64_t start = now_usec();
        char byte;

        while (dial->finished < dial->count) {
                while (dial->begun < dial->count && dial->begun - dial->finished < dial->at_once)
                        dial_one(dial);
                const int n = epoll_wait(dial->epoll, events, EVENTS, -1);

                for (int i = 0; i < n; i++)
                        dial_progress(dial, &events[i]);
        }
        printf("done %.6f kept %u failed %u\n", (double)(now_usec() - start) / 1e6, dial->kept,
               dial->failed);
        (void)fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
                ;
        return 0;
}

static uint32_t number(const char *text) {
        return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv) {
        struct dial dial = { .to = { .sin_family = AF_INET } };

        if (argc == 4 && strcmp(argv[1], "serve") == 0)
                serve((uint16_t)number(argv[2]), (uint16_t)number(argv[3]));
        if ((argc != 8 && argc != 11) || strcmp(argv[1], "dial") != 0 ||
            inet_pton(AF_INET, argv[2], &dial.to.sin_addr) != 1)
                return 2;
        dial.port = (uint16_t)number(argv[3]);
        dial.ports = (uint16_t)number(argv[4]);
        dial.count = number(argv[5]);
        dial.keep = number(argv[6]);
        dial.at_once = number(argv[7]);
        if (argc == 11) {
                dial.stopped = (pid_t)number(argv[8]);
                dial.from = number(argv[9]);
                dial.until = number(argv[10]);
        }
        dial.epoll = new_epoll();
        return dial_all(&dial);
}
