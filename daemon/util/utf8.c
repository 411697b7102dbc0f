/*
 * UTF-8 as the bus has it (RFC 3629, without the noncharacters of Unicode). See utf8.h.
 */
#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SEQUENCE_MAX 4u

/* Bytes that the first one promises, itself included; 0: it is no first one. */
static size_t sequence_len(unsigned char first) {
        if (first < 0x80)
                return 1;
        if (first < 0xc0 || first > 0xf7)
                return 0;
        return first < 0xe0 ? 2 : first < 0xf0 ? 3 : SEQUENCE_MAX;
}

static bool code_is_character(uint32_t code, size_t len) {
        static const uint32_t least[SEQUENCE_MAX + 1] = { 0, 0, 0x80, 0x800, 0x10000 };

        return code >= least[len] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) &&
               !(code >= 0xfdd0 && code <= 0xfdef) && (code & 0xfffe) != 0xfffe;
}

/* Bytes of the character at text, 0 if there is none. */
static size_t character_len(const char *text) {
        const unsigned char *bytes = (const unsigned char *)text;
        const size_t len = sequence_len(bytes[0]);
        uint32_t code = bytes[0] & (len > 1 ? 0x7fu >> len : 0x7fu);

        for (size_t i = 1; i < len; i++) {
                if ((bytes[i] & 0xc0) != 0x80) /* the NUL, too */
                        return 0;
                code = code << 6 | (bytes[i] & 0x3f);
        }
        return code_is_character(code, len) ? len : 0;
}

void utf8_clean(char *text) {
        while (*text) {
                const size_t len = character_len(text);

                if (!len)
                        *text = '?';
                text += len ? len : 1;
        }
}

const char *utf8_copy(const char *text, char *copy, size_t size) {
        snprintf(copy, size, "%s", text);
        utf8_clean(copy);
        return copy;
}
