/*
 * Says what a TCP socket of the application really is: prints SO_PROTOCOL as the kernel has it, one
 * line. For libcs that our other tests are not built for. An argument is the protocol to ask for,
 * instead of 0. Exit code 1 if there is no socket, 3 if errno was touched.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNTOUCHED = 4711 };

int main(int argc, char **argv) {
        const int asked = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
        socklen_t size = sizeof(int);
        int fd, error, protocol = -1;

        errno = UNTOUCHED;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, asked);
        error = errno;
        if (fd < 0) {
                perror("probe");
                return 1;
        }

        (void)syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
        (void)close(fd);
        (void)printf("%d\n", protocol);
        return error == UNTOUCHED ? 0 : 3;
}
