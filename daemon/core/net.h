/*
 * This host's network: events of rtnetlink, which change the model and note what
 * engine_settle() has to look at anew.
 */
#pragma once

#include "engine.h"

/* Is the network to be listed anew, since there was no memory for a part of it? True once. */
bool engine_take_relist(struct engine *engine);

void engine_on_link(struct engine *engine, const struct event *event);
void engine_on_address(struct engine *engine, const struct event *event);
void engine_on_route(struct engine *engine, const struct event *event);
void engine_on_rule(struct engine *engine, const struct event *event);
void engine_on_filter(struct engine *engine, const struct event *event);
void engine_on_net_begin(struct engine *engine, const struct event *event);
void engine_on_net_end(struct engine *engine, const struct event *event);

/* counters.c: those that the kernel has for all of it. */
void engine_on_counters(struct engine *engine, const struct event *event);
