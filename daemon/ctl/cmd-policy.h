/*
 * The commands of "mptcpctl policy".
 */
#pragma once

#include "ctl.h"
#include "policy-view.h"

int policy_list(const struct ctl *ctl);
int policy_show(const struct ctl *ctl);
int policy_check(const struct ctl *ctl);
int policy_output(const struct ctl *ctl);
int policy_explain(const struct ctl *ctl);

/* Prints the mistakes of files that are left out, as text on standard error. */
void policy_warn(const struct policy_errors *errors);
