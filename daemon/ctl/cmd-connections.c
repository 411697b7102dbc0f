/*
 * mptcpctl connections, mptcpctl show: what the daemon manages.
 */
#include "client.h"
#include "ctl.h"
#include "fields.h"
#include "render.h"
#include "target.h"
#include "../util/limits.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const struct field connection_fields[] = {
        { "Token", "token", field_token },
        { "State", "state", field_copy },
        { "Role", "role", field_copy },
        { "Plugin", "plugin", field_copy },
        { "Local", "local", field_copy },
        { "Remote", "remote", field_copy },
        { "Uid", "uid", field_uid },
        { "Program", "program", field_known },
        { "Pid", "pid", field_known },
        { "Policy", "policy", field_known },
        { "UserTimeoutMsec", "user_timeout_msec", field_known },
        { "Authentication", "authentication", field_copy },
        { "AuthenticationMode", "authentication_mode", field_copy },
        { "Subflows", "subflows", field_copy }, /* in a list: how many */
};

static const struct field subflow_fields[] = {
        { "State", "state", field_copy },
        { "Local", "local", field_copy },
        { "Remote", "remote", field_copy },
        { "LocalId", "local_id", field_copy },
        { "RemoteId", "remote_id", field_copy },
        { "Interface", "interface", field_copy },
        { "Backup", "backup", field_copy },
        { "BackupRemote", "backup_remote", field_copy },
        { "Initial", "initial", field_copy },
        { "BytesSent", "bytes_sent", field_copy },
        { "BytesReceived", "bytes_received", field_copy },
        { "RttUsec", "rtt_usec", field_copy },
        { "Retransmits", "retransmits", field_copy },
};

static const struct field remote_fields[] = {
        { "Id", "id", field_copy },
        { "Address", "address", field_copy },
};

static const struct field log_fields[] = {
        { "TimeUsec", "time_usec", field_copy },
        { "What", "what", field_copy },
        { "Reason", "reason", field_copy },
};

static json_t *subflows_convert(json_t *value) {
        return fields_rows(value, subflow_fields, ARRAY_SIZE(subflow_fields));
}

static json_t *remotes_convert(json_t *value) {
        return fields_rows(value, remote_fields, ARRAY_SIZE(remote_fields));
}

static json_t *log_convert(json_t *value) {
        return fields_rows(value, log_fields, ARRAY_SIZE(log_fields));
}

/* What "show" has beyond a row of the list; its "subflows" replaces the number. */
static const struct field detail_fields[] = {
        { "AuthenticationReason", "authentication_reason", field_copy },
        { "Subflows", "subflows", subflows_convert },
        { "Remotes", "remotes", remotes_convert },
        { "Log", "log", log_convert },
};

/*
 * Appends one page to rows. Returns 1 and moves the cursor if there are more, 0 at the end. A
 * cursor that does not advance would make us ask for ever.
 */
static int page_append(struct client *client, struct client_error *error, json_t *rows,
                       uint32_t *cursor) {
        _cleanup_(json_decrefp) json_t *reply = NULL, *page = NULL;
        json_int_t next;
        int r;

        r = client_call(client, error, &reply, "List", "uu", *cursor, LIMIT_LIST_ROWS);
        if (r < 0)
                return r;
        page = fields_rows(json_array_get(reply, 0), connection_fields,
                           ARRAY_SIZE(connection_fields));
        if (!page || json_array_extend(rows, page) < 0) {
                strcpy(error->text, "out of memory");
                return -ENOMEM;
        }
        next = json_integer_value(json_array_get(reply, 1));
        if (next == 0)
                return 0;
        if (next <= *cursor || next > UINT32_MAX) {
                strcpy(error->text, "mptcpized lists the same connections again and again");
                return -EBADMSG;
        }
        *cursor = (uint32_t)next;
        return 1;
}

int cmd_connections(const struct ctl *ctl) {
        _cleanup_(json_decrefp) json_t *rows = json_array(), *value = NULL;
        _cleanup_(client_freep) struct client *client = NULL;
        struct client_error error;
        uint32_t cursor = 0;
        int r;

        r = client_new(&client, &error);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        do
                r = page_append(client, &error, rows, &cursor);
        while (r > 0);
        if (r < 0)
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        value = json_pack("{s:O}", "connections", rows);
        if (!value)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_connections);
        return CTL_DONE;
}

static int connection_print(const struct ctl *ctl, const json_t *properties) {
        _cleanup_(json_decrefp) json_t *value = json_object();

        if (fields_fill(value, properties, connection_fields, ARRAY_SIZE(connection_fields)) < 0 ||
            fields_fill(value, properties, detail_fields, ARRAY_SIZE(detail_fields)) < 0)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_connection);
        return CTL_DONE;
}

static int connection_show(const struct ctl *ctl, struct client *client, struct client_error *error,
                           const char *path) {
        _cleanup_(json_decrefp) json_t *properties = NULL;
        int r = client_properties(client, error, &properties, path, CLIENT_CONNECTION);

        return r < 0 ? r : connection_print(ctl, properties);
}

int cmd_show(const struct ctl *ctl) {
        return target_run(ctl, connection_show);
}
