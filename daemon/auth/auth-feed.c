/*
 * Events of the engine, after it has taken them: which connections are protected, and what happens
 * to them.
 */
#include "auth-private.h"

#include <errno.h>
#include <stdio.h>

#include "../util/clock.h"
#include "../util/hash.h"
#include "../util/log.h"

/* Which connections */

static bool connection_is_protectable(const struct connection *connection) {
        return connection->state == CONNECTION_NEW || connection->state == CONNECTION_ESTABLISHED ||
               connection->state == CONNECTION_ENDING;
}

enum policy_auth auth_mode(const struct auth *auth, const struct connection *connection) {
        if (!auth->enabled || !connection_is_protectable(connection))
                return POLICY_AUTH_OFF;
        return (enum policy_auth)engine_auth_profile(auth->host.engine, connection)->auth;
}

static uint8_t auth_max_subflows(const struct auth *auth) {
        const uint32_t max = auth->host.engine->limits.max_accepted + 1;

        return max < UINT8_MAX ? (uint8_t)max : UINT8_MAX;
}

static int auth_tell(struct auth *auth, const struct ward *ward,
                     const struct connection *connection) {
        const struct protocol_connection wanted = {
                .token = ward->token,
                .server = ward->server,
                .mode = ward->mode,
                .local = connection->local,
                .remote = connection->remotes.items[0].address,
                .max_subflows = auth_max_subflows(auth),
                .record = ward->record,
        };
        int r = protocol_open(auth->protocol, &wanted, clock_usec());

        store_seal(ward->record);
        return r;
}

/* The record of the last daemon says who opened the connection, where nobody else can. */
static bool ward_take_record(struct auth *auth, struct ward *ward,
                             const struct connection *connection) {
        struct kern *kern = auth->host.kern;
        struct ownership owner;

        if (!auth->store || kern->ops->owner(kern, ward->token, &owner) < 0 || !owner.cookie)
                return false;
        ward->record = store_take(auth->store, owner.cookie, ward->token);
        if (!ward->record)
                return false;
        ward->keyed = record_has_keys(ward->record);
        ward->server = (connection->flags & MPTCPIZE_VIEW_SERVER) != 0;
        if (ward->keyed && ward->record->role)
                ward->server = ward->record->role == 2;
        ward->fresh = !connection->adopted;
        ward->ipv4 = owner.ipv4;
        return true;
}

static struct ward *auth_open(struct auth *auth, const struct connection *connection,
                              enum policy_auth mode) {
        struct ward *ward = wards_add(&auth->wards, connection->token);
        int r = ward ? 0 : -ENOMEM;

        if (!ward)
                return NULL;
        if (!auth->socket)
                (void)auth_open_port(auth);
        ward->mode = mode;
        if (!ward_take_record(auth, ward, connection))
                r = -ENOENT;
        if (r == 0)
                r = auth_tell(auth, ward, connection);
        if (r == 0)
                return ward;
        if (ward->record)
                store_give(auth->store, ward->record);
        wards_remove(&auth->wards, ward);
        return NULL;
}

/* Without room for what has to be known of it: as if there were no key. */
static void auth_do_without_room(struct auth *auth, const struct connection *connection,
                                 enum policy_auth mode) {
        struct decision decision = {
                .type = DECISION_PERMIT,
                .token = connection->token,
                .joins = mode == POLICY_AUTH_PREFER ? JOINS_FREE : JOINS_BARRED,
                .reason = "there is no room to keep its key",
        };

        if (connection->joins != decision.joins)
                auth_decide(auth, &decision);
}

void auth_drop(struct auth *auth, struct ward *ward, bool off) {
        auth_forget_joins(auth, ward->token);
        if (off)
                auth_spend_key(auth, ward);
        protocol_close(auth->protocol, ward->token, off, clock_usec());
        store_give(auth->store, ward->record);
        wards_remove(&auth->wards, ward);
}

/* Its own announced addresses */

/*
 * A server joins nowhere itself while it is protected, so what has an id was announced; or the peer
 * has found it by itself, and then it may know that it is right.
 */
