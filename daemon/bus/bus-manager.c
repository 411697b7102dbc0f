/*
 * /org/mptcpize1: what the daemon is and does, the list of connections, reload.
 */
#include "bus.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "../util/clock.h"
#include "../util/utf8.h"
#include "config.h"

static const struct bus_host *manager_host(void *userdata) {
        return userdata;
}

/* Properties */

static int manager_get_text(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        struct utsname kernel;
        const char *text = MPTCPIZE_VERSION;

        (void)bus, (void)path, (void)interface, (void)error;
        if (strcmp(property, "Kernel") == 0)
                text = uname(&kernel) < 0 ? "" : kernel.release;
        else if (strcmp(property, "PathManager") == 0)
                text = host->path_manager;
        else if (strcmp(property, "PreviousPathManager") == 0)
                text = host->previous_path_manager;
        else if (strcmp(property, "Plugin") == 0)
                text = host->engine->profiles[0].conf->plugin->name;
        return sd_bus_message_append(reply, "s", text);
}

static void manager_count_subflows(struct connection *connection, void *userdata) {
        uint32_t *n = userdata;

        *n += (uint32_t)connection->subflows.n;
}

/* Found alive, and what the plugin wants waits for their address ids. */
static void manager_count_undecided(struct connection *connection, void *userdata) {
        uint32_t *n = userdata;

        *n += connection->ids_wanted && !connection->ids_known &&
              connection->state <= CONNECTION_ESTABLISHED;
}

static int manager_get_number(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        uint32_t number = (uint32_t)host->engine->model.n_connections;

        (void)bus, (void)path, (void)interface, (void)error;
        if (strcmp(property, "SubflowCount") == 0) {
                number = 0;
                model_each(&host->engine->model, manager_count_subflows, &number);
        } else if (strcmp(property, "Undecided") == 0) {
                number = 0;
                model_each(&host->engine->model, manager_count_undecided, &number);
        } else if (strcmp(property, "MaxSubflows") == 0)
                number = host->engine->limits.max_subflows;
        else if (strcmp(property, "MaxConnections") == 0)
                number = host->engine->limits.max_connections;
        else if (strcmp(property, "DeadAfter") == 0)
                number = *host->dead_after;
        return sd_bus_message_append(reply, "u", number);
}

