/*
 * Routing by source address: which local addresses need a rule and a table of ours, so that what
 * is sent from them leaves by their own interface, and comes back through its filter.
 *
 * Subflows are bound to their interface, so a default route on it, of whatever metric, does
 * (Linux 6.18). It does not
 * - where the kernel does not bind them (Linux 6.1) and another interface's default route is
 * better;
 * - where the reverse path filter is strict: answers are dropped if the best route back leads over
 *   another interface (IPv4 only);
 * - where the main table has none, but another table has, or the interface needs no gateway.
 * Where a rule of the host's speaks of the address already, the host knows best. Pure.
 */
#pragma once

#include "model.h"

/*
 * Who has made them. Neither linux/rtnetlink.h nor rt_protos of iproute2 know the number (both end
 * at 192), and the routing daemons that number their own stay below 200.
 */
#define ROUTING_PROTOCOL 226u

/* The last one before the main table (32766): every other rule of the host comes first. */
#define ROUTING_PRIORITY 32765u

/* The first of LIMIT_ROUTING tables; those in which others have routes are left out. */
#define ROUTING_TABLE 26200u

/* What the kernel gives an IPv6 route that has none. */
#define ROUTING_METRIC 1024u

enum routing_reason {
        ROUTING_UNBOUND,   /* the kernel does not bind subflows, and another route is better */
        ROUTING_FILTER,    /* strict filter, and the best route back is another interface's */
        ROUTING_NO_ROUTE,  /* no default route in the main table */
        ROUTING_NO_GATEWAY /* nor anything that tells of a gateway: nothing can be done */
};

/* An address for which the host's own routes don't do. */
struct routing_path {
        int32_t ifindex;
        char name[16]; /* of the interface */
        struct mptcpize_address address;
        uint8_t prefix_len;
        struct mptcpize_address gateway; /* family 0: it needs none */
        bool onlink;
        enum routing_reason reason;
        uint32_t table; /* of ours; 0: nothing is added */
};

struct routing {
        ARRAY_OF(struct routing_path) paths;
        bool off; /* nothing is to be added, only told */
};

void routing_done(struct routing *routing);

/*
 * Adds what is needed for a usable local address on that interface, if anything is. Tables stay
 * those of before. 0; -ENOBUFS at LIMIT_ROUTING, -ENOMEM.
 */
int routing_consider(struct routing *routing, const struct routing *before,
                     const struct model *model, const struct mptcpize_address *address);

bool routing_path_equal(const struct routing_path *a, const struct routing_path *b);

/* The path of before with the same address and interface, or NULL. */
const struct routing_path *routing_find(const struct routing *routing, int32_t ifindex,
                                        const struct mptcpize_address *address);

#define ROUTING_ROUTES 2

/* What a path with a table is made of. How many routes. */
size_t routing_routes(const struct routing_path *path,
                      struct route_event ret_routes[static ROUTING_ROUTES]);
struct rule_event routing_rule(const struct routing_path *path);

#define ROUTING_TEXT 128

/* "own rule and table 26200: rp_filter is strict" */
const char *routing_text(const struct routing *routing, const struct routing_path *path,
                         char text[static ROUTING_TEXT]);
