/*
 * A polkit that says what it is told to: "allow", "deny", "challenge", "silent" (it never answers)
 * or "die" (it ends at the first question).
 *
 *         fake-polkitd ANSWER
 *
 * Prints "ready" once it has its name, and a line for each question: ACTION FLAGS SUBJECT, and
 * "cancel" when one is taken back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

static int on_check(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *answer = userdata, *kind, *key, *name, *action;
        uint32_t flags;
        int r = sd_bus_message_read(call, "(sa{sv})s", &kind, 1, &key, "s", &name, &action);

        (void)error;
        if (r >= 0)
                r = sd_bus_message_skip(call, "a{ss}");
        if (r >= 0)
                r = sd_bus_message_read(call, "u", &flags);
        if (r < 0)
                return r;
        printf("%s %u %s %s %s\n", action, flags, kind, key, name);
        fflush(stdout);
        if (strcmp(answer, "die") == 0)
                _Exit(EXIT_SUCCESS);
        if (strcmp(answer, "silent") == 0)
                return 1;
        return sd_bus_reply_method_return(call, "(bba{ss})", strcmp(answer, "allow") == 0,
                                          strcmp(answer, "challenge") == 0, 0);
}

static int on_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        (void)userdata, (void)error;
        puts("cancel");
        fflush(stdout);
        return sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable authority[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CancelCheckAuthorization", "s", NULL, on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int main(int argc, char **argv) {
        sd_bus *bus = NULL;
        int r = argc == 2 ? sd_bus_open_system(&bus) : -1;

        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/PolicyKit1/Authority",
                                             "org.freedesktop.PolicyKit1.Authority", authority,
                                             argv[1]);
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0);
        if (r >= 0)
                puts("ready");
        fflush(stdout);
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        return EXIT_FAILURE;
}
