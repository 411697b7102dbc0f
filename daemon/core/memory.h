/*
 * What the kernel cannot tell of a connection or a listener, so that the next daemon knows it:
 * whose it is, which policy it has, what its peer said.
 *
 * The engine offers memos and takes them back; where they are kept is the affair of whoever gives
 * it a struct memory (host/state.c has a file). Nothing is offered on the path of an event: what
 * has changed is only marked then, and written when there is nothing else to do (engine_lull()).
 *
 * A connection is known again by its token and both of its addresses with their ports. SO_COOKIE
 * would do, too, but events don't have it, so that it would take a question to the kernel for each
 * connection; and a token is a hash of a random key (RFC 8684, 3.2), so that no two connections
 * between the same ports have the same. Listeners have no token: theirs is the cookie that came
 * with the hint, and that sock_diag tells.
 */
#pragma once

#include "event.h"

enum memo_kind { MEMO_CONNECTION = 1, MEMO_LISTENER, _MEMO_MAX };

#define MEMO_DENY_JOIN_INITIAL 0x01u /* the peer: do not join my first address */
#define MEMO_HEARD             0x02u /* all that the peer said is known */
#define MEMO_OURS              0x04u /* the user-space path manager has it */
#define MEMO_KERNEL            0x08u /* the kernel's own has it */
#define MEMO_IPV6_ONLY         0x10u /* listener */
#define MEMO_ASSIGNED          0x20u /* its profile was chosen by hand */
#define MEMO_CLIENT            0x40u /* this host has opened it */
#define _MEMO_FLAGS            0x7fu

struct memo_address {
        struct mptcpize_address address;
        uint8_t id;
        bool own; /* of this host; else the peer announced it */
};

struct memo {
        enum memo_kind kind;
        uint32_t flags; /* MEMO_* */
        uint32_t token; /* 0 for a listener, and then cookie counts */
        struct mptcpize_address local;
        struct mptcpize_address remote;
        uint64_t cookie;          /* of the socket that a hint came with; 0: there was no hint */
        char profile[LIMIT_NAME]; /* "": the host's own */
        uint64_t guard;           /* memo_name() of the policy that speaks of authentication */
        struct program program;
        uint32_t user_timeout_msec;
        struct memo_address addresses[LIMIT_MEMO_ADDRESSES]; /* the peer's first */
        size_t n_addresses;
};

/* What stands for a name, where there is no room for it: 0 for "". */
uint64_t memo_name(const char *name);

struct memory_ops {
        /* Keeps a memo in *slot, or in a new one if that is 0. 0, or a negative errno. */
        int (*keep)(void *userdata, const struct memo *memo, uint32_t *slot);

        /* The slot may be used for something else. */
        void (*drop)(void *userdata, uint32_t slot);

        /* What the last daemon kept of a connection: 0 or -ENOENT. */
        int (*recall)(void *userdata, uint32_t token, const struct mptcpize_address *local,
                      const struct mptcpize_address *remote, struct memo *ret_memo);

        /* Calls fn for each listener that the last daemon kept. */
        void (*listeners)(void *userdata, void (*fn)(const struct memo *memo, void *fn_userdata),
                          void *fn_userdata);

        /* All that is still of use has been recalled and kept anew. */
        void (*settled)(void *userdata);
};

/* ops NULL: nothing is kept. */
struct memory {
        const struct memory_ops *ops;
        void *userdata;
};
