/*
 * The kernel's own counters, which say that something went wrong, but not where.
 */
#include "net.h"

/*
 * Some TCP socket of the host sends again what was not acknowledged. If it is a subflow that has
 * been idle until now, nobody watches it, and a comparison shows it.
 */
static void engine_on_timeouts(struct engine *engine) {
        uint64_t pause = engine->model.n_connections * (uint64_t)WATCH_COMPARE_EACH_USEC;

        if (pause < WATCH_COMPARE_USEC)
                pause = WATCH_COMPARE_USEC;
        if (engine->model.n_connections && engine->now_usec >= engine->compared_usec + pause)
                engine_compare(engine);
}

void engine_on_counters(struct engine *engine, const struct event *event) {
        const struct counters_event *now = &event->counters;

        /* What was counted before the first look is none of ours. */
        if (engine->kernel_known && now->blackholes > engine->kernel.blackholes) {
                engine->counters[COUNTER_BLACKHOLES] += now->blackholes - engine->kernel.blackholes;
                engine_compare(engine); /* whoever looks for the destination sees all connections */
        }
        if (engine->kernel_known && now->timeouts > engine->kernel.timeouts)
                engine_on_timeouts(engine);
        engine->kernel = *now;
        engine->kernel_known = true;
}
