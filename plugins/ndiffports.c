/*
 * ndiffports: several subflows between the two addresses of the first one, with other source
 * ports, so that networks that spread flows over equal-cost paths (ECMP) have something to spread.
 *
 * For connections that this host opened. The source ports are the kernel's choice: it refuses
 * joins from the first address with ports of ours (Linux 6.18). They are bound to no interface,
 * as the first subflow isn't, so that this host's own equal-cost routes count, too.
 *
 * If the peer wants no joins to its first address (RFC 8684, 3.1), one that it has announced is
 * used instead. If this host has lost the address, the subflows go on from another one, and stay
 * there until they are lost in their turn.
 *
 * Option: "subflows" (2 to 8, default 2), the first one included; max_subflows is a limit to it.
 */
#include <errno.h>
#include <stdlib.h>

#include "view.h"

#define SUBFLOWS_MIN 2u
#define SUBFLOWS_MAX 8u

struct ndiffports {
        struct mptcpize_address home; /* of the first subflow; family 0: not known yet */
        unsigned int subflows;
        bool noted; /* that there is nowhere to go */
};

static int ndiffports_init(void **ret_state) {
        struct ndiffports *state = calloc(1, sizeof(*state));

        if (!state)
                return -ENOMEM;
        state->subflows = SUBFLOWS_MIN;
        *ret_state = state;
        return 0;
}

static int ndiffports_config(void *pstate, const char *key, const char *value) {
        struct ndiffports *state = pstate;
        unsigned int n = (unsigned int)(value[0] - '0');

        if (strcmp(key, "subflows") != 0)
                return -ENOENT;
        if (value[0] < '0' || value[1] || n < SUBFLOWS_MIN || n > SUBFLOWS_MAX)
                return -EINVAL;
        state->subflows = n;
        return 0;
}

/* Where the first subflow is, or, if it was gone when we came, where any other is. */
static void ndiffports_learn_home(struct ndiffports *state, const struct mptcpize_view *view) {
        const struct mptcpize_subflow *from = view_initial(view);

        if (state->home.family || (!from && !view->n_subflows))
                return;
        state->home = (from ? from : view->subflows[0])->local;
        state->home.port = 0;
}

/* The first address of the peer, or else one of the same family; NULL: none takes joins. */
static const struct mptcpize_remote *ndiffports_remote(const struct mptcpize_view *view) {
        const struct mptcpize_remote *first = view->remotes[0];

        if (view_may_join(view, first))
                return first;
        for (size_t i = 1; i < view->n_remotes; i++)
                if (view->remotes[i]->address.family == first->address.family &&
                    view_may_join(view, view->remotes[i]))
                        return view->remotes[i];
        return NULL;
}

static int ndiffports_join(const struct mptcpize_address *local, int32_t ifindex,
                           const struct mptcpize_remote *remote, struct mptcpize_sink *sink) {
        const struct mptcpize_action action = {
                .size = sizeof(action),
                .type = MPTCPIZE_ACTION_CREATE,
                .local = *local,
                .remote = remote->address,
                .ifindex = ifindex,
                .flags = MPTCPIZE_CREATE_ANOTHER,
                .reason = ifindex ? "ndiffports: from here, since the first address is lost"
                                  : "ndiffports: the same path from another port",
        };

        return sink->emit(sink, &action);
}

/* From the first address if that can be, else from the first one that can. */
static int ndiffports_join_any(const struct ndiffports *state, const struct mptcpize_view *view,
                               const struct mptcpize_remote *remote, struct mptcpize_sink *sink) {
        int r = -EADDRNOTAVAIL;

        if (view_local(view, &state->home))
                return ndiffports_join(&state->home, 0, remote, sink);
        for (size_t i = 0; i < view->n_locals && (r == -EADDRNOTAVAIL || r == -ENETUNREACH); i++)
                if (view->locals[i]->address.family == remote->address.family)
                        r = ndiffports_join(&view->locals[i]->address, view->locals[i]->ifindex,
                                            remote, sink);
        return r;
}

static int ndiffports_decide(void *pstate, const struct mptcpize_view *view,
                             const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        struct ndiffports *state = pstate;
        const struct mptcpize_remote *remote;

        (void)event;
        if (!view_is_client(view))
                return 0;
        ndiffports_learn_home(state, view);
        remote = ndiffports_remote(view);
        if (!remote) {
                if (!state->noted)
                        (void)view_note(sink, "ndiffports: the peer wants no joins to its first "
                                              "address, and has no other one");
                state->noted = true;
                return 0;
        }
        state->noted = false;
        for (size_t n = view_n_live(view); n < state->subflows; n++)
                if (ndiffports_join_any(state, view, remote, sink) < 0)
                        break;
        return 0;
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static const struct mptcpize_plugin plugin = {
                .size = sizeof(plugin),
                .abi = MPTCPIZE_ABI,
                .name = "ndiffports",
                .init = ndiffports_init,
                .config = ndiffports_config,
                .decide = ndiffports_decide,
                .done = free,
        };

        return &plugin;
}
