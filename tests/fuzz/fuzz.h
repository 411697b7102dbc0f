/*
 * What libFuzzer calls, and run.c where there is no libFuzzer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* An input as a string; to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t n) {
        char *text = malloc(n + 1);

        if (!text)
                abort();
        memcpy(text, data, n);
        text[n] = '\0';
        return text;
}
