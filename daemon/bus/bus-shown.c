/*
 * What there is to see of this host: interfaces, plugins and settings. Subscribers are told when it
 * changes (PropertiesChanged, InterfacesAdded, InterfacesRemoved); without any, nothing is done.
 *
 * Nothing says what an event changes in what is shown, and nothing needs to: a little after events
 * that may, the hashes of what is there are compared with those of what was there before.
 */
#include "bus-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/auth.h"
#include "../util/hash.h"

#define SHOWN_SOON_USEC 50000u /* after an event: others follow it */
#define SHOWN_BATCH     32u    /* signals of one turn */
#define SHOWN_OBJECTS   (LIMIT_LINKS + LIMIT_PLUGINS)

uint64_t bus_hash_text(uint64_t hash, const char *text) {
        return hash_more(hash, text, strlen(text) + 1);
}

/* Properties of the manager */

enum value {
        VALUE_PLUGIN,
        VALUE_MAX_SUBFLOWS,
        VALUE_MAX_ACCEPTED,
        VALUE_MAX_JOINS,
        VALUE_MAX_RETRIES,
        VALUE_MAX_CONNECTIONS,
        VALUE_POLICY_COUNT,
        VALUE_POLICY_GENERATION,
        VALUE_POLICY_ERRORS,
        VALUE_BLACKHOLE_COUNT,
        VALUE_BLACKHOLE_STATE,
        VALUE_GATE,
        VALUE_GATE_REASON,
        VALUE_AUTH_PORT,
        VALUE_AUTH_REASON,
        VALUE_SUBSCRIBERS,
        VALUE_INTERFACES,
        _VALUE_MAX
};

/* They are what the vtable of bus-manager.c says to emit changes. */
static const char *const value_names[_VALUE_MAX] = {
        [VALUE_PLUGIN] = "Plugin",
        [VALUE_MAX_SUBFLOWS] = "MaxSubflows",
        [VALUE_MAX_ACCEPTED] = "MaxAccepted",
        [VALUE_MAX_JOINS] = "MaxJoins",
        [VALUE_MAX_RETRIES] = "MaxRetries",
        [VALUE_MAX_CONNECTIONS] = "MaxConnections",
        [VALUE_POLICY_COUNT] = "PolicyCount",
        [VALUE_POLICY_GENERATION] = "PolicyGeneration",
        [VALUE_POLICY_ERRORS] = "PolicyErrors",
        [VALUE_BLACKHOLE_COUNT] = "BlackholeCount",
        [VALUE_BLACKHOLE_STATE] = "BlackholeState",
        [VALUE_GATE] = "Gate",
        [VALUE_GATE_REASON] = "GateReason",
        [VALUE_AUTH_PORT] = "AuthPort",
        [VALUE_AUTH_REASON] = "AuthReason",
        [VALUE_SUBSCRIBERS] = "Subscribers",
        [VALUE_INTERFACES] = "Interfaces",
};

static void values_read_policies(const struct bus *bus, uint64_t values[static _VALUE_MAX]) {
        struct rules_status status;

        rules_status(bus->host.rules, &status);
        values[VALUE_POLICY_COUNT] = status.policies;
        values[VALUE_POLICY_GENERATION] = status.generation;
        values[VALUE_POLICY_ERRORS] = HASH_NULL;
        for (size_t i = 0; i < status.n_errors; i++)
                values[VALUE_POLICY_ERRORS] =
                                bus_hash_text(values[VALUE_POLICY_ERRORS], status.errors[i]);
}

static void values_read_auth(const struct bus *bus, uint64_t values[static _VALUE_MAX]) {
        struct auth_status status;

        bus_auth_status(&bus->host, &status);
        values[VALUE_GATE] = bus_hash_text(HASH_NULL, bus_gate(&status.gate));
        values[VALUE_GATE_REASON] = bus_hash_text(HASH_NULL, status.gate.reason);
        values[VALUE_AUTH_PORT] = status.port;
        values[VALUE_AUTH_REASON] = bus_hash_text(HASH_NULL, status.reason);
}

