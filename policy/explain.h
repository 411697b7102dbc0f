/*
 * Questions about the policies in force, as people ask them: of a call that no program has made.
 */
#pragma once

#include "eval.h"

/* Why a question can't be asked. */
struct policy_explain_error {
        const char *text; /* what was wrong: one of those that were given */
        const char *what; /* "is no address" */
        const char *why;  /* "" if there is no more to say */
};

/*
 * A call at where, "192.0.2.1", "2001:db8::1" or what "listen" of a policy takes; from, which may
 * be NULL, is the address that the socket is bound to. 0 or -EINVAL.
 */
int policy_explain_call(enum policy_direction direction, const char *where, const char *from,
                        struct policy_call *ret_call, struct policy_explain_error *error);

/*
 * The place of the rule that decided; that of the policy, which may be NULL, if it was asked and
 * let the socket pass. 0: there is none, or as a whole.
 */
void policy_explain_place(const struct policy_app *app, const struct policy_verdict *verdict,
                          uint32_t *ret_line, uint32_t *ret_column);
