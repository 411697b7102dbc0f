/*
 * What /org/mptcpize1 tells of policies, and of destinations that swallow MPTCP.
 */
#include "bus-private.h"

#include <string.h>

#include "../util/clock.h"
#include "../util/utf8.h"

static const struct bus_host *policy_host(void *userdata) {
        const struct bus *bus = userdata;

        return &bus->host;
}

/* Policies */

int bus_get_policy_number(sd_bus *sd, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct rules_status status;

        (void)sd, (void)path, (void)interface, (void)error;
        rules_status(policy_host(userdata)->rules, &status);
        return sd_bus_message_append(reply, "u",
                                     strcmp(property, "PolicyCount") == 0 ? status.policies
                                                                          : status.generation);
}

int bus_get_policy_database(sd_bus *sd, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error) {
        struct rules_status status;

        (void)sd, (void)path, (void)interface, (void)property, (void)error;
        rules_status(policy_host(userdata)->rules, &status);
        return sd_bus_message_append(reply, "s", status.database);
}

int bus_get_policy_texts(sd_bus *sd, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const bool errors = strcmp(property, "PolicyErrors") == 0;
        struct rules_status status;
        int r = sd_bus_message_open_container(reply, 'a', "s");

        (void)sd, (void)path, (void)interface, (void)error;
        rules_status(policy_host(userdata)->rules, &status);
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
static uint32_t policy_age(uint64_t usec, uint64_t now) {
        if (!usec)
                return UINT32_MAX;
        return usec < now ? (uint32_t)((now - usec) / 1000000) : 0;
}

int bus_get_blackhole(sd_bus *sd, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const struct blackholes *blackholes = policy_host(userdata)->blackholes;

        (void)sd, (void)path, (void)interface, (void)error;
        if (strcmp(property, "BlackholeCount") == 0)
                return sd_bus_message_append(reply, "t",
                                             blackholes->unknown ? UINT64_MAX : blackholes->count);
        if (strcmp(property, "BlackholeAge") == 0)
                return sd_bus_message_append(reply, "u",
                                             policy_age(blackholes->last_usec, clock_usec()));
        return sd_bus_message_append(reply, "s", blackhole_state_name(blackholes->state));
}

int bus_get_blackholes(sd_bus *sd, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const struct blackholes *blackholes = policy_host(userdata)->blackholes;
        const uint64_t now = clock_usec();
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        (void)sd, (void)path, (void)interface, (void)property, (void)error;
        for (size_t i = 0; i < blackholes->n && r >= 0; i++) {
                const struct blackhole *row = &blackholes->list[i];
                char text[ADDRESS_TEXT];

                r = sd_bus_message_append(
                                reply, "a{sv}", 3, "Destination", "s",
                                address_format(&row->to, text), "Age", "u",
                                policy_age(row->since_usec, now), "Left", "u",
                                row->until_usec > now
                                                ? (uint32_t)((row->until_usec - now) / 1000000)
                                                : 0);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
