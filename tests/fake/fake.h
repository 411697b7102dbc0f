/*
 * A kernel in memory: struct kern with the semantics of Linux 6.18 as far as the daemon sees them,
 * and functions that steer its world. tests/contract runs the same tests on this and on the real
 * kernel; where they differ this one is wrong.
 *
 * An action takes effect inside submit(). Its outcome waits on descriptor 2 and the events that it
 * causes on descriptor 0, until dispatch() is called: so a test sees them in either order. Events
 * carry the time of the clock when they are delivered; only fake_set_now() moves the clock.
 *
 * Addresses are text as for address_parse(). What a test gets wrong (bad text, unknown token or
 * subflow) ends it by assert().
 */
#pragma once

#include "kern/kern.h"

/* What happens to joins that go to an address. */
enum fake_manner {
        FAKE_ACCEPT,  /* SUB_ESTABLISHED */
        FAKE_REFUSE,  /* SUB_CLOSED, ECONNREFUSED: nobody listens */
        FAKE_SILENT,  /* stays pending: see fake_peer_accept() and fake_peer_reset() */
        FAKE_LIMIT,   /* SUB_ESTABLISHED, then SUB_CLOSED without an error: over the peer's limit */
        FAKE_STRIPPED /* SUB_CLOSED without an error: a middlebox took the option away */
};

/* 0 or a negative errno. kern->ops->free() ends it. */
int fake_new(kern_event_fn on_event, void *userdata, struct kern **ret_kern);

void fake_set_now(struct kern *kern, uint64_t usec);

/* Dispatches, most urgent first, until nothing is queued. Returns how many events there were. */
size_t fake_pump(struct kern *kern);

/* All actions that were submitted since the start or the last fake_forget_actions(). */
const struct action *fake_actions(struct kern *kern, size_t *ret_n);
void fake_forget_actions(struct kern *kern);

/* The next action of this type fails with a negative errno and does nothing else. */
void fake_fail_next(struct kern *kern, enum action_type type, int error);

/* The next n MPTCP events are lost; an OVERRUN comes in place of them. */
void fake_lose_events(struct kern *kern, unsigned int n);

/*
 * This host's network. Each of them makes its rtnetlink event. A link that is taken down loses its
 * routes and its IPv6 addresses, and one that loses its last IPv4 address its IPv4 routes. What
 * loses routes without telling (links and addresses that go) is followed by a listing, when all
 * rtnetlink events have been delivered.
 */
void fake_link(struct kern *kern, int32_t ifindex, const char *name, bool up, bool loopback);
void fake_carrier(struct kern *kern, int32_t ifindex, bool up);
void fake_link_gone(struct kern *kern, int32_t ifindex);
void fake_address(struct kern *kern, int32_t ifindex, const char *address, bool usable);
void fake_address_gone(struct kern *kern, int32_t ifindex, const char *address);
void fake_route(struct kern *kern, int32_t ifindex, const char *prefix, uint8_t len);
void fake_route_gone(struct kern *kern, int32_t ifindex, const char *prefix, uint8_t len);

/* CREATED; with the user-space path manager, owned by uid 1000. Both addresses have ports. */
void fake_connect(struct kern *kern, uint32_t token, const char *local, const char *remote,
                  bool server);

/* The same with any EVENT_MPTCP_* flags. */
void fake_connect_flags(struct kern *kern, uint32_t token, const char *local, const char *remote,
                        uint32_t flags);

/* A client whose peer speaks plain TCP only: no event, but the snapshot has it. */
void fake_connect_plain(struct kern *kern, uint32_t token, const char *local, const char *remote);

/* From now on the peers of new connections deny joins to their initial address. */
void fake_peer_deny(struct kern *kern);

void fake_establish(struct kern *kern, uint32_t token); /* ESTABLISHED */
void fake_close(struct kern *kern, uint32_t token);     /* CLOSED, and no SUB_CLOSED */
void fake_fastclose(struct kern *kern, uint32_t token); /* gone, and no event */
void fake_fallback(struct kern *kern, uint32_t token);  /* plain TCP from now on, and no event */
void fake_kernel_pm(struct kern *kern, uint32_t token); /* not ours */
void fake_owner(struct kern *kern, uint32_t token, uint32_t uid);

/* A program's: LISTENER_CREATED or LISTENER_CLOSED. */
void fake_listen(struct kern *kern, const char *local, bool open);

/* Does a program listen there, or the daemon for what it has announced? */
bool fake_listens(struct kern *kern, const char *local);

/* SUB_ESTABLISHED of a subflow that the peer opened; both with ports. */
void fake_peer_join(struct kern *kern, uint32_t token, const char *local, const char *remote);

/* The same, and the peer's address id is this one. */
void fake_peer_join_id(struct kern *kern, uint32_t token, const char *local, const char *remote,
                       uint8_t id);

/* ANNOUNCED; without a port it is that of the connection, as the kernel has it. */
void fake_peer_announce(struct kern *kern, uint32_t token, uint8_t id, const char *address);

/* REMOVED, and SUB_CLOSED for each subflow to that address id. */
void fake_peer_remove(struct kern *kern, uint32_t token, uint8_t id);

/*
 * The subflow of these addresses ends: SUB_CLOSED with a positive errno or 0. ECONNRESET comes with
 * reset reason 0. Where local has no port the first that fits is meant, here and below.
 */
void fake_peer_reset(struct kern *kern, uint32_t token, const char *local, const char *remote,
                     int error);

/* A pending subflow is answered after all: SUB_ESTABLISHED. */
void fake_peer_accept(struct kern *kern, uint32_t token, const char *local, const char *remote);

/* SUB_PRIORITY. */
void fake_peer_backup(struct kern *kern, uint32_t token, const char *local, const char *remote,
                      bool backup);

/* What becomes of later joins to this address; without a port: to any port of it. */
void fake_manner(struct kern *kern, const char *remote, enum fake_manner manner);
void fake_refuse(struct kern *kern, const char *remote);
void fake_silent(struct kern *kern, const char *remote);

/* What measure() and the snapshot say of a subflow; but for the token that the peer has. */
void fake_measure(struct kern *kern, uint32_t token, const char *local, const char *remote,
                  const struct measure *measure);

/* The peer's token of the connection with that one of ours. */
uint32_t fake_peer_token(uint32_t token);

/* The initial data sequence number of the end that has this token. */
uint64_t fake_idsn(uint32_t token);
