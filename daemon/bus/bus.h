/*
 * The D-Bus service org.mptcpize1: one file per kind of object; interfaces as in the XML of data/.
 *
 * Reading walks the model; nothing is kept for the bus, and objects are made when somebody asks.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include "../core/engine.h"
#include "../host/blackhole.h"
#include "../host/rules.h"
#include "../kern/kern.h"

#define BUS_NAME     "org.mptcpize1"
#define BUS_PATH     "/org/mptcpize1"
#define BUS_PRIORITY SD_EVENT_PRIORITY_IDLE /* path management comes first */

#define BUS_ERROR_NO_CONNECTION "org.mptcpize1.Error.NoSuchConnection"
#define BUS_ERROR_BAD_CONF      "org.mptcpize1.Error.BadConfiguration"
#define BUS_ERROR_NO_MODE       "org.mptcpize1.Error.NoSuchMode"
#define BUS_ERROR_NOT_MANAGED   "org.mptcpize1.Error.NotManaged"

/* What the bus shows and calls; all of it outlives the bus. */
struct bus_host {
        struct engine *engine;
        struct kern *kern;
        const char *path_manager;          /* of new sockets: "userspace" */
        const char *previous_path_manager; /* before the daemon started */
        const uint32_t *dead_after;        /* seconds that a connection without a path lives */
        const struct rules *rules;         /* policies */
        const struct blackholes *blackholes;
        /* Reads the configuration again; -EINVAL with the reason in error (of size bytes). */
        int (*reload)(void *userdata, char *error, size_t size);
        void *userdata;
};

struct bus;

/*
 * Connects to the system bus and takes the name. -EEXIST: another daemon has it; -EACCES: the bus
 * forbids it; other negative errno: no bus.
 */
int bus_new(sd_event *event, const struct bus_host *host, struct bus **ret_bus);
void bus_free(struct bus *bus);

/* bus-manager.c, bus-connection.c */
int bus_add_manager(sd_bus *bus, const struct bus_host *host);
int bus_add_connections(sd_bus *bus, const struct bus_host *host);

/* bus.c: pieces of replies */

/* Object path of a connection. */
#define BUS_CONNECTION_PATH 48
const char *bus_connection_path(uint32_t token, char path[static BUS_CONNECTION_PATH]);
const char *bus_role(const struct connection *connection);
const char *bus_plugin(const struct bus_host *host, const struct connection *connection);
/* Asks the kernel if it is not known yet, and questions, which it counts down, is not 0. */
uint32_t bus_uid(const struct bus_host *host, const struct connection *connection,
                 uint32_t *questions);

/* "": there was no hint; "none": no policy speaks of the program. */
const char *bus_policy(const struct bus_host *host, const struct connection *connection);

/* Appends {sv} with an address as text. */
int bus_append_address(sd_bus_message *message, const char *key,
                       const struct mptcpize_address *address);
