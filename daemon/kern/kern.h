/*
 * The kernel, as the daemon sees it: a table of operations with two implementations, the real one
 * (kern-linux.c) and the fake of tests/fake. Both pass the same contract test.
 *
 * One thread (the loop's) calls all of this. Events arrive only inside dispatch() and list_net().
 */
#pragma once

#include "../core/event.h"
#include "../core/feature.h"
#include "../core/routing.h"

/* MPTCP events, rtnetlink, answers of the command threads, strangers at listeners, a timer */
#define KERN_FDS 5

struct kern;

typedef void (*kern_event_fn)(const struct event *event, void *userdata);

struct kern_ops {
        /*
         * Hands an action over; never waits for the kernel. Its EVENT_OUTCOME comes later, and
         * those of one token come in the order of submission. Takes a copy.
         *
         * ACTION_ANNOUNCE with listen holds a listener at its local address, whatever its outcome
         * is, until ACTION_RELEASE; all that hold one at the same address and port share it. If it
         * can't be opened, that is the outcome, and nothing is announced.
         * -EAGAIN: too many are waiting, try again after the next EVENT_OUTCOME.
         */
        int (*submit)(struct kern *kern, const struct action *action);

        /* Lists links, addresses, routes, rules and filters, between EVENT_NET_BEGIN and
         * EVENT_NET_END. */
        int (*list_net)(struct kern *kern);

        /*
         * Makes the rules and routes of ours be what is wanted, and no others; waits for the
         * kernel. How many were made and deleted; or the first error, with all done that could be.
         */
        int (*route)(struct kern *kern, const struct routing *wanted);

        /*
         * Reads the numbers of one subflow (both ports known). ifindex is the interface of its
         * local address: the kernel finds a subflow that is bound to a device only by that device
         * (one that is not bound, by any). -ENOENT: there is none such.
         */
        int (*measure)(struct kern *kern, const struct mptcpize_address *local,
                       const struct mptcpize_address *remote, int32_t ifindex,
                       struct measure *ret_measure);

        /* Reads whose a connection is. -ENOENT: no such token. */
        int (*owner)(struct kern *kern, uint32_t token, struct ownership *ret_owner);

        /*
         * Descriptors to wait on for input, -1 for unused places. Index 0 is the most urgent.
         * They stay the kern's.
         */
        void (*fds)(struct kern *kern, int ret_fds[static KERN_FDS]);

        /* Reads what there is on fds[index], at most a bounded batch, and makes events of it. */
        int (*dispatch)(struct kern *kern, int index);

        void (*free)(struct kern *kern);
};

struct kern {
        const struct kern_ops *ops;
        kern_event_fn on_event;
        void *userdata;
        struct features features;
};

/*
 * The real kernel, in the network namespace of the caller. -EPERM: CAP_NET_ADMIN is missing;
 * -EOPNOTSUPP: no MPTCP path-manager API (CONFIG_MPTCP, Linux >= 5.19); other errors as they come.
 */
int kern_linux_new(kern_event_fn on_event, void *userdata, struct kern **ret_kern);

void kern_free(struct kern *kern);

/* Do programs of this network namespace get MPTCP sockets? An administrator may change that. */
bool kern_is_on(void);

/*
 * Deletes all rules and routes of ours in the network namespace of the caller. How many there
 * were, or a negative errno.
 */
int kern_clear_routes(void);

/*
 * What EVENT_SNAPSHOT has, of the network namespace of the caller, without a struct kern. As
 * kern_ops; ret_snapshot is to be freed by snapshot_done().
 */
int kern_snapshot(struct snapshot *ret_snapshot);
