#include "session.h"

#include <string.h>

const uint64_t session_round_usec[SESSION_ROUND] = {
        0,
        200 * SESSION_MSEC,
        600 * SESSION_MSEC,
        1400 * SESSION_MSEC,
};

struct session *session_find(const struct protocol *protocol, uint32_t token) {
        struct table_link *link = table_find(&protocol->by_token, token);

        return link ? CONTAINER_OF(link, struct session, by_token) : NULL;
}

uint64_t session_id(const uint8_t id[static KEYS_ID]) {
        uint64_t number;

        memcpy(&number, id, sizeof(number));
        return number;
}

/* Both ends may be on this host: they have one key. */
struct session *session_by_id(const struct protocol *protocol, uint64_t id, bool is_server) {
        struct table_link *link = table_find(&protocol->by_id, id);

        while (link) {
                struct session *session = CONTAINER_OF(link, struct session, by_id);

                if (session->is_server == is_server)
                        return session;
                link = table_next(link);
        }
        return NULL;
}

static void session_link(struct protocol *protocol, struct session *session) {
        session->next = protocol->sessions;
        if (session->next)
                session->next->previous = session;
        protocol->sessions = session;
}

static void session_unlink(struct protocol *protocol, struct session *session) {
        if (session->next)
                session->next->previous = session->previous;
        if (session->previous)
                session->previous->next = session->next;
        else
                protocol->sessions = session->next;
}

/* A record of something else has nothing to say. */
static void session_adopt(struct session *session) {
        struct auth_record *record = session->record;
        const uint8_t role = session->is_server ? 2 : 1;

        if (record->token != session->token || record->role != role) {
                const uint64_t cookie = record->cookie;

                explicit_bzero(record, sizeof(*record));
                record->cookie = cookie;
        }
        if (!record_has_keys(record))
                record->confirmed = record->ended = 0;
        record->token = session->token;
        record->role = role;
        record->mode = (uint8_t)session->mode;
}

int session_new(struct protocol *protocol, const struct protocol_connection *connection,
                struct session **ret_session) {
        struct session *session;
        int r;

        if (protocol->by_token.n >= LIMIT_AUTH_SESSIONS)
                return -ENOBUFS;
        r = timer_reserve(protocol, 2);
        if (r < 0)
                return r;
        session = calloc(1, sizeof(*session));
        if (!session || table_add(&protocol->by_token, &session->by_token, connection->token) < 0) {
                free(session);
                return -ENOMEM;
        }
        session->token = connection->token;
        session->is_server = connection->server;
        session->mode = connection->mode;
        session->max_subflows = connection->max_subflows;
        session->local = connection->local;
        session->remote = connection->remote;
        session->record = connection->record;
        session->state = _SESSION_STATE_MAX;
        session->reason = "";
        timer_init(protocol, &session->timer, session->is_server ? offer_on_due : client_on_due);
        timer_init(protocol, &session->guard_timer, guard_on_due);
        session_adopt(session);
        session_link(protocol, session);
        protocol->n_confirmed += session->record->confirmed != 0;
        if (record_has_keys(session->record) &&
            table_add(&protocol->by_id, &session->by_id, session_id(session->record->keys.id)) <
                            0) {
                session->record->keyed = 0;
                session_free(protocol, session);
                return -ENOMEM;
        }
        *ret_session = session;
        return 0;
}

void session_free(struct protocol *protocol, struct session *session) {
        while (!session->is_server && session->client.asks)
                ask_free(protocol, session->client.asks);
        while (session->is_server && session->server.admissions)
                admission_free(protocol, session->server.admissions);
        if (record_has_keys(session->record))
                table_remove(&protocol->by_id, &session->by_id);
        if (session->record->confirmed)
                protocol->n_confirmed--;
        table_remove(&protocol->by_token, &session->by_token);
        timer_done(protocol, &session->timer);
        timer_done(protocol, &session->guard_timer);
        session_unlink(protocol, session);
        ARRAY_DONE(&session->joined);
        if (session->is_server) {
                ARRAY_DONE(&session->server.offer);
        } else {
                ARRAY_DONE(&session->client.announced);
                ARRAY_DONE(&session->client.confirmed);
        }
        free(session->told);
        free(session);
}

