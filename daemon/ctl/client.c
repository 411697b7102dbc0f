/*
 * The daemon, as mptcpctl sees it. See client.h.
 */
#include "client.h"
#include "bus-open.h"
#include "value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define CLIENT_ERROR CLIENT_NAME ".Error."

#define CHANGE_USEC UINT64_C(120000000) /* somebody looks for a password */
#define HURRY_USEC  UINT64_C(300000)
#define BUS_USEC    UINT64_C(10000000) /* for the bus itself to answer */

#define NOT_RUNNING "mptcpized is not running: start it with 'systemctl start mptcpized'"
#define NOT_STARTED                                                                       \
        "; start it with 'systemctl start mptcpized' or, where systemd does not run, by " \
        "running mptcpized as root"
#define NO_ANSWER "mptcpized does not answer: see 'systemctl status mptcpized'"
#define DENIED                                                              \
        "permission denied: run mptcpctl as root, or let polkit allow you " \
        "org.mptcpize1.manage"
#define OTHER_VERSION                                                          \
        "mptcpized does not know this: it is older than mptcpctl; restart it " \
        "with 'systemctl restart mptcpized'"
#define NO_SUCH "there is no such connection"

/* Errors that a user can do something about. */
struct remedy {
        const char *name;
        const char *before; /* put before the text of the error */
        const char *text;   /* or in its place */
        const char *after;  /* put behind it: what to do */
        int r;              /* what the call returns then; 0: as sd-bus has it */
};

static const struct remedy remedies[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN, .text = NOT_RUNNING },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, .text = NOT_RUNNING },
        { "org.freedesktop.DBus.Error.Spawn.ChildExited",
          .before = "mptcpized is not running, and the bus can't start it: ",
          .after = NOT_STARTED },
        { SD_BUS_ERROR_NO_REPLY, .text = NO_ANSWER },
        { SD_BUS_ERROR_TIMEOUT, .text = NO_ANSWER },
        { SD_BUS_ERROR_ACCESS_DENIED, .text = DENIED },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, .text = DENIED },
        { SD_BUS_ERROR_UNKNOWN_METHOD, .text = OTHER_VERSION },
        { SD_BUS_ERROR_UNKNOWN_INTERFACE, .text = OTHER_VERSION },
        { SD_BUS_ERROR_UNKNOWN_OBJECT, .text = NO_SUCH, .r = -ENXIO },
        { CLIENT_ERROR "NoSuchConnection", .text = NO_SUCH, .r = -ENXIO },
        { CLIENT_ERROR "NoSuchSubflow", .text = "the connection has no such subflow: 'mptcpctl "
                                                "show TOKEN' lists those that it has" },
        { CLIENT_ERROR "AmbiguousSubflow",
          .after = "; name it as 'mptcpctl show TOKEN' does: ADDRESS:PORT, and the remote end" },
        { CLIENT_ERROR "NoSuchInterface",
          .after = "; 'mptcpctl interface' lists those that there are" },
        { CLIENT_ERROR "NoSuchAddress",
          .after = "; see 'mptcpctl interface' and 'mptcpctl show TOKEN'" },
        { CLIENT_ERROR "NoSuchMode", .after = "; 'mptcpctl plugin' lists the plugins" },
        { CLIENT_ERROR "NotManaged", .before = "nothing can be done for the connection: " },
        { CLIENT_ERROR "BadAddress", .after = "; addresses look like 192.0.2.1, 192.0.2.1:443, "
                                              "2001:db8::1, [2001:db8::1]:443" },
        { CLIENT_ERROR "BadRole", .after = "; roles are master, on, backup and off" },
        { CLIENT_ERROR "BadLimit", .before = "" },
        { CLIENT_ERROR "BadQuestion", .before = "" },
        { CLIENT_ERROR "Refused", .before = "refused: " },
        { CLIENT_ERROR "TooMany", .before = "" },
        { CLIENT_ERROR "BadConfiguration", .before = "the configuration is refused: " },
};

struct client {
        sd_bus *bus;
        bool hurry;
};

int client_explain_bus(struct client_error *error, int r) {
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

int client_explain(struct client_error *error, const sd_bus_error *from, int r) {
        const char *before = "mptcpized: ", *text = from->message, *after = "";
        size_t i;

        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE)
                return client_explain_bus(error, r);
        for (i = 0; i < ARRAY_SIZE(remedies); i++) {
                if (!sd_bus_error_has_name(from, remedies[i].name))
                        continue;
                before = remedies[i].before ? remedies[i].before : "";
                text = remedies[i].text ? remedies[i].text : from->message;
                after = remedies[i].after ? remedies[i].after : "";
                r = remedies[i].r ? remedies[i].r : r;
        }
        snprintf(error->text, sizeof(error->text), "%s%s%s", before, text ? text : strerror(-r),
                 after);
        return r;
}

