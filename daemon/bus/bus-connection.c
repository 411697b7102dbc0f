/*
 * /org/mptcpize1/connection/<token>: one connection, its subflows with the kernel's numbers, and
 * its log.
 */
#include "bus-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/auth.h"
#include "../util/clock.h"
#include "../util/utf8.h"

/* Eight hexadecimal digits behind the prefix: what bus_connection_path() makes. */
static int connection_token(const char *path, uint32_t *ret_token) {
        const char *digits = strrchr(path, '/');
        char *end;
        unsigned long token;

        if (!digits || strlen(digits) != 9 || strspn(digits + 1, "0123456789abcdef") != 8)
                return -EINVAL;
        token = strtoul(digits + 1, &end, 16);
        *ret_token = (uint32_t)token;
        return 0;
}

static const struct bus_host *connection_host(void *userdata) {
        const struct bus *bus = userdata;

        return &bus->host;
}

static struct connection *connection_of(const char *path, void *userdata) {
        const struct model *model = &connection_host(userdata)->engine->model;
        uint32_t token;

        return connection_token(path, &token) < 0 ? NULL : model_find(model, token);
}

static int connection_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                           void **ret_found, sd_bus_error *error) {
        (void)bus, (void)interface, (void)error;
        if (!connection_of(path, userdata))
                return 0;
        *ret_found = userdata;
        return 1;
}

/* Properties */

static int connection_get_text(sd_bus *bus, const char *path, const char *interface,
                               const char *property, sd_bus_message *reply, void *userdata,
                               sd_bus_error *error) {
        const struct connection *connection = connection_of(path, userdata);
        const char *text = bus_plugin(connection);

        (void)bus, (void)interface, (void)error;
        if (strcmp(property, "State") == 0)
                text = connection_state_name(connection->state);
        else if (strcmp(property, "Role") == 0)
                text = bus_role(connection);
        else if (strcmp(property, "Program") == 0)
                text = connection->advice.program.name;
        else if (strcmp(property, "Policy") == 0)
                text = bus_policy(connection_host(userdata), connection);
        return sd_bus_message_append(reply, "s", text);
}

static int connection_get_authentication(sd_bus *bus, const char *path, const char *interface,
                                         const char *property, sd_bus_message *reply,
                                         void *userdata, sd_bus_error *error) {
        const char *text;
        struct auth_view view;

        (void)bus, (void)interface, (void)error;
        bus_auth_view(connection_host(userdata), connection_of(path, userdata)->token, &view);
        text = view.state;
        if (strcmp(property, "AuthenticationMode") == 0)
                text = policy_auth_name(view.mode);
        else if (strcmp(property, "AuthenticationReason") == 0)
                text = view.reason;
        return sd_bus_message_append(reply, "s", text);
}

static int connection_get_address(sd_bus *bus, const char *path, const char *interface,
                                  const char *property, sd_bus_message *reply, void *userdata,
                                  sd_bus_error *error) {
        const struct connection *connection = connection_of(path, userdata);
        char text[ADDRESS_TEXT];

        (void)bus, (void)interface, (void)error;
        address_format(strcmp(property, "Local") == 0 ? &connection->local
                                                      : &connection->remotes.items[0].address,
                       text);
        return sd_bus_message_append(reply, "s", text);
}

static int connection_get_number(sd_bus *bus, const char *path, const char *interface,
                                 const char *property, sd_bus_message *reply, void *userdata,
                                 sd_bus_error *error) {
        const struct connection *connection = connection_of(path, userdata);
        uint32_t number = connection->token, questions = 1;

        (void)bus, (void)interface, (void)error;
        if (strcmp(property, "Uid") == 0)
                number = bus_uid(connection_host(userdata), connection, &questions);
        else if (strcmp(property, "Pid") == 0)
                number = (uint32_t)connection->advice.program.pid;
        else if (strcmp(property, "UserTimeoutMsec") == 0)
                number = connection->advice.user_timeout_msec;
        return sd_bus_message_append(reply, "u", number);
}

/* Subflows */

static int connection_append_measure(sd_bus_message *reply, const struct bus_host *host,
                                     const struct mptcpize_subflow *subflow) {
        struct measure measure;
        int r;

        if (!subflow->local.port)
                return 0;
        r = host->kern->ops->measure(host->kern, &subflow->local, &subflow->remote,
                                     subflow->ifindex, &measure);
        if (r < 0)
                return 0;
        return sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}", "BytesSent", "t",
                                     measure.bytes_sent, "BytesReceived", "t",
                                     measure.bytes_received, "RttUsec", "u", measure.rtt_usec,
                                     "Retransmits", "u", measure.retransmits);
}

