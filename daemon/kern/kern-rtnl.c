/*
 * The host's network. See kern-rtnl.h.
 */
#include "kern-rtnl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "../util/clock.h"
#include "codec-rtnl.h"
#include "netlink.h"

#define BATCH 64 /* datagrams of one dispatch */
#define TRIES 8  /* of a listing that is interrupted by changes */

/* After a listing has failed: not with the next change, of which there may be thousands. */
#define RETRY_NSEC 500000000

struct kern_rtnl {
        kern_event_fn on_event;
        void *userdata;
        struct netlink *monitor;
        struct netlink *lister;
        ARRAY_OF(int32_t) down; /* links known to be down: their routes are gone already */
        bool stale;             /* a listing is due, */
        bool later;             /* but not before the timer says so: the last one failed */
        int timer;
};

int kern_rtnl_fd(const struct kern_rtnl *rtnl) {
        return netlink_fd(rtnl->monitor);
}

int kern_rtnl_timer_fd(const struct kern_rtnl *rtnl) {
        return rtnl->timer;
}

void kern_rtnl_free(struct kern_rtnl *rtnl) {
        if (!rtnl)
                return;
        netlink_free(rtnl->monitor);
        netlink_free(rtnl->lister);
        closep(&rtnl->timer);
        ARRAY_DONE(&rtnl->down);
        free(rtnl);
}

DEFINE_CLEANUP(struct kern_rtnl *, kern_rtnl_free)

int kern_rtnl_new(kern_event_fn on_event, void *userdata, struct kern_rtnl **ret_rtnl) {
        static const uint32_t groups[] = { RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR,
                                           RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                           RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
                                           RTNLGRP_IPV6_RULE,   RTNLGRP_IPV4_NETCONF };
        _cleanup_(kern_rtnl_freep) struct kern_rtnl *rtnl = calloc(1, sizeof(*rtnl));
        int r;

        if (!rtnl)
                return -ENOMEM;
        rtnl->on_event = on_event;
        rtnl->userdata = userdata;
        rtnl->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (rtnl->timer < 0)
                return -errno;
        r = netlink_new(NETLINK_ROUTE, &rtnl->lister);
        if (r == 0)
                r = netlink_new_monitor(NETLINK_ROUTE, &rtnl->monitor);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(groups); i++)
                r = netlink_join(rtnl->monitor, groups[i]);
        if (r < 0)
                return r;
        *ret_rtnl = TAKE_PTR(rtnl);
        return 0;
}

/* Links that are down */

/* Notes the state of a link; true if it was not known to be down and now is. */
static bool rtnl_note_link(struct kern_rtnl *rtnl, int32_t ifindex, bool up) {
        for (size_t i = 0; i < rtnl->down.n; i++)
                if (rtnl->down.items[i] == ifindex) {
                        if (up)
                                ARRAY_REMOVE(&rtnl->down, i);
                        return false;
                }
        /* One that can't be noted is news again next time: a listing too many. */
        if (!up)
                (void)ARRAY_APPEND(&rtnl->down, ifindex, LIMIT_LINKS);
        return !up;
}

/* Does this event make a listing necessary? */
static bool rtnl_is_lossy(struct kern_rtnl *rtnl, const struct nlmsghdr *message,
                          const struct event *event) {
        if (event->type == EVENT_LINK)
                return rtnl_note_link(rtnl, event->link.ifindex, event->link.up);
        if (event->type == EVENT_LINK_GONE)
                (void)rtnl_note_link(rtnl, event->link.ifindex, true);
        return codec_rtnl_is_lossy(message, event);
}

/* Listing */

struct listing {
        ARRAY_OF(struct event) events;
        size_t counts[_EVENT_MAX];
        int error;
};

static void on_listed(const struct event *event, void *userdata) {
        static const size_t limits[_EVENT_MAX] = {
                [EVENT_LINK] = LIMIT_LINKS,   [EVENT_ADDRESS] = LIMIT_ADDRESSES,
                [EVENT_ROUTE] = LIMIT_ROUTES, [EVENT_RULE] = LIMIT_RULES,
                [EVENT_FILTER] = LIMIT_LINKS,
        };
        struct listing *listing = userdata;

        if (listing->error < 0 || listing->counts[event->type] > limits[event->type])
                return;
        listing->counts[event->type]++;
        listing->error = ARRAY_APPEND(&listing->events, *event, SIZE_MAX / sizeof(*event));
}

