/*
 * Join authentication, the side of who opened the connection: asks for each join, from the address
 * that will join, to the one to be joined. JOIN_REQ is said three times, and then was unanswered
 * when a fourth would be due.
 */
#include "session.h"

#define ASK_SENDS (SESSION_ROUND - 1)

void ask_free(struct protocol *protocol, struct ask *ask) {
        struct ask **at = &ask->session->client.asks;

        while (*at != ask)
                at = &(*at)->next;
        *at = ask->next;
        table_remove(&protocol->asks, &ask->by_serial);
        timer_done(protocol, &ask->timer);
        free(ask);
}

static void ask_end(struct protocol *protocol, struct ask *ask, int error, const char *reason) {
        const uint32_t serial = ask->join.serial;

        ask_free(protocol, ask);
        protocol->host.answer(protocol->userdata, serial, error, reason);
}

static void ask_send(struct protocol *protocol, struct ask *ask) {
        struct session *session = ask->session;
        struct wire_message message = {
                .type = WIRE_JOIN_REQ,
                .request = { .token = session->record->peer_token,
                             .nonce = ask->nonce,
                             .local_id = ask->join.local_id,
                             .flags = ask->join.backup ? WIRE_BACKUP : 0,
                             .port = ask->join.remote.port },
        };
        struct protocol_path path = {
                .local = ask->join.local,
                .remote = ask->join.remote,
                .ifindex = ask->join.ifindex,
        };

        if (path.local.family)
                path.local.port = protocol->port;
        path.remote.port = protocol->port;
        if (message.request.port == 0)
                message.request.port = session->remote.port;
        session_send(protocol, session, &path, &message);
        ask->sent++;
        timer_set(protocol, &ask->timer, ask->first_usec + session_round_usec[ask->sent]);
}

static void ask_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec) {
        struct ask *ask = CONTAINER_OF(timer, struct ask, timer);

        (void)now_usec;
        if (ask->sent < ASK_SENDS) {
                ask_send(protocol, ask);
        } else if (ask->busy) {
                ask_end(protocol, ask, -ENOBUFS, "the peer has no room for it");
        } else {
                protocol->counters[PROTOCOL_UNANSWERED]++;
                ask_end(protocol, ask, -ETIMEDOUT, "the peer did not answer the request to join");
        }
}

static int ask_new(struct protocol *protocol, struct session *session,
                   const struct protocol_join *join, struct ask **ret_ask) {
        struct ask *ask;

        if (protocol->asks.n >= LIMIT_AUTH_ASKS)
                return -ENOBUFS;
        if (timer_reserve(protocol, 1) < 0)
                return -ENOMEM;
        ask = calloc(1, sizeof(*ask));
        if (!ask || table_add(&protocol->asks, &ask->by_serial, join->serial) < 0) {
                free(ask);
                return -ENOMEM;
        }
        timer_init(protocol, &ask->timer, ask_on_due);
        ask->session = session;
        ask->join = *join;
        ask->next = session->client.asks;
        session->client.asks = ask;
        *ret_ask = ask;
        return 0;
}

static void ask_begin(struct protocol *protocol, struct session *session,
                      const struct protocol_join *join, uint64_t now_usec) {
        struct ask *ask;
        const int r = ask_new(protocol, session, join, &ask);

        if (r < 0) {
                protocol->host.answer(protocol->userdata, join->serial, -ENOBUFS,
                                      "too many joins wait for their peers");
                return;
        }
        protocol_random(protocol, &ask->nonce, sizeof(ask->nonce));
        ask->first_usec = now_usec;
        protocol->counters[PROTOCOL_ASKED]++;
        ask_send(protocol, ask);
}

int protocol_ask(struct protocol *protocol, const struct protocol_join *join, uint64_t now_usec) {
        struct session *session = session_find(protocol, join->token);

        if (!session)
                return 1;
        if (session->state == SESSION_FREE || session->state == SESSION_OPEN) {
                if (!session->is_server)
                        client_try(protocol, session, now_usec);
                return 1;
        }
        if (session->is_server || session->state != SESSION_CONFIRMED)
                protocol->host.answer(protocol->userdata, join->serial, -EACCES, session->reason);
        else if (!client_knows(session, &join->remote))
                protocol->host.answer(protocol->userdata, join->serial, -EKEYREJECTED,
                                      "the peer has not confirmed this address");
        else
                ask_begin(protocol, session, join, now_usec);
        return 0;
}

bool protocol_cancel(struct protocol *protocol, uint32_t serial) {
        struct table_link *link = table_find(&protocol->asks, serial);

        if (!link)
                return false;
        ask_free(protocol, CONTAINER_OF(link, struct ask, by_serial));
        return true;
}

void ask_answered(struct protocol *protocol, struct session *session,
                  const struct wire_message *message) {
        struct ask *ask = session->client.asks;

        while (ask && ask->nonce != message->answer.nonce)
                ask = ask->next;
        if (!ask)
                return;
        if (message->type == WIRE_JOIN_OK) {
                protocol->counters[PROTOCOL_GRANTED]++;
                ask_end(protocol, ask, 0, "");
        } else if (message->answer.code == WIRE_NO_RESOURCES) {
                ask->busy = true; /* others are on their way: it is said again */
        } else if (message->answer.code == WIRE_NO_PERFORMANCE) {
                ask_end(protocol, ask, -ENOBUFS, "the peer is too busy for it");
        } else {
                ask_end(protocol, ask, -EACCES, "the peer does not allow it");
        }
}

void ask_flush(struct protocol *protocol, struct session *session, int error, const char *reason) {
        while (session->client.asks)
                ask_end(protocol, session->client.asks, error, error ? reason : "");
}
