/*
 * What the kernel counts for each subflow, asked of sock_diag by mptcpctl itself: anybody may, as
 * `ss -ti` does, and so the numbers of ten thousand connections cost the daemon nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <net/if.h>
#include "../../util/array.h"

#define TRAFFIC_INTERFACE (4 * IF_NAMESIZE) /* escaped, with its NUL */
#define TRAFFIC_ADDRESS   56                /* "[2001:db8::1]:65535", with its NUL */

/* The strings can be shown as they are: names of interfaces are escaped. */
struct traffic_row {
        uint64_t cookie;                   /* of the subflow's socket */
        uint32_t token;                    /* of its connection */
        char interface[TRAFFIC_INTERFACE]; /* "": no interface has its address */
        char local[TRAFFIC_ADDRESS];       /* with the port, as the daemon writes it */
        char remote[TRAFFIC_ADDRESS];
        uint64_t sent, received; /* bytes of payload, retransmitted ones included */
        uint32_t rtt_usec;
        uint32_t retransmits; /* segments, since it is there */
        uint64_t up, down;    /* bytes a second, since the traffic before */
};

/* In the order of tokens, and of cookies within one. */
struct traffic {
        uint64_t usec; /* CLOCK_MONOTONIC when it was read; 0: never */
        bool rated;    /* up and down are known */
        ARRAY_OF(struct traffic_row) rows;
};

/* All MPTCP subflows of this network namespace. 0 or a negative errno. */
int traffic_read(struct traffic *ret_traffic);

/* traffic-rate.c: pure. Puts the rows in order. */
void traffic_sort(struct traffic *traffic);

/*
 * Rates from the differences to what was read before; both in order. What is new has sent and
 * received all of its bytes since then.
 */
void traffic_rate(struct traffic *traffic, const struct traffic *before);

/* The first row of a connection, or where it would be. */
size_t traffic_find(const struct traffic *traffic, uint32_t token);

void traffic_done(struct traffic *traffic);
