/*
 * The form for people of "mptcpctl service". See render.h.
 */
#include "../fields.h"
#include "../render.h"
#include "../text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void line_print(const struct output *output, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

static void line_print(const struct output *output, const char *format, ...) {
        char raw[CELL_TEXT], text[2 * CELL_TEXT];
        va_list ap;

        va_start(ap, format);
        vsnprintf(raw, sizeof(raw), format, ap);
        va_end(ap);
        fprintf(output->file, "%s\n", text_escape(raw, text, sizeof(text)));
}

static bool is_socket(const char *unit) {
        const char *dot = strrchr(unit, '.');

        return dot && strcmp(dot, ".socket") == 0;
}

static void state_print(const struct output *output, const json_t *value) {
        bool changed = json_is_true(json_object_get(value, "changed"));
        const char *unit = fields_text(value, "unit"), *mode = fields_text(value, "mode");

        if (json_is_true(json_object_get(value, "enabled")))
                line_print(output, "%s: enabled by %s%s%s", unit, fields_text(value, "file"),
                           *mode ? ", mode " : "", mode);
        else
                line_print(output, "%s: %s", unit,
                           changed ? "disabled: the drop-in is removed" : "not enabled");
}

static const struct column process_columns[] = {
        { "PID", "pid", cell_plain, ALIGN_RIGHT },
        { "PROGRAM", "program", cell_plain, ALIGN_LEFT },
        { "LIBRARY", "library", cell_plain, ALIGN_LEFT },
};

static void processes_print(const struct output *output, const json_t *value) {
        const json_t *processes = json_object_get(value, "processes");
        size_t n = json_array_size(json_object_get(value, "restart_needed"));
        const char *unit = fields_text(value, "unit"), *at = strstr(unit, "@.");

        if (json_array_size(processes) > 0)
                table_print(output, process_columns,
                            sizeof(process_columns) / sizeof(process_columns[0]), processes);
        if (n > 0)
                line_print(output,
                           "%zu of them %s started before the change: 'systemctl restart "
                           "%.*s%s%s'",
                           n, n == 1 ? "was" : "were",
                           at ? (int)(at + 1 - unit) : (int)strlen(unit), unit, at ? "\\*" : "",
                           at ? at + 1 : "");
        else if (is_socket(unit) && json_is_true(json_object_get(value, "changed")))
                line_print(output, "if it listens already: 'systemctl restart %s'", unit);
}

void render_service(const struct output *output, const json_t *value) {
        const json_t *warning;
        size_t i;

        state_print(output, value);
        json_array_foreach(json_object_get(value, "warnings"), i, warning) {
                line_print(output, "warning: %s", json_string_value(warning));
        }
        processes_print(output, value);
}
