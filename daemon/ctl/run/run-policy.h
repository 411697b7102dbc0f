/*
 * A policy for one run: compiled to a database of its own, which MPTCPIZE_POLICY names.
 */
#pragma once

#include <limits.h>

#include "../ctl.h"

/*
 * Makes the database of ctl->policy (a file) or ctl->mode and names it in the environment. path is
 * the file, to be removed at the end. Returns CTL_DONE, or an exit status after it has said why.
 */
int run_policy_make(const struct ctl *ctl, char path[static PATH_MAX]);
