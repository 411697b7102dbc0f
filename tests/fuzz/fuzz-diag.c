/*
 * Rows of sock_diag.
 */
#include <assert.h>
#include <errno.h>
#include "fuzz.h"
#include "kern/codec-diag.h"

static bool has_family(const struct mptcpize_address *address) {
        return address->family == AF_INET || address->family == AF_INET6;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct snapshot_connection connection = { .token = 0 };
        struct snapshot_listener listener = { .local.family = 0 };
        struct snapshot_subflow subflow = { .token = 0 };
        struct ownership owner = { .uid = 1 };
        uint32_t token = 0;
        const int is_connection = codec_diag_decode_connection(data, n, &connection);
        const int is_listener = codec_diag_decode_listener(data, n, &listener);
        const int is_subflow = codec_diag_decode_subflow(data, n, &subflow);

        assert(codec_diag_decode_owner(data, n, &token, &owner) == is_connection);
        assert((is_connection == 0) == (connection.token != 0) && token == connection.token);
        assert(is_connection != 0 ||
               (has_family(&connection.local) && has_family(&connection.remote) &&
                owner.uid == connection.uid));
        assert((is_listener == 0) == (listener.local.family != 0) &&
               (is_listener || is_connection));
        assert((is_subflow == 0) == (subflow.token != 0));
        assert(is_subflow || (has_family(&subflow.local) && has_family(&subflow.remote)));
        return 0;
}
