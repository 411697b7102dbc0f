/*
 * Listeners of announced ports.
 *
 * MPTCP_PM_CMD_ANNOUNCE of user-space path managers opens none (Linux 6.18), so joins to an
 * announced port would be refused. Joins that come in by a listener of ours land on the connection
 * of their token; they are never seen by accept(), and stay when the listener is closed. What
 * accept() does see is a stranger who takes the port for a service: it is closed at once.
 *
 * A listener has users, and is closed when the last one lets go. All functions are for the loop's
 * thread.
 */
#pragma once

#include "../core/event.h"

struct kern_listeners;

int kern_listeners_new(struct kern_listeners **ret_listeners);
void kern_listeners_free(struct kern_listeners *listeners);

/* Readable when there are strangers. */
int kern_listeners_fd(const struct kern_listeners *listeners);

/*
 * One user more for address and port. 0; or a negative errno with the words for it in message: it
 * counts as a user all the same, and the next one's call tries again. Only with -ENOBUFS
 * (LIMIT_OWN_LISTENERS) and -ENOMEM it doesn't.
 */
int kern_listeners_hold(struct kern_listeners *listeners, const struct mptcpize_address *address,
                        char message[static LIMIT_REASON]);

/* One user less. */
void kern_listeners_release(struct kern_listeners *listeners,
                            const struct mptcpize_address *address);

/* Closes the connections of a bounded number of strangers. */
void kern_listeners_dispatch(struct kern_listeners *listeners);

/* Is that LISTENER_CREATED or LISTENER_CLOSED what we have caused? True once for each. */
bool kern_listeners_is_own(struct kern_listeners *listeners, const struct event *event);

/* Events were lost: none is awaited any more. */
void kern_listeners_lost(struct kern_listeners *listeners);