static void values_read(const struct bus *bus, uint64_t values[static _VALUE_MAX]) {
        const struct engine *engine = bus->host.engine;

        values[VALUE_PLUGIN] = bus_hash_text(HASH_NULL, engine->profiles[0].conf->plugin->name);
        values[VALUE_MAX_SUBFLOWS] = engine->limits.max_subflows;
        values[VALUE_MAX_ACCEPTED] = engine->limits.max_accepted;
        values[VALUE_MAX_JOINS] = engine->limits.max_joins;
        values[VALUE_MAX_RETRIES] = engine->limits.max_retries;
        values[VALUE_MAX_CONNECTIONS] = engine->limits.max_connections;
        values_read_policies(bus, values);
        values_read_auth(bus, values);
        values[VALUE_BLACKHOLE_COUNT] = bus->host.blackholes->count;
        values[VALUE_BLACKHOLE_STATE] = (uint64_t)bus->host.blackholes->state;
        values[VALUE_SUBSCRIBERS] = bus->subscribers.list.n;
        values[VALUE_INTERFACES] = HASH_NULL;
        for (size_t i = 0; i < bus->shown.objects.n; i++) {
                const struct shown_object *object = &bus->shown.objects.items[i];

                if (!object->is_plugin)
                        values[VALUE_INTERFACES] = hash_more(values[VALUE_INTERFACES],
                                                             &object->hash, sizeof(object->hash));
        }
}

static void shown_compare_values(struct bus *bus) {
        const char *names[_VALUE_MAX + 1] = { NULL };
        uint64_t values[_VALUE_MAX];
        size_t n = 0;
        char **changed;

        values_read(bus, values);
        for (enum value i = 0; i < _VALUE_MAX; i++)
                if (values[i] != bus->shown.values[i])
                        names[n++] = value_names[i];
        memcpy(bus->shown.values, values, sizeof(values));
        memcpy(&changed, &(const char *const *){ names }, sizeof(changed));
        if (n > 0)
                (void)sd_bus_emit_properties_changed_strv(bus->bus, BUS_PATH, BUS_MANAGER, changed);
}

/* Objects */

enum change { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_PROPERTIES };

static void shown_tell(struct bus *bus, const struct shown_object *object, enum change change) {
        const char *interface = object->is_plugin ? BUS_PLUGIN : BUS_INTERFACE;
        char *path;

        if (sd_bus_path_encode(object->is_plugin ? BUS_PATH "/plugin" : BUS_PATH "/interface",
                               object->name, &path) < 0)
                return;
        if (change == CHANGE_ADDED)
                (void)sd_bus_emit_interfaces_added(bus->bus, path, interface, NULL);
        else if (change == CHANGE_REMOVED)
                (void)sd_bus_emit_interfaces_removed(bus->bus, path, interface, NULL);
        else if (object->is_plugin)
                (void)sd_bus_emit_properties_changed(bus->bus, path, interface, "Default",
                                                     "Policies", NULL);
        else
                (void)sd_bus_emit_properties_changed(bus->bus, path, interface, "Index", "Role",
                                                     "RoleReason", "Usable", "Reason", "Addresses",
                                                     "Routing", NULL);
        free(path);
}

/* Mostly it is where it was: behind the one that was seen last. */
static struct shown_object *shown_find(struct shown *shown, const char *name, bool is_plugin) {
        for (size_t i = 0; i < shown->objects.n; i++) {
                const size_t at = (shown->last + 1 + i) % shown->objects.n;
                struct shown_object *object = &shown->objects.items[at];

                if (object->is_plugin == is_plugin && strcmp(object->name, name) == 0) {
                        shown->last = at;
                        return object;
                }
        }
        return NULL;
}

/* Takes what is there of one object. room: how many signals there may be. */
static void shown_see(struct bus *bus, const char *name, bool is_plugin, uint64_t hash,
                      unsigned int *room) {
        struct shown_object fresh = { .is_plugin = is_plugin, .seen = true, .hash = hash };
        struct shown *shown = &bus->shown;
        struct shown_object *object = shown_find(shown, name, is_plugin);

        if (object)
                object->seen = true;
        if (*room == 0 || (object && object->hash == hash))
                return;
        if (object) {
                object->hash = hash;
                (*room)--;
                shown_tell(bus, object, CHANGE_PROPERTIES);
                return;
        }
        snprintf(fresh.name, sizeof(fresh.name), "%s", name);
        if (ARRAY_APPEND(&shown->objects, fresh, SHOWN_OBJECTS) < 0)
                return;
        (*room)--;
        if (shown->values)
                shown_tell(bus, &fresh, CHANGE_ADDED);
}

