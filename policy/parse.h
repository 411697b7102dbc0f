/*
 * Reading one policy file into a half in the making. See compile.h; this is inside of it.
 *
 * Each object of the language is a table of keys and readers. Readers return nothing: a mistake is
 * noted, and reading goes on, so that all mistakes of a file are told at once.
 */
#pragma once

#include "blob.h"
#include "compile.h"

struct parse;
typedef void (*parse_fn)(struct parse *parse, const struct json_path *path, json_t *value);

/* What is read, what it is read into, and what is known meanwhile. */
struct parse {
        const struct policy_source *source;
        const struct policy_networks *networks;
        struct policy_errors *errors;
        struct blob *blob;
        struct json_doc doc;
        const struct parse_key *key; /* that a reader was called for */
        struct json_error error;     /* being made */
        bool wrong;                  /* at least one mistake */
        int failure;                 /* -ENOMEM */

        struct policy_app app;
        struct policy_rule rule; /* of the list that is being read */
        ARRAY_OF(struct policy_set) sets;
        ARRAY_OF(struct policy_prefix) prefixes; /* of the list that is being read */
};

struct parse_key {
        const char *name;
        parse_fn read;
        size_t detail; /* what it means is up to the reader */
        long long min;
        long long max;
};

#define KEY(key, reader, ...) \
        { .name = (key), .read = (reader), __VA_ARGS__ }

/*
 * Reads source into ret_app, whose tables and strings go into blob. 0; 1: it is wrong, and errors
 * has more; or -ENOMEM. What a wrong file has put into the blob is the caller's to cut off.
 */
int parse_source(const struct policy_source *source, const struct policy_networks *networks,
                 struct blob *blob, struct policy_errors *errors, struct policy_app *ret_app);

/* parse.c, for the readers: */

/* Notes the mistake that is in parse->error, or counts it if there are too many. */
void parse_note(struct parse *parse);

/* Are there too many? Then no more places are looked for: that takes its time. */
bool parse_is_full(const struct parse *parse);

#define PARSE_FAIL(parse, path, value, ...)                                                   \
        ((void)(parse_is_full(parse) ||                                                       \
                json_doc_fail(&(parse)->doc, (path), (value), &(parse)->error, __VA_ARGS__)), \
         parse_note(parse))
#define PARSE_FAIL_KEY(parse, path, ...)                                                 \
        ((void)(parse_is_full(parse) ||                                                  \
                json_doc_fail_key(&(parse)->doc, (path), &(parse)->error, __VA_ARGS__)), \
         parse_note(parse))

void parse_object(struct parse *parse, const struct json_path *path, json_t *object,
                  const struct parse_key *keys, size_t n);

uint32_t parse_line(const struct parse *parse, const struct json_path *path);

/* A string of at least one and less than size bytes; NULL and a mistake if it is none. */
const char *parse_text(struct parse *parse, const struct json_path *path, json_t *value,
                       size_t size, const char *what);

/* Which of n names it is; or -1 and a mistake. */
int parse_name(struct parse *parse, const struct json_path *path, json_t *value,
               const char *const *names, size_t n);

/* Interface names, and patterns of them. */
bool parse_interface_is_valid(const char *text);

/* parse-socket.c: the readers of "socket" and "except". */
void parse_socket(struct parse *parse, const struct json_path *path, json_t *value);

/* parse-rule.c: "except", "listen" and "source". */
void parse_except(struct parse *parse, const struct json_path *path, json_t *value);
void parse_listen(struct parse *parse, const struct json_path *path, json_t *value);
/* Does an entry of "listen" speak of loopback? */
bool parse_is_loopback(const json_t *listener);

void parse_bound(struct parse *parse, const struct json_path *path, json_t *value);
