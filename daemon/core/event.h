/*
 * Events: everything that can change the model, as plain data.
 *
 * The codecs of kern/ make them from kernel bytes; D-Bus calls, timers and reloads are events
 * too. Pointers in an event belong to whoever feeds it and are valid during engine_feed() only.
 */
#pragma once

#include <stdbool.h>
#include "action.h"
#include "address.h"
#include "../util/array.h"
#include "policy/hint.h"

enum event_type {
        /* MPTCP_EVENT_*, linux/mptcp.h: .mptcp */
        EVENT_CREATED,
        EVENT_ESTABLISHED,
        EVENT_CLOSED,
        EVENT_ANNOUNCED,
        EVENT_REMOVED,
        EVENT_SUB_ESTABLISHED,
        EVENT_SUB_CLOSED,
        EVENT_SUB_PRIORITY,
        EVENT_LISTENER_CREATED,
        EVENT_LISTENER_CLOSED,
        EVENT_OVERRUN, /* the kernel dropped events, and all others have been read */
        /* rtnetlink: .link, .address, .route, ... */
        EVENT_LINK,
        EVENT_LINK_GONE,
        EVENT_ADDRESS,
        EVENT_ADDRESS_GONE,
        EVENT_ROUTE,
        EVENT_ROUTE_GONE,
        EVENT_RULE, /* .rule */
        EVENT_RULE_GONE,
        EVENT_FILTER,    /* .filter */
        EVENT_NET_BEGIN, /* a full listing of all of these follows, */
        EVENT_NET_END,   /* and ends: what was not in it is gone */
        /* answers of the kernel */
        EVENT_SNAPSHOT, /* .snapshot: all connections and subflows */
        EVENT_ENTRIES,  /* .entries: local addresses of one connection */
        EVENT_MEASURED, /* .measured: the numbers of one subflow */
        EVENT_OUTCOME,  /* .outcome: what became of an action */
        /* from inside */
        EVENT_STARTED,    /* we listen from now on; what is there already is to be asked for */
        EVENT_TICK,       /* time has passed */
        EVENT_CONFIGURED, /* .configured: a new configuration is in place */
        EVENT_HINT,       /* .hint: a program said something of a socket of its own */
        EVENT_OWNER,      /* .owner: whose a connection is, of which no hint has spoken */
        EVENT_ASSIGNED,   /* .assigned: somebody has chosen the profile of a connection */
        EVENT_COUNTERS,   /* .counters: one has risen; and once after the start */
        EVENT_JOINS,      /* .joins: what join authentication allows a connection */
        EVENT_INTRUDER,   /* .intruder: a subflow of the peer's that nobody admitted */
        _EVENT_MAX
};

#define EVENT_MPTCP_DENY_JOIN_INITIAL 0x1u /* flags, as MPTCP_PM_EV_FLAG_DENY_JOIN_ID0 */
#define EVENT_MPTCP_SERVER            0x2u /* flags, as MPTCP_PM_EV_FLAG_SERVER_SIDE */

struct mptcp_event {
        uint32_t token;
        uint32_t flags;                 /* EVENT_MPTCP_* */
        struct mptcpize_address local;  /* listener events: where it listens */
        struct mptcpize_address remote; /* EVENT_ANNOUNCED: the announced address */
        uint8_t local_id;
        uint8_t remote_id;
        bool backup;     /* asked by the peer, never by us */
        int32_t ifindex; /* only if bound to a device, else 0 */
        int32_t error;   /* positive errno of the socket, 0: none */
        uint32_t reset_reason;
        bool reset_transient; /* T bit of MP_TCPRST */
        bool reset;           /* reset_* are present */
};

struct link_event {
        int32_t ifindex;
        char name[16];
        bool up; /* administratively up and with a carrier */
        bool loopback;
        bool dial_up; /* PPP or raw IP: leads to the world without a gateway */
};

struct address_event {
        int32_t ifindex;
        struct mptcpize_address address;
        uint8_t prefix_len;
        bool usable; /* not tentative, deprecated, temporary, failed; scope global */
};

struct route_event {
        struct mptcpize_address prefix; /* bytes all 0 for a default route; family always set */
        uint8_t prefix_len;
        int32_t ifindex;
        uint32_t table;
        uint32_t metric;
        struct mptcpize_address gateway; /* family 0: none */
        bool onlink;                     /* the gateway is on the link, whatever routes say */
        uint8_t protocol;                /* who has made it: RTPROT_* of linux/rtnetlink.h */
        uint8_t scope;                   /* RT_SCOPE_* */
        bool replaces;                   /* what there was with that prefix, table and metric */
};

