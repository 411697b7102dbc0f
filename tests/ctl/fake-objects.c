#include "fake-objects.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct object {
        const char *path;
        const char *name;
        const char *role;
        const char *address;
};

static const struct object interfaces[] = {
        { "/org/mptcpize1/interface/wlan0", "wlan0", "backup", "192.0.2.1" },
        { "/org/mptcpize1/interface/lte0", "lte0", "on", "2001:db8::1" },
        { "/org/mptcpize1/interface/_1", "$(touch x)", "on", "`touch x`" },
        { "/org/mptcpize1/interface/_2", "-rf", "on", "192.0.2.3" },
        { "/org/mptcpize1/interface/_3", "a;touch x", "on", "192.0.2.4" },
        { "/org/mptcpize1/interface/_4", "e\033[31m", "off", "192.0.2.5" },
};

static int get_interface(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const struct object *object = userdata;

        (void)bus, (void)path, (void)interface, (void)error;
        if (strcmp(property, "Name") == 0)
                return sd_bus_message_append(reply, "s", object->name);
        if (strcmp(property, "Role") == 0)
                return sd_bus_message_append(reply, "s", object->role);
        if (strcmp(property, "Addresses") == 0)
                return sd_bus_message_append(reply, "as", 1, object->address);
        if (strcmp(property, "Index") == 0)
                return sd_bus_message_append(reply, "i", 3);
        if (strcmp(property, "Usable") == 0)
                return sd_bus_message_append(reply, "b", strcmp(object->role, "off") != 0);
        if (strcmp(property, "SubflowCount") == 0)
                return sd_bus_message_append(reply, "u", 2);
        if (strcmp(property, "RoleReason") == 0)
                return sd_bus_message_append(reply, "s", "default");
        return sd_bus_message_append(reply, "s", "");
}

static const char *const plugins[] = { "fullmesh", "backup", "evil$(touch x)" };

static int get_plugin(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const char *const *name = userdata;

        (void)bus, (void)path, (void)interface, (void)error;
        if (strcmp(property, "Name") == 0)
                return sd_bus_message_append(reply, "s", *name);
        if (strcmp(property, "Default") == 0)
                return sd_bus_message_append(reply, "b", name == plugins);
        if (strcmp(property, "ConnectionCount") == 0)
                return sd_bus_message_append(reply, "u", 7);
        if (strcmp(property, "Policies") == 0)
                return sd_bus_message_append(reply, "as", 1, "web");
        return sd_bus_message_append(reply, "s",
                                     strcmp(property, "Abi") == 0 ? "1.1"
                                                                  : "/usr/lib/mptcpize/x.so");
}

static const sd_bus_vtable interface[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_interface, 0, 0),
        SD_BUS_PROPERTY("Index", "i", get_interface, 0, 0),
        SD_BUS_PROPERTY("Role", "s", get_interface, 0, 0),
        SD_BUS_PROPERTY("RoleReason", "s", get_interface, 0, 0),
        SD_BUS_PROPERTY("Usable", "b", get_interface, 0, 0),
        SD_BUS_PROPERTY("Reason", "s", get_interface, 0, 0),
        SD_BUS_PROPERTY("Addresses", "as", get_interface, 0, 0),
        SD_BUS_PROPERTY("Routing", "s", get_interface, 0, 0),
        SD_BUS_PROPERTY("SubflowCount", "u", get_interface, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable plugin[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_plugin, 0, 0),
        SD_BUS_PROPERTY("File", "s", get_plugin, 0, 0),
        SD_BUS_PROPERTY("Abi", "s", get_plugin, 0, 0),
        SD_BUS_PROPERTY("Default", "b", get_plugin, 0, 0),
        SD_BUS_PROPERTY("Policies", "as", get_plugin, 0, 0),
        SD_BUS_PROPERTY("ConnectionCount", "u", get_plugin, 0, 0),
        SD_BUS_VTABLE_END,
};

int add_object(sd_bus *bus, const char *path, const char *name, const sd_bus_vtable *vtable,
               const void *userdata) {
        void *plain;

        memcpy(&plain, &userdata, sizeof(plain));
        return sd_bus_add_object_vtable(bus, NULL, path, name, vtable, plain);
}

int add_objects(sd_bus *bus) {
        char path[64];
        int r = sd_bus_add_object_manager(bus, NULL, "/org/mptcpize1");

        for (size_t i = 0; r >= 0 && i < sizeof(interfaces) / sizeof(interfaces[0]); i++)
                r = add_object(bus, interfaces[i].path, "org.mptcpize1.Interface", interface,
                               &interfaces[i]);
        for (size_t i = 0; r >= 0 && i < sizeof(plugins) / sizeof(plugins[0]); i++) {
                snprintf(path, sizeof(path), "/org/mptcpize1/plugin/_%zu", i);
                r = add_object(bus, path, "org.mptcpize1.Plugin", plugin, &plugins[i]);
        }
        return r;
}
