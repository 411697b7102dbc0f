#include "bus-private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../util/cleanup.h"
#include "../util/log.h"

#define BUS_RETRY_USEC 1000000u
#define BUS_MATCH      256
#define BUS_NAME_OWNER 1u /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER */

DEFINE_CLEANUP(struct bus *, bus_free)

static void bus_disconnect(struct bus *bus) {
        if (!bus->bus)
                return;
        bus_subscribers_done(bus);
        bus_orders_done(bus);
        bus_access_done(bus);
        sd_bus_detach_event(bus->bus);
        /* Who has not let us in yet is not waited for. */
        bus->bus = sd_bus_is_ready(bus->bus) > 0 ? sd_bus_flush_close_unref(bus->bus)
                                                 : sd_bus_close_unref(bus->bus);
}

void bus_free(struct bus *bus) {
        if (!bus)
                return;
        bus_disconnect(bus);
        sd_event_source_disable_unref(bus->retry);
        sd_event_unref(bus->event);
        bus_census_done(bus);
        free(bus);
}

static void bus_retry_soon(struct bus *bus) {
        (void)sd_event_source_set_time_relative(bus->retry, BUS_RETRY_USEC);
        (void)sd_event_source_set_enabled(bus->retry, SD_EVENT_ONESHOT);
}

/* The bus itself has gone. Its connection can't be freed from here, so the timer does that. */
static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct bus *bus = userdata;

        (void)message, (void)error;
        if (!bus->gone)
                log_warning("the bus is gone; path management goes on, and the bus is tried every "
                            "second");
        bus->gone = true;
        bus_retry_soon(bus);
        return 0;
}

/* Connections are no managed objects: there may be too many for one answer. */
static int bus_add_all(struct bus *bus) {
        int r = sd_bus_add_object_manager(bus->bus, NULL, BUS_PATH);

        if (r >= 0)
                r = bus_add_manager(bus);
        if (r >= 0)
                r = bus_add_connections(bus);
        if (r >= 0)
                r = bus_add_interfaces(bus);
        return r < 0 ? r : bus_add_plugins(bus);
}

/*
 * Where it had no memory for an object, libsystemd (seen: 252) has a node left that belongs to
 * nobody, and aborts when the connection is freed: so that is closed and never freed.
 */
static int bus_add_objects(struct bus *bus) {
        int r = bus_add_all(bus);

        if (r == -ENOMEM) {
                sd_bus_close(bus->bus);
                bus->bus = NULL;
        }
        return r;
}

static int on_named(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct bus *bus = userdata;
        uint32_t how;

        (void)error;
        if (sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_read(reply, "u", &how) < 0 || how != BUS_NAME_OWNER) {
                bus_retry_soon(bus);
                return 0;
        }
        log_notice("the bus is back");
        bus->gone = false;
        return 0;
}

/*
 * On failure there is no connection. at_once: what keeps us from having our name is a failure, too.
 * Else nobody is waited for: a bus that is starting takes connections before it answers.
 */
static int bus_connect(struct bus *bus, bool at_once) {
        int r = sd_bus_open_system(&bus->bus);

        if (r >= 0) /* which may wait: bus_disconnect() does it */
                r = sd_bus_set_close_on_exit(bus->bus, false);
        if (r >= 0)
                r = sd_bus_add_match(bus->bus, NULL,
                                     "type='signal',interface='org.freedesktop.DBus.Local',"
                                     "path='/org/freedesktop/DBus/Local',member='Disconnected'",
                                     on_disconnected, bus);
        if (r >= 0)
                r = bus_add_objects(bus);
        if (r >= 0)
                r = at_once ? sd_bus_request_name(bus->bus, BUS_NAME, 0)
                            : sd_bus_request_name_async(bus->bus, NULL, BUS_NAME, 0, on_named, bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus->bus, bus->event, BUS_PRIORITY);
        if (r < 0)
                bus_disconnect(bus);
        return r < 0 ? r : 0;
}

void bus_feed(struct bus *bus, const struct event *event) {
        if (!bus || !bus->bus)
                return;
        if (bus->orders.list.n > 0)
                bus_orders_feed(bus, event);
        if (bus->subscribers.list.n > 0 &&
            ((event->type >= EVENT_LINK && event->type <= EVENT_NET_END) ||
             event->type == EVENT_CONFIGURED || event->type == EVENT_COUNTERS ||
             event->type == EVENT_JOINS))
                bus_show_changes(bus);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct bus *bus = userdata;

        (void)source, (void)usec;
        bus_disconnect(bus);
        if (bus_connect(bus, false) < 0)
                bus_retry_soon(bus);
        return 0;
}

int bus_new(sd_event *event, const struct bus_host *host, struct bus **ret_bus) {
        _cleanup_(bus_freep) struct bus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return -ENOMEM;
        bus->host = *host;
        bus->event = sd_event_ref(event);
        r = sd_event_add_time(event, &bus->retry, CLOCK_MONOTONIC, 0, 0, on_retry, bus);
        if (r >= 0)
                r = sd_event_source_set_enabled(bus->retry, SD_EVENT_OFF);
        if (r >= 0)
                r = bus_connect(bus, true);
        if (r < 0)
                return r;
        *ret_bus = TAKE_PTR(bus);
        return 0;
}

const char *bus_connection_path(uint32_t token, char path[static BUS_CONNECTION_PATH]) {
        snprintf(path, BUS_CONNECTION_PATH, BUS_PATH "/connection/%08" PRIx32, token);
        return path;
}

const char *bus_role(const struct connection *connection) {
        return connection->flags & MPTCPIZE_VIEW_SERVER ? "server" : "client";
}

const char *bus_plugin(const struct connection *connection) {
        return connection->plugin ? connection->plugin->name : "";
}

uint32_t bus_uid(const struct bus_host *host, const struct connection *connection,
                 uint32_t *questions) {
        struct ownership owner;

        if (connection->uid != UINT32_MAX)
                return connection->uid;
        if (*questions > 0 && (*questions)-- &&
            host->kern->ops->owner(host->kern, connection->token, &owner) == 0 &&
            owner.uid != UINT32_MAX)
                return owner.uid;
        return connection->advice.program.uid;
}

const char *bus_policy(const struct bus_host *host, const struct connection *connection) {
        const char *name = engine_profile(host->engine, connection)->conf->name;

        if (!connection->advice.cookie && !connection->advice.assigned && !name[0])
                return "";
        return name[0] ? name : "none";
}

int bus_append_address(sd_bus_message *message, const char *key,
                       const struct mptcpize_address *address) {
        char text[ADDRESS_TEXT];

        return sd_bus_message_append(message, "{sv}", key, "s", address_format(address, text));
}

int bus_watch_caller(struct bus *bus, const char *name, sd_bus_slot **ret_slot,
                     sd_bus_message_handler_t on_leave, void *userdata) {
        char match[BUS_MATCH];

        snprintf(match, sizeof(match),
                 "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                 "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s',arg2=''",
                 name);
        return sd_bus_add_match_async(bus->bus, ret_slot, match, on_leave, NULL, userdata);
}

bool bus_path_name(const char *path, const char *prefix, char name[static LIMIT_NAME]) {
        _cleanup_(freep) char *found = NULL;

        if (sd_bus_path_decode(path, prefix, &found) <= 0 || strlen(found) >= LIMIT_NAME)
                return false;
        snprintf(name, LIMIT_NAME, "%s", found);
        return true;
}

void bus_free_nodes(char **nodes) {
        for (char **node = nodes; node && *node; node++)
                free(*node);
        free(nodes);
}
