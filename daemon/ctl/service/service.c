/*
 * The unit that "mptcpctl service" is about. See service.h.
 */
#include "service.h"
#include "unit-words.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HERE "/etc/systemd/system"

void service_close(struct service *service) {
        closep(&service->root);
        json_decref(service->plain);
        json_decref(service->all);
        json_decref(service->result);
}

void service_warn(struct service *service, const char *format, ...) {
        char text[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        json_array_append_new(json_object_get(service->result, "warnings"), json_string(text));
}

/* Names */

/* As systemctl has it: without a kind it is a service. */
static int service_name(const struct ctl *ctl, char name[static LIMIT_UNIT]) {
        const char *asked = ctl->args[0], *dot = strrchr(asked, '.');
        static const char *const others[] = { ".target", ".timer", ".mount",  ".slice",    ".scope",
                                              ".path",   ".swap",  ".device", ".automount" };

        for (size_t i = 0; dot && i < ARRAY_SIZE(others); i++)
                if (strcmp(dot, others[i]) == 0)
                        return ctl_fail(ctl, CTL_FAILED,
                                        "%s starts no program by itself: only services (NAME, or "
                                        "NAME.service) and sockets (NAME.socket) can be enabled",
                                        asked);
        if (snprintf(name, LIMIT_UNIT, "%s%s", asked,
                     unit_name_is(asked, ".service") || unit_name_is(asked, ".socket")
                                     ? ""
                                     : ".service") >= (int)LIMIT_UNIT ||
            !(unit_name_is(name, ".service") || unit_name_is(name, ".socket")))
                return ctl_fail(ctl, CTL_FAILED, "\"%s\" is not the name of a unit", asked);
        return CTL_DONE;
}

static int service_fail(const struct ctl *ctl, const char *name, int r) {
        if (r == -ENOENT)
                return ctl_fail(ctl, CTL_FAILED,
                                "there is no unit %s: 'systemctl list-unit-files' lists those that "
                                "there are",
                                name);
        if (r == -ERFKILL)
                return ctl_fail(ctl, CTL_FAILED,
                                "%s is masked, so that nothing starts it: 'systemctl unmask %s' "
                                "first",
                                name, name);
        return ctl_fail(ctl, CTL_FAILED, "%s can't be read: %s", name, strerror(-r));
}

/* Opening */

static int service_open_root(struct service *service, bool changes) {
        const char *path = service->ctl->root ? service->ctl->root : "/";

        if (service->ctl->user)
                return ctl_fail(service->ctl, CTL_USAGE,
                                "units of users are not supported: 'systemctl --user edit UNIT' "
                                "takes the same lines");
        service->is_host = strcmp(path, "/") == 0;
        if (changes && service->is_host && geteuid() != 0)
                return ctl_fail(service->ctl, CTL_FAILED,
                                "the units of this host are for root to change: run mptcpctl as "
                                "root");
        service->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (service->root < 0)
                return ctl_fail(service->ctl, CTL_FAILED, "%s: %s", path, strerror(errno));
        return CTL_DONE;
}

int service_read(struct service *service) {
        const char *section = service->is_socket ? "Socket" : "Service";
        int r;

        json_decref(service->plain);
        json_decref(service->all);
        service->plain = service->all = NULL;
        r = unit_read(service->root, &service->unit, section, SERVICE_DROPIN, &service->plain);
        if (r == 0)
                r = unit_read(service->root, &service->unit, section, NULL, &service->all);
        return r;
}

int service_open(struct service *service, const struct ctl *ctl, bool changes) {
        char name[LIMIT_UNIT];
        int status, r;

        *service = (struct service){ .ctl = ctl, .root = -1 };
        service->result = json_pack("{s:[]}", "warnings");
        status = service_open_root(service, changes);
        if (status == CTL_DONE)
                status = service_name(ctl, name);
        if (status != CTL_DONE)
                return status;
        r = unit_find(service->root, name, &service->unit);
        if (r < 0)
                return service_fail(ctl, name, r);
        service->is_socket = unit_name_is(service->unit.name, ".socket");
        snprintf(service->file, sizeof(service->file), HERE "/%s.d/" SERVICE_DROPIN,
                 service->unit.name);
        r = service_read(service);
        if (r < 0)
                return service_fail(ctl, name, r);
        if (strcmp(name, service->unit.name) != 0)
                service_warn(service, "%s is another name of %s", name, service->unit.name);
        return CTL_DONE;
}

/* State */

bool service_is_enabled(const struct service *service) {
        _cleanup_(closep) int fd = root_open(service->root, service->file, O_PATH);

        return fd >= 0;
}

bool service_is_effective(const struct service *service) {
        char value[UNIT_WORD];

        if (service->is_socket)
                return strcmp(unit_value(service->all, "SocketProtocol"), "mptcp") == 0;
        return unit_variable(service->all, "LD_PRELOAD", value) && strstr(value, SERVICE_LIBRARY);
}
