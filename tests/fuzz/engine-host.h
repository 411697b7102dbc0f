/*
 * An engine for fuzzers, with any of the plugins, a memory like that of /run/mptcpize/state, and
 * events that no kernel in its right mind would send. What is true whatever happens is looked at
 * after each: see ../unit/model-check.h.
 */
#pragma once

#include "../unit/chaos.h"

/* The bytes say what happens. */
struct chaos *engine_host_begin(const uint8_t *bytes, size_t n);

/* Something happens. */
void engine_host_step(struct chaos *chaos);

/* All connections end, and nothing is left of them. */
void engine_host_end(struct chaos *chaos);
