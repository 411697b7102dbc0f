/*
 * The fake kernel: queues and operations. See fake.h.
 */
#include "fake-private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE_MPTCP, QUEUE_NET, QUEUE_ANSWER };

struct fake *fake_of(struct kern *kern) {
        return (struct fake *)kern; /* its first member */
}

struct mptcpize_address fake_parse(const char *text) {
        struct mptcpize_address address = ADDRESS_NULL;

        if (address_parse(text, &address) < 0)
                abort();
        return address;
}

/* Queues */

static int queue_of(enum event_type type) {
        if (type <= EVENT_OVERRUN)
                return QUEUE_MPTCP;
        return type < EVENT_SNAPSHOT ? QUEUE_NET : QUEUE_ANSWER;
}

static void item_done(struct fake_item *item) {
        if (item->snapshot)
                snapshot_done(item->snapshot);
        free(item->snapshot);
        free(item->entries);
}

void fake_push_item(struct fake *fake, const struct fake_item *item) {
        struct fake_queue *queue = &fake->queues[queue_of(item->event.type)];

        FAKE_APPEND(&queue->items, *item);
        if (eventfd_write(queue->fd, 1) < 0)
                abort();
}

/* The kernel reports a loss once, until the report is read. */
static void push_lost(struct fake *fake) {
        const struct fake_queue *queue = &fake->queues[QUEUE_MPTCP];
        const struct fake_item overrun = { .event = { .type = EVENT_OVERRUN } };

        for (size_t i = 0; i < queue->items.n; i++)
                if (queue->items.items[i].event.type == EVENT_OVERRUN)
                        return;
        fake_push_item(fake, &overrun);
}

void fake_push(struct fake *fake, const struct event *event) {
        const struct fake_item item = { .event = *event };

        if (queue_of(event->type) == QUEUE_MPTCP && fake->lose) {
                fake->lose--;
                push_lost(fake);
                return;
        }
        fake_push_item(fake, &item);
}

static bool queue_pop(struct fake_queue *queue, struct fake_item *ret_item) {
        eventfd_t count;

        if (queue->items.n == 0)
                return false;
        *ret_item = queue->items.items[0];
        ARRAY_CUT(&queue->items, 0);
        if (queue->items.n == 0)
                (void)eventfd_read(queue->fd, &count);
        return true;
}

static void fake_deliver(struct fake *fake, struct event *event) {
        event->usec = fake->now_usec;
        fake->kern.on_event(event, fake->kern.userdata);
}

static void fake_list(struct fake *fake, enum event_type type) {
        struct event event = { .type = type };

        fake_deliver(fake, &event);
}

static int fake_list_net(struct kern *kern) {
        struct fake *fake = fake_of(kern);

        fake->stale = false;
        fake_list(fake, EVENT_NET_BEGIN);
        for (size_t i = 0; i < fake->links.n; i++)
                fake_deliver(fake, &(struct event){ .type = EVENT_LINK,
                                                    .link = fake->links.items[i].is });
        for (size_t i = 0; i < fake->addresses.n; i++)
                fake_deliver(fake, &(struct event){ .type = EVENT_ADDRESS,
                                                    .address = fake->addresses.items[i] });
        for (size_t i = 0; i < fake->routes.n; i++)
                fake_deliver(fake, &(struct event){ .type = EVENT_ROUTE,
                                                    .route = fake->routes.items[i] });
        for (size_t i = 0; i < fake->rules.n; i++)
                fake_deliver(fake,
                             &(struct event){ .type = EVENT_RULE, .rule = fake->rules.items[i] });
        fake_list(fake, EVENT_NET_END);
        return 0;
}

static bool event_is_lossy(const struct event *event) {
        return event->type == EVENT_LINK_GONE || event->type == EVENT_ADDRESS_GONE ||
               (event->type == EVENT_LINK && !event->link.up);
}

