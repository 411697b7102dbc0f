#include "bus-open.h"
#include "../util/cleanup.h"
#include "../util/clock.h"

#include <errno.h>

int bus_open(sd_bus **ret_bus, uint64_t usec) {
        const uint64_t until = clock_usec() + usec;
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL; /* a flush would wait */
        int r = sd_bus_open_system(&bus);

        while (r >= 0 && sd_bus_is_ready(bus) <= 0) {
                const uint64_t now = clock_usec();

                if (now >= until)
                        return -ETIMEDOUT;
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, until - now);
        }
        if (r < 0)
                return r;
        *ret_bus = TAKE_PTR(bus);
        return 0;
}
