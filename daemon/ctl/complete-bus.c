/*
 * What completion has from the running daemon. See complete.h.
 */
#include "client.h"
#include "complete.h"
#include "fields.h"
#include "../util/limits.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The least token that begins with the digits. */
static uint32_t first_token(const char *digits) {
        uint32_t token = 0;

        for (unsigned int i = 0; i < 8; i++) {
                char digit[2] = { *digits, '\0' };

                token = token << 4 | (uint32_t)strtoul(digit, NULL, 16);
                digits += *digits != '\0';
        }
        return token;
}

/* A page of them, from what is typed on; as they are printed, or without 0x if that is typed. */
static void offer_tokens(const struct typed *typed, struct client *client) {
        const bool bare = *typed->last &&
                          strncmp("0x", typed->last,
                                  strlen(typed->last) < 2 ? strlen(typed->last) : 2) != 0;
        const char *digits = bare ? typed->last : strchr(typed->last, 'x');
        _cleanup_(json_decrefp) json_t *reply = NULL;
        char word[16], text[128];
        struct client_error error;
        const json_t *row;
        size_t i;

        if (client_call(client, &error, &reply, "List", "uu",
                        first_token(bare     ? digits
                                    : digits ? digits + 1
                                             : ""),
                        LIMIT_LIST_ROWS) < 0)
                return;
        json_array_foreach(json_array_get(reply, 0), i, row) {
                snprintf(word, sizeof(word), "%s%08x", bare ? "" : "0x",
                         (unsigned int)json_integer_value(json_object_get(row, "Token")));
                snprintf(text, sizeof(text), "%.40s %.60s", fields_text(row, "Program"),
                         fields_text(row, "Remote"));
                complete_offer(typed, word, text);
        }
}

static void offer_addresses(const struct typed *typed, const json_t *interface) {
        const json_t *address;
        size_t i;

        json_array_foreach(json_object_get(interface, "Addresses"), i, address) {
                const char *text = json_string_value(address);

                complete_offer(typed, text ? text : "", fields_text(interface, "Name"));
        }
}

static void offer_interfaces(const struct typed *typed, struct client *client,
                             enum argument argument) {
        _cleanup_(json_decrefp) json_t *objects = NULL;
        struct client_error error;
        const json_t *interface;
        size_t i;

        if (client_objects(client, &error, &objects, CLIENT_INTERFACE) < 0)
                return;
        json_array_foreach(objects, i, interface) {
                bool usable = json_is_true(json_object_get(interface, "Usable"));

                if (argument == ARGUMENT_INTERFACE || (argument == ARGUMENT_SOURCE && usable))
                        complete_offer(typed, fields_text(interface, "Name"),
                                       fields_text(interface, "Role"));
                if (argument == ARGUMENT_ADDRESS || (argument == ARGUMENT_SOURCE && usable))
                        offer_addresses(typed, interface);
        }
}

static void offer_plugins(const struct typed *typed, struct client *client) {
        _cleanup_(json_decrefp) json_t *objects = NULL;
        struct client_error error;
        const json_t *plugin;
        size_t i;

        if (client_objects(client, &error, &objects, CLIENT_PLUGIN) < 0)
                return;
        json_array_foreach(objects, i, plugin) {
                complete_offer(typed, fields_text(plugin, "Name"), "plugin");
        }
}

/* Ends of the subflows of the connection that the first argument is. */
static void offer_subflows(const struct typed *typed, struct client *client, const char *end) {
        const char *token = typed->n_args ? typed->args[0] : "";
        _cleanup_(json_decrefp) json_t *properties = NULL;
        char path[sizeof(CLIENT_PATH "/connection/12345678")];
        struct client_error error;
        const json_t *subflow;
        size_t i;

        snprintf(path, sizeof(path), CLIENT_PATH "/connection/%08x",
                 (unsigned int)strtoul(token, NULL, 16));
        if (client_properties(client, &error, &properties, path, CLIENT_CONNECTION) < 0)
                return;
        json_array_foreach(json_object_get(properties, "Subflows"), i, subflow) {
                complete_offer(typed, fields_text(subflow, end), fields_text(subflow, "Interface"));
                if (strcmp(end, "Local") == 0)
                        complete_offer(typed, fields_text(subflow, "Interface"),
                                       fields_text(subflow, end));
        }
}

void complete_offer_daemon(const struct typed *typed, enum argument argument) {
        _cleanup_(client_freep) struct client *client = NULL;
        struct client_error error;

        if (argument == ARGUMENT_ANY || argument == ARGUMENT_NONE || argument == ARGUMENT_FILE ||
            argument == ARGUMENT_PROGRAM || client_new_hurried(&client, &error) < 0)
                return;
        if (argument == ARGUMENT_TOKEN)
                offer_tokens(typed, client);
        else if (argument == ARGUMENT_PLUGIN)
                offer_plugins(typed, client);
        else if (argument == ARGUMENT_SUBFLOW)
                offer_subflows(typed, client, "Local");
        else if (argument == ARGUMENT_REMOTE)
                offer_subflows(typed, client, "Remote");
        else
                offer_interfaces(typed, client, argument);
}
