/*
 * Hooks of TLS libraries: once the handshake on an MPTCP connection is complete, the daemon gets a
 * key of the session, with which it proves to the peer's that both speak of the same connection
 * (mptcpize-auth(7)). Only where the policy has "auth", else the call is all there is.
 *
 * The key is an exporter's (RFC 5705, RFC 8446 section 7.5): it says nothing of the keys that
 * protect the session. Without the extended master secret (RFC 7627), TLS 1.2 and earlier can have
 * the same one in two sessions, so there is none then.
 *
 * OpenSSL completes a handshake in any of these functions, as far as the program lets it. Those for
 * early data and SSL_peek() need no hook: what follows them is one of these.
 */
#include "hook.h"

#include <stdint.h>
#include <string.h>

#include "decide.h"
#include "demote.h"
#include "hint.h"
#include "include/mptcpize/key.h"
#include "next.h"
#include "tls-library.h"
#include "tls.h"

#define HOOK_LABEL   "EXPERIMENTAL-mptcp-join-auth"
#define HOOK_CONTEXT "v1"

/* OpenSSL's, the same in all versions. */
#define HOOK_SSL_TLS13 0x0304
#define HOOK_SSL_EXTMS 122 /* SSL_CTRL_GET_EXTMS_SUPPORT */

/* GnuTLS's. */
#define HOOK_GNUTLS_TLS13           5
#define HOOK_GNUTLS_INTERNAL_ERROR  (-59)
#define HOOK_GNUTLS_INVALID_REQUEST (-50)

/* What became of a key, in the report. */
enum hook_key {
        HOOK_KEY_SENT,
        HOOK_KEY_WEAK,
        HOOK_KEY_FAILED,
        HOOK_KEY_TCP,
        HOOK_KEY_NO_DAEMON,
        HOOK_KEY_LATER,
};

static const char *const hook_key_names[] = {
        [HOOK_KEY_SENT] = "given to the daemon",
        [HOOK_KEY_WEAK] = "none: TLS 1.2 without extended master secret",
        [HOOK_KEY_FAILED] = "none: the TLS library exports nothing",
        [HOOK_KEY_TCP] = "none: the connection is plain TCP",
        [HOOK_KEY_NO_DAEMON] = "lost: the daemon does not run",
        [HOOK_KEY_LATER] = "put off: the daemon was busy",
};

static void hook_count_key(enum hook_key what) {
        hint_count(REPORT_KEY, what, hook_key_names[what]);
}

/* Is this connection MPTCP, on the wire, too? 0 or a negative errno. */
static int hook_check_mptcp(int fd) {
        int r = demote_check_mptcp(fd);

        return r == 0 || r == -EBADF || r == -ENOTSOCK ? r : -EOPNOTSUPP;
}

/*
 * what: did the session give the key? Overwrites it. The daemon takes ten at a time
 * (net.unix.max_dgram_qlen); if it is behind, the next call of the session tries again.
 */
static void hook_give(int fd, enum hook_key what, uint8_t key[HINT_KEY_BYTES]) {
        int r = what == HOOK_KEY_SENT ? hint_send_key(fd, key) : 0;

        hint_cleanse(key, HINT_KEY_BYTES);
        if (r == -EAGAIN)
                tls_put_back(fd);
        hook_count_key(r == 0 ? what : r == -EAGAIN ? HOOK_KEY_LATER : HOOK_KEY_NO_DAEMON);
}

/*
 * The connection of a session with this random number, if a key of it is of use; else -1. Asks for
 * each session once.
 */
static int hook_connection(enum tls_role role, const uint8_t random[TLS_RANDOM]) {
        int fd = tls_take(role, random);

        if (fd < 0 || !decide_wants_keys())
                return -1;
        if (hook_check_mptcp(fd) < 0) {
                hook_count_key(HOOK_KEY_TCP);
                return -1;
        }
        return fd;
}

/* OpenSSL */

static enum hook_key hook_openssl_key(const struct tls_library *library, void *ssl,
                                      uint8_t key[HINT_KEY_BYTES]) {
        int version = library->openssl.SSL_version(ssl), r;

        /* OpenSSL 3.0 answers 0 for TLS 1.3, which has no need of it. */
        if (version < HOOK_SSL_TLS13 &&
            library->openssl.SSL_ctrl(ssl, HOOK_SSL_EXTMS, 0, NULL) != 1)
                return HOOK_KEY_WEAK;
        (void)library->openssl.ERR_set_mark();
        r = library->openssl.SSL_export_keying_material(
                        ssl, key, HINT_KEY_BYTES, HOOK_LABEL, strlen(HOOK_LABEL),
                        (const unsigned char *)HOOK_CONTEXT, strlen(HOOK_CONTEXT), 1);
        (void)library->openssl.ERR_pop_to_mark();
        return r == 1 ? HOOK_KEY_SENT : HOOK_KEY_FAILED;
}

