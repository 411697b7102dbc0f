/*
 * Rules and routes of ours (core/routing.h), made to be what is wanted: compared with what the
 * kernel has, so that nothing is made twice, and what somebody has deleted comes back. What does
 * not have our number (ROUTING_PROTOCOL) is not looked at.
 */
#pragma once

#include "../core/routing.h"

struct kern_route;

int kern_route_new(struct kern_route **ret_route);
void kern_route_free(struct kern_route *route);

/*
 * Waits for the kernel. How many were made and deleted; or the first error, with everything done
 * that could be.
 */
int kern_route_apply(struct kern_route *route, const struct routing *wanted);
