/*
 * Any events, and plugins that want anything of the engine, or one of those that are shipped. What
 * must be true whatever happens is looked at after each event, and nothing is left at the end.
 */
#include "engine-host.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct chaos *chaos;

        if (n == 0)
                return 0;
        chaos = engine_host_begin(data, n);
        while (chaos->left > 0)
                engine_host_step(chaos);
        engine_host_end(chaos);
        return 0;
}
