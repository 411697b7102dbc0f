/*
 * mptcpize path-manager plugins: the public, versioned C ABI.
 *
 * A plugin is a shared object <name>.so that exports one function,
 *
 *         const struct mptcpize_plugin *mptcpize_plugin(void);
 *
 * which returns a description that lives as long as the object is loaded. The daemon makes one
 * state per connection (init), hands it the options of the configuration (config), calls decide()
 * for every event of the connection, and ends it (done).
 *
 * decide() is a pure function: the same state, view and event give the same actions. It makes no
 * system call, keeps no thread, and reads no clock: time and randomness are in the view. It may
 * be naive. The daemon checks every action (is it possible, is it already so, is it over a limit,
 * has the peer refused it), orders it and bounds it, and what becomes of it comes back as an
 * event.
 *
 * Compatibility. Every structure that crosses starts with its size and only grows at its end. The
 * daemon copies min(size of the plugin's, size of its own) and takes the rest as zero; a plugin
 * does the same with MPTCPIZE_HAS(). A plugin with a newer major ABI is refused. New events may
 * appear: a plugin ignores those it doesn't know.
 *
 * Units: addresses in network byte order, ports in host byte order, times in microseconds
 * (CLOCK_MONOTONIC). Ownership: whatever a pointer in view or event points to belongs to the
 * daemon and is valid until decide() returns; strings that a plugin passes are copied.
 * Errors: 0 or a negative errno.
 *
 * Sources: RFC 8684 (address ids 2.2, announcing 3.4.1, priority 3.3.8), Linux
 * include/uapi/linux/mptcp.h.
 */
#ifndef MPTCPIZE_PLUGIN_H
#define MPTCPIZE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MPTCPIZE_ABI_MAJOR 1u
#define MPTCPIZE_ABI_MINOR 1u
#define MPTCPIZE_ABI       ((MPTCPIZE_ABI_MAJOR << 16) | MPTCPIZE_ABI_MINOR)

/* True if the structure behind PTR, as its owner filled it, has MEMBER. */
#define MPTCPIZE_HAS(ptr, type, member) \
        ((ptr)->size >= offsetof(type, member) + sizeof((ptr)->member))

/* An IP address with an optional port. Never v4-mapped: those arrive as AF_INET. */
struct mptcpize_address {
        uint16_t family;   /* AF_INET or AF_INET6; 0: none */
        uint16_t port;     /* host byte order; 0: none */
        uint8_t bytes[16]; /* network byte order; AF_INET uses the first four, the rest is 0 */
};

enum mptcpize_role {
        MPTCPIZE_ROLE_ON,     /* use it like any other */
        MPTCPIZE_ROLE_MASTER, /* prefer it */
        MPTCPIZE_ROLE_BACKUP, /* only while nothing better works */
        MPTCPIZE_ROLE_OFF     /* never use it; such addresses are not in the view */
};

/* A usable address of this host, on an interface that is up. */
struct mptcpize_local {
        size_t size;
        struct mptcpize_address address; /* port 0 */
        int32_t ifindex;
        uint32_t role;      /* enum mptcpize_role */
        const char *ifname; /* for reasons and options; never NULL */
};

#define MPTCPIZE_REMOTE_INITIAL 0x1u /* the address that the connection was opened to */

/* An address at which the peer takes joins: its first one, or announced with ADD_ADDR. */
struct mptcpize_remote {
        size_t size;
        struct mptcpize_address address; /* port: the one to join */
        uint8_t id;                      /* address id of the peer, 0 for the initial one */
        uint32_t flags;                  /* MPTCPIZE_REMOTE_* */
        int32_t ifindex;                 /* 1.1: where the best route to it leads; 0: unknown */
};

enum mptcpize_subflow_state {
        MPTCPIZE_SUBFLOW_PENDING,     /* asked for, not yet established */
        MPTCPIZE_SUBFLOW_ESTABLISHED, /* carries data */
        MPTCPIZE_SUBFLOW_DEAD,        /* its path is lost; the daemon removes it when it can */
        MPTCPIZE_SUBFLOW_CLOSING      /* being destroyed */
};

