/*
 * A daemon that only talks: org.mptcpize1 with fixed answers, for the tests of mptcpctl.
 *
 * It shows what the real one rarely does: more than a page of connections, texts with control
 * characters, unknown users, numbers that are missing, and refusals. Prints "ready" once it has
 * its name. $FAKE_RELOAD chooses what Reload answers: "denied", "broken", otherwise success;
 * $FAKE_CURSOR=stuck makes List repeat its first page.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define CONNECTIONS 300u
#define TOKEN       0x1a2b3c4du
#define UNKNOWN_UID UINT32_MAX
#define PAGE        256u

static bool is_set(const char *name, const char *value) {
        const char *found = getenv(name);

        return found && strcmp(found, value) == 0;
}

static int row_append(sd_bus_message *reply, uint32_t token) {
        return sd_bus_message_append(
                        reply, "a{sv}", 12, "Token", "u", token, "State", "s", "established",
                        "Role", "s", "client", "Plugin", "s", "fullmesh", "Local", "s",
                        "192.0.2.1:5555", "Remote", "s", "[2001:db8::1]:443", "Uid", "u",
                        token == 1 ? UNKNOWN_UID : 1000, "Program", "s", token == 1 ? "" : "curl",
                        "Pid", "u", token == 1 ? 0 : 4711, "Policy", "s", token == 1 ? "" : "web",
                        "UserTimeoutMsec", "u", token == 1 ? 0 : 2000, "Subflows", "u", 2);
}

/* The tokens are 1, 2, ..., CONNECTIONS. */
static int on_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        sd_bus_message *reply = NULL;
        uint32_t cursor, max, token, end;
        int r;

        (void)userdata;
        (void)error;
        r = sd_bus_message_read(call, "uu", &cursor, &max);
        if (r < 0)
                return r;
        if (cursor == 0 || is_set("FAKE_CURSOR", "stuck"))
                cursor = 1;
        end = cursor + (max < PAGE ? max : PAGE);
        if (end > CONNECTIONS + 1)
                end = CONNECTIONS + 1;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (token = cursor; r >= 0 && token < end; token++)
                r = row_append(reply, token);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "u", end > CONNECTIONS ? 0 : end);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int on_get_connection(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        uint32_t token;
        int r;

        (void)userdata;
        r = sd_bus_message_read(call, "u", &token);
        if (r < 0)
                return r;
        if (token != TOKEN)
                return sd_bus_error_set(error, "org.mptcpize1.Error.NoSuchConnection", "none such");
        return sd_bus_reply_method_return(call, "o", "/org/mptcpize1/connection/1a2b3c4d");
}

static int on_reload(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        (void)userdata;
        if (is_set("FAKE_RELOAD", "denied"))
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "no");
        if (is_set("FAKE_RELOAD", "broken"))
                return sd_bus_error_set(error, "org.mptcpize1.Error.BadConfiguration",
                                        "mptcpized.conf:2:3: unknown key");
        return sd_bus_reply_method_return(call, NULL);
}

static int on_set_mode(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *mode;
        int r;

        (void)userdata;
        r = sd_bus_message_read(call, "s", &mode);
        if (r < 0)
                return r;
        if (strcmp(mode, "handover") != 0)
                return sd_bus_error_setf(error, "org.mptcpize1.Error.NoSuchMode",
                                         "there is no mode, policy or plugin \"%s\"", mode);
        return sd_bus_reply_method_return(call, NULL);
}

/* All properties that are one number or one word. */
struct constant {
        const char *name;
        const char *text; /* NULL: number */
        uint32_t number;
};

static const struct constant constants[] = {
        { "Version", "9.8.7", 0 },
        { "Kernel", "6.1.0", 0 },
        { "PathManager", "userspace", 0 },
        { "PreviousPathManager", "kernel", 0 },
        { "Plugin", "fullmesh", 0 },
        { "ConnectionCount", NULL, CONNECTIONS },
        { "SubflowCount", NULL, 600 },
        { "MaxSubflows", NULL, 4 },
        { "MaxConnections", NULL, 100000 },
        { "Token", NULL, TOKEN },
        { "State", "established", 0 },
        { "Role", "server", 0 },
        { "Local", "192.0.2.1:443", 0 },
        { "Remote", "198.51.100.7:5555", 0 },
        { "Uid", NULL, UNKNOWN_UID },
        { "Program", "na\033me", 0 },
        { "Pid", NULL, 4711 },
        { "Policy", "none", 0 },
        { "UserTimeoutMsec", NULL, 2000 },
        { "DeadAfter", NULL, 15 },
        { "PolicyCount", NULL, 7 },
        { "PolicyGeneration", NULL, 3 },
        { "PolicyDatabase", "/run/mptcpize/policy.db", 0 },
        { "BlackholeAge", NULL, 14 },
        { "BlackholeState", "MPTCP is on again", 0 },
};

static int get_constant(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        size_t i;

        (void)bus;
        (void)path;
        (void)interface;
        (void)userdata;
        (void)error;
        for (i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
                if (strcmp(constants[i].name, property) != 0)
                        continue;
                return constants[i].text ? sd_bus_message_append(reply, "s", constants[i].text)
                                         : sd_bus_message_append(reply, "u", constants[i].number);
        }
        return -ENOENT;
}

