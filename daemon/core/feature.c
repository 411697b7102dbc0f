/*
 * What kernels differ in. See feature.h.
 */
#include "feature.h"

struct feature_row {
        const char *name;
        enum feature_state without;
        const char *reason; /* without it */
};

static const struct feature_row rows[_FEATURE_MAX] = {
        [FEATURE_MPTCP] = { "mptcp", FEATURE_MISSING,
                            "net.mptcp.enabled is 0: programs get plain TCP" },
        [FEATURE_PATH_MANAGER] = { "path-manager-name", FEATURE_FALLBACK,
                                   "there is no net.mptcp.path_manager: pm_type is set instead" },
        [FEATURE_CLOSE_TIMEOUT] = { "close-timeout", FEATURE_MISSING,
                                    "there is no net.mptcp.close_timeout: a connection without a "
                                    "path dies after 60 seconds, whatever \"dead_after\" says" },
        [FEATURE_BLACKHOLE] = { "blackhole-counter", FEATURE_MISSING,
                                "SYNs with MPTCP that get no answer are not counted: where they "
                                "are lost, connections fail until a policy says \"off\"" },
        [FEATURE_LISTENER_EVENTS] = { "listener-events", FEATURE_FALLBACK,
                                      "that a program closed its listener is seen by the next "
                                      "comparison with sock_diag, not at once" },
        [FEATURE_ADDRESS_LISTS] = { "address-lists", FEATURE_FALLBACK,
                                    "address ids of connections from before the start are taken "
                                    "from their subflows and from what the last daemon kept" },
        [FEATURE_JOIN_INTERFACE] = { "join-interface", FEATURE_FALLBACK,
                                     "joins are not bound to an interface and don't begin as "
                                     "backup: rules of our own lead them, backup is set later" },
        [FEATURE_SEQUENCES] = { "sequence-numbers", FEATURE_MISSING,
                                "bytes of connections are not counted: no authentication by a "
                                "shared key (\"psk\"), which needs data sequence numbers" },
        [FEATURE_HINTS] = { "netns-cookie", FEATURE_MISSING,
                            "sockets don't tell their network namespace: no hints of programs, so "
                            "policies for their paths have no effect" },
        [FEATURE_FIREWALL] = { "nftables", FEATURE_MISSING,
                               "no join can be kept out: what requires authentication gets none" },
};

void features_set(struct features *features, enum feature feature, bool works) {
        features->states[feature] = works ? FEATURE_WORKS : rows[feature].without;
}

bool features_learn(struct features *features, enum feature feature, bool works) {
        if (features->states[feature] != FEATURE_UNKNOWN)
                return false;
        features_set(features, feature, works);
        return true;
}

const char *feature_name(enum feature feature) {
        return rows[feature].name;
}

const char *feature_state_name(enum feature_state state) {
        static const char *const names[_FEATURE_STATE_MAX] = {
                [FEATURE_UNKNOWN] = "unknown",
                [FEATURE_WORKS] = "works",
                [FEATURE_FALLBACK] = "fallback",
                [FEATURE_MISSING] = "missing",
        };

        return names[state];
}

const char *feature_reason(const struct features *features, enum feature feature) {
        switch (features->states[feature]) {
        case FEATURE_FALLBACK:
        case FEATURE_MISSING:
                return rows[feature].reason;
        case FEATURE_UNKNOWN:
                return "no connection has shown it yet";
        case FEATURE_WORKS:
        case _FEATURE_STATE_MAX:
        default:
                return "";
        }
}