#define MPTCPIZE_SUBFLOW_INITIAL       0x1u /* opened the connection */
#define MPTCPIZE_SUBFLOW_OURS          0x2u /* this host sent its SYN */
#define MPTCPIZE_SUBFLOW_BACKUP        0x4u /* we asked for backup */
#define MPTCPIZE_SUBFLOW_BACKUP_REMOTE 0x8u /* the peer asked for backup */

struct mptcpize_subflow {
        size_t size;
        struct mptcpize_address local; /* port 0 while pending and not yet known */
        struct mptcpize_address remote;
        uint8_t local_id;
        uint8_t remote_id;
        uint32_t state;  /* enum mptcpize_subflow_state */
        uint32_t flags;  /* MPTCPIZE_SUBFLOW_* */
        int32_t ifindex; /* interface of the local address; 0: unknown */

        /* 1.1 */
        uint64_t changed_usec; /* last change of state */

        /* 1.1: as the kernel had it at sample_usec; see MPTCPIZE_ACTION_WATCH. Linux tcp_info. */
        uint64_t sample_usec;         /* 0: never measured, and all of these are 0 */
        uint64_t bytes_sent;          /* payload, retransmissions included */
        uint64_t bytes_received;      /* payload */
        uint64_t bytes_acked;         /* payload */
        uint32_t rtt_usec;            /* smoothed */
        uint32_t rto_usec;            /* backed off, if it is */
        uint32_t unacked;             /* segments under way */
        uint32_t retransmits;         /* segments, in all */
        uint32_t last_data_sent_msec; /* age of what was last sent, */
        uint32_t last_data_recv_msec; /* of what last arrived, */
        uint32_t last_ack_recv_msec;  /* and of the last acknowledgement */
        uint32_t rcv_rtt_usec;        /* as seen by what arrives; 0: that was too little */
};

#define MPTCPIZE_VIEW_SERVER      0x1u /* the peer opened the connection */
#define MPTCPIZE_VIEW_ESTABLISHED 0x2u /* joins are possible */
#define MPTCPIZE_VIEW_DENY_JOIN_INITIAL                           \
        0x4u /* peer: do not join my first address (8684, 3.1, C) \
              */

/* All that is known of a connection. Arrays are of pointers, so that elements can grow. */
struct mptcpize_view {
        size_t size;
        uint32_t token; /* names the connection on this host */
        uint32_t flags; /* MPTCPIZE_VIEW_* */
        uint64_t now_usec;
        uint64_t random;       /* fresh for every call */
        uint32_t max_subflows; /* upper limit, the initial subflow included */
        const struct mptcpize_local *const *locals;
        size_t n_locals;
        const struct mptcpize_remote *const *remotes;
        size_t n_remotes;
        const struct mptcpize_subflow *const *subflows;
        size_t n_subflows;
};

enum mptcpize_event_type {
        MPTCPIZE_EVENT_ESTABLISHED = 1,     /* joins are possible from now on */
        MPTCPIZE_EVENT_ADOPTED,             /* found alive, or taken over from another policy */
        MPTCPIZE_EVENT_LOCALS_CHANGED,      /* network of this host, or a wait ended */
        MPTCPIZE_EVENT_ANNOUNCED,           /* .remote: the peer announced an address */
        MPTCPIZE_EVENT_WITHDRAWN,           /* .remote: the peer took it back */
        MPTCPIZE_EVENT_SUBFLOW_ESTABLISHED, /* .subflow */
        MPTCPIZE_EVENT_SUBFLOW_CLOSED,      /* .subflow, .error: 0 or the errno of the kernel */
        MPTCPIZE_EVENT_SUBFLOW_DEAD,        /* .subflow: its path is lost */
        MPTCPIZE_EVENT_SUBFLOW_PRIORITY,    /* .subflow: backup asked or no longer asked by peer */
        MPTCPIZE_EVENT_REFUSED,             /* .action could not be done, .error: negative errno */
        MPTCPIZE_EVENT_TIMER,               /* the timer that the plugin armed */
        MPTCPIZE_EVENT_CONFIGURED,          /* the configuration was read again */
        MPTCPIZE_EVENT_SAMPLE               /* 1.1: the subflows in the view were measured */
};