static enum joins session_joins(const struct session *session) {
        switch (session->state) {
        case SESSION_KEY:
        case SESSION_HELLO:
                return JOINS_WAIT;
        case SESSION_CONFIRMED:
                return session->is_server ? JOINS_BARRED : JOINS_ASK;
        case SESSION_FREE:
        case SESSION_OPEN:
                return JOINS_FREE;
        case SESSION_BARRED:
        case SESSION_GUARDED:
        case _SESSION_STATE_MAX:
                break;
        }
        return JOINS_BARRED;
}

void session_enter(struct protocol *protocol, struct session *session, enum session_state state,
                   const char *reason) {
        const bool known = session->state == state && strcmp(session->reason, reason) == 0;

        session->state = state;
        session->reason = reason; /* the same words may be in a place that stays for longer */
        if (known)
                return;
        protocol->host.permit(protocol->userdata, session->token, session_joins(session), reason);
}

bool session_is_closed(const struct session *session) {
        return session->record->confirmed || session->mode == POLICY_AUTH_REQUIRE;
}

void session_confirm(struct protocol *protocol, struct session *session) {
        if (session->record->confirmed)
                return;
        session->record->confirmed = 1;
        protocol->n_confirmed++;
        protocol->counters[PROTOCOL_CONFIRMED]++;
        quiet_forget(&protocol->quiet, protocol_hash(protocol, &session->remote, true));
}

void session_purge(struct protocol *protocol, struct session *session) {
        for (uint32_t i = 0; i < session->joined.n; i++)
                session_intrude(protocol, session, &session->joined.items[i]);
        ARRAY_DONE(&session->joined);
}

void session_keep(struct protocol *protocol, struct session *session,
                  const struct subflow_ends *ends) {
        if (ARRAY_APPEND(&session->joined, *ends, LIMIT_SUBFLOWS) < 0)
                session_intrude(protocol, session, ends);
}

void session_intrude(struct protocol *protocol, const struct session *session,
                     const struct subflow_ends *ends) {
        protocol->counters[PROTOCOL_INTRUDERS]++;
        protocol->host.intruder(protocol->userdata, session->token, &ends->local, &ends->remote,
                                "nobody has admitted it");
}

void session_forget_subflow(struct session *session, const struct subflow_ends *ends) {
        for (uint32_t i = 0; i < session->joined.n; i++) {
                if (!address_equal(&session->joined.items[i].local, &ends->local) ||
                    !address_equal(&session->joined.items[i].remote, &ends->remote))
                        continue;
                ARRAY_REMOVE(&session->joined, i);
                return;
        }
}

int timer_reserve(struct protocol *protocol, size_t n) {
        return heap_reserve(&protocol->timers, protocol->n_timers + n);
}

void timer_init(struct protocol *protocol, struct timer *timer, timer_fn on_due) {
        protocol->n_timers++;
        timer->node = HEAP_NODE_INIT;
        timer->on_due = on_due;
}

void timer_set(struct protocol *protocol, struct timer *timer, uint64_t usec) {
        heap_set(&protocol->timers, &timer->node, usec);
}

void timer_stop(struct protocol *protocol, struct timer *timer) {
        heap_remove(&protocol->timers, &timer->node);
}

void timer_done(struct protocol *protocol, struct timer *timer) {
        timer_stop(protocol, timer);
        protocol->n_timers--;
}

void session_send(struct protocol *protocol, struct session *session,
                  const struct protocol_path *path, struct wire_message *message) {
        struct auth_record *record = session->record;
        uint8_t bytes[WIRE_MAX];
        size_t n;

        message->server = session->is_server;
        memcpy(message->id, record->keys.id, sizeof(message->id));
        message->sequence = ++record->sent;
        n = wire_encode(message, session->is_server ? record->keys.s2c : record->keys.c2s, bytes);
        protocol->host.send(protocol->userdata, path, bytes, n);
}

struct protocol_path session_path(const struct protocol *protocol, const struct session *session,
                                  const struct mptcpize_address *remote) {
        struct protocol_path path = { .remote = *remote };

        path.remote.port = protocol->port;
        if (session->local.family == remote->family) {
                path.local = session->local;
                path.local.port = protocol->port;
        }
        return path;
}

/* Once, unsecured against loss: its keys are gone then. */
void session_say_bye(struct protocol *protocol, struct session *session) {
        struct wire_message message = { .type = WIRE_BYE, .reason = 1 };
        struct protocol_path path = session->peer;

        if (!record_has_keys(session->record) || session->record->ended)
                return;
        if (path.remote.family == 0 && session->is_server)
                return;
        if (path.remote.family == 0)
                path = session_path(protocol, session, &session->remote);
        session_send(protocol, session, &path, &message);
}
