/*
 * Who this program is, for the policy: found out once, in the constructor, before the program can
 * lock itself up or change its name.
 */
#pragma once

#include "policy/eval.h"

/* From the constructor only: makes system calls. errno is kept. */
void identity_init(void);

/* Nobody (no texts, uid 0) before identity_init(). Points into memory that stays as it is. */
const struct policy_identity *identity_get(void);
