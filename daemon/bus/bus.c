#include "bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../util/cleanup.h"

struct bus {
        sd_bus *bus;
        struct bus_host host;
};

DEFINE_CLEANUP(struct bus *, bus_free)

void bus_free(struct bus *bus) {
        if (!bus)
                return;
        if (bus->bus) {
                sd_bus_detach_event(bus->bus);
                sd_bus_flush_close_unref(bus->bus);
        }
        free(bus);
}

static int bus_connect(struct bus *bus, sd_event *event) {
        int r = sd_bus_open_system(&bus->bus);

        if (r < 0)
                return r;
        r = bus_add_manager(bus->bus, &bus->host);
        if (r >= 0)
                r = bus_add_connections(bus->bus, &bus->host);
        if (r >= 0)
                r = sd_bus_request_name(bus->bus, BUS_NAME, 0);
        if (r >= 0)
                r = sd_bus_attach_event(bus->bus, event, BUS_PRIORITY);
        return r < 0 ? r : 0;
}

int bus_new(sd_event *event, const struct bus_host *host, struct bus **ret_bus) {
        _cleanup_(bus_freep) struct bus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return -ENOMEM;
        bus->host = *host;
        r = bus_connect(bus, event);
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

const char *bus_plugin(const struct bus_host *host, const struct connection *connection) {
        return connection->plugin_state ? host->engine->plugin->name : "";
}

uint32_t bus_uid(const struct bus_host *host, const struct connection *connection) {
        uint32_t uid;

        return host->kern->ops->owner(host->kern, connection->token, &uid) < 0 ? UINT32_MAX : uid;
}

int bus_append_address(sd_bus_message *message, const char *key,
                       const struct mptcpize_address *address) {
        char text[ADDRESS_TEXT];

        return sd_bus_message_append(message, "{sv}", key, "s", address_format(address, text));
}
