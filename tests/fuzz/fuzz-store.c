/*
 * The file with the secrets of connections. An input is its records, which get the right sums;
 * after an odd byte, all of it. Behind the first record is what happens to its connection then.
 */
#include <assert.h>
#include <string.h>
#include "auth-host.h"
#include "auth/protocol.h"
#include "auth/store.h"
#include "directory.h"
#include "fuzz.h"

#define SLOT  256u
#define SLOTS 9u /* with the header */

static const char place[] = "of a fuzzer";

static void check(const struct auth_record *record, void *userdata) {
        ++*(size_t *)userdata;
        assert(record->cookie && record->n_admitted <= RECORD_ADMITTED);
}

/* The server goes on with that record. */
static void live(const struct auth_record *record, const uint8_t *data, size_t n) {
        struct fuzz fuzz;

        fuzz_begin(&fuzz);
        protocol_close(fuzz.protocol, 2, false, fuzz.now);
        fuzz.records[1] = *record;
        fuzz_open(&fuzz, 2, record->mode % 2 ? POLICY_AUTH_PREFER : POLICY_AUTH_REQUIRE);
        for (size_t at = 0; at + 2 <= n; at += 2)
                fuzz_happen(&fuzz, data[at], data[at + 1]);
        fuzz_end(&fuzz);
}

static void load(const struct auth_record *first, const uint8_t *data, size_t n) {
        struct store *store = NULL;
        struct auth_record *record;
        size_t left = 0;

        assert(store_new(directory_path(), place, sizeof(place), &store) == 0);
        store_each_left(store, check, &left);
        if (left && first) {
                record = store_take(store, first->cookie, first->token);
                assert(record && record->cookie == first->cookie && record->token == first->token);
                live(record, data, n);
        }
        assert(store_sweep(store) <= left);
        store_free(store);
}

static void begin(uint8_t *header) {
        directory_write("auth", "", 0);
        load(NULL, NULL, 0);
        assert(directory_read("auth", header, SLOT) == SLOT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static uint8_t file[SLOTS * SLOT];
        struct auth_record record;
        size_t slots;

        if (n == 0)
                return 0;
        begin(file);
        if (data[0] & 1) {
                directory_write("auth", data + 1, n - 1);
                load(NULL, NULL, 0);
                return 0;
        }
        slots = (n - 1) / SLOT < SLOTS - 1 ? (n - 1) / SLOT : SLOTS - 1;
        for (size_t i = 0; i < slots; i++) {
                memcpy(&record, data + 1 + i * SLOT, sizeof(record));
                store_seal(&record);
                memcpy(file + (i + 1) * SLOT, &record, sizeof(record));
        }
        directory_write("auth", file, (slots + 1) * SLOT);
        memcpy(&record, file + SLOT, sizeof(record));
        load(slots ? &record : NULL, data + 1 + slots * SLOT, n - 1 - slots * SLOT);
        return 0;
}
