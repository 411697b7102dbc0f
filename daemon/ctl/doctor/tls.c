#include "tls.h"
#include "../../util/cleanup.h"

#include <string.h>

struct mark_row {
        const char *mark;
        enum tls_kind kind;
};

/* In the order in which they count: a virtual machine may well have a libssl of the system, too. */
static const struct mark_row libraries[] = {
        { "/libjvm.so", TLS_JAVA },      { "/libssl.so.3", TLS_KNOWN },
        { "/libgnutls.so.", TLS_KNOWN }, { "/libssl.so.1", TLS_OLD },
        { "/libssl3.so", TLS_OTHER },    { "/libmbedtls.so", TLS_OTHER },
        { "/libwolfssl.so", TLS_OTHER }, { "/libtls.so.", TLS_OTHER },
        { "/libboringssl", TLS_OTHER },
};

/* Words that stand in a file which was linked with that. */
static const struct mark_row words[] = {
        { "crypto/tls.(*Conn)", TLS_GO }, { "rustls", TLS_RUST },
        { "BoringSSL", TLS_BUILTIN },     { "OpenSSL 3.", TLS_BUILTIN },
        { "OpenSSL 1.1", TLS_BUILTIN },
};

enum tls_kind tls_of_maps(const char *maps) {
        for (size_t i = 0; i < ARRAY_SIZE(libraries); i++)
                if (strstr(maps, libraries[i].mark))
                        return libraries[i].kind;
        return TLS_NONE;
}

enum tls_kind tls_of_image(const void *bytes, size_t n) {
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (memmem(bytes, n, words[i].mark, strlen(words[i].mark)))
                        return words[i].kind;
        return TLS_NONE;
}
