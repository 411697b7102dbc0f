/*
 * Dictionaries of the bus as objects of the output. See fields.h.
 */
#include "fields.h"
#include "../util/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int fields_fill(json_t *to, const json_t *from, const struct field *fields, size_t n) {
        size_t i;

        for (i = 0; i < n; i++) {
                json_t *value = fields[i].convert(json_object_get(from, fields[i].from));

                if (json_object_set_new(to, fields[i].to, value) < 0)
                        return -ENOMEM;
        }
        return 0;
}

json_t *fields_rows(const json_t *rows, const struct field *fields, size_t n) {
        json_t *copy = json_array();
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                json_t *object = json_object();

                if (!object || fields_fill(object, row, fields, n) < 0 ||
                    json_array_append(copy, object) < 0) {
                        json_decref(object);
                        json_decref(copy);
                        return NULL;
                }
                json_decref(object);
        }
        return copy;
}

const char *fields_text(const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

bool fields_is(const json_t *object, const char *key, const char *text) {
        return strcmp(fields_text(object, key), text) == 0;
}

json_t *field_copy(json_t *value) {
        return value ? json_incref(value) : json_null();
}

json_t *field_token(json_t *value) {
        char text[sizeof("0x12345678")];

        if (!json_is_integer(value))
                return json_null();
        snprintf(text, sizeof(text), "0x%08x", (unsigned int)json_integer_value(value));
        return json_string(text);
}

json_t *field_uid(json_t *value) {
        if (!json_is_integer(value) || json_integer_value(value) == UINT32_MAX)
                return json_null();
        return json_incref(value);
}

json_t *field_known(json_t *value) {
        if (json_is_integer(value) ? json_integer_value(value) == 0
                                   : json_string_length(value) == 0)
                return json_null();
        return json_incref(value);
}
