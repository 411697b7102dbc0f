/*
 * What the files of the bus share. Every object's userdata is the struct bus.
 *
 *   bus.c             the connection to the bus, and pieces of replies
 *   bus-access.c      who may change things
 *   bus-census.c      counts over all connections
 *   bus-manager.c     /org/mptcpize1
 *   bus-policy.c      its properties and methods of policies
 *   bus-interface.c   /org/mptcpize1/interface/<name>
 *   bus-advice.c      the manager's method Advise
 *   bus-plugin.c      /org/mptcpize1/plugin/<name>
 *   bus-connection.c  /org/mptcpize1/connection/<token>
 *   bus-shown.c       tells subscribers of interfaces, plugins and properties
 */
#pragma once

#include "bus.h"

#define BUS_MANAGER    "org.mptcpize1.Manager"
#define BUS_CONNECTION "org.mptcpize1.Connection"
#define BUS_INTERFACE  "org.mptcpize1.Interface"
#define BUS_PLUGIN     "org.mptcpize1.Plugin"

#define BUS_ERROR_BAD_ROLE     "org.mptcpize1.Error.BadRole"
#define BUS_ERROR_NO_INTERFACE "org.mptcpize1.Error.NoSuchInterface"

/* Counts over all connections. */
struct census_row {
        uint64_t key; /* index of an interface, or address of a plugin */
        uint32_t n;
};

struct census_rows {
        struct census_row *items; /* in the order of their keys */
        uint32_t n, cap;
};

struct census {
        uint64_t until_usec; /* it is counted again after that */
        uint32_t subflows;
        uint32_t undecided;
        struct census_rows links;   /* subflows of each */
        struct census_rows plugins; /* connections of each */
};

/* Calls that wait for somebody to say whether they are allowed. */
struct question;

struct access {
        ARRAY_OF(struct question *) questions;
        size_t n_asked; /* of polkit */
};

struct bus {
        sd_bus *bus; /* NULL: there is none now */
        sd_event *event;
        sd_event_source *retry;
        struct bus_host host;
        struct access access;
        struct census census;
};

/* bus-access.c */

/*
 * Calls then(call, bus, error) if the caller of that method is root, or if polkit allows it. Both
 * are asked without waiting, so that then may be called later: it must find its objects again. As
 * the handler of a method: positive, or a negative errno with error set.
 */
int bus_access(struct bus *bus, sd_bus_message *call, sd_bus_message_handler_t then,
               sd_bus_error *error);
/* All that is waiting is forgotten: the bus is gone. */
void bus_access_done(struct bus *bus);

/* bus-census.c: valid until the next call. */
const struct census *bus_census(struct bus *bus);
void bus_census_done(struct bus *bus);
uint32_t bus_census_link(struct bus *bus, int32_t ifindex);
uint32_t bus_census_plugin(struct bus *bus, const struct mptcpize_plugin *plugin);

/* The objects. 0 or a negative errno. */
int bus_add_manager(struct bus *bus);
int bus_add_connections(struct bus *bus);
int bus_add_interfaces(struct bus *bus);
int bus_add_plugins(struct bus *bus);

/* bus-interface.c: a row of the manager's property Interfaces. */
int bus_append_interface(sd_bus_message *reply, const struct engine *engine,
                         const struct link *link);

/* bus-advice.c: a method of the manager. */
int bus_advise(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* bus-policy.c: properties of the manager. */
int bus_get_policy_number(sd_bus *sd, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_policy_database(sd_bus *sd, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error);
int bus_get_policy_texts(sd_bus *sd, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_blackhole(sd_bus *sd, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_blackholes(sd_bus *sd, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* bus.c: pieces of replies */

/* Object path of a connection. */
#define BUS_CONNECTION_PATH 48
const char *bus_connection_path(uint32_t token, char path[static BUS_CONNECTION_PATH]);
const char *bus_role(const struct connection *connection);
const char *bus_plugin(const struct connection *connection);
/* Asks the kernel if it is not known yet, and questions, which it counts down, is not 0. */
uint32_t bus_uid(const struct bus_host *host, const struct connection *connection,
                 uint32_t *questions);

/* "": there was no hint; "none": no policy speaks of the program. */
const char *bus_policy(const struct bus_host *host, const struct connection *connection);

/* Appends {sv} with an address as text. */
int bus_append_address(sd_bus_message *message, const char *key,
                       const struct mptcpize_address *address);

/* What is behind the last slash of an object's path, unescaped; false: it is not below prefix. */
bool bus_path_name(const char *path, const char *prefix, char name[static LIMIT_NAME]);

/* What an enumerator of nodes has made: strings, the last one NULL. */
void bus_free_nodes(char **nodes);
