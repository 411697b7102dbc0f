/*
 * Many short MPTCP connections as fast as they come, some of which are kept.
 *
 *         burst serve ADDRESS PORT N
 *
 * listens on N ports from PORT on, says "ready", and sends back what it gets.
 *
 *         burst connect ADDRESS PORT N
 *
 * takes commands on standard input and answers each with "ok" when it is done:
 *
 *         open COUNT KEEP     one after the other, to the ports in turn: a byte there and back;
 * then each is closed, except every KEEP-th (0: none) close COUNT         the oldest of those that
 * were kept
 *
 * Several ports, since one has no more than 28,000 others to talk to. IPv4.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MPTCP = 262, KEPT_MAX = 20000, PORTS_MAX = 64, EVENTS = 64 };

struct client {
        struct sockaddr_in to;
        unsigned int port, n_ports, next;
        int kept[KEPT_MAX];
        size_t first, end; /* of those that are open */
};

static _Noreturn void die(const char *what) {
        fprintf(stderr, "burst: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void say(const char *word) {
        puts(word);
        (void)fflush(stdout);
}

static struct sockaddr_in address_make(const char *host, unsigned int port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

        if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
                die(host);
        return address;
}

static void watch(int epoll, int fd) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                die("epoll_ctl");
}

static int listen_at(const char *host, unsigned int port) {
        const struct sockaddr_in address = address_make(host, port);
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, MPTCP), on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                die("socket");
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                die("bind");
        if (listen(fd, SOMAXCONN) < 0)
                die("listen");
        return fd;
}

static void serve_one(int fd) {
        char bytes[64];
        const ssize_t n = read(fd, bytes, sizeof(bytes));

        if (n > 0 && write(fd, bytes, (size_t)n) == n)
                return;
        (void)close(fd);
}

/* Until it is killed. */
static void serve(const char *host, unsigned int port, unsigned int n_ports) {
        const int epoll = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event events[EVENTS];
        int last = -1, n, fd;

        for (unsigned int i = 0; i < n_ports; i++)
                watch(epoll, last = listen_at(host, port + i)); /* numbers rise: none was closed */
        say("ready");
        while ((n = epoll_wait(epoll, events, EVENTS, -1)) > 0 || errno == EINTR)
                for (int i = 0; i < n; i++)
                        if (events[i].data.fd > last)
                                serve_one(events[i].data.fd);
                        else if ((fd = accept4(events[i].data.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                                watch(epoll, fd);
}

static int client_connect(struct client *client) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP);
        char byte = 'a';

        client->to.sin_port = htons((uint16_t)(client->port + client->next++ % client->n_ports));
        if (fd < 0 || connect(fd, (struct sockaddr *)&client->to, sizeof(client->to)) < 0)
                die("connect");
        if (write(fd, "b", 1) != 1 || read(fd, &byte, 1) != 1 || byte != 'b')
                die("a byte there and back");
        return fd;
}

static void client_open(struct client *client, unsigned int count, unsigned int keep) {
        for (unsigned int i = 1; i <= count; i++) {
                const int fd = client_connect(client);

                if (keep && i % keep == 0 && client->end < KEPT_MAX)
                        client->kept[client->end++] = fd;
                else
                        (void)close(fd);
        }
}

static void client_close(struct client *client, unsigned int count) {
        while (count-- && client->first < client->end)
                (void)close(client->kept[client->first++]);
}

static void client_run(struct client *client) {
        char line[64], *numbers;
        unsigned int count;

        while (fgets(line, sizeof(line), stdin)) {
                numbers = strchr(line, ' ');
                if (!numbers)
                        exit(2);
                count = (unsigned int)strtoul(numbers, &numbers, 10);
                if (strncmp(line, "open ", 5) == 0)
                        client_open(client, count, (unsigned int)strtoul(numbers, NULL, 10));
                else
                        client_close(client, count);
                say("ok");
        }
}

int main(int argc, char **argv) {
        static struct client client;
        const struct rlimit files = { KEPT_MAX + 100, KEPT_MAX + 100 };
        unsigned int port, n_ports;

        if (argc != 5 || (n_ports = (unsigned int)strtoul(argv[4], NULL, 10)) < 1 ||
            n_ports > PORTS_MAX) {
                fprintf(stderr, "usage: burst serve|connect ADDRESS PORT N\n");
                return 2;
        }
        (void)setrlimit(RLIMIT_NOFILE, &files);
        port = (unsigned int)strtoul(argv[3], NULL, 10);
        client = (struct client){
                .to = address_make(argv[2], 0),
                .port = port,
                .n_ports = n_ports,
        };
        if (strcmp(argv[1], "serve") == 0)
                serve(argv[2], port, n_ports);
        else
                client_run(&client);
        return 0;
}