static int client_explain_reply(struct client_error *error, int r) {
        snprintf(error->text, sizeof(error->text),
                 "the answer of mptcpized can't be read (%s): are its version and that of mptcpctl "
                 "the same?",
                 strerror(-r));
        return r;
}

static int client_open(struct client **ret_client, struct client_error *error, bool hurry) {
        _cleanup_(client_freep) struct client *client = calloc(1, sizeof(*client));
        int r;

        if (!client)
                return client_explain_bus(error, -ENOMEM);
        r = bus_open(&client->bus, hurry ? HURRY_USEC : BUS_USEC);
        if (r < 0)
                return client_explain_bus(error, r);
        client->hurry = hurry;
        *ret_client = TAKE_PTR(client);
        return 0;
}

int client_new(struct client **ret_client, struct client_error *error) {
        return client_open(ret_client, error, false);
}

int client_new_hurried(struct client **ret_client, struct client_error *error) {
        return client_open(ret_client, error, true);
}

void client_free(struct client *client) {
        if (!client)
                return;
        sd_bus_flush_close_unref(client->bus);
        free(client);
}

/* Sends a call and waits for the answer, an array of what it has. */
static int client_ask(struct client *client, struct client_error *error, sd_bus_message *call,
                      uint64_t usec, json_t **ret_reply) {
        _cleanup_(sd_bus_error_free) sd_bus_error why = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r = sd_bus_message_set_auto_start(call, !client->hurry);

        if (r >= 0)
                r = sd_bus_call(client->bus, call, client->hurry ? HURRY_USEC : usec, &why,
                                &message);
        if (r < 0)
                return client_explain(error, &why, r);
        r = value_read_all(message, ret_reply);
        return r < 0 ? client_explain_reply(error, r) : 0;
}

static int client_callv(struct client *client, struct client_error *error, json_t **ret_reply,
                        const char *path, const char *interface, const char *method,
                        const char *types, va_list ap) {
        const sd_bus_error none = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r = sd_bus_message_new_method_call(client->bus, &call, CLIENT_NAME, path, interface,
                                               method);

        if (r >= 0 && types)
                r = sd_bus_message_appendv(call, types, ap);
        return r < 0 ? client_explain(error, &none, r)
                     : client_ask(client, error, call, 0, ret_reply);
}

static int client_callf(struct client *client, struct client_error *error, json_t **ret_reply,
                        const char *path, const char *interface, const char *method,
                        const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = client_callv(client, error, ret_reply, path, interface, method, types, ap);
        va_end(ap);
        return r;
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

int client_change(struct client *client, struct client_error *error, const char *path,
                  const char *interface, const char *method, client_fill_fn fill,
                  const void *userdata) {
        const sd_bus_error none = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        _cleanup_(json_decrefp) json_t *reply = NULL;
        int r = sd_bus_message_new_method_call(client->bus, &call, CLIENT_NAME, path, interface,
                                               method);

        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0 && fill)
                r = fill(call, userdata);
        return r < 0 ? client_explain(error, &none, r)
                     : client_ask(client, error, call, CHANGE_USEC, &reply);
}

int client_properties(struct client *client, struct client_error *error, json_t **ret_properties,
                      const char *path, const char *interface) {
        _cleanup_(json_decrefp) json_t *reply = NULL;
        int r = client_callf(client, error, &reply, path, "org.freedesktop.DBus.Properties",
                             "GetAll", "s", interface);

        if (r < 0)
                return r;
        if (!json_is_object(json_array_get(reply, 0)))
                return client_explain_reply(error, -EBADMSG);
        *ret_properties = json_incref(json_array_get(reply, 0));
        return 0;
}

int client_objects(struct client *client, struct client_error *error, json_t **ret_objects,
                   const char *interface) {
        _cleanup_(json_decrefp) json_t *reply = NULL, *found = json_array();
        const char *path;
        json_t *object;
        int r = client_callf(client, error, &reply, CLIENT_PATH,
                             "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);

        if (r < 0)
                return r;
        json_object_foreach(json_array_get(reply, 0), path, object) {
                json_t *properties = json_object_get(object, interface);

                if (properties && json_array_append(found, properties) < 0)
                        return client_explain_reply(error, -ENOMEM);
        }
        *ret_objects = TAKE_PTR(found);
        return 0;
}
