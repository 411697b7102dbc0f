/*
 * What it costs to give the daemon a key: one handshake after the other, over MPTCP on loopback,
 * with both ends here.
 *
 *         bench-tls openssl|gnutls CERTIFICATE KEY
 *
 * The handshakes are made past the library; the first hooked call of each end finds that one is
 * complete. Prints the medians in microseconds of that call, of one more, and of the handshake of
 * both ends. bench-tls.py runs it with a policy that wants keys, and with one that does not.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

enum { N_CONNECTIONS = 1000, CLIENT = 0, SERVER = 1 };

#define OPENSSL_FUNCTIONS(X)                                                         \
        X(void *, TLS_client_method, (void))                                         \
        X(void *, TLS_server_method, (void))                                         \
        X(void *, SSL_CTX_new, (void *method))                                       \
        X(int, SSL_CTX_use_certificate_file, (void *ctx, const char *path, int pem)) \
        X(int, SSL_CTX_use_PrivateKey_file, (void *ctx, const char *path, int pem))  \
        X(void *, SSL_new, (void *ctx))                                              \
        X(int, SSL_set_fd, (void *ssl, int fd))                                      \
        X(void, SSL_set_connect_state, (void *ssl))                                  \
        X(void, SSL_set_accept_state, (void *ssl))                                   \
        X(int, SSL_do_handshake, (void *ssl))                                        \
        X(int, SSL_read, (void *ssl, void *data, int n))                             \
        X(void, SSL_free, (void *ssl))

#define GNUTLS_FUNCTIONS(X)                                                          \
        X(int, gnutls_certificate_allocate_credentials, (void **credentials))        \
        X(int, gnutls_certificate_set_x509_key_file,                                 \
          (void *credentials, const char *certificate, const char *key, int pem))    \
        X(int, gnutls_init, (void **session, unsigned int flags))                    \
        X(int, gnutls_set_default_priority, (void *session))                         \
        X(int, gnutls_credentials_set, (void *session, int type, void *credentials)) \
        X(void, gnutls_transport_set_int2, (void *session, int receive, int send))   \
        X(int, gnutls_handshake, (void *session))                                    \
        X(ssize_t, gnutls_record_send, (void *session, const void *data, size_t n))  \
        X(void, gnutls_deinit, (void *session))

#define MEMBER(result, name, arguments) result(*name) arguments;
static struct { OPENSSL_FUNCTIONS(MEMBER) } openssl;
static struct { GNUTLS_FUNCTIONS(MEMBER) } gnutls;
#undef MEMBER

static int (*hooked_read)(void *ssl, void *data, int n);
static ssize_t (*hooked_send)(void *session, const void *data, size_t n);
static void *contexts[2];

static void look_up(void *handle, const char *name, void *ret_function) {
        void *found = dlsym(handle, name);

        if (!found)
                support_skip(name, 0);
        memcpy(ret_function, &found, sizeof(found));
}

static void *open_library(const char *name) {
        void *handle = dlopen(name, RTLD_NOW | RTLD_GLOBAL);

        if (!handle)
                support_skip(name, 0);
        return handle;
}

/* OpenSSL */

static void openssl_start(const char *certificate, const char *key) {
        void *handle = open_library("libssl.so.3");

#define FIND(result, name, arguments) look_up(handle, #name, &openssl.name);
        OPENSSL_FUNCTIONS(FIND)
#undef FIND
        look_up(RTLD_DEFAULT, "SSL_read", &hooked_read);
        contexts[CLIENT] = openssl.SSL_CTX_new(openssl.TLS_client_method());
        contexts[SERVER] = openssl.SSL_CTX_new(openssl.TLS_server_method());
        if (openssl.SSL_CTX_use_certificate_file(contexts[SERVER], certificate, 1) != 1 ||
            openssl.SSL_CTX_use_PrivateKey_file(contexts[SERVER], key, 1) != 1)
                abort();
}

static void *openssl_begin(int end, int fd) {
        void *ssl = openssl.SSL_new(contexts[end]);

        (void)openssl.SSL_set_fd(ssl, fd);
        if (end == CLIENT)
                openssl.SSL_set_connect_state(ssl);
        else
                openssl.SSL_set_accept_state(ssl);
        return ssl;
}

static int openssl_step(void *ssl) {
        return openssl.SSL_do_handshake(ssl) == 1;
}

static void openssl_call(void *ssl) {
        char data[16];

        (void)hooked_read(ssl, data, sizeof(data));
}

static void openssl_end(void *ssl) {
        openssl.SSL_free(ssl);
}

/* GnuTLS */

