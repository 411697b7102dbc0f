/*
 * Join authentication, as the wire and the clock see it: datagrams, keys and joins in; datagrams,
 * gates and permissions out. Nobody but the peer, who holds a secret of the application's own, adds
 * a subflow to a protected connection.
 *
 * Pure: no system call, clock, file or log. Time comes with every call, randomness with the host.
 * Decisions are calls of struct protocol_host, in the order in which they are to be done; they may
 * come during any call here, and must not call back.
 *
 * Secrets are in no place but the records that the host lends (secret.h): what is here can be
 * shown.
 */
#pragma once

#include "../core/event.h"
#include "policy/format.h"
#include "record.h"

struct protocol;

/* Where a datagram came from or goes to. Ports are those of the daemons. */
struct protocol_path {
        struct mptcpize_address local; /* family 0: whatever the route says */
        struct mptcpize_address remote;
        int32_t ifindex; /* 0: whatever the route says */
};

/* A join that the engine wants, and the number of its action. */
struct protocol_join {
        uint32_t token;
        uint32_t serial;
        struct mptcpize_address local, remote;
        int32_t ifindex;
        uint8_t local_id;
        bool backup;
};

struct protocol_address {
        struct mptcpize_address address; /* port 0: that of the connection */
        uint8_t id;
};

struct protocol_host {
        void (*send)(void *userdata, const struct protocol_path *path, const void *bytes, size_t n);

        /* SYNs that join this token are dropped from now on, unless admitted; or no longer. The end
         * of the first comes back by protocol_guarded(). A client's token, too, for which nobody
         * is ever admitted. */
        void (*guard)(void *userdata, uint32_t token, bool on);
        /* SYNs that join this token from source (port 0) pass for PROTOCOL_LIFETIME_SEC; answered
         * by protocol_admitted() with the same request. */
        void (*admit)(void *userdata, uint32_t token, const struct mptcpize_address *source,
                      uint32_t request);
        void (*dismiss)(void *userdata, uint32_t token, const struct mptcpize_address *source);

        /* What the engine may do on its own: EVENT_JOINS. */
        void (*permit)(void *userdata, uint32_t token, enum joins joins, const char *reason);
        /* The end of protocol_ask(): 0: make it now; else a negative errno. */
        void (*answer)(void *userdata, uint32_t serial, int error, const char *reason);
        /* The peer may not have this subflow: EVENT_INTRUDER. */
        void (*intruder)(void *userdata, uint32_t token, const struct mptcpize_address *local,
                         const struct mptcpize_address *remote, const char *reason);
        /* The peer has confirmed these addresses of its own. */
        void (*addresses)(void *userdata, uint32_t token, const struct protocol_address *addresses,
                          size_t n);
        void (*random)(void *userdata, void *bytes, size_t n);
};

#define PROTOCOL_LIFETIME_SEC 5u
#define PROTOCOL_PORT         8684u

/* Counted since the start. */
enum protocol_counter {
        PROTOCOL_RECEIVED,
        PROTOCOL_MALFORMED,  /* no message of this protocol */
        PROTOCOL_UNKNOWN,    /* of a key that is not known here */
        PROTOCOL_HELD,       /* HELLOs that waited for their key */
        PROTOCOL_FORGED,     /* wrong MAC */
        PROTOCOL_REPLAYED,   /* old or repeated sequence number */
        PROTOCOL_THROTTLED,  /* over the rate of their source */
        PROTOCOL_CONFIRMED,  /* connections whose peer has proved that it holds the key */
        PROTOCOL_ADMITTED,   /* joins of the peer's */
        PROTOCOL_REFUSED,    /* requests of the peer's, answered with JOIN_NO */
        PROTOCOL_ASKED,      /* joins of our own that the peer was asked for */
        PROTOCOL_GRANTED,    /* and has allowed */
        PROTOCOL_UNANSWERED, /* and said nothing of */
        PROTOCOL_SILENT,     /* peers that never answered HELLO */
        PROTOCOL_INTRUDERS,  /* subflows of the peer's that nobody admitted */
        _PROTOCOL_COUNTER_MAX
};

/* Word of metrics: "received", "forged", ... */
const char *protocol_counter_name(enum protocol_counter counter);

/* A connection, and what its policy wants. record: for its secrets, of the host's (record.h); the
 * protocol's until protocol_close(). One with keys in it (record_has_keys()) goes on where the last
 * daemon was. */
struct protocol_connection {
        uint32_t token;
        bool server;
        enum policy_auth mode;                 /* never POLICY_AUTH_OFF */
        struct mptcpize_address local, remote; /* of the initial subflow, with ports */
        uint8_t max_subflows;                  /* that it may have, the initial one included */
        struct auth_record *record;
};

