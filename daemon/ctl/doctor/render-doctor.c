/*
 * Findings, as text for people. See render.h.
 */
#include "../fields.h"
#include "../render.h"
#include "../text.h"
#include "../../util/cleanup.h"

#include <string.h>

#define CELL 16384 /* more than any text of doctor.c */

struct severity_row {
        const char *name;
        const char *colour;
        const char *plural;
};

static const struct severity_row severities[] = {
        { "broken", "\033[31;1m", "broken" },
        { "warning", "\033[33m", "warnings" },
        { "note", "\033[36m", "notes" },
        { "ok", "\033[32m", "ok" },
};

static const char *colour_of(const struct output *output, const char *severity) {
        for (size_t i = 0; output->colour && i < ARRAY_SIZE(severities); i++)
                if (strcmp(severities[i].name, severity) == 0)
                        return severities[i].colour;
        return "";
}

/* An indented line, if there is something to say. */
static void line_print(const struct output *output, const char *before, const char *text) {
        char escaped[CELL];

        if (*text)
                fprintf(output->file, "           %s%s\n", before,
                        text_escape(text, escaped, sizeof(escaped)));
}

static void finding_print(const struct output *output, const json_t *row) {
        const char *severity = fields_text(row, "severity"), *subject = fields_text(row, "subject");
        const char *colour = colour_of(output, severity);
        const bool named = strcmp(subject, fields_text(row, "check")) != 0;
        char escaped[CELL], what[CELL];

        fprintf(output->file, "  %s%-7s%s  %s%s%s\n", colour, severity, *colour ? "\033[0m" : "",
                named ? text_escape(subject, escaped, sizeof(escaped)) : "", named ? ": " : "",
                text_escape(fields_text(row, "what"), what, sizeof(what)));
        line_print(output, "", fields_text(row, "why"));
        line_print(output, "# ", fields_text(row, "remedy"));
}

static size_t findings_count(const json_t *findings, const char *severity) {
        const json_t *row;
        size_t i, n = 0;

        json_array_foreach(findings, i, row) {
                n += strcmp(fields_text(row, "severity"), severity) == 0;
        }
        return n;
}

/* "1 broken, 2 warnings, 3 notes" */
static void summary_print(const struct output *output, const json_t *report) {
        const json_t *findings = json_object_get(report, "findings");
        const char *before = "";

        fputc('\n', output->file);
        for (size_t i = 0; i < ARRAY_SIZE(severities); i++) {
                size_t n = findings_count(findings, severities[i].name);

                if (n == 0)
                        continue;
                fprintf(output->file, "%s%zu %s", before, n,
                        n == 1 ? severities[i].name : severities[i].plural);
                before = ", ";
        }
        fputc('\n', output->file);
        if (!json_is_true(json_object_get(report, "complete")))
                fprintf(output->file, "%s\n",
                        json_is_true(json_object_get(report, "root"))
                                        ? "Not everything could be looked at."
                                        : "Not everything could be looked at: root sees more.");
}

void render_doctor(const struct output *output, const json_t *report) {
        const json_t *row;
        const char *check = "";
        size_t i;

        json_array_foreach(json_object_get(report, "findings"), i, row) {
                if (strcmp(check, fields_text(row, "check")) != 0) {
                        check = fields_text(row, "check");
                        fprintf(output->file, "%s%s%s\n", output->colour ? "\033[1m" : "", check,
                                output->colour ? "\033[0m" : "");
                }
                finding_print(output, row);
        }
        summary_print(output, report);
}
