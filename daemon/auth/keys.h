/*
 * Keys of join authentication, from the secret that both ends share (HKDF with SHA-256, RFC 5869).
 * Crypto is nettle's. Whoever holds a secret in other memory than a record cleanses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_SECRET 32u /* of the session: "ES" */
#define KEYS_KEY    32u
#define KEYS_ID     8u
#define KEYS_MAC    16u

struct auth_keys {
        uint8_t c2s[KEYS_KEY]; /* client is who opened the connection */
        uint8_t s2c[KEYS_KEY];
        uint8_t id[KEYS_ID]; /* travels in clear, and tells nothing */
};

void keys_derive(const uint8_t secret[static KEYS_SECRET], struct auth_keys *ret_keys);

/* The secret that a shared key makes for one connection; idsn: initial data sequence numbers. */
void keys_share(const void *psk, size_t n, uint64_t client_idsn, uint64_t server_idsn,
                uint8_t ret_secret[static KEYS_SECRET]);

void keys_mac(const uint8_t key[static KEYS_KEY], const void *data, size_t n,
              uint8_t ret_mac[static KEYS_MAC]);
/* In constant time. */
bool keys_equal(const uint8_t a[static KEYS_MAC], const uint8_t b[static KEYS_MAC]);
