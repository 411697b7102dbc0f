/*
 * The systemd unit of a process. See unit.h.
 */
#include "unit.h"

#include <string.h>

/* What comes before the first byte of that kind; text goes on behind it. */
static struct policy_text unit_cut(struct policy_text *text, char byte) {
        const char *end = text->n > 0 ? memchr(text->bytes, byte, text->n) : NULL;
        struct policy_text head = { text->bytes, end ? (size_t)(end - text->bytes) : text->n };

        text->bytes += head.n + (end != NULL);
        text->n -= head.n + (end != NULL);
        return head;
}

static bool unit_ends(struct policy_text text, const char *suffix) {
        size_t n = strlen(suffix);

        return text.n > n && memcmp(text.bytes + text.n - n, suffix, n) == 0;
}

static bool unit_is(struct policy_text text, const char *what) {
        return text.n == strlen(what) && (text.n == 0 || memcmp(text.bytes, what, text.n) == 0);
}

static struct policy_text unit_last(struct policy_text path) {
        struct policy_text unit = { NULL, 0 };

        while (path.n > 0) {
                struct policy_text part = unit_cut(&path, '/');

                if (unit_ends(part, ".service") || unit_ends(part, ".scope") ||
                    unit_ends(part, ".slice"))
                        unit = part;
        }
        return unit;
}

/* A line is "number:controllers:path"; units are in the one without controllers, or systemd's. */
struct policy_text policy_unit(struct policy_text cgroups) {
        struct policy_text unit = { NULL, 0 };

        while (cgroups.n > 0 && unit.n == 0) {
                struct policy_text line = unit_cut(&cgroups, '\n');
                struct policy_text controllers;

                (void)unit_cut(&line, ':');
                controllers = unit_cut(&line, ':');
                if (unit_is(controllers, "") || unit_is(controllers, "name=systemd"))
                        unit = unit_last(line);
        }
        return unit;
}
