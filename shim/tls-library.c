/* See tls-library.h. */
#include "tls-library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include "fd.h"
#include "next.h"

#define LIBRARY_SITES 256u
#define LIBRARY_WAYS  8u
#define LIBRARY_MAX   8u

/*
 * A place of call. .key: the address and which call; 0: free, LIBRARY_BUSY: being filled. What is
 * read of a place counts only if the key is still the same afterwards.
 */
struct library_site {
        _Atomic uint64_t key;
        tls_function *_Atomic function;
        const struct tls_library *_Atomic library;
};

#define LIBRARY_BUSY       1u
#define LIBRARY_CALL_SHIFT 4
_Static_assert(_TLS_CALL_MAX <= 1 << LIBRARY_CALL_SHIFT, "calls fit");

static struct library_site library_sites[LIBRARY_SITES];
static struct tls_library libraries[LIBRARY_MAX];
static _Atomic uint32_t library_n;

/* Index: enum tls_call. */
static const char *const library_calls[] = {
        "SSL_accept",         "SSL_connect",        "SSL_do_handshake", "SSL_read",
        "SSL_read_ex",        "SSL_write",          "SSL_write_ex",     "gnutls_handshake",
        "gnutls_record_recv", "gnutls_record_send",
};

struct library_name {
        const char *name;
        size_t offset;
};

/* The first of each tells a library of that kind from one that only has a hook, as we are. */
static const struct library_name library_openssl[] = {
#define LIBRARY_NAME(result, name, arguments) { #name, offsetof(struct tls_library, openssl.name) },
        TLS_OPENSSL_FUNCTIONS(LIBRARY_NAME)
#undef LIBRARY_NAME
                        { NULL, 0 },
};

static const struct library_name library_gnutls[] = {
#define LIBRARY_NAME(result, name, arguments) { #name, offsetof(struct tls_library, tls.name) },
        TLS_GNUTLS_FUNCTIONS(LIBRARY_NAME)
#undef LIBRARY_NAME
                        { NULL, 0 },
};

/* For a caller from which nothing leads there, as one that has jumped to us. */
static const char *const library_files[] = { "libssl.so.3", "libssl.so.1.1", "libgnutls.so.30" };

static const struct library_name *library_names(bool gnutls) {
        return gnutls ? library_gnutls : library_openssl;
}

/* Where the library or program of this address is loaded; NULL: unknown. */
static const void *library_base(const void *address) {
        Dl_info info;

        return address && dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

static const void *library_program(void) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr) as getauxval(3) has it */
        return library_base((const void *)getauxval(AT_ENTRY));
}

/*
 * The library of this address, opened once more. NULL: the program itself, of which the next
 * library is the right one. By a path that is loaded, so glibc makes no system call for it.
 */
static void *library_open(const void *address, int flags) {
        Dl_info info;

        if (!address || dladdr(address, &info) == 0 || info.dli_fbase == library_program() ||
            !info.dli_fname || !strchr(info.dli_fname, '/'))
                return NULL;
        return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | flags);
}

/* handle NULL: of the next libraries. Never what we export. */
static void *library_symbol(void *handle, const char *name) {
        void *found = dlsym(handle ? handle : RTLD_NEXT, name);

        if (found && library_base(found) == library_base(library_calls))
                return NULL;
        return found;
}

/* Of the caller's own and the next one: the latter if its library has only that. */
static void *library_choose(void *handle, const char *name, const char *mark) {
        void *own = handle ? library_symbol(handle, name) : NULL;
        void *next = library_symbol(NULL, name);

        if (!own || !next || own == next)
                return own ? own : next;
        return library_base(next) == library_base(library_symbol(NULL, mark)) ? own : next;
}

/* Libraries */

static bool library_fill(struct tls_library *library, void *handle) {
        const struct library_name *name = library_names(library->gnutls);

        for (; name->name; name++) {
                void *found = library_symbol(handle, name->name);

                if (!found)
                        return false;
                memcpy((char *)library + name->offset, &found, sizeof(found));
        }
        return true;
}

static const struct tls_library *library_known(const void *base, bool gnutls) {
        uint32_t n = atomic_load_explicit(&library_n, memory_order_relaxed);

        for (uint32_t i = 0; i < n && i < LIBRARY_MAX; i++)
                if (__atomic_load_n(&libraries[i].ready, __ATOMIC_ACQUIRE) &&
                    libraries[i].base == base && libraries[i].gnutls == gnutls)
                        return &libraries[i];
        return NULL;
}

