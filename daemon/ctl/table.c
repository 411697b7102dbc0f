/*
 * Aligned columns. See table.h.
 *
 * Cells are made twice, once for their width and once to be printed: a list of a hundred thousand
 * connections needs no memory for its text.
 */
#include "table.h"
#include "text.h"
#include "../util/cleanup.h"

#include <string.h>

#define BOLD  "\033[1m"
#define RESET "\033[0m"
#define GAP   2 /* between columns */

struct colour_row {
        const char *word;
        const char *start;
};

/* Cells that are one of these words stand out. */
static const struct colour_row colours[] = {
        { "established", "\033[32m" }, { "dead", "\033[31m" },     { "closing", "\033[33m" },
        { "pending", "\033[33m" },     { "fallback", "\033[33m" }, { "off", "\033[2m" },
        { "confirmed", "\033[32m" },   { "barred", "\033[31m" },   { "free", "\033[33m" },
};

static const char *colour_of(const struct output *output, const char *text) {
        size_t i;

        for (i = 0; output->colour && i < ARRAY_SIZE(colours); i++)
                if (strcmp(colours[i].word, text) == 0)
                        return colours[i].start;
        return "";
}

void cell_plain(const json_t *row, const char *field, char text[static CELL_TEXT]) {
        const json_t *value = json_object_get(row, field);
        const char *string = json_string_value(value);

        if (json_is_integer(value))
                snprintf(text, CELL_TEXT, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_boolean(value))
                snprintf(text, CELL_TEXT, "%s", json_is_true(value) ? "yes" : "no");
        else
                snprintf(text, CELL_TEXT, "%s", string && *string ? string : "-");
}

static void cell_print(const struct column *column, const json_t *row,
                       char text[static CELL_TEXT]) {
        char raw[CELL_TEXT];

        column->print(row, column->field, raw);
        text_escape(raw, text, CELL_TEXT);
}

static void spaces_print(FILE *file, size_t n) {
        fprintf(file, "%*s", (int)n, "");
}

/* One cell; the last of a line gets no spaces behind it. */
static void cell_align(const struct output *output, const struct column *column, const char *text,
                       const char *start, size_t width, bool last) {
        size_t pad = width - text_width(text);

        if (column->align == ALIGN_RIGHT)
                spaces_print(output->file, pad);
        fprintf(output->file, "%s%s%s", start, text, *start ? RESET : "");
        if (!last)
                spaces_print(output->file, (column->align == ALIGN_RIGHT ? 0 : pad) + GAP);
}

static size_t column_width(const struct column *column, const json_t *rows) {
        size_t width = text_width(column->title), i;
        char text[CELL_TEXT];
        const json_t *row;

        json_array_foreach(rows, i, row) {
                size_t wide;

                cell_print(column, row, text);
                wide = text_width(text);
                if (wide > width)
                        width = wide;
        }
        return width;
}

static void row_print(const struct output *output, const struct column *columns,
                      const size_t *widths, size_t n, const json_t *row) {
        char text[CELL_TEXT];
        size_t i;

        for (i = 0; i < n; i++) {
                cell_print(&columns[i], row, text);
                cell_align(output, &columns[i], text, colour_of(output, text), widths[i],
                           i + 1 == n);
        }
        fputc('\n', output->file);
}

#define COLUMNS_MAX 16

void table_print(const struct output *output, const struct column *columns, size_t n,
                 const json_t *rows) {
        size_t widths[COLUMNS_MAX], i;
        const json_t *row;

        for (i = 0; i < n; i++)
                widths[i] = column_width(&columns[i], rows);
        for (i = 0; i < n; i++)
                cell_align(output, &columns[i], columns[i].title, output->colour ? BOLD : "",
                           widths[i], i + 1 == n);
        fputc('\n', output->file);
        json_array_foreach(rows, i, row) {
                row_print(output, columns, widths, n, row);
        }
}

void record_print(const struct output *output, const struct column *columns, size_t n,
                  const json_t *row) {
        const struct column title = { .align = ALIGN_LEFT };
        size_t width = 0, i;
        char text[CELL_TEXT];

        for (i = 0; i < n; i++)
                if (text_width(columns[i].title) > width)
                        width = text_width(columns[i].title);
        for (i = 0; i < n; i++) {
                cell_print(&columns[i], row, text);
                cell_align(output, &title, columns[i].title, output->colour ? BOLD : "", width,
                           false);
                cell_align(output, &title, text, colour_of(output, text), text_width(text), true);
                fputc('\n', output->file);
        }
}
