/*
 * An engine with the fullmesh plugin and a host with wifi0 192.0.2.1 and lte0 198.51.100.1, for
 * tests that feed events and look at actions. Time is a number: world->now.
 */
#pragma once

#include "../../daemon/core/engine.h"

#define TOKEN 0x1a2b3c4du

struct world {
        struct engine engine;
        struct conf conf;
        struct conf_profile profiles[4]; /* the first is conf's own */
        size_t n_profiles;
        uint64_t now;
        uint32_t auth; /* CONF_AUTH_* of the first, from the next world_configure() on */
};

/* For cmocka: state is a struct world. */
int world_setup(void **state);
int world_teardown(void **state);

/* Configures an engine that is new, and lists the host's network. */
void world_begin(struct world *world);

/*
 * Besides the first: "narrow", no more than the first subflow; "off", nothing; "backup", like the
 * first. They count from the next world_configure().
 */
void world_add_profiles(struct world *world);

/* Configures anew, with that CONF_AUTH_* for all connections that have the first profile. */
void world_protect(struct world *world, uint32_t auth);

struct mptcpize_address at(const char *text);

/* Feed one event at world->now. */
void world_feed(struct world *world, struct event event);
void world_settle(struct world *world);
void world_configure(struct world *world);

/* Time passes, and EVENT_TICK comes; comparisons are another test's matter. */
void world_later(struct world *world, uint64_t usec);
/* Takes the actions that only measure; and both. */
void world_skip_measures(struct world *world);
void world_rest(struct world *world, uint64_t usec);

/* The same with that plugin in place of fullmesh. */
void world_configure_plugin(struct world *world, const struct mptcpize_plugin *plugin);
/* The same, but connections have yet to follow: */
void world_reload(struct world *world, const struct mptcpize_plugin *plugin);
void world_follow(struct world *world);

void world_link(struct world *world, int32_t ifindex, const char *name, bool up);
void world_address(struct world *world, int32_t ifindex, const char *address, bool usable);
void world_address_gone(struct world *world, int32_t ifindex, const char *address);
void world_route(struct world *world, int32_t ifindex, const char *prefix, uint8_t len);
void world_route_gone(struct world *world, int32_t ifindex, const char *prefix, uint8_t len);

/* CREATED and ESTABLISHED of a connection 192.0.2.1:40000 -> 203.0.113.1:80. */
void world_connect(struct world *world, uint32_t token, uint32_t flags);
void world_mptcp(struct world *world, enum event_type type, uint32_t token, const char *local,
                 const char *remote, uint8_t local_id, uint8_t remote_id, int error);
void world_outcome(struct world *world, const struct action *action, int error);

/* Takes the next action; fails the test if there is none or it is of another type. */
struct action world_expect(struct world *world, enum action_type type);

/* Takes a CREATE and checks its addresses. */
struct action world_expect_create(struct world *world, const char *local, const char *remote);
void world_expect_nothing(struct world *world);

/* A lost path is cleared away: its id is withdrawn, its subflow aborted, and nothing else. */
void world_expect_buried(struct world *world, const char *local, uint8_t id);

/*
 * A comparison finds that connection with its first subflow, and a join of ours from
 * 198.51.100.1:40001 in that state of TCP (linux tcp_states.h), a millisecond later.
 */
void world_find_join(struct world *world, uint8_t state);

/* Takes a CREATE, and lets the kernel say yes: outcome and SUB_ESTABLISHED on local port. */
void world_join(struct world *world, const char *local, const char *remote);
/* What join authentication says of that connection. */
void world_joins(struct world *world, enum joins joins, const char *reason);

struct connection *world_connection(struct world *world);
size_t world_subflows(struct world *world, uint32_t state);
