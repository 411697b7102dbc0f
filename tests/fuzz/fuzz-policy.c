/*
 * Any text as the file of a policy. What compiles answers every question, and its description,
 * compiled again, is the same policy.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "policy-host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        void *image = policy_host_compile((const char *)data, n), *again;
        json_t *described, *described_again;
        char *text;

        if (!image)
                return 0;
        described = policy_host_describe(image);
        text = json_dumps(described, 0);
        again = policy_host_compile(text, strlen(text));
        assert(again);
        described_again = policy_host_describe(again);
        assert(json_equal(described, described_again));
        json_decref(described_again);
        json_decref(described);
        free(text);
        free(again);
        free(image);
        return 0;
}
