/* See early.h. Not instrumented by sanitizers: it runs before they are ready. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc.h"
#include "early.h"

#define EARLY_EXPORT     __attribute__((visibility("default")))
#define NOT_INSTRUMENTED __attribute__((no_sanitize("address", "undefined")))

static struct early result;

NOT_INSTRUMENTED static unsigned long count(void) {
        return alloc_count ? alloc_count() : 0;
}

EARLY_EXPORT NOT_INSTRUMENTED struct early early_probe(void) {
        struct early early = { .n_allocations = count() };
        socklen_t size = sizeof(early.protocol);
        int fd;

        errno = EARLY_UNTOUCHED;
        fd = socket(AF_INET, SOCK_STREAM, 0);
        early.errno_after = errno;
        early.n_allocations = count() - early.n_allocations;
        if (fd < 0 ||
            syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &early.protocol, &size) < 0)
                early.protocol = -errno;
        if (fd >= 0)
                (void)close(fd);
        return early;
}

EARLY_EXPORT NOT_INSTRUMENTED struct early early_result(void) {
        return result;
}

__attribute__((constructor)) NOT_INSTRUMENTED static void early_init(void) {
        result = early_probe();
}
