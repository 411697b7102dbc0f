/*
 * The daemon, as mptcpctl sees it: D-Bus calls whose answers are JSON values.
 *
 * Errors: a negative errno, and a sentence for the user with a remedy.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>
#include "../util/cleanup.h"

#define CLIENT_MANAGER    "org.mptcpize1.Manager"
#define CLIENT_CONNECTION "org.mptcpize1.Connection"
#define CLIENT_INTERFACE  "org.mptcpize1.Interface"
#define CLIENT_PLUGIN     "org.mptcpize1.Plugin"
#define CLIENT_NAME       "org.mptcpize1"
#define CLIENT_PATH       "/org/mptcpize1"

struct client;

struct client_error {
        char text[768];
};

/* Connects to the system bus, $DBUS_SYSTEM_BUS_ADDRESS if that is set. */
int client_new(struct client **ret_client, struct client_error *error);

/* One that doesn't start the daemon, doesn't wait for long, and doesn't say why: for completion. */
int client_new_hurried(struct client **ret_client, struct client_error *error);
void client_free(struct client *client);
DEFINE_CLEANUP(struct client *, client_free)

/*
 * Calls a method of the manager; types and what follows are its arguments, as in
 * sd_bus_message_append(3). ret_reply: an array of what it returned. -ENXIO: no such connection.
 */
int client_call(struct client *client, struct client_error *error, json_t **ret_reply,
                const char *method, const char *types, ...);

/*
 * Calls a method that changes something: people may be asked for a password (polkit), so it may
 * take its time. fill appends the arguments, and returns a negative errno if it can't.
 */
typedef int (*client_fill_fn)(sd_bus_message *call, const void *userdata);
int client_change(struct client *client, struct client_error *error, const char *path,
                  const char *interface, const char *method, client_fill_fn fill,
                  const void *userdata);

/* All properties of an interface of an object, as one JSON object. -ENXIO: no such object. */
int client_properties(struct client *client, struct client_error *error, json_t **ret_properties,
                      const char *path, const char *interface);

/* The properties of all objects with that interface, an array; connections are not among them. */
int client_objects(struct client *client, struct client_error *error, json_t **ret_objects,
                   const char *interface);

/* For who talks to the bus itself: says why a call failed. Returns the error to go on with. */
int client_explain(struct client_error *error, const sd_bus_error *from, int r);
int client_explain_bus(struct client_error *error, int r);