/* The handler may submit, so the item has left its queue before. */
static bool fake_deliver_next(struct fake *fake, int index) {
        struct fake_item item;

        if (!queue_pop(&fake->queues[index], &item))
                return false;
        if (item.event.type == EVENT_OUTCOME)
                fake->n_waiting--;
        item.event.usec = fake->now_usec;
        if (item.event.type == EVENT_SNAPSHOT)
                item.event.snapshot = item.snapshot;
        if (item.event.type == EVENT_ENTRIES)
                item.event.entries.entries = item.entries;
        fake_deliver(fake, &item.event);
        if (event_is_lossy(&item.event))
                fake->stale = true;
        if (index == QUEUE_NET && fake->stale && fake->queues[index].items.n == 0)
                (void)fake_list_net(&fake->kern);
        item_done(&item);
        return true;
}

size_t fake_pump(struct kern *kern) {
        struct fake *fake = fake_of(kern);
        size_t n = 0;

        while (fake_deliver_next(fake, QUEUE_MPTCP) || fake_deliver_next(fake, QUEUE_NET) ||
               fake_deliver_next(fake, QUEUE_ANSWER)) {
                /* A world in which every event causes another one is a mistake of the test. */
                if (++n >= FAKE_MAX)
                        abort();
        }
        return n;
}

/* The world */

struct fake_connection *fake_find(struct fake *fake, uint32_t token) {
        for (size_t i = 0; i < fake->connections.n; i++)
                if (fake->connections.items[i].is.token == token)
                        return &fake->connections.items[i];
        return NULL;
}

static bool fits(const struct mptcpize_address *a, const struct mptcpize_address *b) {
        return address_same_host(a, b) && (!a->port || !b->port || a->port == b->port);
}

struct snapshot_subflow *fake_find_subflow(struct fake_connection *connection,
                                           const struct mptcpize_address *local,
                                           const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                struct snapshot_subflow *subflow = &connection->subflows.items[i];

                if (fits(&subflow->local, local) && fits(&subflow->remote, remote))
                        return subflow;
        }
        return NULL;
}

static struct event subflow_event(enum event_type type, const struct snapshot_subflow *subflow) {
        return (struct event){
                .type = type,
                .mptcp = {
                        .token = subflow->token,
                        .local = subflow->local,
                        .remote = subflow->remote,
                        .local_id = subflow->local_id,
                        .remote_id = subflow->remote_id,
                        .backup = subflow->flags & SNAPSHOT_BKUP_REM,
                        .ifindex = subflow->ifindex,
                },
        };
}

void fake_sub_established(struct fake *fake, struct snapshot_subflow *subflow) {
        struct event event;

        subflow->state = FAKE_TCP_ESTABLISHED;
        subflow->flags |= SNAPSHOT_JOIN_REM | SNAPSHOT_FULLY_EST | FAKE_CONNECTED;
        event = subflow_event(EVENT_SUB_ESTABLISHED, subflow);
        fake_push(fake, &event);
}

void fake_sub_closed(struct fake *fake, struct fake_connection *connection,
                     struct snapshot_subflow *subflow, int error) {
        struct event event = subflow_event(EVENT_SUB_CLOSED, subflow);

        event.mptcp.error = error;
        event.mptcp.reset = error == ECONNRESET && subflow->state == FAKE_TCP_ESTABLISHED;
        ARRAY_CUT(&connection->subflows, (size_t)(subflow - connection->subflows.items));
        fake_push(fake, &event);
}

static bool remote_id_taken(const struct fake_connection *connection, uint8_t id) {
        for (size_t i = 0; i < connection->remotes.n; i++)
                if (connection->remotes.items[i].id == id)
                        return true;
        return false;
}

uint8_t fake_remote_id(const struct fake_connection *connection,
                       const struct mptcpize_address *remote) {
        uint8_t id = 1;

        for (size_t i = 0; i < connection->remotes.n; i++)
                if (address_same_host(&connection->remotes.items[i].address, remote))
                        return connection->remotes.items[i].id;
        while (remote_id_taken(connection, id))
                id++;
        return id;
}

void fake_connection_done(struct fake_connection *connection) {
        ARRAY_DONE(&connection->subflows);
        ARRAY_DONE(&connection->entries);
        ARRAY_DONE(&connection->remotes);
}

/* Operations */

static int fake_submit(struct kern *kern, const struct action *action) {
        struct fake *fake = fake_of(kern);

        if (fake->n_waiting >= LIMIT_KERN_QUEUE)
                return -EAGAIN;
        fake->n_waiting++;
        FAKE_APPEND(&fake->actions, *action);
        fake_perform(fake, action);
        return 0;
}

