/*
 * Any bytes as a database of policies, mapped by the preload library, and some that change while
 * it is read: nothing beyond its end is touched, and each question is answered.
 */
#include "../unit/policies.h"
#include "database-host.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const void *map = database_host_map(data, n);
        struct policy_read read;

        if (map && policy_begin(map, POLICY_FILE_BYTES, &read)) {
                policies_ask(&read);
                if (n & 1) /* takes long */
                        policies_describe(&read);
                while (database_host_change())
                        policies_ask(&read);
        }
        database_host_unmap();
        return 0;
}
