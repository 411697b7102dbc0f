/*
 * Join authentication, as the daemon has it: protocol.h between the engine, the programs' keys
 * (hints), the gate, and the daemons of peers (UDP).
 *
 * Costs nothing until a policy says "auth": then the port is opened.
 */
#pragma once

#include <systemd/sd-event.h>
#include "../core/engine.h"
#include "../kern/kern.h"
#include "gate.h"
#include "policy/eval.h"
#include "protocol.h"

struct auth;

struct auth_host {
        sd_event *event;
        struct engine *engine;
        struct kern *kern;
        const char *runtime;
        const void *place; /* n_place bytes that say where tokens mean something; copied */
        size_t n_place;
        kern_event_fn feed; /* for what auth has to say to the engine, and to who else listens */
        void *userdata;
};

int auth_new(const struct auth_host *host, struct auth **ret_auth);
/* Ends; the drop rules of "require" stay while such a connection or listener lives. Takes NULL. */
void auth_free(struct auth *auth);

/* After engine_feed() of the same event. */
void auth_feed(struct auth *auth, const struct event *event);

/* Other policies or configuration; profiles are in the engine by now. Opens and closes what it
 * takes; before READY it also waits until the listeners are protected. 0 or a negative errno. */
int auth_follow(struct auth *auth, const struct policy_read *policies, bool wait);

/*
 * An action of the queue, on its way to the kernel. 0: it is taken, and comes back by its outcome
 * (or was made by auth itself); 1: it is none of auth's business, hand it over; -EAGAIN as
 * kern_ops.submit().
 */
int auth_submit(struct auth *auth, const struct action *action);

/* What became ready while the kernel had no room: with every flush, before the queue. */
void auth_flush(struct auth *auth);

struct auth_view {
        enum policy_auth mode;
        const char *state; /* protocol_view.state, or "off" */
        char reason[LIMIT_REASON];
};

void auth_view(const struct auth *auth, uint32_t token, struct auth_view *ret_view);

struct auth_status {
        struct gate_status gate;
        uint16_t port;   /* 0: not open */
        size_t sessions; /* protected connections, */
        size_t confirmed;
        char reason[LIMIT_REASON]; /* what is wrong, "": nothing */
        uint64_t counters[_PROTOCOL_COUNTER_MAX];
};

void auth_status(const struct auth *auth, struct auth_status *ret_status);
