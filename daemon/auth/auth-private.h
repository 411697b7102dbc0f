/*
 * What the files of join authentication share:
 *
 *   auth.c           life, the port, the clock; what others may look at
 *   auth-feed.c      events of the engine: which connections are protected, and what happens to
 *                    them
 *   auth-key.c       secrets: of programs, and shared ones
 *   auth-decision.c  what the protocol decides
 *   auth-join.c      joins of our own that wait for the peer's permission
 *   auth-gate.c      the gate, and the listeners behind it
 *
 * The protocol may decide something during any call, most of which come from events that the engine
 * is being fed with. So decisions wait until auth_flush(), which is nobody's callee.
 */
#pragma once

#include "asked.h"
#include "auth.h"
#include "secret.h"
#include "socket.h"
#include "store.h"
#include "ward.h"

/* What is to be done, by whom it concerns. */
enum decision_type {
        DECISION_PERMIT,
        DECISION_ANSWER,
        DECISION_INTRUDER,
        DECISION_ADDRESS,
        DECISION_UNGUARDED, /* the gate took no such request */
        DECISION_UNADMITTED
};

struct decision {
        enum decision_type type;
        uint32_t token;
        uint32_t number; /* of an action, or of the protocol's request */
        int error;
        enum joins joins;
        uint8_t id;
        struct mptcpize_address local, remote;
        char reason[LIMIT_REASON];
};

/* A connection of which the peer's sequence numbers are not known any more. */
struct spent {
        uint32_t token;
};

/* A key that came before its connection was known, or was known to be protected. */
struct early {
        uint32_t token; /* 0: unused */
        uint64_t cookie;
        uint64_t usec;
        uint8_t key[KEYS_SECRET];
};

/* Secrets on their way, in memory for them. */
struct vault {
        struct early early[LIMIT_AUTH_KEYS];
        uint8_t secret[KEYS_SECRET];
        uint8_t psk[LIMIT_AUTH_PSK];
};

struct auth {
        struct auth_host host;
        uint8_t place[STORE_PLACE]; /* host.place */
        bool enabled; /* some policy wants it: all of the following is there, as far as it can be */
        struct protocol *protocol;
        struct store *store;
        struct vault *vault;
        struct socket *socket; /* NULL: the port could not be opened */
        uint16_t port;
        sd_event_source *sources[SOCKET_FAMILIES];
        sd_event_source *timer;
        sd_event_source *turn; /* decisions wait */
        struct gate *gate;
        sd_event_source *gate_source;
        bool gate_works;                          /* as the protocol has been told */
        ARRAY_OF(struct gate_listener) listeners; /* of policies */
        ARRAY_OF(struct gate_listener) guarded;   /* all that the gate was told of */
        bool listeners_changed;
        bool listeners_failed; /* as was told */
        bool swept;            /* the store, of what has ended */
        bool feeding;          /* the engine, with what comes from here */
        struct wards wards;
        ARRAY_OF(struct decision) decisions;
        struct askeds asked;
        unsigned int n_asked;         /* in this turn of the loop */
        ARRAY_OF(struct spent) spent; /* whose shared key must not be taken again */
        ARRAY_OF(uint32_t) unsure;    /* tokens whose sequence numbers are to be asked for again */
        uint64_t unsure_usec;         /* when; UINT64_MAX: there is none */
        char reason[LIMIT_REASON];    /* what is wrong, "": nothing */
};

/* auth.c */
int auth_open_port(struct auth *auth);
void auth_complain(struct auth *auth, const char *reason);
void auth_set_timer(struct auth *auth);

/* auth-feed.c */
/* What its policy wants, as long as it can be protected. */
enum policy_auth auth_mode(const struct auth *auth, const struct connection *connection);
/* Protects the connection, or no longer, as its policy wants; and tells what is new of it. */
void auth_look(struct auth *auth, struct connection *connection);
void auth_look_at_all(struct auth *auth);
/* off: its policy says "off", or it can't be managed. */
void auth_drop(struct auth *auth, struct ward *ward, bool off);

/* auth-key.c */
void auth_on_key(struct auth *auth, const struct hint_event *hint);
/* Gives the protocol the key of a connection, as soon as there is one. */
void auth_find_key(struct auth *auth, struct ward *ward);
void auth_ask_again(struct auth *auth);
/* Cleanses keys whose connection has not come. */
void auth_check_early(struct auth *auth);
/* The connection is protected no longer; its shared key may not be used anew. */
void auth_spend_key(struct auth *auth, const struct ward *ward);
/* Forgets the keys of connections that have ended. */
void auth_check_spent(struct auth *auth);
void auth_check_psks(struct auth *auth, const struct policy_read *policies);

/* auth-decision.c */
extern const struct protocol_host auth_protocol_host;
void auth_decide(struct auth *auth, const struct decision *decision);

/* auth-join.c */
void auth_answer(struct auth *auth, uint32_t serial, int error, const char *reason);
void auth_hand_over_ready(struct auth *auth);
/* The connection has ended: its joins are not wanted any more. */
void auth_forget_joins(struct auth *auth, uint32_t token);

/* auth-gate.c */
int auth_open_gate(struct auth *auth);
void auth_close_gate(struct auth *auth);
void auth_tell_gate(struct auth *auth); /* the protocol, how the gate is */
void auth_read_listeners(struct auth *auth, const struct policy_read *policies);
void auth_guard_listeners(struct auth *auth);
/* Tokens of the store that nobody has taken yet: until the first comparison they may be alive. */
void auth_guard_left(struct auth *auth);
void auth_unguard_left(struct auth *auth);
