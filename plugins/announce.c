/*
 * announce: tells clients of this host's other addresses, for servers and load balancers.
 *
 * For connections that the peer opened; it never dials (RFC 8684, 3.2: clients are often behind
 * NATs). Each usable address is announced as soon as the connection is established: not later,
 * because the kernel gives an id of its own to an address at the first join to it (Linux 6.18).
 * Addresses that appear are announced then, those that are lost are withdrawn. That of the first
 * subflow is left out: the peer knows it, or, behind a load balancer, it leads to another server.
 *
 * The view doesn't tell what was announced, so the state keeps that. A new state announces again,
 * which peers take for a repetition. What could not be announced, because the port is somebody
 * else's for example, is tried again when the network or the configuration changes.
 *
 * Options: "port" (0 to 65535, default 0: that of the connection): where joins are to go. With it,
 * IPv6 addresses are announced without: address, port and TCP timestamps don't fit into one header,
 * and the kernel would keep it for ever.
 * "interfaces" (patterns of fnmatch(3), separated by commas; default: all that aren't off).
 * "demote_initial" (true, false; default false): once a join to another address has come, the
 * first subflow is backup, as long as there are others.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "view.h"

#define SENT_MAX     16u /* announced at a time; peers keep few */
#define PATTERN_MAX  64u
#define PATTERNS_MAX 256u

struct sent {
        struct mptcpize_address address;
        bool failed; /* the peer doesn't know it */
};

struct announce {
        struct sent *sent;
        size_t n_sent;
        struct mptcpize_address home; /* of the first subflow; family 0: not known yet */
        char *interfaces;             /* NULL: all */
        uint16_t port;
        bool demote_initial;
};

static int announce_init(void **ret_state) {
        struct announce *state = calloc(1, sizeof(*state));

        if (!state)
                return -ENOMEM;
        *ret_state = state;
        return 0;
}

static void announce_done(void *pstate) {
        struct announce *state = pstate;

        if (!state)
                return;
        free(state->sent);
        free(state->interfaces);
        free(state);
}

/* Options */

static int announce_set_port(struct announce *state, const char *value) {
        char *end;
        unsigned long port = strtoul(value, &end, 10);

        if (value[0] < '0' || value[0] > '9' || *end || port > UINT16_MAX)
                return -EINVAL;
        state->port = (uint16_t)port;
        return 0;
}

/* The length of the first pattern of a list. */
static size_t pattern_length(const char *list) {
        return strcspn(list, ",");
}

static int announce_set_interfaces(struct announce *state, const char *value) {
        char *copy;

        for (const char *at = value;; at += pattern_length(at) + 1) {
                if (!pattern_length(at) || pattern_length(at) >= PATTERN_MAX)
                        return -EINVAL;
                if (!at[pattern_length(at)])
                        break;
        }
        if (strlen(value) >= PATTERNS_MAX)
                return -EINVAL;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(state->interfaces);
        state->interfaces = copy;
        return 0;
}

static int announce_config(void *pstate, const char *key, const char *value) {
        struct announce *state = pstate;

        if (strcmp(key, "port") == 0)
                return announce_set_port(state, value);
        if (strcmp(key, "interfaces") == 0)
                return announce_set_interfaces(state, value);
        if (strcmp(key, "demote_initial") != 0)
                return -ENOENT;
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
                return -EINVAL;
        state->demote_initial = strcmp(value, "true") == 0;
        return 0;
}

/* Addresses */

static bool announce_fits(const struct announce *state, const char *ifname) {
        char pattern[PATTERN_MAX];

        if (!state->interfaces)
                return true;
        for (const char *at = state->interfaces;; at += pattern_length(at) + 1) {
                memcpy(pattern, at, pattern_length(at));
                pattern[pattern_length(at)] = '\0';
                if (fnmatch(pattern, ifname, 0) == 0)
                        return true;
                if (!at[pattern_length(at)])
                        return false;
        }
}

static bool announce_wants(const struct announce *state, const struct mptcpize_local *local) {
        return !view_same_host(&local->address, &state->home) &&
               announce_fits(state, local->ifname);
}

static bool announce_has_sent(const struct announce *state,
                              const struct mptcpize_address *address) {
        for (size_t i = 0; i < state->n_sent; i++)
                if (view_same_host(&state->sent[i].address, address))
                        return true;
        return false;
}

static int announce_emit(uint32_t type, const struct mptcpize_address *address, int32_t ifindex,
                         struct mptcpize_sink *sink, const char *reason) {
        const struct mptcpize_action action = {
                .size = sizeof(action),
                .type = type,
                .local = *address,
                .ifindex = ifindex,
                .reason = reason,
        };

        return sink->emit(sink, &action);
}

