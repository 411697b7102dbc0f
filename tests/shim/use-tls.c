/*
 * A library that calls one: its functions have USE_NAME in their names, so that each can be told
 * from the next. With USE_OTHER it calls by way of another such library.
 */
#define USE_EXPORT       __attribute__((visibility("default")))
#define USE_PASTE2(a, b) a##b
#define USE_PASTE(a, b)  USE_PASTE2(a, b)

int SSL_connect(void *ssl);
int SSL_write(void *ssl, const void *data, int n);

USE_EXPORT int USE_PASTE(connect_, USE_NAME)(void);
USE_EXPORT int USE_PASTE(write_, USE_NAME)(int n);

#ifdef USE_OTHER

int USE_PASTE(connect_, USE_OTHER)(void);
int USE_PASTE(write_, USE_OTHER)(int n);

/* One more, so that none of both calls is a jump. */
int USE_PASTE(connect_, USE_NAME)(void) {
        return USE_PASTE(connect_, USE_OTHER)() + 1000;
}

int USE_PASTE(write_, USE_NAME)(int n) {
        return USE_PASTE(write_, USE_OTHER)(n) + 1000;
}

#else

int USE_PASTE(connect_, USE_NAME)(void) {
        return SSL_connect(0) + 100;
}

int USE_PASTE(write_, USE_NAME)(int n) {
        return SSL_write(0, 0, n) + 100;
}

#endif