static int on_list_message(const struct nlmsghdr *message, void *userdata) {
        struct listing *listing = userdata;
        int r;

        r = codec_rtnl_decode(message, message->nlmsg_len, on_listed, listing);
        return r < 0 ? r : listing->error;
}

static int rtnl_list_once(struct kern_rtnl *rtnl, struct listing *listing) {
        static const uint16_t types[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE,
                                          RTM_GETNETCONF };
        struct rtnl_request request;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
                codec_rtnl_list(types[i], &request);
                r = netlink_request(rtnl->lister, &request.header, on_list_message, listing, NULL);
                /* A kernel without rules has none. */
                if (r < 0 && !(r == -EOPNOTSUPP && types[i] >= RTM_GETRULE))
                        return r;
        }
        return 0;
}

static void rtnl_give(struct kern_rtnl *rtnl, struct event *event, uint64_t usec) {
        event->usec = usec;
        rtnl->on_event(event, rtnl->userdata);
}

static void rtnl_give_listing(struct kern_rtnl *rtnl, struct listing *listing) {
        const uint64_t usec = clock_usec();
        struct event begin = { .type = EVENT_NET_BEGIN }, end = { .type = EVENT_NET_END };

        rtnl_give(rtnl, &begin, usec);
        for (size_t i = 0; i < listing->events.n; i++) {
                struct event *event = &listing->events.items[i];

                if (event->type == EVENT_LINK)
                        (void)rtnl_note_link(rtnl, event->link.ifindex, event->link.up);
                rtnl_give(rtnl, event, usec);
        }
        rtnl_give(rtnl, &end, usec);
}

static void rtnl_set_later(struct kern_rtnl *rtnl, bool later) {
        const struct itimerspec when = { .it_value.tv_nsec = later ? RETRY_NSEC : 0 };

        rtnl->later = later && timerfd_settime(rtnl->timer, 0, &when, NULL) == 0;
}

int kern_rtnl_list(struct kern_rtnl *rtnl) {
        int r = -EINTR;

        for (int i = 0; i < TRIES && r == -EINTR; i++) {
                struct listing listing = { .error = 0 };

                r = rtnl_list_once(rtnl, &listing);
                rtnl->stale = r < 0;
                if (r == 0)
                        rtnl_give_listing(rtnl, &listing);
                ARRAY_DONE(&listing.events);
        }
        rtnl_set_later(rtnl, r < 0);
        return r == -EINTR ? -EAGAIN : r;
}

/* Monitor */

struct delivery {
        struct kern_rtnl *rtnl;
        const struct nlmsghdr *message;
};

static void on_change(const struct event *event, void *userdata) {
        struct delivery *delivery = userdata;
        struct event stamped = *event;

        if (rtnl_is_lossy(delivery->rtnl, delivery->message, event))
                delivery->rtnl->stale = true;
        rtnl_give(delivery->rtnl, &stamped, clock_usec());
}

static int on_monitor_message(const struct nlmsghdr *message, void *userdata) {
        struct delivery delivery = { userdata, message };

        int r = codec_rtnl_decode(message, message->nlmsg_len, on_change, &delivery);

        /* What we can't read may have been anything. */
        if (r < 0 || (r > 0 && codec_rtnl_hides_loss(message)))
                delivery.rtnl->stale = true;
        return 0;
}

int kern_rtnl_dispatch(struct kern_rtnl *rtnl) {
        int r = 0;

        for (int i = 0; i < BATCH && r != -EAGAIN; i++) {
                r = netlink_read(rtnl->monitor, on_monitor_message, rtnl);
                if (r == -ENOBUFS)
                        rtnl->stale = true;
                else if (r < 0 && r != -EAGAIN)
                        return r;
        }
        return rtnl->stale && !rtnl->later ? kern_rtnl_list(rtnl) : 0;
}

int kern_rtnl_retry(struct kern_rtnl *rtnl) {
        uint64_t count;
        ssize_t n = read(rtnl->timer, &count, sizeof(count));

        (void)n; /* -EAGAIN: it was set anew */
        return rtnl->stale ? kern_rtnl_list(rtnl) : 0;
}
