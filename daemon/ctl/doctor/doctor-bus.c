#include "doctor-bus.h"
#include "../bus-open.h"
#include "../value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#define ANSWER_USEC 500000u

struct doctor_bus {
        sd_bus *bus;
};

int doctor_bus_new(struct doctor_bus **ret_bus) {
        struct doctor_bus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return -ENOMEM;
        r = bus_open(&bus->bus, ANSWER_USEC);
        if (r < 0) {
                free(bus);
                return r;
        }
        *ret_bus = bus;
        return 0;
}

void doctor_bus_free(struct doctor_bus *bus) {
        if (!bus)
                return;
        sd_bus_flush_close_unref(bus->bus);
        free(bus);
}

static bool is_absent(const sd_bus_error *why) {
        return sd_bus_error_has_name(why, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(why, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static int bus_send(struct doctor_bus *bus, sd_bus_message *message, json_t **ret_reply) {
        _cleanup_(sd_bus_error_free) sd_bus_error why = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_set_auto_start(message, 0);
        if (r >= 0)
                r = sd_bus_call(bus->bus, message, ANSWER_USEC, &why, &reply);
        if (r < 0)
                return is_absent(&why) ? -ESRCH : r;
        return value_read_all(reply, ret_reply);
}

int doctor_bus_call(struct doctor_bus *bus, const char *to, const char *path, const char *interface,
                    const char *method, json_t **ret_reply, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        va_list ap;
        int r;

        if (!bus)
                return -ENOTCONN;
        r = sd_bus_message_new_method_call(bus->bus, &message, to, path, interface, method);
        if (r < 0)
                return r;
        va_start(ap, types);
        r = sd_bus_message_appendv(message, types, ap);
        va_end(ap);
        return r < 0 ? r : bus_send(bus, message, ret_reply);
}

int doctor_bus_properties(struct doctor_bus *bus, const char *to, const char *path,
                          const char *interface, json_t **ret_properties) {
        _cleanup_(json_decrefp) json_t *reply = NULL;
        int r;

        r = doctor_bus_call(bus, to, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, "s",
                            interface);
        if (r < 0)
                return r;
        if (!json_is_object(json_array_get(reply, 0)))
                return -EBADMSG;
        *ret_properties = json_incref(json_array_get(reply, 0));
        return 0;
}
