/*
 * From the number of a control group, which the kernel tells of a socket, to its systemd unit.
 *
 * The number is the inode of the group's directory (cgroup2). All directories are listed at once,
 * without a look at any file, and again when an unknown number comes up; but not all the time.
 */
#pragma once

#include <stdint.h>

#include "policy/eval.h"

struct cgroups;

/*
 * Where systemd mounts cgroup2, "" if nowhere. Beside it there may be hierarchies of version 1,
 * whose numbers are others.
 */
const char *cgroups_mount(void);

/* root: where cgroup2 is mounted; it must outlive the cgroups. 0 or -ENOMEM. */
int cgroups_new(const char *root, struct cgroups **ret_cgroups);

/* Takes NULL. */
void cgroups_free(struct cgroups *cgroups);

/* Valid until the next call; none if there is no such group, or it belongs to no unit. */
struct policy_text cgroups_unit(struct cgroups *cgroups, uint64_t id, uint64_t now_usec);
