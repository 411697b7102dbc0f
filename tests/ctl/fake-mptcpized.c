/*
 * A daemon that only talks: org.mptcpize1 with fixed answers, for the tests of mptcpctl.
 *
 * It shows what the real one rarely does: more than a page of connections, texts with control
 * characters, unknown users, numbers that are missing, and refusals. Prints "ready" once it has
 * its name. $FAKE_RELOAD chooses what Reload answers: "denied", "broken", otherwise success;
 * $FAKE_CURSOR=stuck makes List repeat its first page; $FAKE_AUTH=off: nothing is protected.
 *
 * It prints each change that it was asked for, and takes commands on standard input:
 *
 *     refuse NAME   changes are refused with the error NAME; "refuse -": no longer
 *     event TOKEN   an event of the connection TOKEN (hexadecimal) to the subscriber
 *     odd TOKEN     one with control characters in its texts
 *     skip N        so many events get lost on their way
 *     lost N        so many are lost, and the subscriber is told
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "fake-objects.h"

#define CONNECTIONS 300u
#define TOKEN       0x1a2b3c4du
#define UNKNOWN_UID UINT32_MAX
#define PAGE        256u

struct fake {
        sd_bus *bus;
        char refusal[128];    /* name of the error that changes get, "": none */
        char subscriber[128]; /* "": nobody */
        uint64_t serial;
        char line[256]; /* of standard input, so far */
        size_t n;
};

static bool is_set(const char *name, const char *value) {
        const char *found = getenv(name);

        return found && strcmp(found, value) == 0;
}

/* The program of TOKEN does harm to a shell that believes its name. */
static int row_append(sd_bus_message *reply, uint32_t token) {
        const char *program = token == 1 ? "" : token == TOKEN ? "`touch x`%F{red}" : "curl";
        const bool is_protected = token == 2 && !is_set("FAKE_AUTH", "off");

        return sd_bus_message_append(
                        reply, "a{sv}", 14, "Token", "u", token, "State", "s", "established",
                        "Role", "s", "client", "Plugin", "s", "fullmesh", "Local", "s",
                        "192.0.2.1:5555", "Remote", "s", "[2001:db8::1]:443", "Uid", "u",
                        token == 1 ? UNKNOWN_UID : 1000, "Program", "s", program, "Pid", "u",
                        token == 1 ? 0 : 4711, "Policy", "s", token == 1 ? "" : "web",
                        "UserTimeoutMsec", "u", token == 1 ? 0 : 2000, "Subflows", "u", 2,
                        "Authentication", "s", is_protected ? "confirmed" : "off",
                        "AuthenticationMode", "s", is_protected ? "prefer" : "off");
}

/* The tokens are 1, 2, ..., CONNECTIONS; and TOKEN, for who asks for what is behind them. */
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
        if (r >= 0 && cursor > CONNECTIONS && cursor <= TOKEN)
                r = row_append(reply, TOKEN);
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

/* A change: prints it, and answers. arguments: what was asked for, for the test. */
static int change(sd_bus_message *call, const struct fake *fake, sd_bus_error *error,
                  const char *arguments) {
        const int interactive = sd_bus_message_get_allow_interactive_authorization(call);

        printf("%s %s%s\n", sd_bus_message_get_member(call), arguments,
               interactive ? "" : " (not interactive)");
        fflush(stdout);
        if (fake->refusal[0])
                return sd_bus_error_set(error, fake->refusal, "what the daemon says");
        return sd_bus_reply_method_return(call, NULL);
}

static int on_reload(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        if (is_set("FAKE_RELOAD", "denied"))
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "no");
        if (is_set("FAKE_RELOAD", "broken"))
                return sd_bus_error_set(error, "org.mptcpize1.Error.BadConfiguration",
                                        "mptcpized.conf:2:3: unknown key");
        return change(call, userdata, error, "");
}

static int on_set_mode(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *mode;
        int r;

        r = sd_bus_message_read(call, "s", &mode);
        if (r < 0)
                return r;
        if (strcmp(mode, "handover") != 0)
                return sd_bus_error_setf(error, "org.mptcpize1.Error.NoSuchMode",
                                         "there is no mode, policy or plugin \"%s\"", mode);
        return change(call, userdata, error, mode);
}

