/*
 * The model: what is known of this host's network and of its MPTCP connections.
 *
 * A mirror of the kernel, which is the truth; only the engine changes it. Lookups by token go
 * through a hash table; everything else is small arrays.
 *
 * Invariants: tokens are unique; the buckets, and the connections in each, are in their order.
 */
#pragma once

#include "connection.h"

struct link {
        struct link_event is;
        bool seen; /* in the listing that is going on */
};

struct address {
        struct address_event is;
        bool seen;
};

struct route {
        struct route_event is;
        bool seen;
};

struct rule {
        struct rule_event is;
        bool seen;
};

struct filter {
        struct filter_event is;
        bool seen;
};

struct model {
        ARRAY_OF(struct link) links;
        ARRAY_OF(struct address) addresses;
        ARRAY_OF(struct route) routes;
        ARRAY_OF(struct rule) rules;
        ARRAY_OF(struct filter) filters;
        bool unbound;        /* the kernel binds no join to its interface: routes alone lead it */
        bool routes_unknown; /* more than LIMIT_ROUTES: no route is said to be missing */
        struct connection **buckets;
        size_t n_buckets;
        size_t n_connections;
        struct heap deadlines;
        struct heap measurements;
};

int model_init(struct model *model); /* 0 or -ENOMEM */

/* Plugin states must have been ended before. */
void model_done(struct model *model);

/*
 * Network. Each returns 1 if something changed, 0 if not, or -ENOBUFS/-ENOMEM (what does not fit
 * is left out).
 */
int model_link(struct model *model, const struct link_event *event);
int model_link_gone(struct model *model, int32_t ifindex);
int model_address(struct model *model, const struct address_event *event);
int model_address_gone(struct model *model, const struct address_event *event);
int model_route(struct model *model, const struct route_event *event);
int model_route_gone(struct model *model, const struct route_event *event);
int model_rule(struct model *model, const struct rule_event *event);
int model_rule_gone(struct model *model, const struct rule_event *event);
int model_filter(struct model *model, const struct filter_event *event);
void model_net_begin(struct model *model);
int model_net_end(struct model *model);

const struct link *model_find_link(const struct model *model, int32_t ifindex);

/* The address as an interface has it, or NULL. If several have it, one that is up comes first. */
const struct address *model_find_address(const struct model *model,
                                         const struct mptcpize_address *address);

/* Does a route on that interface lead to destination? */
bool model_has_route(const struct model *model, int32_t ifindex,
                     const struct mptcpize_address *destination);

/*
 * The interface by which the best route leads to destination: of the main table before others, then
 * the longest prefix, then the lowest metric. 0: none does, or routes are unknown.
 */
int32_t model_route_ifindex(const struct model *model, const struct mptcpize_address *destination);

/* Is the reverse path filter of that interface strict? */
bool model_is_strict(const struct model *model, int32_t ifindex);

/* Connections. */
struct connection *model_find(const struct model *model, uint32_t token);

/* The one with the least token that is not below this one, or NULL. Without a walk over all. */
const struct connection *model_from(const struct model *model, uint32_t token);

/*
 * Adds a connection between local and remote, or returns the one that has the token. 0,
 * -EEXIST with ret_connection set, or -ENOMEM.
 */
int model_add(struct model *model, uint32_t token, const struct mptcpize_address *local,
              const struct mptcpize_address *remote, struct connection **ret_connection);

/* Its plugin state must have been ended before. */
void model_remove(struct model *model, struct connection *connection);

/* Calls fn for each connection; fn may remove that one. */
void model_each(struct model *model, void (*fn)(struct connection *connection, void *userdata),
                void *userdata);
