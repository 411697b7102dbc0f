/*
 * What the gate's table has to hold, what it holds as far as is known, and the words for
 * libnftables that make the one of the other. No system call, no clock.
 *
 * The table is written from a template, never from a listing; after that, only its elements change.
 * Each text is one transaction, which the kernel does as a whole or not at all.
 *
 * What matches, and why so:
 * - Only SYNs without ACK: the kernel looks up the token of an MP_JOIN nowhere else.
 * - A SYN may have several MPTCP options, of which the kernel takes the last valid MP_JOIN, while
 *   nftables sees the first option of a kind only. So each place at which an MP_JOIN of a SYN can
 *   stand (RFC 8684, section 3.2: kind 30, length 12, subtype 1, token at its fifth byte) is looked
 *   at; if any of them is not admitted, the SYN is not.
 * - The hook "input" comes after reassembly of IPv4, after DNAT and decapsulation, and not for what
 *   is forwarded. IPv6 is reassembled later, unless conntrack does it, so there SYNs in fragments,
 *   which no stack sends, are dropped.
 * - The priority is before that of filters, so that what they count, log and limit is what passes;
 *   and before conntrack's confirmation, so that a flood leaves no entries there. A drop is final
 * in any table; what is accepted here still meets all the others.
 */
#pragma once

#include "gate-listeners.h"
#include "../util/cleanup.h"

#define GATE_TABLE    "mptcpize"
#define GATE_GUARDED  "guarded"
#define GATE_REQUIRED "required" /* and "4" or "6" */
#define GATE_ADMITTED "admitted"
#define GATE_COUNTER  "dropped"

#define GATE_LIFETIME_USEC UINT64_C(5000000) /* of an admission */

struct gate_table;

int gate_table_new(struct gate_table **ret_table);
void gate_table_free(struct gate_table *table);
DEFINE_CLEANUP(struct gate_table *, gate_table_free)

/* Wants it so from now on. -ENOMEM; -ENOBUFS: there are LIMIT_GATE_TOKENS or LIMIT_GATE_ADMITTED
 * already; -EINVAL: no address. */
int gate_table_want(struct gate_table *table, const struct gate_request *request, uint64_t now);

/* Takes what is in listeners. */
void gate_table_want_listeners(struct gate_table *table, struct gate_listeners *listeners);

/* A table was there before: what it drops is dropped until gate_table_settle(), and then no longer,
 * unless it is wanted by then. */
int gate_table_inherit_token(struct gate_table *table, uint32_t token);
int gate_table_inherit_listener(struct gate_table *table, const struct gate_listener *listener);
void gate_table_settle(struct gate_table *table);

/* Is there anything that is dropped? */
bool gate_table_needed(const struct gate_table *table);
size_t gate_table_guarded(const struct gate_table *table);
size_t gate_table_listeners(const struct gate_table *table);

/* What has changed since gate_table_written(); NULL: nothing. -ENOMEM or -ENOBUFS. */
int gate_table_changes(struct gate_table *table, uint64_t now, char **ret_text);

/* The whole table, in place of the one that may be there. */
int gate_table_all(struct gate_table *table, uint64_t now, char **ret_text);

/* The last of these texts is in force since now. */
void gate_table_written(struct gate_table *table, uint64_t now);

/* The table is gone. */
#define GATE_TEXT_REMOVE "add table inet " GATE_TABLE "\ndelete table inet " GATE_TABLE "\n"
/* No admission is left. */
#define GATE_TEXT_CLOSE                             \
        "flush set inet " GATE_TABLE " admitted4\n" \
        "flush set inet " GATE_TABLE " admitted6\n"
