/*
 * The real kernel: puts together the MPTCP event monitor (here), rtnetlink (kern-rtnl.c), the
 * command threads (kern-command.c) and questions to sock_diag (kern-diag.c). See kern.h.
 */
#include "kern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netlink/msg.h>
#include "../util/log.h"
#include "../util/clock.h"
#include "codec-mptcp.h"
#include "kern-command.h"
#include "kern-diag.h"
#include "kern-feature.h"
#include "kern-listener.h"
#include "kern-route.h"
#include "kern-rtnl.h"
#include "netlink.h"

#define BATCH 64 /* datagrams, or answers, of one dispatch */
/*
 * The same after a loss of events: most connections begin and end within as many, so that nothing
 * is done for those that are gone.
 */
#define BATCH_LOST 4096
#define BACKLOG    24576 /* more datagrams than the buffer of netlink_new_monitor() has room for */

enum { FD_EVENTS, FD_RTNL, FD_ANSWERS, FD_LISTENERS, FD_TIMER };

struct kern_linux {
        struct kern kern;
        struct mptcp_family family;
        struct netlink *events;
        struct netlink *diag;
        struct kern_rtnl *rtnl;
        struct command_pool *pool;
        struct kern_listeners *listeners;
        struct kern_route *route;
        uint32_t behind; /* events were lost: so many datagrams at most may be older than that */
        bool malformed;  /* has been logged */
};

DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)

static struct kern_linux *kern_linux(struct kern *kern) {
        return (struct kern_linux *)kern; /* its first member */
}

static void kern_linux_give(struct kern_linux *self, struct event *event) {
        event->usec = clock_usec();
        self->kern.on_event(event, self->kern.userdata);
}

/* MPTCP events */

/* Listeners of ours are no program's. */
static bool kern_linux_is_own(struct kern_linux *self, const struct event *event) {
        return (event->type == EVENT_LISTENER_CREATED || event->type == EVENT_LISTENER_CLOSED) &&
               kern_listeners_is_own(self->listeners, event);
}

static int on_mptcp_message(const struct nlmsghdr *message, void *userdata) {
        struct kern_linux *self = userdata;
        struct event event;
        int r;

        if (message->nlmsg_type != self->family.id)
                return 0;
        r = codec_mptcp_decode(message, message->nlmsg_len, &event);
        if (r == 0 && kern_linux_is_own(self, &event))
                return 0;
        if (r == 0) {
                kern_linux_give(self, &event);
        } else if (r < 0 && !self->malformed) {
                self->malformed = true;
                log_warning("The kernel sends MPTCP events that can't be read; they are ignored");
        }
        return 0;
}

/*
 * However many messages were lost, the answer to it is one comparison. The kernel says so before
 * all that it had kept until then, up to 20,000 messages; a comparison that is begun before those
 * are read would take what they tell for newer than itself. So it has to wait for the last of them:
 * until there are no more, or so many were read that some must be newer, because the kernel keeps
 * none until all that it had are taken.
 */
static void kern_linux_catch_up(struct kern_linux *self, int error) {
        struct event overrun = { .type = EVENT_OVERRUN };

        if (error == -ENOBUFS) {
                self->behind = BACKLOG;
                return;
        }
        if (!self->behind)
                return;
        self->behind = error == -EAGAIN ? 0 : self->behind - 1;
        if (!self->behind) {
                kern_listeners_lost(self->listeners);
                kern_linux_give(self, &overrun);
        }
}

static int kern_linux_dispatch_events(struct kern_linux *self) {
        int r = 0;

        for (int i = 0; i < (self->behind ? BATCH_LOST : BATCH); i++) {
                r = netlink_read(self->events, on_mptcp_message, self);
                kern_linux_catch_up(self, r);
                if (r < 0 && r != -ENOBUFS)
                        break;
        }
        return r == -EAGAIN || r == -ENOBUFS ? 0 : r;
}

/* Answers of the command threads */

