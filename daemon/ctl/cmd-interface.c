/*
 * mptcpctl interface: the interfaces of this host, and what they are for.
 */
#include "client.h"
#include "ctl.h"
#include "fields.h"
#include "render.h"
#include "suggest.h"

#include <string.h>

static const struct field interface_fields[] = {
        { "Name", "name", field_copy },
        { "Index", "index", field_copy },
        { "Role", "role", field_copy },
        { "RoleReason", "role_reason", field_copy },
        { "Usable", "usable", field_copy },
        { "Reason", "reason", field_copy },
        { "Addresses", "addresses", field_copy },
        { "Routing", "routing", field_copy },
        { "SubflowCount", "subflows", field_copy },
};

static const char *const roles[] = { "master", "on", "backup", "off", "default" };

static const json_t *row_named(const json_t *rows, const char *name) {
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                const char *here = json_string_value(json_object_get(row, "name"));

                if (here && strcmp(here, name) == 0)
                        return row;
        }
        return NULL;
}

static int interface_fail_none(const struct ctl *ctl, const json_t *rows) {
        struct suggestion suggestion = { .word = ctl->args[0] };
        char text[SUGGESTION_TEXT];
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                suggestion_offer(&suggestion, json_string_value(json_object_get(row, "name")));
        }
        return ctl_fail(ctl, CTL_FAILED,
                        "there is no interface \"%s\"%s 'mptcpctl interface' lists those that "
                        "there are",
                        ctl->args[0], *suggestion_text(&suggestion, text) ? text : ":");
}

static int interfaces_print(const struct ctl *ctl, const json_t *rows) {
        _cleanup_(json_decrefp) json_t *value = NULL;

        if (ctl->n_args) {
                const json_t *row = row_named(rows, ctl->args[0]);

                if (!row)
                        return interface_fail_none(ctl, rows);
                render(ctl, row, render_interface);
                return CTL_DONE;
        }
        value = json_pack("{s:O}", "interfaces", rows);
        if (!value)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_interfaces);
        return CTL_DONE;
}

static int role_fill(sd_bus_message *call, const void *userdata) {
        const struct ctl *ctl = userdata;
        const char *role = strcmp(ctl->args[1], "default") == 0 ? "" : ctl->args[1];

        return sd_bus_message_append(call, "ssb", ctl->args[0], role, (int)ctl->keep);
}

static int role_check(const struct ctl *ctl) {
        struct suggestion suggestion = { .word = ctl->args[1] };
        char text[SUGGESTION_TEXT];
        size_t i;

        for (i = 0; i < ARRAY_SIZE(roles); i++) {
                if (strcmp(roles[i], ctl->args[1]) == 0)
                        return CTL_DONE;
                suggestion_offer(&suggestion, roles[i]);
        }
        return ctl_fail(ctl, CTL_USAGE,
                        "unknown role \"%s\"%s expected: master, on, backup, off or default",
                        ctl->args[1], *suggestion_text(&suggestion, text) ? text : ",");
}

static int role_set(const struct ctl *ctl, struct client *client, struct client_error *error) {
        if (client_change(client, error, CLIENT_PATH, CLIENT_MANAGER, "SetRole", role_fill, ctl) <
            0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error->text);
        return ctl_done(ctl);
}

int cmd_interface(const struct ctl *ctl) {
        _cleanup_(client_freep) struct client *client = NULL;
        _cleanup_(json_decrefp) json_t *objects = NULL, *rows = NULL;
        struct client_error error;
        int status = ctl_check_words(ctl);

        if (status == CTL_DONE && ctl->n_args == 2)
                status = role_check(ctl);
        if (status != CTL_DONE)
                return status;
        if (ctl->keep && ctl->n_args < 2)
                return ctl_fail(ctl, CTL_USAGE,
                                "--keep is for a role: see 'mptcpctl help "
                                "interface'");
        if (client_new(&client, &error) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        if (ctl->n_args == 2)
                return role_set(ctl, client, &error);
        if (client_objects(client, &error, &objects, CLIENT_INTERFACE) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        rows = fields_rows(objects, interface_fields, ARRAY_SIZE(interface_fields));
        return rows ? interfaces_print(ctl, rows) : ctl_fail(ctl, CTL_FAILED, "out of memory");
}
