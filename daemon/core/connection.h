/*
 * One MPTCP connection: its subflows, the peer's addresses, our address ids, what failed.
 *
 * Invariants: remotes.items[0] is the initial remote; no two local ids have the same address and
 * port, and none the same id (the kernel insists on this bijection, Linux 6.18
 * mptcp_userspace_pm_append_new_local_addr()).
 */
#pragma once

#include "../util/heap.h"
#include "event.h"
#include "watch.h"

struct subflow {
        struct mptcpize_subflow is;
        uint32_t serial;      /* of the action that asked for it, 0: not ours */
        bool withdrawn;       /* its local id was withdrawn because the path is lost */
        bool asked;           /* the kernel has not answered yet */
        bool former;          /* pending, and asked for under another profile */
        bool expired;         /* closing: a join that was given up before there was an answer */
        bool late;            /* established without an event: the plugin is to be told */
        bool measuring;       /* its numbers are on their way */
        bool seen;            /* in the snapshot that is being compared */
        bool ordered;         /* added by an operator: the plugin may not destroy it */
        bool pinned;          /* its backup flag was set by an operator: the plugin may not */
        bool told;            /* that the plugin wanted to has been noted */
        bool unwanted;        /* closing: removed by an operator before there was an answer */
        bool lost;            /* dead by what was measured: only what arrives proves it alive */
        bool free;            /* of ours, and nobody had to be asked for permission then */
        bool intruder;        /* nobody has admitted it: it is to be destroyed */
        uint8_t deliveries;   /* see DOWNLOAD_DELIVERIES; 0 after a pause */
        uint8_t holds;        /* probes that were answered */
        uint8_t backoff;      /* when it was last measured */
        uint32_t flight;      /* segments that were to be answered since something last arrived */
        uint32_t retransmits; /* so far, when something last arrived */
        uint32_t pipe_usec;   /* round trip that a full download saw last; 0: there was none */
        uint32_t join_usec;   /* from the SYN of a join of ours to its establishment */
        uint64_t established_usec; /* 0: never, or not known when */
        uint64_t silent_usec; /* since when nothing was acknowledged of what was sent; 0: all is */
        uint64_t since_usec;  /* data is under way; 0: none is */
        uint64_t resent_usec; /* something was sent a round trip after the last answer; 0: not */
        uint64_t hold_usec;   /* no probe before */
};

/* Joins that find out whether the path of a subflow is alive. They are in no list of subflows. */
struct probe {
        struct mptcpize_address local; /* of the subflow, with its port */
        struct mptcpize_address remote;
        struct mptcpize_address target;   /* where the joins go to */
        uint32_t serial;                  /* of the last one */
        uint8_t n;                        /* joins so far, */
        uint8_t open;                     /* and those that have not ended */
        bool running;                     /* the question is open */
        bool asked;                       /* the kernel has not answered for the last one yet */
        uint64_t started_usec, sent_usec; /* the first and the last one */
        uint64_t ended_usec;
};

struct local_id {
        struct mptcpize_address address; /* port 0 unless announced with one */
        uint8_t id;
        bool free;    /* taken back: the kernel has forgotten it, and another address may have it */
        bool held;    /* announced by an operator: the plugin may not take it back */
        bool barred;  /* taken back by an operator: the plugin may not announce it */
        bool renewed; /* the kernel had forgotten it, and was told again in order to take it back */
};

/* A subflow whose end was known by the answer to a command, before the event of it. */
struct unheard {
        struct mptcpize_address local;
        struct mptcpize_address remote;
};

/* A pair of addresses at which a subflow failed, on this connection. */
struct refusal {
        struct mptcpize_address local; /* port 0 */
        struct mptcpize_address remote;
        int error;           /* negative errno */
        uint8_t tries;       /* failures in a row */
        bool final;          /* only a fresh announcement makes it possible again */
        bool ordered;        /* removed by an operator, and final while there is something else */
        bool stripped;       /* something on the way takes MPTCP out: another route won't help */
        bool held;           /* it was put off, as one retry too many, and that was noted */
        bool permit;         /* for want of permission: not once there is one */
        uint64_t since_usec; /* when it failed last */
        uint64_t until_usec; /* not before; UINT64_MAX: only after a change of the network */
};