/* All changes whose arguments are strings, maybe with a boolean behind them. */
static int on_change(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *types = sd_bus_message_get_signature(call, 1), *text;
        char arguments[512] = "";
        size_t used = 0;
        int flag, r = 0;

        for (; *types && r >= 0; types++) {
                r = *types == 's' ? sd_bus_message_read_basic(call, 's', &text)
                                  : sd_bus_message_read_basic(call, 'b', &flag);
                used += (size_t)snprintf(arguments + used, sizeof(arguments) - used, "%s[%s]",
                                         used ? " " : "",
                                         *types == 's' ? text
                                         : flag        ? "yes"
                                                       : "no");
        }
        return r < 0 ? r : change(call, userdata, error, arguments);
}

static int on_set_limits(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        char arguments[512] = "";
        const char *key;
        size_t used = 0;
        uint32_t number;
        int r = sd_bus_message_enter_container(call, 'a', "{su}");

        while (r >= 0 && (r = sd_bus_message_read(call, "{su}", &key, &number)) > 0)
                used += (size_t)snprintf(arguments + used, sizeof(arguments) - used, "%s%s=%u",
                                         used ? " " : "", key, number);
        return r < 0 ? r : change(call, userdata, error, arguments);
}

/* Events */

static int on_subscribe(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct fake *fake = userdata;

        if (fake->refusal[0])
                return sd_bus_error_set(error, fake->refusal, "what the daemon says");
        snprintf(fake->subscriber, sizeof(fake->subscriber), "%s", sd_bus_message_get_sender(call));
        return sd_bus_reply_method_return(call, NULL);
}

static int send_signal(struct fake *fake, sd_bus_message *signal, int r) {
        if (r >= 0)
                r = sd_bus_message_set_destination(signal, fake->subscriber);
        if (r >= 0)
                r = sd_bus_send(fake->bus, signal, NULL);
        sd_bus_message_unref(signal);
        return r;
}

static int send_event(struct fake *fake, uint32_t token, const char *what, const char *reason) {
        sd_bus_message *signal = NULL;
        int r = sd_bus_message_new_signal(fake->bus, &signal, "/org/mptcpize1",
                                          "org.mptcpize1.Manager", "Event");

        if (r >= 0)
                r = sd_bus_message_append(signal, "a{sv}", 12, "Serial", "t", ++fake->serial,
                                          "TimeUsec", "t", UINT64_C(1714564800123456), "Token", "u",
                                          token, "Kind", "s", "failed", "What", "s", what, "Local",
                                          "s", "192.0.2.1", "Remote", "s", "203.0.113.1:80",
                                          "Interface", "s", "wlan0", "Error", "i", -ENETUNREACH,
                                          "Reason", "s", reason, "Program", "s", "curl", "Plugin",
                                          "s", "fullmesh");
        return send_signal(fake, signal, r);
}

static int send_lost(struct fake *fake, uint64_t n) {
        sd_bus_message *signal = NULL;
        int r = sd_bus_message_new_signal(fake->bus, &signal, "/org/mptcpize1",
                                          "org.mptcpize1.Manager", "EventsLost");

        if (r >= 0)
                r = sd_bus_message_append(signal, "t", n);
        fake->serial += n;
        return send_signal(fake, signal, r);
}

