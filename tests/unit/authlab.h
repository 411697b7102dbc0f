/*
 * Two daemons, each with the protocol of join authentication, and a network between them that a
 * test can lose, hold back, repeat and change datagrams in. Time is a number.
 *
 * The client has 192.0.2.1 (maybe behind a NAT) and 198.51.100.1, the server 203.0.113.1 and
 * 203.0.113.9. What other address a datagram goes to is lost.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "auth/wire.h"
#include "bytes.h"

#define LAB_START   UINT64_C(1000000000)
#define LAB_MSEC    UINT64_C(1000)
#define LAB_SECOND  UINT64_C(1000000)
#define LAB_CLIENT  0u
#define LAB_SERVER  1u
#define LAB_PACKETS 512u
#define LAB_TOKEN_C 0xc11e4701u /* the client's token of the connection */
#define LAB_TOKEN_S 0x5e4fe401u /* the server's */
#define LAB_PORT    8684u
#define LAB_NOTHING 1 /* no answer */

struct lab_packet {
        unsigned int from; /* a side */
        struct mptcpize_address source, destination;
        size_t n;
        uint8_t bytes[WIRE_MAX];
        enum wire_type type;
};

struct lab_answer {
        uint32_t serial;
        int error;
};

/* What a side has decided. */
struct lab_side {
        struct lab *lab;
        unsigned int index;
        struct protocol *protocol;
        struct auth_record record;
        uint32_t token;
        enum joins joins;
        char reason[LIMIT_REASON];
        unsigned int n_permits;
        struct lab_answer answers[64];
        unsigned int n_answers;
        unsigned int n_intruders;
        struct mptcpize_address intruder; /* the last one's remote end */
        struct protocol_address confirmed[PROTOCOL_ADDRESSES];
        size_t n_confirmed;
        unsigned int n_addresses; /* calls */
        bool guarded;
        unsigned int guards; /* outcomes that are due */
        struct mptcpize_address admitted[16];
        unsigned int n_admitted;
        uint32_t requests[64]; /* outcomes that are due */
        unsigned int n_requests;
        unsigned int n_sent;
        unsigned int n_received;
};

enum lab_fate { LAB_PASS, LAB_LOSE, LAB_TWICE };

struct lab {
        uint64_t now;
        struct lab_side sides[2];
        struct lab_packet packets[LAB_PACKETS];
        unsigned int n_packets;
        bool nat;        /* the client's first address is 192.0.2.200:40000 outside */
        bool backwards;  /* the newest packet is delivered first */
        bool gate_waits; /* outcomes stay due */
        int gate_error;  /* of outcomes */
        enum lab_fate (*on_packet)(struct lab *lab, const struct lab_packet *packet);
        unsigned int seen[_WIRE_TYPE_MAX]; /* by on_packet of a test */
        enum wire_type lost_type;
        unsigned int lost_count;
        struct lab_packet last[_WIRE_TYPE_MAX]; /* of each type, as it came to the other side */
        uint8_t random;
};

struct mptcpize_address lab_at(const char *text);

int lab_setup(void **state);
int lab_teardown(void **state);

/* Opens the connection on one side; mode off: it has none there. */
void lab_open(struct lab *lab, unsigned int side, enum policy_auth mode);
void lab_open_both(struct lab *lab, enum policy_auth client, enum policy_auth server);
void lab_key(struct lab *lab, unsigned int side);
/* Both modes, keys on both sides, and what follows at once. */
void lab_confirm(struct lab *lab, enum policy_auth mode);
/* The daemon is gone, and one with the same record takes over. */
void lab_restart(struct lab *lab, unsigned int side, enum policy_auth mode);

/* Delivers all that is on its way, and outcomes of the gate. */
void lab_pump(struct lab *lab);
void lab_gate(struct lab *lab);
/* Pumps and ticks for so long. */
void lab_run(struct lab *lab, uint64_t usec);
/* Hands a datagram to a side, as from that address. */
void lab_inject(struct lab *lab, unsigned int side, const char *from, const char *to,
                const void *bytes, size_t n);

/* The client wants a join from and to. Result of protocol_ask(). */
int lab_ask(struct lab *lab, uint32_t serial, const char *from, const char *to);
/* The answer to that join, or LAB_NOTHING. */
int lab_answer(const struct lab *lab, uint32_t serial);
/* A subflow appears at a side. */
void lab_joined(struct lab *lab, unsigned int side, const char *local, const char *remote);
bool lab_is_admitted(const struct lab *lab, const char *source);

void lab_assert(const struct lab *lab, unsigned int side, const char *state, enum joins joins);
uint64_t lab_count(const struct lab *lab, unsigned int side, enum protocol_counter counter);
