/*
 * Which TLS a program uses, as far as its mappings and its file tell: does libmptcpize.so know it?
 *
 * Pure: texts in, an answer out.
 */
#pragma once

#include <stddef.h>

enum tls_kind {
        TLS_NONE,    /* nothing that is known */
        TLS_KNOWN,   /* OpenSSL 3 or GnuTLS, as a library: keys can be taken from it */
        TLS_OLD,     /* OpenSSL before 3 */
        TLS_OTHER,   /* another library: NSS, mbed TLS, wolfSSL, LibreSSL's libtls */
        TLS_JAVA,    /* a virtual machine, with its own */
        TLS_BUILTIN, /* OpenSSL or BoringSSL in the program's file itself */
        TLS_RUST,    /* rustls, likewise */
        TLS_GO,      /* crypto/tls, likewise */
        _TLS_KIND_MAX
};

/* Of the text of /proc/PID/maps. */
enum tls_kind tls_of_maps(const char *maps);

/* Of the bytes of a program's file, which has no such library mapped. */
enum tls_kind tls_of_image(const void *bytes, size_t n);
