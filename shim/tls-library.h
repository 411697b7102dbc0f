/*
 * The TLS libraries behind the hooks of hook-tls.c. We are linked with none: a program may have
 * none, several, or load one later.
 *
 * The function behind a hook is not simply the next one (RTLD_NEXT): that knows only libraries that
 * all of the program sees, not those of a module that was opened with RTLD_LOCAL, as Python's are,
 * and of two versions of OpenSSL in one process it knows one. So it is looked for where the caller
 * would have found it without us, and remembered for each place of call. Where another preload
 * library has the function, too, that one is called.
 *
 * The first call from a place looks symbols up, which takes the dynamic linker's lock and may
 * allocate; later ones cost a few nanoseconds. What was found stays loaded, so that nothing of what
 * is remembered points into the void; and all of it is forgotten when the program closes a library,
 * in whose place another caller may come.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_call {
        TLS_SSL_ACCEPT,
        TLS_SSL_CONNECT,
        TLS_SSL_DO_HANDSHAKE,
        TLS_SSL_READ,
        TLS_SSL_READ_EX,
        TLS_SSL_WRITE,
        TLS_SSL_WRITE_EX,
        TLS_GNUTLS_HANDSHAKE,
        TLS_GNUTLS_RECORD_RECV,
        TLS_GNUTLS_RECORD_SEND,
        _TLS_CALL_MAX
};

/* What we call of OpenSSL, 1.1.1 and later. */
#define TLS_OPENSSL_FUNCTIONS(X)                                                             \
        X(int, SSL_export_keying_material,                                                   \
          (void *ssl, unsigned char *out, size_t n, const char *label, size_t n_label,       \
           const unsigned char *context, size_t n_context, int use_context))                 \
        X(int, SSL_is_init_finished, (const void *ssl))                                      \
        X(int, SSL_is_server, (const void *ssl))                                             \
        X(size_t, SSL_get_client_random, (const void *ssl, unsigned char *random, size_t n)) \
        X(size_t, SSL_get_server_random, (const void *ssl, unsigned char *random, size_t n)) \
        X(int, SSL_version, (const void *ssl))                                               \
        X(long, SSL_ctrl, (void *ssl, int command, long number, void *argument))             \
        X(int, ERR_set_mark, (void))                                                         \
        X(int, ERR_pop_to_mark, (void))

struct tls_datum { /* gnutls_datum_t */
        unsigned char *data;
        unsigned int size;
};

/* And of GnuTLS, 3.6.3 and later. */
#define TLS_GNUTLS_FUNCTIONS(X)                                                   \
        X(int, gnutls_prf_rfc5705,                                                \
          (void *session, size_t n_label, const char *label, size_t n_context,    \
           const char *context, size_t n, char *out))                             \
        X(void, gnutls_session_get_random,                                        \
          (void *session, struct tls_datum *client, struct tls_datum *server))    \
        X(int, gnutls_protocol_get_version, (void *session))                      \
        X(unsigned int, gnutls_session_ext_master_secret_status, (void *session)) \
        X(int, gnutls_server_name_get,                                            \
          (void *session, void *data, size_t *n, unsigned int *type, unsigned int index))

#define TLS_MEMBER(result, name, arguments) result(*name) arguments;

struct tls_library {
        const void *base;
        uint32_t ready; /* atomic: all else is there */
        bool gnutls;    /* else OpenSSL */
        bool whole;     /* it has all functions */
        struct {
                TLS_OPENSSL_FUNCTIONS(TLS_MEMBER)
        } openssl;
        struct {
                TLS_GNUTLS_FUNCTIONS(TLS_MEMBER)
        } tls; /* GnuTLS's */
};

#undef TLS_MEMBER

typedef void tls_function(void);

struct tls_found {
        tls_function *function;            /* to be cast to its type; NULL: nobody has it */
        const struct tls_library *library; /* NULL: none that is of use */
};

/* What the call means that is made from this address. errno is kept. */
struct tls_found tls_library_find(enum tls_call call, const void *caller);

/* A library has been, or is about to be, closed. */
void tls_library_forget(void);
