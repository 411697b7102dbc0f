#include "takeover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/gate.h"
#include "core/address.h"
#include "util/log.h"

#define DEAD_AFTER_FIXED 60u /* before Linux 6.7 */
#define JOIN_INITIAL     "allow_join_initial_addr_port"

static bool sysctl_is_there(const char *name) {
        char value[SYSCTL_VALUE];

        return sysctl_read(name, value) != -ENOENT;
}

void takeover_look(struct features *features) {
        features_set(features, FEATURE_PATH_MANAGER, sysctl_is_there("path_manager"));
        features_set(features, FEATURE_CLOSE_TIMEOUT, sysctl_is_there("close_timeout"));
        features_set(features, FEATURE_BLACKHOLE, sysctl_is_there("blackhole_timeout"));
        features_set(features, FEATURE_FIREWALL, gate_is_possible());
        for (enum feature i = 0; i < _FEATURE_MAX; i++)
                if (features->states[i] == FEATURE_MISSING ||
                    features->states[i] == FEATURE_FALLBACK)
                        log_notice("this kernel lacks %s: %s", feature_name(i),
                                   feature_reason(features, i));
}

/* Old kernels (before 6.15) have only pm_type. */
int takeover_path_manager(struct takeover *takeover) {
        int r = sysctl_take(takeover->runtime, "path_manager", "userspace",
                            takeover->previous_path_manager);

        takeover->active = true;
        if (r == -ENOENT) {
                r = sysctl_take(takeover->runtime, "pm_type", "1", takeover->previous_path_manager);
                if (r == 0)
                        snprintf(takeover->previous_path_manager, SYSCTL_VALUE, "%s",
                                 strcmp(takeover->previous_path_manager, "1") == 0 ? "userspace"
                                                                                   : "kernel");
        }
        if (r < 0) {
                log_error("net.mptcp.path_manager can't be set to userspace: %s", strerror(-r));
                return r;
        }
        snprintf(takeover->path_manager, SYSCTL_VALUE, "userspace");
        return 0;
}

static void takeover_dead_after(struct takeover *takeover, uint32_t wanted) {
        char value[SYSCTL_VALUE], previous[SYSCTL_VALUE];
        int r;

        snprintf(value, sizeof(value), "%u", wanted);
        r = sysctl_take(takeover->runtime, "close_timeout", value, previous);
        if (r < 0 && r != -ENOENT)
                log_error("net.mptcp.close_timeout can't be set to %u: %s", wanted, strerror(-r));
        if (r < 0 && sysctl_read("close_timeout", value) < 0)
                snprintf(value, sizeof(value), "%u", DEAD_AFTER_FIXED);
        takeover->dead_after = (uint32_t)strtoul(value, NULL, 10);
}

static void takeover_join_initial(struct takeover *takeover, enum conf_join_initial wanted) {
        const char *value = wanted == CONF_JOIN_INITIAL_ALLOW ? "1" : "0";
        char previous[SYSCTL_VALUE];
        int r;

        if (wanted == CONF_JOIN_INITIAL_UNSET) {
                (void)sysctl_give_back(takeover->runtime, JOIN_INITIAL);
                return;
        }
        r = sysctl_take(takeover->runtime, JOIN_INITIAL, value, previous);
        if (r == -ENOENT)
                log_notice("this kernel has no net.mptcp." JOIN_INITIAL
                           ": \"allow_join_initial\" has no effect");
        else if (r < 0)
                log_error("net.mptcp." JOIN_INITIAL " can't be set to %s: %s", value, strerror(-r));
}

void takeover_follow(struct takeover *takeover, const struct conf *conf) {
        if (takeover->wanted_dead_after != conf->dead_after)
                takeover_dead_after(takeover, conf->dead_after);
        if (takeover->wanted_join_initial != conf->join_initial)
                takeover_join_initial(takeover, conf->join_initial);
        takeover->wanted_dead_after = conf->dead_after;
        takeover->wanted_join_initial = conf->join_initial;
}

/* Routes */

static void route_tell(const struct routing *routing, const struct routing_path *path) {
        char address[ADDRESS_TEXT], text[ROUTING_TEXT];

        log_info("%s: %s: %s", path->name, address_format(&path->address, address),
                 routing_text(routing, path, text));
}

