/*
 * sock_diag: MPTCP connections and TCP subflows as rows. Pure.
 *
 * MPTCP rows come of the protocol 262 (attribute INET_DIAG_REQ_PROTOCOL, Linux 5.9), subflows are
 * TCP rows with ULP information. A subflow belongs to the connection with its local token.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include "../core/event.h"

/* The sender fills in sequence number and port; header.nlmsg_len counts. */
struct diag_request {
        struct nlmsghdr header;
        struct inet_diag_req_v2 diag;
        struct nlattr attr;
        uint32_t protocol;
};

/* Dumps of all connections and listeners, and of all TCP sockets that can be subflows, of a family.
 */
void codec_diag_connections(uint8_t family, struct diag_request *ret_request);
void codec_diag_subflows(uint8_t family, struct diag_request *ret_request);

/* A dump of those that wait for an answer to their SYN. */
void codec_diag_pending(uint8_t family, struct diag_request *ret_request);

/* Look-up of one connection by its token: one row, or -ENOENT from the kernel. */
void codec_diag_connection(uint32_t token, struct diag_request *ret_request);

/*
 * Look-up of one subflow by addresses and ports; one that is bound to a device is found only with
 * that ifindex, one that is not by any. An IPv4 address finds a v4-mapped socket, too. The kernel
 * may answer with a listener on the local port: compare the addresses.
 */
void codec_diag_subflow(const struct mptcpize_address *local, const struct mptcpize_address *remote,
                        int32_t ifindex, struct diag_request *ret_request);

/* Aborts the socket of that row, and no other: the kernel compares the cookie. */
void codec_diag_abort(const struct snapshot_subflow *subflow, struct diag_request *ret_request);

/* Decodes a row. 0; 1: no connection (a listener, one without a token); -EBADMSG. */
int codec_diag_decode_connection(const void *bytes, size_t len,
                                 struct snapshot_connection *ret_connection);

/* Decodes a row of the same dump. 0; 1: no listener; -EBADMSG. */
int codec_diag_decode_listener(const void *bytes, size_t len,
                               struct snapshot_listener *ret_listener);

/* Whose the connection of such a row is; results as above. */
int codec_diag_decode_owner(const void *bytes, size_t len, uint32_t *ret_token,
                            struct ownership *ret_owner);

/*
 * Decodes a row. 0; 1: no subflow (plain TCP); -EBADMSG. struct tcp_info may be shorter, as an
 * older kernel has it: what is missing is 0.
 */
int codec_diag_decode_subflow(const void *bytes, size_t len, struct snapshot_subflow *ret_subflow);
