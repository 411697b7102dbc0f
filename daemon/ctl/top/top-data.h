/*
 * What `mptcpctl top` knows: the connections as the daemon lists them, the numbers of their
 * subflows as the kernel counts them, and what the daemon says of the subflows that are shown.
 * Pure.
 *
 * The list comes in pages, which may be spread over several rounds: each replaces what was known
 * of its range of tokens. All strings are escaped when they come in, so that they can be shown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "traffic.h"
#include "../../util/array.h"
#include "../../util/limits.h"

#define TOP_WORD    24                  /* states and roles */
#define TOP_PROGRAM (4 * LIMIT_PROGRAM) /* escaped */

/* Of a subflow, of a connection, of an interface, of all. */
struct top_numbers {
        uint32_t subflows; /* that the kernel knows; 0: none, so the rest is not known */
        uint64_t up, down; /* bytes a second, if top_data.now is rated */
        uint64_t sent, received;
        uint32_t rtt_usec; /* the least; 0: unknown */
        uint64_t retransmits;
};

struct top_connection {
        uint32_t token;
        uint32_t subflows; /* that the daemon knows */
        char state[TOP_WORD];
        char role[TOP_WORD];
        char program[TOP_PROGRAM];
        char plugin[LIMIT_NAME];
        char policy[LIMIT_NAME];
        char local[TRAFFIC_ADDRESS];
        char remote[TRAFFIC_ADDRESS];
        struct top_numbers numbers;
};

/* A subflow as the daemon has it, with the numbers of the kernel. */
struct top_subflow {
        uint32_t token;
        char state[TOP_WORD];
        char interface[TRAFFIC_INTERFACE];
        char local[TRAFFIC_ADDRESS];
        char remote[TRAFFIC_ADDRESS];
        bool backup, backup_remote; /* asked for by us, by the peer */
        struct top_numbers numbers;
};

struct top_interface {
        char name[TRAFFIC_INTERFACE];
        struct top_numbers numbers;
};

struct top_data {
        ARRAY_OF(struct top_connection) connections; /* in the order of tokens */
        ARRAY_OF(struct top_subflow) subflows;       /* of those asked for; likewise */
        ARRAY_OF(struct top_interface) interfaces;   /* by name */
        struct traffic now, before;
        struct top_numbers totals;
        uint32_t established, fallback; /* connections in these states */
};

/*
 * A page of the daemon's list: rows as Manager.List has them, all tokens from cursor on and below
 * next (0: all that there are). 0, -ENOMEM or -ENOBUFS.
 */
int top_data_page(struct top_data *data, const json_t *rows, uint32_t cursor, uint32_t next);

/* The subflows of a connection as its object has them, or NULL: it is gone. As above. */
int top_data_subflows(struct top_data *data, uint32_t token, const json_t *rows);

/* Drops the subflows of connections that are not in tokens. */
void top_data_keep(struct top_data *data, const uint32_t *tokens, size_t n);

/* A new reading, which is taken over; the one before goes. */
void top_data_traffic(struct top_data *data, struct traffic *traffic);

/* Works out what follows from all that. 0 or -ENOMEM. */
int top_data_settle(struct top_data *data);

/* NULL: there is none. */
const struct top_connection *top_data_find(const struct top_data *data, uint32_t token);

/* The first of its subflows, in ret_n how many there are. */
const struct top_subflow *top_data_subflows_of(const struct top_data *data, uint32_t token,
                                               size_t *ret_n);

void top_data_done(struct top_data *data);
