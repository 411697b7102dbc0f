/*
 * fullmesh: every usable local address to every address of the server, up to the limit.
 *
 * For connections that this host opened: once established, one subflow from each usable local
 * address to the server's address, and to each address that the server announces. Interfaces with
 * the role "backup" get backup subflows, and if the program's own connection started there, it
 * becomes one. A server never dials (RFC 8684, 3.2: clients are often behind NATs).
 *
 * Where the limit leaves no room for all pairs: first each interface gets a subflow, to where its
 * own routes lead if that is known; then come pairs on the route's own interface, then crossed
 * ones, and last second addresses of an interface.
 *
 * The plugin has no memory of what it did: at every event it asks for all pairs, and the daemon
 * leaves out those that are there, not possible, or refused by the peer. What was made under other
 * roles or options is put right when a connection is adopted or the configuration was read again;
 * not at every event, so that a user may overrule it.
 *
 * Short connections don't gain by a second subflow, so it can be put off: until so many bytes have
 * been moved, and until so much time has gone by, with up to a quarter more of it so that many
 * connections don't start at once. Once there are subflows, or none is left, there is no waiting.
 *
 * Options: "announced" (true, false; default true): also join announced addresses.
 * "start_after_bytes", "start_after_ms" (0 to 4294967295; default 0).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "view.h"

#define WATCH_USEC (200 * VIEW_MSEC) /* while bytes are counted */

struct fullmesh {
        bool announced;
        bool started;
        bool waited; /* start_after_ms is over */
        uint32_t start_after_bytes;
        uint32_t start_after_ms;
};

static int fullmesh_init(void **ret_state) {
        struct fullmesh *state = calloc(1, sizeof(*state));

        if (!state)
                return -ENOMEM;
        state->announced = true;
        *ret_state = state;
        return 0;
}

static int fullmesh_set_number(uint32_t *number, const char *value) {
        char *end;
        unsigned long long n;

        errno = 0;
        n = strtoull(value, &end, 10);
        if (value[0] < '0' || value[0] > '9' || *end || errno || n > UINT32_MAX)
                return -EINVAL;
        *number = (uint32_t)n;
        return 0;
}

static int fullmesh_config(void *pstate, const char *key, const char *value) {
        struct fullmesh *state = pstate;

        if (strcmp(key, "start_after_bytes") == 0)
                return fullmesh_set_number(&state->start_after_bytes, value);
        if (strcmp(key, "start_after_ms") == 0)
                return fullmesh_set_number(&state->start_after_ms, value);
        if (strcmp(key, "announced") != 0)
                return -ENOENT;
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
                return -EINVAL;
        state->announced = strcmp(value, "true") == 0;
        return 0;
}

/* Start */

static uint64_t fullmesh_moved(const struct mptcpize_view *view) {
        uint64_t bytes = 0;

        for (size_t i = 0; i < view->n_subflows; i++)
                bytes += view->subflows[i]->bytes_acked + view->subflows[i]->bytes_received;
        return bytes;
}

static void fullmesh_arm(struct fullmesh *state, const struct mptcpize_view *view,
                         struct mptcpize_sink *sink) {
        const uint64_t usec = state->start_after_ms * VIEW_MSEC;

        if (state->start_after_bytes)
                (void)view_wait(sink, MPTCPIZE_ACTION_WATCH, WATCH_USEC);
        state->waited = !usec;
        if (usec)
                (void)view_wait(sink, MPTCPIZE_ACTION_TIMER, usec + view->random % (usec / 4 + 1));
}

/* Is it time for joins? */
static bool fullmesh_start(struct fullmesh *state, const struct mptcpize_view *view,
                           const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        if (state->started || (!state->start_after_bytes && !state->start_after_ms))
                return true;
        if (event->type == MPTCPIZE_EVENT_ESTABLISHED || event->type == MPTCPIZE_EVENT_ADOPTED ||
            event->type == MPTCPIZE_EVENT_CONFIGURED)
                fullmesh_arm(state, view, sink);
        state->waited |= event->type == MPTCPIZE_EVENT_TIMER;
        state->started = view_n_live(view) != 1 ||
                         (state->waited && fullmesh_moved(view) >= state->start_after_bytes);
        if (state->started) {
                (void)view_wait(sink, MPTCPIZE_ACTION_WATCH, 0);
                (void)view_wait(sink, MPTCPIZE_ACTION_TIMER, 0);
        }
        return state->started;
}

/*
 * Does a subflow from a passing address of the same interface (a temporary one of RFC 8981, say)
 * already go there? A second one would share its path and win nothing.
 */
static bool is_covered(const struct mptcpize_view *view, const struct mptcpize_local *local,
                       const struct mptcpize_remote *remote) {
        for (size_t i = 0; i < view->n_subflows; i++) {
                const struct mptcpize_subflow *subflow = view->subflows[i];

                if (subflow->state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    subflow->ifindex == local->ifindex &&
                    subflow->local.family == local->address.family &&
                    view_same_host(&subflow->remote, &remote->address) &&
                    !view_local(view, &subflow->local))
                        return true;
        }
        return false;
}

static void fullmesh_join(const struct mptcpize_view *view, struct mptcpize_sink *sink,
                          const struct mptcpize_local *local,
                          const struct mptcpize_remote *remote) {
        char reason[96];
        struct mptcpize_action action = {
                .size = sizeof(action),
                .type = MPTCPIZE_ACTION_CREATE,
                .local = local->address,
                .remote = remote->address,
                .ifindex = local->ifindex,
                .backup = local->role == MPTCPIZE_ROLE_BACKUP,
                .reason = reason,
        };

        if (local->address.family != remote->address.family || is_covered(view, local, remote))
                return;
        snprintf(reason, sizeof(reason), "fullmesh: %s to the server's %s address%s", local->ifname,
                 remote->flags & MPTCPIZE_REMOTE_INITIAL ? "first" : "announced",
                 action.backup ? ", as backup" : "");
        (void)sink->emit(sink, &action);
}

