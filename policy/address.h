/*
 * Addresses, prefixes and ports as people write them.
 *
 * The parsers return 0 or -EINVAL with, in ret_why, what was expected. IPv4 addresses that are
 * mapped into IPv6 become IPv4.
 */
#pragma once

#include <stddef.h>

#include "eval.h"

/* "192.0.2.1" or "2001:db8::1". 0 or -EINVAL. */
int policy_address_parse(const char *text, struct policy_address *ret_address);

/* An address, or "ADDRESS/BITS" without bits set behind those. */
int policy_prefix_parse(const char *text, struct policy_prefix *ret_prefix, const char **ret_why);

/* The prefix of one address. */
struct policy_prefix policy_prefix_of(const struct policy_address *address);

/* "22,8000-8010": at most max ranges of ports from 1 to 65535. */
int policy_ports_parse(const char *text, struct policy_ports *ranges, size_t max, size_t *ret_n,
                       const char **ret_why);

/* "443", "*:443", "192.0.2.1:8000-8010", "[2001:db8::1]:443". */
struct policy_endpoint {
        struct policy_address address; /* family 0: any */
        struct policy_ports ports;
};
int policy_endpoint_parse(const char *text, struct policy_endpoint *ret_endpoint,
                          const char **ret_why);

/* With a prefix's length unless that is the whole address; "22", "8000-8010". */
#define POLICY_ADDRESS_TEXT 64
void policy_prefix_print(const struct policy_prefix *prefix, char text[static POLICY_ADDRESS_TEXT]);
void policy_ports_print(const struct policy_ports *ports, char text[static POLICY_ADDRESS_TEXT]);