static void auth_offer(struct auth *auth, struct ward *ward, const struct connection *connection) {
        struct protocol_address addresses[PROTOCOL_ADDRESSES];
        uint64_t hash = HASH_NULL;
        size_t n = 0;

        for (size_t i = 0; i < connection->ids.n && n < PROTOCOL_ADDRESSES; i++) {
                const struct local_id *id = &connection->ids.items[i];

                if (id->id == 0 || id->free)
                        continue;
                addresses[n++] = (struct protocol_address){ id->address, id->id };
                hash = hash_more(hash, &id->address, sizeof(id->address));
                hash = hash_more(hash, &id->id, sizeof(id->id));
        }
        if (hash == ward->offered || (n == 0 && ward->offered == 0))
                return;
        ward->offered = hash;
        protocol_offer(auth->protocol, ward->token, addresses, n, clock_usec());
}

/* Subflows */

static size_t ward_find_seen(const struct ward *ward, const struct mptcpize_address *local,
                             const struct mptcpize_address *remote) {
        size_t i = 0;

        while (i < ward->seen.n && !(address_equal(&ward->seen.items[i].local, local) &&
                                     address_equal(&ward->seen.items[i].remote, remote)))
                i++;
        return i;
}

static void auth_on_joined(struct auth *auth, struct ward *ward,
                           const struct mptcpize_address *local,
                           const struct mptcpize_address *remote) {
        const struct ward_join join = { *local, *remote };

        if (ward_find_seen(ward, local, remote) < ward->seen.n)
                return;
        (void)ARRAY_APPEND(&ward->seen, join, LIMIT_SUBFLOWS);
        protocol_joined(auth->protocol, ward->token, local, remote, clock_usec());
}

static void auth_on_left(struct auth *auth, struct ward *ward, const struct mptcpize_address *local,
                         const struct mptcpize_address *remote) {
        const size_t i = ward_find_seen(ward, local, remote);

        if (i == ward->seen.n)
                return;
        ARRAY_REMOVE(&ward->seen, i);
        protocol_left(auth->protocol, ward->token, local, remote);
}

/* Behind a balancer of loads, or to an address that lies, the kernel may meet another host. */
static void auth_check_peer(struct auth *auth, const struct ward *ward,
                            const struct mptcpize_subflow *subflow) {
        const uint32_t wanted = protocol_peer_token(auth->protocol, ward->token);
        struct kern *kern = auth->host.kern;
        struct decision decision = { .type = DECISION_INTRUDER,
                                     .token = ward->token,
                                     .local = subflow->local,
                                     .remote = subflow->remote };
        struct measure measure;

        if (!wanted || kern->ops->measure(kern, &subflow->local, &subflow->remote, subflow->ifindex,
                                          &measure) < 0)
                return;
        if (!measure.remote_token || measure.remote_token == wanted)
                return;
        snprintf(decision.reason, sizeof(decision.reason), "the peer there is another host");
        auth_decide(auth, &decision);
}

static bool subflow_is_the_peers(const struct mptcpize_subflow *subflow) {
        return !(subflow->flags & (MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_INITIAL));
}

static void auth_on_subflow(struct auth *auth, struct ward *ward, struct connection *connection,
                            const struct mptcp_event *event) {
        const struct subflow *subflow =
                        connection_find_subflow(connection, &event->local, &event->remote);

        if (subflow && !subflow_is_the_peers(&subflow->is))
                auth_check_peer(auth, ward, &subflow->is);
        /* What the model has not got may be a probe of our own. */
        else if (subflow || !connection->probe)
                auth_on_joined(auth, ward, &event->local, &event->remote);
}

/* Those of which there was no event, neither of their beginning nor of their end. */
static void auth_see_subflows(struct auth *auth, struct ward *ward, struct connection *connection) {
        for (size_t i = ward->seen.n; i-- > 0;) {
                const struct ward_join join = ward->seen.items[i];

                if (!connection_find_subflow(connection, &join.local, &join.remote))
                        auth_on_left(auth, ward, &join.local, &join.remote);
        }
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *subflow = &connection->subflows.items[i].is;

                if (subflow_is_the_peers(subflow) &&
                    (subflow->state == MPTCPIZE_SUBFLOW_ESTABLISHED ||
                     subflow->state == MPTCPIZE_SUBFLOW_DEAD))
                        auth_on_joined(auth, ward, &subflow->local, &subflow->remote);
        }
}

/* Looking */

static void auth_follow_ward(struct auth *auth, struct ward *ward, struct connection *connection) {
        if (connection->state == CONNECTION_ESTABLISHED && !ward->established) {
                ward->established = true;
                protocol_established(auth->protocol, ward->token, clock_usec());
        }
        auth_find_key(auth, ward);
        if (ward->server)
                auth_offer(auth, ward, connection);
}

