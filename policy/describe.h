/*
 * A policy of a database as JSON, in the language in which it was written, with all that it left
 * to the defaults. Compiled again, it is the same policy.
 */
#pragma once

#include <jansson.h>

#include "eval.h"

/* The policy as one object; NULL: no memory. What is damaged in the database is left out. */
json_t *policy_describe(const struct policy_read *read, const struct policy_app *app);

/* "match" alone. */
json_t *policy_describe_match(const struct policy_read *read, const struct policy_app *app);

/* A string of the database; null if it is none. */
json_t *policy_describe_text(const struct policy_read *read, const struct policy_span *span);
