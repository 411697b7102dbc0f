#include "bus-open.h"
#include "../util/cleanup.h"

#include <errno.h>
#include <time.h>

static uint64_t now_usec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int bus_open(sd_bus **ret_bus, uint64_t usec) {
        const uint64_t until = now_usec() + usec;
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL; /* a flush would wait */
        int r = sd_bus_open_system(&bus);

        while (r >= 0 && sd_bus_is_ready(bus) <= 0) {
                const uint64_t now = now_usec();

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