static bool fullmesh_may_join(const struct fullmesh *state, const struct mptcpize_view *view,
                              const struct mptcpize_remote *remote) {
        return view_may_join(view, remote) &&
               (state->announced || remote->flags & MPTCPIZE_REMOTE_INITIAL);
}

static bool is_matched(const struct mptcpize_local *local, const struct mptcpize_remote *remote) {
        return local->ifindex == remote->ifindex;
}

/* Where the first subflow of an interface goes; NULL: nowhere. */
static const struct mptcpize_remote *first_remote(const struct fullmesh *state,
                                                  const struct mptcpize_view *view,
                                                  const struct mptcpize_local *local) {
        const struct mptcpize_remote *first = NULL;

        for (size_t i = 0; i < view->n_remotes; i++) {
                const struct mptcpize_remote *remote = view->remotes[i];

                if (remote->address.family != local->address.family ||
                    !fullmesh_may_join(state, view, remote))
                        continue;
                if (is_matched(local, remote))
                        return remote;
                if (!first)
                        first = remote;
        }
        return first;
}

static bool is_first_address(const struct mptcpize_view *view, const struct mptcpize_local *local) {
        for (size_t i = 0; view->locals[i] != local; i++)
                if (view->locals[i]->ifindex == local->ifindex &&
                    view->locals[i]->address.family == local->address.family)
                        return false;
        return true;
}

#define RANKS 6u

/* In which round a pair is asked for. */
static unsigned int rank(const struct fullmesh *state, const struct mptcpize_view *view,
                         const struct mptcpize_local *local, const struct mptcpize_remote *remote) {
        const unsigned int crossed = !is_matched(local, remote);

        if (!is_first_address(view, local) || view_has_live(view, local->ifindex, remote))
                return 4 + crossed;
        if (!view_has_live(view, local->ifindex, NULL) &&
            first_remote(state, view, local) == remote)
                return crossed;
        return 2 + crossed;
}

/* All pairs of a rank, those to the server's first address first. */
static void fullmesh_join_rank(const struct fullmesh *state, const struct mptcpize_view *view,
                               struct mptcpize_sink *sink, unsigned int wanted) {
        for (size_t i = 0; i < view->n_remotes; i++)
                for (size_t j = 0; j < view->n_locals; j++)
                        if (fullmesh_may_join(state, view, view->remotes[i]) &&
                            rank(state, view, view->locals[j], view->remotes[i]) == wanted)
                                fullmesh_join(view, sink, view->locals[j], view->remotes[i]);
}

static bool is_announced(const struct mptcpize_view *view, const struct mptcpize_subflow *subflow) {
        for (size_t i = 0; i < view->n_remotes; i++)
                if (view_same_host(&view->remotes[i]->address, &subflow->remote))
                        return !(view->remotes[i]->flags & MPTCPIZE_REMOTE_INITIAL);
        return false;
}

static void fullmesh_correct(const struct fullmesh *state, const struct mptcpize_view *view,
                             struct mptcpize_sink *sink, const struct mptcpize_subflow *subflow) {
        const uint32_t ours = MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_INITIAL;
        const struct mptcpize_local *local = view_local(view, &subflow->local);
        struct mptcpize_action action = {
                .size = sizeof(action),
                .type = MPTCPIZE_ACTION_BACKUP,
                .local = subflow->local,
                .remote = subflow->remote,
                .backup = local && local->role == MPTCPIZE_ROLE_BACKUP,
                .reason = "fullmesh: the role of the interface says so",
        };

        if (subflow->state != MPTCPIZE_SUBFLOW_ESTABLISHED || !(subflow->flags & ours))
                return;
        if (!state->announced && is_announced(view, subflow)) {
                action.type = MPTCPIZE_ACTION_DESTROY;
                action.reason = "fullmesh: announced addresses are not joined";
                (void)sink->emit(sink, &action);
        } else if (local && !(subflow->flags & MPTCPIZE_SUBFLOW_BACKUP) != !action.backup) {
                (void)sink->emit(sink, &action);
        }
}

/* The initial subflow may have started at an interface that is for backup only. */
static bool fullmesh_has_new_roles(const struct mptcpize_event *event) {
        return event->type == MPTCPIZE_EVENT_ESTABLISHED || event->type == MPTCPIZE_EVENT_ADOPTED ||
               event->type == MPTCPIZE_EVENT_CONFIGURED ||
               event->type == MPTCPIZE_EVENT_LOCALS_CHANGED;
}

static int fullmesh_decide(void *pstate, const struct mptcpize_view *view,
                           const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        struct fullmesh *state = pstate;

        if (!view_is_client(view))
                return 0;
        if (fullmesh_has_new_roles(event))
                for (size_t i = 0; i < view->n_subflows; i++)
                        fullmesh_correct(state, view, sink, view->subflows[i]);
        if (!fullmesh_start(state, view, event, sink))
                return 0;
        for (unsigned int i = 0; i < RANKS; i++)
                fullmesh_join_rank(state, view, sink, i);
        return 0;
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static const struct mptcpize_plugin plugin = {
                .size = sizeof(plugin),
                .abi = MPTCPIZE_ABI,
                .name = "fullmesh",
                .init = fullmesh_init,
                .config = fullmesh_config,
                .decide = fullmesh_decide,
                .done = free,
        };

        return &plugin;
}
