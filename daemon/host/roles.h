/*
 * Roles of interfaces that somebody has set and wants kept: they are in the file roles of the
 * runtime directory, where the next daemon finds them. That directory doesn't outlive a boot;
 * roles that are to last belong in the configuration.
 *
 * The file is small and read as a whole: with anything wrong in it nothing of it counts.
 */
#pragma once

#include <stdbool.h>
#include "../core/order.h"

struct roles;

/*
 * Reads what was kept, and gives it to the engine; logs what is wrong with it. 0 or -ENOMEM.
 * engine and runtime outlive it.
 */
int roles_new(const char *runtime, struct engine *engine, struct roles **ret_roles);
void roles_free(struct roles *roles);

/*
 * As engine_set_role(); with keep, the next daemon does the same. Back to the configuration, what
 * was kept is forgotten; otherwise, without keep, what is kept stays as it is. If the role is set
 * but the file can't be written: another negative errno.
 */
int roles_set(struct roles *roles, const char *ifname, int role_or_unset, bool keep);
