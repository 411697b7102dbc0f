/*
 * A TLS library that only tells which one it is: TLS_NUMBER. Without TLS_WHOLE it is one that hooks
 * a function of such libraries.
 */
#define FAKE_EXPORT __attribute__((visibility("default")))

FAKE_EXPORT int SSL_connect(void *ssl);

#ifdef TLS_WHOLE
FAKE_EXPORT int SSL_write(void *ssl, const void *data, int n);
FAKE_EXPORT int SSL_export_keying_material(void);
#endif

int SSL_connect(void *ssl) {
        (void)ssl;
        return TLS_NUMBER;
}

#ifdef TLS_WHOLE
int SSL_write(void *ssl, const void *data, int n) {
        (void)ssl, (void)data;
        return TLS_NUMBER + n;
}

int SSL_export_keying_material(void) {
        return TLS_NUMBER;
}
#endif
