/*
 * fullmesh: every usable local address to every address of the server, up to the limit.
 *
 * For connections that this host opened: once established, one subflow from each usable local
 * address to the server's address, and to each address that the server announces. Interfaces with
 * the role "backup" get backup subflows. A server never dials (RFC 8684, 3.2: clients are often
 * behind NATs).
 *
 * Where the limit leaves no room for all pairs, every interface comes before second addresses of
 * the same one.
 *
 * The plugin has no memory of what it did: at every event it asks for all pairs, and the daemon
 * leaves out those that are there, not possible, or refused by the peer. What was made under other
 * roles or options is put right when a connection is adopted or the configuration was read again;
 * not at every event, so that a user may overrule it.
 *
 * Option: "announced" (true, false; default true): also join announced addresses.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mptcpize/plugin.h>

struct fullmesh {
        bool announced;
};

static int fullmesh_init(void **ret_state) {
        struct fullmesh *state = calloc(1, sizeof(*state));

        if (!state)
                return -ENOMEM;
        state->announced = true;
        *ret_state = state;
        return 0;
}

static int fullmesh_config(void *pstate, const char *key, const char *value) {
        struct fullmesh *state = pstate;

        if (strcmp(key, "announced") != 0)
                return -ENOENT;
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
                return -EINVAL;
        state->announced = strcmp(value, "true") == 0;
        return 0;
}

static bool same_host(const struct mptcpize_address *a, const struct mptcpize_address *b) {
        return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool is_local(const struct mptcpize_view *view, const struct mptcpize_address *address) {
        for (size_t i = 0; i < view->n_locals; i++)
                if (same_host(&view->locals[i]->address, address))
                        return true;
        return false;
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
                    same_host(&subflow->remote, &remote->address) &&
                    !is_local(view, &subflow->local))
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

/* Does the interface of this address have neither a subflow to remote nor an earlier address? */
static bool is_first(const struct mptcpize_view *view, size_t index,
                     const struct mptcpize_remote *remote) {
        const struct mptcpize_local *local = view->locals[index];

        for (size_t i = 0; i < index; i++)
                if (view->locals[i]->ifindex == local->ifindex &&
                    view->locals[i]->address.family == local->address.family)
                        return false;
        for (size_t i = 0; i < view->n_subflows; i++) {
                const struct mptcpize_subflow *subflow = view->subflows[i];

                if (subflow->state <= MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    subflow->ifindex == local->ifindex &&
                    same_host(&subflow->remote, &remote->address))
                        return false;
        }
        return true;
}

/* One subflow for each interface before any interface gets its second one. */
static void fullmesh_join_all(const struct mptcpize_view *view, struct mptcpize_sink *sink,
                              const struct mptcpize_remote *remote, bool first) {
        for (size_t i = 0; i < view->n_locals; i++)
                if (is_first(view, i, remote) == first)
                        fullmesh_join(view, sink, view->locals[i], remote);
}

/* NULL: the address is not usable, and then it is not for us to judge. */
static const struct mptcpize_local *local_of(const struct mptcpize_view *view,
                                             const struct mptcpize_subflow *subflow) {
        for (size_t i = 0; i < view->n_locals; i++)
                if (same_host(&view->locals[i]->address, &subflow->local))
                        return view->locals[i];
        return NULL;
}

static bool is_announced(const struct mptcpize_view *view, const struct mptcpize_subflow *subflow) {
        for (size_t i = 0; i < view->n_remotes; i++)
                if (same_host(&view->remotes[i]->address, &subflow->remote))
                        return !(view->remotes[i]->flags & MPTCPIZE_REMOTE_INITIAL);
        return false;
}

static void fullmesh_correct(const struct fullmesh *state, const struct mptcpize_view *view,
                             struct mptcpize_sink *sink, const struct mptcpize_subflow *subflow) {
        const uint32_t kind = MPTCPIZE_SUBFLOW_OURS | MPTCPIZE_SUBFLOW_INITIAL;
        const struct mptcpize_local *local = local_of(view, subflow);
        struct mptcpize_action action = {
                .size = sizeof(action),
                .type = MPTCPIZE_ACTION_BACKUP,
                .local = subflow->local,
                .remote = subflow->remote,
                .backup = local && local->role == MPTCPIZE_ROLE_BACKUP,
                .reason = "fullmesh: the role of the interface says so",
        };

        if (subflow->state != MPTCPIZE_SUBFLOW_ESTABLISHED ||
            (subflow->flags & kind) != MPTCPIZE_SUBFLOW_OURS)
                return;
        if (!state->announced && is_announced(view, subflow)) {
                action.type = MPTCPIZE_ACTION_DESTROY;
                action.reason = "fullmesh: announced addresses are not joined";
                (void)sink->emit(sink, &action);
        } else if (local && !(subflow->flags & MPTCPIZE_SUBFLOW_BACKUP) != !action.backup) {
                (void)sink->emit(sink, &action);
        }
}

static int fullmesh_decide(void *pstate, const struct mptcpize_view *view,
                           const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        const struct fullmesh *state = pstate;

        if (view->flags & MPTCPIZE_VIEW_SERVER || !(view->flags & MPTCPIZE_VIEW_ESTABLISHED))
                return 0;
        if (event->type == MPTCPIZE_EVENT_ADOPTED || event->type == MPTCPIZE_EVENT_CONFIGURED)
                for (size_t i = 0; i < view->n_subflows; i++)
                        fullmesh_correct(state, view, sink, view->subflows[i]);
        for (int round = 0; round < 2; round++)
                for (size_t i = 0; i < view->n_remotes; i++) {
                        bool initial = view->remotes[i]->flags & MPTCPIZE_REMOTE_INITIAL;

                        if (initial ? view->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL
                                    : !state->announced)
                                continue;
                        fullmesh_join_all(view, sink, view->remotes[i], round == 0);
                }
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
