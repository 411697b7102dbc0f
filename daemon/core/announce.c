/*
 * Announced addresses with a port of their own, which need a listener that the kernel does not
 * open (Linux 6.18: joins to the port get an RST). kern/ opens it with the announcement, shares it
 * between connections, and closes it when all of them have let go: so each one that has asked for
 * it lets go exactly once, when it withdraws the address, when the announcement fails, when this
 * host has lost the address, or when it ends, also without an event.
 */
#include "engine.h"

#include <errno.h>

static size_t connection_find_listener(const struct connection *connection,
                                       const struct mptcpize_address *address) {
        size_t i = 0;

        while (i < connection->listeners.n &&
               !address_equal(&connection->listeners.items[i], address))
                i++;
        return i;
}

static void engine_release_at(struct engine *engine, struct connection *connection, size_t i) {
        struct action release = { .type = ACTION_RELEASE,
                                  .token = connection->token,
                                  .local = connection->listeners.items[i] };

        (void)engine_push(engine, &release);
        ARRAY_REMOVE(&connection->listeners, i);
}

void engine_release(struct engine *engine, struct connection *connection,
                    const struct mptcpize_address *address) {
        size_t i = connection_find_listener(connection, address);

        if (i < connection->listeners.n)
                engine_release_at(engine, connection, i);
}

void engine_release_id(struct engine *engine, struct connection *connection, uint8_t id) {
        for (size_t i = 0; i < connection->ids.n; i++)
                if (connection->ids.items[i].id == id) {
                        engine_release(engine, connection, &connection->ids.items[i].address);
                        return;
                }
}

void engine_release_all(struct engine *engine, struct connection *connection) {
        while (connection->listeners.n > 0)
                engine_release_at(engine, connection, 0);
}

void engine_release_lost(struct engine *engine, struct connection *connection) {
        for (size_t i = connection->listeners.n; i-- > 0;)
                if (!model_find_address(&engine->model, &connection->listeners.items[i]))
                        engine_release_at(engine, connection, i);
}

int engine_announce(struct engine *engine, struct connection *connection, struct action *action) {
        int r;

        if (!action->local.port ||
            connection_find_listener(connection, &action->local) < connection->listeners.n)
                return engine_push(engine, action);
        r = ARRAY_APPEND(&connection->listeners, action->local, LIMIT_IDS);
        if (r < 0)
                return r;
        action->listen = true;
        r = engine_push(engine, action);
        if (r < 0)
                connection->listeners.n--;
        return r;
}

void engine_on_announce_done(struct engine *engine, struct connection *connection,
                             const struct outcome_event *outcome) {
        struct local_id *id = connection_find_id(connection, outcome->action.local_id);

        if (outcome->error == 0)
                return;
        if (outcome->action.listen)
                engine_release(engine, connection, &outcome->action.local);
        if (id && outcome->action.ordered)
                id->held = false;
        /* That of an id which the kernel had forgotten was not the plugin's wish. */
        if (!outcome->action.ordered && (!id || !id->renewed))
                engine_tell_refused(engine, connection, outcome);
}

bool engine_is_announced(const struct connection *connection,
                         const struct mptcpize_address *address, uint8_t id) {
        for (size_t i = 0; i < connection->ids.n; i++)
                if (connection->ids.items[i].id == id && connection->ids.items[i].address.port &&
                    address_same_host(&connection->ids.items[i].address, address))
                        return true;
        return false;
}
