/*
 * Bulk data over MPTCP connections, and when it did not come.
 *
 *         flow serve PORT
 *         flow dial ADDRESS PORT up|down|burst|idle COUNT
 *
 * The client opens COUNT connections; then it sends on all of them as much as they take (up), or
 * the server does (down), or the server sends BURST bytes and no more (burst), or nobody sends more
 * than one byte each way (idle). At the end of standard input both end, and who has received says,
 * with times in microseconds of CLOCK_MONOTONIC and connections by number:
 *
 *     gap NUMBER FROM TO        nothing came for GAP_USEC or more
 *     end NUMBER FROM TO BYTES  what came in all, and since when nothing
 *     slice 0 FROM TO BYTES     what came on all connections within SLICE_USEC
 *
 * The server says "listening" first, the client "open" when all connections are open. With
 * FLOW_CONGESTION in the environment both use that congestion control.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum {
        CHUNK = 1 << 16,
        GAP_USEC = 10000,
        SLICE_USEC = 50000,
        SLICES = 2000, /* of what comes later, none are kept */
        BURST = 2000000,
        EVENTS = 64,
        BACKLOG = 1024,
        FLOWS = 1024, /* and so no descriptor is higher */
};

enum what {
        NOTHING,
        HELLO, /* accepted, and the first byte says which of these it is */
        SENDER,
        RECEIVER,
        IDLE
};

struct flow {
        enum what what;
        unsigned number;
        uint64_t last_usec; /* when something came; 0: never */
        uint64_t bytes;     /* received, or still to be sent */
};

struct gap {
        unsigned number;
        uint64_t from, to;
};

static struct flow flows[FLOWS]; /* by descriptor */
static struct gap *gaps;
static size_t n_gaps, max_gaps;
static uint64_t slices[SLICES], slices_from, n_slices;
static char chunk[CHUNK];

static void flow_begin(int epoll, int fd, enum what what) {
        static unsigned n;

        if (fd < 0 || fd >= FLOWS)
                fail("descriptor");
        flows[fd] = (struct flow){ .what = what, .number = n++ };
        watch(epoll, fd, what == SENDER ? EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
}

static void flow_end(int epoll, int fd) {
        watch(epoll, fd, 0, EPOLL_CTL_DEL);
}

static void flow_greet(int epoll, int fd) {
        static const struct {
                char byte;
                enum what what;
                uint64_t bytes;
        } kinds[] = { { 'u', RECEIVER, 0 },
                      { 'd', SENDER, UINT64_MAX },
                      { 'b', SENDER, BURST },
                      { 'i', IDLE, 0 } };
        char byte;

        if (recv(fd, &byte, 1, MSG_DONTWAIT) != 1)
                return;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (kinds[i].byte == byte) {
                        flows[fd].what = kinds[i].what;
                        flows[fd].bytes = kinds[i].bytes;
                }
        if (flows[fd].what == SENDER)
                watch(epoll, fd, EPOLLOUT, EPOLL_CTL_MOD);
        else if (send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
                fail("greeting");
}

/* Printing them at once could block, and make gaps of its own. */
static void note_gap(unsigned number, uint64_t from, uint64_t to) {
        if (n_gaps == max_gaps) {
                max_gaps = max_gaps ? max_gaps * 2 : 1024;
                gaps = realloc(gaps, max_gaps * sizeof(*gaps));
                if (!gaps)
                        fail("gaps");
        }
        gaps[n_gaps++] = (struct gap){ .number = number, .from = from, .to = to };
}

static void note_bytes(uint64_t now, uint64_t n) {
        uint64_t i;

        if (!slices_from)
                slices_from = now;
        i = (now - slices_from) / SLICE_USEC;
        if (i >= SLICES)
                return;
        slices[i] += n;
        n_slices = i + 1;
}

static void flow_receive(int epoll, int fd) {
        struct flow *flow = &flows[fd];
        const ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        const uint64_t now = now_usec();

        if (n <= 0) {
                if (n == 0 || errno != EAGAIN)
                        flow_end(epoll, fd);
                return;
        }
        if (flow->last_usec && now - flow->last_usec >= GAP_USEC)
                note_gap(flow->number, flow->last_usec, now);
        flow->last_usec = now;
        flow->bytes += (uint64_t)n;
        note_bytes(now, (uint64_t)n);
}

static void flow_send(int epoll, int fd) {
        struct flow *flow = &flows[fd];
        const size_t size = flow->bytes < CHUNK ? (size_t)flow->bytes : CHUNK;
        const ssize_t n = send(fd, chunk, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0) {
                if (errno != EAGAIN)
                        flow_end(epoll, fd);
                return;
        }
        if (flow->bytes != UINT64_MAX)
                flow->bytes -= (uint64_t)n;
        if (flow->bytes == 0) {
                flow->what = IDLE;
                watch(epoll, fd, EPOLLIN, EPOLL_CTL_MOD);
        }
}

static void flow_progress(int epoll, int fd) {
        switch (flows[fd].what) {
        case HELLO:
                flow_greet(epoll, fd);
                break;
        case RECEIVER:
        case IDLE:
                flow_receive(epoll, fd);
                break;
        case SENDER:
                flow_send(epoll, fd);
                break;
        case NOTHING:
                break;
        }
}

static int new_socket(int flags) {
        const char *congestion = getenv("FLOW_CONGESTION");
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, IPPROTO_MPTCP);

        if (fd < 0)
                fail("socket");
        if (congestion && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
                                     (socklen_t)strlen(congestion)) < 0)
                fail(congestion);
        return fd;
}