enum connection_state {
        CONNECTION_NEW,         /* no join possible yet */
        CONNECTION_ESTABLISHED, /* joins are possible */
        CONNECTION_FALLBACK,    /* plain TCP; final */
        CONNECTION_KERNEL,      /* the kernel's own path manager has it; not ours to touch */
        CONNECTION_LOCAL,       /* the peer is this host; nothing to gain */
        CONNECTION_ENDING       /* its last subflow was closed as the application wished */
};

/* How far the owner of a connection is known of which there was no hint. */
enum owner {
        OWNER_UNASKED,
        OWNER_UNKNOWN, /* asked; it is not accepted yet */
        OWNER_SETTLED  /* asked: advice.profile is the one, as far as it can be known */
};

/* What a hint said of a connection, of one to come, or of a listener's. */
struct advice {
        uint64_t cookie; /* of the socket that the hint came with; 0: there was no hint */
        enum owner owner;
        bool assigned;    /* somebody has chosen the profile: it stays, whatever hints say */
        uint16_t profile; /* index into the engine's profiles */
        uint16_t guard;   /* the same, of the policy: its word on authentication stays */
        struct program program;
        uint32_t user_timeout_msec; /* 0: none */
};

struct connection {
        uint32_t token;
        uint32_t flags; /* MPTCPIZE_VIEW_SERVER, MPTCPIZE_VIEW_DENY_JOIN_INITIAL */
        enum connection_state state;
        bool ids_known;  /* false: adopted, GET_ADDR comes before the first action */
        bool ids_wanted; /* something is to be done, and waits for that */
        bool ids_asked;  /* GET_ADDR is under way */
        bool adopted;
        bool opened;   /* the snapshot that is being compared says that joins are possible */
        bool heard;    /* what the peer said is known: that it denies joins, what it announced */
        bool listed;   /* in the snapshot that is being compared, */
        bool seen;     /* and not closed */
        bool doubted;  /* not listed in the one before, but a subflow of it */
        bool ours;     /* the last daemon knew that the user-space path manager has it */
        bool changed;  /* since it was last kept: see memory.h */
        uint32_t slot; /* where it is kept; 0: nowhere */
        uint32_t uid;  /* of the socket, as the kernel had it last; UINT32_MAX: never known */
        struct advice advice;
        struct mptcpize_address local; /* of the initial subflow */
        uint64_t created_usec;
        uint64_t timer_usec;     /* of the plugin; 0: not armed */
        uint64_t watch_usec;     /* between two samples for the plugin; 0: it wants none */
        uint64_t shown_usec;     /* when the plugin got the last one */
        uint64_t round_usec;     /* when its subflows were last measured, */
        uint64_t aim_usec;       /* and when that may show a dead path next; UINT64_MAX: not soon */
        uint32_t pace_usec;      /* between two measurements; 0: it is not watched */
        bool moved;              /* since the last one */
        uint64_t withdrawn_usec; /* when the peer was last told that an address is gone; 0: never */
        uint64_t orphan_usec; /* no subflow is left, and until then joins are tried; 0: there is */
        struct heap_node deadline;
        struct heap_node measurement;         /* when its subflows are to be measured again */
        const struct mptcpize_plugin *plugin; /* whose state this is; NULL: none */
        void *plugin_state;
        bool unasked;        /* it has yet to be asked with MPTCPIZE_EVENT_CONFIGURED */
        uint8_t auth;        /* CONF_AUTH_*, as joins follow it */
        enum joins joins;    /* see permit.c */
        char *joins_reason;  /* NULL: there is none */
        uint64_t grace_usec; /* joins wait for a hint, and until then; 0: they don't */
        struct probe *probe; /* NULL: there was none */
        struct connection *hash_next;
        ARRAY_OF(struct subflow) subflows;
        ARRAY_OF(struct mptcpize_remote) remotes;
        ARRAY_OF(struct local_id) ids;
        ARRAY_OF(struct refusal) refusals;
        ARRAY_OF(struct unheard) unheard;
        ARRAY_OF(struct mptcpize_address) listeners; /* that kern/ holds for it, with their ports */
};

/* Frees it with all it holds; its plugin state must have been ended before. */
void connection_free(struct connection *connection);

