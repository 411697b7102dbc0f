/*
 * Events. See event.h.
 */
#include "event.h"

static const char *const names[_EVENT_MAX] = {
        [EVENT_CREATED] = "created",
        [EVENT_ESTABLISHED] = "established",
        [EVENT_CLOSED] = "closed",
        [EVENT_ANNOUNCED] = "address announced",
        [EVENT_REMOVED] = "address removed",
        [EVENT_SUB_ESTABLISHED] = "subflow established",
        [EVENT_SUB_CLOSED] = "subflow closed",
        [EVENT_SUB_PRIORITY] = "subflow priority",
        [EVENT_LISTENER_CREATED] = "listener created",
        [EVENT_LISTENER_CLOSED] = "listener closed",
        [EVENT_OVERRUN] = "overrun",
        [EVENT_LINK] = "link",
        [EVENT_LINK_GONE] = "link gone",
        [EVENT_ADDRESS] = "address",
        [EVENT_ADDRESS_GONE] = "address gone",
        [EVENT_ROUTE] = "route",
        [EVENT_ROUTE_GONE] = "route gone",
        [EVENT_RULE] = "rule",
        [EVENT_RULE_GONE] = "rule gone",
        [EVENT_FILTER] = "filter",
        [EVENT_NET_BEGIN] = "network listing begins",
        [EVENT_NET_END] = "network listing ends",
        [EVENT_SNAPSHOT] = "snapshot",
        [EVENT_ENTRIES] = "local entries",
        [EVENT_MEASURED] = "measured",
        [EVENT_OUTCOME] = "outcome",
        [EVENT_STARTED] = "started",
        [EVENT_TICK] = "tick",
        [EVENT_CONFIGURED] = "configured",
        [EVENT_HINT] = "hint",
        [EVENT_OWNER] = "owner",
        [EVENT_ASSIGNED] = "assigned",
        [EVENT_COUNTERS] = "counters",
        [EVENT_JOINS] = "joins",
        [EVENT_INTRUDER] = "intruder",
};

const char *event_name(enum event_type type) {
        return (unsigned int)type < _EVENT_MAX ? names[type] : "unknown";
}

void snapshot_done(struct snapshot *snapshot) {
        ARRAY_DONE(&snapshot->connections);
        ARRAY_DONE(&snapshot->subflows);
        ARRAY_DONE(&snapshot->listeners);
}
