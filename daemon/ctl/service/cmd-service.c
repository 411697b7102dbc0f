/*
 * mptcpctl service: enable, disable and status. See service.h.
 */
#include "../client.h"
#include "../library.h"
#include "../render.h"
#include "service.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <string.h>

#define MPTCP_SINCE 257 /* SocketProtocol=mptcp, of systemd */

/* What holds for all three. */
static void service_tell(struct service *service, int changed) {
        const char *mode = service_mode(service);
        json_t *result = service->result;

        json_object_set_new(result, "unit", json_string(service->unit.name));
        json_object_set_new(result, "unit_file", json_string(service->unit.file));
        json_object_set_new(result, "file", json_string(service->file));
        json_object_set_new(result, "enabled", json_boolean(service_is_enabled(service)));
        json_object_set_new(result, "effective", json_boolean(service_is_effective(service)));
        json_object_set_new(result, "mode", mode ? json_string(mode) : json_null());
        json_object_set_new(result, "changed", json_boolean(changed > 0));
        service_list_processes(service);
        if (service_is_enabled(service) && !service_is_effective(service))
                service_warn(service,
                             "other settings of the unit undo it: 'systemctl cat %s' shows all of "
                             "them",
                             service->unit.name);
}

/* The daemon, for the policy of a mode; systemd, for the drop-in. */
static void service_apply(struct service *service, bool policy) {
        int r = service->is_host ? service_reload() : -ENOSYS;
        struct client_error error;

        json_object_set_new(service->result, "reloaded", json_boolean(r == 0));
        if (r < 0 && service->is_host)
                service_warn(service,
                             "systemd has not been told (%s): run 'systemctl "
                             "daemon-reload'",
                             r == -ENOSYS ? "it does not run here" : strerror(-r));
        if (policy && service->is_host) {
                _cleanup_(client_freep) struct client *client = NULL;
                _cleanup_(json_decrefp) json_t *reply = NULL;

                r = client_new(&client, &error);
                if (r >= 0)
                        r = client_call(client, &error, &reply, "Reload", "");
                if (r < 0)
                        service_warn(service, "the policy counts when the daemon has read it: %s",
                                     error.text);
        }
}

static int service_fail_change(const struct service *service, int r) {
        const char *name = service->unit.name;

        if (r == -EEXIST)
                return ctl_fail(service->ctl, CTL_FAILED,
                                "there is a policy service-%s already, which is not as this "
                                "command makes it: change it by hand",
                                name);
        if (r == -ENAMETOOLONG)
                return ctl_fail(service->ctl, CTL_FAILED,
                                "the name of %s is too long for a policy: write one by hand, for "
                                "\"match\": { \"unit\": ... }",
                                name);
        return ctl_fail(service->ctl, CTL_FAILED, "%s can't be changed: %s", service->file,
                        strerror(-r));
}

/* Read again, and shown. */
static int service_finish(struct service *service, int changed) {
        int r = service_read(service);

        if (r < 0)
                return ctl_fail(service->ctl, CTL_FAILED, "%s can't be read: %s",
                                service->unit.file, strerror(-r));
        service_tell(service, changed);
        render(service->ctl, service->result, render_service);
        return CTL_DONE;
}

/* Which words make no sense. */
static int enable_check(struct service *service) {
        static const char *const modes[] = { "handover", "interactive", "aggregate", "ndiffports" };
        unsigned int version = service->is_socket ? service_systemd_version(service) : 0;
        const char *mode = service->ctl->mode;

        for (size_t i = 0; mode && i < ARRAY_SIZE(modes); i++)
                if (strcmp(mode, modes[i]) == 0)
                        mode = NULL;
        if (mode)
                return ctl_fail(service->ctl, CTL_USAGE,
                                "there is no mode \"%s\": handover, interactive, aggregate or "
                                "ndiffports",
                                mode);
        if (service->is_socket && service->ctl->mode)
                return ctl_fail(service->ctl, CTL_USAGE,
                                "a socket has no mode: give it to the service");
        if (version && version < MPTCP_SINCE)
                return ctl_fail(service->ctl, CTL_FAILED,
                                "systemd %u can't make MPTCP sockets: SocketProtocol=mptcp needs "
                                "version %d; let the service listen by itself",
                                version, MPTCP_SINCE);
        if (service->is_socket && !version)
                service_warn(service, "which systemd there is can't be found out: it takes %d",
                             MPTCP_SINCE);
        return CTL_DONE;
}

static int enable(struct service *service) {
        char library[PATH_MAX] = "";
        int status = enable_check(service), r;

        if (status == CTL_DONE && !service->is_socket)
                status = service->is_host ? library_find(service->ctl, library)
                                          : library_find_in(service->ctl, service->root, library);
        if (status != CTL_DONE)
                return status;
        service_check(service);
        r = service_dropin_write(service, library);
        if (r < 0)
                return service_fail_change(service, r);
        service_apply(service, service->ctl->mode);
        return service_finish(service, r);
}

static int disable(struct service *service) {
        bool had_mode = service_mode(service);
        int r = service_dropin_remove(service);

        if (r < 0)
                return service_fail_change(service, r);
        if (r > 0)
                service_apply(service, had_mode);
        return service_finish(service, r);
}

static int status(struct service *service) {
        service_check(service);
        service_tell(service, 0);
        render(service->ctl, service->result, render_service);
        return CTL_DONE;
}

static int with_service(const struct ctl *ctl, bool changes, int (*run)(struct service *)) {
        struct service service;
        int r = service_open(&service, ctl, changes);

        if (r == CTL_DONE)
                r = run(&service);
        service_close(&service);
        return r;
}

int cmd_service_enable(const struct ctl *ctl) {
        return with_service(ctl, true, enable);
}

int cmd_service_disable(const struct ctl *ctl) {
        return with_service(ctl, true, disable);
}

int cmd_service_status(const struct ctl *ctl) {
        return with_service(ctl, false, status);
}
