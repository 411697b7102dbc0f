/* See support.h. */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

enum { MAX_FDS = 1024 };

int support_kernel_socket(int domain, int type, int protocol) {
        return (int)syscall(SYS_socket, domain, type, protocol);
}

int support_protocol(int fd) {
        socklen_t size = sizeof(int);
        int protocol;

        if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0)
                return -errno;
        return protocol;
}

int support_probe(int domain, int type, int protocol) {
        int fd = socket(domain, type, protocol), r;

        if (fd < 0)
                return -errno;

        r = support_protocol(fd);
        (void)close(fd);
        return r;
}

int support_count_fds(void) {
        int n = 0;

        for (int fd = 0; fd < MAX_FDS; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

void support_skip(const char *reason, int error) {
        (void)fprintf(stderr, "SKIP: %s%s%s\n", reason, error ? ": " : "",
                      error ? strerror(error) : "");
        exit(SUPPORT_SKIP);
}

static int on_object(struct dl_phdr_info *info, size_t size, void *unused) {
        (void)size;
        (void)unused;
        return info->dlpi_name && strstr(info->dlpi_name, "libmptcpize.so");
}

void support_require_shim(void) {
        int fd;

        if (dl_iterate_phdr(on_object, NULL) == 0) {
                (void)fputs("FAIL: the preload library is not in this process\n", stderr);
                exit(EXIT_FAILURE);
        }

        fd = support_kernel_socket(AF_INET, SOCK_STREAM, SUPPORT_MPTCP);
        if (fd < 0)
                support_skip("the kernel gives no MPTCP socket here", errno);
        (void)close(fd);
}

static bool write_file(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return false;
        n = write(fd, text, strlen(text));
        (void)close(fd);
        return n == (ssize_t)strlen(text);
}

void support_enter_netns(void) {
        char uids[64], gids[64];

        (void)snprintf(uids, sizeof(uids), "0 %u 1", (unsigned)getuid());
        (void)snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)getgid());

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                support_skip("cannot enter a network namespace", errno);
        if (!write_file("/proc/self/setgroups", "deny") ||
            !write_file("/proc/self/gid_map", gids) || !write_file("/proc/self/uid_map", uids))
                support_skip("cannot map our user into a namespace", errno);
}

void support_bring_loopback_up(void) {
        const struct sockaddr_in host = { .sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(SUPPORT_HOST) };
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        struct ifreq second = { .ifr_name = "lo:1" };
        int fd = support_kernel_socket(AF_INET, SOCK_DGRAM, 0);

        memcpy(&second.ifr_addr, &host, sizeof(host));
        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 || ioctl(fd, SIOCSIFADDR, &second) < 0)
                support_skip("cannot bring loopback up", errno);
        (void)close(fd);
}

/* A filter loads 32 bits: the lower half of the third argument. */
enum {
        ARGUMENT_2 = offsetof(struct seccomp_data, args[2]) +
                     (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)
};

int support_refuse_protocol(int protocol, int error) {
        const unsigned int answer = SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA);
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT_2),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)protocol, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, answer),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

        /* By system calls: the library must not know, or it would not even try. */
        if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int support_in_child(int (*body)(int arg), int arg) {
        pid_t pid = fork();
        int status;

        if (pid < 0)
                return -1;
        if (pid == 0)
                _exit(body(arg));
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -1;
        return WEXITSTATUS(status);
}
