#include "session.h"

#include <stdio.h>
#include <string.h>

static const char *const protocol_counter_names[_PROTOCOL_COUNTER_MAX] = {
        [PROTOCOL_RECEIVED] = "received",     [PROTOCOL_MALFORMED] = "malformed",
        [PROTOCOL_UNKNOWN] = "unknown",       [PROTOCOL_HELD] = "held",
        [PROTOCOL_FORGED] = "forged",         [PROTOCOL_REPLAYED] = "replayed",
        [PROTOCOL_THROTTLED] = "throttled",   [PROTOCOL_CONFIRMED] = "confirmed",
        [PROTOCOL_ADMITTED] = "admitted",     [PROTOCOL_REFUSED] = "refused",
        [PROTOCOL_ASKED] = "asked",           [PROTOCOL_GRANTED] = "granted",
        [PROTOCOL_UNANSWERED] = "unanswered", [PROTOCOL_SILENT] = "silent",
        [PROTOCOL_INTRUDERS] = "intruders",
};

const char *protocol_counter_name(enum protocol_counter counter) {
        return protocol_counter_names[counter];
}

void protocol_random(struct protocol *protocol, void *bytes, size_t n) {
        (*protocol->host.random)(protocol->userdata, bytes, n);
}

int protocol_new(const struct protocol_host *host, void *userdata, uint16_t port,
                 struct protocol **ret_protocol) {
        struct protocol *protocol = calloc(1, sizeof(*protocol));

        if (!protocol)
                return -ENOMEM;
        protocol->host = *host;
        protocol->userdata = userdata;
        protocol->port = port;
        protocol->gate_works = true;
        protocol_random(protocol, &protocol->seed, sizeof(protocol->seed));
        protocol->by_token.seed = table_hash(protocol->seed, 1);
        protocol->by_id.seed = table_hash(protocol->seed, 2);
        *ret_protocol = protocol;
        return 0;
}

void protocol_free(struct protocol *protocol) {
        if (!protocol)
                return;
        while (protocol->sessions)
                session_free(protocol, protocol->sessions);
        table_done(&protocol->by_token);
        table_done(&protocol->by_id);
        table_done(&protocol->asks);
        table_done(&protocol->admissions);
        heap_done(&protocol->timers);
        free(protocol);
}

uint64_t protocol_hash(const struct protocol *protocol, const struct mptcpize_address *address,
                       bool with_port) {
        uint64_t words[2], hash = protocol->seed ^ address->family;

        if (with_port)
                hash ^= (uint64_t)address->port << 16;
        memcpy(words, address->bytes, sizeof(words));
        hash = table_hash(protocol->seed, hash);
        hash = table_hash(hash, words[0]);
        return table_hash(hash, words[1]);
}

void protocol_set_gate(struct protocol *protocol, bool works, const char *reason,
                       uint64_t now_usec) {
        (void)now_usec;
        protocol->gate_works = works;
        snprintf(protocol->gate_reason, sizeof(protocol->gate_reason), "%s", reason);
        for (struct session *i = protocol->sessions; i; i = i->next)
                guard_set_gate(protocol, i);
}

static void protocol_set_mode(struct protocol *protocol, struct session *session,
                              const struct protocol_connection *connection, uint64_t now_usec) {
        session->max_subflows = connection->max_subflows;
        if (session->mode == connection->mode)
                return;
        session->mode = connection->mode;
        session->record->mode = (uint8_t)connection->mode;
        if (session->is_server)
                server_set_mode(protocol, session);
        else
                client_set_mode(protocol, session, now_usec);
}

int protocol_open(struct protocol *protocol, const struct protocol_connection *connection,
                  uint64_t now_usec) {
        struct session *session = session_find(protocol, connection->token);
        int r;

        if (session) {
                protocol_set_mode(protocol, session, connection, now_usec);
                return 0;
        }
        r = session_new(protocol, connection, &session);
        if (r < 0)
                return r;
        if (session->is_server)
                server_open(protocol, session);
        else
                client_open(protocol, session, now_usec);
        return 0;
}

void protocol_close(struct protocol *protocol, uint32_t token, bool off, uint64_t now_usec) {
        struct session *session = session_find(protocol, token);

        (void)now_usec;
        if (!session)
                return;
        if (off)
                session_say_bye(protocol, session);
        if (session->is_server)
                server_close(protocol, session);
        else
                client_close(protocol, session, off);
        session_free(protocol, session);
}

