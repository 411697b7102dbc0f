/*
 * mptcpctl metrics: what the daemon knows, for a monitoring system.
 */
#include "client.h"
#include "ctl.h"
#include "render.h"

#include <stdio.h>

/* As it is: the daemon lets no control characters into it. */
static void render_metrics(const struct output *output, const json_t *value) {
        const char *text = json_string_value(json_object_get(value, "openmetrics"));

        fputs(text ? text : "", output->file);
}

int cmd_metrics(const struct ctl *ctl) {
        _cleanup_(json_decrefp) json_t *reply = NULL, *value = NULL;
        _cleanup_(client_freep) struct client *client = NULL;
        struct client_error error;

        if (client_new(&client, &error) < 0 ||
            client_call(client, &error, &reply, "Metrics", NULL) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        value = json_pack("{s:O}", "openmetrics", json_array_get(reply, 0));
        if (!value)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_metrics);
        return CTL_DONE;
}
