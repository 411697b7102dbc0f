/*
 * Join authentication, the side of who opened the connection: shows with HELLO that it has the
 * key, and learns from HELLO_ACK that the peer has, too.
 */
#include "session.h"

#include <string.h>
#include "../util/cleanup.h"

#define CLIENT_ROUNDS ARRAY_SIZE(client_round_sec)

/* Pauses until HELLO is said again to a peer that owes an answer: its daemon may be away. */
static const uint8_t client_round_sec[] = { 5, 10, 20, 40, 60 };

/* How long "prefer" waits for a key, and for an answer. */
#define CLIENT_WAIT_USEC (session_round_usec[SESSION_ROUND - 1])
/* Of a free connection that wants joins, in the hope that the peer has a daemon by now. */
#define CLIENT_TRY_USEC (5000 * SESSION_MSEC)

#define CLIENT_NO_KEY    "the program has given no key yet"
#define CLIENT_ASKS      "the peer has not answered yet"
#define CLIENT_SILENT    "the peer did not answer"
#define CLIENT_BARRED    CLIENT_SILENT "; it is asked again, by UDP"
#define CLIENT_CONFIRMED "the peer has proved that it holds the key"
#define CLIENT_ENDED     "the peer has ended join authentication"

static uint64_t client_peer(const struct protocol *protocol, const struct session *session) {
        return protocol_hash(protocol, &session->remote, true);
}

static void client_say_hello(struct protocol *protocol, struct session *session,
                             const struct mptcpize_address *to, uint64_t now_usec) {
        struct client *client = &session->client;
        const struct protocol_path path = session_path(protocol, session, to);
        struct wire_message message = { .type = WIRE_HELLO };

        if (!client->asking)
                protocol_random(protocol, client->random, WIRE_RANDOM);
        client->asking = true;
        client->last_usec = now_usec;
        memcpy(message.hello.random, client->random, WIRE_RANDOM);
        message.hello.capabilities = WIRE_CAN_REQUEST;
        session_send(protocol, session, &path, &message);
}

/* Behind a load balancer the first address leads to another host: only the MAC is a proof. */
static void client_say_hello_to_all(struct protocol *protocol, struct session *session,
                                    uint64_t now_usec) {
        const struct client *client = &session->client;

        client_say_hello(protocol, session, &session->remote, now_usec);
        for (uint32_t i = 0; i < client->announced.n; i++)
                client_say_hello(protocol, session, &client->announced.items[i], now_usec);
}

/* A later answer still counts. */
static void client_give_up(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        if (session->record->confirmed)
                return;
        if (session->client.rounds == 0)
                protocol->counters[PROTOCOL_SILENT]++;
        quiet_learn(&protocol->quiet, client_peer(protocol, session), QUIET_SILENT, now_usec);
        if (session->mode == POLICY_AUTH_PREFER) {
                session_enter(protocol, session, SESSION_FREE, CLIENT_SILENT);
                return;
        }
        session_enter(protocol, session, SESSION_BARRED, CLIENT_BARRED);
        timer_set(protocol, &session->timer, now_usec + client_round_sec[0] * 1000 * SESSION_MSEC);
}

static void client_step(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        struct client *client = &session->client;

        if (client->sent == 0)
                client_say_hello(protocol, session, &session->remote, now_usec);
        else
                client_say_hello_to_all(protocol, session, now_usec);
        client->sent++;
        if (client->sent < SESSION_ROUND)
                timer_set(protocol, &session->timer,
                          client->first_usec + session_round_usec[client->sent]);
        else
                client_give_up(protocol, session, now_usec);
}

static void client_begin(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        session->client.sent = 0;
        session->client.rounds = 0;
        session->client.first_usec = now_usec;
        client_step(protocol, session, now_usec);
}

/* One that owes an answer since long. */
static void client_repeat(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        struct client *client = &session->client;

        if (client->rounds < CLIENT_ROUNDS - 1)
                client->rounds++;
        client_say_hello_to_all(protocol, session, now_usec);
        timer_set(protocol, &session->timer,
                  now_usec + client_round_sec[client->rounds] * 1000 * SESSION_MSEC);
}

static void client_end_wait(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        if (session->mode != POLICY_AUTH_PREFER)
                return;
        quiet_learn(&protocol->quiet, client_peer(protocol, session), QUIET_KEYLESS, now_usec);
        session_enter(protocol, session, SESSION_FREE, "the program has given no key in time");
}

void client_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec) {
        struct session *session = CONTAINER_OF(timer, struct session, timer);

        timer_stop(protocol, timer);
        if (!record_has_keys(session->record))
                client_end_wait(protocol, session, now_usec);
        else if (session->client.sent < SESSION_ROUND)
                client_step(protocol, session, now_usec);
        else if (session->state == SESSION_BARRED)
                client_repeat(protocol, session, now_usec);
}