static int announce_one(struct announce *state, const struct mptcpize_local *local,
                        struct mptcpize_sink *sink) {
        struct mptcpize_address address = local->address;
        struct sent *sent;
        int r;

        if (state->n_sent == SENT_MAX)
                return -ENOBUFS;
        sent = realloc(state->sent, (state->n_sent + 1) * sizeof(*sent));
        if (!sent)
                return -ENOMEM;
        state->sent = sent;
        address.port = address.family == AF_INET ? state->port : 0;
        r = announce_emit(MPTCPIZE_ACTION_ANNOUNCE, &address, local->ifindex, sink,
                          address.port ? "announce: this host's address, with its own port"
                                       : "announce: this host can be joined here, too");
        if (r < 0)
                return r;
        sent[state->n_sent++] = (struct sent){ .address = address };
        return 0;
}

static void announce_note_failure(struct announce *state, const struct mptcpize_event *event) {
        if (event->type != MPTCPIZE_EVENT_REFUSED || !event->action ||
            event->action->type != MPTCPIZE_ACTION_ANNOUNCE)
                return;
        for (size_t i = 0; i < state->n_sent; i++)
                if (view_same_host(&state->sent[i].address, &event->action->local))
                        state->sent[i].failed = true;
}

/* What has failed may have another chance. */
static void announce_forget_failures(struct announce *state, const struct mptcpize_event *event) {
        size_t kept = 0;

        if (event->type != MPTCPIZE_EVENT_LOCALS_CHANGED &&
            event->type != MPTCPIZE_EVENT_CONFIGURED)
                return;
        for (size_t i = 0; i < state->n_sent; i++)
                if (!state->sent[i].failed)
                        state->sent[kept++] = state->sent[i];
        state->n_sent = kept;
}

/* Where the path of a subflow is lost the daemon tells the peer by itself. */
static bool announce_is_used(const struct mptcpize_view *view,
                             const struct mptcpize_address *address) {
        for (size_t i = 0; i < view->n_subflows; i++)
                if (view_same_host(&view->subflows[i]->local, address))
                        return true;
        return false;
}

static void announce_withdraw_lost(struct announce *state, const struct mptcpize_view *view,
                                   struct mptcpize_sink *sink) {
        size_t kept = 0;

        for (size_t i = 0; i < state->n_sent; i++) {
                const struct sent *sent = &state->sent[i];
                const struct mptcpize_local *local = view_local(view, &sent->address);

                if (local && announce_wants(state, local)) {
                        state->sent[kept++] = *sent;
                        continue;
                }
                if (!sent->failed && !announce_is_used(view, &sent->address))
                        (void)announce_emit(MPTCPIZE_ACTION_WITHDRAW, &sent->address, 0, sink,
                                            "announce: this host has lost the address");
        }
        state->n_sent = kept;
}

static void announce_all(struct announce *state, const struct mptcpize_view *view,
                         struct mptcpize_sink *sink) {
        for (size_t i = 0; i < view->n_locals; i++)
                if (announce_wants(state, view->locals[i]) &&
                    !announce_has_sent(state, &view->locals[i]->address) &&
                    announce_one(state, view->locals[i], sink) < 0)
                        break;
}

/* Roles of subflows */

static bool announce_has_other(const struct announce *state, const struct mptcpize_view *view) {
        for (size_t i = 0; i < view->n_subflows; i++)
                if (view->subflows[i]->state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    !view_same_host(&view->subflows[i]->local, &state->home))
                        return true;
        return false;
}

static void announce_demote(const struct announce *state, const struct mptcpize_view *view,
                            struct mptcpize_sink *sink) {
        const struct mptcpize_subflow *initial = view_initial(view);
        struct mptcpize_action action = {
                .size = sizeof(action),
                .type = MPTCPIZE_ACTION_BACKUP,
                .backup = announce_has_other(state, view),
        };

        if (!state->demote_initial || !initial || initial->state != MPTCPIZE_SUBFLOW_ESTABLISHED ||
            !(initial->flags & MPTCPIZE_SUBFLOW_BACKUP) == !action.backup)
                return;
        action.local = initial->local;
        action.remote = initial->remote;
        action.reason = action.backup ? "announce: the peer has joined another address"
                                      : "announce: no other subflow is left";
        (void)sink->emit(sink, &action);
}

static int announce_decide(void *pstate, const struct mptcpize_view *view,
                           const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        const uint32_t wanted = MPTCPIZE_VIEW_SERVER | MPTCPIZE_VIEW_ESTABLISHED;
        struct announce *state = pstate;

        if ((view->flags & wanted) != wanted)
                return 0;
        if (!state->home.family && view_initial(view))
                state->home = view_initial(view)->local;
        announce_note_failure(state, event);
        announce_forget_failures(state, event);
        announce_withdraw_lost(state, view, sink);
        announce_all(state, view, sink);
        announce_demote(state, view, sink);
        return 0;
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static const struct mptcpize_plugin plugin = {
                .size = sizeof(plugin),
                .abi = MPTCPIZE_ABI,
                .name = "announce",
                .init = announce_init,
                .config = announce_config,
                .decide = announce_decide,
                .done = announce_done,
        };

        return &plugin;
}
