/*
 * Join authentication, the side of who accepted the connection: the first HELLO of somebody who
 * holds the key closes the connection to all others, and is answered once the gate is closed.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define SERVER_NO_KEY    "the program has given no key"
#define SERVER_WAITS     "the client has not proved yet that it holds the key"
#define SERVER_CONFIRMED "the client has proved that it holds the key; only it may join"
#define SERVER_ENDED     "the client has ended join authentication"

/* Why nothing is proved yet. */
static const char *server_reason(const struct session *session) {
        if (record_has_keys(session->record))
                return SERVER_WAITS;
        return session->told ? session->told : SERVER_NO_KEY;
}

/* What it is in, as its record and its mode say. */
static void server_enter(struct protocol *protocol, struct session *session) {
        const struct auth_record *record = session->record;

        guard_update(protocol, session);
        if (!session_is_closed(session))
                session_enter(protocol, session, SESSION_OPEN, server_reason(session));
        else if (record->ended)
                session_enter(protocol, session, SESSION_GUARDED, SERVER_ENDED);
        else if (record->confirmed)
                session_enter(protocol, session, SESSION_CONFIRMED, SERVER_CONFIRMED);
        else
                session_enter(protocol, session, SESSION_GUARDED, server_reason(session));
}

void server_open(struct protocol *protocol, struct session *session) {
        server_enter(protocol, session);
}

void server_keyed(struct protocol *protocol, struct session *session) {
        session_enter(protocol, session, session->state, server_reason(session));
}

void server_keyless(struct protocol *protocol, struct session *session, char *told) {
        char *was = session->told;

        session->told = told;
        session_enter(protocol, session, session->state, server_reason(session));
        free(was); /* up to now the state's reason */
}

void server_set_mode(struct protocol *protocol, struct session *session) {
        server_enter(protocol, session);
        if (session->state != SESSION_OPEN)
                session_purge(protocol, session);
}

void server_close(struct protocol *protocol, struct session *session) {
        admission_flush(protocol, session);
        guard_end(protocol, session);
}

/* The addresses first: the answer lets the client join, and it joins none that it does not know. */
static void server_answer_hello(struct protocol *protocol, struct session *session,
                                uint64_t now_usec) {
        struct server *server = &session->server;
        struct wire_message message = {
                .type = WIRE_HELLO_ACK,
                .ack = { .token = session->token,
                         .max_subflows = session->max_subflows,
                         .mode = (uint8_t)session->mode },
        };

        server->ack_due = false;
        offer_tell(protocol, session, true, now_usec);
        memcpy(message.ack.random, server->random, WIRE_RANDOM);
        session_send(protocol, session, &server->ack_path, &message);
}

static void server_receive_hello(struct protocol *protocol, struct session *session,
                                 const struct protocol_path *path,
                                 const struct wire_message *message, uint64_t now_usec) {
        struct server *server = &session->server;

        session_confirm(protocol, session);
        server_enter(protocol, session);
        session_purge(protocol, session);
        memcpy(server->random, message->hello.random, WIRE_RANDOM);
        server->ack_path = *path;
        server->ack_due = true;
        if (session->guard != GUARD_PENDING)
                server_answer_hello(protocol, session, now_usec);
}

void server_guarded(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        if (session->server.ack_due && !session->record->ended)
                server_answer_hello(protocol, session, now_usec);
}

/* "require" admits nobody without a gate. */
void server_lose_gate(struct protocol *protocol, struct session *session) {
        if (session->mode == POLICY_AUTH_REQUIRE)
                admission_flush(protocol, session);
}

/* In place of the subflow's address, which would have to be compared with others of its length. */
static uint32_t server_hash(const struct session *session, const struct subflow_ends *ends) {
        const struct mptcpize_address *remote = &ends->remote;
        uint8_t bytes[20], mac[KEYS_MAC];
        uint32_t hash;

        bytes[0] = (uint8_t)(remote->family >> 8);
        bytes[1] = (uint8_t)remote->family;
        bytes[2] = (uint8_t)(remote->port >> 8);
        bytes[3] = (uint8_t)remote->port;
        memcpy(bytes + 4, remote->bytes, 16);
        keys_mac(session->record->keys.c2s, bytes, sizeof(bytes), mac);
        memcpy(&hash, mac, sizeof(hash));
        return hash;
}

static bool server_has_admitted(const struct session *session, uint32_t hash) {
        const struct auth_record *record = session->record;

        for (uint8_t i = 0; i < record->n_admitted && i < RECORD_ADMITTED; i++)
                if (record->admitted[i] == hash)
                        return true;
        return false;
}

static void server_note_admitted(struct session *session, uint32_t hash) {
        struct auth_record *record = session->record;

        if (record->n_admitted >= RECORD_ADMITTED) {
                memmove(record->admitted, record->admitted + 1,
                        (RECORD_ADMITTED - 1) * sizeof(record->admitted[0]));
                record->n_admitted = RECORD_ADMITTED - 1;
        }
        record->admitted[record->n_admitted++] = hash;
}

void server_joined(struct protocol *protocol, struct session *session,
                   const struct subflow_ends *ends) {
        struct admission *admission;
        uint32_t hash;

        if (session->state == SESSION_OPEN) {
                session_keep(protocol, session, ends);
                return;
        }
        if (!session->record->confirmed) {
                session_intrude(protocol, session, ends);
                return;
        }
        hash = server_hash(session, ends);
        if (server_has_admitted(session, hash))
                return;
        admission = admission_for(session, ends);
        if (!admission) {
                session_intrude(protocol, session, ends);
                return;
        }
        server_note_admitted(session, hash);
        admission_use(protocol, admission);
}

void server_left(struct session *session, const struct subflow_ends *ends) {
        struct auth_record *record = session->record;
        uint32_t hash;

        if (!record->confirmed || record->n_admitted == 0)
                return;
        hash = server_hash(session, ends);
        for (uint8_t i = 0; i < record->n_admitted && i < RECORD_ADMITTED; i++) {
                if (record->admitted[i] != hash)
                        continue;
                record->admitted[i] = record->admitted[--record->n_admitted];
                return;
        }
}

static void server_receive_bye(struct protocol *protocol, struct session *session,
                               const struct wire_message *message) {
        session->record->ended = message->reason && message->reason < 256 ? (uint8_t)message->reason
                                                                          : UINT8_MAX;
        session->server.ack_due = false;
        timer_stop(protocol, &session->timer);
        admission_flush(protocol, session);
        server_enter(protocol, session);
}

void server_receive(struct protocol *protocol, struct session *session,
                    const struct protocol_path *path, const struct wire_message *message,
                    uint64_t now_usec) {
        session->peer = *path;
        switch (message->type) {
        case WIRE_HELLO:
                if (!session->record->ended)
                        server_receive_hello(protocol, session, path, message, now_usec);
                return;
        case WIRE_JOIN_REQ:
                admission_request(protocol, session, path, message, now_usec);
                break;
        case WIRE_ADDR_OK:
                offer_acked(protocol, session, message->highest);
                break;
        case WIRE_BYE:
                server_receive_bye(protocol, session, message);
                break;
        case WIRE_HELLO_ACK:
        case WIRE_JOIN_OK:
        case WIRE_JOIN_NO:
        case WIRE_ADDR:
        case _WIRE_TYPE_MAX:
                break;
        }
        offer_tell(protocol, session, false, now_usec);
}
