/*
 * Sockets of the programs in the real lab. What fails ends the test program with a message.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include "core/address.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define CHECK(x)                                         \
        ({                                               \
                typeof(x) _x = (x);                      \
                if (_x < 0)                              \
                        lab_die(__FILE__, __LINE__, #x); \
                _x;                                      \
        })

_Noreturn void lab_die(const char *file, int line, const char *what);

/* v6: an AF_INET6 socket, also for IPv4 addresses. protocol: IPPROTO_TCP or IPPROTO_MPTCP. */
int socket_listen(const struct mptcpize_address *address, bool v6, int protocol);

/* An MPTCP socket from one address (port 0: any) to another. */
int socket_connect(const struct mptcpize_address *from, const struct mptcpize_address *to, bool v6);

/* A plain TCP socket to there, or -1: nobody listens. */
int socket_try(const struct mptcpize_address *to);

struct mptcpize_address socket_local(int fd);
struct mptcpize_address socket_remote(int fd);

/* 0: it fell back to TCP. */
uint32_t socket_token(int fd);