static int new_listener(uint16_t port) {
        const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
        const int on = 1;
        const int fd = new_socket(SOCK_NONBLOCK);

        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, BACKLOG) < 0)
                fail("listen");
        return fd;
}

static void dial(int epoll, const struct sockaddr_in *to, char kind) {
        const int fd = new_socket(0);

        if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
            send(fd, &kind, 1, MSG_NOSIGNAL) != 1)
                fail("connect");
        /* The answer, if it is not the data itself: joins are possible from then on. */
        if (kind != 'd' && kind != 'b' && recv(fd, chunk, 1, 0) != 1)
                fail("recv");
        flow_begin(epoll, fd, kind == 'u' ? SENDER : kind == 'i' ? IDLE : RECEIVER);
        flows[fd].bytes = kind == 'u' ? UINT64_MAX : 0;
}

static void print_all(void) {
        const uint64_t now = now_usec();

        for (size_t i = 0; i < n_gaps; i++)
                printf("gap %u %llu %llu\n", gaps[i].number, (unsigned long long)gaps[i].from,
                       (unsigned long long)gaps[i].to);
        for (uint64_t i = 0, from = slices_from; i < n_slices; i++, from += SLICE_USEC)
                printf("slice 0 %llu %llu %llu\n", (unsigned long long)from,
                       (unsigned long long)(from + SLICE_USEC), (unsigned long long)slices[i]);
        for (int fd = 0; fd < FLOWS; fd++)
                if (flows[fd].what == RECEIVER)
                        printf("end %u %llu %llu %llu\n", flows[fd].number,
                               (unsigned long long)flows[fd].last_usec, (unsigned long long)now,
                               (unsigned long long)flows[fd].bytes);
}

/* Until standard input ends. listener: -1 if there is none. */
static void run(int epoll, int listener) {
        struct epoll_event events[EVENTS];

        for (;;) {
                const int n = epoll_wait(epoll, events, EVENTS, -1);

                for (int i = 0; i < n; i++) {
                        const int fd = events[i].data.fd;

                        if (fd == STDIN_FILENO)
                                return;
                        if (fd == listener)
                                flow_begin(epoll, accept4(fd, NULL, NULL, SOCK_CLOEXEC), HELLO);
                        else
                                flow_progress(epoll, fd);
                }
        }
}

static void say(const char *word) {
        puts(word);
        (void)fflush(stdout);
}

int main(int argc, char **argv) {
        struct sockaddr_in to = { .sin_family = AF_INET };
        const int epoll = epoll_create1(EPOLL_CLOEXEC);
        int listener = -1;

        if (epoll < 0)
                fail("epoll_create1");
        if (argc == 3 && strcmp(argv[1], "serve") == 0) {
                listener = new_listener((uint16_t)strtoul(argv[2], NULL, 10));
                watch(epoll, listener, EPOLLIN, EPOLL_CTL_ADD);
                say("listening");
        } else if (argc == 6 && strcmp(argv[1], "dial") == 0 &&
                   inet_pton(AF_INET, argv[2], &to.sin_addr) == 1) {
                to.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
                for (unsigned long n = strtoul(argv[5], NULL, 10); n > 0; n--)
                        dial(epoll, &to, argv[4][0]);
                say("open");
        } else {
                return 2;
        }
        watch(epoll, STDIN_FILENO, EPOLLIN, EPOLL_CTL_ADD);
        run(epoll, listener);
        print_all();
        free(gaps);
        return 0;
}
