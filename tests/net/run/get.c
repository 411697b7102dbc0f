/*
 * A program that supervision is for: libc only, to be linked statically. It does what the lines of
 * its standard input say and answers each with a line:
 *
 *         get ADDRESS PORT PATH FILE      downloads by HTTP; the protocol of the socket
 *         from LOCAL ADDRESS PORT PATH FILE   the same from one address
 *         watched ADDRESS PORT PATH FILE  the same with a socket that epoll knew before connect()
 *         twice ADDRESS PORT PATH FILE    the same with a second descriptor of the socket
 *         peek ADDRESS PORT PATH FILE     the same with an option that only TCP has
 *         serve ADDRESS PORT FILE         "listening" and the protocol; then sends the file to one
 *                                         client, and the protocol of its socket
 *         sockets N                       makes and closes sockets; how many there were
 *         exec FILE                       executes it, without an answer
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORDS 8

static int protocol_of(int fd) {
        int protocol = -1;
        socklen_t len = sizeof(protocol);

        (void)getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
        return protocol;
}

static socklen_t address_fill(struct sockaddr_storage *to, const char *address, const char *port) {
        struct sockaddr_in6 *in6 = (void *)to;
        struct sockaddr_in *in = (void *)to;

        memset(to, 0, sizeof(*to));
        if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons((uint16_t)atoi(port));
                return sizeof(*in6);
        }
        if (inet_pton(AF_INET, address, &in->sin_addr) != 1)
                errx(1, "bad address %s", address);
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)atoi(port));
        return sizeof(*in);
}

static int stream_open(int family) {
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0)
                err(1, "socket");
        if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC) || fcntl(fd, F_GETFL) & O_NONBLOCK)
                errx(1, "the socket has other flags than it was made with");
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                err(1, "setsockopt");
        return fd;
}

/* What was done to the socket before it was used must still be so. */
static void stream_check(int fd) {
        int nodelay = 0;
        socklen_t len = sizeof(nodelay);

        if (getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len) < 0 || !nodelay)
                errx(1, "TCP_NODELAY is gone");
        if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
                errx(1, "FD_CLOEXEC is gone");
}

static void copy(int from, int to, bool skip_header) {
        static char buffer[65536];
        size_t kept = 0;
        ssize_t n;

        while ((n = read(from, buffer + kept, sizeof(buffer) - 1 - kept)) > 0) {
                char *data = buffer;

                kept += (size_t)n;
                if (skip_header) {
                        buffer[kept] = '\0';
                        data = strstr(buffer, "\r\n\r\n");
                        if (!data)
                                continue;
                        data += 4;
                        skip_header = false;
                }
                kept -= (size_t)(data - buffer);
                while (kept > 0) {
                        n = write(to, data, kept);
                        if (n < 0)
                                err(1, "write");
                        data += n;
                        kept -= (size_t)n;
                }
        }
        if (n < 0)
                err(1, "read");
}

static void get(const char *verb, char **words, const char *local) {
        bool watched = strcmp(verb, "watched") == 0;
        struct epoll_event event = { .events = EPOLLOUT };
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        struct sockaddr_storage to, from;
        socklen_t len = address_fill(&to, words[0], words[1]);
        int fd = stream_open(to.ss_family), second = strcmp(verb, "twice") == 0 ? dup(fd) : -1;
        int out = open(words[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (strcmp(verb, "peek") == 0 &&
            setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &(int){ 0 }, sizeof(int)) < 0)
                err(1, "SO_PEEK_OFF");
        if (watched && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                err(1, "epoll_ctl");
        if (local && bind(fd, (struct sockaddr *)&from, address_fill(&from, local, "0")) < 0)
                err(1, "bind");
        if (connect(fd, (struct sockaddr *)&to, len) < 0)
                err(1, "connect");
        if (watched && epoll_wait(epoll, &event, 1, 20000) != 1)
                errx(1, "epoll does not know the socket any more");
        stream_check(fd);
        dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", words[2]);
        copy(fd, out, true);
        printf("%d\n", protocol_of(fd));
        close(second);
        close(epoll);
        close(out);
        close(fd);
}

static void serve(char **words) {
        struct sockaddr_storage at;
        socklen_t len = address_fill(&at, words[0], words[1]);
        int fd = stream_open(at.ss_family), file = open(words[2], O_RDONLY | O_CLOEXEC), client;

        if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 8) < 0)
                err(1, "listen");
        printf("listening %d\n", protocol_of(fd));
        fflush(stdout);
        client = accept(fd, NULL, NULL);
        if (client < 0)
                err(1, "accept");
        /* what is not read when it closes would cut the connection off */
        if (read(client, (char[1024]){ 0 }, 1024) <= 0)
                err(1, "request");
        copy(file, client, false);
        printf("%d\n", protocol_of(client));
        close(client);
        close(file);
        close(fd);
}

static void sockets(int n) {
        int i;

        for (i = 0; i < n; i++) {
                int fd = socket(AF_INET, SOCK_STREAM, 0);

                if (fd < 0)
                        err(1, "socket %d", i);
                close(fd);
        }
        printf("%d\n", n);
}

int main(void) {
        char line[1024], *words[WORDS];

        /* lines that are left belong to the program that is executed */
        (void)setvbuf(stdin, NULL, _IONBF, 0);
        while (fgets(line, sizeof(line), stdin)) {
                size_t n = 0;
                char *word;

                for (word = strtok(line, " \n"); word && n < WORDS; word = strtok(NULL, " \n"))
                        words[n++] = word;
                if (n == 2 && strcmp(words[0], "sockets") == 0)
                        sockets(atoi(words[1]));
                else if (n == 2 && strcmp(words[0], "exec") == 0)
                        execv(words[1], (char *[]){ words[1], NULL });
                else if (n == 4 && strcmp(words[0], "serve") == 0)
                        serve(words + 1);
                else if (n == 6 && strcmp(words[0], "from") == 0)
                        get("get", words + 2, words[1]);
                else if (n == 5)
                        get(words[0], words + 1, NULL);
                else
                        errx(2, "bad line");
                fflush(stdout);
        }
        return 0;
}
