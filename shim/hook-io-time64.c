/*
 * Functions of hook-io.c as 32-bit programs with a 64-bit time_t call them. glibc has one function
 * under both names. (Its __recvmsg64() is another one and left alone: its callers are woken, too,
 * only by ENOTCONN.) Only built where long has 32 bits. See hook.h.
 */
#include "hook.h"

HOOK_DECLARE(ssize_t, __sendmsg64, (int fd, const struct msghdr *message, int flags));

ssize_t hook___sendmsg64(int fd, const struct msghdr *message, int flags) {
        return sendmsg(fd, message, flags);
}

HOOK_DECLARE(int, __sendmmsg64, (int fd, struct mmsghdr *messages, unsigned int n, int flags));

int hook___sendmmsg64(int fd, struct mmsghdr *messages, unsigned int n, int flags) {
        return sendmmsg(fd, messages, n, flags);
}