/*
 * The library which what handle leads to is from; two threads may make two of one. Its own handle
 * stays open.
 */
static const struct tls_library *library_of(void *handle, bool gnutls) {
        const char *mark = library_names(gnutls)->name;
        void *found = handle ? library_symbol(handle, mark) : NULL;
        const struct tls_library *known;
        struct tls_library *library;
        uint32_t i;

        if (!found)
                found = library_symbol(NULL, mark);
        if (!found)
                return NULL;
        known = library_known(library_base(found), gnutls);
        if (known)
                return known;
        i = atomic_fetch_add_explicit(&library_n, 1, memory_order_relaxed);
        if (i >= LIBRARY_MAX) {
                atomic_store_explicit(&library_n, LIBRARY_MAX, memory_order_relaxed);
                return NULL;
        }
        library = &libraries[i];
        library->base = library_base(found);
        library->gnutls = gnutls;
        library->whole = library_fill(library, library_open(found, RTLD_NODELETE));
        __atomic_store_n(&library->ready, 1, __ATOMIC_RELEASE);
        return library;
}

/* Places of call */

static void library_try_files(const char *name, bool gnutls, struct tls_found *ret_found) {
        for (size_t i = 0; i < sizeof(library_files) / sizeof(*library_files); i++) {
                void *handle = dlopen(library_files[i], RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
                void *function = handle ? library_symbol(handle, name) : NULL;

                if (function) {
                        memcpy(&ret_found->function, &function, sizeof(function));
                        ret_found->library = library_of(handle, gnutls);
                        return;
                }
        }
}

static struct tls_found library_resolve(enum tls_call call, const void *caller) {
        bool gnutls = call >= TLS_GNUTLS_HANDSHAKE;
        void *handle = library_open(caller, 0);
        void *function = library_choose(handle, library_calls[call], library_names(gnutls)->name);
        struct tls_found found = { NULL, NULL };

        if (function) {
                (void)library_open(function, RTLD_NODELETE);
                memcpy(&found.function, &function, sizeof(function));
                found.library = library_of(handle, gnutls);
        } else if (!fd_is_confined()) {
                library_try_files(library_calls[call], gnutls, &found);
        }
        if (found.library && !found.library->whole)
                found.library = NULL;
        if (handle && next_functions()->dlclose)
                (void)next_functions()->dlclose(handle);
        return found;
}

static struct tls_found library_learn(enum tls_call call, const void *caller, uint64_t key,
                                      struct library_site *row) {
        int saved = errno;
        struct tls_found found = library_resolve(call, caller);

        errno = saved;
        for (uint32_t i = 0; i < LIBRARY_WAYS && found.function; i++) {
                uint64_t was = 0;

                if (!atomic_compare_exchange_strong(&row[i].key, &was, LIBRARY_BUSY))
                        continue;
                atomic_store_explicit(&row[i].function, found.function, memory_order_relaxed);
                atomic_store_explicit(&row[i].library, found.library, memory_order_relaxed);
                atomic_store_explicit(&row[i].key, key, memory_order_release);
                break;
        }
        return found;
}

static bool library_site_has(const struct library_site *site, uint64_t key) {
        return atomic_load_explicit(&site->key, memory_order_acquire) == key;
}

struct tls_found tls_library_find(enum tls_call call, const void *caller) {
        uint64_t key = (uint64_t)(uintptr_t)caller << LIBRARY_CALL_SHIFT | (uint64_t)call;
        struct library_site *row = &library_sites[((uintptr_t)caller >> 2) %
                                                  (LIBRARY_SITES / LIBRARY_WAYS) * LIBRARY_WAYS];

        for (uint32_t i = 0; i < LIBRARY_WAYS; i++) {
                struct tls_found found;

                if (!library_site_has(&row[i], key))
                        continue;
                found.function = atomic_load_explicit(&row[i].function, memory_order_acquire);
                found.library = atomic_load_explicit(&row[i].library, memory_order_acquire);
                if (library_site_has(&row[i], key))
                        return found;
        }
        return library_learn(call, caller, key, row);
}

void tls_library_forget(void) {
        for (uint32_t i = 0; i < LIBRARY_SITES; i++) {
                uint64_t key = atomic_load_explicit(&library_sites[i].key, memory_order_relaxed);

                if (key > LIBRARY_BUSY)
                        (void)atomic_compare_exchange_strong(&library_sites[i].key, &key, 0);
        }
}
