#include "keys.h"

#include <string.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>

/* All that is extracted is separated from other uses of the same secret. */
#define KEYS_SALT "mptcpize join v1"

/* Of the stack, that nettle's functions use: some 400 bytes on x86-64 without SHA extensions. */
#define KEYS_BELOW 2048u

/*
 * nettle leaves behind what it had there of the key, as far as nobody has written over it: without
 * instructions for it, the schedule of a hash is on the stack, from which its input follows.
 */
static __attribute__((noinline)) void keys_cleanse_below(void) {
        uint8_t below[KEYS_BELOW];

        explicit_bzero(below, sizeof(below));
}

/* nettle asks for these types; the functions that it exports have them, but for a pointer's. */
static void keys_update(void *context, size_t n, const uint8_t *data) {
        hmac_sha256_update(context, n, data);
}

static void keys_digest(void *context, size_t n, uint8_t *digest) {
        hmac_sha256_digest(context, n, digest);
}

static void keys_expand(struct hmac_sha256_ctx *prk, const char *label, size_t n, uint8_t *to) {
        hkdf_expand(prk, keys_update, keys_digest, SHA256_DIGEST_SIZE, strlen(label),
                    (const uint8_t *)label, n, to);
}

void keys_derive(const uint8_t secret[static KEYS_SECRET], struct auth_keys *ret_keys) {
        struct hmac_sha256_ctx context;
        uint8_t prk[SHA256_DIGEST_SIZE];

        hmac_sha256_set_key(&context, strlen(KEYS_SALT), (const uint8_t *)KEYS_SALT);
        hkdf_extract(&context, keys_update, keys_digest, SHA256_DIGEST_SIZE, KEYS_SECRET, secret,
                     prk);
        hmac_sha256_set_key(&context, sizeof(prk), prk);
        keys_expand(&context, "c2s", sizeof(ret_keys->c2s), ret_keys->c2s);
        keys_expand(&context, "s2c", sizeof(ret_keys->s2c), ret_keys->s2c);
        keys_expand(&context, "kid", sizeof(ret_keys->id), ret_keys->id);
        explicit_bzero(prk, sizeof(prk));
        explicit_bzero(&context, sizeof(context));
        keys_cleanse_below();
}

static void keys_put(uint64_t number, uint8_t to[static 8]) {
        for (unsigned int i = 0; i < 8; i++)
                to[i] = (uint8_t)(number >> (56 - 8 * i));
}

void keys_share(const void *psk, size_t n, uint64_t client_idsn, uint64_t server_idsn,
                uint8_t ret_secret[static KEYS_SECRET]) {
        struct hmac_sha256_ctx context;
        uint8_t salt[16], prk[SHA256_DIGEST_SIZE];

        keys_put(client_idsn, salt);
        keys_put(server_idsn, salt + 8);
        hmac_sha256_set_key(&context, sizeof(salt), salt);
        hmac_sha256_update(&context, n, psk);
        hmac_sha256_digest(&context, sizeof(prk), prk);
        hmac_sha256_set_key(&context, sizeof(prk), prk);
        keys_expand(&context, "psk v1", KEYS_SECRET, ret_secret);
        explicit_bzero(prk, sizeof(prk));
        explicit_bzero(&context, sizeof(context));
        keys_cleanse_below();
}

void keys_mac(const uint8_t key[static KEYS_KEY], const void *data, size_t n,
              uint8_t ret_mac[static KEYS_MAC]) {
        struct hmac_sha256_ctx context;

        hmac_sha256_set_key(&context, KEYS_KEY, key);
        hmac_sha256_update(&context, n, data);
        hmac_sha256_digest(&context, KEYS_MAC, ret_mac);
        explicit_bzero(&context, sizeof(context));
        keys_cleanse_below();
}

bool keys_equal(const uint8_t a[static KEYS_MAC], const uint8_t b[static KEYS_MAC]) {
        return memeql_sec(a, b, KEYS_MAC) != 0;
}
