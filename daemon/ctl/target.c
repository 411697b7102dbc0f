#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_DIGITS 8u
#define MATCHES      4u /* that are named, when there are several */

/* One to eight hexadecimal digits, maybe behind 0x. Returns them, NULL: it is something else. */
static const char *token_digits(const char *text) {
        const char *digits = strncmp(text, "0x", 2) == 0 ? text + 2 : text;
        size_t len = strspn(digits, "0123456789abcdefABCDEF");

        return len < 1 || len > TOKEN_DIGITS || digits[len] != '\0' ? NULL : digits;
}

static int target_exists(struct client *client, struct client_error *error, uint32_t token,
                         json_t **ret_path) {
        _cleanup_(json_decrefp) json_t *reply = NULL;
        int r = client_call(client, error, &reply, "GetConnection", "u", token);

        if (r == 0)
                *ret_path = json_incref(json_array_get(reply, 0));
        return r;
}

static int target_fail_none(const struct ctl *ctl, uint32_t token) {
        return ctl_fail(ctl, CTL_FAILED,
                        "there is no connection 0x%08x: 'mptcpctl connections' lists those that "
                        "there are",
                        token);
}

static int target_fail_many(const struct ctl *ctl, const char *text, const uint32_t *tokens,
                            size_t n) {
        char list[MATCHES * 16] = "";
        size_t used = 0;

        for (size_t i = 0; i < n && i < MATCHES; i++)
                used += (size_t)snprintf(list + used, sizeof(list) - used, "%s0x%08x",
                                         i ? ", " : "", tokens[i]);
        return ctl_fail(ctl, CTL_FAILED, "\"%s\" is the beginning of several tokens: %s%s", text,
                        list, n > MATCHES ? ", ..." : "");
}

/*
 * The connections whose tokens begin with the digits, in a reply to List: they follow each other,
 * since they are listed in order. Returns how many there are among those that came.
 */
static size_t prefix_count(const json_t *rows, uint32_t first, uint32_t last, uint32_t *tokens) {
        const json_t *row;
        size_t i, n = 0;

        json_array_foreach(rows, i, row) {
                json_int_t token = json_integer_value(json_object_get(row, "Token"));

                if (token >= first && token <= last && n <= MATCHES)
                        tokens[n++] = (uint32_t)token;
        }
        return n;
}

static int target_find_prefix(const struct ctl *ctl, struct client *client, const char *text,
                              const char *digits, uint32_t *ret_token) {
        const unsigned int shift = 4 * (TOKEN_DIGITS - (unsigned int)strlen(digits));
        const uint32_t number = (uint32_t)strtoul(digits, NULL, 16);
        const uint32_t first = shift < 32 ? number << shift : 0;
        const uint32_t last = first | (shift < 32 ? (UINT32_C(1) << shift) - 1 : UINT32_MAX);
        _cleanup_(json_decrefp) json_t *reply = NULL;
        uint32_t tokens[MATCHES + 1];
        struct client_error error;
        size_t n;

        if (client_call(client, &error, &reply, "List", "uu", first, MATCHES + 1) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        n = prefix_count(json_array_get(reply, 0), first, last, tokens);
        if (n == 0)
                return target_fail_none(ctl, number);
        if (n > 1)
                return target_fail_many(ctl, text, tokens, n);
        *ret_token = tokens[0];
        return CTL_DONE;
}

int target_check(const struct ctl *ctl, const char *text) {
        if (token_digits(text))
                return CTL_DONE;
        return ctl_fail(ctl, CTL_USAGE,
                        "\"%s\" is no token: expected up to 8 hexadecimal digits, as 'mptcpctl "
                        "connections' prints them (0x1a2b3c4d)",
                        text);
}

int target_find(const struct ctl *ctl, struct client *client, const char *text,
                uint32_t *ret_token) {
        const char *digits = token_digits(text);
        _cleanup_(json_decrefp) json_t *path = NULL;
        struct client_error error;
        uint32_t token;
        int r;

        if (!digits)
                return target_check(ctl, text);
        token = (uint32_t)strtoul(digits, NULL, 16);
        r = target_exists(client, &error, token, &path);
        if (r == -ENXIO && strlen(digits) < TOKEN_DIGITS)
                return target_find_prefix(ctl, client, text, digits, ret_token);
        if (r == -ENXIO)
                return target_fail_none(ctl, token);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        *ret_token = token;
        return CTL_DONE;
}

int target_run(const struct ctl *ctl, target_fn fn) {
        _cleanup_(client_freep) struct client *client = NULL;
        struct client_error error;
        char path[sizeof(CLIENT_PATH "/connection/12345678")];
        uint32_t token = 0;
        int status = target_check(ctl, ctl->args[0]), r;

        if (status != CTL_DONE)
                return status;
        if (client_new(&client, &error) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        status = target_find(ctl, client, ctl->args[0], &token);
        if (status != CTL_DONE)
                return status;
        snprintf(path, sizeof(path), CLIENT_PATH "/connection/%08x", token);
        r = fn(ctl, client, &error, path);
        if (r == -ENXIO)
                return target_fail_none(ctl, token);
        return r < 0 ? ctl_fail(ctl, CTL_FAILED, "%s", error.text) : r;
}