static void kern_linux_give_result(struct kern_linux *self, const struct command *command) {
        const struct action *action = &command->action;
        struct event event = { .type = EVENT_ENTRIES };

        if (command->error < 0)
                return;
        if (action->type == ACTION_QUERY) {
                event.entries = (struct entries_event){ .token = action->token,
                                                        .entries = command->entries.items,
                                                        .n = command->entries.n };
                kern_linux_give(self, &event);
        } else if (action->type == ACTION_SNAPSHOT) {
                event.type = EVENT_SNAPSHOT;
                event.snapshot = &command->snapshot;
                kern_linux_give(self, &event);
        } else if (action->type == ACTION_MEASURE) {
                event.type = EVENT_MEASURED;
                event.measured = (struct measured_event){ .token = action->token,
                                                          .local = action->local,
                                                          .remote = action->remote,
                                                          .measure = command->measure };
                kern_linux_give(self, &event);
        }
}

/* What only a connection shows. */
static void kern_linux_learn(struct kern_linux *self, enum feature feature, bool works) {
        struct features *features = &self->kern.features;

        if (features_learn(features, feature, works) && !works)
                log_notice("this kernel lacks %s: %s", feature_name(feature),
                           feature_reason(features, feature));
}

static void kern_linux_give_outcome(struct kern_linux *self, const struct command *command) {
        struct event event = { .type = EVENT_OUTCOME,
                               .outcome = { .action = command->action,
                                            .error = command->error,
                                            .unbound = command->unbound,
                                            .cpu_usec = command->cpu_usec } };

        if (command->bound || command->unbound)
                kern_linux_learn(self, FEATURE_JOIN_INTERFACE, command->bound);
        memcpy(event.outcome.message, command->message, sizeof(event.outcome.message));
        kern_linux_give(self, &event);
}

static int kern_linux_dispatch_answers(struct kern_linux *self) {
        for (int i = 0; i < BATCH; i++) {
                struct command *command = command_pool_take(self->pool);

                if (!command)
                        return 0;
                if (command->action.type == ACTION_RELEASE)
                        kern_listeners_release(self->listeners, &command->action.local);
                kern_linux_give_result(self, command);
                kern_linux_give_outcome(self, command);
                command_free(command);
        }
        command_pool_rearm(self->pool);
        return 0;
}

/* Operations */

/* The listener comes first: the peer may join as soon as it hears of the port. */
static int kern_linux_announce(struct kern_linux *self, const struct action *action) {
        char message[LIMIT_REASON] = "";
        int error, r;

        error = kern_listeners_hold(self->listeners, &action->local, message);
        r = command_pool_submit_failed(self->pool, action, error, message);
        if (r < 0)
                kern_listeners_release(self->listeners, &action->local);
        return r;
}

static int kern_linux_submit(struct kern *kern, const struct action *action) {
        struct kern_linux *self = kern_linux(kern);

        if (action->type == ACTION_ANNOUNCE && action->listen)
                return kern_linux_announce(self, action);
        return command_pool_submit(self->pool, action);
}

static int kern_linux_list_net(struct kern *kern) {
        return kern_rtnl_list(kern_linux(kern)->rtnl);
}

static int kern_linux_route(struct kern *kern, const struct routing *wanted) {
        return kern_route_apply(kern_linux(kern)->route, wanted);
}

static int kern_linux_measure(struct kern *kern, const struct mptcpize_address *local,
                              const struct mptcpize_address *remote, int32_t ifindex,
                              struct measure *ret_measure) {
        return kern_diag_measure(kern_linux(kern)->diag, local, remote, ifindex, ret_measure);
}

static int kern_linux_owner(struct kern *kern, uint32_t token, struct ownership *ret_owner) {
        return kern_diag_owner(kern_linux(kern)->diag, token, ret_owner);
}

static void kern_linux_fds(struct kern *kern, int ret_fds[static KERN_FDS]) {
        struct kern_linux *self = kern_linux(kern);

        ret_fds[FD_EVENTS] = netlink_fd(self->events);
        ret_fds[FD_RTNL] = kern_rtnl_fd(self->rtnl);
        ret_fds[FD_ANSWERS] = command_pool_fd(self->pool);
        ret_fds[FD_LISTENERS] = kern_listeners_fd(self->listeners);
        ret_fds[FD_TIMER] = kern_rtnl_timer_fd(self->rtnl);
}

