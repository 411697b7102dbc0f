/*
 * Actions: what the engine wants the kernel to do, in the order in which it is to be done.
 *
 * Nothing but this queue leads to the kernel. Each action has a serial number, which comes back
 * in the EVENT_OUTCOME, and a reason that a user can read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "address.h"
#include "../util/limits.h"

enum action_type {
        ACTION_CREATE,   /* MPTCP_PM_CMD_SUBFLOW_CREATE: local, local_id, remote, ifindex, backup */
        ACTION_DESTROY,  /* MPTCP_PM_CMD_SUBFLOW_DESTROY: local, remote with their ports */
        ACTION_BACKUP,   /* MPTCP_PM_CMD_SET_FLAGS: local, remote, backup */
        ACTION_ANNOUNCE, /* MPTCP_PM_CMD_ANNOUNCE: local (port optional), local_id, ifindex */
        ACTION_WITHDRAW, /* MPTCP_PM_CMD_REMOVE: local_id */
        ACTION_QUERY,    /* MPTCP_PM_CMD_GET_ADDR of token: EVENT_ENTRIES, then the outcome */
        ACTION_SNAPSHOT, /* sock_diag: EVENT_SNAPSHOT; token 0 */
        ACTION_MEASURE,  /* sock_diag: local, remote with their ports, ifindex: EVENT_MEASURED */
        ACTION_ABORT,    /* sock_diag: local, remote with their ports, ifindex: closed at once;
                          * without a local port, a join that is not answered yet */
        ACTION_RELEASE,  /* the connection needs no listener at local any more; never fails */
        _ACTION_MAX
};

struct action {
        enum action_type type;
        uint32_t token;
        uint32_t serial;
        struct mptcpize_address local;
        struct mptcpize_address remote;
        int32_t ifindex; /* 0: not bound to a device */
        uint8_t local_id;
        uint8_t backup;
        bool listen;  /* ACTION_ANNOUNCE: open a listener at local, or share it, until RELEASE */
        bool ordered; /* by an operator, not by a plugin */
        bool urgent;  /* the connection is so young that its socket is hardly busy */
        char reason[LIMIT_REASON];
};

/* Word for people: "create", "destroy", ... */
const char *action_name(enum action_type type);

/* A bounded first-in-first-out queue that grows as needed. */
struct action_queue {
        struct action *items; /* ring */
        uint32_t head, n, cap;
};

#define ACTION_QUEUE_NULL ((struct action_queue){ 0 })

/* 0, -ENOBUFS at LIMIT_ACTIONS, or -ENOMEM. */
int action_queue_push(struct action_queue *queue, const struct action *action);

/* The same, before all others. */
int action_queue_push_first(struct action_queue *queue, const struct action *action);

/* The oldest action, or NULL; valid until the next push or pop. */
const struct action *action_queue_peek(const struct action_queue *queue);
void action_queue_pop(struct action_queue *queue);
void action_queue_done(struct action_queue *queue);
