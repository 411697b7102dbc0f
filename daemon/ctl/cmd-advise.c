/*
 * mptcpctl advise: what scripts of who manages the network tell the daemon of an interface.
 *
 * A call of its own, because it must not start the daemon, as others may: an administrator who has
 * stopped it would be surprised to see it back whenever a cable is plugged in.
 */
#include "bus-open.h"
#include "ctl.h"
#include "render.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "../util/cleanup.h"

/* NetworkManager waits for its scripts before it takes an interface down. */
#define PATIENCE_USEC UINT64_C(2000000)

#define NOT_RUNNING "mptcpized is not running: there is nobody to advise"

static bool advise_is_role(const char *word) {
        static const char *const words[] = {
                "master", "on", "backup", "off", "default", "leaving"
        };

        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
                if (strcmp(word, words[i]) == 0)
                        return true;
        return false;
}

static int advise_send(sd_bus *bus, const struct ctl *ctl, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        const char *role = strcmp(ctl->args[1], "default") == 0 ? "" : ctl->args[1];
        const char *reason = ctl->n_args > 2 ? ctl->args[2] : "advised";
        int r = sd_bus_message_new_method_call(bus, &call, "org.mptcpize1", "/org/mptcpize1",
                                               "org.mptcpize1.Manager", "Advise");

        if (r >= 0)
                r = sd_bus_message_append(call, "sss", ctl->args[0], role, reason);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        return r < 0 ? r : sd_bus_call(bus, call, PATIENCE_USEC, error, NULL);
}

int cmd_advise(const struct ctl *ctl) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(json_decrefp) json_t *nothing = json_object();
        int r;

        if (!advise_is_role(ctl->args[1]))
                return ctl_fail(ctl, CTL_USAGE,
                                "expected master, on, backup, off, default or leaving, not \"%s\"",
                                ctl->args[1]);
        r = bus_open(&bus, PATIENCE_USEC);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "the system bus can't be reached: %s",
                                strerror(-r));
        r = advise_send(bus, ctl, &error);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return ctl_fail(ctl, CTL_FAILED, NOT_RUNNING);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "mptcpized: %s",
                                error.message ? error.message : strerror(-r));
        render(ctl, nothing, render_nothing);
        return CTL_DONE;
}