static int connection_append_flags(sd_bus_message *reply, const struct engine *engine,
                                   const struct mptcpize_subflow *subflow) {
        const struct link *link = model_find_link(&engine->model, subflow->ifindex);
        char name[sizeof(link->is.name)];

        return sd_bus_message_append(
                        reply, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "State", "s",
                        subflow_state_name(subflow->state), "LocalId", "y", subflow->local_id,
                        "RemoteId", "y", subflow->remote_id, "Interface", "s",
                        utf8_copy(link ? link->is.name : "", name, sizeof(name)), "Backup", "b",
                        (subflow->flags & MPTCPIZE_SUBFLOW_BACKUP) != 0, "BackupRemote", "b",
                        (subflow->flags & MPTCPIZE_SUBFLOW_BACKUP_REMOTE) != 0, "Initial", "b",
                        (subflow->flags & MPTCPIZE_SUBFLOW_INITIAL) != 0);
}

static int connection_append_subflow(sd_bus_message *reply, const struct bus_host *host,
                                     const struct mptcpize_subflow *subflow) {
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        if (r >= 0)
                r = connection_append_flags(reply, host->engine, subflow);
        if (r >= 0)
                r = bus_append_address(reply, "Local", &subflow->local);
        if (r >= 0)
                r = bus_append_address(reply, "Remote", &subflow->remote);
        if (r >= 0)
                r = connection_append_measure(reply, host, subflow);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int connection_get_subflows(sd_bus *bus, const char *path, const char *interface,
                                   const char *property, sd_bus_message *reply, void *userdata,
                                   sd_bus_error *error) {
        const struct connection *connection = connection_of(path, userdata);
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)bus, (void)interface, (void)property, (void)error;
        for (size_t i = 0; i < connection->subflows.n && r >= 0; i++)
                r = connection_append_subflow(reply, connection_host(userdata),
                                              &connection->subflows.items[i].is);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int connection_get_remotes(sd_bus *bus, const char *path, const char *interface,
                                  const char *property, sd_bus_message *reply, void *userdata,
                                  sd_bus_error *error) {
        const struct connection *connection = connection_of(path, userdata);
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)bus, (void)interface, (void)property, (void)error;
        for (size_t i = 0; i < connection->remotes.n && r >= 0; i++) {
                const struct mptcpize_remote *remote = &connection->remotes.items[i];
                char text[ADDRESS_TEXT];

                r = sd_bus_message_append(reply, "a{sv}", 2, "Id", "y", remote->id, "Address", "s",
                                          address_format(&remote->address, text));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Log */

struct log_reply {
        sd_bus_message *reply;
        uint64_t offset_usec; /* from CLOCK_MONOTONIC to CLOCK_REALTIME */
};

static int connection_append_line(const struct trace_line *line, void *userdata) {
        const struct log_reply *log = userdata;
        char what[256], reason[LIMIT_REASON];
        int r;

        trace_format(line, what, sizeof(what));
        utf8_clean(what);
        r = sd_bus_message_append(log->reply, "a{sv}", 3, "TimeUsec", "t",
                                  line->usec + log->offset_usec, "What", "s", what, "Reason", "s",
                                  utf8_copy(line->reason, reason, sizeof(reason)));

        return r < 0 ? r : 0;
}

static int connection_get_log(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
        const struct bus_host *host = connection_host(userdata);
        struct log_reply log = { .reply = reply };
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)bus, (void)interface, (void)property, (void)error;
        log.offset_usec = clock_read_usec(CLOCK_REALTIME) - clock_usec();
        if (r >= 0)
                r = trace_each(&host->engine->trace, connection_of(path, userdata)->token,
                               LIMIT_TRACE, connection_append_line, &log);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Changes */

/* It was there when it was called, but not when the call was allowed. */
static int connection_missing(sd_bus_error *error) {
        return sd_bus_error_set(error, BUS_ERROR_NO_CONNECTION, "the connection has ended");
}

static int connection_set_mode_allowed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const struct bus_host *host = connection_host(userdata);
        struct event event = { .type = EVENT_ASSIGNED, .usec = clock_usec() };
        char shown[LIMIT_NAME];
        const struct connection *connection =
                        connection_of(sd_bus_message_get_path(call), userdata);
        int r = sd_bus_message_read(call, "s", &event.assigned.profile);

        if (r < 0)
                return r;
        if (!connection)
                return connection_missing(error);
        if (engine_meant_profile(host->engine, event.assigned.profile) < 0)
                return sd_bus_error_setf(error, BUS_ERROR_NO_MODE,
                                         "there is no mode, policy or plugin \"%s\"",
                                         utf8_copy(event.assigned.profile, shown, sizeof(shown)));
        if (!engine_is_assignable(connection))
                return sd_bus_error_setf(error, BUS_ERROR_NOT_MANAGED,
                                         "the connection is not managed: its state is %s",
                                         connection_state_name(connection->state));
        event.assigned.token = connection->token;
        engine_feed(host->engine, &event);
        return sd_bus_reply_method_return(call, NULL);
}

static int connection_set_mode(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_access(userdata, call, connection_set_mode_allowed, error);
}

/* Orders */

/* An address, or with or_interface the name of one that is there; "": not said. */
static int connection_read_local(const struct bus *bus, const char *text, struct order *order,
                                 sd_bus_error *error) {
        char shown[LIMIT_NAME];
        const struct link *link;

        if (text[0] == '\0' || address_parse(text, &order->local) == 0)
                return 0;
        link = bus_find_link(bus->host.engine, text);
        if (link) {
                order->ifindex = link->is.ifindex;
                return 0;
        }
        return sd_bus_error_setf(
                        error, strpbrk(text, ".:") ? BUS_ERROR_BAD_ADDRESS : BUS_ERROR_NO_INTERFACE,
                        "\"%s\" is neither an address nor an interface of this host",
                        utf8_copy(text, shown, sizeof(shown)));
}

static int connection_read_address(const char *text, struct mptcpize_address *ret_address,
                                   sd_bus_error *error) {
        char shown[LIMIT_NAME];

        if (address_parse(text, ret_address) == 0)
                return 0;
        return sd_bus_error_setf(error, BUS_ERROR_BAD_ADDRESS, "\"%s\" is no address",
                                 utf8_copy(text, shown, sizeof(shown)));
}

/* What each method wants, and how its arguments look. */
static const struct connection_method {
        const char *member, *signature;
        enum order_type type;
} connection_methods[] = {
        { "AddSubflow", "ssb", ORDER_ADD },   { "RemoveSubflow", "ss", ORDER_REMOVE },
        { "SetBackup", "ssb", ORDER_BACKUP }, { "Announce", "s", ORDER_ANNOUNCE },
        { "Withdraw", "s", ORDER_WITHDRAW },
};

static const struct connection_method *connection_method(sd_bus_message *call) {
        const struct connection_method *method = connection_methods;

        while (strcmp(method->member, sd_bus_message_get_member(call)) != 0)
                method++;
        return method;
}

static int connection_read_order(const struct bus *bus, sd_bus_message *call, struct order *order,
                                 sd_bus_error *error) {
        const struct connection_method *method = connection_method(call);
        const char *local = "", *remote = "";
        int backup = 0, r;

        order->type = method->type;
        r = sd_bus_message_read(call, method->signature, &local, &remote, &backup);
        order->backup = backup;
        if (r < 0)
                return r;
        if (strcmp(method->signature, "s") == 0)
                return connection_read_address(local, &order->local, error);
        r = connection_read_local(bus, local, order, error);
        if (r >= 0 && remote[0])
                r = connection_read_address(remote, &order->remote, error);
        return r;
}

static int connection_order_allowed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const struct connection *connection =
                        connection_of(sd_bus_message_get_path(call), userdata);
        struct order order = { 0 };
        int r;

        if (!connection)
                return connection_missing(error);
        order.token = connection->token;
        r = connection_read_order(userdata, call, &order, error);
        return r < 0 ? r : bus_order(userdata, call, &order, error);
}

