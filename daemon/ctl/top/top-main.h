/*
 * mptcpctl top, but for finding it: top-module.c is a library of its own, see top-load.c.
 */
#pragma once

#include "../ctl.h"

#define TOP_MODULE "mptcpctl-top.so"
#define TOP_ENTRY  "top_module_run"

/* What the command does; returns its exit status. */
int top_main(const struct ctl *ctl);

/* The module's one symbol: top_main(). */
int top_module_run(const struct ctl *ctl);