static void command_run(struct fake *fake, char *line) {
        char *value = strchr(line, ' ');

        if (!value)
                return;
        *value++ = '\0';
        if (strcmp(line, "refuse") == 0)
                snprintf(fake->refusal, sizeof(fake->refusal), "%s",
                         strcmp(value, "-") == 0 ? "" : value);
        else if (strcmp(line, "event") == 0)
                send_event(fake, (uint32_t)strtoul(value, NULL, 16),
                           "failed: create 192.0.2.1 -> 203.0.113.1:80: Network is unreachable",
                           "a second path");
        else if (strcmp(line, "odd") == 0)
                send_event(fake, (uint32_t)strtoul(value, NULL, 16), "create \033[31m",
                           "a\nreason");
        else if (strcmp(line, "skip") == 0)
                fake->serial += strtoul(value, NULL, 10);
        else if (strcmp(line, "lost") == 0)
                send_lost(fake, strtoul(value, NULL, 10));
        printf("%s done\n", line);
        fflush(stdout);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct fake *fake = userdata;
        ssize_t n = read(fd, fake->line + fake->n, sizeof(fake->line) - 1 - fake->n);
        char *end;

        (void)revents;
        if (n <= 0)
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        fake->n += (size_t)n;
        fake->line[fake->n] = '\0';
        while ((end = strchr(fake->line, '\n'))) {
                *end++ = '\0';
                command_run(fake, fake->line);
                fake->n -= (size_t)(end - fake->line);
                memmove(fake->line, end, fake->n + 1);
        }
        return 0;
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
        { "MaxAccepted", NULL, 8 },
        { "MaxJoins", NULL, 3 },
        { "MaxRetries", NULL, 600 },
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
        { "Authentication", "confirmed", 0 },
        { "AuthenticationMode", "prefer", 0 },
        { "AuthenticationReason", "the peer holds the \033[31mkey", 0 },
        { "Gate", "missing", 0 },
        { "GateReason", "nf_tables is not in the kernel", 0 },
        { "AuthConnections", NULL, 3 },
        { "AuthConfirmed", NULL, 2 },
        { "AuthReason", "the port is busy", 0 },
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
                return sd_bus_message_append(reply, "a{st}", 4, "actions_done", UINT64_C(7),
                                             "auth_forged", UINT64_C(0), "auth_received",
                                             UINT64_C(9), "events", UINT64_MAX);
        if (strcmp(property, "AuthPort") == 0)
                return sd_bus_message_append(reply, "q", 8684);
        if (strcmp(property, "GateDropped") == 0)
                return sd_bus_message_append(reply, "t", UINT64_C(12));
        if (strcmp(property, "KernelFeatures") == 0)
                return sd_bus_message_append(reply, "aa{sv}", 3, 3, "Name", "s", "listener-events",
                                             "State", "s", "fallback", "Reason", "s", "seen later",
                                             3, "Name", "s", "deny-join", "State", "s", "unknown",
                                             "Reason", "s", "not shown", 3, "Name", "s", "nftables",
                                             "State", "s", "works", "Reason", "s", "");
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
        SD_BUS_METHOD("SetRole", "ssb", NULL, on_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Advise", "sss", NULL, on_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SetLimits", "a{su}", NULL, on_set_limits, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Subscribe", NULL, NULL, on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Version", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Kernel", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("PathManager", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("PreviousPathManager", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Plugin", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("ConnectionCount", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("SubflowCount", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("MaxSubflows", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("MaxAccepted", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("MaxJoins", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("MaxRetries", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("MaxConnections", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("DeadAfter", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyCount", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyGeneration", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyDatabase", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("PolicyDirectories", "as", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("PolicyErrors", "as", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("KernelFeatures", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("BlackholeCount", "t", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("BlackholeAge", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("BlackholeState", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Blackholes", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Gate", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("GateReason", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("GateDropped", "t", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("AuthPort", "q", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("AuthConnections", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("AuthConfirmed", "u", get_constant, 0, 0),
        SD_BUS_PROPERTY("AuthReason", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Counters", "a{st}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Interfaces", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable connection[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("SetMode", "s", NULL, on_set_mode, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("AddSubflow", "ssb", NULL, on_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RemoveSubflow", "ss", NULL, on_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SetBackup", "ssb", NULL, on_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Announce", "s", NULL, on_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Withdraw", "s", NULL, on_change, SD_BUS_VTABLE_UNPRIVILEGED),
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
        SD_BUS_PROPERTY("Authentication", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("AuthenticationMode", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("AuthenticationReason", "s", get_constant, 0, 0),
        SD_BUS_PROPERTY("Subflows", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Remotes", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_PROPERTY("Log", "aa{sv}", get_dictionaries, 0, 0),
        SD_BUS_VTABLE_END,
};

static int serve(struct fake *fake, sd_event *event) {
        int r = add_object(fake->bus, "/org/mptcpize1", "org.mptcpize1.Manager", manager, fake);

        if (r >= 0)
                r = add_object(fake->bus, "/org/mptcpize1/connection/1a2b3c4d",
                               "org.mptcpize1.Connection", connection, fake);
        if (r >= 0)
                r = add_objects(fake->bus);
        if (r >= 0)
                r = sd_bus_attach_event(fake->bus, event, 0);
        /* it may be a file, such as /dev/null, that nobody writes commands to */
        if (r >= 0)
                (void)sd_event_add_io(event, NULL, STDIN_FILENO, POLLIN, on_input, fake);
        if (r >= 0)
                r = sd_bus_request_name(fake->bus, "org.mptcpize1", 0);
        if (r >= 0)
                printf("ready\n");
        fflush(stdout);
        return r < 0 ? r : sd_event_loop(event);
}

int main(void) {
        struct fake fake = { .bus = NULL };
        sd_event *event = NULL;
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_bus_open_system(&fake.bus);
        if (r >= 0)
                r = serve(&fake, event);
        fprintf(stderr, "fake-mptcpized: %s\n", strerror(-r));
        sd_bus_unref(fake.bus);
        sd_event_unref(event);
        return EXIT_FAILURE;
}
