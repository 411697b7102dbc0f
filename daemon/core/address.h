/*
 * IP addresses as the whole daemon has them: struct mptcpize_address of the plugin ABI, so that
 * nothing is converted between the layers. Never v4-mapped, port in host byte order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <mptcpize/plugin.h>

#define ADDRESS_TEXT 56 /* "[" + 45 + "]:65535" and NUL */

#define ADDRESS_NULL ((struct mptcpize_address){ 0 })

/*
 * Builds an address from raw bytes in network order: len 4 or 16; ::ffff:a.b.c.d becomes AF_INET.
 * 0 or -EINVAL for another length.
 */
int address_init(struct mptcpize_address *ret_address, const void *bytes, size_t len,
                 uint16_t port);

/* Reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80". 0 or -EINVAL. */
int address_parse(const char *text, struct mptcpize_address *ret_address);

/* Writes the forms above into buffer and returns it; the port only if it is not 0. */
const char *address_format(const struct mptcpize_address *address,
                           char buffer[static ADDRESS_TEXT]);

bool address_equal(const struct mptcpize_address *a, const struct mptcpize_address *b);

/* Like address_equal(), but the ports don't count. */
bool address_same_host(const struct mptcpize_address *a, const struct mptcpize_address *b);

/* Is address within prefix/len? Families must be the same. */
bool address_in_prefix(const struct mptcpize_address *address,
                       const struct mptcpize_address *prefix, unsigned int len);

/* 0.0.0.0 or "::", whatever the port. */
bool address_is_any(const struct mptcpize_address *address);
bool address_is_loopback(const struct mptcpize_address *address);
bool address_is_link_local(const struct mptcpize_address *address);

/* Can it be the address of one host: not unspecified, not multicast, not broadcast? */
bool address_is_host(const struct mptcpize_address *address);

struct mptcpize_address address_without_port(const struct mptcpize_address *address);

/*
 * To and from what the system calls take. scope: the interface, for a link-local address, else
 * 0. The length of the first; 0 or -EAFNOSUPPORT.
 */
socklen_t address_to_sockaddr(const struct mptcpize_address *address, uint32_t scope,
                              struct sockaddr_storage *ret_sockaddr);
int address_from_sockaddr(const struct sockaddr_storage *sockaddr,
                          struct mptcpize_address *ret_address);
