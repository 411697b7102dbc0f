/*
 * mptcpctl plugin: the plugins that there are, and which one has a connection.
 */
#include "client.h"
#include "ctl.h"
#include "fields.h"
#include "render.h"
#include "target.h"

static const struct field plugin_fields[] = {
        { "Name", "name", field_copy },         { "File", "file", field_copy },
        { "Abi", "abi", field_copy },           { "Default", "default", field_copy },
        { "Policies", "policies", field_copy }, { "ConnectionCount", "connections", field_copy },
};

static int plugins_print(const struct ctl *ctl) {
        _cleanup_(client_freep) struct client *client = NULL;
        _cleanup_(json_decrefp) json_t *objects = NULL, *value = NULL;
        struct client_error error;

        if (client_new(&client, &error) < 0 ||
            client_objects(client, &error, &objects, CLIENT_PLUGIN) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        value = json_pack("{s:o}", "plugins",
                          fields_rows(objects, plugin_fields, ARRAY_SIZE(plugin_fields)));
        if (!value)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_plugins);
        return CTL_DONE;
}

static int mode_fill(sd_bus_message *call, const void *userdata) {
        const struct ctl *ctl = userdata;

        return sd_bus_message_append(call, "s", ctl->args[1]);
}

static int connection_set_mode(const struct ctl *ctl, struct client *client,
                               struct client_error *error, const char *path) {
        int r = client_change(client, error, path, CLIENT_CONNECTION, "SetMode", mode_fill, ctl);

        return r < 0 ? r : ctl_done(ctl);
}

int cmd_plugin(const struct ctl *ctl) {
        int status = ctl_check_words(ctl);

        if (status != CTL_DONE)
                return status;
        if (ctl->n_args == 0)
                return plugins_print(ctl);
        if (ctl->n_args == 1)
                return ctl_fail(ctl, CTL_USAGE,
                                "wrong number of arguments, expected: mptcpctl plugin "
                                "[TOKEN NAME]");
        return target_run(ctl, connection_set_mode);
}
