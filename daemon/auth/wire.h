/*
 * Messages of join authentication as bytes: one in a UDP datagram, big-endian.
 *
 *         "MPAH" | version 1 | type | flags | length in words | key id 8 | sequence 8
 *         body, of a length that its type has (ADDR: and its count)
 *         MAC 16: HMAC-SHA256, cut off, over all before it, by the key of the direction
 *
 * Reserved bits and bytes are sent as 0 and not looked at. Whatever is wrong otherwise is
 * malformed: a type that the other side sends, an address that no host can have.
 */
#pragma once

#include "protocol.h"

#define WIRE_RANDOM         8u
#define WIRE_MAX            204u /* bytes of the longest one: ADDR with all addresses */
#define WIRE_CAN_REQUEST    0x1u /* HELLO, capabilities: join requests */
#define WIRE_BACKUP         0x1u /* JOIN_REQ, flags */
#define WIRE_NO_RESOURCES   2u   /* JOIN_NO: reasons of MP_TCPRST, RFC 8684 section 3.6 */
#define WIRE_PROHIBITED     3u
#define WIRE_NO_PERFORMANCE 5u

enum wire_type {
        WIRE_HELLO = 1,
        WIRE_HELLO_ACK,
        WIRE_JOIN_REQ,
        WIRE_JOIN_OK,
        WIRE_JOIN_NO,
        WIRE_ADDR,
        WIRE_ADDR_OK,
        WIRE_BYE,
        _WIRE_TYPE_MAX
};

struct wire_message {
        enum wire_type type;
        bool server; /* sent by the server of the connection */
        uint8_t id[KEYS_ID];
        uint64_t sequence;
        union {
                struct {
                        uint8_t random[WIRE_RANDOM];
                        uint32_t capabilities;
                } hello;
                struct {
                        uint8_t random[WIRE_RANDOM];
                        uint32_t token;
                        uint8_t max_subflows;
                        uint8_t mode;
                } ack;
                struct {
                        uint32_t token, nonce;
                        uint8_t local_id, flags;
                        uint16_t port;
                } request;
                struct {
                        uint32_t nonce;
                        uint8_t code, lifetime_sec;
                } answer; /* JOIN_OK, JOIN_NO */
                struct {
                        uint8_t n; /* 1 to PROTOCOL_ADDRESSES */
                        struct protocol_address list[PROTOCOL_ADDRESSES];
                } addresses;
                uint64_t highest; /* ADDR_OK */
                uint32_t reason;  /* BYE */
        };
};

/* 0 or -EBADMSG. The MAC is not looked at. */
int wire_decode(const void *bytes, size_t n, struct wire_message *ret_message);

/* Is the MAC of what wire_decode() took this key's? */
bool wire_is_genuine(const void *bytes, size_t n, const uint8_t key[static KEYS_KEY]);

/* Length of what was written. */
size_t wire_encode(const struct wire_message *message, const uint8_t key[static KEYS_KEY],
                   uint8_t ret_bytes[static WIRE_MAX]);
