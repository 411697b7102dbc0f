#include "event-line.h"
#include "fields.h"
#include "render.h"
#include "text.h"
#include "../util/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LINE_TEXT 1024
#define RESET     "\033[0m"

static json_t *error_convert(json_t *value) {
        json_int_t number = json_integer_value(value);

        if (number == 0)
                return json_null();
        return json_string(strerror((int)(number < 0 ? -number : number)));
}

static const struct field event_fields[] = {
        { "Serial", "serial", field_copy },
        { "TimeUsec", "time_usec", field_copy },
        { "Kind", "kind", field_copy },
        { "Token", "token", field_token },
        { "What", "what", field_copy },
        { "Reason", "reason", field_known },
        { "Local", "local", field_known },
        { "Remote", "remote", field_known },
        { "Interface", "interface", field_known },
        { "Error", "error", error_convert },
        { "Program", "program", field_known },
        { "Plugin", "plugin", field_known },
};

json_t *event_line_new(const json_t *event) {
        json_t *line = json_object();

        if (line && fields_fill(line, event, event_fields, ARRAY_SIZE(event_fields)) == 0)
                return line;
        json_decref(line);
        return NULL;
}

struct colour_row {
        const char *kind;
        const char *start;
};

static const struct colour_row colours[] = {
        { "failed", "\033[31m" },
        { "refused", "\033[33m" },
        { "lost", "\033[31m" },
        { "disconnected", "\033[31m" },
        { "connection-added", "\033[32m" },
        { "connection-removed", "\033[2m" },
};

static const char *colour_of(const struct output *output, const char *kind) {
        for (size_t i = 0; output->colour && i < ARRAY_SIZE(colours); i++)
                if (strcmp(colours[i].kind, kind) == 0)
                        return colours[i].start;
        return "";
}

/* What is behind the time, before it is escaped. */
static void line_format(const json_t *line, char text[static LINE_TEXT]) {
        const char *kind = fields_text(line, "kind"), *reason = fields_text(line, "reason");
        const char *what = fields_text(line, "what");
        const char *program = fields_text(line, "program"),
                   *interface = fields_text(line, "interface");

        if (strcmp(kind, "lost") == 0)
                snprintf(text, LINE_TEXT,
                         "-- %" JSON_INTEGER_FORMAT " events were lost: too many at once",
                         json_integer_value(json_object_get(line, "count")));
        else if (!json_object_get(line, "token"))
                snprintf(text, LINE_TEXT, "-- %s", reason);
        else
                snprintf(text, LINE_TEXT, "%s  %-8s  %-8s  %s%s%s", fields_text(line, "token"),
                         *program ? program : "-", *interface ? interface : "-",
                         *what ? what : kind, *reason ? ": " : "", reason);
}

static void line_render(const struct output *output, const json_t *line) {
        const char *start = colour_of(output, fields_text(line, "kind"));
        const json_t *usec = json_object_get(line, "time_usec");
        char raw[LINE_TEXT], text[2 * LINE_TEXT], when[TEXT_SHORT] = "";

        line_format(line, raw);
        text_escape(raw, text, sizeof(text));
        if (json_is_integer(usec))
                text_time((uint64_t)json_integer_value(usec), when);
        fprintf(output->file, "%s%s%s%s%s\n", when, *when ? "  " : "", start, text,
                *start ? RESET : "");
}

int event_line_print(const struct ctl *ctl, const json_t *line) {
        if (!line)
                return -ENOMEM;
        render_line(ctl, line, line_render);
        return fflush(stdout) != 0 || ferror(stdout) ? -errno : 0;
}

int event_line_end(const struct ctl *ctl, int r) {
        if (r == -EPIPE && !freopen("/dev/null", "w", stdout))
                return CTL_FAILED;
        if (r == -EPIPE || r >= 0)
                return CTL_DONE;
        if (ferror(stdout)) { /* main() will say so */
                errno = -r;
                return CTL_FAILED;
        }
        return ctl_fail(ctl, CTL_FAILED, "%s", strerror(-r));
}
