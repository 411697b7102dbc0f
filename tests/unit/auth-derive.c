/*
 * What daemon/auth/keys.c makes of its input, for comparison with other implementations.
 *
 * A line each: "derive SECRET", "share PSK CLIENT-IDSN SERVER-IDSN" or "mac KEY DATA", in hex.
 * Answers with a line: keys and id, the secret, or the MAC.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "auth/keys.h"

#define LINE_MAX_BYTES 16384

/* "-" stands for no bytes at all. Length, or -1. */
static int read_hex(const char *hex, uint8_t *to, size_t max) {
        size_t n = 0;

        if (!hex)
                return -1;
        if (strcmp(hex, "-") == 0)
                return 0;
        for (; hex[0] && hex[1]; hex += 2, n++) {
                const char byte[] = { hex[0], hex[1], '\0' };
                char *end;

                if (n == max)
                        return -1;
                to[n] = (uint8_t)strtoul(byte, &end, 16);
                if (*end)
                        return -1;
        }
        return hex[0] ? -1 : (int)n;
}

static void write_hex(const uint8_t *bytes, size_t n, char end) {
        for (size_t i = 0; i < n; i++)
                printf("%02x", bytes[i]);
        putchar(end);
}

static int do_derive(char **words) {
        uint8_t secret[KEYS_SECRET];
        struct auth_keys keys;

        if (read_hex(words[1], secret, sizeof(secret)) != KEYS_SECRET)
                return 1;
        keys_derive(secret, &keys);
        write_hex(keys.c2s, sizeof(keys.c2s), ' ');
        write_hex(keys.s2c, sizeof(keys.s2c), ' ');
        write_hex(keys.id, sizeof(keys.id), '\n');
        return 0;
}

static int do_share(char **words) {
        uint8_t psk[4096], secret[KEYS_SECRET];
        const int n = read_hex(words[1], psk, sizeof(psk));

        if (n < 0 || !words[2] || !words[3])
                return 1;
        keys_share(psk, (size_t)n, strtoull(words[2], NULL, 16), strtoull(words[3], NULL, 16),
                   secret);
        write_hex(secret, sizeof(secret), '\n');
        return 0;
}

static int do_mac(char **words) {
        uint8_t key[KEYS_KEY], data[4096], mac[KEYS_MAC];
        const int n = read_hex(words[2], data, sizeof(data));

        if (n < 0 || read_hex(words[1], key, sizeof(key)) != KEYS_KEY)
                return 1;
        keys_mac(key, data, (size_t)n, mac);
        write_hex(mac, sizeof(mac), '\n');
        return 0;
}

static int answer(char *line) {
        char *words[4] = { NULL };

        words[0] = strtok(line, " \n");
        for (unsigned int i = 1; i < 4 && words[i - 1]; i++)
                words[i] = strtok(NULL, " \n");
        if (!words[0])
                return 1;
        if (strcmp(words[0], "derive") == 0)
                return do_derive(words);
        if (strcmp(words[0], "share") == 0)
                return do_share(words);
        return strcmp(words[0], "mac") == 0 ? do_mac(words) : 1;
}

int main(void) {
        static char line[LINE_MAX_BYTES];

        while (fgets(line, sizeof(line), stdin))
                if (answer(line) != 0)
                        return 1;
        return 0;
}
