/*
 * What actions do in the fake kernel, check by check in the order of Linux 6.18
 * (net/mptcp/pm_userspace.c), with its words.
 */
#include "fake-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An action on its way: what it is about, and the words if it fails. */
struct performance {
        struct fake *fake;
        const struct action *action;
        struct fake_connection *connection; /* NULL for a snapshot */
        const char *message;
};

typedef int (*perform_fn)(struct performance *performance);

static int fail(struct performance *performance, int error, const char *message) {
        performance->message = message;
        return error;
}

/* Local entries */

/* The first one with that address and port or that id; entries.n if there is none. */
static size_t entry_find(const struct fake_connection *connection, const struct entry *entry) {
        size_t i = 0;

        while (i < connection->entries.n && connection->entries.items[i].id != entry->id &&
               !address_equal(&connection->entries.items[i].address, &entry->address))
                i++;
        return i;
}

/* One address and port is one id, and the other way round. */
static int entry_add(struct performance *performance, const struct mptcpize_address *address,
                     uint32_t flags) {
        struct fake_connection *connection = performance->connection;
        const struct entry entry = { .address = *address,
                                     .id = performance->action->local_id,
                                     .flags = flags };
        size_t i = entry_find(connection, &entry);

        if (i == connection->entries.n)
                FAKE_APPEND(&connection->entries, entry);
        else if (connection->entries.items[i].id != entry.id ||
                 !address_equal(&connection->entries.items[i].address, address))
                return fail(performance, -EINVAL, "did not match address and id");
        return 0;
}

static void entry_remove(struct fake_connection *connection,
                         const struct mptcpize_address *address) {
        for (size_t i = 0; i < connection->entries.n; i++)
                if (address_same_host(&connection->entries.items[i].address, address)) {
                        ARRAY_CUT(&connection->entries, i);
                        return;
                }
}

/* The network, as a join needs it */

static const struct fake_link *link_find(const struct fake *fake, int32_t ifindex) {
        for (size_t i = 0; i < fake->links.n; i++)
                if (fake->links.items[i].is.ifindex == ifindex)
                        return &fake->links.items[i];
        return NULL;
}

static const struct address_event *address_find(const struct fake *fake,
                                                const struct mptcpize_address *address) {
        for (size_t i = 0; i < fake->addresses.n; i++)
                if (address_same_host(&fake->addresses.items[i].address, address))
                        return &fake->addresses.items[i];
        return NULL;
}

/* The link that leads to the peer, or NULL. The kernel does not mind a missing carrier. */
static const struct fake_link *route_find(const struct fake *fake, const struct action *action) {
        for (size_t i = 0; i < fake->routes.n; i++) {
                const struct route_event *route = &fake->routes.items[i];
                const struct fake_link *link = link_find(fake, route->ifindex);

                if ((!action->ifindex || action->ifindex == route->ifindex) && link &&
                    link->admin &&
                    address_in_prefix(&action->remote, &route->prefix, route->prefix_len))
                        return link;
        }
        return NULL;
}

/* The path from an address works as long as its link does. */
static bool path_works(const struct fake *fake, const struct mptcpize_address *local) {
        const struct address_event *address = address_find(fake, local);
        const struct fake_link *link = address ? link_find(fake, address->ifindex) : NULL;

        return link && link->is.up;
}

/* Create */

static bool port_is_taken(const struct fake_connection *connection,
                          const struct mptcpize_address *local) {
        for (size_t i = 0; i < connection->subflows.n && local->port; i++)
                if (address_equal(&connection->subflows.items[i].local, local))
                        return true;
        return false;
}

static int create_connect(struct performance *performance) {
        const struct action *action = performance->action;
        const struct fake *fake = performance->fake;
        const struct fake_link *device = link_find(fake, action->ifindex);

        if (!performance->connection->established ||
            performance->connection->is.flags & SNAPSHOT_FALLBACK)
                return fail(performance, -ENOTCONN, "connect error: -107");
        if (!address_find(fake, &action->local))
                return fail(performance, -EADDRNOTAVAIL, "connect error: -99");
        if (port_is_taken(performance->connection, &action->local))
                return fail(performance, -EADDRINUSE, "connect error: -98");
        if (action->ifindex && !device)
                return fail(performance, -ENODEV, "connect error: -19");
        if (device && !device->admin)
                return fail(performance, -ENETUNREACH, "connect error: -101");
        /* IPv4 takes everything to be on the link of a device that has no route. */
        if (!route_find(fake, action) && (!action->ifindex || action->remote.family == AF_INET6))
                return fail(performance, -ENETUNREACH, "connect error: -101");
        return 0;
}

static enum fake_manner manner_of(const struct fake *fake, const struct action *action) {
        const struct fake_link *link = route_find(fake, action);

        if (!link || !link->is.up)
                return FAKE_SILENT;
        for (size_t i = fake->manners.n; i-- > 0;) {
                const struct mptcpize_address *remote = &fake->manners.items[i].remote;

                if (address_same_host(remote, &action->remote) &&
                    (!remote->port || remote->port == action->remote.port))
                        return fake->manners.items[i].manner;
        }
        return FAKE_ACCEPT;
}

