/*
 * The port at which daemons speak of joins: UDP, a socket for each family. What goes leaves from
 * the address, and if wanted by the interface, that a join would; what comes says where it arrived.
 */
#pragma once

#include <stddef.h>
#include "protocol.h"

#define SOCKET_BATCH    32u /* datagrams of one call of socket_dispatch() */
#define SOCKET_FAMILIES 2

struct socket;

/*
 * Opens the port on all addresses. A host may have one family only. 0 or a negative errno:
 * -EADDRINUSE, ...
 */
int socket_new(uint16_t port, struct socket **ret_socket);
void socket_free(struct socket *socket);

/* Readable when there is something for socket_dispatch(); -1: the host hasn't got that family. */
int socket_fd(const struct socket *socket, size_t family);

/* Gives at most SOCKET_BATCH datagrams that have come; returns how many there were. */
typedef void (*socket_datagram_fn)(const struct protocol_path *path, const void *bytes, size_t n,
                                   void *userdata);
size_t socket_dispatch(struct socket *socket, size_t family, socket_datagram_fn on_datagram,
                       void *userdata);

/* Sends one datagram, or loses it, as the network may. */
void socket_send(struct socket *socket, const struct protocol_path *path, const void *bytes,
                 size_t n);
