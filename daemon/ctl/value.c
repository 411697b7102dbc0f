/*
 * Values of D-Bus messages as JSON values. See value.h.
 *
 * Recursion is bounded by sd-bus, which refuses messages nested too deep.
 */
#include "value.h"
#include "../util/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int value_read(sd_bus_message *message, json_t **ret_value);

union basic {
        uint8_t byte;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
        int boolean;
        double real;
        const char *text;
};

static json_t *basic_convert(char type, const union basic *basic) {
        switch (type) {
        case SD_BUS_TYPE_BYTE:
                return json_integer(basic->byte);
        case SD_BUS_TYPE_BOOLEAN:
                return json_boolean(basic->boolean);
        case SD_BUS_TYPE_INT16:
                return json_integer(basic->i16);
        case SD_BUS_TYPE_UINT16:
                return json_integer(basic->u16);
        case SD_BUS_TYPE_INT32:
                return json_integer(basic->i32);
        case SD_BUS_TYPE_UINT32:
                return json_integer(basic->u32);
        case SD_BUS_TYPE_INT64:
                return json_integer(basic->i64);
        case SD_BUS_TYPE_UINT64:
                return json_integer(basic->u64 < INT64_MAX ? (json_int_t)basic->u64 : INT64_MAX);
        case SD_BUS_TYPE_DOUBLE:
                return json_real(basic->real);
        default:
                return json_string(basic->text);
        }
}

static int basic_read(sd_bus_message *message, char type, json_t **ret_value) {
        union basic basic;
        json_t *value;
        int r;

        if (!strchr("ybnqiuxtdsog", type))
                return -EBADMSG;
        r = sd_bus_message_read_basic(message, type, &basic);
        if (r < 0)
                return r;
        value = basic_convert(type, &basic);
        if (!value)
                return -ENOMEM;
        *ret_value = value;
        return 0;
}

static int entry_read(sd_bus_message *message, const char *contents, json_t *object) {
        json_t *value = NULL;
        const char *key;
        int r;

        r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, contents);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(message, contents[0], &key);
        if (r < 0)
                return r;
        r = value_read(message, &value);
        if (r < 0)
                return r;
        if (json_object_set_new(object, key, value) < 0)
                return -ENOMEM;
        return sd_bus_message_exit_container(message);
}

/* contents: "{sv}", braces included. */
static int dict_read(sd_bus_message *message, const char *contents, json_t *object) {
        char inner[256];
        size_t len = strlen(contents);

        if (len < 4 || len - 2 >= sizeof(inner) ||
            (contents[1] != SD_BUS_TYPE_STRING && contents[1] != SD_BUS_TYPE_OBJECT_PATH))
                return -EBADMSG;
        memcpy(inner, contents + 1, len - 2);
        inner[len - 2] = '\0';
        for (;;) {
                int r = sd_bus_message_at_end(message, 0);

                if (r != 0)
                        return r < 0 ? r : 0;
                r = entry_read(message, inner, object);
                if (r < 0)
                        return r;
        }
}

static int list_read(sd_bus_message *message, json_t *array) {
        for (;;) {
                int r = sd_bus_message_at_end(message, 0);
                json_t *value = NULL;

                if (r != 0)
                        return r < 0 ? r : 0;
                r = value_read(message, &value);
                if (r < 0)
                        return r;
                if (json_array_append_new(array, value) < 0)
                        return -ENOMEM;
        }
}

/* An array, or a structure as an array of its members. */
static int container_read(sd_bus_message *message, char type, const char *contents,
                          json_t **ret_value) {
        bool dict = type == SD_BUS_TYPE_ARRAY && contents[0] == SD_BUS_TYPE_DICT_ENTRY_BEGIN;
        _cleanup_(json_decrefp) json_t *value = dict ? json_object() : json_array();
        int r;

        if (!value)
                return -ENOMEM;
        r = sd_bus_message_enter_container(message, type, contents);
        if (r < 0)
                return r;
        r = dict ? dict_read(message, contents, value) : list_read(message, value);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
                return r;
        *ret_value = TAKE_PTR(value);
        return 0;
}

static int variant_read(sd_bus_message *message, const char *contents, json_t **ret_value) {
        _cleanup_(json_decrefp) json_t *value = NULL;
        int r;

        r = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, contents);
        if (r < 0)
                return r;
        r = value_read(message, &value);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
                return r;
        *ret_value = TAKE_PTR(value);
        return 0;
}

static int value_read(sd_bus_message *message, json_t **ret_value) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(message, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type == SD_BUS_TYPE_VARIANT)
                return variant_read(message, contents, ret_value);
        if (type == SD_BUS_TYPE_ARRAY || type == SD_BUS_TYPE_STRUCT)
                return container_read(message, type, contents, ret_value);
        return basic_read(message, type, ret_value);
}

int value_read_all(sd_bus_message *message, json_t **ret_values) {
        _cleanup_(json_decrefp) json_t *values = json_array();
        int r;

        if (!values)
                return -ENOMEM;
        r = list_read(message, values);
        if (r < 0)
                return r;
        *ret_values = TAKE_PTR(values);
        return 0;
}
