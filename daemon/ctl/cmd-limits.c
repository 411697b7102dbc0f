/*
 * mptcpctl limits: what is in force, and other numbers until the next reload.
 */
#include "client.h"
#include "ctl.h"
#include "fields.h"
#include "limit.h"
#include "render.h"
#include "suggest.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct limit {
        const char *key; /* as in mptcpized.conf(5) */
        const char *property;
        const char *help;
};

static const struct limit limits[] = {
        { "max_subflows", "MaxSubflows", "subflows of a connection, the initial one included" },
        { "max_accepted", "MaxAccepted", "subflows of a connection that its peer may open" },
        { "max_joins", "MaxJoins", "subflows of a connection that are being opened" },
        { "max_retries", "MaxRetries", "attempts to open one again, a minute" },
        { "max_connections", "MaxConnections", "connections that are managed" },
};

const char *limit_key(size_t i) {
        return i < ARRAY_SIZE(limits) ? limits[i].key : NULL;
}

struct setting {
        const struct limit *limit;
        uint32_t number;
};

struct settings {
        struct setting items[ARRAY_SIZE(limits)];
        size_t n;
};

static const struct limit *limit_find(const char *key, size_t len, struct suggestion *suggestion) {
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                if (strlen(limits[i].key) == len && strncmp(limits[i].key, key, len) == 0)
                        return &limits[i];
                suggestion_offer(suggestion, limits[i].key);
        }
        return NULL;
}

/* Decimal digits, and nothing else. */
static int number_parse(const char *text, uint32_t *ret_number) {
        unsigned long long number;

        if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
                return -EINVAL;
        number = strtoull(text, NULL, 10);
        if (number > UINT32_MAX)
                return -EINVAL;
        *ret_number = (uint32_t)number;
        return 0;
}

/* KEY=N. CTL_DONE, or CTL_USAGE after it has said what is wrong. */
static int setting_read(const struct ctl *ctl, const char *word, struct setting *setting) {
        const size_t len = strcspn(word, "=");
        char key[64] = "", text[SUGGESTION_TEXT];
        struct suggestion suggestion = { .word = key };

        if (len < sizeof(key))
                memcpy(key, word, len);
        setting->limit = limit_find(word, len, &suggestion);
        if (!setting->limit)
                return ctl_fail(ctl, CTL_USAGE,
                                "there is no limit \"%.*s\"%s 'mptcpctl limits' "
                                "lists those that there are",
                                (int)len, word, *suggestion_text(&suggestion, text) ? text : ":");
        if (!word[len] || number_parse(word + len + 1, &setting->number) < 0)
                return ctl_fail(ctl, CTL_USAGE, "\"%s\": expected %s=NUMBER", word,
                                setting->limit->key);
        return CTL_DONE;
}

static int settings_fill(sd_bus_message *call, const void *userdata) {
        const struct settings *settings = userdata;
        int r = sd_bus_message_open_container(call, 'a', "{su}");

        for (size_t i = 0; i < settings->n && r >= 0; i++)
                r = sd_bus_message_append(call, "{su}", settings->items[i].limit->property,
                                          settings->items[i].number);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int limits_print(const struct ctl *ctl, struct client *client, struct client_error *error) {
        _cleanup_(json_decrefp) json_t *properties = NULL, *value = json_object();
        int r = client_properties(client, error, &properties, CLIENT_PATH, CLIENT_MANAGER);

        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error->text);
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                if (json_object_set_new(value, limits[i].key,
                                        field_copy(json_object_get(properties,
                                                                   limits[i].property))) < 0)
                        return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_limits);
        return CTL_DONE;
}

const char *limit_help(const char *key) {
        struct suggestion suggestion = { .word = key };
        const struct limit *limit = limit_find(key, strlen(key), &suggestion);

        return limit ? limit->help : "";
}

int cmd_limits(const struct ctl *ctl) {
        _cleanup_(client_freep) struct client *client = NULL;
        struct settings settings = { .n = ctl->n_args };
        struct client_error error;
        int status;

        for (size_t i = 0; i < ctl->n_args; i++) {
                status = setting_read(ctl, ctl->args[i], &settings.items[i]);
                if (status != CTL_DONE)
                        return status;
        }
        if (client_new(&client, &error) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        if (settings.n == 0)
                return limits_print(ctl, client, &error);
        if (client_change(client, &error, CLIENT_PATH, CLIENT_MANAGER, "SetLimits", settings_fill,
                          &settings) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        return ctl_done(ctl);
}
