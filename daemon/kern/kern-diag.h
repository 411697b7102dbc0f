/*
 * Questions to sock_diag over one socket, which belongs to the thread that asks.
 */
#pragma once

#include "../core/event.h"
#include "netlink.h"

/*
 * All MPTCP connections and their subflows; ret_snapshot is to be freed by snapshot_done().
 * -ENOBUFS: more than LIMIT_SNAPSHOT; -EAGAIN: it kept changing while it was read.
 */
int kern_diag_snapshot(struct netlink *diag, struct snapshot *ret_snapshot);

/* As kern_ops.measure() and kern_ops.owner(). */
int kern_diag_measure(struct netlink *diag, const struct mptcpize_address *local,
                      const struct mptcpize_address *remote, int32_t ifindex,
                      struct measure *ret_measure);

/*
 * Closes a subflow of the connection at once, with a RST, whatever it still has to send; without
 * a local port, a join between these addresses that has not been answered yet. -ENOENT:
 * there is none such; -EOPNOTSUPP: the kernel was built without CONFIG_INET_DIAG_DESTROY.
 */
int kern_diag_abort(struct netlink *diag, uint32_t token, const struct mptcpize_address *local,
                    const struct mptcpize_address *remote, int32_t ifindex);

/*
 * The interface that a join between these addresses is bound to, 0: none. -ENOENT: it has ended.
 */
int kern_diag_bound(struct netlink *diag, uint32_t token, const struct mptcpize_address *local,
                    const struct mptcpize_address *remote, int32_t *ret_ifindex);
int kern_diag_owner(struct netlink *diag, uint32_t token, struct ownership *ret_owner);
