/*
 * Which descriptor a TLS session is on: found by the random number that this end has made for it.
 *
 * The first handshake message that an end sends is a ClientHello or a ServerHello, in the clear,
 * and has 32 random bytes of its own making at a fixed place (RFC 8446 section 4.1.2, RFC 5246
 * section 7.4.1.2). The hooks that write show here what is sent on watched connections until that
 * message was among it; the session tells its random number once its handshake is complete. This
 * holds where libraries write by functions of the program's (curl), or into memory (asyncio).
 *
 * It is the own random number, in the server the server's, because nobody else can know it before
 * it is sent: whoever repeats the ClientHello of somebody else on another connection has its random
 * number there, too, and could have his session's key taken for that of the other connection.
 *
 * Pointers to sessions are no marks, since allocators use them again. What is kept is: fixed arrays
 * of atomics, no locks, no system calls, like all of fd.h, and safe in signal handlers, forks and
 * vfork children.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "fd.h"

#define TLS_RANDOM 32u

/* Who one end of a session is; the values are those of the handshake messages. */
enum tls_role { TLS_NOBODY, TLS_CLIENT, TLS_SERVER };

/* Of what is sent before the handshake (STARTTLS, or no TLS at all), so much is looked at. */
#define TLS_PLAIN_CALLS 64u
#define TLS_PLAIN_BYTES 16384u

/* fd, an MPTCP socket, has just been connected or accepted: watches it. */
void tls_watch(int fd);

/*
 * Has any socket of this process ever been watched? While none has, the policy wants no keys, and
 * no session need be looked at.
 */
extern _Atomic uint32_t tls_watched;

static inline bool tls_is_watching(void) {
        return atomic_load_explicit(&tls_watched, memory_order_relaxed);
}

/* n bytes of these parts have been sent on fd, which has FD_HELLO. */
void tls_sent(int fd, const struct iovec *parts, size_t n_parts, size_t n);

/*
 * The connection on which an end with this role has sent this random number, or -1. The answer is
 * given once: afterwards it is forgotten, unless tls_put_back().
 */
int tls_take(enum tls_role role, const uint8_t random[TLS_RANDOM]);

/* The key of fd could not be delivered: it may be asked for once more, so many times. */
#define TLS_TRIES 200u

void tls_put_back(int fd);
