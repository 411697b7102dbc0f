/*
 * What an operator wants done: to one connection, once (orders); to roles of interfaces and to
 * limits, from now on. Plugins make a connection what its policy says; orders make it what somebody
 * wants who looks at it, and plugins leave that alone:
 *
 *   a subflow that was added     is not destroyed by the plugin
 *   a subflow that was removed   is not made again, until the peer announces its address afresh;
 *                                unless the connection has nothing else left, since no order is
 *                                to cost a connection
 *   a backup flag                stays as it was set, until another policy is assigned
 *   an address that was          is not withdrawn by the plugin, and the other way round
 *   announced
 *
 * The next order takes the place of the one before. The next daemon knows of none of them.
 *
 * Orders obey what protects connections and the host: state, limits, what the peer denies, roles.
 * What only spares the host, as the waits between two tries, they pass.
 *
 * The time is that of the last event: whoever calls any of these feeds an EVENT_TICK before, and
 * engine_settle() after it, as after events.
 */
#pragma once

#include "engine.h"

enum order_type { ORDER_ADD, ORDER_REMOVE, ORDER_BACKUP, ORDER_ANNOUNCE, ORDER_WITHDRAW };

struct order {
        enum order_type type;
        uint32_t token;
        /*
         * ADD: from where; family 0: the best one of ifindex, or of all. With a port, from that.
         * REMOVE, BACKUP: of that subflow; port 0: any, family 0: not said.
         * ANNOUNCE, WITHDRAW: the address; port 0: without one.
         */
        struct mptcpize_address local;
        /*
         * ADD: where to; family 0: the peer's first address or another one that it announced. Port
         * 0: the one that is known for that address, else that of the first one.
         * REMOVE, BACKUP: family 0: not said; port 0: any.
         */
        struct mptcpize_address remote;
        int32_t ifindex; /* 0: not said. ADD: from there; REMOVE, BACKUP: of a subflow there */
        bool backup;     /* ADD, BACKUP */
};

/*
 * Gives an order. 0: it is on its way, and the outcome of the action ret_serial (never 0) brings
 * its end; or there is none, if the connection ends before. Of an ADD the kernel's yes means that
 * it tries: events tell the rest.
 *
 * Else nothing was done, and reason says why, for people:
 * -EAGAIN       the address ids of the connection are being asked for: once more after the outcome
 *               of its ACTION_QUERY
 * -ENOENT       no such connection, subflow, address, interface; or it can't be used
 * -ENOTUNIQ     several subflows fit
 * -EPERM        the connection is not managed, by its state
 * -EEXIST       it is there
 * -EACCES       forbidden: the peer denies joins to that address, or the interface's role is off,
 *               or join authentication allows none (yet)
 * -EBUSY        it would end the connection, or part of it that is in use
 * -ENOBUFS      a limit; also of the queue
 * -EAFNOSUPPORT addresses of two families
 * -ENETUNREACH  no route leads there from that interface
 * -ENOMEM
 */
int engine_order(struct engine *engine, const struct order *order, uint32_t *ret_serial,
                 char reason[static LIMIT_REASON]);

/* Has the order failed whose action has this outcome? Some find done already what they were to do.
 */
bool order_has_failed(const struct outcome_event *outcome);

#define ROLE_UNSET (-1)

/*
 * Gives an interface a role (enum mptcpize_role), there or to come, in place of the configuration's
 * until ROLE_UNSET, also after a reload. "off" holds for every policy; the other ones yield to what
 * a policy says of the interface. No plugin state is lost. -EINVAL: no name for an interface, or
 * no role; -ENOBUFS: LIMIT_SET_ROLES have one; -ENOMEM.
 */
int engine_set_role(struct engine *engine, const char *ifname, int role_or_unset);

/*
 * Advice on an interface, there or to come, by who manages the network of this host, in place of
 * what it has advised before. The role counts where neither the configuration file nor a policy nor
 * an operator has a word on the interface; before what is built in. An interface that is leaving is
 * treated as if its link was down, whatever its role and whoever has opened the subflow, but while
 * the peer can still be told. With neither of them there is no advice any more. 1: that is another
 * one than before; 0: it is not; -EINVAL: no name for an interface, or no role; -ENOBUFS:
 * LIMIT_SET_ROLES have one; -ENOMEM.
 */
int engine_advise(struct engine *engine, const struct advised_role *advised);

/*
 * Puts limits in force until the next EVENT_CONFIGURED; policies' own max_subflows stay. What is
 * over them is closed by engine_follow(), as after a reload. -EINVAL: one is 0, or more than the
 * configuration may have.
 */
int engine_set_limits(struct engine *engine, const struct limits *limits);

/*
 * Shows each line of the log to fn, too, and those of connections that are added or removed, which
 * the log itself doesn't have; NULL: to nobody. fn must not call the engine.
 */
void engine_set_tap(struct engine *engine, trace_fn fn, void *userdata);
