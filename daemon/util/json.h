/*
 * Reading a JSON document so that every mistake has a place: line, column, what is wrong, and the
 * value that was wrong. jansson parses; since it forgets where a value stood, the place is found
 * by scanning the text again along the path to the value, only when there is an error to report.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct json_place {
        uint32_t line;   /* from 1; 0: nowhere */
        uint32_t column; /* from 1, in bytes */
};

#define JSON_ERROR_TEXT 256

struct json_error {
        struct json_place place;
        char text[JSON_ERROR_TEXT]; /* one sentence, without a full stop */
};

/* A document: text (not owned) and its parsed tree (owned). */
struct json_doc {
        const char *text;
        size_t len;
        json_t *root;
};

/* Where in a document: a chain of keys and indexes, on the stack of the reader. */
struct json_path {
        const struct json_path *parent; /* NULL: the root */
        const char *key;                /* NULL: index counts */
        size_t index;
};

/*
 * Parses; duplicate keys and a root that is no object are errors. Text longer than
 * LIMIT_CONF_BYTES is refused. 0, -EINVAL with error filled in, or -ENOMEM.
 */
int json_doc_init(struct json_doc *doc, const char *text, size_t len, struct json_error *error);
void json_doc_done(struct json_doc *doc);

/* The place of a value (or, with of_key, of its key in the enclosing object); {0,0} if not there.
 */
struct json_place json_doc_place(const struct json_doc *doc, const struct json_path *path,
                                 int of_key);

/*
 * Fills error for the value at path: the text is made as by printf, then " (here: VALUE)" with the
 * value as compact JSON, cut at 60 bytes. Returns -EINVAL, so that a reader can return it.
 */
int json_doc_fail(const struct json_doc *doc, const struct json_path *path, const json_t *value,
                  struct json_error *error, const char *format, ...)
                __attribute__((format(printf, 5, 6)));

/* Like json_doc_fail(), about a key: its place, and " (here: \"KEY\")". */
int json_doc_fail_key(const struct json_doc *doc, const struct json_path *path,
                      struct json_error *error, const char *format, ...)
                __attribute__((format(printf, 4, 5)));

/* A string, a number, true or false as text; false if it is of another kind, or too long. */
bool json_scalar_print(const json_t *value, char *text, size_t size);