static void shown_drop_unseen(struct bus *bus, unsigned int *room) {
        struct shown *shown = &bus->shown;

        for (size_t i = 0; i<shown->objects.n && * room> 0;) {
                struct shown_object object = shown->objects.items[i];

                if (object.seen) {
                        i++;
                        continue;
                }
                ARRAY_CUT(&shown->objects, i);
                (*room)--;
                shown_tell(bus, &object, CHANGE_REMOVED);
        }
}

/* What is over the room is found again by the next look. */
static void shown_look(struct bus *bus, unsigned int *room) {
        const struct engine *engine = bus->host.engine;
        struct shown *shown = &bus->shown;

        for (size_t i = 0; i < shown->objects.n; i++)
                shown->objects.items[i].seen = false;
        for (size_t i = 0; i < engine->model.links.n; i++) {
                const struct link *link = &engine->model.links.items[i];

                shown_see(bus, link->is.name, false, bus_interface_hash(engine, link), room);
        }
        for (size_t i = 0; i < engine->n_profiles; i++)
                if (bus_plugin_is_first(engine, i)) {
                        const struct mptcpize_plugin *plugin = engine->profiles[i].conf->plugin;

                        shown_see(bus, plugin->name, true, bus_plugin_hash(engine, plugin), room);
                }
        shown_drop_unseen(bus, room);
}

static void shown_forget(struct shown *shown) {
        ARRAY_DONE(&shown->objects);
        free(shown->values);
        shown->values = NULL;
}

/* The first look tells of nothing: all of it is as it was. */
static int shown_begin(struct bus *bus) {
        unsigned int room = SHOWN_OBJECTS;
        uint64_t *values;

        if (bus->shown.values)
                return 0;
        values = calloc(_VALUE_MAX, sizeof(*values));
        if (!values)
                return -ENOMEM;
        shown_look(bus, &room);
        values_read(bus, values);
        bus->shown.values = values;
        return 0;
}

static void shown_wake(struct shown *shown, uint64_t usec) {
        shown->awake = true;
        (void)sd_event_source_set_time_relative(shown->turn, usec);
        (void)sd_event_source_set_enabled(shown->turn, SD_EVENT_ONESHOT);
}

static int on_shown_turn(sd_event_source *source, uint64_t usec, void *userdata) {
        struct bus *bus = userdata;
        unsigned int room = SHOWN_BATCH;

        (void)source, (void)usec;
        bus->shown.awake = false;
        if (bus->subscribers.list.n == 0) {
                shown_forget(&bus->shown);
                return 0;
        }
        shown_look(bus, &room);
        shown_compare_values(bus);
        if (room == 0)
                shown_wake(&bus->shown, 0);
        return 0;
}

static int shown_start(struct bus *bus) {
        int r = 0;

        if (!bus->shown.turn) {
                r = sd_event_add_time_relative(bus->event, &bus->shown.turn, CLOCK_MONOTONIC, 0, 0,
                                               on_shown_turn, bus);
                if (r >= 0)
                        r = sd_event_source_set_priority(bus->shown.turn, BUS_PRIORITY);
                if (r >= 0)
                        r = sd_event_source_set_enabled(bus->shown.turn, SD_EVENT_OFF);
        }
        return r < 0 ? r : shown_begin(bus);
}

void bus_show_changes(struct bus *bus) {
        if (bus->subscribers.list.n > 0 && !bus->shown.awake && shown_start(bus) == 0)
                shown_wake(&bus->shown, SHOWN_SOON_USEC);
}

void bus_shown_done(struct bus *bus) {
        shown_forget(&bus->shown);
        bus->shown.turn = sd_event_source_disable_unref(bus->shown.turn);
        bus->shown.awake = false;
}
