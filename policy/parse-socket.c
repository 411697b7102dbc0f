/*
 * Reading "socket" of a policy file. See parse.h.
 */
#include "parse.h"

#include <limits.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/limits.h"
#include "option.h"

static void parse_flag(struct parse *parse, const struct json_path *path, json_t *value) {
        if (!json_is_boolean(value))
                PARSE_FAIL(parse, path, value, "expected true or false");
        else if (json_is_true(value))
                parse->app.flags |= (uint32_t)parse->key->detail;
        else
                parse->app.flags &= ~(uint32_t)parse->key->detail;
}

static void parse_pacing(struct parse *parse, const struct json_path *path, json_t *value) {
        static const char *const names[] = { "demote", "error" };
        int i = parse_name(parse, path, value, names, ARRAY_SIZE(names));

        if (i == 1)
                parse->app.flags &= ~POLICY_APP_PACING;
}

static void parse_upgrade(struct parse *parse, const struct json_path *path, json_t *value) {
        static const char *const names[] = { "connect", "listen" };
        static const uint32_t flags[] = { POLICY_APP_CONNECT, POLICY_APP_LISTEN };
        json_t *item;
        size_t i;

        parse->app.flags &= ~(POLICY_APP_CONNECT | POLICY_APP_LISTEN);
        parse->app.socket_line = parse_line(parse, path);
        if (!json_is_array(value)) {
                PARSE_FAIL(parse, path, value, "expected a list of \"connect\" and \"listen\"");
                return;
        }
        json_array_foreach(value, i, item) {
                const struct json_path here = { .parent = path, .index = i };
                int name = parse_name(parse, &here, item, names, ARRAY_SIZE(names));

                if (name >= 0)
                        parse->app.flags |= flags[name];
        }
}

/* Options that are set on upgraded sockets; parse_key.detail is an enum policy_option_key. */

static struct policy_set option_set(size_t option) {
        return (struct policy_set){ .level = policy_options[option].level,
                                    .name = policy_options[option].name };
}

static void parse_add_set(struct parse *parse, struct policy_set set) {
        int r = ARRAY_APPEND(&parse->sets, set, _POLICY_OPTION_MAX);

        if (r < 0)
                parse->failure = r;
}

static void parse_switch(struct parse *parse, const struct json_path *path, json_t *value) {
        struct policy_set set = option_set(parse->key->detail);

        if (!json_is_boolean(value)) {
                PARSE_FAIL(parse, path, value, "expected true or false");
                return;
        }
        set.value = json_is_true(value);
        parse_add_set(parse, set);
}

static void parse_number(struct parse *parse, const struct json_path *path, json_t *value) {
        struct policy_set set = option_set(parse->key->detail);
        json_int_t number = json_integer_value(value);

        if (!json_is_integer(value) || number < parse->key->min || number > parse->key->max) {
                PARSE_FAIL(parse, path, value, "expected a whole number from %lld to %lld",
                           parse->key->min, parse->key->max);
                return;
        }
        set.value = (int32_t)(uint32_t)number; /* marks use all bits */
        parse_add_set(parse, set);
}

static void parse_congestion(struct parse *parse, const struct json_path *path, json_t *value) {
        struct policy_set set = option_set(POLICY_OPTION_CONGESTION);
        const char *text = json_string_value(value);
        size_t n = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;

        if (n == 0 || n >= sizeof(set.text) || text[n] != '\0') {
                PARSE_FAIL(parse, path, value,
                           "expected the name of a congestion control, \"bbr\"");
                return;
        }
        memcpy(set.text, text, n);
        parse_add_set(parse, set);
}

static const struct parse_key socket_keys[] = {
        KEY("upgrade", parse_upgrade),
        KEY("except", parse_except),
        KEY("loopback", parse_flag, .detail = POLICY_APP_LOOPBACK),
        KEY("source", parse_bound),
        KEY("listen", parse_listen),
        KEY("ktls", parse_flag, .detail = POLICY_APP_KTLS),
        KEY("pacing", parse_pacing),
        KEY("hints", parse_flag, .detail = POLICY_APP_HINTS),
        KEY("congestion", parse_congestion),
        KEY("nodelay", parse_switch, .detail = POLICY_OPTION_NODELAY),
        KEY("keepalive", parse_switch, .detail = POLICY_OPTION_KEEPALIVE),
        KEY("send_buffer", parse_number, .detail = POLICY_OPTION_SEND_BUFFER, .min = 4096,
            .max = 1 << 30),
        KEY("receive_buffer", parse_number, .detail = POLICY_OPTION_RECEIVE_BUFFER, .min = 4096,
            .max = 1 << 30),
        KEY("mark", parse_number, .detail = POLICY_OPTION_MARK, .min = 0, .max = UINT32_MAX),
        KEY("tos", parse_number, .detail = POLICY_OPTION_TOS, .min = 0, .max = 255),
        KEY("priority", parse_number, .detail = POLICY_OPTION_PRIORITY, .min = 0, .max = 15),
};

/* Listeners at loopback stay TCP unless the policy says otherwise: what is listed would not count.
 */
static void parse_check_listen(struct parse *parse, const struct json_path *path, json_t *value) {
        const struct json_path listen = { .parent = path, .key = "listen" };
        json_t *item;
        size_t i;

        if (!json_object_get(value, "listen"))
                return;
        if (!(parse->app.flags & POLICY_APP_LISTEN))
                PARSE_FAIL_KEY(parse, &listen, "expected \"listen\" in \"upgrade\", too");
        json_array_foreach(json_object_get(value, "listen"), i, item) {
                const struct json_path here = { .parent = &listen, .index = i };

                if (!(parse->app.flags & POLICY_APP_LOOPBACK) && parse_is_loopback(item))
                        PARSE_FAIL(parse, &here, item,
                                   "expected \"loopback\": true with an address of loopback");
        }
}

void parse_socket(struct parse *parse, const struct json_path *path, json_t *value) {
        parse->app.socket_line = parse_line(parse, path);
        parse_object(parse, path, value, socket_keys, ARRAY_SIZE(socket_keys));
        parse_check_listen(parse, path, value);
}
