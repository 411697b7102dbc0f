/*
 * Connections that are protected, or to be, by their token: what the daemon knows of each next to
 * the protocol's own.
 */
#pragma once

#include <stdbool.h>
#include "../core/address.h"
#include "../util/array.h"
#include "../util/limits.h"
#include "policy/format.h"
#include "record.h"
#include "table.h"

/* A subflow of the peer's. */
struct ward_join {
        struct mptcpize_address local, remote;
};

struct ward {
        uint32_t token;
        enum policy_auth mode;
        bool server;      /* the peer opened it */
        bool ipv4;        /* its socket takes no IPv6 */
        bool fresh;       /* seen from its beginning: nobody can have a secret of it twice */
        bool established; /* the protocol has been told, */
        bool keyed;       /* so has it of a key, */
        bool keyless;     /* or that a shared one can't be had, */
        bool unsure;      /* its initial sequence numbers are asked for again, later */
        uint8_t tries;    /* to find them out */
        uint64_t offered; /* hash of the addresses that the protocol knows of */
        ARRAY_OF(struct ward_join) seen; /* that the protocol knows of */
        struct auth_record *record;      /* the store's */
        struct table_link by_token;
};

struct wards {
        struct table by_token;
};

#define WARDS_NULL ((struct wards){ { 0 } })

struct ward *wards_find(const struct wards *wards, uint32_t token);
/* A new one, all zero but for its token, which is new. NULL: no memory, or LIMIT_CONNECTIONS. */
struct ward *wards_add(struct wards *wards, uint32_t token);
/* Frees it; its record is the caller's. */
void wards_remove(struct wards *wards, struct ward *ward);
/* fn may remove that one. */
void wards_each(struct wards *wards, void (*fn)(struct ward *ward, void *userdata), void *userdata);
void wards_done(struct wards *wards);
