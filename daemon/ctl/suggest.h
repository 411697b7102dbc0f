/*
 * "Did you mean": the nearest of the words that would have been right.
 */
#pragma once

#include <stddef.h>

struct suggestion {
        const char *word; /* that is wrong; set this, and the rest to 0 */
        const char *best; /* NULL: none so far is near enough */
        size_t distance;  /* of best */
};

#define SUGGESTION_TEXT 128

/* One of the words that there are; it has to outlive suggestion. */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

/* ", did you mean "BEST"?" or "". Returns text. */
const char *suggestion_text(const struct suggestion *suggestion, char text[static SUGGESTION_TEXT]);
