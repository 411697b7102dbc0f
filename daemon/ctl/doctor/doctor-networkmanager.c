/*
 * Check of NetworkManager: it gives each interface to the kernel's own path manager (as endpoints,
 * see connection.mptcp-flags in nm-settings(5)), and knows which ones are metered. Not everybody
 * has it.
 */
#include "doctor.h"
#include "doctor-bus.h"
#include "genl.h"
#include "../fields.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#define NM      "org.freedesktop.NetworkManager"
#define NM_PATH "/org/freedesktop/NetworkManager"

#define METERED_YES       1 /* NM_METERED_YES */
#define METERED_GUESS_YES 3
#define FLAG_DISABLED     0x1 /* NM_MPTCP_FLAGS_DISABLED */

/* Not in the profile: there it says that mptcpized is not to use the interface either. */
#define NO_ENDPOINTS                                               \
        "printf '[connection]\\nconnection.mptcp-flags=1\\n' "     \
        ">/etc/NetworkManager/conf.d/mptcp.conf && nmcli general " \
        "reload conf && nmcli connection up %s"

/* A device of its, as far as it matters. */
struct device {
        const char *name;
        const char *connection; /* name of its active one, "" */
        const char *quoted;     /* the same, for a shell */
        json_int_t metered;
        json_int_t flags; /* connection.mptcp-flags; 0: NetworkManager's default */
};

static void device_ask_flags(struct doctor *doctor, struct device *device, const char *path) {
        _cleanup_(json_decrefp) json_t *reply = NULL;
        const json_t *settings;

        if (doctor_bus_call(doctor->bus, NM, path, NM ".Settings.Connection", "GetSettings", &reply,
                            "") < 0)
                return;
        settings = json_object_get(json_array_get(reply, 0), "connection");
        device->flags = json_integer_value(json_object_get(settings, "mptcp-flags"));
}

static int device_ask(struct doctor *doctor, struct device *device, const char *path) {
        _cleanup_(json_decrefp) json_t *properties = NULL, *active = NULL;
        const char *connection;
        int r = doctor_bus_properties(doctor->bus, NM, path, NM ".Device", &properties);

        if (r < 0)
                return r;
        *device = (struct device){
                .name = doctor_text(doctor, "%s", fields_text(properties, "Interface")),
                .connection = "",
                .metered = json_integer_value(json_object_get(properties, "Metered")),
        };
        connection = fields_text(properties, "ActiveConnection");
        if (strcmp(connection, "/") == 0 ||
            doctor_bus_properties(doctor->bus, NM, connection, NM ".Connection.Active", &active) <
                            0)
                return 0;
        device->connection = doctor_text(doctor, "%s", fields_text(active, "Id"));
        device->quoted = doctor_quote(doctor, fields_text(active, "Id"));
        device_ask_flags(doctor, device, fields_text(active, "Connection"));
        return 0;
}

static bool has_endpoint(const struct genl_endpoints *endpoints, const char *name) {
        const unsigned int ifindex = if_nametoindex(name);

        for (size_t i = 0; i < endpoints->list.n; i++)
                if (ifindex && endpoints->list.items[i].ifindex == (int32_t)ifindex)
                        return true;
        return false;
}

/* Has somebody drawn the conclusion already, such as our dispatcher script? */
static bool is_spared(const struct doctor *doctor, const char *name) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(doctor->manager, "Interfaces"), i, row) {
                const char *role = fields_text(row, "Role");

                if (strcmp(fields_text(row, "Name"), name) == 0)
                        return strcmp(role, "backup") == 0 || strcmp(role, "off") == 0;
        }
        return false;
}

static void add_metered(struct doctor *doctor, const struct device *device) {
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_NOTE,
                                   .subject = device->name,
                                   .what = doctor_text(doctor, "it is metered%s",
                                                       device->metered == METERED_GUESS_YES
                                                                       ? ", as it seems"
                                                                       : ""),
                                   .why = "as a backup it carries data only when nothing else does",
                                   .remedy = doctor_text(doctor,
                                                         "mptcpctl interface %s backup --keep",
                                                         doctor_quote(doctor, device->name)),
                   });
}

/* The check of endpoints leaves them to this one. */
static void add_endpoints(struct doctor *doctor, const struct device *device) {
        json_t *known = json_object_get(doctor->world, "networkmanager");

        if (!known) {
                known = json_object();
                json_object_set_new(doctor->world, "networkmanager", known);
        }
        json_object_set_new(known, device->name, json_true());
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = SEVERITY_NOTE,
                                   .subject = device->name,
                                   .what = doctor_text(
                                                   doctor,
                                                   "NetworkManager gives it to the kernel's own "
                                                   "path manager (connection \"%s\")",
                                                   device->connection),
                                   .why = "that is without effect while mptcpized manages paths, "
                                          "and in effect for older connections and without it",
                                   .remedy = doctor_text(doctor, NO_ENDPOINTS, device->quoted),
                   });
}

static void device_judge(struct doctor *doctor, const struct genl_endpoints *endpoints,
                         const char *path) {
        struct device device = { .connection = "" };

        if (!path || device_ask(doctor, &device, path) < 0 || !device.connection[0])
                return;
        if ((device.metered == METERED_YES || device.metered == METERED_GUESS_YES) &&
            !is_spared(doctor, device.name))
                add_metered(doctor, &device);
        if (!(device.flags & FLAG_DISABLED) && has_endpoint(endpoints, device.name))
                add_endpoints(doctor, &device);
}

/* Without a bus there is no NetworkManager; on a bus that says nothing there may be one. */
static bool is_absent(const struct doctor *doctor, int r) {
        return r == -ESRCH || (!doctor->bus && (doctor->bus_error == -ENOENT ||
                                                doctor->bus_error == -ECONNREFUSED));
}

void doctor_check_networkmanager(struct doctor *doctor) {
        _cleanup_(genl_endpoints_done) struct genl_endpoints endpoints = { 0 };
        _cleanup_(json_decrefp) json_t *manager = NULL;
        struct genl_family family;
        const json_t *devices, *path;
        size_t i;
        int r = doctor_bus_properties(doctor->bus, NM, NM_PATH, NM, &manager);

        if (is_absent(doctor, r))
                return;
        if (r < 0) {
                doctor_add_unseen(doctor, "NetworkManager",
                                  doctor_text(doctor, "it does not answer: %s", strerror(-r)),
                                  "systemctl status NetworkManager");
                return;
        }
        if (genl_find_family(&family) >= 0)
                (void)genl_list_endpoints(&family, &endpoints);
        devices = json_object_get(manager, "Devices");
        json_array_foreach(devices, i, path) {
                if (i < LIMIT_DOCTOR_DEVICES)
                        device_judge(doctor, &endpoints, json_string_value(path));
        }
}
