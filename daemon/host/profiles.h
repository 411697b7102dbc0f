/*
 * The profiles of connections: what mptcpized.conf and the policies of this host say of paths,
 * with the plugins that they need.
 */
#pragma once

#include "setting.h"
#include "policy/eval.h"

struct profiles;

/*
 * Makes the profiles: that of setting, one for each mode, one for each policy in read, which may be
 * NULL, and one for each other plugin that is installed. Only those of policies have a word on
 * authentication: who has a mode by a hint, or by hand, keeps that of the policy (core/permit.c).
 * Plugins are loaded from dir; a policy that wants one that can't be had, or an option that there
 * isn't, goes without, which is logged with its place. Both arguments must outlive the profiles. 0
 * or -ENOMEM.
 */
int profiles_new(const struct setting *setting, const char *dir, const struct policy_read *read,
                 struct profiles **ret_profiles);

/* No state of their plugins may be alive any more. Takes NULL. */
void profiles_free(struct profiles *profiles);

/* As EVENT_CONFIGURED has them. */
const struct conf_profile *profiles_list(const struct profiles *profiles, size_t *ret_n);
