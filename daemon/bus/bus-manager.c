/*
 * /org/mptcpize1: what the daemon is and does, the list of connections, reload.
 */
#include "bus-private.h"

#include <string.h>
#include <sys/utsname.h>

#include "../util/clock.h"
#include "../util/utf8.h"
#include "config.h"

static const struct bus_host *manager_host(void *userdata) {
        const struct bus *bus = userdata;

        return &bus->host;
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

static int manager_get_number(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        uint32_t number = (uint32_t)host->engine->model.n_connections;

        (void)bus, (void)path, (void)interface, (void)error;
        if (strcmp(property, "SubflowCount") == 0)
                number = bus_census(userdata)->subflows;
        else if (strcmp(property, "Undecided") == 0)
                number = bus_census(userdata)->undecided;
        else if (strcmp(property, "MaxSubflows") == 0)
                number = host->engine->limits.max_subflows;
        else if (strcmp(property, "MaxAccepted") == 0)
                number = host->engine->limits.max_accepted;
        else if (strcmp(property, "MaxJoins") == 0)
                number = host->engine->limits.max_joins;
        else if (strcmp(property, "MaxRetries") == 0)
                number = host->engine->limits.max_retries;
        else if (strcmp(property, "Subscribers") == 0)
                number = ((const struct bus *)userdata)->subscribers.list.n;
        else if (strcmp(property, "MaxConnections") == 0)
                number = host->engine->limits.max_connections;
        else if (strcmp(property, "DeadAfter") == 0)
                number = *host->dead_after;
        return sd_bus_message_append(reply, "u", number);
}

static int manager_get_lost(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error) {
        const struct bus *self = userdata;

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        return sd_bus_message_append(reply, "t", self->subscribers.lost);
}

static int manager_get_counters(sd_bus *bus, const char *path, const char *interface,
                                const char *property, sd_bus_message *reply, void *userdata,
                                sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        int r = sd_bus_message_open_container(reply, 'a', "{st}");

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        for (enum counter i = 0; i < _COUNTER_MAX && r >= 0; i++)
                if (i != COUNTER_BLACKHOLES || !host->blackholes->unknown)
                        r = sd_bus_message_append(reply, "{st}", counter_name(i),
                                                  host->engine->counters[i]);
        if (r >= 0)
                r = bus_append_auth_counters(reply, host);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* The kernel */

static int manager_get_features(sd_bus *bus, const char *path, const char *interface,
                                const char *property, sd_bus_message *reply, void *userdata,
                                sd_bus_error *error) {
        struct features features = manager_host(userdata)->kern->features;
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        features_set(&features, FEATURE_MPTCP, kern_is_on());
        for (enum feature i = 0; i < _FEATURE_MAX && r >= 0; i++)
                r = sd_bus_message_append(reply, "a{sv}", 3, "Name", "s", feature_name(i), "State",
                                          "s", feature_state_name(features.states[i]), "Reason",
                                          "s", feature_reason(&features, i));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Interfaces */

static int manager_get_interfaces(sd_bus *bus, const char *path, const char *interface,
                                  const char *property, sd_bus_message *reply, void *userdata,
                                  sd_bus_error *error) {
        const struct engine *engine = manager_host(userdata)->engine;
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)bus, (void)path, (void)interface, (void)property, (void)error;
        for (size_t i = 0; i < engine->model.links.n && r >= 0; i++)
                r = bus_append_interface(reply, engine, &engine->model.links.items[i]);
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
                                bus_role(connection), "Plugin", "s", bus_plugin(connection), "Uid",
                                "u", bus_uid(host, connection, questions), "Subflows", "u",
                                (uint32_t)connection->subflows.n);
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}", "Program", "s",
                                          connection->advice.program.name, "Pid", "u",
                                          (uint32_t)connection->advice.program.pid, "Policy", "s",
                                          bus_policy(host, connection), "UserTimeoutMsec", "u",
                                          connection->advice.user_timeout_msec);
        if (r >= 0)
                r = bus_append_auth_row(reply, host, connection->token);
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

static int manager_reload_allowed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        char text[1024];

        if (host->reload(host->userdata, text, sizeof(text)) < 0) {
                utf8_clean(text);
                bus_show_changes(userdata);
                return sd_bus_error_set(error, BUS_ERROR_BAD_CONF, text);
        }
        return sd_bus_reply_method_return(call, NULL);
}

