/*
 * Watching the kernel's counters. See counters.h.
 */
#include "counters.h"

#include <stdlib.h>
#include <string.h>

#include "host/netstat.h"
#include "util/clock.h"
#include "util/log.h"

#define PERIOD_USEC   1000000u
#define IDLE_USEC     10000000u
#define HURRY_USEC    8000000u /* longer than a SYN is tried with MPTCP */
#define ACCURACY_USEC 50000u

struct counters {
        struct netstat *netstat;
        sd_event_source *timer;
        const size_t *n_connections;
        counters_event_fn on_event;
        void *userdata;
        struct counters_event last;
        bool known;           /* last has been told of */
        bool idle;            /* the timer is set to the long pause */
        uint64_t hurry_until; /* usec */
};

static void counters_arm(struct counters *counters) {
        const uint64_t now = clock_usec();

        counters->idle = !*counters->n_connections && counters->hurry_until <= now;
        (void)sd_event_source_set_time(counters->timer,
                                       now + (counters->idle ? IDLE_USEC : PERIOD_USEC));
        (void)sd_event_source_set_enabled(counters->timer, SD_EVENT_ONESHOT);
}

static bool counters_rose(const struct counters *counters, const struct counters_event *now) {
        return now->timeouts > counters->last.timeouts ||
               now->blackholes > counters->last.blackholes;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct counters *counters = userdata;
        struct event event = { .type = EVENT_COUNTERS, .usec = clock_usec() };

        (void)source, (void)usec;
        counters_arm(counters);
        if (netstat_read(counters->netstat, &event.counters) < 0 ||
            (counters->known && !counters_rose(counters, &event.counters)))
                return 0;
        counters->known = true;
        counters->last = event.counters;
        counters->on_event(&event, counters->userdata);
        return 0;
}

struct counters *counters_start(sd_event *event, const size_t *n_connections,
                                counters_event_fn on_event, void *userdata) {
        struct counters *counters = calloc(1, sizeof(*counters));
        int r;

        if (!counters)
                return NULL;
        counters->n_connections = n_connections;
        counters->on_event = on_event;
        counters->userdata = userdata;
        r = netstat_new(&counters->netstat);
        if (r == 0)
                r = sd_event_add_time(event, &counters->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
                                      on_timer, counters);
        if (r < 0) {
                log_error("the kernel's counters can't be read: %s", strerror(-r));
                counters_free(counters);
                return NULL;
        }
        return counters;
}

void counters_free(struct counters *counters) {
        if (!counters)
                return;
        sd_event_source_unref(counters->timer);
        netstat_free(counters->netstat);
        free(counters);
}

void counters_follow(struct counters *counters) {
        if (counters && counters->idle && *counters->n_connections)
                counters_arm(counters);
}

void counters_hurry(struct counters *counters) {
        if (!counters)
                return;
        counters->hurry_until = clock_usec() + HURRY_USEC;
        if (counters->idle)
                counters_arm(counters);
}