int fake_numbers(struct fake *fake, const struct mptcpize_address *local,
                 const struct mptcpize_address *remote, int32_t ifindex,
                 struct measure *ret_measure) {
        for (size_t i = 0; i < fake->connections.n; i++) {
                const struct snapshot_subflow *subflow =
                                fake_find_subflow(&fake->connections.items[i], local, remote);

                if (!subflow || (subflow->ifindex && subflow->ifindex != ifindex))
                        continue;
                *ret_measure = subflow->measure;
                return 0;
        }
        return -ENOENT;
}

static int fake_measure_op(struct kern *kern, const struct mptcpize_address *local,
                           const struct mptcpize_address *remote, int32_t ifindex,
                           struct measure *ret_measure) {
        return fake_numbers(fake_of(kern), local, remote, ifindex, ret_measure);
}

static int fake_route_op(struct kern *kern, const struct routing *wanted) {
        return fake_set_routes(fake_of(kern), wanted);
}

static int fake_owner_op(struct kern *kern, uint32_t token, struct ownership *ret_owner) {
        const struct fake_connection *connection = fake_find(fake_of(kern), token);

        if (!connection)
                return -ENOENT;
        *ret_owner = (struct ownership){ .uid = connection->is.uid, .cookie = token };
        ret_owner->inode = connection->is.uid == UINT32_MAX ? 0 : token;
        ret_owner->ipv4 = connection->is.local.family == AF_INET;
        ret_owner->idsn_local = fake_idsn(token);
        ret_owner->idsn_remote = fake_idsn(fake_peer_token(token));
        return 0;
}

static void fake_fds(struct kern *kern, int ret_fds[static KERN_FDS]) {
        for (int i = 0; i < KERN_FDS; i++)
                ret_fds[i] = fake_of(kern)->queues[i].fd;
}

static int fake_dispatch(struct kern *kern, int index) {
        assert(index >= 0 && index < KERN_FDS);
        for (unsigned int i = 0; i < FAKE_BATCH && fake_deliver_next(fake_of(kern), index); i++)
                ;
        return 0;
}

static void fake_free(struct kern *kern) {
        struct fake *fake = fake_of(kern);

        if (!kern)
                return;
        for (int i = 0; i < KERN_FDS; i++) {
                for (size_t j = 0; j < fake->queues[i].items.n; j++)
                        item_done(&fake->queues[i].items.items[j]);
                ARRAY_DONE(&fake->queues[i].items);
                if (fake->queues[i].fd >= 0)
                        close(fake->queues[i].fd);
        }
        for (size_t i = 0; i < fake->connections.n; i++)
                fake_connection_done(&fake->connections.items[i]);
        ARRAY_DONE(&fake->connections);
        ARRAY_DONE(&fake->links);
        ARRAY_DONE(&fake->addresses);
        ARRAY_DONE(&fake->routes);
        ARRAY_DONE(&fake->rules);
        ARRAY_DONE(&fake->manners);
        ARRAY_DONE(&fake->actions);
        ARRAY_DONE(&fake->programs);
        ARRAY_DONE(&fake->held);
        free(fake);
}

static const struct kern_ops fake_ops = {
        .submit = fake_submit,
        .list_net = fake_list_net,
        .route = fake_route_op,
        .measure = fake_measure_op,
        .owner = fake_owner_op,
        .fds = fake_fds,
        .dispatch = fake_dispatch,
        .free = fake_free,
};

int fake_new(kern_event_fn on_event, void *userdata, struct kern **ret_kern) {
        struct fake *fake = calloc(1, sizeof(*fake));
        int r = 0;

        if (!fake)
                return -ENOMEM;
        fake->kern = (struct kern){ .ops = &fake_ops, .on_event = on_event, .userdata = userdata };
        for (enum feature i = 0; i < _FEATURE_MAX; i++)
                features_set(&fake->kern.features, i, true);
        fake->now_usec = 1000000;
        fake->port = 40000;
        for (int i = 0; i < KERN_FDS; i++) {
                fake->queues[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (fake->queues[i].fd < 0)
                        r = -errno;
        }
        if (r < 0) {
                fake_free(&fake->kern);
                return r;
        }
        *ret_kern = &fake->kern;
        return 0;
}
