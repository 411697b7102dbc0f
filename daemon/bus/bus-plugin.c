/*
 * /org/mptcpize1/plugin/<name>: a path manager that this daemon has loaded.
 */
#include "bus-private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../util/utf8.h"
#include "../util/hash.h"

#define PLUGIN_PATH BUS_PATH "/plugin"

bool bus_plugin_is_first(const struct engine *engine, size_t i) {
        const struct mptcpize_plugin *plugin = engine->profiles[i].conf->plugin;

        if (!plugin)
                return false;
        for (size_t k = 0; k < i; k++)
                if (engine->profiles[k].conf->plugin == plugin)
                        return false;
        return true;
}

static const struct mptcpize_plugin *plugin_of(const char *path, const struct bus *bus) {
        const struct engine *engine = bus->host.engine;
        char name[LIMIT_NAME];

        if (!bus_path_name(path, PLUGIN_PATH, name))
                return NULL;
        for (size_t i = 0; i < engine->n_profiles; i++) {
                const struct mptcpize_plugin *plugin = engine->profiles[i].conf->plugin;

                if (plugin && strcmp(plugin->name, name) == 0)
                        return plugin;
        }
        return NULL;
}

static int plugin_find(sd_bus *sd, const char *path, const char *interface, void *userdata,
                       void **ret_found, sd_bus_error *error) {
        (void)sd, (void)interface, (void)error;
        if (!plugin_of(path, userdata))
                return 0;
        *ret_found = userdata;
        return 1;
}

static int plugin_list(sd_bus *sd, const char *prefix, void *userdata, char ***ret_nodes,
                       sd_bus_error *error) {
        const struct bus *bus = userdata;
        const struct engine *engine = bus->host.engine;
        char **nodes = calloc(engine->n_profiles + 1, sizeof(*nodes));
        int r = nodes ? 0 : -ENOMEM;
        size_t n = 0;

        (void)sd, (void)prefix, (void)error;
        for (size_t i = 0; r >= 0 && i < engine->n_profiles; i++)
                if (bus_plugin_is_first(engine, i))
                        r = sd_bus_path_encode(PLUGIN_PATH, engine->profiles[i].conf->plugin->name,
                                               &nodes[n++]);
        if (r < 0) {
                bus_free_nodes(nodes);
                return r;
        }
        *ret_nodes = nodes;
        return 1;
}

static int plugin_get_text(sd_bus *sd, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error) {
        const struct bus *bus = userdata;
        const struct mptcpize_plugin *plugin = plugin_of(path, bus);
        char text[PATH_MAX], shown[PATH_MAX];

        (void)sd, (void)interface, (void)error;
        if (strcmp(property, "File") == 0)
                snprintf(text, sizeof(text), "%s/%s.so", bus->host.plugins, plugin->name);
        else if (strcmp(property, "Abi") == 0)
                snprintf(text, sizeof(text), "%u.%u", plugin->abi >> 16, plugin->abi & 0xffff);
        else
                snprintf(text, sizeof(text), "%s", plugin->name);
        return sd_bus_message_append(reply, "s", utf8_copy(text, shown, sizeof(shown)));
}

static int plugin_get_default(sd_bus *sd, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
        const struct bus *bus = userdata;

        (void)sd, (void)interface, (void)property, (void)error;
        return sd_bus_message_append(reply, "b",
                                     bus->host.engine->profiles[0].conf->plugin ==
                                                     plugin_of(path, bus));
}

static int plugin_get_count(sd_bus *sd, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error) {
        (void)sd, (void)interface, (void)property, (void)error;
        return sd_bus_message_append(reply, "u",
                                     bus_census_plugin(userdata, plugin_of(path, userdata)));
}

/* Not those of modes and plugins, which no policy has made, nor the file's own, without a name. */
static bool plugin_is_policy(const struct conf_profile *profile) {
        return profile->name[0] &&
               strncmp(profile->name, CONF_PROFILE_MODE, strlen(CONF_PROFILE_MODE)) != 0 &&
               strncmp(profile->name, CONF_PROFILE_PLUGIN, strlen(CONF_PROFILE_PLUGIN)) != 0;
}

uint64_t bus_plugin_hash(const struct engine *engine, const struct mptcpize_plugin *plugin) {
        uint64_t hash = HASH_NULL + (engine->profiles[0].conf->plugin == plugin);

        for (size_t i = 0; i < engine->n_profiles; i++) {
                const struct conf_profile *profile = engine->profiles[i].conf;

                if (profile->plugin == plugin && plugin_is_policy(profile))
                        hash = bus_hash_text(hash, profile->name);
        }
        return hash;
}

static int plugin_get_policies(sd_bus *sd, const char *path, const char *interface,
                               const char *property, sd_bus_message *reply, void *userdata,
                               sd_bus_error *error) {
        const struct bus *bus = userdata;
        const struct engine *engine = bus->host.engine;
        const struct mptcpize_plugin *plugin = plugin_of(path, bus);
        int r = sd_bus_message_open_container(reply, 'a', "s");

        (void)sd, (void)interface, (void)property, (void)error;
        for (size_t i = 0; i < engine->n_profiles && r >= 0; i++) {
                const struct conf_profile *profile = engine->profiles[i].conf;
                char name[LIMIT_NAME];

                if (profile->plugin == plugin && plugin_is_policy(profile))
                        r = sd_bus_message_append(reply, "s",
                                                  utf8_copy(profile->name, name, sizeof(name)));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static const sd_bus_vtable plugin_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", plugin_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("File", "s", plugin_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Abi", "s", plugin_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Default", "b", plugin_get_default, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Policies", "as", plugin_get_policies, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ConnectionCount", "u", plugin_get_count, 0, 0),
        SD_BUS_VTABLE_END,
};

int bus_add_plugins(struct bus *bus) {
        int r = sd_bus_add_fallback_vtable(bus->bus, NULL, PLUGIN_PATH, BUS_PLUGIN, plugin_vtable,
                                           plugin_find, bus);

        return r < 0 ? r
                     : sd_bus_add_node_enumerator(bus->bus, NULL, PLUGIN_PATH, plugin_list, bus);
}
