/*
 * Reading a JSON document so that every mistake has a place. See json.h.
 *
 * The scanner at the end of this file walks over text that jansson has already accepted, so it
 * only has to tell strings, brackets and separators apart. It is bounded by the length of the text
 * all the same: it never trusts that a closing quote is there.
 */
#include "json.h"
#include "cleanup.h"
#include "limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_TEXT 60 /* bytes of the wrong value that an error quotes */
#define HERE_TEXT  (VALUE_TEXT + sizeof(" (here: ...)"))

/* Bytes that an error quotes may come from anywhere; a line of a log must stay one line. */
static void text_flatten(char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        *text = '?';
}

/* Shortens text to at most len bytes, not within a UTF-8 sequence. */
static void text_cut(char *text, size_t len) {
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
                len--;
        text[len] = '\0';
}

static struct json_place place_of(const struct json_doc *doc, size_t offset) {
        struct json_place place = { .line = 1, .column = 1 };
        size_t i;

        for (i = 0; i < offset && i < doc->len; i++) {
                if (doc->text[i] == '\n') {
                        place.line++;
                        place.column = 1;
                } else {
                        place.column++;
                }
        }
        return place;
}

/* What jansson says, at the last byte that it read: its own columns count characters, not bytes. */
static int json_doc_syntax(const struct json_doc *doc, const json_error_t *from,
                           struct json_error *error) {
        size_t position = from->position > 0 ? (size_t)from->position : 0;

        if (json_error_code(from) == json_error_out_of_memory || !from->text[0])
                return -ENOMEM;
        error->place = place_of(doc, position > 0 ? position - 1 : 0);
        snprintf(error->text, sizeof(error->text), "not valid JSON: %s", from->text);
        text_flatten(error->text);
        return -EINVAL;
}

static int json_doc_refuse_length(size_t len, struct json_error *error) {
        error->place = (struct json_place){ .line = 1, .column = 1 };
        snprintf(error->text, sizeof(error->text),
                 "the file is too long: at most %u bytes are read (here: %zu)", LIMIT_CONF_BYTES,
                 len);
        return -EINVAL;
}

int json_doc_init(struct json_doc *ret_doc, const char *text, size_t len,
                  struct json_error *error) {
        struct json_doc doc = { .text = text, .len = len };
        json_error_t from;

        if (len > LIMIT_CONF_BYTES)
                return json_doc_refuse_length(len, error);
        doc.root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &from);
        if (!doc.root) /* jansson takes some want of memory for a mistake: is it one? */
                doc.root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &from);
        if (!doc.root)
                return json_doc_syntax(&doc, &from, error);
        if (!json_is_object(doc.root)) {
                int r = json_doc_fail(&doc, NULL, doc.root, error,
                                      "the file must be one object, {...}");

                json_doc_done(&doc);
                return r;
        }
        *ret_doc = doc;
        return 0;
}

void json_doc_done(struct json_doc *doc) {
        json_decref(doc->root);
        doc->root = NULL;
}

struct quote {
        char text[VALUE_TEXT + 1];
        size_t len;
        bool cut;
};

/* jansson's callback; ends the dump as soon as the quote is full. */
static int quote_append(const char *buffer, size_t size, void *userdata) {
        struct quote *quote = userdata;
        size_t room = VALUE_TEXT - quote->len;
        size_t n = size < room ? size : room;

        memcpy(quote->text + quote->len, buffer, n);
        quote->len += n;
        if (size <= room)
                return 0;
        quote->cut = true;
        /* text_cut() looks at the first byte that is left out */
        quote->text[VALUE_TEXT] = buffer[n];
        text_cut(quote->text, VALUE_TEXT);
        return -1;
}

static void json_error_quote(struct json_error *error, const json_t *value) {
        size_t used = strlen(error->text);
        struct quote quote = { .len = 0 };

        if (json_dump_callback(value, quote_append, &quote, JSON_COMPACT | JSON_ENCODE_ANY) < 0 &&
            !quote.cut)
                return;
        snprintf(error->text + used, sizeof(error->text) - used, " (here: %s%s)", quote.text,
                 quote.cut ? "..." : "");
}

/* The room for the value is kept free, however long the message is. */
static void json_error_print(struct json_error *error, const char *format, va_list ap)
                __attribute__((format(printf, 2, 0)));
static void json_error_print(struct json_error *error, const char *format, va_list ap) {
        size_t room = sizeof(error->text) - HERE_TEXT;
        int n = vsnprintf(error->text, sizeof(error->text), format, ap);

        if (n > 0 && (size_t)n >= room)
                text_cut(error->text, room - 1);
        text_flatten(error->text);
}

