/*
 * The gate: an nftables table of our own (inet mptcpize) in which SYNs that join a connection
 * (MP_JOIN, RFC 8684 section 3.2) are dropped unless admitted. Nothing else is looked at, so that
 * other people's tables and MPTCP services are untouched.
 *
 * libnftables is called by a thread of its own: a commit can wait for another one's for long. What
 * is asked for meanwhile goes in one transaction. If somebody else removes the table or changes it,
 * it is written anew, with all that is in force (gate_new()'s on_ready says when).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "../core/address.h"
#include "../util/limits.h"

struct gate;

/* A listener that needs protection before the first connection is there. */
struct gate_listener {
        struct mptcpize_address prefix; /* family 0: any, of both families */
        uint8_t prefix_len;
        uint16_t first, last; /* ports */
};

enum gate_request_type { GATE_GUARD, GATE_UNGUARD, GATE_ADMIT, GATE_DISMISS, _GATE_REQUEST_MAX };

struct gate_request {
        enum gate_request_type type;
        uint32_t id; /* comes back; of the caller's choice */
        uint32_t token;
        struct mptcpize_address source; /* ADMIT, DISMISS: port 0 */
};

struct gate_status {
        bool works; /* the table is there, as far as is known */
        bool wanted;
        uint64_t dropped;   /* SYNs, since the daemon started; some seconds old */
        uint64_t rewritten; /* times that somebody else had changed the table */
        size_t guarded, listeners;
        char reason[LIMIT_REASON]; /* why it does not work, or what it does */
};

/* 0 or a negative errno. Nothing is written before something is to be guarded. If there is a table
 * of a daemon that was killed, what it drops stays dropped until gate_settle(). */
int gate_new(struct gate **ret_gate);

/* What is in force stays in force if keep (drop rules of listeners and guarded tokens; admissions
 * end), else the table is removed. Waits for the thread, at most a second. Takes NULL. */
void gate_free(struct gate *gate, bool keep);

/* Readable when there is something for gate_dispatch(): outcomes of requests (error: 0 or a
 * negative errno, as libnftables' words say it), or a change of gate_status() (request NULL). */
int gate_fd(const struct gate *gate);
typedef void (*gate_outcome_fn)(const struct gate_request *request, int error, void *userdata);
void gate_dispatch(struct gate *gate, gate_outcome_fn on_outcome, void *userdata);

/* Never waits. -ENOBUFS: LIMIT_GATE_REQUESTS have no outcome yet that was dispatched; -ENOMEM;
 * -EOPNOTSUPP: built without libnftables. Guarding and admitting again, or no longer what was not,
 * is no error; admitting again begins the five seconds anew. What could not be written stays asked
 * for, and is in force when gate_status() says that the gate works. */
int gate_request(struct gate *gate, const struct gate_request *request);

/* These listeners and no others are protected; copied. They may overlap. -ENOMEM; -ENOBUFS: more
 * than LIMIT_GATE_LISTENERS, or than LIMIT_GATE_ELEMENTS without overlaps; -EOPNOTSUPP. There is no
 * outcome: gate_settle() or gate_status(). */
int gate_set_listeners(struct gate *gate, const struct gate_listener *listeners, size_t n);

/* Waits until all that was asked for is in force: before READY only. 0, -ETIMEDOUT, or the error.
 * What a table from before protects and nobody has asked for by now, is no longer. */
int gate_settle(struct gate *gate, uint64_t timeout_usec);

void gate_status(const struct gate *gate, struct gate_status *ret_status);

/* For --restore and the next start, without a struct gate: removes the table if none of the
 * connections and listeners lives that it was kept for (lives(): asked for each), else leaves it.
 * Listeners come as the table has them: one of any family twice, and without overlaps. How many
 * live; 0: the table is gone or was not there; a negative errno. */
struct gate_lives {
        int (*look)(void *userdata); /* before the first question, if there is one; or NULL */
        bool (*token)(uint32_t token, void *userdata);
        bool (*listener)(const struct gate_listener *listener, void *userdata);
        void *userdata;
};
int gate_restore(const struct gate_lives *lives);

/* Does this host have a firewall that it can be made of? */
bool gate_is_possible(void);

/* The command that removes what is left, for people. */
#define GATE_REMOVE "nft delete table inet mptcpize"