static void gnutls_start(const char *certificate, const char *key) {
        void *handle = open_library("libgnutls.so.30");

#define FIND(result, name, arguments) look_up(handle, #name, &gnutls.name);
        GNUTLS_FUNCTIONS(FIND)
#undef FIND
        look_up(RTLD_DEFAULT, "gnutls_record_send", &hooked_send);
        for (int end = 0; end < 2; end++)
                (void)gnutls.gnutls_certificate_allocate_credentials(&contexts[end]);
        if (gnutls.gnutls_certificate_set_x509_key_file(contexts[SERVER], certificate, key, 1) < 0)
                abort();
}

static void *gnutls_begin(int end, int fd) {
        void *session = NULL;

        (void)gnutls.gnutls_init(&session, (end == CLIENT ? 2u : 1u) | 8u /* non-blocking */);
        (void)gnutls.gnutls_set_default_priority(session);
        (void)gnutls.gnutls_credentials_set(session, 1, contexts[end]);
        gnutls.gnutls_transport_set_int2(session, fd, fd);
        return session;
}

static int gnutls_step(void *session) {
        return gnutls.gnutls_handshake(session) == 0;
}

static void gnutls_call(void *session) {
        if (hooked_send(session, "x", 1) != 1)
                abort();
}

static void gnutls_end(void *session) {
        gnutls.gnutls_deinit(session);
}

struct library {
        void (*start)(const char *certificate, const char *key);
        void *(*begin)(int end, int fd);
        int (*step)(void *session);
        void (*call)(void *session);
        void (*end)(void *session);
};

static const struct library libraries[] = {
        { openssl_start, openssl_begin, openssl_step, openssl_call, openssl_end },
        { gnutls_start, gnutls_begin, gnutls_step, gnutls_call, gnutls_end },
};

/* Measuring */

static double now_usec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static double timed_call(const struct library *library, void *session) {
        double start = now_usec();

        library->call(session);
        return now_usec() - start;
}

static int listen_somewhere(struct sockaddr_in *ret_address) {
        socklen_t len = sizeof(*ret_address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        *ret_address = (struct sockaddr_in){ .sin_family = AF_INET,
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        if (fd < 0 || listen(fd, 16) < 0 ||
            getsockname(fd, (struct sockaddr *)ret_address, &len) < 0)
                abort();
        ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return fd;
}

/* Microseconds of the first and second call of both ends together, and of the whole handshake. */
static void measure(const struct library *library, int listener, const struct sockaddr_in *address,
                    double ret_usec[static 3]) {
        int fds[2] = { socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -1 };
        int done[2] = { 0, 0 }, one = 1;
        void *sessions[2];
        double start;

        if (fds[0] < 0 || connect(fds[0], (const struct sockaddr *)address, sizeof(*address)) < 0 ||
            fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
                abort();
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        for (int end = 0; end < 2; end++) {
                (void)setsockopt(fds[end], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                sessions[end] = library->begin(end, fds[end]);
        }
        start = now_usec();
        while (!done[CLIENT] || !done[SERVER])
                for (int end = 0; end < 2; end++)
                        done[end] = done[end] || library->step(sessions[end]);
        ret_usec[2] = now_usec() - start;
        ret_usec[0] = ret_usec[1] = 0;
        for (int end = 0; end < 2; end++) {
                ret_usec[0] += timed_call(library, sessions[end]);
                ret_usec[1] += timed_call(library, sessions[end]);
        }
        for (int end = 0; end < 2; end++) {
                library->end(sessions[end]);
                (void)close(fds[end]);
        }
}

static int compare(const void *a, const void *b) {
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

int main(int argc, char **argv) {
        static double first[N_CONNECTIONS], second[N_CONNECTIONS], whole[N_CONNECTIONS];
        const struct library *library;
        struct sockaddr_in address;
        int listener;

        if (argc != 4)
                return 2;
        support_require_shim();
        library = &libraries[strcmp(argv[1], "gnutls") == 0];
        library->start(argv[2], argv[3]);
        listener = listen_somewhere(&address);
        for (int i = 0; i < N_CONNECTIONS; i++) {
                double usec[3];

                measure(library, listener, &address, usec);
                first[i] = usec[0] / 2;
                second[i] = usec[1] / 2;
                whole[i] = usec[2];
        }
        qsort(first, N_CONNECTIONS, sizeof(*first), compare);
        qsort(second, N_CONNECTIONS, sizeof(*second), compare);
        qsort(whole, N_CONNECTIONS, sizeof(*whole), compare);
        (void)printf("%.2f %.2f %.2f\n", first[N_CONNECTIONS / 2], second[N_CONNECTIONS / 2],
                     whole[N_CONNECTIONS / 2]);
        (void)close(listener);
        return 0;
}