static struct snapshot_subflow *create_pending(struct performance *performance) {
        const struct action *action = performance->action;
        struct fake_connection *connection = performance->connection;
        struct snapshot_subflow subflow = {
                .token = action->token,
                .flags = SNAPSHOT_JOIN_LOC | (action->backup ? SNAPSHOT_BKUP_LOC : 0),
                .state = FAKE_TCP_SYN_SENT,
                .local_id = action->local_id,
                .ifindex = action->ifindex,
                .local = action->local,
                .remote = action->remote,
                .measure.remote_token = fake_peer_token(action->token),
        };

        if (!subflow.local.port)
                subflow.local.port = ++performance->fake->port;
        FAKE_APPEND(&connection->subflows, subflow);
        return &connection->subflows.items[connection->subflows.n - 1];
}

static void create_answer(struct performance *performance, struct snapshot_subflow *subflow) {
        struct fake_connection *connection = performance->connection;
        enum fake_manner manner = manner_of(performance->fake, performance->action);

        if (manner == FAKE_ACCEPT || manner == FAKE_LIMIT) {
                subflow->remote_id = fake_remote_id(connection, &subflow->remote);
                fake_sub_established(performance->fake, subflow);
        }
        if (manner == FAKE_REFUSE)
                fake_sub_closed(performance->fake, connection, subflow, ECONNREFUSED);
        if (manner == FAKE_LIMIT || manner == FAKE_STRIPPED)
                fake_sub_closed(performance->fake, connection, subflow, 0);
}

static int perform_create(struct performance *performance) {
        const struct action *action = performance->action;
        int r;

        if (action->local.family != action->remote.family ||
            (action->local.family == AF_INET6 &&
             performance->connection->is.local.family == AF_INET))
                return fail(performance, -EINVAL, "families mismatch");
        r = entry_add(performance, &action->local, ENTRY_SUBFLOW);
        if (r < 0)
                return r;
        r = create_connect(performance);
        if (r < 0) {
                entry_remove(performance->connection, &action->local);
                return r;
        }
        create_answer(performance, create_pending(performance));
        return 0;
}

/* Destroy */

static int perform_destroy(struct performance *performance) {
        const struct action *action = performance->action;
        struct fake_connection *connection = performance->connection;
        struct snapshot_subflow *subflow;
        bool pending;

        if (!action->local.port)
                return fail(performance, -EINVAL, "missing local port");
        if (!action->remote.port)
                return fail(performance, -EINVAL, "missing remote port");
        subflow = fake_find_subflow(connection, &action->local, &action->remote);
        if (!subflow)
                return fail(performance, -ESRCH, "subflow not found");
        entry_remove(connection, &action->local);
        pending = subflow->state == FAKE_TCP_SYN_SENT;
        if (pending)
                subflow->remote.port = 0;
        fake_sub_closed(performance->fake, connection, subflow, pending ? ECONNRESET : 0);
        return 0;
}

/* Priority */

static int perform_backup(struct performance *performance) {
        const struct action *action = performance->action;
        struct snapshot_subflow *subflow =
                        fake_find_subflow(performance->connection, &action->local, &action->remote);

        if (!subflow || subflow->state != FAKE_TCP_ESTABLISHED)
                return fail(performance, -EINVAL, "subflow not found");
        subflow->flags &= ~SNAPSHOT_BKUP_LOC;
        if (action->backup)
                subflow->flags |= SNAPSHOT_BKUP_LOC;
        return 0;
}

/* Announcing */

/* The user counts also where it fails. */
static int announce_listen(struct performance *performance) {
        const struct mptcpize_address *local = &performance->action->local;
        struct fake *fake = performance->fake;

        FAKE_APPEND(&fake->held, *local);
        if (!address_find(fake, local))
                return fail(performance, -EADDRNOTAVAIL, "no listener: not available");
        if (fake_has(fake->programs.items, fake->programs.n, local))
                return fail(performance, -EADDRINUSE, "no listener: in use");
        return 0;
}

static int perform_release(struct performance *performance) {
        struct fake *fake = performance->fake;

        for (size_t i = 0; i < fake->held.n; i++)
                if (address_equal(&fake->held.items[i], &performance->action->local)) {
                        ARRAY_REMOVE(&fake->held, i);
                        break;
                }
        return 0;
}

static int perform_announce(struct performance *performance) {
        if (!performance->action->local_id)
                return fail(performance, -EINVAL, "invalid addr id or flags");
        return entry_add(performance, &performance->action->local, ENTRY_SIGNAL);
}

/* The peer closes what came from the address, and its FIN arrives where the path still works. */
static void withdraw_follow(struct performance *performance) {
        struct fake_connection *connection = performance->connection;

        for (size_t i = connection->subflows.n; i-- > 0;) {
                struct snapshot_subflow *subflow = &connection->subflows.items[i];

                if (subflow->local_id == performance->action->local_id &&
                    subflow->state == FAKE_TCP_ESTABLISHED &&
                    path_works(performance->fake, &subflow->local))
                        fake_sub_closed(performance->fake, connection, subflow, 0);
        }
}

