/*
 * Listeners of announced ports. See kern-listener.h.
 */
#include "kern-listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../core/address.h"
#include "../util/array.h"
#include "../util/cleanup.h"
#include "../util/limits.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Joins don't wait in it, but their SYNs are dropped while strangers fill it. */
#define BACKLOG   1024
#define BATCH     16 /* listeners with strangers, of one dispatch */
#define STRANGERS 4  /* of one of them */

struct listening {
        struct mptcpize_address address;
        int fd; /* -1: could not be opened, but has users all the same */
        uint32_t n_users;
};

/* An event that the kernel will send of what we did. */
struct awaited {
        enum event_type type;
        struct mptcpize_address address;
};

struct kern_listeners {
        ARRAY_OF(struct listening) items;
        ARRAY_OF(struct awaited) awaited;
        int epoll;
};

DEFINE_CLEANUP(struct kern_listeners *, kern_listeners_free)

int kern_listeners_new(struct kern_listeners **ret_listeners) {
        _cleanup_(kern_listeners_freep) struct kern_listeners *listeners =
                        calloc(1, sizeof(*listeners));

        if (!listeners)
                return -ENOMEM;
        listeners->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (listeners->epoll < 0)
                return -errno;
        *ret_listeners = TAKE_PTR(listeners);
        return 0;
}

void kern_listeners_free(struct kern_listeners *listeners) {
        if (!listeners)
                return;
        for (size_t i = 0; i < listeners->items.n; i++)
                closep(&listeners->items.items[i].fd);
        ARRAY_DONE(&listeners->items);
        ARRAY_DONE(&listeners->awaited);
        closep(&listeners->epoll);
        free(listeners);
}

int kern_listeners_fd(const struct kern_listeners *listeners) {
        return listeners->epoll;
}

/* Opening and closing */

/*
 * No TCP_DEFER_ACCEPT: a stranger is to be seen, and sent away, at once. SO_REUSEADDR lets it be
 * opened again while connections that came in by it before still are in TIME_WAIT.
 */
static int listening_open(const struct mptcpize_address *address) {
        _cleanup_(closep) int fd = socket(
                        address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_MPTCP);
        struct sockaddr_storage sockaddr;
        socklen_t len = address_to_sockaddr(address, 0, &sockaddr);
        const int one = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
                return -errno;
        if (address->family == AF_INET6 &&
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *)&sockaddr, len) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* One that finds no room is taken for a program's, which does no harm. */
static void listeners_await(struct kern_listeners *listeners, enum event_type type,
                            const struct mptcpize_address *address) {
        const struct awaited awaited = { .type = type, .address = *address };

        (void)ARRAY_APPEND(&listeners->awaited, awaited, 4 * LIMIT_OWN_LISTENERS);
}

static int listeners_open(struct kern_listeners *listeners, struct listening *listening) {
        struct epoll_event event = { .events = EPOLLIN };
        int fd = listening_open(&listening->address);

        if (fd < 0)
                return fd;
        event.data.fd = fd;
        listeners_await(listeners, EVENT_LISTENER_CREATED, &listening->address);
        if (epoll_ctl(listeners->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
                int r = -errno;

                listeners_await(listeners, EVENT_LISTENER_CLOSED, &listening->address);
                close(fd);
                return r;
        }
        listening->fd = fd;
        return 0;
}

/* Users */

static struct listening *listeners_find(struct kern_listeners *listeners,
                                        const struct mptcpize_address *address) {
        for (size_t i = 0; i < listeners->items.n; i++)
                if (address_equal(&listeners->items.items[i].address, address))
                        return &listeners->items.items[i];
        return NULL;
}

static struct listening *listeners_get(struct kern_listeners *listeners,
                                       const struct mptcpize_address *address, int *ret_error) {
        const struct listening fresh = { .address = *address, .fd = -1 };
        struct listening *known = listeners_find(listeners, address);

        if (known)
                return known;
        *ret_error = ARRAY_APPEND(&listeners->items, fresh, LIMIT_OWN_LISTENERS);
        return *ret_error < 0 ? NULL : &listeners->items.items[listeners->items.n - 1];
}

int kern_listeners_hold(struct kern_listeners *listeners, const struct mptcpize_address *address,
                        char message[static LIMIT_REASON]) {
        struct listening *listening;
        char text[ADDRESS_TEXT];
        int r = 0;

        listening = listeners_get(listeners, address, &r);
        if (listening) {
                listening->n_users++;
                r = listening->fd < 0 ? listeners_open(listeners, listening) : 0;
        }
        if (r < 0)
                snprintf(message, LIMIT_REASON, "no listener at %s: %s",
                         address_format(address, text),
                         r == -EACCES ? "needs CAP_NET_BIND_SERVICE" : strerror(-r));
        return r;
}

void kern_listeners_release(struct kern_listeners *listeners,
                            const struct mptcpize_address *address) {
        struct listening *listening = listeners_find(listeners, address);

        if (!listening || --listening->n_users > 0)
                return;
        if (listening->fd >= 0) {
                listeners_await(listeners, EVENT_LISTENER_CLOSED, address);
                close(listening->fd);
        }
        ARRAY_REMOVE(&listeners->items, (size_t)(listening - listeners->items.items));
}

/* Strangers */

/* -EAGAIN: they have gone by themselves, or there are no more. */
static void listening_send_away(int listener) {
        for (int i = 0; i < STRANGERS; i++) {
                _cleanup_(closep) int fd =
                                accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd < 0)
                        return;
        }
}

void kern_listeners_dispatch(struct kern_listeners *listeners) {
        struct epoll_event events[BATCH];
        int n = epoll_wait(listeners->epoll, events, BATCH, 0);

        for (int i = 0; i < n; i++)
                listening_send_away(events[i].data.fd);
}

/* Our own events */

bool kern_listeners_is_own(struct kern_listeners *listeners, const struct event *event) {
        for (size_t i = 0; i < listeners->awaited.n; i++) {
                const struct awaited *awaited = &listeners->awaited.items[i];

                if (awaited->type == event->type &&
                    address_equal(&awaited->address, &event->mptcp.local)) {
                        ARRAY_CUT(&listeners->awaited, i);
                        return true;
                }
        }
        return false;
}

void kern_listeners_lost(struct kern_listeners *listeners) {
        listeners->awaited.n = 0;
}
