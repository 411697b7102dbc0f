/*
 * Roles of interfaces and limits, set while the daemon runs.
 */
#include "bus-private.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../util/clock.h"
#include "../util/utf8.h"

/* The engine's time is that of its last event. */
static void steer_tick(struct bus *bus) {
        struct event event = { .type = EVENT_TICK, .usec = clock_usec() };

        engine_feed(bus->host.engine, &event);
}

/* Roles */

int bus_set_role(struct bus *bus, sd_bus_message *call, const char *ifname, const char *role,
                 bool keep, sd_bus_error *error) {
        enum mptcpize_role parsed;
        char shown[LIMIT_NAME];
        int r = role[0] ? role_parse(role, &parsed) : 0;

        if (r < 0)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_ROLE,
                                         "\"%s\" is no role: master, on, backup, off, or \"\" for "
                                         "that of the configuration",
                                         utf8_copy(role, shown, sizeof(shown)));
        steer_tick(bus);
        r = bus->host.set_role(bus->host.userdata, ifname, role[0] ? (int)parsed : ROLE_UNSET,
                               keep);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, BUS_ERROR_NO_INTERFACE,
                                         "\"%s\" can't be the name of an interface",
                                         utf8_copy(ifname, shown, sizeof(shown)));
        if (r == -ENOBUFS)
                return sd_bus_error_setf(error, BUS_ERROR_TOO_MANY,
                                         "%u interfaces have a role of their own already",
                                         LIMIT_SET_ROLES);
        if (r < 0)
                return sd_bus_error_setf(error, BUS_ERROR_REFUSED, "it can't be kept: %s",
                                         strerror(-r));
        bus_show_changes(bus);
        return sd_bus_reply_method_return(call, NULL);
}

/* The interface need not be there yet, but a slip of the pen should be noticed: it must be, for a
 * role that is not kept. */
static int steer_role_allowed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct bus *bus = userdata;
        const char *ifname, *role;
        char shown[LIMIT_NAME];
        int keep, r = sd_bus_message_read(call, "ssb", &ifname, &role, &keep);

        if (r < 0)
                return r;
        if (!keep && role[0] && !bus_find_link(bus->host.engine, ifname))
                return sd_bus_error_setf(error, BUS_ERROR_NO_INTERFACE,
                                         "there is no interface \"%s\"",
                                         utf8_copy(ifname, shown, sizeof(shown)));
        return bus_set_role(bus, call, ifname, role, keep, error);
}

int bus_set_role_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_access(userdata, call, steer_role_allowed, error);
}

/* Limits */

static const struct {
        const char *key;
        const char *name; /* in mptcpized.conf(5) */
        size_t offset;
        uint32_t most; /* for the message: limits_check() decides */
} limit_keys[] = {
        { "MaxSubflows", "max_subflows", offsetof(struct limits, max_subflows),
          LIMIT_SUBFLOWS / 2 },
        { "MaxAccepted", "max_accepted", offsetof(struct limits, max_accepted),
          LIMIT_SUBFLOWS / 2 },
        { "MaxJoins", "max_joins", offsetof(struct limits, max_joins), LIMIT_SUBFLOWS / 2 },
        { "MaxRetries", "max_retries", offsetof(struct limits, max_retries), LIMIT_RETRIES },
        { "MaxConnections", "max_connections", offsetof(struct limits, max_connections),
          LIMIT_CONNECTIONS },
};

static int limits_take(struct limits *limits, const char *key, uint32_t value,
                       sd_bus_error *error) {
        char shown[LIMIT_NAME];

        for (size_t i = 0; i < sizeof(limit_keys) / sizeof(limit_keys[0]); i++)
                if (strcmp(limit_keys[i].key, key) == 0) {
                        memcpy((char *)limits + limit_keys[i].offset, &value, sizeof(value));
                        if (limits_check(limits) == 0)
                                return 0;
                        return sd_bus_error_setf(error, BUS_ERROR_BAD_LIMIT,
                                                 "%s can't be %u: expected 1 to %u",
                                                 limit_keys[i].name, value, limit_keys[i].most);
                }
        return sd_bus_error_setf(error, BUS_ERROR_BAD_LIMIT, "there is no limit \"%s\"",
                                 utf8_copy(key, shown, sizeof(shown)));
}

static int limits_read(sd_bus_message *call, struct limits *limits, sd_bus_error *error) {
        const char *key;
        uint32_t value, n = 0;
        int r = sd_bus_message_enter_container(call, 'a', "{su}");

        while (r >= 0 && (r = sd_bus_message_read(call, "{su}", &key, &value)) > 0)
                r = n++ < sizeof(limit_keys) / sizeof(limit_keys[0])
                                    ? limits_take(limits, key, value, error)
                                    : sd_bus_error_set(error, BUS_ERROR_BAD_LIMIT,
                                                       "a limit is named twice, or there is no "
                                                       "such limit");
        return r;
}

static int steer_limits_allowed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct bus *bus = userdata;
        struct limits limits = bus->host.engine->limits;
        int r = limits_read(call, &limits, error);

        if (r < 0)
                return r;
        steer_tick(bus);
        r = engine_set_limits(bus->host.engine, &limits);
        if (r < 0)
                return sd_bus_error_set(error, BUS_ERROR_BAD_LIMIT, strerror(-r));
        bus_show_changes(bus);
        return sd_bus_reply_method_return(call, NULL);
}

int bus_set_limits_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_access(userdata, call, steer_limits_allowed, error);
}
