/*
 * The layout of ABI 1.0 and 1.1 on 64-bit machines, frozen: a plugin that was built with it has
 * these numbers compiled in. What is new goes to the end of a structure and gets a line here; a
 * line that is here never changes, unless MPTCPIZE_ABI_MAJOR does.
 */
#include <mptcpize/plugin.h>

#define AT(type, member, offset)                                                             \
        _Static_assert(sizeof(void *) != 8 ||                                                \
                                       offsetof(struct mptcpize_##type, member) == (offset), \
                       #type "." #member " has moved")
#define VALUE(name, value) _Static_assert((name) == (value), #name " has changed")

_Static_assert(MPTCPIZE_ABI_MAJOR == 1,
               "a new major ABI: freeze it, and keep refusing the old one");

/* The only structure that is embedded in others: it can't grow. */
_Static_assert(sizeof(struct mptcpize_address) == 20, "struct mptcpize_address can't grow");
AT(address, family, 0);
AT(address, port, 2);
AT(address, bytes, 4);

AT(local, size, 0);
AT(local, address, 8);
AT(local, ifindex, 28);
AT(local, role, 32);
AT(local, ifname, 40);

AT(remote, size, 0);
AT(remote, address, 8);
AT(remote, id, 28);
AT(remote, flags, 32);

/* 1.1 */
AT(remote, ifindex, 36);

AT(subflow, size, 0);
AT(subflow, local, 8);
AT(subflow, remote, 28);
AT(subflow, local_id, 48);
AT(subflow, remote_id, 49);
AT(subflow, state, 52);
AT(subflow, flags, 56);
AT(subflow, ifindex, 60);

/* 1.1 */
AT(subflow, changed_usec, 64);
AT(subflow, sample_usec, 72);
AT(subflow, bytes_sent, 80);
AT(subflow, bytes_received, 88);
AT(subflow, bytes_acked, 96);
AT(subflow, rtt_usec, 104);
AT(subflow, rto_usec, 108);
AT(subflow, unacked, 112);
AT(subflow, retransmits, 116);
AT(subflow, last_data_sent_msec, 120);
AT(subflow, last_data_recv_msec, 124);
AT(subflow, last_ack_recv_msec, 128);
AT(subflow, rcv_rtt_usec, 132);

AT(view, size, 0);
AT(view, token, 8);
AT(view, flags, 12);
AT(view, now_usec, 16);
AT(view, random, 24);
AT(view, max_subflows, 32);
AT(view, locals, 40);
AT(view, n_locals, 48);
AT(view, remotes, 56);
AT(view, n_remotes, 64);
AT(view, subflows, 72);
AT(view, n_subflows, 80);

AT(event, size, 0);
AT(event, type, 8);
AT(event, error, 12);
AT(event, subflow, 16);
AT(event, remote, 24);
AT(event, action, 32);

AT(action, size, 0);
AT(action, type, 8);
AT(action, local, 12);
AT(action, remote, 32);
AT(action, ifindex, 52);
AT(action, backup, 56);
AT(action, usec, 64);
AT(action, reason, 72);

/* 1.1 */
AT(action, flags, 80);

AT(sink, size, 0);
AT(sink, emit, 8);

AT(plugin, size, 0);
AT(plugin, abi, 8);
AT(plugin, name, 16);
AT(plugin, init, 24);
AT(plugin, config, 32);
AT(plugin, decide, 40);
AT(plugin, done, 48);

VALUE(MPTCPIZE_ROLE_ON, 0);
VALUE(MPTCPIZE_ROLE_MASTER, 1);
VALUE(MPTCPIZE_ROLE_BACKUP, 2);
VALUE(MPTCPIZE_ROLE_OFF, 3);

VALUE(MPTCPIZE_REMOTE_INITIAL, 0x1);

VALUE(MPTCPIZE_SUBFLOW_PENDING, 0);
VALUE(MPTCPIZE_SUBFLOW_ESTABLISHED, 1);
VALUE(MPTCPIZE_SUBFLOW_DEAD, 2);
VALUE(MPTCPIZE_SUBFLOW_CLOSING, 3);
VALUE(MPTCPIZE_SUBFLOW_INITIAL, 0x1);
VALUE(MPTCPIZE_SUBFLOW_OURS, 0x2);
VALUE(MPTCPIZE_SUBFLOW_BACKUP, 0x4);
VALUE(MPTCPIZE_SUBFLOW_BACKUP_REMOTE, 0x8);

VALUE(MPTCPIZE_VIEW_SERVER, 0x1);
VALUE(MPTCPIZE_VIEW_ESTABLISHED, 0x2);
VALUE(MPTCPIZE_VIEW_DENY_JOIN_INITIAL, 0x4);

VALUE(MPTCPIZE_EVENT_ESTABLISHED, 1);
VALUE(MPTCPIZE_EVENT_ADOPTED, 2);
VALUE(MPTCPIZE_EVENT_LOCALS_CHANGED, 3);
VALUE(MPTCPIZE_EVENT_ANNOUNCED, 4);
VALUE(MPTCPIZE_EVENT_WITHDRAWN, 5);
VALUE(MPTCPIZE_EVENT_SUBFLOW_ESTABLISHED, 6);
VALUE(MPTCPIZE_EVENT_SUBFLOW_CLOSED, 7);
VALUE(MPTCPIZE_EVENT_SUBFLOW_DEAD, 8);
VALUE(MPTCPIZE_EVENT_SUBFLOW_PRIORITY, 9);
VALUE(MPTCPIZE_EVENT_REFUSED, 10);
VALUE(MPTCPIZE_EVENT_TIMER, 11);
VALUE(MPTCPIZE_EVENT_CONFIGURED, 12);

VALUE(MPTCPIZE_ACTION_CREATE, 1);
VALUE(MPTCPIZE_ACTION_DESTROY, 2);
VALUE(MPTCPIZE_ACTION_BACKUP, 3);
VALUE(MPTCPIZE_ACTION_ANNOUNCE, 4);
VALUE(MPTCPIZE_ACTION_WITHDRAW, 5);
VALUE(MPTCPIZE_ACTION_TIMER, 6);
VALUE(MPTCPIZE_ACTION_NOTE, 7);

/* 1.1 */
VALUE(MPTCPIZE_EVENT_SAMPLE, 13);
VALUE(MPTCPIZE_ACTION_WATCH, 8);
VALUE(MPTCPIZE_CREATE_ANOTHER, 0x1);
