/*
 * One measured interval of `mptcpctl top --once`, as a table or as JSON.
 */
#pragma once

#include "../ctl.h"
#include "top-data.h"

/* Prints data; the order of its connections is that of their rates. An exit status. */
int top_report_print(const struct ctl *ctl, const struct top_data *data);