/* What somebody who looks is told. */
struct protocol_view {
        const char *state; /* "key", "hello", "confirmed", "free", "barred", "open", "guarded" */
        char reason[LIMIT_REASON];
        uint32_t admissions; /* open ones */
};

/* Ends of struct protocol_host must outlive it. port: of the peers' daemons. 0 or -ENOMEM. */
int protocol_new(const struct protocol_host *host, void *userdata, uint16_t port,
                 struct protocol **ret_protocol);
void protocol_free(struct protocol *protocol);

/* Is there a gate? Without one what nobody admitted is destroyed once it is there (prefer, and any
 * client), or nobody is admitted at all (require). */
void protocol_set_gate(struct protocol *protocol, bool works, const char *reason,
                       uint64_t now_usec);

/* A new connection, or another mode for one that is known. 0, -ENOMEM, -ENOBUFS. */
int protocol_open(struct protocol *protocol, const struct protocol_connection *connection,
                  uint64_t now_usec);
/* It has ended, or (off) its policy says "off" now: the peer is told, once. Asks that are open are
 * answered. Its record is the host's again, who cleanses it. */
void protocol_close(struct protocol *protocol, uint32_t token, bool off, uint64_t now_usec);
bool protocol_has(const struct protocol *protocol, uint32_t token);

/* Data has gone both ways: the time that prefer waits begins. */
void protocol_established(struct protocol *protocol, uint32_t token, uint64_t now_usec);

/* The secret of the application's session, KEYS_SECRET bytes. The first one counts. -EEXIST: there
 * is one, or another connection has it; -ENOENT: no such connection; -ENOMEM. */
int protocol_key(struct protocol *protocol, uint32_t token, const uint8_t *secret,
                 uint64_t now_usec);
/* There will be none, and why (psk that can't be read, ...). */
void protocol_keyless(struct protocol *protocol, uint32_t token, const char *reason,
                      uint64_t now_usec);

void protocol_receive(struct protocol *protocol, const struct protocol_path *path,
                      const void *bytes, size_t n, uint64_t now_usec);

/* Outcomes of host calls. error: 0 or a negative errno. */
void protocol_guarded(struct protocol *protocol, uint32_t token, int error, uint64_t now_usec);
void protocol_admitted(struct protocol *protocol, uint32_t request, int error, uint64_t now_usec);

/*
 * The engine wants a join: 0: answer() says, perhaps during this call; 1: nobody needs to be asked,
 * make it. Errors of the answer: -EACCES (the peer refuses, or we do), -EKEYREJECTED (an address
 * that ADDR has not confirmed: HELLO_ACK from there proves nothing, somebody may have passed it
 * on), -ENOBUFS, -ETIMEDOUT.
 */
int protocol_ask(struct protocol *protocol, const struct protocol_join *join, uint64_t now_usec);
/* It does not want it any more; no answer() will come. False: nothing was asked. */
bool protocol_cancel(struct protocol *protocol, uint32_t serial);

/* A subflow that is not ours is there, which was not seen before (an event, or a comparison). */
void protocol_joined(struct protocol *protocol, uint32_t token,
                     const struct mptcpize_address *local, const struct mptcpize_address *remote,
                     uint64_t now_usec);
/* One of those is gone. Without this, those that nobody admitted add up while it is "open". */
void protocol_left(struct protocol *protocol, uint32_t token, const struct mptcpize_address *local,
                   const struct mptcpize_address *remote);
/* The peer has announced an address in clear: not to be trusted, but HELLO may go there. */
void protocol_announced(struct protocol *protocol, uint32_t token,
                        const struct mptcpize_address *remote, uint64_t now_usec);
/* What we have announced to the peer, all of it. At most PROTOCOL_ADDRESSES count. */
#define PROTOCOL_ADDRESSES 8u
void protocol_offer(struct protocol *protocol, uint32_t token,
                    const struct protocol_address *addresses, size_t n, uint64_t now_usec);

/* The token that the peer has of this connection, as it has proved; 0: not known. */
uint32_t protocol_peer_token(const struct protocol *protocol, uint32_t token);

/* What is due, at most LIMIT_AUTH_TURN of it: others wait, too. The rest stays due. */
void protocol_tick(struct protocol *protocol, uint64_t now_usec);
/* When protocol_tick() is due, or UINT64_MAX. */
uint64_t protocol_deadline(const struct protocol *protocol);

/* False: no such connection. */
bool protocol_view(const struct protocol *protocol, uint32_t token, struct protocol_view *ret_view);
uint64_t protocol_counter(const struct protocol *protocol, enum protocol_counter counter);
/* Connections: all, and those whose peer is confirmed. */
void protocol_count(const struct protocol *protocol, size_t *ret_all, size_t *ret_confirmed);
