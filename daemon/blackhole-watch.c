/*
 * Lost SYNs in the loop. See blackhole-watch.h.
 */
#include "blackhole-watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/sysctl.h"
#include "util/clock.h"
#include "util/log.h"

#define TIMEOUT_SYSCTL  "blackhole_timeout" /* seconds; writing it sets the kernel's switch back */
#define RETRANS_SYSCTL  "syn_retrans_before_tcp_fallback"
#define RETRANS_DEFAULT 2u /* before Linux 6.14 */
#define TIMEOUT_DEFAULT 3600u
#define ACCURACY_USEC   100000u

struct blackhole_watch {
        sd_event_source *timer;
        struct rules *rules;
        struct blackholes blackholes;
        uint64_t counted; /* by the kernel */
        bool known;       /* counted has been read */
};

/* The kernel's settings */

static uint32_t watch_setting(const char *name, uint32_t otherwise) {
        char value[SYSCTL_VALUE];

        return sysctl_read(name, value) < 0 ? otherwise : (uint32_t)strtoul(value, NULL, 10);
}

/* The kernel's counter came with it (Linux 6.12). */
static bool watch_is_blind(void) {
        char value[SYSCTL_VALUE];

        return sysctl_read(TIMEOUT_SYSCTL, value) == -ENOENT;
}

static uint64_t watch_timeout_usec(void) {
        return (uint64_t)watch_setting(TIMEOUT_SYSCTL, TIMEOUT_DEFAULT) * 1000000;
}

/* At 0 the first time-out is enough. */
static uint32_t watch_retransmits(void) {
        const uint32_t n = watch_setting(RETRANS_SYSCTL, RETRANS_DEFAULT);

        return n ? n : 1;
}

/* Its value stays what it is; that it is written is what counts (Linux 6.12). */
static int watch_set_back(void) {
        char value[SYSCTL_VALUE];
        int r = sysctl_read(TIMEOUT_SYSCTL, value);

        return r < 0 ? r : sysctl_write(TIMEOUT_SYSCTL, value);
}

/* What is to be done */

static void watch_write(struct blackhole_watch *watch) {
        struct policy_blackhole rows[LIMIT_BLACKHOLES];
        int r = rules_set_blackholes(watch->rules, rows, blackholes_rows(&watch->blackholes, rows));

        if (r < 0)
                log_error("destinations that lose MPTCP can't be kept out by the policies: %s",
                          strerror(-r));
}

static void watch_log_found(const struct blackhole_watch *watch, uint64_t now) {
        char text[ADDRESS_TEXT];

        for (size_t i = 0; i < watch->blackholes.n; i++)
                if (watch->blackholes.list[i].since_usec == now)
                        log_notice("SYNs with MPTCP to %s get no answer: connections to there are "
                                   "TCP from now on",
                                   address_format(&watch->blackholes.list[i].to, text));
}

static void watch_rearm(struct blackhole_watch *watch) {
        int r = watch_set_back();

        if (r < 0)
                log_error("net.mptcp." TIMEOUT_SYSCTL " can't be written, so MPTCP stays off: %s",
                          strerror(-r));
        else
                log_notice("MPTCP is on again, which the kernel had switched off");
        blackholes_rearmed(&watch->blackholes, r == 0, clock_usec(), watch_timeout_usec());
}

/* After the book-keeping has changed. The database first: then nobody runs into it again. */
static void watch_act(struct blackhole_watch *watch, bool changed) {
        uint64_t deadline;

        if (changed)
                watch_write(watch);
        if (watch->blackholes.state == BLACKHOLE_DUE)
                watch_rearm(watch);
        deadline = blackholes_deadline(&watch->blackholes);
        if (deadline != UINT64_MAX)
                (void)sd_event_source_set_time(watch->timer, deadline);
        (void)sd_event_source_set_enabled(watch->timer,
                                          deadline == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* Events */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct blackhole_watch *watch = userdata;

        (void)source, (void)usec;
        watch_act(watch, blackholes_tick(&watch->blackholes, clock_usec(), watch_timeout_usec()));
        return 0;
}

static void watch_on_counters(struct blackhole_watch *watch, const struct event *event) {
        const uint64_t before = watch->counted;
        const bool known = watch->known;

        watch->counted = event->counters.blackholes;
        watch->known = true;
        if (!known || watch->counted <= before)
                return;
        log_notice("SYNs with MPTCP get no answer from somewhere, so the kernel has switched MPTCP "
                   "off: looking for the destination");
        blackholes_notice(&watch->blackholes, watch->counted - before, event->usec);
        watch_act(watch, false);
}

static void watch_on_snapshot(struct blackhole_watch *watch, const struct event *event) {
        bool changed;

        if (watch->blackholes.state != BLACKHOLE_LOOKING)
                return;
        changed = blackholes_look(&watch->blackholes, event->snapshot, watch_retransmits(),
                                  event->usec, watch_timeout_usec());
        watch_log_found(watch, event->usec);
        watch_act(watch, changed);
}

void blackhole_watch_feed(struct blackhole_watch *watch, const struct event *event) {
        if (!watch)
                return;
        if (event->type == EVENT_COUNTERS)
                watch_on_counters(watch, event);
        else if (event->type == EVENT_SNAPSHOT)
                watch_on_snapshot(watch, event);
}

/* Life */

/* Those whose time is over go with the first tick. */
static void watch_recall(struct blackhole_watch *watch) {
        struct policy_blackhole rows[LIMIT_BLACKHOLES];
        const size_t n = rules_blackholes(watch->rules, rows);

        for (size_t i = 0; i < n; i++)
                blackholes_recall(&watch->blackholes, &rows[i]);
        watch_act(watch, false);
}

int blackhole_watch_new(sd_event *event, struct rules *rules, struct blackhole_watch **ret_watch) {
        struct blackhole_watch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;
        watch->rules = rules;
        watch->blackholes.unknown = watch_is_blind();
        r = sd_event_add_time(event, &watch->timer, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_USEC,
                              on_timer, watch);
        if (r < 0) {
                blackhole_watch_free(watch);
                return r;
        }
        watch_recall(watch);
        *ret_watch = watch;
        return 0;
}

void blackhole_watch_free(struct blackhole_watch *watch) {
        if (!watch)
                return;
        sd_event_source_unref(watch->timer);
        free(watch);
}

const struct blackholes *blackhole_watch_state(const struct blackhole_watch *watch) {
        return &watch->blackholes;
}
