#include "plugin-random.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MANY 300u /* more than one decision may have */

static struct {
        struct chaos *chaos; /* a plugin has no other way to its numbers */
        size_t states;
} self;

static uint32_t any(uint32_t n) {
        return chaos_any(self.chaos, n);
}

static int random_init(void **ret_state) {
        if (any(16) == 15)
                return -ENOMEM;
        *ret_state = malloc(1);
        assert(*ret_state);
        self.states++;
        return 0;
}

static int random_config(void *state, const char *key, const char *value) {
        assert(state && key && value);
        return 0;
}

static void random_done(void *state) {
        self.states -= state != NULL;
        free(state);
}

/* What it is shown */

static void check_view(const struct mptcpize_view *view) {
        assert(view->size == sizeof(*view) && view->token && view->max_subflows);
        assert(view->n_locals <= LIMIT_LOCALS && view->n_remotes <= LIMIT_REMOTES);
        assert(view->n_subflows <= LIMIT_SUBFLOWS && view->n_remotes > 0);
        for (size_t i = 0; i < view->n_locals; i++) {
                assert(view->locals[i]->size == sizeof(*view->locals[i]));
                assert(view->locals[i]->ifname && !view->locals[i]->address.port);
                assert(view->locals[i]->role < MPTCPIZE_ROLE_OFF);
        }
        for (size_t i = 0; i < view->n_remotes; i++)
                assert(view->remotes[i]->size == sizeof(*view->remotes[i]));
        assert(view->remotes[0]->flags & MPTCPIZE_REMOTE_INITIAL);
        for (size_t i = 0; i < view->n_subflows; i++)
                assert(view->subflows[i]->size == sizeof(*view->subflows[i]));
}

static void check_event(const struct mptcpize_event *event) {
        assert(event->size == sizeof(*event));
        switch ((enum mptcpize_event_type)event->type) {
        case MPTCPIZE_EVENT_ANNOUNCED:
        case MPTCPIZE_EVENT_WITHDRAWN:
                assert(event->remote && event->remote->id);
                break;
        case MPTCPIZE_EVENT_SUBFLOW_ESTABLISHED:
        case MPTCPIZE_EVENT_SUBFLOW_CLOSED:
        case MPTCPIZE_EVENT_SUBFLOW_DEAD:
        case MPTCPIZE_EVENT_SUBFLOW_PRIORITY:
                assert(event->subflow && event->subflow->size == sizeof(*event->subflow));
                break;
        case MPTCPIZE_EVENT_REFUSED:
                assert(event->action && event->action->reason && event->error < 0);
                break;
        case MPTCPIZE_EVENT_ESTABLISHED:
        case MPTCPIZE_EVENT_ADOPTED:
        case MPTCPIZE_EVENT_LOCALS_CHANGED:
        case MPTCPIZE_EVENT_TIMER:
        case MPTCPIZE_EVENT_CONFIGURED:
        case MPTCPIZE_EVENT_SAMPLE:
                break;
        default:
                assert(!"known");
        }
}

/* What it wants */

static struct mptcpize_address any_address(const struct mptcpize_view *view, bool local) {
        struct mptcpize_address garbage = { .family = (uint16_t)any(12), .port = (uint16_t)any(3) };
        const uint32_t which = any(8), i = any(64);

        if (which < 3 && local && view->n_locals)
                return view->locals[i % view->n_locals]->address;
        if (which < 3 && !local)
                return view->remotes[i % view->n_remotes]->address;
        if (which < 6 && view->n_subflows)
                return local ? view->subflows[i % view->n_subflows]->local
                             : view->subflows[i % view->n_subflows]->remote;
        if (which < 7)
                return local ? chaos_local(self.chaos, i & 1) : chaos_remote(self.chaos);
        for (size_t k = 0; k < sizeof(garbage.bytes); k++)
                garbage.bytes[k] = (uint8_t)any(256);
        return garbage;
}

static const char *any_reason(void) {
        static const char longer[] = "a reason that is longer than what is kept of one, by so much "
                                     "that it has to be cut, in the midst of \xe2\x82\xac\xe2\x82";
        static const char *const reasons[] = { NULL, "", "it is time", "\xff\n\x1b[2J", longer };

        return reasons[any(sizeof(reasons) / sizeof(*reasons))];
}

static uint64_t any_usec(void) {
        const uint64_t around[] = { 0, 1, 100000, 1000000, UINT32_MAX, UINT64_MAX };

        return around[any(sizeof(around) / sizeof(*around))] - any(2);
}

/* The host takes no more than it says, so that what is behind may be anything. */
static size_t any_size(void) {
        return any(4) ? sizeof(struct mptcpize_action) : any(2 * sizeof(struct mptcpize_action));
}

static bool is_told(int r) {
        static const int errors[] = {
                0,      -EINVAL, -ENOTCONN,      -ENOENT,      -EPERM,   -EACCES,
                -EBUSY, -E2BIG,  -EADDRNOTAVAIL, -ENETUNREACH, -ENOBUFS, -ECONNREFUSED
        };

        for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
                if (r == errors[i])
                        return true;
        return false;
}

static void want(const struct mptcpize_view *view, struct mptcpize_sink *sink) {
        struct mptcpize_action actions[2] = { { 0 } }, *action = actions;

        action->size = any_size();
        action->type = any(10);
        action->local = any_address(view, true);
        action->remote = any_address(view, false);
        action->ifindex = any(4) ? 0 : (int32_t)any(5);
        action->backup = any(3);
        action->usec = any_usec();
        action->reason = any_reason();
        action->flags = any(4);
        assert(is_told(sink->emit(sink, action)));
}

/* So many would use up all bytes. */
static void want_much(const struct mptcpize_view *view, struct mptcpize_sink *sink) {
        const uint8_t *bytes = self.chaos->bytes;

        self.chaos->random = any(256) + 1;
        self.chaos->bytes = NULL;
        for (uint32_t i = 0; i < MANY; i++)
                want(view, sink);
        self.chaos->bytes = bytes;
}

static int random_decide(void *state, const struct mptcpize_view *view,
                         const struct mptcpize_event *event, struct mptcpize_sink *sink) {
        const uint32_t n = any(8);

        assert(state);
        check_view(view);
        check_event(event);
        for (uint32_t i = 0; i < n && n < 4; i++)
                want(view, sink);
        if (n == 7)
                want_much(view, sink);
        return n == 6 ? -EINVAL : 0;
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static const struct mptcpize_plugin plugin = {
                .size = sizeof(plugin),
                .abi = MPTCPIZE_ABI,
                .name = "random",
                .init = random_init,
                .config = random_config,
                .decide = random_decide,
                .done = random_done,
        };

        return &plugin;
}

void plugin_random_begin(struct chaos *chaos) {
        self.chaos = chaos;
        self.states = 0;
}

void plugin_random_end(void) {
        assert(self.states == 0);
}