int json_doc_fail(const struct json_doc *doc, const struct json_path *path, const json_t *value,
                  struct json_error *error, const char *format, ...) {
        va_list ap;

        error->place = json_doc_place(doc, path, 0);
        va_start(ap, format);
        json_error_print(error, format, ap);
        va_end(ap);
        if (value)
                json_error_quote(error, value);
        return -EINVAL;
}

int json_doc_fail_key(const struct json_doc *doc, const struct json_path *path,
                      struct json_error *error, const char *format, ...) {
        json_t *key = path && path->key ? json_string(path->key) : NULL;
        va_list ap;

        error->place = json_doc_place(doc, path, 1);
        va_start(ap, format);
        json_error_print(error, format, ap);
        va_end(ap);
        if (key)
                json_error_quote(error, key);
        json_decref(key);
        return -EINVAL;
}

/* Shortest form that reads as the same number. */
static int real_print(double number, char *text, size_t size) {
        int digits, n = 0;

        for (digits = 15; digits <= 17; digits++) {
                n = snprintf(text, size, "%.*g", digits, number);
                if (strtod(text, NULL) == number)
                        break;
        }
        return n;
}

bool json_scalar_print(const json_t *value, char *text, size_t size) {
        int n = -1;

        if (json_is_string(value))
                n = snprintf(text, size, "%s", json_string_value(value));
        else if (json_is_integer(value))
                n = snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
                n = real_print(json_real_value(value), text, size);
        else if (json_is_boolean(value))
                n = snprintf(text, size, "%s", json_is_true(value) ? "true" : "false");
        return n >= 0 && (size_t)n < size;
}

/* A reading position in a document; at == end when there is nothing more. */
struct scan {
        const char *at;
        const char *end;
};

static bool scan_is(const struct scan *scan, char c) {
        return scan->at < scan->end && *scan->at == c;
}

static void scan_space(struct scan *scan) {
        while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) && *scan->at)
                scan->at++;
}

/* Steps over c, if it is there, and the white space around it. */
static bool scan_take(struct scan *scan, char c) {
        scan_space(scan);
        if (!scan_is(scan, c))
                return false;
        scan->at++;
        scan_space(scan);
        return true;
}

static void scan_string(struct scan *scan) {
        scan->at++;
        while (scan->at < scan->end && *scan->at != '"')
                scan->at += *scan->at == '\\' && scan->end - scan->at > 1 ? 2 : 1;
        if (scan->at < scan->end)
                scan->at++;
}

/* Steps over one value, without recursion: brackets are counted. */
static void scan_value(struct scan *scan) {
        size_t depth = 0;

        while (scan->at < scan->end) {
                char c = *scan->at;

                if (c == '"') {
                        scan_string(scan);
                        continue;
                }
                if (depth == 0 && (c == ',' || c == '}' || c == ']'))
                        return;
                if (c == '{' || c == '[')
                        depth++;
                if (c == '}' || c == ']')
                        depth--;
                scan->at++;
        }
}

/* Is the string between from and to, quotes and escapes included, this key? */
static bool scan_key_is(const char *from, const char *to, const char *key) {
        json_t *text = json_loadb(from, (size_t)(to - from), JSON_DECODE_ANY, NULL);
        bool same = json_is_string(text) && strcmp(json_string_value(text), key) == 0;

        json_decref(text);
        return same;
}

/* From the start of an object to a key of it (and, not of_key, on to its value). */
static bool scan_member(struct scan *scan, const char *key, bool of_key) {
        if (!scan_take(scan, '{'))
                return false;
        while (scan_is(scan, '"')) {
                const char *start = scan->at;
                const char *stop;

                scan_string(scan);
                stop = scan->at;
                scan_take(scan, ':');
                if (scan_key_is(start, stop, key)) {
                        if (of_key)
                                scan->at = start;
                        return true;
                }
                scan_value(scan);
                scan_take(scan, ',');
        }
        return false;
}

static bool scan_element(struct scan *scan, size_t index) {
        if (!scan_take(scan, '['))
                return false;
        for (; index > 0; index--) {
                scan_value(scan);
                if (!scan_take(scan, ','))
                        return false;
        }
        return !scan_is(scan, ']') && scan->at < scan->end;
}

/* As deep as the readers nest, so recursion is bounded by them and not by the file. */
static bool scan_path(struct scan *scan, const struct json_path *path, bool of_key) {
        if (!path) {
                scan_space(scan);
                return scan->at < scan->end;
        }
        if (!scan_path(scan, path->parent, false))
                return false;
        if (path->key)
                return scan_member(scan, path->key, of_key);
        return scan_element(scan, path->index);
}

struct json_place json_doc_place(const struct json_doc *doc, const struct json_path *path,
                                 int of_key) {
        struct scan scan = { .at = doc->text, .end = doc->text + doc->len };

        if (!scan_path(&scan, path, of_key))
                return (struct json_place){ 0 };
        return place_of(doc, (size_t)(scan.at - doc->text));
}
