/*
 * A protected connection, and what the parts of the protocol share: protocol.c is what others call,
 * protocol-client.c and -ask.c are the client's side, protocol-server.c, -admit.c and -offer.c the
 * server's.
 *
 * Invariants: a session whose record has keys is in protocol->by_id, and no other one is. What is
 * in a list of a session is gone when the session is.
 */
#pragma once

#include "../util/array.h"
#include "../util/cleanup.h"
#include "../util/heap.h"
#include "hold.h"
#include "protocol.h"
#include "quiet.h"
#include "table.h"
#include "throttle.h"
#include "wire.h"

struct timer;
typedef void (*timer_fn)(struct protocol *protocol, struct timer *timer, uint64_t now_usec);

/* A deadline of what it is embedded in. on_due() stops it, or sets it to later. */
struct timer {
        struct heap_node node;
        timer_fn on_due;
};

enum session_state {
        SESSION_KEY,
        SESSION_HELLO,
        SESSION_CONFIRMED,
        SESSION_FREE,
        SESSION_BARRED,
        SESSION_OPEN,
        SESSION_GUARDED,
        _SESSION_STATE_MAX
};

enum guard { GUARD_NO, GUARD_PENDING, GUARD_ON, GUARD_FAILED };
enum offer_state { OFFER_DUE, OFFER_SENDING, OFFER_ACKED };

/* A join of ours that the peer is asked for. */
struct ask {
        struct timer timer;
        struct table_link by_serial;
        struct session *session;
        struct ask *next;
        struct protocol_join join;
        uint64_t first_usec;
        uint32_t nonce;
        uint8_t sent;
        bool busy; /* the peer has no room for it; perhaps later */
};

enum admission_state {
        ADMISSION_ASKED, /* the gate is to open */
        ADMISSION_OPEN,
        ADMISSION_USED,   /* the subflow is there */
        ADMISSION_EXPIRED /* closed, but what was let in may still become established */
};

/* A join of the peer's. */
struct admission {
        struct timer timer;
        struct table_link by_request;
        struct session *session;
        struct admission *next;    /* older ones */
        struct protocol_path path; /* of the last request: the answer goes there */
        uint32_t nonce;
        enum admission_state state;
        bool answers; /* the gate's outcome is to be told to the client */
};

struct subflow_ends {
        struct mptcpize_address local, remote;
};

struct client {
        uint8_t random[WIRE_RANDOM];
        bool asking;      /* .random is that of a HELLO which is open */
        uint8_t sent;     /* HELLOs of this round */
        uint8_t rounds;   /* later ones, while barred */
        bool established; /* at: */
        uint64_t established_usec;
        uint64_t first_usec;                         /* of this round */
        uint64_t last_usec;                          /* HELLO */
        uint64_t addr_sequence;                      /* of the newest ADDR */
        ARRAY_OF(struct mptcpize_address) announced; /* in clear */
        ARRAY_OF(struct protocol_address) confirmed; /* by ADDR */
        struct ask *asks;
};

struct server {
        bool ack_due; /* once it is guarded, for: */
        uint8_t random[WIRE_RANDOM];
        struct protocol_path ack_path;
        struct admission *admissions; /* the newest first */
        ARRAY_OF(struct protocol_address) offer;
        enum offer_state offer_state;
        uint8_t offer_sent;
        uint64_t offer_first_usec;
        uint64_t offer_sequence; /* of the first ADDR that has told of it */
};

struct session {
        struct timer timer;
        struct timer guard_timer; /* the gate did not take it: again */
        enum guard guard;
        struct table_link by_token, by_id;
        struct session *next, *previous; /* in protocol->sessions */
        uint32_t token;
        bool is_server;
        uint8_t max_subflows;
        enum policy_auth mode;
        enum session_state state;
        const char *reason; /* of the state; static, or .told */
        char *told;         /* by the host */
        struct mptcpize_address local, remote;
        struct protocol_path peer; /* where its last valid message was from; family 0: none yet */
        struct auth_record *record;
        ARRAY_OF(struct subflow_ends) joined; /* the peer's that are there before it is confirmed */
        union {
                struct client client;
                struct server server;
        };
};

struct protocol {
        struct protocol_host host;
        void *userdata;
        uint16_t port;
        bool gate_works;
        char gate_reason[LIMIT_REASON];
        uint64_t seed; /* of hashes */
        uint32_t last_request;
        size_t n_timers; /* objects that have one */
        struct heap timers;
        struct session *sessions;
        struct table by_token, by_id, asks, admissions;
        size_t n_confirmed;
        uint64_t counters[_PROTOCOL_COUNTER_MAX];
        struct quiet quiet;
        struct throttle throttle;
        struct hold hold;
};

#define SESSION_MSEC UINT64_C(1000)
/* What is not answered is said again, at these times after the first. */
#define SESSION_ROUND 4u
extern const uint64_t session_round_usec[SESSION_ROUND];

struct session *session_find(const struct protocol *protocol, uint32_t token);
/* The one to which a message of that side of this key goes. */
struct session *session_by_id(const struct protocol *protocol, uint64_t id, bool is_server);
uint64_t session_id(const uint8_t id[static KEYS_ID]);

/* 0, -ENOBUFS, -ENOMEM. It has no state yet. */
int session_new(struct protocol *protocol, const struct protocol_connection *connection,
                struct session **ret_session);
/* Takes it out of everywhere, and tells nobody. */
void session_free(struct protocol *protocol, struct session *session);

