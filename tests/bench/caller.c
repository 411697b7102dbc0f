/*
 * A client that asks the daemon over and over.
 *
 *         caller list|properties|objects|explain|connection [once]
 *
 * With "once" it asks once for each byte of its standard input, and says "answered". Else it says
 * "asking" after its first answer; at the end of its standard input it says how many answers there
 * were, and how long the longest took: "done COUNT USEC".
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define NAME       "org.mptcpize1"
#define OBJECT     "/org/mptcpize1"
#define MANAGER    "org.mptcpize1.Manager"
#define PROPERTIES "org.freedesktop.DBus.Properties"

enum { LIST_ROWS = 256, PATH_BYTES = 64 };

struct caller {
        sd_bus *bus;
        uint32_t cursor; /* of the next page; where to look for a connection */
};

static int call_list(struct caller *caller) {
        sd_bus_message *reply = NULL;
        int r = sd_bus_call_method(caller->bus, NAME, OBJECT, MANAGER, "List", NULL, &reply, "uu",
                                   caller->cursor, LIST_ROWS);

        if (r >= 0)
                r = sd_bus_message_skip(reply, "aa{sv}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &caller->cursor);
        sd_bus_message_unref(reply);
        return r;
}

static int call_properties(struct caller *caller) {
        return sd_bus_call_method(caller->bus, NAME, OBJECT, PROPERTIES, "GetAll", NULL, NULL, "s",
                                  MANAGER);
}

static int call_objects(struct caller *caller) {
        return sd_bus_call_method(caller->bus, NAME, OBJECT, "org.freedesktop.DBus.ObjectManager",
                                  "GetManagedObjects", NULL, NULL, "");
}

static int call_explain(struct caller *caller) {
        return sd_bus_call_method(caller->bus, NAME, OBJECT, MANAGER, "Explain", NULL, NULL,
                                  "a{sv}", 2, "Program", "s", "curl", "Address", "s",
                                  "203.0.113.1:443");
}

/* All of one connection, another one each time. It may have ended since it was listed (-EBADR). */
static int call_connection(struct caller *caller) {
        sd_bus_message *reply = NULL;
        char path[PATH_BYTES];
        const char *key;
        uint32_t token;
        int r = sd_bus_call_method(caller->bus, NAME, OBJECT, MANAGER, "List", NULL, &reply, "uu",
                                   caller->cursor, 1);

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "{sv}", &key, "u", &token);
        sd_bus_message_unref(reply);
        if (r < 0)
                return r;
        caller->cursor = r == 0 ? 0 : token + 1;
        if (r == 0)
                return 0;
        snprintf(path, sizeof(path), OBJECT "/connection/%08x", token);
        r = sd_bus_call_method(caller->bus, NAME, path, PROPERTIES, "GetAll", NULL, NULL, "s",
                               "org.mptcpize1.Connection");
        return r == -EBADR ? 0 : r;
}

static const struct {
        const char *name;
        int (*call)(struct caller *caller);
} calls[] = {
        { "list", call_list },       { "properties", call_properties }, { "objects", call_objects },
        { "explain", call_explain }, { "connection", call_connection },
};

static uint64_t now_usec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool is_over(void) {
        struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

        return poll(&input, 1, 0) > 0;
}

static int ask_once(struct caller *caller, int (*call)(struct caller *caller)) {
        char byte;
        int r = 0;

        while (r >= 0 && read(STDIN_FILENO, &byte, 1) == 1) {
                r = call(caller);
                puts("answered");
                (void)fflush(stdout);
        }
        return r;
}

static int ask(struct caller *caller, int (*call)(struct caller *caller)) {
        uint64_t longest = 0, n = 0;

        while (!is_over()) {
                const uint64_t begun = now_usec();
                const int r = call(caller);
                const uint64_t took = now_usec() - begun;

                if (r < 0)
                        return r;
                if (n++ == 0) {
                        puts("asking");
                        (void)fflush(stdout);
                }
                longest = took > longest ? took : longest;
        }
        printf("done %llu %llu\n", (unsigned long long)n, (unsigned long long)longest);
        return 0;
}

int main(int argc, char **argv) {
        struct caller caller = { 0 };
        int r = argc == 2 || argc == 3 ? sd_bus_open_system(&caller.bus) : -1;

        for (size_t i = 0; r >= 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
                if (strcmp(argv[1], calls[i].name) == 0)
                        r = (argc == 3 ? ask_once : ask)(&caller, calls[i].call);
        if (r < 0)
                fprintf(stderr, "caller: %s\n", strerror(-r));
        sd_bus_unref(caller.bus);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