static HOOK_APART void hook_openssl_look(const struct tls_library *library, void *ssl) {
        uint8_t random[TLS_RANDOM], key[HINT_KEY_BYTES];
        int saved = errno, fd;
        bool server;
        size_t n;

        if (!library->openssl.SSL_is_init_finished(ssl))
                return;
        server = library->openssl.SSL_is_server(ssl);
        n = server ? library->openssl.SSL_get_server_random(ssl, random, sizeof(random))
                   : library->openssl.SSL_get_client_random(ssl, random, sizeof(random));
        fd = n == sizeof(random) ? hook_connection(server ? TLS_SERVER : TLS_CLIENT, random) : -1;
        if (fd >= 0)
                hook_give(fd, hook_openssl_key(library, ssl, key), key);
        errno = saved;
}

/* After a call of OpenSSL's, whatever its result: a handshake may be complete all the same. */
static inline void hook_openssl_called(const struct tls_found *found, void *ssl) {
        if (__builtin_expect(tls_is_watching(), 0) && found->library && !fd_is_confined())
                hook_openssl_look(found->library, ssl);
}

/* failure: what a program is told where nobody has the function, as one that only asked for it. */
#define HOOK_OPENSSL(name, call, failure, arguments, types, ...)                     \
        HOOK_DECLARE(int, name, arguments);                                          \
                                                                                     \
        int hook_##name arguments {                                                  \
                const struct tls_found found =                                       \
                                tls_library_find(call, __builtin_return_address(0)); \
                int r;                                                               \
                                                                                     \
                if (__builtin_expect(!found.function, 0)) {                          \
                        errno = ENOSYS;                                              \
                        return failure;                                              \
                }                                                                    \
                r = ((int(*) types)found.function)(__VA_ARGS__);                     \
                hook_openssl_called(&found, ssl);                                    \
                return r;                                                            \
        }

HOOK_OPENSSL(SSL_accept, TLS_SSL_ACCEPT, -1, (void *ssl), (void *), ssl);
HOOK_OPENSSL(SSL_connect, TLS_SSL_CONNECT, -1, (void *ssl), (void *), ssl);
HOOK_OPENSSL(SSL_do_handshake, TLS_SSL_DO_HANDSHAKE, -1, (void *ssl), (void *), ssl);
HOOK_OPENSSL(SSL_read, TLS_SSL_READ, -1, (void *ssl, void *data, int n), (void *, void *, int), ssl,
             data, n);
HOOK_OPENSSL(SSL_read_ex, TLS_SSL_READ_EX, 0, (void *ssl, void *data, size_t n, size_t *ret_n),
             (void *, void *, size_t, size_t *), ssl, data, n, ret_n);
HOOK_OPENSSL(SSL_write, TLS_SSL_WRITE, -1, (void *ssl, const void *data, int n),
             (void *, const void *, int), ssl, data, n);
HOOK_OPENSSL(SSL_write_ex, TLS_SSL_WRITE_EX, 0,
             (void *ssl, const void *data, size_t n, size_t *ret_n),
             (void *, const void *, size_t, size_t *), ssl, data, n, ret_n);

/* GnuTLS */

/* There is no function that says it; this one refuses to answer clients. */
static enum tls_role hook_gnutls_role(const struct tls_library *library, void *session) {
        unsigned int type = 0;
        char name[1];
        size_t n = sizeof(name);

        return library->tls.gnutls_server_name_get(session, name, &n, &type, 0) ==
                                               HOOK_GNUTLS_INVALID_REQUEST
                               ? TLS_CLIENT
                               : TLS_SERVER;
}