/* The engine is told if anything is new in it. */
void session_enter(struct protocol *protocol, struct session *session, enum session_state state,
                   const char *reason);
/* Does nobody join who was not admitted? */
bool session_is_closed(const struct session *session);
/* The peer has proved that it holds the key. */
void session_confirm(struct protocol *protocol, struct session *session);
/* Destroys the subflows of the peer's that were there before. */
void session_purge(struct protocol *protocol, struct session *session);
/* Remembers a subflow, or destroys it if there are too many. */
void session_keep(struct protocol *protocol, struct session *session,
                  const struct subflow_ends *ends);
void session_forget_subflow(struct session *session, const struct subflow_ends *ends);
void session_intrude(struct protocol *protocol, const struct session *session,
                     const struct subflow_ends *ends);

/* Makes room for so many more timers. 0 or -ENOMEM. */
int timer_reserve(struct protocol *protocol, size_t n);
/* Room must have been reserved. */
void timer_init(struct protocol *protocol, struct timer *timer, timer_fn on_due);
void timer_set(struct protocol *protocol, struct timer *timer, uint64_t usec);
void timer_stop(struct protocol *protocol, struct timer *timer);
/* Ends one that was initialised. */
void timer_done(struct protocol *protocol, struct timer *timer);

/* A message is completed (direction, key id, sequence, MAC) and sent. */
void session_send(struct protocol *protocol, struct session *session,
                  const struct protocol_path *path, struct wire_message *message);
void session_say_bye(struct protocol *protocol, struct session *session);
/* From the connection's own address to a host of the peer's, at the port of daemons. */
struct protocol_path session_path(const struct protocol *protocol, const struct session *session,
                                  const struct mptcpize_address *remote);

void protocol_random(struct protocol *protocol, void *bytes, size_t n);
uint64_t protocol_hash(const struct protocol *protocol, const struct mptcpize_address *address,
                       bool with_port);

/* The client's side. */
void client_open(struct protocol *protocol, struct session *session, uint64_t now_usec);
void client_set_mode(struct protocol *protocol, struct session *session, uint64_t now_usec);
void client_close(struct protocol *protocol, struct session *session, bool off);
void client_keyed(struct protocol *protocol, struct session *session, uint64_t now_usec);
/* told: why; the session's from now on. */
void client_keyless(struct protocol *protocol, struct session *session, char *told,
                    uint64_t now_usec);
void client_established(struct protocol *protocol, struct session *session, uint64_t now_usec);
void client_announced(struct protocol *protocol, struct session *session,
                      const struct mptcpize_address *remote, uint64_t now_usec);
void client_joined(struct protocol *protocol, struct session *session,
                   const struct subflow_ends *ends);
void client_receive(struct protocol *protocol, struct session *session,
                    const struct protocol_path *path, const struct wire_message *message,
                    uint64_t now_usec);
void client_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec);
/* A connection that is free wants a join: has the peer perhaps a daemon by now? */
void client_try(struct protocol *protocol, struct session *session, uint64_t now_usec);
/* Has the peer said that this is an address of its own? */
bool client_knows(const struct session *session, const struct mptcpize_address *remote);

void ask_answered(struct protocol *protocol, struct session *session,
                  const struct wire_message *message);
void ask_free(struct protocol *protocol, struct ask *ask);
/* Ends all of a connection's. */
void ask_flush(struct protocol *protocol, struct session *session, int error, const char *reason);

/* The server's side. */
void server_open(struct protocol *protocol, struct session *session);
void server_set_mode(struct protocol *protocol, struct session *session);
void server_keyed(struct protocol *protocol, struct session *session);
/* told: why; the session's from now on. */
void server_keyless(struct protocol *protocol, struct session *session, char *told);
void server_close(struct protocol *protocol, struct session *session);
void server_joined(struct protocol *protocol, struct session *session,
                   const struct subflow_ends *ends);
void server_left(struct session *session, const struct subflow_ends *ends);
void server_receive(struct protocol *protocol, struct session *session,
                    const struct protocol_path *path, const struct wire_message *message,
                    uint64_t now_usec);
/* The gate is closed, or can't be. */
void server_guarded(struct protocol *protocol, struct session *session, uint64_t now_usec);
void server_lose_gate(struct protocol *protocol, struct session *session);

/* Closes or opens the gate of a connection, as its record and its mode say. */
void guard_update(struct protocol *protocol, struct session *session);
void guard_end(struct protocol *protocol, struct session *session);
void guard_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec);
/* There is a gate now, or none any more. */
void guard_set_gate(struct protocol *protocol, struct session *session);

void admission_request(struct protocol *protocol, struct session *session,
                       const struct protocol_path *path, const struct wire_message *message,
                       uint64_t now_usec);
/* A subflow is there: the admission that it had, if any. */
struct admission *admission_for(const struct session *session, const struct subflow_ends *ends);
void admission_use(struct protocol *protocol, struct admission *admission);
void admission_free(struct protocol *protocol, struct admission *admission);
/* Ends all of a connection's. */
void admission_flush(struct protocol *protocol, struct session *session);
uint32_t admission_count(const struct session *session);

void offer_set(struct protocol *protocol, struct session *session,
               const struct protocol_address *addresses, size_t n, uint64_t now_usec);
/* The client is there: tells it, if that is still to be done. again: even if it has heard. */
void offer_tell(struct protocol *protocol, struct session *session, bool again, uint64_t now_usec);
void offer_acked(struct protocol *protocol, struct session *session, uint64_t highest);
void offer_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec);