/* A rule for packets from certain addresses; others are of no interest. */
struct rule_event {
        struct mptcpize_address from;
        uint8_t from_len; /* never 0 */
        uint8_t protocol; /* as that of a route */
        uint32_t priority;
        uint32_t table; /* 0: it leads to none */
};

#define FILTER_ALL (-1) /* ifindex: of all interfaces; the larger of two values counts */

/* Does the host drop what comes by another interface than answers would take? IPv4 only. */
struct filter_event {
        int32_t ifindex;
        uint8_t rp_filter; /* net.ipv4.conf.*.rp_filter: 0 off, 1 strict, 2 loose */
};

#define SNAPSHOT_FALLBACK 0x1u /* connection: fell back to TCP */

struct snapshot_connection {
        uint32_t token;
        uint32_t flags; /* SNAPSHOT_FALLBACK */
        uint32_t uid;   /* unknown (UINT32_MAX) on a connection not yet accepted */
        uint8_t state;  /* TCP_ESTABLISHED, ..., linux tcp_states.h */
        struct mptcpize_address local;
        struct mptcpize_address remote;
};

/* TCP diag's MPTCP_SUBFLOW_FLAG_*, linux/mptcp.h. */
#define SNAPSHOT_MCAP_REM  0x01u
#define SNAPSHOT_MCAP_LOC  0x02u
#define SNAPSHOT_JOIN_REM  0x04u
#define SNAPSHOT_JOIN_LOC  0x08u
#define SNAPSHOT_BKUP_REM  0x10u
#define SNAPSHOT_BKUP_LOC  0x20u
#define SNAPSHOT_FULLY_EST 0x40u

/* What the kernel says of one subflow. */
struct measure {
        uint64_t bytes_sent; /* payload, retransmissions included */
        uint64_t bytes_received;
        uint64_t bytes_acked;
        uint32_t rtt_usec;
        uint32_t rto_usec;
        uint32_t rcv_rtt_usec; /* as a receiver sees it; 0: it received too little */
        uint32_t retransmits;  /* segments, in all */
        uint32_t unacked;      /* segments */
        uint32_t sacked;       /* segments, of those, */
        uint32_t lost;         /* as TCP believes, */
        uint32_t resent;       /* of these or others, and not yet lost again */
        uint32_t notsent;      /* bytes */
        uint32_t last_data_sent_msec;
        uint32_t last_data_recv_msec;
        uint32_t last_ack_recv_msec;
        uint8_t backoff;
        uint32_t remote_token; /* the peer's, of the connection; 0: not known */
        uint64_t idsn_remote;  /* by the last mapping, if data came with the SYN; else 0 */
};

struct snapshot_subflow {
        uint64_t cookie; /* SO_COOKIE */
        uint32_t token;
        uint32_t flags; /* SNAPSHOT_* */
        uint8_t state;
        uint8_t local_id;
        uint8_t remote_id;
        uint8_t syn_retransmits; /* 0 also if anything else was sent again */
        int32_t ifindex;
        struct mptcpize_address local;
        struct mptcpize_address remote;
        struct measure measure;
};

/* A listening MPTCP socket. */
struct snapshot_listener {
        uint64_t cookie; /* SO_COOKIE */
        struct mptcpize_address local;
};

struct snapshot {
        uint64_t started_usec; /* what changed later is newer than the snapshot */
        ARRAY_OF(struct snapshot_connection) connections;
        ARRAY_OF(struct snapshot_subflow) subflows;
        ARRAY_OF(struct snapshot_listener) listeners;
};

void snapshot_done(struct snapshot *snapshot);

#define ENTRY_SIGNAL   0x01u /* announced */
#define ENTRY_SUBFLOW  0x02u
#define ENTRY_IMPLICIT 0x10u

struct entry {
        struct mptcpize_address address;
        uint8_t id;
        uint32_t flags; /* ENTRY_* */
};

struct entries_event {
        uint32_t token;
        const struct entry *entries;
        size_t n;
};

