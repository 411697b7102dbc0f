/*
 * Join authentication, the side of who accepted the connection: tells the client, under the key,
 * which addresses it has announced. Repeated until the client says that it has it; and then again
 * when the client is heard of.
 */
#include "session.h"

#include <string.h>

static void offer_send(struct protocol *protocol, struct session *session) {
        struct server *server = &session->server;
        struct wire_message message = { .type = WIRE_ADDR };

        message.addresses.n = (uint8_t)server->offer.n;
        memcpy(message.addresses.list, server->offer.items,
               server->offer.n * sizeof(message.addresses.list[0]));
        session_send(protocol, session, &session->peer, &message);
        if (server->offer_sequence == 0)
                server->offer_sequence = session->record->sent;
}

static void offer_step(struct protocol *protocol, struct session *session) {
        struct server *server = &session->server;

        offer_send(protocol, session);
        server->offer_sent++;
        if (server->offer_sent < SESSION_ROUND)
                timer_set(protocol, &session->timer,
                          server->offer_first_usec + session_round_usec[server->offer_sent]);
        else
                server->offer_state = OFFER_DUE;
}

void offer_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec) {
        struct session *session = CONTAINER_OF(timer, struct session, timer);

        (void)now_usec;
        timer_stop(protocol, timer);
        if (session->server.offer_state == OFFER_SENDING)
                offer_step(protocol, session);
}

void offer_tell(struct protocol *protocol, struct session *session, bool again, uint64_t now_usec) {
        struct server *server = &session->server;

        if (!session->record->confirmed || session->record->ended || server->offer.n == 0 ||
            session->peer.remote.family == 0 || server->offer_state == OFFER_SENDING ||
            (server->offer_state == OFFER_ACKED && !again))
                return;
        server->offer_state = OFFER_SENDING;
        server->offer_sent = 0;
        server->offer_first_usec = now_usec;
        offer_step(protocol, session);
}

void offer_acked(struct protocol *protocol, struct session *session, uint64_t highest) {
        struct server *server = &session->server;

        if (server->offer_sequence == 0 || highest < server->offer_sequence)
                return;
        server->offer_state = OFFER_ACKED;
        timer_stop(protocol, &session->timer);
}

static bool offer_is(const struct server *server, const struct protocol_address *addresses,
                     size_t n) {
        if (server->offer.n != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (server->offer.items[i].id != addresses[i].id ||
                    !address_equal(&server->offer.items[i].address, &addresses[i].address))
                        return false;
        return true;
}

/* An empty list is not told: what was withdrawn is known in clear, and joins are asked for. */
void offer_set(struct protocol *protocol, struct session *session,
               const struct protocol_address *addresses, size_t n, uint64_t now_usec) {
        struct server *server = &session->server;

        if (n > PROTOCOL_ADDRESSES)
                n = PROTOCOL_ADDRESSES;
        if (offer_is(server, addresses, n))
                return;
        server->offer.n = 0;
        for (size_t i = 0; i < n; i++)
                if (ARRAY_APPEND(&server->offer, addresses[i], PROTOCOL_ADDRESSES) < 0)
                        break;
        server->offer_state = OFFER_DUE;
        server->offer_sequence = 0;
        timer_stop(protocol, &session->timer);
        if (!server->ack_due)
                offer_tell(protocol, session, false, now_usec);
}