static void client_enter_ended(struct protocol *protocol, struct session *session) {
        timer_stop(protocol, &session->timer);
        session_enter(protocol, session,
                      session->mode == POLICY_AUTH_PREFER ? SESSION_FREE : SESSION_BARRED,
                      CLIENT_ENDED);
}

static const char *client_keyless_reason(const struct session *session) {
        return session->told ? session->told : CLIENT_NO_KEY;
}

/* Without a key: who may not wait? */
static void client_enter_keyless(struct protocol *protocol, struct session *session,
                                 uint64_t now_usec) {
        const enum quiet_kind quiet =
                        quiet_find(&protocol->quiet, client_peer(protocol, session), now_usec);

        timer_stop(protocol, &session->timer);
        if (session->mode != POLICY_AUTH_PREFER)
                session_enter(protocol, session, SESSION_KEY, client_keyless_reason(session));
        else if (session->told)
                session_enter(protocol, session, SESSION_FREE, session->told);
        else if (quiet == QUIET_SILENT)
                session_enter(protocol, session, SESSION_FREE, "the peer did not answer lately");
        else if (quiet == QUIET_KEYLESS)
                session_enter(protocol, session, SESSION_FREE,
                              "programs gave no key for this peer lately");
        else
                session_enter(protocol, session, SESSION_KEY, CLIENT_NO_KEY);
        if (session->state == SESSION_KEY && session->mode == POLICY_AUTH_PREFER &&
            session->client.established)
                timer_set(protocol, &session->timer,
                          session->client.established_usec + CLIENT_WAIT_USEC);
}

/* The last daemon had it confirmed: HELLO only brings the addresses again. */
void client_open(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        const struct auth_record *record = session->record;

        guard_update(protocol, session);
        if (!record_has_keys(record)) {
                client_enter_keyless(protocol, session, now_usec);
                return;
        }
        if (record->ended) {
                client_enter_ended(protocol, session);
                return;
        }
        if (record->confirmed)
                session_enter(protocol, session, SESSION_CONFIRMED, CLIENT_CONFIRMED);
        else
                session_enter(protocol, session, SESSION_HELLO, CLIENT_ASKS);
        client_begin(protocol, session, now_usec);
}

void client_set_mode(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        const struct auth_record *record = session->record;

        guard_update(protocol, session);
        if (session->mode == POLICY_AUTH_REQUIRE)
                session_purge(protocol, session);
        if (!record_has_keys(record))
                client_enter_keyless(protocol, session, now_usec);
        else if (record->ended)
                client_enter_ended(protocol, session);
        else if (record->confirmed)
                return;
        else if (session->client.sent >= SESSION_ROUND)
                client_give_up(protocol, session, now_usec);
        else
                session_enter(protocol, session, SESSION_HELLO, CLIENT_ASKS);
}

void client_close(struct protocol *protocol, struct session *session, bool off) {
        ask_flush(protocol, session, off ? 0 : -ENOTCONN, "the connection has ended");
        guard_end(protocol, session);
}

/* Nobody waits for a peer that was silent lately; and who did not wait for the key goes on. */
void client_keyed(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        struct client *client = &session->client;
        const uint64_t peer = client_peer(protocol, session);

        timer_stop(protocol, &session->timer);
        if (session->mode == POLICY_AUTH_PREFER &&
            quiet_find(&protocol->quiet, peer, now_usec) == QUIET_SILENT) {
                session_enter(protocol, session, SESSION_FREE, "the peer did not answer lately");
                client->sent = SESSION_ROUND;
                client_say_hello(protocol, session, &session->remote, now_usec);
                return;
        }
        quiet_forget(&protocol->quiet, peer);
        if (session->state == SESSION_KEY || !client->established ||
            now_usec < client->established_usec + CLIENT_WAIT_USEC)
                session_enter(protocol, session, SESSION_HELLO, CLIENT_ASKS);
        else
                session_enter(protocol, session, SESSION_FREE, CLIENT_ASKS);
        client_begin(protocol, session, now_usec);
}

void client_keyless(struct protocol *protocol, struct session *session, char *told,
                    uint64_t now_usec) {
        char *was = session->told;

        session->told = told;
        client_enter_keyless(protocol, session, now_usec);
        free(was); /* up to now the state's reason */
}

void client_established(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        struct client *client = &session->client;

        if (client->established)
                return;
        client->established = true;
        client->established_usec = now_usec;
        if (session->state == SESSION_KEY && session->mode == POLICY_AUTH_PREFER)
                timer_set(protocol, &session->timer, now_usec + CLIENT_WAIT_USEC);
}