static int manager_get_counters(sd_bus *bus, const char *path, const char *interface,
                                const char *property, sd_bus_message *reply, void *userdata,
                                sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        int r = sd_bus_message_open_container(reply, 'a', "{st}");

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        for (enum counter i = 0; i < _COUNTER_MAX && r >= 0; i++)
                r = sd_bus_message_append(reply, "{st}", counter_name(i),
                                          host->engine->counters[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Policies */

static int manager_get_policy_number(sd_bus *bus, const char *path, const char *interface,
                                     const char *property, sd_bus_message *reply, void *userdata,
                                     sd_bus_error *error) {
        struct rules_status status;

        (void)bus, (void)path, (void)interface, (void)error;
        rules_status(manager_host(userdata)->rules, &status);
        return sd_bus_message_append(reply, "u",
                                     strcmp(property, "PolicyCount") == 0 ? status.policies
                                                                          : status.generation);
}

static int manager_get_policy_database(sd_bus *bus, const char *path, const char *interface,
                                       const char *property, sd_bus_message *reply, void *userdata,
                                       sd_bus_error *error) {
        struct rules_status status;

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        rules_status(manager_host(userdata)->rules, &status);
        return sd_bus_message_append(reply, "s", status.database);
}

static int manager_get_policy_texts(sd_bus *bus, const char *path, const char *interface,
                                    const char *property, sd_bus_message *reply, void *userdata,
                                    sd_bus_error *error) {
        const bool errors = strcmp(property, "PolicyErrors") == 0;
        struct rules_status status;
        int r = sd_bus_message_open_container(reply, 'a', "s");

        (void)bus, (void)path, (void)interface, (void)error;
        rules_status(manager_host(userdata)->rules, &status);
        for (size_t i = 0; i < (errors ? status.n_errors : status.n_dirs) && r >= 0; i++) {
                char text[RULES_ERROR];

                r = sd_bus_message_append(reply, "s",
                                          utf8_copy(errors ? status.errors[i] : status.dirs[i],
                                                    text, sizeof(text)));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Blackholes */

/* Seconds since then, UINT32_MAX if that was never. */
static uint32_t manager_age(uint64_t usec, uint64_t now) {
        if (!usec)
                return UINT32_MAX;
        return usec < now ? (uint32_t)((now - usec) / 1000000) : 0;
}

static int manager_get_blackhole(sd_bus *bus, const char *path, const char *interface,
                                 const char *property, sd_bus_message *reply, void *userdata,
                                 sd_bus_error *error) {
        const struct blackholes *blackholes = manager_host(userdata)->blackholes;

        (void)bus, (void)path, (void)interface, (void)error;
        if (strcmp(property, "BlackholeCount") == 0)
                return sd_bus_message_append(reply, "t", blackholes->count);
        if (strcmp(property, "BlackholeAge") == 0)
                return sd_bus_message_append(reply, "u",
                                             manager_age(blackholes->last_usec, clock_usec()));
        return sd_bus_message_append(reply, "s", blackhole_state_name(blackholes->state));
}

static int manager_get_blackholes(sd_bus *bus, const char *path, const char *interface,
                                  const char *property, sd_bus_message *reply, void *userdata,
                                  sd_bus_error *error) {
        const struct blackholes *blackholes = manager_host(userdata)->blackholes;
        const uint64_t now = clock_usec();
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        for (size_t i = 0; i < blackholes->n && r >= 0; i++) {
                const struct blackhole *row = &blackholes->list[i];
                char text[ADDRESS_TEXT];

                r = sd_bus_message_append(
                                reply, "a{sv}", 3, "Destination", "s",
                                address_format(&row->to, text), "Age", "u",
                                manager_age(row->since_usec, now), "Left", "u",
                                row->until_usec > now
                                                ? (uint32_t)((row->until_usec - now) / 1000000)
                                                : 0);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Interfaces */

/* Why no subflow can start from this interface, or NULL. */
static const char *manager_unusable(const struct engine *engine, const struct link *link,
                                    enum mptcpize_role role) {
        bool any = false;

        if (link->is.loopback)
                return "loopback";
        if (role == MPTCPIZE_ROLE_OFF)
                return "its role is off";
        if (!link->is.up)
                return "down, or no carrier";
        for (size_t i = 0; i < engine->profiles[0].locals.n; i++)
                if (engine->profiles[0].locals.items[i].is.ifindex == link->is.ifindex)
                        return NULL;
        for (size_t i = 0; i < engine->model.addresses.n; i++)
                any |= engine->model.addresses.items[i].is.ifindex == link->is.ifindex;
        return any ? "no usable address (link-local, temporary, tentative or deprecated)"
                   : "no address";
}

static int manager_append_addresses(sd_bus_message *reply, const struct engine *engine,
                                    int32_t ifindex) {
        char text[ADDRESS_TEXT];
        int r = sd_bus_message_open_container(reply, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(reply, "s", "Addresses");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < engine->model.addresses.n && r >= 0; i++)
                if (engine->model.addresses.items[i].is.ifindex == ifindex)
                        r = sd_bus_message_append(
                                        reply, "s",
                                        address_format(&engine->model.addresses.items[i].is.address,
                                                       text));
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(reply);
        return r;
}

/* What the host's own routes lack for the addresses of an interface, and what is done about it. */
static void manager_routing(const struct routing *routing, int32_t ifindex,
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

static int manager_append_interface(sd_bus_message *reply, const struct engine *engine,
                                    const struct link *link) {
        const char *why, *reason;
        enum mptcpize_role role = engine_role(engine, NULL, link->is.name, &why);
        char routing[2 * ROUTING_TEXT], name[sizeof(link->is.name)];
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        if (r < 0)
                return r;
        reason = manager_unusable(engine, link, role);
        manager_routing(&engine->routing, link->is.ifindex, routing);
        r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Routing", "s", routing,
                                  "Name", "s", utf8_copy(link->is.name, name, sizeof(name)),
                                  "Index", "i", link->is.ifindex, "Role", "s", role_name(role),
                                  "RoleReason", "s", why, "Usable", "b", reason == NULL, "Reason",
                                  "s", reason ? reason : "");
        if (r >= 0)
                r = manager_append_addresses(reply, engine, link->is.ifindex);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int manager_get_interfaces(sd_bus *bus, const char *path, const char *interface,
                                  const char *property, sd_bus_message *reply, void *userdata,
                                  sd_bus_error *error) {
        const struct engine *engine = manager_host(userdata)->engine;
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        for (size_t i = 0; i < engine->model.links.n && r >= 0; i++)
                r = manager_append_interface(reply, engine, &engine->model.links.items[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* List */

static int manager_append_row(sd_bus_message *reply, const struct bus_host *host,
                              const struct connection *connection, uint32_t *questions) {
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(
                                reply, "{sv}{sv}{sv}{sv}{sv}{sv}", "Token", "u", connection->token,
                                "State", "s", connection_state_name(connection->state), "Role", "s",
                                bus_role(connection), "Plugin", "s", bus_plugin(host, connection),
                                "Uid", "u", bus_uid(host, connection, questions), "Subflows", "u",
                                (uint32_t)connection->subflows.n);
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}", "Program", "s",
                                          connection->advice.program.name, "Pid", "u",
                                          (uint32_t)connection->advice.program.pid, "Policy", "s",
                                          bus_policy(host, connection), "UserTimeoutMsec", "u",
                                          connection->advice.user_timeout_msec);
        if (r >= 0)
                r = bus_append_address(reply, "Local", &connection->local);
        if (r >= 0)
                r = bus_append_address(reply, "Remote", &connection->remotes.items[0].address);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Rows from cursor on; the cursor of the next ones, 0: there are none. */
static int manager_append_rows(sd_bus_message *reply, const struct bus_host *host, uint32_t cursor,
                               uint32_t max, uint32_t *ret_next) {
        const struct connection *row = model_from(&host->engine->model, cursor);
        uint32_t questions = LIMIT_LIST_QUESTIONS;
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        for (uint32_t i = 0; i < max && row && r >= 0; i++) {
                r = manager_append_row(reply, host, row, &questions);
                row = row->token < UINT32_MAX ? model_from(&host->engine->model, row->token + 1)
                                              : NULL;
        }
        *ret_next = row ? row->token : 0;
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int manager_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
        uint32_t cursor, max, next;
        int r = sd_bus_message_read(call, "uu", &cursor, &max);

        if (r < 0)
                return r;
        if (max == 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "max is 0: ask for 1 to %u rows", LIMIT_LIST_ROWS);
        if (max > LIMIT_LIST_ROWS)
                max = LIMIT_LIST_ROWS;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = manager_append_rows(reply, manager_host(userdata), cursor, max, &next);
        if (r >= 0)
                r = sd_bus_message_append(reply, "u", next);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int manager_get_connection(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        char path[BUS_CONNECTION_PATH];
        uint32_t token;
        int r = sd_bus_message_read(call, "u", &token);

        if (r < 0)
                return r;
        if (!model_find(&manager_host(userdata)->engine->model, token))
                return sd_bus_error_setf(error, BUS_ERROR_NO_CONNECTION,
                                         "there is no connection 0x%08x", token);
        return sd_bus_reply_method_return(call, "o", bus_connection_path(token, path));
}

static int manager_reload(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        char text[1024];

        if (host->reload(host->userdata, text, sizeof(text)) < 0) {
                utf8_clean(text);
                return sd_bus_error_set(error, BUS_ERROR_BAD_CONF, text);
        }
        return sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_ARGS("u", cursor, "u", max),
                                SD_BUS_RESULT("aa{sv}", connections, "u", next), manager_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetConnection", SD_BUS_ARGS("u", token),
                                SD_BUS_RESULT("o", connection), manager_get_connection,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Reload", NULL, NULL, manager_reload, 0),
        SD_BUS_PROPERTY("Version", "s", manager_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kernel", "s", manager_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("PathManager", "s", manager_get_text, 0, 0),
        SD_BUS_PROPERTY("PreviousPathManager", "s", manager_get_text, 0, 0),
        SD_BUS_PROPERTY("Plugin", "s", manager_get_text, 0, 0),
        SD_BUS_PROPERTY("ConnectionCount", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("SubflowCount", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("Undecided", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("MaxSubflows", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("MaxConnections", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("DeadAfter", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("PolicyCount", "u", manager_get_policy_number, 0, 0),
        SD_BUS_PROPERTY("PolicyGeneration", "u", manager_get_policy_number, 0, 0),
        SD_BUS_PROPERTY("PolicyDatabase", "s", manager_get_policy_database, 0, 0),
        SD_BUS_PROPERTY("PolicyDirectories", "as", manager_get_policy_texts, 0, 0),
        SD_BUS_PROPERTY("PolicyErrors", "as", manager_get_policy_texts, 0, 0),
        SD_BUS_PROPERTY("BlackholeCount", "t", manager_get_blackhole, 0, 0),
        SD_BUS_PROPERTY("BlackholeAge", "u", manager_get_blackhole, 0, 0),
        SD_BUS_PROPERTY("BlackholeState", "s", manager_get_blackhole, 0, 0),
        SD_BUS_PROPERTY("Blackholes", "aa{sv}", manager_get_blackholes, 0, 0),
        SD_BUS_PROPERTY("Counters", "a{st}", manager_get_counters, 0, 0),
        SD_BUS_PROPERTY("Interfaces", "aa{sv}", manager_get_interfaces, 0, 0),
        SD_BUS_VTABLE_END,
};

/* sd-bus hands userdata back as a plain pointer; the host is only read through it. */
int bus_add_manager(sd_bus *bus, const struct bus_host *host) {
        void *userdata;

        memcpy(&userdata, &host, sizeof(userdata));
        return sd_bus_add_object_vtable(bus, NULL, BUS_PATH, "org.mptcpize1.Manager",
                                        manager_vtable, userdata);
}