struct mptcpize_action;

struct mptcpize_event {
        size_t size;
        uint32_t type; /* enum mptcpize_event_type */
        int32_t error;
        const struct mptcpize_subflow *subflow;
        const struct mptcpize_remote *remote;
        const struct mptcpize_action *action;
};

enum mptcpize_action_type {
        MPTCPIZE_ACTION_CREATE = 1, /* .local .remote .ifindex .backup: a new subflow */
        MPTCPIZE_ACTION_DESTROY,    /* .local .remote, both with ports: close this subflow */
        MPTCPIZE_ACTION_BACKUP,     /* .local .remote .backup: set or clear the backup bit */
        MPTCPIZE_ACTION_ANNOUNCE,   /* .local: tell the peer of this address (port optional) */
        MPTCPIZE_ACTION_WITHDRAW,   /* .local: take it back */
        MPTCPIZE_ACTION_TIMER,      /* .usec from now, EVENT_TIMER comes; 0 disarms; one timer */
        MPTCPIZE_ACTION_NOTE,       /* .reason goes into the connection's log, nothing else */
        MPTCPIZE_ACTION_WATCH       /* 1.1: .usec between two EVENT_SAMPLE, at least 100 ms; they
                                     * pause while the connection is idle; 0: no more of them */
};

#define MPTCPIZE_CREATE_ANOTHER 0x1u /* also if one between these addresses is there */

struct mptcpize_action {
        size_t size;
        uint32_t type; /* enum mptcpize_action_type */
        struct mptcpize_address local;
        struct mptcpize_address remote;
        int32_t ifindex; /* device to bind the subflow to; 0: routing decides */
        uint32_t backup; /* 0 or 1 */
        uint64_t usec;
        const char *reason; /* one line for people, why; copied, cut at 95 bytes */
        uint32_t flags;     /* 1.1: MPTCPIZE_CREATE_* */
};

/*
 * Where actions go. emit() returns 0 if the action was taken or is already so, else the negative
 * errno of the first check that it fails: -EINVAL malformed, -ENOTCONN not established, -ENOENT no
 * such subflow or remote address, -EPERM the peer denied joins to that address or an operator wants
 * the subflow otherwise, -EACCES join authentication allows none, -EADDRNOTAVAIL no usable local
 * address, -ENETUNREACH no route from that interface, -ECONNREFUSED this pair failed before and its
 * time has not come, -E2BIG over the limit of subflows, -EBUSY as many joins are under way as may
 * be, or the local port is in use yet (ask again at the next event), -ENOBUFS too many actions in
 * one decision.
 */
struct mptcpize_sink {
        size_t size;
        int (*emit)(struct mptcpize_sink *sink, const struct mptcpize_action *action);
};

struct mptcpize_plugin {
        size_t size;
        uint32_t abi;     /* MPTCPIZE_ABI of the header it was built with */
        const char *name; /* as in its file name; lower case letters and digits */

        /* New state for a connection. 0 or -ENOMEM. */
        int (*init)(void **ret_state);

        /*
         * One option, as text ("true", "42", "wlan0"). -ENOENT: no such option; -EINVAL: bad
         * value. Also called on a trial state when the configuration is read, so that a mistake
         * is reported there.
         */
        int (*config)(void *state, const char *key, const char *value);

        /* Decide on an event. A negative errno is counted and has no other effect. */
        int (*decide)(void *state, const struct mptcpize_view *view,
                      const struct mptcpize_event *event, struct mptcpize_sink *sink);

        /* End a state; state may be NULL. */
        void (*done)(void *state);
};

typedef const struct mptcpize_plugin *(*mptcpize_plugin_fn)(void);

#define MPTCPIZE_PLUGIN_SYMBOL "mptcpize_plugin"

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const struct mptcpize_plugin *
mptcpize_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
