/*
 * mptcpctl subflow, mptcpctl announce: what an operator wants done to one connection, once.
 *
 * Words go to the daemon as they are, which knows this host's interfaces and addresses; only what
 * can't be a text on the bus is refused here.
 */
#include "client.h"
#include "ctl.h"
#include "render.h"
#include "target.h"

#include <string.h>

struct change {
        const char *method;
        client_fill_fn fill;
};

static int change_call(const struct ctl *ctl, struct client *client, struct client_error *error,
                       const char *path, const struct change *change) {
        int r = client_change(client, error, path, CLIENT_CONNECTION, change->method, change->fill,
                              ctl);

        return r < 0 ? r : ctl_done(ctl);
}

/* The remote end, "" if there is none. */
static const char *remote_of(const struct ctl *ctl) {
        return ctl->n_args > 2 ? ctl->args[2] : "";
}

static int add_fill(sd_bus_message *call, const void *userdata) {
        const struct ctl *ctl = userdata;

        return sd_bus_message_append(call, "ssb", ctl->args[1], remote_of(ctl), (int)ctl->backup);
}

static int remove_fill(sd_bus_message *call, const void *userdata) {
        const struct ctl *ctl = userdata;

        return sd_bus_message_append(call, "ss", ctl->args[1], remote_of(ctl));
}

/* The last word may be "on" or "off"; neither is an address. */
static bool is_switch(const char *word) {
        return strcmp(word, "on") == 0 || strcmp(word, "off") == 0;
}

static int backup_fill(sd_bus_message *call, const void *userdata) {
        const struct ctl *ctl = userdata;
        const char *last = ctl->args[ctl->n_args - 1];
        const bool switched = ctl->n_args > 2 && is_switch(last);
        const char *remote = ctl->n_args > (switched ? 3u : 2u) ? ctl->args[2] : "";

        return sd_bus_message_append(call, "ssb", ctl->args[1], remote,
                                     !switched || strcmp(last, "on") == 0);
}

static int address_fill(sd_bus_message *call, const void *userdata) {
        const struct ctl *ctl = userdata;

        return sd_bus_message_append(call, "s", ctl->args[1]);
}

static int subflow_add(const struct ctl *ctl, struct client *client, struct client_error *error,
                       const char *path) {
        return change_call(ctl, client, error, path, &(struct change){ "AddSubflow", add_fill });
}

static int subflow_remove(const struct ctl *ctl, struct client *client, struct client_error *error,
                          const char *path) {
        return change_call(ctl, client, error, path,
                           &(struct change){ "RemoveSubflow", remove_fill });
}

static int subflow_backup(const struct ctl *ctl, struct client *client, struct client_error *error,
                          const char *path) {
        return change_call(ctl, client, error, path, &(struct change){ "SetBackup", backup_fill });
}

static int announce_add(const struct ctl *ctl, struct client *client, struct client_error *error,
                        const char *path) {
        return change_call(ctl, client, error, path, &(struct change){ "Announce", address_fill });
}

static int announce_remove(const struct ctl *ctl, struct client *client, struct client_error *error,
                           const char *path) {
        return change_call(ctl, client, error, path, &(struct change){ "Withdraw", address_fill });
}

static int change_run(const struct ctl *ctl, target_fn fn) {
        int status = ctl_check_words(ctl);

        return status == CTL_DONE ? target_run(ctl, fn) : status;
}

int cmd_subflow_add(const struct ctl *ctl) {
        return change_run(ctl, subflow_add);
}

int cmd_subflow_remove(const struct ctl *ctl) {
        return change_run(ctl, subflow_remove);
}

int cmd_subflow_backup(const struct ctl *ctl) {
        if (ctl->n_args == 3 && !is_switch(ctl->args[2]) && !strpbrk(ctl->args[2], ".:"))
                return ctl_fail(ctl, CTL_USAGE,
                                "\"%s\" is neither \"on\" nor \"off\", nor an address of the peer",
                                ctl->args[2]);
        if (ctl->n_args == 4 && !is_switch(ctl->args[3]))
                return ctl_fail(ctl, CTL_USAGE, "\"%s\" is neither \"on\" nor \"off\"",
                                ctl->args[3]);
        return change_run(ctl, subflow_backup);
}

int cmd_announce_add(const struct ctl *ctl) {
        return change_run(ctl, announce_add);
}

int cmd_announce_remove(const struct ctl *ctl) {
        return change_run(ctl, announce_remove);
}