static int perform_withdraw(struct performance *performance) {
        struct fake_connection *connection = performance->connection;
        uint8_t id = performance->action->local_id;
        /* The first socket of a connection counts even when it is closed. */
        bool known = id == 0;

        for (size_t i = connection->entries.n; i-- > 0 && id != 0;)
                if (connection->entries.items[i].id == id) {
                        ARRAY_CUT(&connection->entries, i);
                        known = true;
                }
        if (!known)
                return fail(performance, -EINVAL, "address with specified id not found");
        withdraw_follow(performance);
        return 0;
}

/* Questions */

static int perform_query(struct performance *performance) {
        const struct fake_connection *connection = performance->connection;
        struct fake_item item = {
                .event = { .type = EVENT_ENTRIES,
                           .entries = { .token = connection->is.token,
                                        .n = connection->entries.n } },
        };

        item.entries = calloc(connection->entries.n + 1, sizeof(*item.entries));
        if (!item.entries)
                abort();
        for (size_t i = 0; i < connection->entries.n; i++)
                item.entries[i] = connection->entries.items[i];
        fake_push_item(performance->fake, &item);
        return 0;
}

static int perform_snapshot(struct performance *performance) {
        const struct fake *fake = performance->fake;
        struct fake_item item = { .event = { .type = EVENT_SNAPSHOT } };

        item.snapshot = calloc(1, sizeof(*item.snapshot));
        if (!item.snapshot)
                abort();
        item.snapshot->started_usec = fake->now_usec;
        for (size_t i = 0; i < fake->connections.n; i++) {
                const struct fake_connection *connection = &fake->connections.items[i];

                FAKE_APPEND(&item.snapshot->connections, connection->is);
                for (size_t j = 0; j < connection->subflows.n; j++)
                        FAKE_APPEND(&item.snapshot->subflows, connection->subflows.items[j]);
        }
        fake_push_item(performance->fake, &item);
        return 0;
}

/* By addresses only, whatever the token. */
static int perform_measure(struct performance *performance) {
        const struct action *action = performance->action;
        struct fake_item item = {
                .event = { .type = EVENT_MEASURED,
                           .measured = { .token = action->token,
                                         .local = action->local,
                                         .remote = action->remote } },
        };
        int r = fake_numbers(performance->fake, &action->local, &action->remote, action->ifindex,
                             &item.event.measured.measure);

        if (r == 0)
                fake_push_item(performance->fake, &item);
        return r;
}

static int perform_abort(struct performance *performance) {
        const struct action *action = performance->action;
        struct fake_connection *connection = fake_find(performance->fake, action->token);
        struct snapshot_subflow *subflow =
                        connection ? fake_find_subflow(connection, &action->local, &action->remote)
                                   : NULL;

        if (!subflow)
                return -ENOENT;
        fake_sub_closed(performance->fake, connection, subflow, ECONNABORTED);
        return 0;
}

static const perform_fn performs[_ACTION_MAX] = {
        [ACTION_CREATE] = perform_create,     [ACTION_DESTROY] = perform_destroy,
        [ACTION_BACKUP] = perform_backup,     [ACTION_ANNOUNCE] = perform_announce,
        [ACTION_WITHDRAW] = perform_withdraw, [ACTION_QUERY] = perform_query,
        [ACTION_SNAPSHOT] = perform_snapshot, [ACTION_MEASURE] = perform_measure,
        [ACTION_ABORT] = perform_abort,       [ACTION_RELEASE] = perform_release,
};

static int perform(struct performance *performance) {
        struct fake *fake = performance->fake;
        const struct action *action = performance->action;
        int error = fake->fail_next[action->type], r;

        r = action->type == ACTION_ANNOUNCE && action->listen ? announce_listen(performance) : 0;
        if (r < 0)
                return r;
        if (error < 0) {
                fake->fail_next[action->type] = 0;
                return fail(performance, error, "made to fail");
        }
        if (action->type >= ACTION_SNAPSHOT)
                return performs[action->type](performance);
        performance->connection = fake_find(fake, action->token);
        if (!performance->connection)
                return fail(performance, -EINVAL, "invalid token");
        if (performance->connection->kernel_pm)
                return fail(performance, -EINVAL, "userspace PM not selected");
        return performs[action->type](performance);
}

void fake_perform(struct fake *fake, const struct action *action) {
        struct performance performance = { .fake = fake, .action = action, .message = "" };
        struct fake_item item = { .event = { .type = EVENT_OUTCOME,
                                             .outcome = { .action = *action } } };
        struct outcome_event *outcome = &item.event.outcome;

        outcome->error = perform(&performance);
        snprintf(outcome->message, sizeof(outcome->message), "%s", performance.message);
        fake_push_item(fake, &item);
}
