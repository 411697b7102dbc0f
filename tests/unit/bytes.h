/*
 * Messages as bytes, for the tests of codecs: from hex, with single fields changed.
 *
 * Each call of a decoder gets a heap block of exactly the length it is told, so that a sanitizer
 * sees every read beyond it.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
        size_t len;
        uint8_t data[2048];
};

static inline uint8_t bytes_digit(char c) {
        return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static inline struct bytes bytes_from(const char *hex) {
        struct bytes bytes = { .len = strlen(hex) / 2 };

        assert_true(bytes.len <= sizeof(bytes.data));
        for (size_t i = 0; i < bytes.len; i++)
                bytes.data[i] = (uint8_t)(bytes_digit(hex[2 * i]) << 4 |
                                          bytes_digit(hex[2 * i + 1]));
        return bytes;
}

/* Overwrites bytes from hex at an offset. */
static inline void bytes_set(struct bytes *bytes, size_t at, const char *hex) {
        struct bytes with = bytes_from(hex);

        assert_true(at + with.len <= bytes->len);
        memcpy(bytes->data + at, with.data, with.len);
}

/* Sets nlmsg_len. */
static inline void bytes_set_len(struct bytes *bytes, size_t len) {
        uint32_t nlmsg_len = (uint32_t)len;

        memcpy(bytes->data, &nlmsg_len, sizeof(nlmsg_len));
}

/* Cuts n bytes out, and lowers nlmsg_len with them. */
static inline void bytes_cut(struct bytes *bytes, size_t at, size_t n) {
        assert_true(at + n <= bytes->len);
        memmove(bytes->data + at, bytes->data + at + n, bytes->len - at - n);
        bytes->len -= n;
        bytes_set_len(bytes, bytes->len);
}

/* A copy of the first len bytes; to be freed. */
static inline void *bytes_block(const struct bytes *bytes, size_t len) {
        void *block = malloc(len ? len : 1);

        assert_non_null(block);
        memcpy(block, bytes->data, len);
        return block;
}