void client_announced(struct protocol *protocol, struct session *session,
                      const struct mptcpize_address *remote, uint64_t now_usec) {
        struct client *client = &session->client;

        if (!address_is_host(remote) || address_same_host(remote, &session->remote))
                return;
        for (uint32_t i = 0; i < client->announced.n; i++)
                if (address_same_host(&client->announced.items[i], remote))
                        return;
        if (ARRAY_APPEND(&client->announced, *remote, LIMIT_AUTH_HELLOS) < 0)
                return;
        if (record_has_keys(session->record) && !session->record->confirmed &&
            !session->record->ended)
                client_say_hello(protocol, session, remote, now_usec);
}

void client_try(struct protocol *protocol, struct session *session, uint64_t now_usec) {
        const struct client *client = &session->client;

        if (record_has_keys(session->record) && !session->record->ended &&
            client->sent >= SESSION_ROUND && now_usec >= client->last_usec + CLIENT_TRY_USEC)
                client_say_hello_to_all(protocol, session, now_usec);
}

void client_joined(struct protocol *protocol, struct session *session,
                   const struct subflow_ends *ends) {
        if (session_is_closed(session))
                session_intrude(protocol, session, ends);
        else
                session_keep(protocol, session, ends);
}

static bool client_same_end(const struct session *session, const struct mptcpize_address *known,
                            const struct mptcpize_address *remote) {
        const uint16_t port = session->remote.port;

        return address_same_host(known, remote) &&
               (known->port ? known->port : port) == (remote->port ? remote->port : port);
}

bool client_knows(const struct session *session, const struct mptcpize_address *remote) {
        const struct client *client = &session->client;

        if (client_same_end(session, &session->remote, remote))
                return true;
        for (uint32_t i = 0; i < client->confirmed.n; i++)
                if (client_same_end(session, &client->confirmed.items[i].address, remote))
                        return true;
        return false;
}

static void client_receive_ack(struct protocol *protocol, struct session *session,
                               const struct wire_message *message) {
        struct client *client = &session->client;
        struct auth_record *record = session->record;

        if (!client->asking || memcmp(message->ack.random, client->random, WIRE_RANDOM) != 0)
                return;
        client->asking = false;
        client->sent = SESSION_ROUND;
        timer_stop(protocol, &session->timer);
        record->peer_token = message->ack.token;
        record->peer_max = message->ack.max_subflows;
        record->peer_mode = message->ack.mode;
        session_confirm(protocol, session);
        guard_update(protocol, session);
        session_purge(protocol, session);
        session_enter(protocol, session, SESSION_CONFIRMED, CLIENT_CONFIRMED);
}

/* Older ones, that were overtaken, say nothing new but are answered, so that they end. */
static void client_receive_addresses(struct protocol *protocol, struct session *session,
                                     const struct protocol_path *path,
                                     const struct wire_message *message) {
        struct client *client = &session->client;
        struct wire_message answer = { .type = WIRE_ADDR_OK };

        if (message->sequence > client->addr_sequence) {
                client->addr_sequence = message->sequence;
                client->confirmed.n = 0;
                for (uint8_t i = 0; i < message->addresses.n; i++)
                        if (ARRAY_APPEND(&client->confirmed, message->addresses.list[i],
                                         PROTOCOL_ADDRESSES) < 0)
                                return;
                protocol->host.addresses(protocol->userdata, session->token,
                                         message->addresses.list, message->addresses.n);
        }
        answer.highest = client->addr_sequence;
        session_send(protocol, session, path, &answer);
}

static void client_receive_bye(struct protocol *protocol, struct session *session,
                               const struct wire_message *message) {
        const bool prefer = session->mode == POLICY_AUTH_PREFER;

        session->record->ended = message->reason && message->reason < 256 ? (uint8_t)message->reason
                                                                          : UINT8_MAX;
        client_enter_ended(protocol, session);
        ask_flush(protocol, session, prefer ? 0 : -EACCES, CLIENT_ENDED);
}

void client_receive(struct protocol *protocol, struct session *session,
                    const struct protocol_path *path, const struct wire_message *message,
                    uint64_t now_usec) {
        (void)now_usec;
        if (session->record->ended)
                return;
        session->peer = *path;
        switch (message->type) {
        case WIRE_HELLO_ACK:
                client_receive_ack(protocol, session, message);
                break;
        case WIRE_JOIN_OK:
        case WIRE_JOIN_NO:
                ask_answered(protocol, session, message);
                break;
        case WIRE_ADDR:
                client_receive_addresses(protocol, session, path, message);
                break;
        case WIRE_BYE:
                client_receive_bye(protocol, session, message);
                break;
        case WIRE_HELLO:
        case WIRE_JOIN_REQ:
        case WIRE_ADDR_OK:
        case _WIRE_TYPE_MAX:
                break;
        }
}