struct outcome_event {
        struct action action;
        int error;                  /* 0 or negative errno */
        uint32_t cpu_usec;          /* processor time that a CREATE took */
        bool unbound;               /* the kernel ignores interface and flags of a CREATE */
        char message[LIMIT_REASON]; /* the kernel's extended ack, "" if none */
};

struct measured_event {
        uint32_t token;
        struct mptcpize_address local;
        struct mptcpize_address remote;
        struct measure measure;
};

struct conf;
struct conf_profile;

struct configured_event {
        const struct conf *conf;             /* all stay valid until the next EVENT_CONFIGURED */
        const struct conf_profile *profiles; /* the file's own first; names are unique */
        size_t n_profiles;                   /* at least 1; those over LIMIT_PROFILES are ignored */
};

/* Whose a socket is. */
struct program {
        char name[LIMIT_PROGRAM]; /* "": unknown */
        int32_t pid;              /* 0: unknown */
        uint32_t uid;             /* UINT32_MAX: unknown */
};

#define HINT_REFUSED 0 /* in place of enum hint_kind: it said nothing that could be used */

struct hint_event {
        unsigned int kind;             /* enum hint_kind, or HINT_REFUSED: only counted */
        uint32_t token;                /* of the socket; 0: it has none (yet) */
        uint64_t cookie;               /* SO_COOKIE, never 0 */
        struct mptcpize_address local; /* HINT_LISTEN: where */
        bool ipv6_only;                /* HINT_LISTEN: "::" does not take IPv4 */
        const char *profile;           /* name of what applies to the program */
        const char *policy; /* whose word on authentication counts; NULL, "": that of profile */
        struct program program;
        uint32_t user_timeout_msec; /* 0: none */
        const uint8_t *key;         /* HINT_KEY: HINT_KEY_BYTES; else NULL */
};

/* Whose a connection is, as the kernel has it. */
struct ownership {
        uint32_t uid;         /* UINT32_MAX: unknown, as that of one not yet accepted, or closed */
        uint32_t inode;       /* of the socket; 0: it is nobody's now */
        bool ipv4;            /* an IPv4 socket, for which the kernel takes no IPv6 addresses */
        uint64_t cookie;      /* SO_COOKIE */
        uint64_t cgroup;      /* inode of its control group, 0: unknown */
        uint64_t idsn_local;  /* initial data sequence numbers, ours */
        uint64_t idsn_remote; /* and the peer's; 0: the kernel doesn't say (before Linux 6.5) */
        /* The kernel counts what arrives, and up to which number, one after the other (Linux 6.18,
         * mptcp_diag_fill_info()): data in between makes a wrong idsn_remote. Two that are the same
         * are right. */
};

/* May a connection have joins of our own? */
enum joins {
        JOINS_FREE,  /* yes */
        JOINS_WAIT,  /* not yet */
        JOINS_ASK,   /* yes; each waits for the peer's permission on its way to the kernel */
        JOINS_BARRED /* no */
};

struct joins_event {
        uint32_t token;
        enum joins joins;
        const char *reason;
};

struct intruder_event {
        uint32_t token;
        struct mptcpize_address local;
        struct mptcpize_address remote;
        const char *reason;
};

struct owner_event {
        uint32_t token;
        uint32_t uid;        /* UINT32_MAX: unknown, the connection is not accepted yet */
        const char *profile; /* name of what applies to it, as far as that is known */
};

struct assigned_event {
        uint32_t token;
        const char *profile; /* as engine_meant_profile() takes it */
};

/* Counters of the network namespace, since it was made. */
struct counters_event {
        uint64_t timeouts;   /* TcpExt: all that count a retransmission time-out */
        uint64_t blackholes; /* MPTcpExt: SYNs with MPTCP that got no answer, so it was given up */
};

struct event {
        enum event_type type;
        uint64_t usec; /* CLOCK_MONOTONIC when it was read */
        union {
                struct mptcp_event mptcp;
                struct link_event link;
                struct address_event address;
                struct route_event route;
                struct rule_event rule;
                struct filter_event filter;
                const struct snapshot *snapshot;
                struct entries_event entries;
                struct outcome_event outcome;
                struct measured_event measured;
                struct configured_event configured;
                struct hint_event hint;
                struct owner_event owner;
                struct assigned_event assigned;
                struct counters_event counters;
                struct joins_event joins;
                struct intruder_event intruder;
        };
};

/* Word for people: "created", "subflow closed", ... */
const char *event_name(enum event_type type);