void auth_look(struct auth *auth, struct connection *connection) {
        struct ward *ward = wards_find(&auth->wards, connection->token);
        const enum policy_auth mode = auth_mode(auth, connection);

        if (mode == POLICY_AUTH_OFF) {
                if (ward)
                        auth_drop(auth, ward, connection_is_protectable(connection));
                return;
        }
        if (!ward) {
                ward = auth_open(auth, connection, mode);
                if (!ward) {
                        auth_do_without_room(auth, connection, mode);
                        return;
                }
                auth_see_subflows(auth, ward, connection);
        } else if (ward->mode != mode) {
                ward->mode = mode;
                (void)auth_tell(auth, ward, connection);
        }
        auth_follow_ward(auth, ward, connection);
}

static void auth_visit(struct connection *connection, void *userdata) {
        struct auth *auth = userdata;
        struct ward *ward;

        auth_look(auth, connection);
        ward = wards_find(&auth->wards, connection->token);
        if (ward)
                auth_see_subflows(auth, ward, connection);
}

static void auth_check_alive(struct ward *ward, void *userdata) {
        struct auth *auth = userdata;

        if (!model_find(&auth->host.engine->model, ward->token))
                auth_drop(auth, ward, false);
}

void auth_look_at_all(struct auth *auth) {
        wards_each(&auth->wards, auth_check_alive, auth);
        auth_check_spent(auth);
        model_each(&auth->host.engine->model, auth_visit, auth);
}

/* Events */

static void auth_on_connection(struct auth *auth, const struct event *event) {
        struct connection *connection = model_find(&auth->host.engine->model, event->mptcp.token);
        struct ward *ward;

        if (connection)
                auth_look(auth, connection);
        ward = wards_find(&auth->wards, event->mptcp.token);
        if (!ward)
                return;
        if (!connection)
                auth_drop(auth, ward, false);
        else if (event->type == EVENT_SUB_ESTABLISHED)
                auth_on_subflow(auth, ward, connection, &event->mptcp);
        else if (event->type == EVENT_SUB_CLOSED)
                auth_on_left(auth, ward, &event->mptcp.local, &event->mptcp.remote);
        else if (event->type == EVENT_ANNOUNCED && !auth->feeding)
                protocol_announced(auth->protocol, ward->token, &event->mptcp.remote, clock_usec());
}

static void auth_look_at(struct auth *auth, uint32_t token) {
        struct connection *connection = model_find(&auth->host.engine->model, token);

        if (connection)
                auth_look(auth, connection);
}

static void auth_on_hint(struct auth *auth, const struct hint_event *hint) {
        auth->listeners_changed |= hint->kind == HINT_LISTEN;
        if (hint->token)
                auth_look_at(auth, hint->token);
        if (hint->key && hint->token)
                auth_on_key(auth, hint);
}

/* What is alive is known from now on. */
static void auth_on_snapshot(struct auth *auth) {
        size_t n;

        if (!auth->socket)
                (void)auth_open_port(auth);
        auth_look_at_all(auth);
        auth_check_early(auth);
        auth->listeners_changed = true;
        if (auth->swept || !auth->host.engine->compared || !auth->store)
                return;
        auth->swept = true;
        auth_unguard_left(auth);
        n = store_sweep(auth->store);
        if (n)
                log_info("join authentication: the keys of %zu connections that have ended are "
                         "cleansed",
                         n);
}

void auth_feed(struct auth *auth, const struct event *event) {
        if (!auth || !auth->enabled)
                return;
        switch ((unsigned int)event->type) {
        case EVENT_CREATED:
        case EVENT_ESTABLISHED:
        case EVENT_CLOSED:
        case EVENT_ANNOUNCED:
        case EVENT_SUB_ESTABLISHED:
        case EVENT_SUB_CLOSED:
                auth_on_connection(auth, event);
                break;
        case EVENT_LISTENER_CLOSED:
                auth->listeners_changed = true;
                break;
        case EVENT_HINT:
                auth_on_hint(auth, &event->hint);
                break;
        case EVENT_OWNER:
                auth_look_at(auth, event->owner.token);
                break;
        case EVENT_ASSIGNED:
                auth_look_at(auth, event->assigned.token);
                break;
        case EVENT_OUTCOME:
                if (wards_find(&auth->wards, event->outcome.action.token))
                        auth_look_at(auth, event->outcome.action.token);
                break;
        case EVENT_SNAPSHOT:
                auth_on_snapshot(auth);
                break;
        default:
                break;
        }
}
