/* See tls.h. */
#include "tls.h"

#include <string.h>

/* Of the record: type, version, length; of the message in it: type, length, version, random. */
#define TLS_RECORD_TYPE    0u
#define TLS_RECORD_VERSION 1u
#define TLS_RECORD_LEN     3u
#define TLS_MESSAGE        5u
#define TLS_VERSION        9u
#define TLS_HEAD_RANDOM    11u
#define TLS_HEAD           (TLS_HEAD_RANDOM + TLS_RANDOM)

#define TLS_HANDSHAKE 22u
#define TLS_MAJOR     3u

/* Descriptors that are this far apart share one, and the later has it. */
#define TLS_SLOTS   16384u
#define TLS_BUCKETS 4096u
#define TLS_WAYS    4u

/*
 * What one connection has sent. Filled by one thread at a time; who finds it busy goes without. As
 * long as .role is TLS_NOBODY nobody but who fills it reads it.
 */
struct tls_slot {
        _Atomic uint64_t life; /* fd_life(); 0: nobody's */
        _Atomic uint32_t busy;
        _Atomic uint32_t role; /* enum tls_role; other than TLS_NOBODY: .head is whole */
        uint32_t plain_bytes;
        uint8_t plain_calls;
        uint8_t tries; /* to deliver its key */
        uint8_t n;     /* of .head */
        uint8_t head[TLS_HEAD];
};

static struct tls_slot tls_slots[TLS_SLOTS];

/* Descriptors plus one, by their random numbers; what is wrong there the slot tells. */
static _Atomic uint32_t tls_index[TLS_BUCKETS][TLS_WAYS];

_Atomic uint32_t tls_watched;