/* Has a subflow, of any state, the port that is wanted at this end? Port 0 is any, and never is. */
bool connection_uses_port(const struct connection *connection, const struct mptcpize_address *local,
                          const struct mptcpize_address *remote);

/* Subflow by both addresses and ports; a pending one also matches without its local port. */
struct subflow *connection_find_subflow(struct connection *connection,
                                        const struct mptcpize_address *local,
                                        const struct mptcpize_address *remote);

/* The same for one that has ended: rather a join that was given up than one still under way. */
struct subflow *connection_find_ended(struct connection *connection,
                                      const struct mptcpize_address *local,
                                      const struct mptcpize_address *remote);

/* The event of its end is still to come: it must not be taken for that of another join. */
void connection_note_unheard(struct connection *connection, const struct mptcpize_subflow *gone);

/* Is that the event? Then it is waited for no longer. */
bool connection_take_unheard(struct connection *connection, const struct mptcpize_address *local,
                             const struct mptcpize_address *remote);

/* 0 and the new subflow; -ENOBUFS or -ENOMEM. */
int connection_add_subflow(struct connection *connection, const struct subflow *subflow,
                           struct subflow **ret_subflow);
void connection_remove_subflow(struct connection *connection, struct subflow *subflow);

/* States of subflows: bits 1 << MPTCPIZE_SUBFLOW_*. */
#define SUBFLOWS_CARRYING (1u << MPTCPIZE_SUBFLOW_ESTABLISHED)
#define SUBFLOWS_LOST     (1u << MPTCPIZE_SUBFLOW_DEAD)
#define SUBFLOWS_KEPT     (SUBFLOWS_CARRYING | SUBFLOWS_LOST)
#define SUBFLOWS_LIVE     (SUBFLOWS_CARRYING | 1u << MPTCPIZE_SUBFLOW_PENDING)

/* How many subflows are in one of these states, without except, which may be NULL. */
size_t connection_count(const struct connection *connection, uint32_t states,
                        const struct subflow *except);

/*
 * The id of a local address: the one it has, or else the lowest free one (0 for the initial
 * address), or if there is none, one that was taken back and that no subflow has. -ENOBUFS: there
 * is none of these either; -ENOMEM.
 */
int connection_local_id(struct connection *connection, const struct mptcpize_address *address,
                        uint8_t *ret_id);

/* What is known of a local id, or NULL. */
struct local_id *connection_find_id(struct connection *connection, uint8_t id);

/* The same by its address and port. */
struct local_id *connection_find_address(struct connection *connection,
                                         const struct mptcpize_address *address);

/* Notes an id that the kernel uses; replaces what was known of this address or id. */
int connection_learn_id(struct connection *connection, const struct mptcpize_address *address,
                        uint8_t id);

/* -ENOBUFS, -ENOMEM, or 1 if it is new or changed, 0 if it was known. */
int connection_add_remote(struct connection *connection, const struct mptcpize_remote *remote);
struct mptcpize_remote *connection_find_remote(struct connection *connection, uint8_t id);
void connection_remove_remote(struct connection *connection, uint8_t id);

/* Can one more failure be remembered? Entries without tries make room. */
bool connection_has_refusal_room(const struct connection *connection);

/* The entry of this pair, made if there is none; NULL if there is no room or no memory. */
struct refusal *connection_get_refusal(struct connection *connection,
                                       const struct mptcpize_address *local,
                                       const struct mptcpize_address *remote);
struct refusal *connection_find_refusal(struct connection *connection,
                                        const struct mptcpize_address *local,
                                        const struct mptcpize_address *remote);

/* Takes whose socket it is; UINT32_MAX, of one that is not accepted or closed, says nothing. */
void connection_learn_uid(struct connection *connection, uint32_t uid);

/* What failed between these addresses is forgotten. */
void connection_forget_refusal(struct connection *connection, const struct mptcpize_address *local,
                               const struct mptcpize_address *remote);

/* The same of all that operators have removed; true if there was any. */
bool connection_forget_orders(struct connection *connection);

/* Plugins may change again what operators have added or set. */
void connection_drop_orders(struct connection *connection);

/* Why joins are as they are; never NULL. */
const char *connection_joins_reason(const struct connection *connection);

const char *connection_state_name(enum connection_state state);
const char *subflow_state_name(uint32_t state);
