/*
 * Which systemd unit a process belongs to, from the text of /proc/<pid>/cgroup. Pure.
 */
#pragma once

#include "eval.h"

/* The last component of the path that is a unit; none if there is no such. Points into cgroups. */
struct policy_text policy_unit(struct policy_text cgroups);
