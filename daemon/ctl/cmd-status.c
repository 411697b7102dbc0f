/*
 * mptcpctl status, mptcpctl reload: the daemon as a whole.
 */
#include "client.h"
#include "ctl.h"
#include "fields.h"
#include "render.h"

#include <errno.h>
#include <stdint.h>

static const struct field interface_fields[] = {
        { "Name", "name", field_copy },           { "Index", "index", field_copy },
        { "Role", "role", field_copy },           { "RoleReason", "role_reason", field_copy },
        { "Usable", "usable", field_copy },       { "Reason", "reason", field_copy },
        { "Addresses", "addresses", field_copy }, { "Routing", "routing", field_copy },
};

static const struct field path_manager_fields[] = {
        { "PathManager", "mode", field_copy },
        { "PreviousPathManager", "previous", field_copy },
};

static const struct field limit_fields[] = {
        { "MaxSubflows", "max_subflows", field_copy },
        { "MaxConnections", "max_connections", field_copy },
};

static const struct field policy_fields[] = {
        { "PolicyCount", "count", field_copy },
        { "PolicyDirectories", "directories", field_copy },
        { "PolicyDatabase", "database", field_copy },
        { "PolicyGeneration", "generation", field_copy },
        { "PolicyErrors", "errors", field_copy },
};

/* Seconds; what has never been, or nobody knows, is null. */
static json_t *age_convert(json_t *value) {
        if (!json_is_integer(value) || json_integer_value(value) == UINT32_MAX)
                return json_null();
        return json_incref(value);
}

static const struct field destination_fields[] = {
        { "Destination", "destination", field_copy },
        { "Age", "age", age_convert },
        { "Left", "left", field_copy },
};

static json_t *destinations_convert(json_t *value) {
        return fields_rows(value, destination_fields, ARRAY_SIZE(destination_fields));
}

/* The largest number there is: this kernel does not count them. */
static json_t *count_convert(json_t *value) {
        if (!json_is_integer(value) || json_integer_value(value) == INT64_MAX)
                return json_null();
        return json_incref(value);
}

static const struct field blackhole_fields[] = {
        { "BlackholeCount", "count", count_convert },
        { "BlackholeAge", "age", age_convert },
        { "BlackholeState", "state", field_copy },
        { "Blackholes", "destinations", destinations_convert },
};

static const struct field authentication_fields[] = {
        { "Gate", "gate", field_copy },
        { "GateReason", "gate_reason", field_copy },
        { "GateDropped", "gate_dropped", field_copy },
        { "AuthPort", "port", field_known },
        { "AuthConnections", "connections", field_copy },
        { "AuthConfirmed", "confirmed", field_copy },
        { "AuthReason", "reason", field_copy },
};

static json_t *interfaces_convert(json_t *value) {
        return fields_rows(value, interface_fields, ARRAY_SIZE(interface_fields));
}

static json_t *counters_convert(json_t *value) {
        return json_is_object(value) ? json_incref(value) : json_object();
}

static const struct field head_fields[] = {
        { "Version", "version", field_copy },
};

static const struct field feature_fields[] = {
        { "Name", "name", field_copy },
        { "State", "state", field_copy },
        { "Reason", "reason", field_copy },
};

static json_t *features_convert(json_t *value) {
        return fields_rows(value, feature_fields, ARRAY_SIZE(feature_fields));
}

static const struct field kernel_fields[] = {
        { "Kernel", "release", field_copy },
        { "KernelFeatures", "features", features_convert },
};

static const struct field use_fields[] = {
        { "Plugin", "plugin", field_copy },
        { "ConnectionCount", "connections", field_copy },
        { "SubflowCount", "subflows", field_copy },
        { "DeadAfter", "dead_after", field_copy },
};

static const struct field tail_fields[] = {
        { "Counters", "counters", counters_convert },
        { "Interfaces", "interfaces", interfaces_convert },
};

/* Adds an object of fields as to[name]; with no name, the fields themselves. */
static int group_fill(json_t *to, const char *name, const json_t *from, const struct field *fields,
                      size_t n) {
        json_t *group;

        if (!name)
                return fields_fill(to, from, fields, n);
        group = json_object();
        if (json_object_set_new(to, name, group) < 0)
                return -ENOMEM;
        return fields_fill(group, from, fields, n);
}

struct group {
        const char *name;
        const struct field *fields;
        size_t n;
};

static const struct group groups[] = {
        { NULL, head_fields, ARRAY_SIZE(head_fields) },
        { "kernel", kernel_fields, ARRAY_SIZE(kernel_fields) },
        { "path_manager", path_manager_fields, ARRAY_SIZE(path_manager_fields) },
        { NULL, use_fields, ARRAY_SIZE(use_fields) },
        { "limits", limit_fields, ARRAY_SIZE(limit_fields) },
        { "policies", policy_fields, ARRAY_SIZE(policy_fields) },
        { "blackhole", blackhole_fields, ARRAY_SIZE(blackhole_fields) },
        { "authentication", authentication_fields, ARRAY_SIZE(authentication_fields) },
        { NULL, tail_fields, ARRAY_SIZE(tail_fields) },
};

static int status_print(const struct ctl *ctl, const json_t *properties) {
        _cleanup_(json_decrefp) json_t *status = json_object();
        size_t i;

        for (i = 0; i < ARRAY_SIZE(groups); i++)
                if (group_fill(status, groups[i].name, properties, groups[i].fields, groups[i].n) <
                    0)
                        return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, status, render_status);
        return CTL_DONE;
}

int cmd_status(const struct ctl *ctl) {
        _cleanup_(client_freep) struct client *client = NULL;
        _cleanup_(json_decrefp) json_t *properties = NULL;
        struct client_error error;

        if (client_new(&client, &error) < 0 ||
            client_properties(client, &error, &properties, CLIENT_PATH, CLIENT_MANAGER) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        return status_print(ctl, properties);
}

int cmd_reload(const struct ctl *ctl) {
        _cleanup_(client_freep) struct client *client = NULL;
        struct client_error error;

        if (client_new(&client, &error) < 0 ||
            client_change(client, &error, CLIENT_PATH, CLIENT_MANAGER, "Reload", NULL, NULL) < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        return ctl_done(ctl);
}