static int kern_linux_dispatch(struct kern *kern, int index) {
        struct kern_linux *self = kern_linux(kern);

        switch (index) {
        case FD_EVENTS:
                return kern_linux_dispatch_events(self);
        case FD_RTNL:
                return kern_rtnl_dispatch(self->rtnl);
        case FD_ANSWERS:
                return kern_linux_dispatch_answers(self);
        case FD_LISTENERS:
                kern_listeners_dispatch(self->listeners);
                return 0;
        case FD_TIMER:
                return kern_rtnl_retry(self->rtnl);
        default:
                return -EINVAL;
        }
}

static void kern_linux_free(struct kern *kern) {
        struct kern_linux *self = kern_linux(kern);

        command_pool_free(self->pool);
        kern_listeners_free(self->listeners);
        kern_route_free(self->route);
        kern_rtnl_free(self->rtnl);
        netlink_free(self->diag);
        netlink_free(self->events);
        free(self);
}

static const struct kern_ops ops = {
        .submit = kern_linux_submit,
        .list_net = kern_linux_list_net,
        .route = kern_linux_route,
        .measure = kern_linux_measure,
        .owner = kern_linux_owner,
        .fds = kern_linux_fds,
        .dispatch = kern_linux_dispatch,
        .free = kern_linux_free,
};

/* Setting up */

static int on_family(const struct nlmsghdr *message, void *userdata) {
        return codec_mptcp_decode_family(message, message->nlmsg_len, userdata);
}

static int probe_family(struct netlink *genl, struct mptcp_family *ret_family) {
        _cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);
        struct mptcp_family family = { 0 };
        int r;

        if (!msg)
                return -ENOMEM;
        r = codec_mptcp_encode_family(msg);
        if (r == 0)
                r = netlink_request(genl, nlmsg_hdr(msg), on_family, &family, NULL);
        if (r == -ENOENT)
                return -EOPNOTSUPP;
        if (r < 0)
                return r;
        if (!family.events_group || !family.commands)
                return -EOPNOTSUPP;
        *ret_family = family;
        return 0;
}

/* Older kernels let anybody join the events, but no kernel lets anybody command. */
static int probe_right(struct netlink *genl, uint16_t family) {
        _cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);
        int r;

        if (!msg)
                return -ENOMEM;
        r = codec_mptcp_encode_probe(family, msg);
        if (r < 0)
                return r;
        r = netlink_request(genl, nlmsg_hdr(msg), NULL, NULL, NULL);
        /* -EINVAL is what an allowed request without arguments gets. */
        return r == -EINVAL ? 0 : r;
}

static int probe(struct mptcp_family *ret_family, struct features *features) {
        _cleanup_(netlink_freep) struct netlink *genl = NULL;
        struct mptcp_family family;
        int r;

        r = netlink_new(NETLINK_GENERIC, &genl);
        if (r == 0)
                r = probe_family(genl, &family);
        if (r == 0)
                r = probe_right(genl, family.id);
        if (r < 0)
                return r;
        kern_feature_probe(genl, &family, features);
        family.listless = features->states[FEATURE_ADDRESS_LISTS] == FEATURE_FALLBACK;
        *ret_family = family;
        return 0;
}

static void kern_linux_freep(struct kern_linux **self) {
        if (*self)
                kern_linux_free(&(*self)->kern);
}

int kern_linux_new(kern_event_fn on_event, void *userdata, struct kern **ret_kern) {
        _cleanup_(kern_linux_freep) struct kern_linux *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->kern = (struct kern){ .ops = &ops, .on_event = on_event, .userdata = userdata };
        r = probe(&self->family, &self->kern.features);
        if (r == 0)
                r = netlink_new_monitor(NETLINK_GENERIC, &self->events);
        if (r == 0)
                r = netlink_join(self->events, self->family.events_group);
        if (r == 0)
                r = kern_rtnl_new(on_event, userdata, &self->rtnl);
        if (r == 0)
                r = netlink_new(NETLINK_SOCK_DIAG, &self->diag);
        if (r == 0)
                r = kern_listeners_new(&self->listeners);
        if (r == 0)
                r = kern_route_new(&self->route);
        if (r == 0)
                r = command_pool_new(&self->family, &self->pool);
        if (r < 0)
                return r;
        *ret_kern = &TAKE_PTR(self)->kern;
        return 0;
}
