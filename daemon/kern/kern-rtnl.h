/*
 * Links, addresses, routes, rules and filters of this host: a monitor, and full listings whenever
 * the monitor cannot have told everything (kern.h, EVENT_NET_BEGIN).
 */
#pragma once

#include "kern.h"

struct kern_rtnl;

int kern_rtnl_new(kern_event_fn on_event, void *userdata, struct kern_rtnl **ret_rtnl);
void kern_rtnl_free(struct kern_rtnl *rtnl);

int kern_rtnl_fd(const struct kern_rtnl *rtnl);

/* Readable when a listing that has failed is to be tried again: kern_rtnl_retry(). */
int kern_rtnl_timer_fd(const struct kern_rtnl *rtnl);

/*
 * Delivers a bounded batch of changes, and a full listing behind it if one of them needs that or
 * the kernel lost some. 0, or an error of the listing, which is then tried again half a second
 * later.
 */
int kern_rtnl_dispatch(struct kern_rtnl *rtnl);
int kern_rtnl_retry(struct kern_rtnl *rtnl);

/*
 * A full listing. Of more links, addresses or routes than the limit, those up to one over it are
 * delivered, so that the model notices. Nothing is delivered on failure. -EAGAIN: it kept changing
 * while it was read.
 */
int kern_rtnl_list(struct kern_rtnl *rtnl);
