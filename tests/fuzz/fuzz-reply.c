/*
 * What the kernel replies: local addresses, the number of the family, acknowledgements.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "fuzz.h"
#include "kern/codec-ack.h"
#include "kern/codec-mptcp.h"

#define ERRNO_MAX 4095 /* of the kernel */

static void entry(const uint8_t *data, size_t n) {
        struct entry entry = { .id = 1 };
        int r = codec_mptcp_decode_entry(data, n, &entry);

        assert(r == 0 || ((r == 1 || r == -EBADMSG) && entry.id == 1 && !entry.address.family));
        assert(r != 0 || entry.address.family == AF_INET || entry.address.family == AF_INET6);
}

static void family(const uint8_t *data, size_t n) {
        struct mptcp_family family = { .id = 1 };
        int r = codec_mptcp_decode_family(data, n, &family);

        assert(r == 0 || (r == -EBADMSG && family.id == 1 && !family.events_group));
}

static void ack(const uint8_t *data, size_t n) {
        char message[LIMIT_REASON] = "before";
        int error = 1, r = codec_ack_decode(data, n, &error, message);

        if (r == 0)
                assert(error <= 0 && error >= -ERRNO_MAX && memchr(message, 0, sizeof(message)));
        else
                assert(r == -EBADMSG && error == 1 && strcmp(message, "before") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        entry(data, n);
        family(data, n);
        ack(data, n);
        return 0;
}
