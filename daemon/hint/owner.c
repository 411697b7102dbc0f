#include "owner.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../core/connection.h"

bool owner_speaks_of_paths(const struct policy_app *app) {
        return app->mode != POLICY_MODE_DEFAULT || app->max_subflows || app->roles.n ||
               app->options.n;
}

/* Is there anything to be known of it for a connection that is there? */
static bool owner_speaks(const struct policy_app *app) {
        return owner_speaks_of_paths(app) || app->auth != POLICY_AUTH_OFF;
}

/* Everything that names a program is matched with no name at all: only "*" fits that. */
static bool app_fits_anything(const struct policy_read *read, const struct policy_app *app) {
        const struct policy_text nothing = { "", 0 };

        return (!app->app.n || policy_glob(policy_text(read, &app->app), nothing)) &&
               (!app->exe.n || policy_glob(policy_text(read, &app->exe), nothing));
}

/* Does it protect listeners that it names, and with what the daemon has by itself? */
static bool app_protects_listeners(const struct policy_app *app) {
        return app->listen.n && app->mode != POLICY_MODE_OFF &&
               (app->auth == POLICY_AUTH_REQUIRE ||
                (app->auth == POLICY_AUTH_PREFER && app->psk.n));
}

struct owner_need owner_need(const struct policy_read *read) {
        struct owner_need need = { .any = false };
        const struct policy_app *app;

        for (uint32_t i = 0; read && (app = policy_at(read, &read->half->apps, i, sizeof(*app)));
             i++) {
                need.any |= app_protects_listeners(app);
                if (!app_fits_anything(read, app))
                        continue;
                need.any |= owner_speaks(app);
                need.units |= app->unit.n > 0;
        }
        return need;
}

static struct policy_address owner_address(const struct mptcpize_address *from) {
        struct policy_address address = { .family = from->family == AF_INET ? 4 : 6,
                                          .port = from->port };

        memcpy(address.bytes, from->bytes, from->family == AF_INET ? 4 : 16);
        return address;
}

/* "listen" speaks of the address; what else there is about listeners, of the port alone. */
static struct policy_call owner_call(const struct policy_app *app,
                                     const struct connection *connection) {
        struct policy_call call = { .direction = POLICY_CONNECT };

        if (!(connection->flags & MPTCPIZE_VIEW_SERVER)) {
                call.remote = owner_address(&connection->remotes.items[0].address);
                return call;
        }
        call.direction = POLICY_LISTEN;
        call.local = owner_address(&connection->local);
        if (app->listen.n == 0)
                memset(call.local.bytes, 0, sizeof(call.local.bytes));
        return call;
}

static bool owner_is_excepted(const struct policy_read *read, const struct policy_app *app,
                              const struct connection *connection) {
        const struct policy_call call = owner_call(app, connection);
        struct policy_verdict verdict;

        policy_judge(read, app, &call, &verdict);
        return verdict.reason == POLICY_REASON_EXCEPT || verdict.reason == POLICY_REASON_LISTEN ||
               verdict.reason == POLICY_REASON_DIRECTION;
}

/* Of several policies the one with a key: there will be none from a program that doesn't speak. */
static const struct policy_app *owner_of_listener(const struct policy_read *read,
                                                  const struct connection *connection) {
        const struct policy_app *app, *best = NULL;

        if (!(connection->flags & MPTCPIZE_VIEW_SERVER))
                return NULL;
        for (uint32_t i = 0; (app = policy_at(read, &read->half->apps, i, sizeof(*app))); i++)
                if (app_protects_listeners(app) && !owner_is_excepted(read, app, connection) &&
                    (!best || (!best->psk.n && app->psk.n)))
                        best = app;
        return best;
}

bool owner_find(const struct policy_read *read, uint32_t uid, struct policy_text unit,
                const struct connection *connection, char name[static LIMIT_NAME]) {
        const struct policy_identity who = { .uid = uid, .unit = unit };
        const struct policy_app *app = policy_find(read, &who), *guard = NULL;
        struct policy_text text = { NULL, 0 };

        if (app && (!owner_speaks(app) || owner_is_excepted(read, app, connection)))
                app = NULL;
        if (!app || app->auth == POLICY_AUTH_OFF)
                guard = owner_of_listener(read, connection);
        if (guard)
                app = guard;
        if (app)
                text = policy_text(read, &app->name);
        snprintf(name, LIMIT_NAME, "%.*s", (int)(text.n < LIMIT_NAME ? text.n : 0),
                 text.n ? text.bytes : "");
        return policy_end(read);
}
