/*
 * Sockets of this host that talk to other hosts, or could, and by plain TCP: those that are not
 * MPTCP, and those that fell back. By sock_diag, which everybody may ask.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../util/array.h"

#define SOCKET_END (INET6_ADDRSTRLEN + 9u) /* "[ADDRESS]:PORT" */

struct socket_row {
        uint32_t inode; /* never 0; rows are in its order */
        uint32_t uid;
        bool listens;
        bool bound;           /* listens at one address */
        char end[SOCKET_END]; /* of a listener its own, of a connection the peer's */
        bool seen;            /* a process that has it was found */
};

struct sockets {
        ARRAY_OF(struct socket_row) list;
};

/* 0; 1: there are more than LIMIT_DOCTOR_SOCKETS; or a negative errno. */
int sockets_list(struct sockets *sockets);
void sockets_done(struct sockets *sockets);

/* The row of an inode, or NULL. */
struct socket_row *sockets_find(const struct sockets *sockets, uint32_t inode);

/* Calls fn for each listener and connection, of TCP and MPTCP, to whomever. 0 or a negative errno.
 */
int sockets_each_inode(int (*fn)(uint32_t inode, void *userdata), void *userdata);

/*
 * Calls fn for each MPTCP connection that fell back to plain TCP, with the peer's address as text.
 * 0 or a negative errno.
 */
int sockets_each_fallback(void (*fn)(const char *peer, void *userdata), void *userdata);
