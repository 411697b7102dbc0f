/*
 * What the files of the bus share. Every object's userdata is the struct bus.
 *
 *   bus.c             the connection to the bus, and pieces of replies
 *   bus-access.c      who may change things
 *   bus-census.c      counts over all connections
 *   bus-manager.c     /org/mptcpize1
 *   bus-policy.c      its properties and methods of policies
 *   bus-explain.c     questions about policies
 *   bus-interface.c   /org/mptcpize1/interface/<name>
 *   bus-advice.c      the manager's method Advise
 *   bus-auth.c        what they and the manager show of join authentication
 *   bus-plugin.c      /org/mptcpize1/plugin/<name>
 *   bus-connection.c  /org/mptcpize1/connection/<token>
 *   bus-order.c       orders that wait for the kernel
 *   bus-steer.c       roles and limits
 *   bus-subscribe.c   signals of what happens, to who has asked for them
 *   bus-shown.c       and of interfaces, plugins and properties
 */
#pragma once

#include "bus.h"

#define BUS_ERROR_AMBIGUOUS     "org.mptcpize1.Error.AmbiguousSubflow"
#define BUS_ERROR_BAD_ADDRESS   "org.mptcpize1.Error.BadAddress"
#define BUS_ERROR_BAD_CONF      "org.mptcpize1.Error.BadConfiguration"
#define BUS_ERROR_BAD_LIMIT     "org.mptcpize1.Error.BadLimit"
#define BUS_ERROR_BAD_QUESTION  "org.mptcpize1.Error.BadQuestion"
#define BUS_ERROR_BAD_ROLE      "org.mptcpize1.Error.BadRole"
#define BUS_ERROR_NO_ADDRESS    "org.mptcpize1.Error.NoSuchAddress"
#define BUS_ERROR_NO_CONNECTION "org.mptcpize1.Error.NoSuchConnection"
#define BUS_ERROR_NO_INTERFACE  "org.mptcpize1.Error.NoSuchInterface"
#define BUS_ERROR_NO_MODE       "org.mptcpize1.Error.NoSuchMode"
#define BUS_ERROR_NO_SUBFLOW    "org.mptcpize1.Error.NoSuchSubflow"
#define BUS_ERROR_NOT_MANAGED   "org.mptcpize1.Error.NotManaged"
#define BUS_ERROR_REFUSED       "org.mptcpize1.Error.Refused"
#define BUS_ERROR_TOO_MANY      "org.mptcpize1.Error.TooMany"

#define BUS_MANAGER    "org.mptcpize1.Manager"
#define BUS_CONNECTION "org.mptcpize1.Connection"
#define BUS_INTERFACE  "org.mptcpize1.Interface"
#define BUS_PLUGIN     "org.mptcpize1.Plugin"

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

/* Calls that wait for somebody to say whose they are, or whether they are allowed. */
struct question;

struct access {
        ARRAY_OF(struct question *) questions;
        uint32_t serial; /* of the last question to polkit */
        uint32_t uid;    /* whose call is being answered */
};

/* Those who want a signal for each line of the log. */
struct subscriber;
struct signal;

struct subscribers {
        ARRAY_OF(struct subscriber *) list;
        struct signal *ring;  /* LIMIT_SIGNALS of them; NULL: nobody has subscribed */
        uint64_t end;         /* serial of the next line */
        uint64_t lost;        /* by all of them */
        uint64_t offset_usec; /* from CLOCK_MONOTONIC to CLOCK_REALTIME */
        sd_event_source *turn;
        bool awake; /* a turn is to come */
};

/* An order that waits for the kernel. */
struct pending {
        sd_bus_message *call;
        struct order order;
        uint32_t serial; /* of its action */
        bool asked;      /* the kernel, with that */
        bool again;      /* the address ids have come: it is to be given again */
        bool ready;      /* to be answered, with */
        int error;
        char reason[LIMIT_REASON];
        uint64_t until_usec;
};

struct orders {
        ARRAY_OF(struct pending) list;
        sd_event_source *turn;
};

/* What subscribers have been shown of an object. */
struct shown_object {
        char name[LIMIT_NAME];
        bool is_plugin; /* else an interface */
        bool seen;      /* in the look that is being taken */
        uint64_t hash;
};

struct shown {
        ARRAY_OF(struct shown_object) objects;
        size_t last;      /* that was found */
        uint64_t *values; /* of the manager's properties; NULL: nothing has been shown */
        sd_event_source *turn;
        bool awake;
};

