/*
 * Hooks as 32-bit programs with a 64-bit time_t call them. glibc has one function under both names,
 * or as good as one: what differs is the name and the value of an option, which the kernel tells
 * apart. Only built where long has 32 bits. See hook.h.
 */
#include "hook.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

HOOK_DECLARE(int, __setsockopt64, (int fd, int level, int name, const void *value, socklen_t len));

int hook___setsockopt64(int fd, int level, int name, const void *value, socklen_t len) {
        return setsockopt(fd, level, name, value, len);
}

HOOK_DECLARE(int, __getsockopt64, (int fd, int level, int name, void *value, socklen_t *len));

int hook___getsockopt64(int fd, int level, int name, void *value, socklen_t *len) {
        return getsockopt(fd, level, name, value, len);
}

HOOK_DECLARE(int, __ioctl_time64, (int fd, unsigned long request, ...));

int hook___ioctl_time64(int fd, unsigned long request, ...) {
        void *argument;
        va_list list;

        va_start(list, request);
        argument = va_arg(list, void *);
        va_end(list);
        return ioctl(fd, request, argument);
}

HOOK_DECLARE(int, __fcntl_time64, (int fd, int command, ...));

int hook___fcntl_time64(int fd, int command, ...) {
        void *argument;
        va_list list;

        va_start(list, command);
        argument = va_arg(list, void *);
        va_end(list);
        return fcntl64(fd, command, argument);
}