static enum hook_key hook_gnutls_key(const struct tls_library *library, void *session,
                                     uint8_t key[HINT_KEY_BYTES]) {
        if (library->tls.gnutls_protocol_get_version(session) < HOOK_GNUTLS_TLS13 &&
            !library->tls.gnutls_session_ext_master_secret_status(session))
                return HOOK_KEY_WEAK;
        return library->tls.gnutls_prf_rfc5705(session, strlen(HOOK_LABEL), HOOK_LABEL,
                                               strlen(HOOK_CONTEXT), HOOK_CONTEXT, HINT_KEY_BYTES,
                                               (char *)key) == 0
                               ? HOOK_KEY_SENT
                               : HOOK_KEY_FAILED;
}

static HOOK_APART void hook_gnutls_look(const struct tls_library *library, void *session) {
        enum tls_role role = hook_gnutls_role(library, session);
        struct tls_datum client = { NULL, 0 }, server = { NULL, 0 };
        const struct tls_datum *own = role == TLS_SERVER ? &server : &client;
        uint8_t key[HINT_KEY_BYTES];
        int saved = errno, fd;

        library->tls.gnutls_session_get_random(session, &client, &server);
        fd = own->data && own->size == TLS_RANDOM ? hook_connection(role, own->data) : -1;
        if (fd >= 0)
                hook_give(fd, hook_gnutls_key(library, session, key), key);
        errno = saved;
}

static inline void hook_gnutls_called(const struct tls_found *found, void *session) {
        if (__builtin_expect(tls_is_watching(), 0) && found->library && !fd_is_confined())
                hook_gnutls_look(found->library, session);
}

HOOK_DECLARE(int, gnutls_handshake, (void *session));

int hook_gnutls_handshake(void *session) {
        const struct tls_found found =
                        tls_library_find(TLS_GNUTLS_HANDSHAKE, __builtin_return_address(0));
        int r;

        if (__builtin_expect(!found.function, 0))
                return HOOK_GNUTLS_INTERNAL_ERROR;
        r = ((int (*)(void *))found.function)(session);
        if (r == 0)
                hook_gnutls_called(&found, session);
        return r;
}

/*
 * These are for keys that have been put off. Only if they have moved something: in the middle of a
 * handshake they fail, and GnuTLS would export a key all the same, of secrets that are still zero.
 */
#define HOOK_GNUTLS_RECORD(name, call, type)                                                \
        HOOK_DECLARE(ssize_t, name, (void *session, type *data, size_t n));                 \
                                                                                            \
        ssize_t hook_##name(void *session, type *data, size_t n) {                          \
                const struct tls_found found =                                              \
                                tls_library_find(call, __builtin_return_address(0));        \
                ssize_t r;                                                                  \
                                                                                            \
                if (__builtin_expect(!found.function, 0))                                   \
                        return HOOK_GNUTLS_INTERNAL_ERROR;                                  \
                r = ((ssize_t(*)(void *, type *, size_t))found.function)(session, data, n); \
                if (r > 0)                                                                  \
                        hook_gnutls_called(&found, session);                                \
                return r;                                                                   \
        }

HOOK_GNUTLS_RECORD(gnutls_record_recv, TLS_GNUTLS_RECORD_RECV, void);
HOOK_GNUTLS_RECORD(gnutls_record_send, TLS_GNUTLS_RECORD_SEND, const void);

/* Closing libraries */

HOOK_DECLARE(int, dlclose, (void *handle));

/* Before it for its destructors, and after it for those of other threads that came meanwhile. */
int hook_dlclose(void *handle) {
        const struct next *next = next_functions();
        int r;

        if (!next->dlclose)
                return -1;
        tls_library_forget();
        r = next->dlclose(handle);
        tls_library_forget();
        return r;
}

/* A key of the program's own */

static int hook_check_peer(int fd) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);

        return next_functions()->getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ? -errno : 0;
}

static int hook_set_key(int fd, const void *key, size_t len) {
        int saved = errno, r;

        if (!key || len != MPTCPIZE_KEY_BYTES)
                return -EINVAL;
        if (fd_is_confined())
                return -EPERM;
        if (!decide_has_daemon())
                return -ECONNREFUSED;
        if (!decide_wants_keys())
                return -EACCES;
        r = hook_check_mptcp(fd);
        if (r == 0)
                r = hook_check_peer(fd);
        if (r == 0)
                r = hint_send_key(fd, key);
        errno = saved;
        return r;
}

HOOK_EXPORT int mptcpize_set_key(int fd, const void *key, size_t len) {
        int r = hook_set_key(fd, key, len);

        if (r == 0) {
                hook_count_key(HOOK_KEY_SENT);
                return 0;
        }
        errno = -r;
        return -1;
}