struct bus {
        sd_bus *bus; /* NULL: there is none now */
        sd_event *event;
        sd_event_source *retry;
        bool gone; /* which was told of */
        struct bus_host host;
        struct access access;
        struct census census;
        struct subscribers subscribers;
        struct orders orders;
        struct shown shown;
};

/* bus-access.c */

/*
 * Calls then(call, bus, error) if the caller of that method is root, or if polkit allows it. Both
 * are asked without waiting, so that then may be called later: it must find its objects again. As
 * the handler of a method: positive, or a negative errno with error set.
 */
int bus_access(struct bus *bus, sd_bus_message *call, sd_bus_message_handler_t then,
               sd_bus_error *error);
/* The same for what everybody may, when it matters who it is: then finds that in access.uid. */
int bus_identify(struct bus *bus, sd_bus_message *call, sd_bus_message_handler_t then,
                 sd_bus_error *error);
/* All that is waiting is forgotten: the bus is gone. */
void bus_access_done(struct bus *bus);

/* bus-census.c: valid until the next call. */
const struct census *bus_census(struct bus *bus);
void bus_census_done(struct bus *bus);
uint32_t bus_census_link(struct bus *bus, int32_t ifindex);
uint32_t bus_census_plugin(struct bus *bus, const struct mptcpize_plugin *plugin);

/* bus-subscribe.c */
int bus_subscribe(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_unsubscribe_call(sd_bus_message *call, void *userdata, sd_bus_error *error);
void bus_unsubscribe(struct bus *bus, const char *name);
void bus_subscribers_done(struct bus *bus);

/* bus-order.c */
/* Gives an order, and answers the call now or later. As the handler of a method. */
int bus_order(struct bus *bus, sd_bus_message *call, const struct order *order,
              sd_bus_error *error);
void bus_orders_feed(struct bus *bus, const struct event *event);
void bus_orders_done(struct bus *bus);

/* bus-shown.c */
/* Something may have changed that subscribers are told of: soon, if there are any. */
void bus_show_changes(struct bus *bus);
void bus_shown_done(struct bus *bus);

/* hash_more() of a text with its NUL, so that two texts are not taken for one. */
uint64_t bus_hash_text(uint64_t hash, const char *text);

/* bus-steer.c */
int bus_set_role(struct bus *bus, sd_bus_message *call, const char *ifname, const char *role,
                 bool keep, sd_bus_error *error);
int bus_set_role_call(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_set_limits_call(sd_bus_message *call, void *userdata, sd_bus_error *error);

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

uint64_t bus_interface_hash(const struct engine *engine, const struct link *link);
const struct link *bus_find_link(const struct engine *engine, const char *name);

/* bus-plugin.c */
/* Is it the first profile with its plugin? Profiles share them. */
bool bus_plugin_is_first(const struct engine *engine, size_t i);
uint64_t bus_plugin_hash(const struct engine *engine, const struct mptcpize_plugin *plugin);

/* bus-explain.c: a method of the manager. */
int bus_explain(sd_bus_message *call, void *userdata, sd_bus_error *error);

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

/* bus-auth.c: properties of the manager, and pieces of replies. */
struct auth_status;
struct auth_view;
struct gate_status;
int bus_get_auth_text(sd_bus *sd, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_auth_number(sd_bus *sd, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_append_auth_counters(sd_bus_message *reply, const struct bus_host *host);
int bus_append_auth_row(sd_bus_message *reply, const struct bus_host *host, uint32_t token);
void bus_auth_view(const struct bus_host *host, uint32_t token, struct auth_view *ret_view);
void bus_auth_status(const struct bus_host *host, struct auth_status *ret_status);
/* "off", "closed", "missing". */
const char *bus_gate(const struct gate_status *gate);

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

/* Calls on_leave when who has that unique name leaves the bus, as long as there is the slot. */
int bus_watch_caller(struct bus *bus, const char *name, sd_bus_slot **ret_slot,
                     sd_bus_message_handler_t on_leave, void *userdata);

/* What is behind the last slash of an object's path, unescaped; false: it is not below prefix. */
bool bus_path_name(const char *path, const char *prefix, char name[static LIMIT_NAME]);

/* What an enumerator of nodes has made: strings, the last one NULL. */
void bus_free_nodes(char **nodes);
