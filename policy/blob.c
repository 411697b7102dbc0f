#include "blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

int blob_init(struct blob *blob) {
        *blob = (struct blob){ .bytes = calloc(1, POLICY_HALF_BYTES),
                               .n = sizeof(struct policy_half) };
        return blob->bytes ? 0 : -ENOMEM;
}

void blob_done(struct blob *blob) {
        free(TAKE_PTR(blob->bytes));
}

static struct policy_span blob_add(struct blob *blob, const void *bytes, size_t size, size_t n) {
        struct policy_span span = { .offset = (blob->n + 7u) & ~7u };

        if (n == 0 || blob->full)
                return (struct policy_span){ 0 };
        if ((uint64_t)span.offset + size + blob->reserved > POLICY_HALF_BYTES) {
                blob->full = true;
                return (struct policy_span){ 0 };
        }
        memset(blob->bytes + blob->n, 0, span.offset - blob->n);
        memcpy(blob->bytes + span.offset, bytes, size);
        blob->n = span.offset + (uint32_t)size;
        span.n = (uint32_t)n;
        return span;
}

struct policy_span blob_table(struct blob *blob, const void *items, size_t width, size_t n) {
        return blob_add(blob, items, width * n, n);
}

struct policy_span blob_text(struct blob *blob, const char *text) {
        size_t n = text ? strlen(text) : 0;

        return blob_add(blob, text, n, n);
}
