/*
 * The inside of the fake kernel, for its own files.
 *
 *   fake.c         queues, operations of struct kern
 *   fake-action.c  what actions do
 *   fake-route.c   rules and routes of the daemon's
 *   fake-world.c   what tests do
 */
#pragma once

#include "fake.h"

#define FAKE_BATCH 64u /* events of one dispatch() */
#define FAKE_MAX   200000u

/* TCP diag's MPTCP_SUBFLOW_FLAG_* that core/event.h has no use for. */
#define FAKE_MCAP_REM  0x01u
#define FAKE_CONNECTED 0x80u

#define FAKE_TCP_ESTABLISHED 1u
#define FAKE_TCP_SYN_SENT    2u

struct fake_item {
        struct event event;
        struct snapshot *snapshot; /* owned, of EVENT_SNAPSHOT */
        struct entry *entries;     /* owned, of EVENT_ENTRIES */
};

struct fake_queue {
        ARRAY_OF(struct fake_item) items;
        int fd; /* eventfd, readable while there are items */
};

struct fake_link {
        struct link_event is;
        bool admin; /* IFF_UP; is.up wants a carrier, too */
};

struct fake_remote {
        struct mptcpize_address address;
        uint8_t id;
};

struct fake_connection {
        struct snapshot_connection is;
        uint32_t flags; /* EVENT_MPTCP_* */
        bool established;
        bool kernel_pm;
        ARRAY_OF(struct snapshot_subflow) subflows;
        ARRAY_OF(struct entry) entries;
        ARRAY_OF(struct fake_remote) remotes; /* the first is the initial one */
};

struct fake_manner_of {
        struct mptcpize_address remote;
        enum fake_manner manner;
};

struct fake {
        struct kern kern;
        uint64_t now_usec;
        struct fake_queue queues[KERN_FDS];
        ARRAY_OF(struct fake_link) links;
        ARRAY_OF(struct address_event) addresses;
        ARRAY_OF(struct route_event) routes;
        ARRAY_OF(struct rule_event) rules; /* the daemon's */
        ARRAY_OF(struct fake_connection) connections;
        ARRAY_OF(struct fake_manner_of) manners;
        ARRAY_OF(struct action) actions;
        ARRAY_OF(struct mptcpize_address) programs; /* where programs listen */
        ARRAY_OF(struct mptcpize_address) held;     /* once for every user of a listener of ours */
        size_t n_waiting;                           /* outcomes not yet delivered */
        int fail_next[_ACTION_MAX];
        unsigned int lose;
        bool deny;     /* peers deny joins to their initial address */
        bool stale;    /* a listing is due: routes went away untold */
        uint16_t port; /* the last one that was given to a subflow */
};

/* Aborts if memory runs out or FAKE_MAX is reached. */
#define FAKE_APPEND(a, value)                                 \
        do {                                                  \
                if (ARRAY_APPEND((a), (value), FAKE_MAX) < 0) \
                        abort();                              \
        } while (0)

struct fake *fake_of(struct kern *kern);
struct mptcpize_address fake_parse(const char *text);

/* fake.c: which descriptor an event waits on follows from its type. */
void fake_push(struct fake *fake, const struct event *event);
void fake_push_item(struct fake *fake, const struct fake_item *item);
struct fake_connection *fake_find(struct fake *fake, uint32_t token);

/* The subflow between these; ports that are 0 fit any. NULL: none. */
struct snapshot_subflow *fake_find_subflow(struct fake_connection *connection,
                                           const struct mptcpize_address *local,
                                           const struct mptcpize_address *remote);

/* Events of subflows and what they change. */
void fake_sub_established(struct fake *fake, struct snapshot_subflow *subflow);
void fake_sub_closed(struct fake *fake, struct fake_connection *connection,
                     struct snapshot_subflow *subflow, int error);

/* The id that the peer has for its address, or the lowest free one. */
uint8_t fake_remote_id(const struct fake_connection *connection,
                       const struct mptcpize_address *remote);
void fake_connection_done(struct fake_connection *connection);

/* The numbers of a subflow; ports count, and the device if it is bound to one. 0 or -ENOENT. */
int fake_numbers(struct fake *fake, const struct mptcpize_address *local,
                 const struct mptcpize_address *remote, int32_t ifindex,
                 struct measure *ret_measure);

/* Does a program, or the daemon, listen there? */
bool fake_has(const struct mptcpize_address *items, size_t n,
              const struct mptcpize_address *address);

/* fake-route.c: how many were made and deleted. */
int fake_set_routes(struct fake *fake, const struct routing *routing);

/* fake-action.c: does it and queues what comes of it. */
void fake_perform(struct fake *fake, const struct action *action);
