/*
 * From dictionaries of the bus ("RoleReason") to the objects that mptcpctl prints ("role_reason"):
 * a table for each kind of object, so that a name stands in one place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

struct field {
        const char *from; /* key on the bus */
        const char *to;   /* key in the output */
        /* Makes a new value of the one of the bus, which is NULL if it is missing. */
        json_t *(*convert)(json_t *value);
};

/* Adds the fields to an object, null for those that are missing. 0 or -ENOMEM. */
int fields_fill(json_t *to, const json_t *from, const struct field *fields, size_t n);

/* An array of objects, each converted; anything else becomes an empty array. NULL: no memory. */
json_t *fields_rows(const json_t *rows, const struct field *fields, size_t n);

/* The text of a member; "" if there is none. */
const char *fields_text(const json_t *object, const char *key);
bool fields_is(const json_t *object, const char *key, const char *text);

/* Converters: as it is, null if it is missing; 439041101 as "0x1a2b3c4d"; the number that means
 * "unknown user" as null. */
json_t *field_copy(json_t *value);
json_t *field_token(json_t *value);
json_t *field_uid(json_t *value);

/* "" and 0 are words for "unknown": null. */
json_t *field_known(json_t *value);