bool protocol_has(const struct protocol *protocol, uint32_t token) {
        return session_find(protocol, token) != NULL;
}

void protocol_established(struct protocol *protocol, uint32_t token, uint64_t now_usec) {
        struct session *session = session_find(protocol, token);

        if (session && !session->is_server)
                client_established(protocol, session, now_usec);
}

void protocol_keyless(struct protocol *protocol, uint32_t token, const char *reason,
                      uint64_t now_usec) {
        struct session *session = session_find(protocol, token);
        char *told;

        if (!session || record_has_keys(session->record))
                return;
        told = strdup(reason);
        if (!told)
                return;
        if (session->is_server)
                server_keyless(protocol, session, told);
        else
                client_keyless(protocol, session, told, now_usec);
}

/* Of a key that is not known (yet). */
static void protocol_receive_unknown(struct protocol *protocol, const struct protocol_path *path,
                                     const struct wire_message *message, const void *bytes,
                                     uint64_t now_usec) {
        const uint32_t source = (uint32_t)protocol_hash(protocol, &path->remote, false);

        if (message->type == WIRE_HELLO &&
            hold_keep(&protocol->hold, path, source, session_id(message->id), bytes, now_usec))
                protocol->counters[PROTOCOL_HELD]++;
        else
                protocol->counters[PROTOCOL_UNKNOWN]++;
}

/* HELLOs count for their connection alone: many may be behind one address. */
static bool protocol_passes(struct protocol *protocol, const struct session *session,
                            const struct protocol_path *path, const struct wire_message *message,
                            uint64_t now_usec) {
        uint64_t source = protocol_hash(protocol, &path->remote, false);

        if (message->type != WIRE_HELLO && message->type != WIRE_JOIN_REQ)
                return true;
        if (message->type == WIRE_HELLO)
                source = table_hash(source, session->token);
        return throttle_pass(&protocol->throttle, source, now_usec);
}

/* Nothing changes before the MAC is right; the cheap questions come before it. */
static void protocol_judge(struct protocol *protocol, const struct protocol_path *path,
                           const void *bytes, size_t n, uint64_t now_usec) {
        struct wire_message message;
        struct session *session;
        struct auth_record *record;

        if (wire_decode(bytes, n, &message) < 0) {
                protocol->counters[PROTOCOL_MALFORMED]++;
                return;
        }
        session = session_by_id(protocol, session_id(message.id), !message.server);
        if (!session) {
                protocol_receive_unknown(protocol, path, &message, bytes, now_usec);
                return;
        }
        record = session->record;
        if (!window_is_new(&record->heard, message.sequence)) {
                protocol->counters[PROTOCOL_REPLAYED]++;
        } else if (!wire_is_genuine(bytes, n,
                                    message.server ? record->keys.s2c : record->keys.c2s)) {
                protocol->counters[PROTOCOL_FORGED]++;
        } else {
                window_take(&record->heard, message.sequence);
                if (!protocol_passes(protocol, session, path, &message, now_usec))
                        protocol->counters[PROTOCOL_THROTTLED]++;
                else if (session->is_server)
                        server_receive(protocol, session, path, &message, now_usec);
                else
                        client_receive(protocol, session, path, &message, now_usec);
        }
}

/* A client that was ready first has said HELLO already. */
static void protocol_judge_held(struct protocol *protocol, uint64_t id, uint64_t now_usec) {
        struct held held;

        while (hold_take(&protocol->hold, id, now_usec, &held))
                protocol_judge(protocol, &held.path, held.bytes, sizeof(held.bytes), now_usec);
}

int protocol_key(struct protocol *protocol, uint32_t token, const uint8_t *secret,
                 uint64_t now_usec) {
        struct session *session = session_find(protocol, token);
        struct auth_record *record;
        uint64_t id;

        if (!session)
                return -ENOENT;
        record = session->record;
        if (record_has_keys(record))
                return -EEXIST;
        keys_derive(secret, &record->keys);
        id = session_id(record->keys.id);
        /* Of one key there are two ends: somebody else's connection is not to be taken over. */
        if (session_by_id(protocol, id, session->is_server)) {
                explicit_bzero(&record->keys, sizeof(record->keys));
                return -EEXIST;
        }
        if (table_add(&protocol->by_id, &session->by_id, id) < 0) {
                explicit_bzero(&record->keys, sizeof(record->keys));
                return -ENOMEM;
        }
        record->keyed = 1;
        if (!session->is_server) {
                client_keyed(protocol, session, now_usec);
                return 0;
        }
        server_keyed(protocol, session);
        protocol_judge_held(protocol, id, now_usec);
        return 0;
}

