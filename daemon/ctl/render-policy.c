/*
 * The form for people of "mptcpctl policy". See render.h.
 */
#include "render.h"
#include "text.h"
#include "../util/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *string_of(const json_t *object, const char *key, const char *missing) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : missing;
}

/* "app=curl uid=0" */
static void cell_match(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const char *key, *keys[] = { "app", "exe", "unit", "uid" };
        const json_t *match = json_object_get(row, field);
        size_t used = 0;

        text[0] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(keys) && used < CELL_TEXT; i++) {
                char value[CELL_TEXT];

                key = keys[i];
                if (!json_object_get(match, key))
                        continue;
                cell_plain(match, key, value);
                used += (size_t)snprintf(text + used, CELL_TEXT - used, "%s%s=%s", used ? " " : "",
                                         key, value);
        }
}

/* "connect, listen, 3 exceptions", or "no" */
static void cell_upgrade(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        json_int_t exceptions = json_integer_value(json_object_get(row, "exceptions"));
        const json_t *item;
        size_t i, used = 0;

        snprintf(text, CELL_TEXT, "no");
        if (strcmp(string_of(row, "mode", ""), "off") == 0)
                return;
        json_array_foreach(json_object_get(row, field), i, item) {
                used += (size_t)snprintf(text + used, CELL_TEXT - used, "%s%s", i ? ", " : "",
                                         json_string_value(item));
        }
        if (used > 0 && exceptions > 0)
                snprintf(text + used, CELL_TEXT - used, ", %d exception%s", (int)exceptions,
                         exceptions == 1 ? "" : "s");
}

static void cell_mode(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        snprintf(text, CELL_TEXT, "%s", string_of(row, "plugin", string_of(row, field, "-")));
}

static const struct column policy_columns[] = {
        { "NAME", "name", cell_plain, ALIGN_LEFT },
        { "MATCH", "match", cell_match, ALIGN_LEFT },
        { "UPGRADE", "upgrade", cell_upgrade, ALIGN_LEFT },
        { "PATHS", "mode", cell_mode, ALIGN_LEFT },
        { "AUTH", "auth", cell_plain, ALIGN_LEFT },
        { "FILE", "file", cell_plain, ALIGN_LEFT },
};

static void line_print(const struct output *output, const char *raw) {
        char text[2 * CELL_TEXT];

        fprintf(output->file, "%s\n", text_escape(raw, text, sizeof(text)));
}

/* Whether what is shown is in force. */
static void origin_print(const struct output *output, const char *database) {
        char text[CELL_TEXT];

        if (!database)
                snprintf(text, sizeof(text), "from the files: no database is in force");
        else
                snprintf(text, sizeof(text), "from %s", database);
        line_print(output, text);
}

void render_policies(const struct output *output, const json_t *value) {
        const json_t *rows = json_object_get(value, "policies"), *database;
        size_t i;

        json_array_foreach(json_object_get(value, "databases"), i, database) {
                origin_print(output, json_string_value(database));
        }
        if (json_array_size(rows) == 0)
                fprintf(output->file, "no policies\n");
        else
                table_print(output, policy_columns, ARRAY_SIZE(policy_columns), rows);
}

void render_policy(const struct output *output, const json_t *value) {
        char text[CELL_TEXT];

        snprintf(text, sizeof(text), "%s", string_of(value, "file", "-"));
        line_print(output, text);
        origin_print(output, json_string_value(json_object_get(value, "database")));
        render_json(output, json_object_get(value, "policy"));
}

static void notes_print(const struct output *output, const json_t *notes) {
        char text[CELL_TEXT];
        const json_t *note;
        size_t i;

        json_array_foreach(notes, i, note) {
                snprintf(text, sizeof(text), "%.600s:%d: note: %s", string_of(note, "file", ""),
                         (int)json_integer_value(json_object_get(note, "line")),
                         string_of(note, "what", ""));
                line_print(output, text);
        }
}

void render_check(const struct output *output, const json_t *value) {
        json_int_t left_out = json_integer_value(json_object_get(value, "errors_left_out"));
        const json_t *errors = json_object_get(value, "errors"), *error;
        int files = (int)json_integer_value(json_object_get(value, "files"));
        char text[CELL_TEXT];
        size_t i;

        json_array_foreach(errors, i, error) {
                const json_t *line = json_object_get(error, "line");
                const json_t *column = json_object_get(error, "column");
                char place[48] = "";

                if (json_is_integer(line))
                        snprintf(place, sizeof(place), "%d:%d:", (int)json_integer_value(line),
                                 (int)json_integer_value(column));
                snprintf(text, sizeof(text), "%.600s:%s %s", string_of(error, "file", ""), place,
                         string_of(error, "what", ""));
                line_print(output, text);
        }
        if (left_out > 0)
                fprintf(output->file, "and %d more\n", (int)left_out);
        notes_print(output, json_object_get(value, "notes"));
        if (json_array_size(errors) == 0)
                fprintf(output->file, "%d file%s, no mistakes\n", files, files == 1 ? "" : "s");
}

/* "FILE:LINE:COLUMN", or that there is none. */
static void cell_rule(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        int line = (int)json_integer_value(json_object_get(row, "line"));
        int column = (int)json_integer_value(json_object_get(row, "column"));
        const char *file = string_of(row, field, NULL);

        if (!file || !line)
                snprintf(text, CELL_TEXT, "built in");
        else if (!column)
                snprintf(text, CELL_TEXT, "%.900s:%d", file, line);
        else
                snprintf(text, CELL_TEXT, "%.900s:%d:%d", file, line, column);
}

static void cell_protocol(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        bool mptcp = strcmp(string_of(row, field, ""), "mptcp") == 0;

        snprintf(text, CELL_TEXT, "%s", mptcp ? "Multipath TCP" : "TCP");
}

static void cell_origin(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        snprintf(text, CELL_TEXT, "%s", string_of(row, field, "none is in force"));
}

/* "require", or with where the key is: "require, key: /etc/key". */
static void cell_auth(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const char *psk = string_of(row, "psk", NULL);

        if (!psk)
                snprintf(text, CELL_TEXT, "%s", string_of(row, field, "-"));
        else
                snprintf(text, CELL_TEXT, "%s, key: %s%s", string_of(row, field, "-"),
                         psk[0] == '/' ? "" : "credential ", psk);
}

static const struct column explanation_columns[] = {
        { "protocol", "protocol", cell_protocol, ALIGN_LEFT },
        { "reason", "reason", cell_plain, ALIGN_LEFT },
        { "rule", "file", cell_rule, ALIGN_LEFT },
        { "policy", "policy", cell_plain, ALIGN_LEFT },
        { "paths", "mode", cell_mode, ALIGN_LEFT },
        { "auth", "auth", cell_auth, ALIGN_LEFT },
        { "program", "program", cell_match, ALIGN_LEFT },
        { "database", "database", cell_origin, ALIGN_LEFT },
};

void render_explanation(const struct output *output, const json_t *value) {
        record_print(output, explanation_columns, ARRAY_SIZE(explanation_columns), value);
}
