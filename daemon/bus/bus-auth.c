/*
 * What /org/mptcpize1 and the connections show of join authentication. Without it, as in a test,
 * all of it is off.
 */
#include "bus-private.h"

#include <string.h>

#include "../auth/auth.h"
#include "../util/utf8.h"

void bus_auth_view(const struct bus_host *host, uint32_t token, struct auth_view *ret_view) {
        *ret_view = (struct auth_view){ .mode = POLICY_AUTH_OFF, .state = "off" };
        if (host->auth)
                auth_view(host->auth, token, ret_view);
        utf8_clean(ret_view->reason);
}

void bus_auth_status(const struct bus_host *host, struct auth_status *ret_status) {
        *ret_status = (struct auth_status){ .port = 0 };
        if (host->auth)
                auth_status(host->auth, ret_status);
        utf8_clean(ret_status->reason);
        utf8_clean(ret_status->gate.reason);
}

static void auth_status_of(void *userdata, struct auth_status *ret_status) {
        const struct bus *bus = userdata;

        bus_auth_status(&bus->host, ret_status);
}

const char *bus_gate(const struct gate_status *gate) {
        return !gate->wanted ? "off" : gate->works ? "closed" : "missing";
}

int bus_get_auth_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct auth_status status;
        const char *text = status.reason;

        (void)bus, (void)path, (void)interface, (void)error;
        auth_status_of(userdata, &status);
        if (strcmp(property, "Gate") == 0)
                text = bus_gate(&status.gate);
        else if (strcmp(property, "GateReason") == 0)
                text = status.gate.reason;
        return sd_bus_message_append(reply, "s", text);
}

int bus_get_auth_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct auth_status status;

        (void)bus, (void)path, (void)interface, (void)error;
        auth_status_of(userdata, &status);
        if (strcmp(property, "AuthPort") == 0)
                return sd_bus_message_append(reply, "q", status.port);
        if (strcmp(property, "GateDropped") == 0)
                return sd_bus_message_append(reply, "t", status.gate.dropped);
        return sd_bus_message_append(reply, "u",
                                     (uint32_t)(strcmp(property, "AuthConfirmed") == 0
                                                                ? status.confirmed
                                                                : status.sessions));
}

int bus_append_auth_counters(sd_bus_message *reply, const struct bus_host *host) {
        struct auth_status status;
        char name[LIMIT_NAME];
        int r = 0;

        bus_auth_status(host, &status);
        for (enum protocol_counter i = 0; i < _PROTOCOL_COUNTER_MAX && r >= 0; i++) {
                snprintf(name, sizeof(name), "auth_%s", protocol_counter_name(i));
                r = sd_bus_message_append(reply, "{st}", name, status.counters[i]);
        }
        return r;
}

int bus_append_auth_row(sd_bus_message *reply, const struct bus_host *host, uint32_t token) {
        struct auth_view view;

        bus_auth_view(host, token, &view);
        return sd_bus_message_append(reply, "{sv}{sv}", "Authentication", "s", view.state,
                                     "AuthenticationMode", "s", policy_auth_name(view.mode));
}
