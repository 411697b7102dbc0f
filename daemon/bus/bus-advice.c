/*
 * Advice on interfaces, by who manages the network of this host: see engine_advise().
 */
#include "bus-private.h"

#include <errno.h>
#include <string.h>

#include "../core/order.h"
#include "../util/clock.h"
#include "../util/log.h"
#include "../util/utf8.h"

#define LEAVING "leaving"

/* "": no role; "leaving": none, but it is about to go down. */
static int advice_parse_role(const char *word, struct advised_role *advised) {
        enum mptcpize_role role;

        advised->role = ROLE_UNSET;
        advised->leaving = strcmp(word, LEAVING) == 0;
        if (!word[0] || advised->leaving)
                return 0;
        if (role_parse(word, &role) < 0)
                return -EINVAL;
        advised->role = (int)role;
        return 0;
}

/* It goes to the log, and to who looks at the interface: one line. */
static void advice_copy_reason(const char *reason, struct advised_role *advised) {
        utf8_copy(reason, advised->reason, sizeof(advised->reason));
        for (char *c = advised->reason; *c; c++)
                if ((unsigned char)*c < ' ' || *c == '\x7f')
                        *c = ' ';
}

static void advice_log(const struct engine *engine, const struct advised_role *advised) {
        const char *why;
        const char *role = role_name(engine_role(engine, NULL, advised->name, &why));

        if (advised->leaving)
                log_info("%s is about to go down: %s", advised->name, advised->reason);
        else if (advised->role == ROLE_UNSET)
                log_info("no advice on %s any more: its role is %s (%s)", advised->name, role, why);
        else
                log_info("advice on %s is %s, %s: its role is %s (%s)", advised->name,
                         role_name((enum mptcpize_role)advised->role), advised->reason, role, why);
}

static int advice_fail(int r, const char *name, sd_bus_error *error) {
        char shown[LIMIT_NAME];

        if (r == -EINVAL)
                return sd_bus_error_setf(error, BUS_ERROR_NO_INTERFACE,
                                         "\"%s\" can't be the name of an interface",
                                         utf8_copy(name, shown, sizeof(shown)));
        if (r == -ENOBUFS)
                return sd_bus_error_setf(error, BUS_ERROR_TOO_MANY,
                                         "there is advice on %u interfaces already",
                                         LIMIT_SET_ROLES);
        return r;
}

static int advice_allowed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct engine *engine = ((struct bus *)userdata)->host.engine;
        struct event now = { .type = EVENT_TICK, .usec = clock_usec() };
        struct advised_role advised = { 0 };
        const char *name, *role, *reason;
        char shown[LIMIT_NAME];
        int r = sd_bus_message_read(call, "sss", &name, &role, &reason);

        if (r < 0)
                return r;
        if (advice_parse_role(role, &advised) < 0)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_ROLE, "there is no role \"%s\"",
                                         utf8_copy(role, shown, sizeof(shown)));
        if (strlen(name) >= sizeof(advised.name))
                return advice_fail(-EINVAL, name, error);
        memcpy(advised.name, name, strlen(name));
        advice_copy_reason(reason, &advised);
        engine_feed(engine, &now);
        r = engine_advise(engine, &advised);
        if (r < 0)
                return advice_fail(r, name, error);
        if (r > 0)
                advice_log(engine, &advised);
        engine_settle(engine); /* not when there is time: the caller may be about to cut the link */
        bus_show_changes(userdata);
        return sd_bus_reply_method_return(call, NULL);
}

int bus_advise(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_access(userdata, call, advice_allowed, error);
}
