/*
 * mptcpctl service: the library for what systemd starts, by a drop-in beside the unit.
 *
 *     service.c          which unit, and what it has
 *     service-dropin.c   writing the drop-in and taking it away
 *     service-check.c    what will keep the library from having an effect
 *     service-process.c  who runs with the library and who does not
 *     service-systemd.c  systemd itself, over D-Bus
 *
 * The unit is never changed, and nothing is started or stopped.
 */
#pragma once

#include <jansson.h>
#include <limits.h>

#include "../ctl.h"
#include "unit-file.h"

#define SERVICE_DROPIN  "50-mptcpize.conf"
#define SERVICE_LIBRARY "libmptcpize.so"

struct service {
        const struct ctl *ctl;
        int root;     /* a descriptor */
        bool is_host; /* it is that of this host */
        bool is_socket;
        bool is_go; /* it starts a Go program; set by service_check() */
        struct unit unit;
        char file[PATH_MAX]; /* our drop-in, seen from the root */
        json_t *plain;       /* settings of its section without our drop-in */
        json_t *all;         /* and with it */
        json_t *result;      /* what is printed */
};

int cmd_service_enable(const struct ctl *ctl);
int cmd_service_disable(const struct ctl *ctl);
int cmd_service_status(const struct ctl *ctl);

/*
 * Finds the unit that ctl's argument names; changes: it is to be changed. CTL_DONE, or an exit
 * status after it has said why. service_close() in any case.
 */
int service_open(struct service *service, const struct ctl *ctl, bool changes);
void service_close(struct service *service);

/* The settings again, after the drop-in has changed. 0 or a negative errno. */
int service_read(struct service *service);

/* Adds a sentence to the warnings of the result. */
void service_warn(struct service *service, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

/* Is the drop-in there? And does its effect reach the processes, after all other settings? */
bool service_is_enabled(const struct service *service);
bool service_is_effective(const struct service *service);

/* The mode of the policy that was made for the unit, NULL: there is none. */
const char *service_mode(const struct service *service);

/*
 * Both return 1 if something has changed, 0 if it was so already, or a negative errno. The policy
 * of ctl->mode is made by the first, that of any mode removed by the second.
 */
int service_dropin_write(struct service *service, const char *library);
int service_dropin_remove(struct service *service);

/* Puts into the result's warnings what the drop-in can't reach, and into "sockets" who starts it.
 */
void service_check(struct service *service);

/*
 * Puts "processes" into the result, and of those that are not as the drop-in wants them the pids:
 * "restart_needed", started before it; "out_of_reach", with it, but the library did not get in.
 */
void service_list_processes(struct service *service);

/* Makes systemd read its units again. 0; -ENOSYS: it does not run here; or a negative errno. */
int service_reload(void);

/* The version of systemd of the root, 0: not known. */
unsigned int service_systemd_version(const struct service *service);
