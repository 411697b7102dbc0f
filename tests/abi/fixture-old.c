/*
 * A plugin of ABI 1.0, for an engine that has a later one. It joins from every other interface,
 * marks all but the first subflow as backup when its timer comes, and uses each part of the
 * structures as they were then. What follows an action in memory is no part of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mptcpize/plugin.h>

_Static_assert(MPTCPIZE_ABI == 1u << 16, "not the header of ABI 1.0");

static int old_init(void **ret_state) {
        void *state = calloc(1, 1);

        if (!state)
                return -ENOMEM;
        *ret_state = state;
        return 0;
}

static int old_config(void *state, const char *key, const char *value) {
        (void)state, (void)key, (void)value;
        return -ENOENT;
}

static int old_emit(struct mptcpize_sink *sink, struct mptcpize_action wanted) {
        struct {
                struct mptcpize_action action;
                unsigned char rest[64];
        } memory;

        memset(&memory, 0xff, sizeof(memory));
        memory.action = wanted;
        memory.action.size = sizeof(memory.action);
        memory.action.reason = "old";
        return sink->emit(sink, &memory.action);
}

static void old_join(const struct mptcpize_view *view, struct mptcpize_sink *sink) {
        for (size_t i = 0; i < view->n_locals; i++)
                if (view->n_subflows && view->locals[i]->ifindex != view->subflows[0]->ifindex)
                        (void)old_emit(sink, (struct mptcpize_action){
                                                             .type = MPTCPIZE_ACTION_CREATE,
                                                             .local = view->locals[i]->address,
                                                             .remote = view->remotes[0]->address,
                                                             .ifindex = view->locals[i]->ifindex,
                                             });
}

static int old_decide(void *state, const struct mptcpize_view *view,
                      const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        (void)state;
        if (!(view->flags & MPTCPIZE_VIEW_ESTABLISHED))
                return 0;
        /* Twice: the second time the daemon has to see that it is there. */
        old_join(view, sink);
        old_join(view, sink);
        if (event->type == MPTCPIZE_EVENT_ESTABLISHED)
                return old_emit(sink, (struct mptcpize_action){ .type = MPTCPIZE_ACTION_TIMER,
                                                                .usec = 1000000 });
        for (size_t i = 1; event->type == MPTCPIZE_EVENT_TIMER && i < view->n_subflows; i++)
                (void)old_emit(sink, (struct mptcpize_action){
                                                     .type = MPTCPIZE_ACTION_BACKUP,
                                                     .local = view->subflows[i]->local,
                                                     .remote = view->subflows[i]->remote,
                                                     .backup = 1,
                                     });
        return 0;
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static const struct mptcpize_plugin plugin = {
                .size = sizeof(plugin),
                .abi = MPTCPIZE_ABI,
                .name = "old",
                .init = old_init,
                .config = old_config,
                .decide = old_decide,
                .done = free,
        };

        return &plugin;
}
