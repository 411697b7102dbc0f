/*
 * The D-Bus service org.mptcpize1: one file per kind of object; interfaces as in the XML of data/.
 *
 * Reading walks the model; nothing is kept for the bus, and objects are made when somebody asks.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include "../core/order.h"
#include "../host/blackhole.h"
#include "../host/rules.h"
#include "../kern/kern.h"

struct auth;

#define BUS_NAME     "org.mptcpize1"
#define BUS_PATH     "/org/mptcpize1"
#define BUS_PRIORITY SD_EVENT_PRIORITY_IDLE /* path management comes first */

/* What the bus shows and calls; all of it outlives the bus. */
struct bus_host {
        struct engine *engine;
        struct kern *kern;
        const struct auth *auth;           /* NULL: nothing is protected */
        const char *path_manager;          /* of new sockets: "userspace" */
        const char *previous_path_manager; /* before the daemon started */
        const uint32_t *dead_after;        /* seconds that a connection without a path lives */
        const struct rules *rules;         /* policies */
        const struct blackholes *blackholes;
        const char *plugins; /* the directory that they were loaded from */
        /* The policies in force; NULL: there is no database. */
        const struct policy_read *(*policies)(void *userdata);
        /* As engine_set_role(); keep: also after a restart of the daemon. */
        int (*set_role)(void *userdata, const char *ifname, int role_or_unset, bool keep);
        /* Reads the configuration again; -EINVAL with the reason in error (of size bytes). */
        int (*reload)(void *userdata, char *error, size_t size);
        void *userdata;
        /* OpenMetrics, valid until the next call; NULL: no memory. */
        const char *(*metrics)(void *exporter);
        void *exporter;
};

struct bus;
struct policy_read;

/*
 * Connects to the system bus and takes the name. -EEXIST: another daemon has it; -EACCES: the bus
 * forbids it; other negative errno: no bus.
 */
int bus_new(sd_event *event, const struct bus_host *host, struct bus **ret_bus);
void bus_free(struct bus *bus);

/* To be called for each event after the engine has had it. Takes NULL. */
void bus_feed(struct bus *bus, const struct event *event);