static void route_tell_changes(const struct routing *was, const struct routing *is) {
        char address[ADDRESS_TEXT];

        for (size_t i = 0; i < was->paths.n; i++) {
                const struct routing_path *path = &was->paths.items[i];

                if (!routing_find(is, path->ifindex, &path->address))
                        log_info("%s: %s: no rule of ours is needed any more", path->name,
                                 address_format(&path->address, address));
        }
        for (size_t i = 0; i < is->paths.n; i++) {
                const struct routing_path *path = &is->paths.items[i];
                const struct routing_path *before =
                                routing_find(was, path->ifindex, &path->address);

                if (!before || was->off != is->off || !routing_path_equal(before, path))
                        route_tell(is, path);
        }
}

static bool routing_has_table(const struct routing *routing) {
        for (size_t i = 0; i < routing->paths.n; i++)
                if (routing->paths.items[i].table)
                        return true;
        return false;
}

/* A copy that can't be made costs a line in the log too many. */
static void routing_copy(struct routing *to, const struct routing *from) {
        to->paths.n = 0;
        to->off = from->off;
        for (size_t i = 0; i < from->paths.n; i++)
                (void)ARRAY_APPEND(&to->paths, from->paths.items[i], LIMIT_ROUTING);
}

void takeover_route(struct takeover *takeover, struct kern *kern, const struct routing *wanted) {
        int r = 0;

        if (routing_has_table(wanted) || routing_has_table(&takeover->routing))
                r = kern->ops->route(kern, wanted);
        if (r < 0)
                log_error("rules and routes of our own can't be set: %s", strerror(-r));
        route_tell_changes(&takeover->routing, wanted);
        routing_copy(&takeover->routing, wanted);
}

static int routes_clear(void) {
        int r = kern_clear_routes();

        if (r > 0)
                log_info("%d rules and routes of our own are removed", r);
        else if (r < 0)
                log_error("rules and routes of our own can't be removed: %s", strerror(-r));
        return r;
}

/* The gate */

static bool snapshot_has_token(uint32_t token, void *userdata) {
        const struct snapshot *snapshot = userdata;

        for (size_t i = 0; i < snapshot->connections.n; i++)
                if (snapshot->connections.items[i].token == token)
                        return true;
        return false;
}

static bool snapshot_has_listener(const struct gate_listener *listener, void *userdata) {
        const struct snapshot *snapshot = userdata;

        for (size_t i = 0; i < snapshot->listeners.n; i++) {
                const struct mptcpize_address *at = &snapshot->listeners.items[i].local;

                if (at->port < listener->first || at->port > listener->last)
                        continue;
                if (!listener->prefix.family || address_is_any(at) ||
                    (at->family == listener->prefix.family &&
                     address_in_prefix(at, &listener->prefix, listener->prefix_len)))
                        return true;
        }
        return false;
}

static int snapshot_take(void *userdata) {
        return kern_snapshot(userdata);
}

/* Opens it if nothing is behind it any more; how much there is. */
static int gate_leave(void) {
        struct snapshot snapshot = { .started_usec = 0 };
        const struct gate_lives lives = { snapshot_take, snapshot_has_token, snapshot_has_listener,
                                          &snapshot };
        int r = gate_restore(&lives);

        snapshot_done(&snapshot);
        return r;
}

static void gate_tell_left(void) {
        int n = gate_leave();

        if (n > 0)
                log_notice("%d connections or listeners that require authentication stay "
                           "protected: until mptcpized is started again, nobody joins them. To "
                           "let everybody join: " GATE_REMOVE,
                           n);
}

/* All of it */

void takeover_end(struct takeover *takeover) {
        routing_done(&takeover->routing);
        if (takeover->active) {
                (void)routes_clear(); /* also those that could not be deleted when they should */
                (void)sysctl_restore(takeover->runtime, true);
                gate_tell_left();
        }
        takeover->active = false;
}

int takeover_restore(const char *runtime) {
        int n = routes_clear(), r = sysctl_restore(runtime, true);

        (void)gate_leave();
        if (r < 0 || n < 0)
                return r < 0 ? r : n;
        return n > 0 ? 0 : r;
}

int takeover_restore_last(const char *runtime) {
        int r = takeover_restore(runtime);

        if (r == 0)
                log_notice("the last mptcpized did not end well: what it left is put back");
        if (r < 0)
                log_error("what the last mptcpized left changed can't be put back: %s",
                          strerror(-r));
        return r < 0 ? r : 0;
}
