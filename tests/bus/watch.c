/*
 * A subscriber that prints what it is told, a line each:
 *
 *         event SERIAL KIND TOKEN LOCAL REMOTE INTERFACE PROGRAM PLUGIN ERROR WHAT|REASON
 *         lost NUMBER
 *         changed PATH PROPERTY...
 *         invalid PATH PROPERTY...
 *         added PATH INTERFACE
 *         removed PATH INTERFACE
 *
 * with "-" for an empty text; "subscribed" first. At the end of its standard input it calls
 * Unsubscribe(), says "unsubscribed", and goes on, to show that no more comes. With an argument it
 * does not subscribe: it only prints what is sent to everybody.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define NAME    "org.mptcpize1"
#define OBJECT  "/org/mptcpize1"
#define MANAGER "org.mptcpize1.Manager"

static const char *const shown[] = { "Serial",  "Kind",   "Token", "Local", "Remote", "Interface",
                                     "Program", "Plugin", "Error", "What",  "Reason" };
enum { SHOWN = sizeof(shown) / sizeof(shown[0]), TEXT = 256 };

static int read_value(sd_bus_message *message, char text[static TEXT]) {
        const char *type, *string;
        uint64_t number = 0;
        int32_t is_signed = 0;
        uint32_t word = 0;
        int r = sd_bus_message_peek_type(message, NULL, &type);

        if (r < 0)
                return r;
        switch (type[0]) {
        case 's':
                r = sd_bus_message_read(message, "v", "s", &string);
                if (r >= 0)
                        snprintf(text, TEXT, "%s", string[0] ? string : "-");
                return r;
        case 't':
                r = sd_bus_message_read(message, "v", "t", &number);
                snprintf(text, TEXT, "%" PRIu64, number);
                return r;
        case 'u':
                r = sd_bus_message_read(message, "v", "u", &word);
                snprintf(text, TEXT, "%" PRIu32, word);
                return r;
        default:
                r = sd_bus_message_read(message, "v", "i", &is_signed);
                snprintf(text, TEXT, "%" PRId32, is_signed);
                return r;
        }
}

static int on_event(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        char texts[SHOWN][TEXT] = { { 0 } }, other[TEXT];
        const char *key;
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        (void)userdata, (void)error;
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                char *to = other;

                r = sd_bus_message_read(message, "s", &key);
                for (size_t i = 0; r >= 0 && i < SHOWN; i++)
                        if (strcmp(key, shown[i]) == 0)
                                to = texts[i];
                if (r >= 0)
                        r = read_value(message, to);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        printf("event");
        for (size_t i = 0; i < SHOWN; i++)
                printf("%c%s", i + 1 == SHOWN ? '|' : ' ', texts[i]);
        puts("");
        return r;
}

static int on_lost(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        uint64_t n = 0;
        int r = sd_bus_message_read(message, "t", &n);

        (void)userdata, (void)error;
        printf("lost %" PRIu64 "\n", n);
        return r;
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *path = sd_bus_message_get_path(message);
        int r = sd_bus_message_read(message, "s", &name);

        (void)userdata, (void)error;
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sv}");
        printf("changed %s", path);
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = sd_bus_message_read(message, "s", &name);
                printf(" %s", name);
                if (r >= 0)
                        r = sd_bus_message_skip(message, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "s");
        printf("\ninvalid %s", path);
        while (r >= 0 && (r = sd_bus_message_read(message, "s", &name)) > 0)
                printf(" %s", name);
        puts("");
        return r;
}

static int on_added(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path, *interface;
        int r = sd_bus_message_read(message, "o", &path);

        (void)userdata, (void)error;
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sa{sv}}");
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'e', "sa{sv}");
        if (r >= 0)
                r = sd_bus_message_read(message, "s", &interface);
        if (r >= 0)
                printf("added %s %s\n", path, interface);
        return r;
}

static int on_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path, *interface;
        int r = sd_bus_message_read(message, "oas", &path, 1, &interface);

        (void)userdata, (void)error;
        printf("removed %s %s\n", path, r >= 0 ? interface : "?");
        return r;
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        char byte;
        int r;

        (void)revents;
        if (read(fd, &byte, 1) != 0)
                return 0;
        r = sd_bus_call_method(userdata, NAME, OBJECT, MANAGER, "Unsubscribe", NULL, NULL, "");
        puts(r < 0 ? "failed" : "unsubscribed");
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int watch(sd_bus *bus, bool subscribe) {
        static const struct {
                const char *interface, *member;
                sd_bus_message_handler_t fn;
        } signals[] = {
                { MANAGER, "Event", on_event },
                { MANAGER, "EventsLost", on_lost },
                { "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed },
                { "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", on_added },
                { "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", on_removed },
        };
        int r = 0;

        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]) && r >= 0; i++)
                r = sd_bus_match_signal(bus, NULL, NAME, NULL, signals[i].interface,
                                        signals[i].member, signals[i].fn, NULL);
        if (r >= 0 && subscribe)
                r = sd_bus_call_method(bus, NAME, OBJECT, MANAGER, "Subscribe", NULL, NULL, "");
        if (r >= 0)
                puts("subscribed");
        return r;
}

int main(int argc, char **argv) {
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        int r = sd_event_default(&event);

        (void)argv;
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = watch(bus, argc == 1);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, 0);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, bus);
        if (r >= 0)
                r = sd_event_loop(event);
        fprintf(stderr, "watch: %s\n", strerror(-r));
        return EXIT_FAILURE;
}
