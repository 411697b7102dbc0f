/*
 * Any datagrams, some with a right MAC, among anything else that may happen to join authentication,
 * with time in between. A step is: what, an argument, and for datagrams so many bytes of it.
 */
#include "auth-host.h"
#include "auth/protocol.h"
#include "auth/wire.h"
#include "fuzz.h"

static size_t step(struct fuzz *fuzz, const uint8_t *data, size_t n) {
        const uint8_t what = data[0], with = data[1];
        const size_t len = with < n - 2 ? with : n - 2;

        switch (what % 8) {
        case 0:
                fuzz_receive(fuzz, data + 2, len);
                return 2 + len;
        case 1:
        case 2:
                fuzz_receive_signed(fuzz, what % 8 == 2, data + 2, len);
                return 2 + len;
        case 3:
                fuzz->now += with * (uint64_t)50000;
                protocol_tick(fuzz->protocol, fuzz->now);
                return 2;
        default:
                fuzz_happen(fuzz, what / 8, with);
                return 2;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct fuzz fuzz;

        fuzz_begin(&fuzz);
        for (size_t at = 0; at + 2 <= n;)
                at += step(&fuzz, data + at, n - at);
        fuzz_end(&fuzz);
        return 0;
}