static int connection_order(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_access(userdata, call, connection_order_allowed, error);
}

static const sd_bus_vtable connection_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("AddSubflow", SD_BUS_ARGS("s", local, "s", remote, "b", backup),
                                SD_BUS_NO_RESULT, connection_order, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveSubflow", SD_BUS_ARGS("s", local, "s", remote),
                                SD_BUS_NO_RESULT, connection_order, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetBackup", SD_BUS_ARGS("s", local, "s", remote, "b", backup),
                                SD_BUS_NO_RESULT, connection_order, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Announce", SD_BUS_ARGS("s", address), SD_BUS_NO_RESULT,
                                connection_order, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Withdraw", SD_BUS_ARGS("s", address), SD_BUS_NO_RESULT,
                                connection_order, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetMode", SD_BUS_ARGS("s", mode), SD_BUS_NO_RESULT,
                                connection_set_mode, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Token", "u", connection_get_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", connection_get_text, 0, 0),
        SD_BUS_PROPERTY("Role", "s", connection_get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Plugin", "s", connection_get_text, 0, 0),
        SD_BUS_PROPERTY("Local", "s", connection_get_address, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Remote", "s", connection_get_address, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Uid", "u", connection_get_number, 0, 0),
        SD_BUS_PROPERTY("Program", "s", connection_get_text, 0, 0),
        SD_BUS_PROPERTY("Pid", "u", connection_get_number, 0, 0),
        SD_BUS_PROPERTY("Policy", "s", connection_get_text, 0, 0),
        SD_BUS_PROPERTY("UserTimeoutMsec", "u", connection_get_number, 0, 0),
        SD_BUS_PROPERTY("Authentication", "s", connection_get_authentication, 0, 0),
        SD_BUS_PROPERTY("AuthenticationMode", "s", connection_get_authentication, 0, 0),
        SD_BUS_PROPERTY("AuthenticationReason", "s", connection_get_authentication, 0, 0),
        SD_BUS_PROPERTY("Subflows", "aa{sv}", connection_get_subflows, 0, 0),
        SD_BUS_PROPERTY("Remotes", "aa{sv}", connection_get_remotes, 0, 0),
        SD_BUS_PROPERTY("Log", "aa{sv}", connection_get_log, 0, 0),
        SD_BUS_VTABLE_END,
};

int bus_add_connections(struct bus *bus) {
        return sd_bus_add_fallback_vtable(bus->bus, NULL, BUS_PATH "/connection", BUS_CONNECTION,
                                          connection_vtable, connection_find, bus);
}
