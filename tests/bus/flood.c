/*
 * A client that is not nice.
 *
 *         flood reload COUNT ANSWERS    calls Reload COUNT times without waiting, says "sent",
 *                                       prints the names of the first ANSWERS errors ("" for a
 *                                       success), and stays
 *         flood read                    asks for everything CALLS times and never reads an
 *                                       answer; says "sent" after a tenth of that
 *         flood subscribe               subscribes, says "subscribed", and never reads again
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define NAME    "org.mptcpize1"
#define OBJECT  "/org/mptcpize1"
#define MANAGER "org.mptcpize1.Manager"
#define FOREVER (~UINT64_C(0))
#define CALLS   20000u /* more than any queue on the way should hold */

static unsigned long answers;

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const sd_bus_error *what = sd_bus_message_get_error(reply);

        (void)userdata, (void)error;
        if (answers == 0)
                return 0;
        answers--;
        printf("%s\n", what ? what->name : "");
        fflush(stdout);
        return 0;
}

static int say(const char *word) {
        puts(word);
        return fflush(stdout);
}

static int flood_reload(sd_bus *bus, unsigned long count) {
        int r = 0;

        for (unsigned long i = 0; i < count && r >= 0; i++)
                r = sd_bus_call_method_async(bus, NULL, NAME, OBJECT, MANAGER, "Reload", on_answer,
                                             NULL, "");
        if (r >= 0)
                r = sd_bus_flush(bus);
        if (r >= 0 && answers == 0)
                r = say("sent");
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, FOREVER);
        }
        return r;
}

static int flood_read(sd_bus *bus) {
        int r = 0;

        for (unsigned int i = 0; i < CALLS && r >= 0; i++) {
                sd_bus_message *call = NULL;

                r = sd_bus_message_new_method_call(bus, &call, NAME, OBJECT,
                                                   "org.freedesktop.DBus.Properties", "GetAll");
                if (r >= 0)
                        r = sd_bus_message_append(call, "s", MANAGER);
                if (r >= 0)
                        r = sd_bus_send(bus, call, NULL);
                sd_bus_message_unref(call);
                if (i == CALLS / 10)
                        say("sent");
        }
        while (r >= 0)
                r = pause();
        return r;
}

static int flood_subscribe(sd_bus *bus) {
        int r = sd_bus_call_method(bus, NAME, OBJECT, MANAGER, "Subscribe", NULL, NULL, "");

        if (r >= 0)
                r = say("subscribed");
        while (r >= 0)
                r = pause();
        return r;
}

int main(int argc, char **argv) {
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0 && argc == 4 && strcmp(argv[1], "reload") == 0) {
                answers = strtoul(argv[3], NULL, 10);
                r = flood_reload(bus, strtoul(argv[2], NULL, 10));
        } else if (r >= 0 && argc == 2 && strcmp(argv[1], "read") == 0)
                r = flood_read(bus);
        else if (r >= 0 && argc == 2 && strcmp(argv[1], "subscribe") == 0)
                r = flood_subscribe(bus);
        else if (r >= 0)
                r = -EINVAL;
        fprintf(stderr, "flood: %s\n", strerror(-r));
        return EXIT_FAILURE;
}
