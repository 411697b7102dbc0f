#include "suggest.h"
#include "../util/slip.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "conn" for "connections". */
static bool begins(const char *candidate, const char *word) {
        return strlen(word) >= 2 && strncmp(candidate, word, strlen(word)) == 0;
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate) {
        size_t distance = begins(candidate, suggestion->word)
                                          ? 1
                                          : slip_distance(suggestion->word, candidate);

        if (!begins(candidate, suggestion->word) && !slip_is(suggestion->word, candidate))
                return;
        if (suggestion->best && distance >= suggestion->distance)
                return;
        suggestion->best = candidate;
        suggestion->distance = distance;
}

const char *suggestion_text(const struct suggestion *suggestion,
                            char text[static SUGGESTION_TEXT]) {
        text[0] = '\0';
        if (suggestion->best)
                snprintf(text, SUGGESTION_TEXT, ", did you mean \"%s\"?", suggestion->best);
        return text;
}
