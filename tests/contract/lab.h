/*
 * A small world for the contract test: this host with two interfaces, and a peer.
 *
 *         wifi0 192.0.2.1, 2001:db8:1::1  --+
 *                                           +--  peer 203.0.113.1 .2, 2001:db8:3::1 ::2
 *         lte0 198.51.100.1, 2001:db8:2::1 -+
 *
 * lab-linux.c makes it of network namespaces and sockets, lab-fake.c of the fake kernel. The
 * preferred route is that of wifi0. This host's sockets have the user-space path manager, the
 * peer the kernel's one with limits 8/8. What can't be done ends the test program with a message.
 */
#pragma once

#include "kern/kern.h"

#define LAB_PORT_OPEN      5000u /* at the peer: MPTCP listener */
#define LAB_PORT_SHUT      5001u /* at the peer: nobody */
#define LAB_PORT_PLAIN     5002u /* at the peer: TCP listener */
#define LAB_PORT_OWN       6000u /* here: MPTCP listener of lab_accept() */
#define LAB_PORT_ANNOUNCED 6001u /* here, what is announced */
#define LAB_PEER_ID        7u    /* address id of the peer's second address */

enum lab_kind {
        LAB_V4,
        LAB_V6,
        LAB_MAPPED /* AF_INET6 sockets on IPv4 addresses */
};

enum lab_place {
        LAB_WIFI,
        LAB_LTE,
        LAB_PEER,
        LAB_PEER_SECOND,
        LAB_NOBODY, /* an address that no host has */
        _LAB_PLACE_MAX
};

struct lab_connection {
        enum lab_kind kind;
        bool server;    /* the peer opened it */
        uint32_t token; /* 0: plain TCP */
        struct mptcpize_address local;
        struct mptcpize_address remote;
        int fd, peer_fd; /* lab-linux */
};

struct lab;

/* Once, before all else: 0, or 1 if there can be no lab here, with the reason. */
int lab_enter(const char **ret_reason);

/* A new world; its kern gives events to on_event. */
struct lab *lab_new(kern_event_fn on_event, void *userdata);
void lab_free(struct lab *lab);

struct kern *lab_kern(struct lab *lab);
int32_t lab_ifindex(struct lab *lab, enum lab_place place); /* of LAB_WIFI or LAB_LTE */
uint32_t lab_uid(void);                                     /* of the sockets' owner */

/* lab.c: port may be 0. */
struct mptcpize_address lab_address(enum lab_place place, enum lab_kind kind, uint16_t port);

/* From wifi0 to that port of the peer, or from the peer to LAB_PORT_OWN at wifi0; no data yet. */
void lab_connect(struct lab *lab, enum lab_kind kind, uint16_t port, struct lab_connection *ret);
void lab_accept(struct lab *lab, enum lab_kind kind, struct lab_connection *ret);

/* A connection that belongs to the kernel's own path manager. */
void lab_connect_kernel(struct lab *lab, struct lab_connection *ret);

void lab_exchange(struct lab *lab, struct lab_connection *connection);  /* one byte each way */
void lab_close(struct lab *lab, struct lab_connection *connection);     /* both programs close */
void lab_fastclose(struct lab *lab, struct lab_connection *connection); /* the peer aborts */
void lab_listen(struct lab *lab);      /* a program here opens LAB_PORT_OWN, on wifi0, IPv4, */
void lab_stop_listen(struct lab *lab); /* and closes it */

/* The same connection, as the peer's kernel has it. */
uint32_t lab_peer_token(struct lab *lab, const struct lab_connection *connection);
struct ownership lab_peer_owner(struct lab *lab, const struct lab_connection *connection);

/* The peer's program sends no more, and this has arrived. False: the fake has no data. */
bool lab_peer_shutdown(struct lab *lab, struct lab_connection *connection);

/* What the peer does with all its connections that are open; LAB_PEER_ID is the id. */
void lab_peer_announce(struct lab *lab, enum lab_kind kind); /* LAB_PEER_SECOND */
void lab_peer_remove(struct lab *lab, enum lab_kind kind);   /* the same */
void lab_peer_join(struct lab *lab, enum lab_kind kind);     /* from LAB_PEER_SECOND */
void lab_peer_backup(struct lab *lab, enum lab_kind kind);   /* asks for it on that subflow */

/* The peer resets this subflow. False: this kernel has no way to make it do so. */
bool lab_peer_reset(struct lab *lab, const struct mptcp_event *subflow);

/* The peer joins what is announced to it, of all its connections. */
void lab_peer_join_announced(struct lab *lab, const struct mptcpize_address *announced);

/* The peer opens a plain TCP connection to that port here. False: nobody listens. */
bool lab_peer_knock(struct lab *lab, const struct mptcpize_address *to);

/* Whoever knocked last has been sent away. */
bool lab_peer_sent_away(struct lab *lab);

/* How it will be. */
void lab_peer_deny(struct lab *lab);   /* no joins to its initial address, new connections */
void lab_peer_limit(struct lab *lab);  /* takes no subflow beyond the first */
void lab_peer_silent(struct lab *lab); /* does not answer what comes from LAB_LTE (IPv4) */

/* This host's network. */
void lab_link(struct lab *lab, enum lab_place place, bool up);
void lab_carrier(struct lab *lab, enum lab_place place, bool up);
void lab_link_delete(struct lab *lab, enum lab_place place);
void lab_address_delete(struct lab *lab, enum lab_place place, enum lab_kind kind);
void lab_address_add(struct lab *lab, enum lab_place place, enum lab_kind kind);
void lab_unroute(struct lab *lab, enum lab_place place, enum lab_kind kind); /* to the peer */
void lab_route_add(struct lab *lab); /* 203.0.113.128/25, lte0, metric 7 */
void lab_route_delete(struct lab *lab);

/*
 * From now on fewer events fit into the kernel's buffer than n connections make that are opened
 * and closed; returns n.
 */
unsigned int lab_shrink(struct lab *lab);
