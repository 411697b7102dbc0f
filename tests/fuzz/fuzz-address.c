/*
 * Addresses and names as callers of the bus give them. What is written is read as the same again.
 */
#include <assert.h>
#include <string.h>
#include "core/address.h"
#include "fuzz.h"
#include "util/utf8.h"

static void check_address(const char *text) {
        struct mptcpize_address address, again;
        char buffer[ADDRESS_TEXT];

        if (address_parse(text, &address) < 0)
                return;
        assert(address_parse(address_format(&address, buffer), &again) == 0);
        assert(address_equal(&address, &again));
}

static void check_utf8(const char *text) {
        char first[64], second[64];

        utf8_copy(text, first, sizeof(first));
        assert(strlen(first) <= strlen(text));
        assert(strcmp(utf8_copy(first, second, sizeof(second)), first) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *text = fuzz_text(data, n);

        check_address(text);
        check_utf8(text);
        free(text);
        return 0;
}
