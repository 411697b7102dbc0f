/*
 * The generic netlink family "mptcp_pm", version 1: bytes to plain values and back. Pure.
 *
 * Rules of this API that the codec hides (Linux 6.18, also in the tests):
 * - ports are in network byte order in events, in host byte order in commands and in replies;
 * - ANNOUNCED has no family; v4-mapped addresses come as AF_INET6 and leave as AF_INET here;
 * - a command without an id means id 0, so the id is always sent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../core/event.h"

struct nl_msg;

/* What is to be known of the family before use: its numbers are dynamic. */
struct mptcp_family {
        uint16_t id;
        uint32_t events_group; /* 0: there is none */
        bool commands;         /* has those of user-space path managers, Linux >= 5.19 */
        bool listless;         /* its GET_ADDR knows of no tokens, see kern-feature.h */
};

#define CODEC_MPTCP_BYTES 512 /* enough for any request */

/* Decodes the answer to codec_mptcp_encode_family(). 0 or -EBADMSG. */
int codec_mptcp_decode_family(const void *bytes, size_t len, struct mptcp_family *ret_family);

/*
 * Decodes one event message; the caller sets ret_event->usec. 0; 1: an event that is not known
 * here and to be ignored; -EBADMSG: malformed, or something that every such event has is missing.
 */
int codec_mptcp_decode(const void *bytes, size_t len, struct event *ret_event);

/* Decodes one message of a GET_ADDR reply. 0; 1: something else; -EBADMSG. */
int codec_mptcp_decode_entry(const void *bytes, size_t len, struct entry *ret_entry);

/*
 * Writes the request for an action into msg, which must be empty. mapped: IPv4 addresses as
 * ::ffff:a.b.c.d, which SUBFLOW_DESTROY needs for subflows whose socket is an AF_INET6 one.
 * 0, -EINVAL for an action that is none of this family, -EMSGSIZE if msg is too small.
 */
int codec_mptcp_encode(const struct action *action, uint16_t family, bool mapped,
                       struct nl_msg *msg);

/* Asks the controller for the family. 0 or -EMSGSIZE. */
int codec_mptcp_encode_family(struct nl_msg *msg);

/* A request that needs CAP_NET_ADMIN and can do nothing, for lack of arguments: -EMSGSIZE or 0. */
int codec_mptcp_encode_probe(uint16_t family, struct nl_msg *msg);
