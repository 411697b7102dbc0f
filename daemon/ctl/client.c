/*
 * The daemon, as mptcpctl sees it. See client.h.
 */
#include "client.h"
#include "value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define DESTINATION "org.mptcpize1"

#define NOT_RUNNING "mptcpized is not running: start it with 'systemctl start mptcpized'"
#define NO_ANSWER   "mptcpized does not answer: see 'systemctl status mptcpized'"
#define DENIED      "permission denied: run mptcpctl as root"
#define NO_SUCH     "there is no such connection"

/* Errors that a user can do something about. */
struct remedy {
        const char *name;
        const char *before; /* put before the text of the error */
        const char *text;   /* or in its place */
        int r;              /* what the call returns then; 0: as sd-bus has it */
};

static const struct remedy remedies[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN, .text = NOT_RUNNING },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, .text = NOT_RUNNING },
        { SD_BUS_ERROR_NO_REPLY, .text = NO_ANSWER },
        { SD_BUS_ERROR_TIMEOUT, .text = NO_ANSWER },
        { SD_BUS_ERROR_ACCESS_DENIED, .text = DENIED },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, .text = DENIED },
        { SD_BUS_ERROR_UNKNOWN_OBJECT, .text = NO_SUCH, .r = -ENXIO },
        { "org.mptcpize1.Error.NoSuchConnection", .text = NO_SUCH, .r = -ENXIO },
        { "org.mptcpize1.Error.BadConfiguration", .before = "the configuration is refused: " },
};

struct client {
        sd_bus *bus;
};

static int client_explain_bus(struct client_error *error, int r) {
        const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");

        if (address)
                snprintf(error->text, sizeof(error->text),
                         "the system bus can't be reached (%s): DBUS_SYSTEM_BUS_ADDRESS is \"%s\"",
                         strerror(-r), address);
        else
                snprintf(error->text, sizeof(error->text),
                         "the system bus can't be reached (%s): start it with 'systemctl start "
                         "dbus'",
                         strerror(-r));
        return r;
}

/* Says why a call failed. Returns the error, of the table or r. */
static int client_explain(struct client_error *error, const sd_bus_error *from, int r) {
        const char *before = "mptcpized: ", *text = from->message;
        size_t i;

        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE)
                return client_explain_bus(error, r);
        for (i = 0; i < ARRAY_SIZE(remedies); i++) {
                if (!sd_bus_error_has_name(from, remedies[i].name))
                        continue;
                before = remedies[i].before ? remedies[i].before : "";
                text = remedies[i].text ? remedies[i].text : from->message;
                r = remedies[i].r ? remedies[i].r : r;
        }
        snprintf(error->text, sizeof(error->text), "%s%s", before, text ? text : strerror(-r));
        return r;
}

static int client_explain_reply(struct client_error *error, int r) {
        snprintf(error->text, sizeof(error->text),
                 "the answer of mptcpized can't be read (%s): are its version and that of mptcpctl "
                 "the same?",
                 strerror(-r));
        return r;
}

int client_new(struct client **ret_client, struct client_error *error) {
        _cleanup_(client_freep) struct client *client = calloc(1, sizeof(*client));
        int r;

        if (!client)
                return client_explain_bus(error, -ENOMEM);
        r = sd_bus_open_system(&client->bus);
        if (r < 0)
                return client_explain_bus(error, r);
        *ret_client = TAKE_PTR(client);
        return 0;
}

void client_free(struct client *client) {
        if (!client)
                return;
        sd_bus_flush_close_unref(client->bus);
        free(client);
}

static int client_callv(struct client *client, struct client_error *error, json_t **ret_reply,
                        const char *path, const char *interface, const char *method,
                        const char *types, va_list ap) {
        _cleanup_(sd_bus_error_free) sd_bus_error why = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_call_methodv(client->bus, DESTINATION, path, interface, method, &why, &message,
                                types, ap);
        if (r < 0)
                return client_explain(error, &why, r);
        r = value_read_all(message, ret_reply);
        return r < 0 ? client_explain_reply(error, r) : 0;
}

int client_call(struct client *client, struct client_error *error, json_t **ret_reply,
                const char *method, const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = client_callv(client, error, ret_reply, CLIENT_PATH, CLIENT_MANAGER, method, types, ap);
        va_end(ap);
        return r;
}

int client_call_connection(struct client *client, struct client_error *error, json_t **ret_reply,
                           const char *path, const char *method, const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = client_callv(client, error, ret_reply, path, CLIENT_CONNECTION, method, types, ap);
        va_end(ap);
        return r;
}

int client_properties(struct client *client, struct client_error *error, json_t **ret_properties,
                      const char *path, const char *interface) {
        _cleanup_(sd_bus_error_free) sd_bus_error why = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        _cleanup_(json_decrefp) json_t *reply = NULL;
        int r;

        r = sd_bus_call_method(client->bus, DESTINATION, path, "org.freedesktop.DBus.Properties",
                               "GetAll", &why, &message, "s", interface);
        if (r < 0)
                return client_explain(error, &why, r);
        r = value_read_all(message, &reply);
        if (r < 0)
                return client_explain_reply(error, r);
        if (!json_is_object(json_array_get(reply, 0)))
                return client_explain_reply(error, -EBADMSG);
        *ret_properties = json_incref(json_array_get(reply, 0));
        return 0;
}
