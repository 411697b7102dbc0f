/*
 * /org/mptcpize1/interface/<name>: one network interface of this host, its role, and whether paths
 * can start from it.
 */
#include "bus-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../util/hash.h"
#include "../util/utf8.h"

#define INTERFACE_PATH BUS_PATH "/interface"

/* Why no subflow can start from this interface, or NULL. */
static const char *interface_unusable(const struct engine *engine, const struct link *link,
                                      enum mptcpize_role role) {
        bool any = false;

        if (link->is.loopback)
                return "loopback";
        if (role == MPTCPIZE_ROLE_OFF)
                return "its role is off";
        if (!link->is.up)
                return "down, or no carrier";
        if (engine_leaving(engine, link->is.name))
                return "about to go down";
        for (size_t i = 0; i < engine->profiles[0].locals.n; i++)
                if (engine->profiles[0].locals.items[i].is.ifindex == link->is.ifindex)
                        return NULL;
        for (size_t i = 0; i < engine->model.addresses.n; i++)
                any |= engine->model.addresses.items[i].is.ifindex == link->is.ifindex;
        return any ? "no usable address (link-local, temporary, tentative or deprecated)"
                   : "no address";
}

static int interface_append_addresses(sd_bus_message *reply, const struct engine *engine,
                                      int32_t ifindex) {
        char text[ADDRESS_TEXT];
        int r = sd_bus_message_open_container(reply, 'a', "s");

        for (size_t i = 0; i < engine->model.addresses.n && r >= 0; i++)
                if (engine->model.addresses.items[i].is.ifindex == ifindex)
                        r = sd_bus_message_append(
                                        reply, "s",
                                        address_format(&engine->model.addresses.items[i].is.address,
                                                       text));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* What the host's own routes lack for the addresses of an interface, and what is done about it. */
static void interface_routing(const struct routing *routing, int32_t ifindex,
                              char text[static 2 * ROUTING_TEXT]) {
        char one[ROUTING_TEXT];
        size_t used = 0;

        text[0] = '\0';
        for (size_t i = 0; i < routing->paths.n && used < ROUTING_TEXT; i++)
                if (routing->paths.items[i].ifindex == ifindex)
                        used += (size_t)snprintf(
                                        text + used, 2 * ROUTING_TEXT - used, "%s%s",
                                        used ? "; " : "",
                                        routing_text(routing, &routing->paths.items[i], one));
}

/* What there is to show of an interface; texts are valid until the network changes. */
struct interface_view {
        enum mptcpize_role role;
        const char *why, *reason; /* of the role; of not being usable, or NULL */
        char name[sizeof(((struct link_event *)NULL)->name)];
        char routing[2 * ROUTING_TEXT];
};

static void interface_look(const struct engine *engine, const struct link *link,
                           struct interface_view *ret_view) {
        ret_view->role = engine_role(engine, NULL, link->is.name, &ret_view->why);
        ret_view->reason = interface_unusable(engine, link, ret_view->role);
        utf8_copy(link->is.name, ret_view->name, sizeof(ret_view->name));
        interface_routing(&engine->routing, link->is.ifindex, ret_view->routing);
}

uint64_t bus_interface_hash(const struct engine *engine, const struct link *link) {
        const struct mptcpize_address *address;
        struct interface_view view;
        uint64_t hash = HASH_NULL;

        interface_look(engine, link, &view);
        hash = hash_more(hash, &link->is.ifindex, sizeof(link->is.ifindex));
        hash = hash_more(hash, &view.role, sizeof(view.role));
        hash = bus_hash_text(hash, view.why);
        hash = bus_hash_text(hash, view.reason ? view.reason : "");
        hash = bus_hash_text(hash, view.routing);
        for (size_t i = 0; i < engine->model.addresses.n; i++) {
                address = &engine->model.addresses.items[i].is.address;
                if (engine->model.addresses.items[i].is.ifindex == link->is.ifindex)
                        hash = hash_more(hash, address->bytes, sizeof(address->bytes));
        }
        return hash;
}

/* A row of the manager's property */

int bus_append_interface(sd_bus_message *reply, const struct engine *engine,
                         const struct link *link) {
        struct interface_view view;
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        interface_look(engine, link, &view);
        if (r >= 0)
                r = sd_bus_message_append(
                                reply, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Routing", "s", view.routing,
                                "Name", "s", view.name, "Index", "i", link->is.ifindex, "Role", "s",
                                role_name(view.role), "RoleReason", "s", view.why, "Usable", "b",
                                view.reason == NULL, "Reason", "s", view.reason ? view.reason : "");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", "Addresses");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "as");
        if (r >= 0)
                r = interface_append_addresses(reply, engine, link->is.ifindex);
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(reply);
        return r;
}

/* The object */

const struct link *bus_find_link(const struct engine *engine, const char *name) {
        const struct model *model = &engine->model;

        for (size_t i = 0; i < model->links.n; i++)
                if (strcmp(model->links.items[i].is.name, name) == 0)
                        return &model->links.items[i];
        return NULL;
}

static const struct link *interface_of(const char *path, const struct bus *bus) {
        char name[LIMIT_NAME];

        return bus_path_name(path, INTERFACE_PATH, name) ? bus_find_link(bus->host.engine, name)
                                                         : NULL;
}

static int interface_find(sd_bus *sd, const char *path, const char *interface, void *userdata,
                          void **ret_found, sd_bus_error *error) {
        (void)sd, (void)interface, (void)error;
        if (!interface_of(path, userdata))
                return 0;
        *ret_found = userdata;
        return 1;
}

static int interface_list(sd_bus *sd, const char *prefix, void *userdata, char ***ret_nodes,
                          sd_bus_error *error) {
        const struct bus *bus = userdata;
        const struct model *model = &bus->host.engine->model;
        char **nodes = calloc(model->links.n + 1, sizeof(*nodes));
        int r = nodes ? 0 : -ENOMEM;

        (void)sd, (void)prefix, (void)error;
        for (size_t i = 0; r >= 0 && i < model->links.n; i++)
                r = sd_bus_path_encode(INTERFACE_PATH, model->links.items[i].is.name, &nodes[i]);
        if (r < 0) {
                bus_free_nodes(nodes);
                return r;
        }
        *ret_nodes = nodes;
        return 1;
}

static int interface_get_text(sd_bus *sd, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
        const struct bus *bus = userdata;
        struct interface_view view;
        const char *text = view.name;

        (void)sd, (void)interface, (void)error;
        interface_look(bus->host.engine, interface_of(path, bus), &view);
        if (strcmp(property, "Role") == 0)
                text = role_name(view.role);
        else if (strcmp(property, "RoleReason") == 0)
                text = view.why;
        else if (strcmp(property, "Reason") == 0)
                text = view.reason ? view.reason : "";
        else if (strcmp(property, "Routing") == 0)
                text = view.routing;
        return sd_bus_message_append(reply, "s", text);
}

static int interface_get_number(sd_bus *sd, const char *path, const char *interface,
                                const char *property, sd_bus_message *reply, void *userdata,
                                sd_bus_error *error) {
        struct bus *bus = userdata;
        const struct link *link = interface_of(path, bus);
        struct interface_view view;

        (void)sd, (void)interface, (void)error;
        if (strcmp(property, "Index") == 0)
                return sd_bus_message_append(reply, "i", link->is.ifindex);
        if (strcmp(property, "SubflowCount") == 0)
                return sd_bus_message_append(reply, "u", bus_census_link(bus, link->is.ifindex));
        interface_look(bus->host.engine, link, &view);
        return sd_bus_message_append(reply, "b", view.reason == NULL);
}

static int interface_get_addresses(sd_bus *sd, const char *path, const char *interface,
                                   const char *property, sd_bus_message *reply, void *userdata,
                                   sd_bus_error *error) {
        const struct bus *bus = userdata;

        (void)sd, (void)interface, (void)property, (void)error;
        return interface_append_addresses(reply, bus->host.engine,
                                          interface_of(path, bus)->is.ifindex);
}

/* Changes */

static int interface_set_role_allowed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct bus *bus = userdata;
        const struct link *link = interface_of(sd_bus_message_get_path(call), bus);
        const char *role;
        int keep, r = sd_bus_message_read(call, "sb", &role, &keep);

        if (r < 0)
                return r;
        if (!link)
                return sd_bus_error_set(error, BUS_ERROR_NO_INTERFACE, "the interface has gone");
        return bus_set_role(bus, call, link->is.name, role, keep, error);
}

static int interface_set_role(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_access(userdata, call, interface_set_role_allowed, error);
}

static const sd_bus_vtable interface_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("SetRole", SD_BUS_ARGS("s", role, "b", keep), SD_BUS_NO_RESULT,
                                interface_set_role, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Name", "s", interface_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Index", "i", interface_get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Role", "s", interface_get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RoleReason", "s", interface_get_text, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Usable", "b", interface_get_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reason", "s", interface_get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Addresses", "as", interface_get_addresses, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Routing", "s", interface_get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("SubflowCount", "u", interface_get_number, 0, 0),
        SD_BUS_VTABLE_END,
};

int bus_add_interfaces(struct bus *bus) {
        int r = sd_bus_add_fallback_vtable(bus->bus, NULL, INTERFACE_PATH, BUS_INTERFACE,
                                           interface_vtable, interface_find, bus);

        return r < 0 ? r
                     : sd_bus_add_node_enumerator(bus->bus, NULL, INTERFACE_PATH, interface_list,
                                                  bus);
}