/* A ServerHello with this one asks for another ClientHello (RFC 8446 section 4.1.3). */
static const uint8_t tls_retry[TLS_RANDOM] = {
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
        0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
        0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static struct tls_slot *tls_slot(int fd) {
        return &tls_slots[(unsigned int)fd % TLS_SLOTS];
}

/* Random numbers */

/* Not of the first bytes, which used to be a time. */
static _Atomic uint32_t *tls_bucket(const uint8_t random[TLS_RANDOM]) {
        uint32_t hash;

        memcpy(&hash, random + 8, sizeof(hash));
        return tls_index[hash % TLS_BUCKETS];
}

/* Does it hold this random number, for a descriptor that is still what it was? */
static bool tls_holds(const struct tls_slot *slot, int fd, enum tls_role role,
                      const uint8_t random[TLS_RANDOM]) {
        uint64_t life = atomic_load_explicit(&slot->life, memory_order_acquire);

        return life && life == fd_life(fd) &&
               atomic_load_explicit(&slot->role, memory_order_acquire) == (uint32_t)role &&
               memcmp(slot->head + TLS_HEAD_RANDOM, random, TLS_RANDOM) == 0;
}

static int tls_find(enum tls_role role, const uint8_t random[TLS_RANDOM]) {
        const _Atomic uint32_t *bucket = tls_bucket(random);

        for (uint32_t i = 0; i < TLS_WAYS; i++) {
                int fd = (int)atomic_load_explicit(&bucket[i], memory_order_acquire) - 1;

                if (fd >= 0 && tls_holds(tls_slot(fd), fd, role, random))
                        return fd;
        }
        return -1;
}

/* Does this way lead to another descriptor, which still waits for its session? */
static bool tls_is_needed(uint32_t way, int wanted) {
        int fd = (int)way - 1;
        const struct tls_slot *slot;

        if (fd < 0 || fd == wanted)
                return false;
        slot = tls_slot(fd);
        return atomic_load_explicit(&slot->role, memory_order_relaxed) != TLS_NOBODY &&
               atomic_load_explicit(&slot->life, memory_order_relaxed) == fd_life(fd);
}

static void tls_add(int fd, const uint8_t random[TLS_RANDOM]) {
        _Atomic uint32_t *bucket = tls_bucket(random);
        uint32_t i = 0;

        while (i < TLS_WAYS &&
               tls_is_needed(atomic_load_explicit(&bucket[i], memory_order_relaxed), fd))
                i++;
        if (i == TLS_WAYS)
                i = random[TLS_RANDOM - 1] % TLS_WAYS;
        atomic_store_explicit(&bucket[i], (uint32_t)fd + 1, memory_order_release);
}

int tls_take(enum tls_role role, const uint8_t random[TLS_RANDOM]) {
        int fd = tls_find(role, random);
        uint32_t was = (uint32_t)role;

        if (fd < 0 || !atomic_compare_exchange_strong(&tls_slot(fd)->role, &was, TLS_NOBODY))
                return -1;
        return (fd_flags(fd) & FD_KIND) == FD_MPTCP ? fd : -1;
}

/* Filling */

static void tls_reset(struct tls_slot *slot, uint64_t life) {
        atomic_store_explicit(&slot->role, TLS_NOBODY, memory_order_relaxed);
        atomic_store_explicit(&slot->life, life, memory_order_release);
        slot->n = slot->plain_calls = slot->tries = 0;
        slot->plain_bytes = 0;
}

static bool tls_begin(struct tls_slot *slot, int fd) {
        uint64_t life = fd_life(fd);

        if (!life || atomic_exchange_explicit(&slot->busy, 1, memory_order_acquire))
                return false;
        if (atomic_load_explicit(&slot->life, memory_order_relaxed) != life)
                tls_reset(slot, life);
        return true;
}

static void tls_end(struct tls_slot *slot) {
        atomic_store_explicit(&slot->busy, 0, memory_order_release);
}

void tls_watch(int fd) {
        struct tls_slot *slot = tls_slot(fd);

        if (!tls_begin(slot, fd))
                return;
        tls_reset(slot, fd_life(fd));
        tls_end(slot);
        atomic_store_explicit(&tls_watched, 1, memory_order_relaxed);
        fd_set_flags(fd, FD_HELLO);
}

/* Of the n bytes that were sent, those that are still missing in .head. */
static void tls_collect(struct tls_slot *slot, const struct iovec *parts, size_t n_parts,
                        size_t n) {
        for (size_t i = 0; i < n_parts && n > 0 && slot->n < TLS_HEAD; i++) {
                size_t some = parts[i].iov_len < n ? parts[i].iov_len : n;

                n -= some;
                if (some > TLS_HEAD - slot->n)
                        some = TLS_HEAD - slot->n;
                if (some > 0)
                        memcpy(slot->head + slot->n, parts[i].iov_base, some);
                slot->n = (uint8_t)(slot->n + some);
        }
}

/* Is .head, as far as it goes, what a hello begins with? */
static bool tls_is_hello(const struct tls_slot *slot) {
        const uint8_t *head = slot->head;
        unsigned int len = (unsigned int)head[TLS_RECORD_LEN] << 8 | head[TLS_RECORD_LEN + 1];

        return (slot->n <= TLS_RECORD_TYPE || head[TLS_RECORD_TYPE] == TLS_HANDSHAKE) &&
               (slot->n <= TLS_RECORD_VERSION || head[TLS_RECORD_VERSION] == TLS_MAJOR) &&
               (slot->n < TLS_MESSAGE || len >= TLS_HEAD - TLS_MESSAGE) &&
               (slot->n <= TLS_MESSAGE || head[TLS_MESSAGE] == TLS_CLIENT ||
                head[TLS_MESSAGE] == TLS_SERVER) &&
               (slot->n <= TLS_VERSION || head[TLS_VERSION] == TLS_MAJOR);
}

/* A call that was not what is looked for; no more are looked at if there were too many. */
static void tls_pass_over(struct tls_slot *slot, int fd, size_t n) {
        slot->n = 0;
        slot->plain_calls++;
        slot->plain_bytes += n < TLS_PLAIN_BYTES ? (uint32_t)n : TLS_PLAIN_BYTES;
        if (slot->plain_calls < TLS_PLAIN_CALLS && slot->plain_bytes < TLS_PLAIN_BYTES)
                return;
        fd_clear_flags(fd, FD_HELLO);
}

/*
 * .head is whole. Two connections with one random number would be one that repeats what another one
 * has sent: the later is none of ours.
 */
static void tls_complete(struct tls_slot *slot, int fd) {
        const uint8_t *random = slot->head + TLS_HEAD_RANDOM;
        enum tls_role role = slot->head[TLS_MESSAGE];

        fd_clear_flags(fd, FD_HELLO);
        if (tls_find(role, random) >= 0)
                return;
        atomic_store_explicit(&slot->role, (uint32_t)role, memory_order_release);
        tls_add(fd, random);
}

void tls_sent(int fd, const struct iovec *parts, size_t n_parts, size_t n) {
        struct tls_slot *slot = tls_slot(fd);

        if (n == 0)
                return;
        if (!tls_begin(slot, fd)) {
                fd_clear_flags(fd, FD_HELLO);
                return;
        }
        tls_collect(slot, parts, n_parts, n);
        if (!tls_is_hello(slot) || (slot->n == TLS_HEAD && memcmp(slot->head + TLS_HEAD_RANDOM,
                                                                  tls_retry, TLS_RANDOM) == 0))
                tls_pass_over(slot, fd, n);
        else if (slot->n == TLS_HEAD)
                tls_complete(slot, fd);
        tls_end(slot);
}

void tls_put_back(int fd) {
        struct tls_slot *slot = tls_slot(fd);

        if (!tls_begin(slot, fd))
                return;
        if (slot->n == TLS_HEAD && slot->tries < TLS_TRIES) {
                slot->tries++;
                atomic_store_explicit(&slot->role, slot->head[TLS_MESSAGE], memory_order_release);
                tls_add(fd, slot->head + TLS_HEAD_RANDOM);
        }
        tls_end(slot);
}
