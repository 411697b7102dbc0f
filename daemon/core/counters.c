/*
 * The kernel's own counters, which say that something went wrong, but not where.
 */
#include "engine.h"

void engine_on_counters(struct engine *engine, const struct event *event) {
        const struct counters_event *now = &event->counters;

        /* What was counted before the first look is none of ours. */
        if (engine->kernel_known && now->blackholes > engine->kernel.blackholes)
                engine->counters[COUNTER_BLACKHOLES] += now->blackholes - engine->kernel.blackholes;
        engine->kernel = *now;
        engine->kernel_known = true;
}
