/*
 * What the kernel tells of this host's links, addresses and routes, on its way into the model. See
 * net.h.
 */
#include "net.h"

#include <errno.h>

#define RELIST_USEC 100000u /* memory that was short may be there by then */

static bool engine_uses_interface(const struct engine *engine, int32_t ifindex) {
        for (size_t i = 0; i < engine->n_profiles; i++)
                for (size_t j = 0; j < engine->profiles[i].locals.n; j++)
                        if (engine->profiles[i].locals.items[j].is.ifindex == ifindex)
                                return true;
        return false;
}

/* What the model could not take, the next listing brings. True if anything has changed. */
static bool engine_took(struct engine *engine, int r) {
        if (r == -ENOMEM && !engine->relist_usec)
                engine->relist_usec = engine->now_usec + RELIST_USEC;
        return r != 0;
}

bool engine_take_relist(struct engine *engine) {
        if (!engine->relist_usec || engine->relist_usec > engine->now_usec)
                return false;
        engine->relist_usec = 0;
        return true;
}

/* An interface that went down and came back at once has changed nothing that is seen later. */
static void engine_note_change(struct engine *engine, int32_t ifindex) {
        engine->net_changed = true;
        engine->links_changed |= engine_uses_interface(engine, ifindex);
}

void engine_on_link(struct engine *engine, const struct event *event) {
        int r = event->type == EVENT_LINK ? model_link(&engine->model, &event->link)
                                          : model_link_gone(&engine->model, event->link.ifindex);

        if (engine_took(engine, r))
                engine_note_change(engine, event->link.ifindex);
}

void engine_on_address(struct engine *engine, const struct event *event) {
        int r = event->type == EVENT_ADDRESS ? model_address(&engine->model, &event->address)
                                             : model_address_gone(&engine->model, &event->address);

        if (engine_took(engine, r))
                engine_note_change(engine, event->address.ifindex);
}

/* Only routes on an interface that we use can make a difference. */
void engine_on_route(struct engine *engine, const struct event *event) {
        int r = event->type == EVENT_ROUTE ? model_route(&engine->model, &event->route)
                                           : model_route_gone(&engine->model, &event->route);

        if (engine_took(engine, r) && r > 0 && engine_uses_interface(engine, event->route.ifindex))
                engine->net_changed = engine->routes_changed = true;
}

void engine_on_rule(struct engine *engine, const struct event *event) {
        int r = event->type == EVENT_RULE ? model_rule(&engine->model, &event->rule)
                                          : model_rule_gone(&engine->model, &event->rule);

        engine->net_changed |= engine_took(engine, r);
}

void engine_on_filter(struct engine *engine, const struct event *event) {
        engine->net_changed |= engine_took(engine, model_filter(&engine->model, &event->filter));
}

void engine_on_net_begin(struct engine *engine, const struct event *event) {
        (void)event;
        engine->net_known = false;
        engine->relist_usec = 0;
        model_net_begin(&engine->model);
}

void engine_on_net_end(struct engine *engine, const struct event *event) {
        (void)event;
        engine->net_known = true;
        if (model_net_end(&engine->model))
                engine->net_changed = engine->routes_changed = true;
}
