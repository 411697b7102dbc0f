/*
 * The daemon, as mptcpctl sees it: D-Bus calls whose answers are JSON values.
 *
 * Errors: a negative errno, and a sentence for the user with a remedy.
 */
#pragma once

#include <jansson.h>
#include "../util/cleanup.h"

#define CLIENT_MANAGER    "org.mptcpize1.Manager"
#define CLIENT_CONNECTION "org.mptcpize1.Connection"
#define CLIENT_PATH       "/org/mptcpize1"

struct client;

struct client_error {
        char text[768];
};

/* Connects to the system bus, $DBUS_SYSTEM_BUS_ADDRESS if that is set. */
int client_new(struct client **ret_client, struct client_error *error);
void client_free(struct client *client);
DEFINE_CLEANUP(struct client *, client_free)

/*
 * Calls a method of the manager; types and what follows are its arguments, as in
 * sd_bus_message_append(3). ret_reply: an array of what it returned. -ENXIO: no such connection.
 */
int client_call(struct client *client, struct client_error *error, json_t **ret_reply,
                const char *method, const char *types, ...);

/* The same of a connection, that of the object at path. */
int client_call_connection(struct client *client, struct client_error *error, json_t **ret_reply,
                           const char *path, const char *method, const char *types, ...);

/* All properties of an interface of an object, as one JSON object. -ENXIO: no such object. */
int client_properties(struct client *client, struct client_error *error, json_t **ret_properties,
                      const char *path, const char *interface);
