/*
 * mptcpctl connections, mptcpctl show: what the daemon manages.
 */
#include "client.h"
#include "ctl.h"
#include "fields.h"
#include "render.h"
#include "../util/limits.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
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

/* "0x1a2b3c4d" or "1a2b3c4d": one to eight hexadecimal digits. */
static int token_parse(const char *text, uint32_t *ret_token) {
        const char *digits = strncmp(text, "0x", 2) == 0 ? text + 2 : text;
        size_t len = strspn(digits, "0123456789abcdefABCDEF");

        if (len < 1 || len > 8 || digits[len] != '\0')
                return -EINVAL;
        *ret_token = (uint32_t)strtoul(digits, NULL, 16);
        return 0;
}

/* Its object path, a string. */
static int connection_path(struct client *client, struct client_error *error, uint32_t token,
                           json_t **ret_path) {
        _cleanup_(json_decrefp) json_t *reply = NULL;
        int r;

        r = client_call(client, error, &reply, "GetConnection", "u", token);
        if (r == 0)
                *ret_path = json_incref(json_array_get(reply, 0));
        return r;
}

static const char *path_of(const json_t *path) {
        return json_is_string(path) ? json_string_value(path) : "/";
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

static int connection_set_mode(const struct ctl *ctl, struct client *client,
                               struct client_error *error, const char *path) {
        _cleanup_(json_decrefp) json_t *reply = NULL, *nothing = json_object();
        int r = client_call_connection(client, error, &reply, path, "SetMode", "s", ctl->args[1]);

        if (r < 0)
                return r;
        render(ctl, nothing, render_nothing);
        return CTL_DONE;
}

/* Does something with one connection: an exit status, or a negative errno. */
typedef int (*connection_fn)(const struct ctl *ctl, struct client *client,
                             struct client_error *error, const char *path);

static int connection_with(const struct ctl *ctl, uint32_t token, connection_fn fn) {
        _cleanup_(client_freep) struct client *client = NULL;
        _cleanup_(json_decrefp) json_t *path = NULL;
        struct client_error error;
        int r;

        r = client_new(&client, &error);
        if (r == 0)
                r = connection_path(client, &error, token, &path);
        if (r == 0)
                r = fn(ctl, client, &error, path_of(path));
        if (r == -ENXIO)
                return ctl_fail(ctl, CTL_FAILED,
                                "there is no connection 0x%08x: 'mptcpctl connections' lists those "
                                "that there are",
                                token);
        return r < 0 ? ctl_fail(ctl, CTL_FAILED, "%s", error.text) : r;
}

/* The first argument of the command is its token. */
static int connection_run(const struct ctl *ctl, connection_fn fn) {
        uint32_t token;

        if (token_parse(ctl->args[0], &token) < 0)
                return ctl_fail(ctl, CTL_USAGE,
                                "\"%s\" is no token: expected up to 8 hexadecimal digits, as "
                                "'mptcpctl connections' prints them (0x1a2b3c4d)",
                                ctl->args[0]);
        return connection_with(ctl, token, fn);
}

int cmd_show(const struct ctl *ctl) {
        return connection_run(ctl, connection_show);
}

int cmd_plugin(const struct ctl *ctl) {
        return connection_run(ctl, connection_set_mode);
}
