/*
 * Aligned columns, their widths computed from what is in them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <jansson.h>

#define CELL_TEXT 1024

struct output {
        FILE *file;
        bool colour;
};

/* Writes a cell: what to say of row, mostly of its field. The text is escaped afterwards. */
typedef void (*cell_fn)(const json_t *row, const char *field, char text[static CELL_TEXT]);

/* The value of field as it is, "-" if there is none. */
void cell_plain(const json_t *row, const char *field, char text[static CELL_TEXT]);

enum align {
        ALIGN_LEFT,
        ALIGN_RIGHT, /* numbers end in the same column */
};

struct column {
        const char *title;
        const char *field;
        cell_fn print;
        enum align align;
};

/* rows, an array of objects, as a table with a line of titles. */
void table_print(const struct output *output, const struct column *columns, size_t n,
                 const json_t *rows);

/* One object as lines of title and value. */
void record_print(const struct output *output, const struct column *columns, size_t n,
                  const json_t *row);
