/*
 * A next library whose functions return at once, for bench-option.c: what is left of a call is what
 * the hook costs. Each also has a name of its own, to be called past the hook.
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "stub.h"

#define STUB(result, name, arguments)                                                      \
        __attribute__((visibility("default"))) result stub_##name arguments;               \
        __attribute__((visibility("default"))) result real_##name arguments __asm__(#name) \
                        __attribute__((alias("stub_" #name)));                             \
        result stub_##name arguments

/* NOLINTBEGIN(misc-unused-parameters) */
STUB(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len)) {
        (void)fd, (void)level, (void)name, (void)value, (void)len;
        return 0;
}

STUB(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len)) {
        (void)fd, (void)level, (void)name, (void)value, (void)len;
        return 0;
}

STUB(int, ioctl, (int fd, unsigned long request, ...)) {
        (void)fd, (void)request;
        return 0;
}

STUB(int, connect, (int fd, const void *address, socklen_t len)) {
        (void)fd, (void)address, (void)len;
        return 0;
}

STUB(ssize_t, send, (int fd, const void *data, size_t n, int flags)) {
        (void)fd, (void)data, (void)flags;
        return (ssize_t)n;
}

STUB(ssize_t, recv, (int fd, void *data, size_t n, int flags)) {
        (void)fd, (void)data, (void)flags;
        return (ssize_t)n;
}

STUB(ssize_t, write, (int fd, const void *data, size_t n)) {
        (void)fd, (void)data;
        return (ssize_t)n;
}

STUB(ssize_t, read, (int fd, void *data, size_t n)) {
        (void)fd, (void)data;
        return (ssize_t)n;
}

STUB(ssize_t, writev, (int fd, const void *parts, int n)) {
        (void)fd, (void)parts;
        return (ssize_t)n * STUB_BYTES;
}

STUB(ssize_t, sendmsg, (int fd, const void *message, int flags)) {
        (void)fd, (void)message, (void)flags;
        return STUB_BYTES;
}
/* NOLINTEND(misc-unused-parameters) */
