/*
 * The choice of a form, and the form for programs. See render.h.
 */
#include "render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Colours: only for a terminal that knows them, and not against the user's wish (no-color.org). */
static bool colour_wanted(void) {
        const char *refused = getenv("NO_COLOR");
        const char *terminal = getenv("TERM");

        if (refused && *refused)
                return false;
        return terminal && strcmp(terminal, "dumb") != 0 && isatty(STDOUT_FILENO);
}

void render(const struct ctl *ctl, const json_t *value, render_fn text) {
        const struct output output = {
                .file = stdout,
                .colour = !ctl->json && colour_wanted(),
        };

        if (ctl->json)
                render_json(&output, value);
        else
                text(&output, value);
}

void render_line(const struct ctl *ctl, const json_t *value, render_fn text) {
        if (ctl->json) {
                json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
                fputc('\n', stdout);
        } else {
                render(ctl, value, text);
        }
}

void render_json(const struct output *output, const json_t *value) {
        json_dumpf(value, output->file, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        fputc('\n', output->file);
}
