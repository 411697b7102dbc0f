/*
 * Files of /proc: control groups, counters, mappings.
 */
#include <assert.h>
#include <string.h>
#include "ctl/doctor/tls.h"
#include "fuzz.h"
#include "host/netstat.h"
#include "policy/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const char *bytes = (const char *)data;
        char *text = fuzz_text(data, n);
        struct counters_event counters;
        struct policy_text unit;

        unit = policy_unit((struct policy_text){ bytes, n });
        assert(unit.n == 0 || (unit.bytes >= bytes && unit.bytes + unit.n <= bytes + n &&
                               !memchr(unit.bytes, '/', unit.n)));
        netstat_parse(text, &counters);
        assert((unsigned int)tls_of_maps(text) < _TLS_KIND_MAX);
        free(text);
        return 0;
}