static int manager_reload(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_access(userdata, call, manager_reload_allowed, error);
}

static int manager_metrics(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const struct bus_host *host = manager_host(userdata);
        const char *text = host->metrics(host->exporter);

        (void)error;
        return text ? sd_bus_reply_method_return(call, "s", text) : -ENOMEM;
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_ARGS("u", cursor, "u", max),
                                SD_BUS_RESULT("aa{sv}", connections, "u", next), manager_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetConnection", SD_BUS_ARGS("u", token),
                                SD_BUS_RESULT("o", connection), manager_get_connection,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Advise", SD_BUS_ARGS("s", interface, "s", role, "s", reason),
                                SD_BUS_NO_RESULT, bus_advise, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Metrics", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", text),
                                manager_metrics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Reload", NULL, NULL, manager_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetRole", SD_BUS_ARGS("s", interface, "s", role, "b", keep),
                                SD_BUS_NO_RESULT, bus_set_role_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetLimits", SD_BUS_ARGS("a{su}", limits), SD_BUS_NO_RESULT,
                                bus_set_limits_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("a{sv}", question),
                                SD_BUS_RESULT("a{sv}", answer), bus_explain,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Subscribe", NULL, NULL, bus_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Unsubscribe", NULL, NULL, bus_unsubscribe_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("Event", SD_BUS_ARGS("a{sv}", event), 0),
        SD_BUS_SIGNAL_WITH_ARGS("EventsLost", SD_BUS_ARGS("t", n), 0),
        SD_BUS_PROPERTY("Version", "s", manager_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kernel", "s", manager_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("KernelFeatures", "aa{sv}", manager_get_features, 0, 0),
        SD_BUS_PROPERTY("PathManager", "s", manager_get_text, 0, 0),
        SD_BUS_PROPERTY("PreviousPathManager", "s", manager_get_text, 0, 0),
        SD_BUS_PROPERTY("Plugin", "s", manager_get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ConnectionCount", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("SubflowCount", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("Undecided", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("MaxSubflows", "u", manager_get_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("MaxAccepted", "u", manager_get_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("MaxJoins", "u", manager_get_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("MaxRetries", "u", manager_get_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Subscribers", "u", manager_get_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("EventsLost", "t", manager_get_lost, 0, 0),
        SD_BUS_PROPERTY("MaxConnections", "u", manager_get_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("DeadAfter", "u", manager_get_number, 0, 0),
        SD_BUS_PROPERTY("PolicyCount", "u", bus_get_policy_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("PolicyGeneration", "u", bus_get_policy_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("PolicyDatabase", "s", bus_get_policy_database, 0, 0),
        SD_BUS_PROPERTY("PolicyDirectories", "as", bus_get_policy_texts, 0, 0),
        SD_BUS_PROPERTY("PolicyErrors", "as", bus_get_policy_texts, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BlackholeCount", "t", bus_get_blackhole, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BlackholeAge", "u", bus_get_blackhole, 0, 0),
        SD_BUS_PROPERTY("BlackholeState", "s", bus_get_blackhole, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Blackholes", "aa{sv}", bus_get_blackholes, 0, 0),
        SD_BUS_PROPERTY("Gate", "s", bus_get_auth_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("GateReason", "s", bus_get_auth_text, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("GateDropped", "t", bus_get_auth_number, 0, 0),
        SD_BUS_PROPERTY("AuthPort", "q", bus_get_auth_number, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("AuthConnections", "u", bus_get_auth_number, 0, 0),
        SD_BUS_PROPERTY("AuthConfirmed", "u", bus_get_auth_number, 0, 0),
        SD_BUS_PROPERTY("AuthReason", "s", bus_get_auth_text, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Counters", "a{st}", manager_get_counters, 0, 0),
        SD_BUS_PROPERTY("Interfaces", "aa{sv}", manager_get_interfaces, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_VTABLE_END,
};

int bus_add_manager(struct bus *bus) {
        return sd_bus_add_object_vtable(bus->bus, NULL, BUS_PATH, BUS_MANAGER, manager_vtable, bus);
}