void protocol_receive(struct protocol *protocol, const struct protocol_path *path,
                      const void *bytes, size_t n, uint64_t now_usec) {
        protocol->counters[PROTOCOL_RECEIVED]++;
        protocol_judge(protocol, path, bytes, n, now_usec);
}

void protocol_joined(struct protocol *protocol, uint32_t token,
                     const struct mptcpize_address *local, const struct mptcpize_address *remote,
                     uint64_t now_usec) {
        struct session *session = session_find(protocol, token);
        const struct subflow_ends ends = { .local = *local, .remote = *remote };

        (void)now_usec;
        if (!session)
                return;
        if (session->is_server)
                server_joined(protocol, session, &ends);
        else
                client_joined(protocol, session, &ends);
}

void protocol_left(struct protocol *protocol, uint32_t token, const struct mptcpize_address *local,
                   const struct mptcpize_address *remote) {
        struct session *session = session_find(protocol, token);
        const struct subflow_ends ends = { .local = *local, .remote = *remote };

        if (!session)
                return;
        session_forget_subflow(session, &ends);
        if (session->is_server)
                server_left(session, &ends);
}

void protocol_announced(struct protocol *protocol, uint32_t token,
                        const struct mptcpize_address *remote, uint64_t now_usec) {
        struct session *session = session_find(protocol, token);

        if (session && !session->is_server)
                client_announced(protocol, session, remote, now_usec);
}

void protocol_offer(struct protocol *protocol, uint32_t token,
                    const struct protocol_address *addresses, size_t n, uint64_t now_usec) {
        struct session *session = session_find(protocol, token);

        if (session && session->is_server)
                offer_set(protocol, session, addresses, n, now_usec);
}

uint32_t protocol_peer_token(const struct protocol *protocol, uint32_t token) {
        const struct session *session = session_find(protocol, token);

        return session && !session->is_server ? session->record->peer_token : 0;
}

void protocol_tick(struct protocol *protocol, uint64_t now_usec) {
        for (unsigned int i = 0; i < LIMIT_AUTH_TURN; i++) {
                struct heap_node *first = heap_first(&protocol->timers);
                struct timer *timer;

                if (!first || first->key > now_usec)
                        return;
                timer = CONTAINER_OF(first, struct timer, node);
                timer->on_due(protocol, timer, now_usec);
        }
}

uint64_t protocol_deadline(const struct protocol *protocol) {
        const struct heap_node *first = heap_first(&protocol->timers);

        return first ? first->key : UINT64_MAX;
}

static const char *const protocol_state_names[_SESSION_STATE_MAX] = {
        [SESSION_KEY] = "key",
        [SESSION_HELLO] = "hello",
        [SESSION_CONFIRMED] = "confirmed",
        [SESSION_FREE] = "free",
        [SESSION_BARRED] = "barred",
        [SESSION_OPEN] = "open",
        [SESSION_GUARDED] = "guarded",
};

bool protocol_view(const struct protocol *protocol, uint32_t token,
                   struct protocol_view *ret_view) {
        const struct session *session = session_find(protocol, token);

        if (!session)
                return false;
        *ret_view = (struct protocol_view){ .state = protocol_state_names[session->state] };
        if (session->is_server)
                ret_view->admissions = admission_count(session);
        if (session->is_server && session->state != SESSION_OPEN && !protocol->gate_works &&
            !(session->told && !record_has_keys(session->record)))
                snprintf(ret_view->reason, sizeof(ret_view->reason), "no gate: %.80s",
                         protocol->gate_reason);
        else
                snprintf(ret_view->reason, sizeof(ret_view->reason), "%s", session->reason);
        return true;
}

uint64_t protocol_counter(const struct protocol *protocol, enum protocol_counter counter) {
        return protocol->counters[counter];
}

void protocol_count(const struct protocol *protocol, size_t *ret_all, size_t *ret_confirmed) {
        *ret_all = protocol->by_token.n;
        *ret_confirmed = protocol->n_confirmed;
}
