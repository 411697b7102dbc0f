/*
 * For programs that have keys of their own, such as those whose TLS library is compiled in: a key
 * for join authentication, see libmptcpize(7) and mptcpize-auth(7).
 *
 * The function is in the preload library, and there only while a program runs with it. So nothing
 * is to be linked: the symbol is weak, and NULL without the library.
 *
 *         if (mptcpize_set_key)
 *                 (void)mptcpize_set_key(fd, key, sizeof(key));
 *
 * A program that the weak symbol doesn't suit can ask dlsym(RTLD_DEFAULT, "mptcpize_set_key").
 */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MPTCPIZE_KEY_BYTES 32

/*
 * Gives the daemon a key that both ends of the connection fd have and nobody else: len bytes, which
 * must be MPTCPIZE_KEY_BYTES, uniformly random, as from a TLS exporter or HKDF; made for this
 * connection and used for nothing else. To be called once, on both ends, when the connection is
 * established; the first key of a connection counts. Doesn't block, and keeps no copy.
 *
 * 0, or -1 with errno:
 *   EINVAL        key is NULL, or len is another
 *   EBADF         fd is no descriptor
 *   ENOTSOCK      fd is no socket
 *   EOPNOTSUPP    fd is no MPTCP connection, or one that has fallen back to TCP
 *   ENOTCONN      fd is not connected
 *   EACCES        the program's policy asks for no key: "auth" is off, or has a "psk", or "hints"
 *                 are off
 *   EPERM         the program has confined itself
 *   ECONNREFUSED, ENOENT   the daemon doesn't run
 *   EAGAIN        the daemon is busy
 */
__attribute__((weak)) int mptcpize_set_key(int fd, const void *key, size_t len);

#ifdef __cplusplus
}
#endif
