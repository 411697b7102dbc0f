/*
 * What kernels differ in, as far as the daemon cares: one table of what there may be, what it does
 * without, and what is so here. Whoever can find out does: kern/ asks the kernel at the start or
 * learns from its first answers, host/ looks at sysctls. No version counts, as distributions take
 * later work into earlier kernels.
 */
#pragma once

#include <stdbool.h>

enum feature {
        FEATURE_MPTCP,           /* is switched on, which may change at any time */
        FEATURE_PATH_MANAGER,    /* net.mptcp.path_manager */
        FEATURE_CLOSE_TIMEOUT,   /* net.mptcp.close_timeout */
        FEATURE_BLACKHOLE,       /* counter of SYNs with MPTCP that get no answer */
        FEATURE_LISTENER_EVENTS, /* MPTCP_EVENT_LISTENER_* */
        FEATURE_ADDRESS_LISTS,   /* GET_ADDR of a token */
        FEATURE_JOIN_INTERFACE,  /* if_idx and flags of SUBFLOW_CREATE */
        FEATURE_SEQUENCES,       /* counts of bytes in struct mptcp_info */
        FEATURE_HINTS,           /* SO_NETNS_COOKIE */
        FEATURE_FIREWALL,        /* nftables */
        _FEATURE_MAX
};

enum feature_state {
        FEATURE_UNKNOWN, /* the kernel has had no occasion to show it */
        FEATURE_WORKS,
        FEATURE_FALLBACK, /* something else is done instead, to the same end */
        FEATURE_MISSING,  /* what needs it is not to be had */
        _FEATURE_STATE_MAX
};

struct features {
        enum feature_state states[_FEATURE_MAX];
};

/* Whether this kernel has it. */
void features_set(struct features *features, enum feature feature, bool works);

/* For who can do without: its state, unless that is already known. True: it was not. */
bool features_learn(struct features *features, enum feature feature, bool works);

const char *feature_name(enum feature feature);
const char *feature_state_name(enum feature_state state);

/* What is done instead, or what can't be; "" if it works. */
const char *feature_reason(const struct features *features, enum feature feature);
