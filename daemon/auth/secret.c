#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../util/cleanup.h"

/* Memory */

void secret_shield(void *memory, size_t n) {
        (void)madvise(memory, n, MADV_DONTDUMP);
        (void)mlock(memory, n); /* as much as the limit of locked memory allows */
}

void *secret_new(size_t n) {
        void *memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return NULL;
        secret_shield(memory, n);
        return memory;
}

void secret_free(void *memory, size_t n) {
        if (!memory)
                return;
        secret_cleanse(memory, n);
        (void)munmap(memory, n);
}

void secret_cleanse(void *memory, size_t n) {
        explicit_bzero(memory, n);
}

/* Files */

/* False: it is the name of a credential, but there is no directory of them. */
static bool secret_path(const char *psk, char path[static PATH_MAX]) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");

        if (psk[0] == '/')
                return snprintf(path, PATH_MAX, "%s", psk) < PATH_MAX;
        return directory && snprintf(path, PATH_MAX, "%s/%s", directory, psk) < PATH_MAX;
}

/* What is wrong with it, or NULL. What systemd has made is as it has to be. */
static const char *secret_judge(int fd, bool credential) {
        struct stat is;

        if (fstat(fd, &is) < 0)
                return strerror(errno);
        if (!S_ISREG(is.st_mode))
                return "it is no regular file";
        if (!credential && is.st_uid != 0 && is.st_uid != geteuid())
                return "it belongs to another user";
        if (!credential && is.st_mode & (S_IRWXG | S_IRWXO))
                return "others may read or write it, it needs mode 0600";
        if (is.st_size < (off_t)LIMIT_AUTH_PSK_MIN)
                return "it is too short: at least 32 bytes are needed";
        if (is.st_size > (off_t)LIMIT_AUTH_PSK)
                return "it is too long: at most 4096 bytes may be";
        return NULL;
}

static ssize_t secret_fill(int fd, void *memory) {
        unsigned char *at = memory;
        size_t n = 0;
        ssize_t r;

        do {
                r = read(fd, at + n, LIMIT_AUTH_PSK - n);
                if (r > 0)
                        n += (size_t)r;
        } while ((r > 0 && n < LIMIT_AUTH_PSK) || (r < 0 && errno == EINTR));
        if (r < 0)
                return -errno;
        return n < LIMIT_AUTH_PSK_MIN ? -EINVAL : (ssize_t)n;
}

ssize_t secret_read(const char *psk, void *memory, char error[static SECRET_ERROR]) {
        _cleanup_(closep) int fd = -1;
        char path[PATH_MAX];
        const char *wrong;
        ssize_t n;

        if (!secret_path(psk, path)) {
                snprintf(error, SECRET_ERROR, "the service has no credential %s", psk);
                return -ENOENT;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
                n = -errno;
                snprintf(error, SECRET_ERROR, "the shared key can't be read: %s (%s)",
                         strerror((int)-n), psk);
                return n;
        }
        wrong = secret_judge(fd, psk[0] != '/');
        n = wrong ? -EACCES : secret_fill(fd, memory);
        if (n < 0)
                snprintf(error, SECRET_ERROR, "the shared key is not used: %s (%s)",
                         wrong ? wrong : strerror((int)-n), psk);
        return n;
}