static int get_dictionaries(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error) {
        (void)bus;
        (void)path;
        (void)interface;
        (void)userdata;
        (void)error;
        if (strcmp(property, "Counters") == 0)
                return sd_bus_message_append(reply, "a{st}", 2, "actions_done", UINT64_C(7),
                                             "events", UINT64_MAX);
        if (strcmp(property, "BlackholeCount") == 0)
                return sd_bus_message_append(reply, "t", UINT64_C(2));
        if (strcmp(property, "Blackholes") == 0)
                return sd_bus_message_append(reply, "aa{sv}", 2, 3, "Destination", "s",
                                             "203.0.113.2", "Age", "u", 14, "Left", "u", 3586, 3,
                                             "Destination", "s", "2001:db8::2", "Age", "u",
                                             UINT32_MAX, "Left", "u", 7);
        if (strcmp(property, "Interfaces") == 0)
                return sd_bus_message_append(reply, "aa{sv}", 2, 8, "Routing", "s",
                                             "own rule and table 26200: rp_filter is strict",
                                             "Name", "s", "wlan0", "Index", "i", 3, "Role", "s",
                                             "backup", "RoleReason", "s", "wlan*", "Usable", "b", 1,
                                             "Reason", "s", "", "Addresses", "as", 2, "192.0.2.1",
                                             "2001:db8::1", 8, "Routing", "s", "", "Name", "s",
                                             "eth\033[31m", "Index", "i", 12, "Role", "s", "on",
                                             "RoleReason", "s", "default", "Usable", "b", 0,
                                             "Reason", "s", "no carrier", "Addresses", "as", 0);
        if (strcmp(property, "PolicyDirectories") == 0)
                return sd_bus_message_append(reply, "as", 2, "/usr/share/mptcpize/apps.d",
                                             "/etc/mptcpize/apps.d");
        if (strcmp(property, "PolicyErrors") == 0)
                return sd_bus_message_append(reply, "as", 1,
                                             "/etc/mptcpize/apps.d/a.json:1:3: unknown \033[31m");
        if (strcmp(property, "Remotes") == 0)
                return sd_bus_message_append(reply, "aa{sv}", 1, 2, "Id", "y", 0, "Address", "s",
                                             "198.51.100.7:5555");
        if (strcmp(property, "Log") == 0)
                return sd_bus_message_append(reply, "aa{sv}", 1, 3, "TimeUsec", "t",
                                             UINT64_C(1714564800123456), "What", "s",
                                             "subflow created", "Reason", "s", "a\n\033[2Jb");
        return sd_bus_message_append(reply, "aa{sv}", 2, 13, "State", "s", "established", "Local",
                                     "s", "192.0.2.1:443", "Remote", "s", "198.51.100.7:5555",
                                     "LocalId", "y", 0, "RemoteId", "y", 0, "Interface", "s",
                                     "wlan0", "Backup", "b", 0, "BackupRemote", "b", 1, "Initial",
                                     "b", 1, "BytesSent", "t", UINT64_C(12300000), "BytesReceived",
                                     "t", UINT64_C(999), "RttUsec", "u", 12345, "Retransmits", "u",
                                     3, 9, "State", "s", "pending", "Local", "s", "203.0.113.1",
                                     "Remote", "s", "198.51.100.7:5555", "LocalId", "y", 1,
                                     "RemoteId", "y", 0, "Interface", "s", "", "Backup", "b", 1,
                                     "BackupRemote", "b", 0, "Initial", "b", 0);
}

static const sd_bus_vtable manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("List", "uu", "aa{sv}u", on_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetConnection", "u", "o", on_get_connection, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Reload", NULL, NULL, on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Version", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Kernel", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("PathManager", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("PreviousPathManager", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Plugin", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("ConnectionCount", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("SubflowCount", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("MaxSubflows", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("MaxConnections", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("DeadAfter", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyCount", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyGeneration", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyDatabase", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyDirectories", "as", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("PolicyErrors", "as", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("BlackholeCount", "t", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("BlackholeAge", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("BlackholeState", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Blackholes", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Counters", "a{st}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Interfaces", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable connection[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("SetMode", "s", NULL, on_set_mode, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Token", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("State", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Role", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Plugin", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Local", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Remote", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Uid", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("Program", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Pid", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("Policy", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("UserTimeoutMsec", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("Subflows", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Remotes", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Log", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_VTABLE_END,
};

static int serve(sd_bus *bus) {
        int r;

        r = sd_bus_add_object_vtable(bus, NULL, "/org/mptcpize1", "org.mptcpize1.Manager", manager,
                                     NULL);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, "/org/mptcpize1/connection/1a2b3c4d",
                                             "org.mptcpize1.Connection", connection, NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.mptcpize1", 0);
        if (r >= 0)
                printf("ready\n");
        fflush(stdout);
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        return r;
}

int main(void) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = serve(bus);
        fprintf(stderr, "fake-mptcpized: %s\n", strerror(-r));
        sd_bus_unref(bus);
        return EXIT_FAILURE;
}
