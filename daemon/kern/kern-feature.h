/*
 * What this kernel has of the path-manager API: asked once, at the start, with questions that
 * change nothing. What only connections show is learned from them.
 */
#pragma once

#include "../core/feature.h"
#include "codec-mptcp.h"
#include "netlink.h"

/* genl: of NETLINK_GENERIC. What can't be found out stays unknown, which is no error. */
void kern_feature_probe(struct netlink *genl, const struct mptcp_family *family,
                        struct features *features);
