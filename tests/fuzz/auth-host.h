/*
 * A host of the protocol for fuzzers: keeps what is promised of every datagram.
 *
 * Without a right MAC nothing is decided and nothing is sent; and no answer is longer than what it
 * answers, but for HELLO_ACK (by four bytes) and the addresses that come with it.
 */
#pragma once

#include "auth/wire.h"

struct fuzz {
        struct protocol *protocol;
        struct auth_record records[2]; /* of the client's end, of the server's; tokens 1 and 2 */
        uint64_t now;
        bool forged;      /* a datagram without a right MAC is being received */
        size_t received;  /* length of the datagram that is being received, 0: none */
        uint32_t request; /* the last one to the gate */
        uint8_t random;
};

/* Both ends of one connection, of the same key, in one daemon. */
void fuzz_begin(struct fuzz *fuzz);
void fuzz_end(struct fuzz *fuzz);
void fuzz_open(struct fuzz *fuzz, uint32_t token, enum policy_auth mode);

/* As they are. */
void fuzz_receive(struct fuzz *fuzz, const uint8_t *bytes, size_t n);
/* With a right head, and the MAC of that side. */
void fuzz_receive_signed(struct fuzz *fuzz, bool server, const uint8_t *bytes, size_t n);
/* Everything else that may happen; what: any number, with any argument. */
void fuzz_happen(struct fuzz *fuzz, uint8_t what, uint8_t with);
