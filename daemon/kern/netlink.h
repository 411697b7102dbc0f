/*
 * One netlink socket with its receive buffer.
 *
 * libnl makes the socket and the messages; receiving is done here, because libnl allocates a
 * buffer for every datagram and folds the kernel's errors into its own, fewer ones. Messages of
 * other processes (port id not 0) are dropped: any process may send to a netlink socket.
 *
 * Not thread-safe: a socket belongs to one thread at a time. Errors are negative errno; those of
 * libnl end here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/netlink.h>
#include "../util/cleanup.h"
#include "../util/limits.h"

#define NETLINK_BUFFER 65536u /* the kernel never makes a longer datagram of a dump */

struct netlink;

/* One message, with its header. A negative errno ends a request, after its last message. */
typedef int (*netlink_message_fn)(const struct nlmsghdr *message, void *userdata);

/* A bound socket for requests: they give up after five seconds without an answer. */
int netlink_new(int protocol, struct netlink **ret_netlink);

/* A bound, non-blocking socket for events, with a large receive buffer. */
int netlink_new_monitor(int protocol, struct netlink **ret_netlink);

void netlink_free(struct netlink *netlink);
DEFINE_CLEANUP(struct netlink *, netlink_free)

int netlink_fd(const struct netlink *netlink);

/* Joins a multicast group. -EPERM: for CAP_NET_ADMIN only. */
int netlink_join(struct netlink *netlink, uint32_t group);

/* Dumps are filtered by what their header says (Linux 4.20). 0 or a negative errno. */
int netlink_set_strict(struct netlink *netlink);

/*
 * Reads one datagram and calls on_message for each message in it; what that returns is ignored.
 * 0; -EAGAIN: nothing is there; -ENOBUFS: messages were lost; or another error.
 */
int netlink_read(struct netlink *netlink, netlink_message_fn on_message, void *userdata);

/*
 * Sends a request and reads its answer to the end: of a dump all, else the acknowledgement if
 * NLM_F_ACK asks for one, else one message. on_message may be NULL. 0; the error of the kernel,
 * with its words in message (may be NULL, "" without any); that of on_message; -EINTR: the dump is
 * inconsistent, repeat it; -ETIMEDOUT; -EBADMSG.
 */
int netlink_request(struct netlink *netlink, struct nlmsghdr *request,
                    netlink_message_fn on_message, void *userdata, char *message);
