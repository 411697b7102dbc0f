/*
 * Says what TCP sockets of the application really are: prints SO_PROTOCOL as the kernel has it, of
 * a new one and, after it has been connected to loopback, of the same. For libcs that our other
 * tests are not built for. An argument is the protocol to ask for, instead of 0. Exit code 1 if
 * there is no socket, 2 if it can't be connected, 3 if errno was touched.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNTOUCHED = 4711 };

static int protocol_of(int fd) {
        socklen_t size = sizeof(int);
        int protocol = -1;

        (void)syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
        return protocol;
}

/* To a listener that is asked for as such, and left to the library. */
static int connect_to_loopback(int fd) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        int listener = socket(AF_INET, SOCK_STREAM, 0), r;
        socklen_t size = sizeof(address);

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
            getsockname(listener, (struct sockaddr *)&address, &size) < 0)
                return -1;
        errno = UNTOUCHED;
        r = connect(fd, (struct sockaddr *)&address, size);
        (void)close(listener);
        return r;
}

int main(int argc, char **argv) {
        const int asked = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
        int fd, first;

        errno = UNTOUCHED;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, asked);
        if (fd < 0) {
                perror("probe");
                return 1;
        }
        if (errno != UNTOUCHED)
                return 3;
        first = protocol_of(fd);
        if (connect_to_loopback(fd) < 0) {
                perror("probe: connect");
                return 2;
        }
        if (errno != UNTOUCHED)
                return 3;
        (void)printf("%d %d\n", first, protocol_of(fd));
        return close(fd);
}
