/*
 * What several plugins ask of a view. Nothing here keeps or changes anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <mptcpize/plugin.h>

#define VIEW_SEC  ((uint64_t)1000000)
#define VIEW_MSEC ((uint64_t)1000)

static inline bool view_same_host(const struct mptcpize_address *a,
                                  const struct mptcpize_address *b) {
        return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Pending or established. */
static inline bool view_is_live(const struct mptcpize_subflow *subflow) {
        return subflow->state <= MPTCPIZE_SUBFLOW_ESTABLISHED;
}

static inline bool view_is_client(const struct mptcpize_view *view) {
        return view->flags & MPTCPIZE_VIEW_ESTABLISHED && !(view->flags & MPTCPIZE_VIEW_SERVER);
}

/* May this host join that address of the peer's? */
static inline bool view_may_join(const struct mptcpize_view *view,
                                 const struct mptcpize_remote *remote) {
        return !(remote->flags & MPTCPIZE_REMOTE_INITIAL) ||
               !(view->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL);
}

/* NULL: it is not usable. */
static inline const struct mptcpize_local *view_local(const struct mptcpize_view *view,
                                                      const struct mptcpize_address *address) {
        for (size_t i = 0; i < view->n_locals; i++)
                if (view_same_host(&view->locals[i]->address, address))
                        return view->locals[i];
        return NULL;
}

/* The subflow that opened the connection, or NULL if it is gone. */
static inline const struct mptcpize_subflow *view_initial(const struct mptcpize_view *view) {
        for (size_t i = 0; i < view->n_subflows; i++)
                if (view->subflows[i]->flags & MPTCPIZE_SUBFLOW_INITIAL)
                        return view->subflows[i];
        return NULL;
}

static inline size_t view_n_live(const struct mptcpize_view *view) {
        size_t n = 0;

        for (size_t i = 0; i < view->n_subflows; i++)
                n += view_is_live(view->subflows[i]);
        return n;
}

/* Does the interface have a live subflow (remote: to that address; NULL: to any)? */
static inline bool view_has_live(const struct mptcpize_view *view, int32_t ifindex,
                                 const struct mptcpize_remote *remote) {
        for (size_t i = 0; i < view->n_subflows; i++)
                if (view_is_live(view->subflows[i]) && view->subflows[i]->ifindex == ifindex &&
                    (!remote || view_same_host(&view->subflows[i]->remote, &remote->address)))
                        return true;
        return false;
}

/* The interface of the first subflow; if that is gone, of where it would be opened now; or 0. */
static inline int32_t view_home(const struct mptcpize_view *view) {
        const struct mptcpize_subflow *initial = view_initial(view);

        if (initial)
                return initial->ifindex;
        return view->n_remotes ? view->remotes[0]->ifindex : 0;
}

static inline int view_note(struct mptcpize_sink *sink, const char *reason) {
        const struct mptcpize_action action = { .size = sizeof(action),
                                                .type = MPTCPIZE_ACTION_NOTE,
                                                .reason = reason };

        return sink->emit(sink, &action);
}

/* type: MPTCPIZE_ACTION_TIMER or MPTCPIZE_ACTION_WATCH; usec 0 ends it. */
static inline int view_wait(struct mptcpize_sink *sink, uint32_t type, uint64_t usec) {
        const struct mptcpize_action action = {
                .size = sizeof(action), .type = type, .usec = usec, .reason = ""
        };

        return sink->emit(sink, &action);
}
