/*
 * How tests steer the fake kernel. See fake.h.
 */
#include "fake-private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAIN_TABLE  254u
#define DEFAULT_UID 1000u

/* Settings */

void fake_set_now(struct kern *kern, uint64_t usec) {
        fake_of(kern)->now_usec = usec;
}

const struct action *fake_actions(struct kern *kern, size_t *ret_n) {
        *ret_n = fake_of(kern)->actions.n;
        return fake_of(kern)->actions.items;
}

void fake_forget_actions(struct kern *kern) {
        fake_of(kern)->actions.n = 0;
}

void fake_fail_next(struct kern *kern, enum action_type type, int error) {
        assert(error < 0);
        fake_of(kern)->fail_next[type] = error;
}

void fake_peer_deny(struct kern *kern) {
        fake_of(kern)->deny = true;
}

void fake_lose_events(struct kern *kern, unsigned int n) {
        fake_of(kern)->lose = n;
}

void fake_manner(struct kern *kern, const char *remote, enum fake_manner manner) {
        const struct fake_manner_of entry = { .remote = fake_parse(remote), .manner = manner };

        FAKE_APPEND(&fake_of(kern)->manners, entry); /* the last one counts */
}

void fake_refuse(struct kern *kern, const char *remote) {
        fake_manner(kern, remote, FAKE_REFUSE);
}

void fake_silent(struct kern *kern, const char *remote) {
        fake_manner(kern, remote, FAKE_SILENT);
}

/* The peer's word */

uint32_t fake_peer_token(uint32_t token) {
        return ~token;
}

uint64_t fake_idsn(uint32_t token) {
        return (uint64_t)token << 32 | (token * 2654435761u);
}

/* Addresses and routes */

static size_t find_address(const struct fake *fake, const struct address_event *address) {
        size_t i = 0;

        while (i < fake->addresses.n &&
               (fake->addresses.items[i].ifindex != address->ifindex ||
                !address_same_host(&fake->addresses.items[i].address, &address->address)))
                i++;
        return i;
}

static struct address_event address_of(int32_t ifindex, const char *text, bool usable) {
        struct address_event address = { .ifindex = ifindex,
                                         .address = fake_parse(text),
                                         .usable = usable };

        address.prefix_len = address.address.family == AF_INET6 ? 64 : 24;
        return address;
}

void fake_address(struct kern *kern, int32_t ifindex, const char *address, bool usable) {
        struct fake *fake = fake_of(kern);
        const struct event event = { .type = EVENT_ADDRESS,
                                     .address = address_of(ifindex, address, usable) };
        size_t i = find_address(fake, &event.address);

        if (i < fake->addresses.n)
                fake->addresses.items[i] = event.address;
        else
                FAKE_APPEND(&fake->addresses, event.address);
        fake_push(fake, &event);
}

static bool has_v4(const struct fake *fake, int32_t ifindex) {
        for (size_t i = 0; i < fake->addresses.n; i++)
                if (fake->addresses.items[i].ifindex == ifindex &&
                    fake->addresses.items[i].address.family == AF_INET)
                        return true;
        return false;
}

static void drop_routes(struct fake *fake, int32_t ifindex, uint16_t family) {
        for (size_t i = fake->routes.n; i-- > 0;)
                if (fake->routes.items[i].ifindex == ifindex &&
                    fake->routes.items[i].prefix.family == family)
                        ARRAY_CUT(&fake->routes, i);
}

void fake_address_gone(struct kern *kern, int32_t ifindex, const char *address) {
        struct fake *fake = fake_of(kern);
        struct event event = { .type = EVENT_ADDRESS_GONE,
                               .address = address_of(ifindex, address, false) };
        size_t i = find_address(fake, &event.address);

        assert(i < fake->addresses.n);
        event.address = fake->addresses.items[i];
        ARRAY_CUT(&fake->addresses, i);
        /* A device without an IPv4 address can't have IPv4 routes. */
        if (!has_v4(fake, ifindex))
                drop_routes(fake, ifindex, AF_INET);
        fake_push(fake, &event);
}

static size_t find_route(const struct fake *fake, const struct route_event *route) {
        size_t i = 0;

        while (i < fake->routes.n &&
               (fake->routes.items[i].ifindex != route->ifindex ||
                fake->routes.items[i].prefix_len != route->prefix_len ||
                !address_same_host(&fake->routes.items[i].prefix, &route->prefix)))
                i++;
        return i;
}

static struct route_event route_of(int32_t ifindex, const char *prefix, uint8_t len) {
        return (struct route_event){
                .prefix = fake_parse(prefix),
                .prefix_len = len,
                .ifindex = ifindex,
                .table = MAIN_TABLE,
        };
}

void fake_route(struct kern *kern, int32_t ifindex, const char *prefix, uint8_t len) {
        struct fake *fake = fake_of(kern);
        const struct event event = { .type = EVENT_ROUTE, .route = route_of(ifindex, prefix, len) };

        if (find_route(fake, &event.route) == fake->routes.n)
                FAKE_APPEND(&fake->routes, event.route);
        fake_push(fake, &event);
}

void fake_route_gone(struct kern *kern, int32_t ifindex, const char *prefix, uint8_t len) {
        struct fake *fake = fake_of(kern);
        const struct event event = { .type = EVENT_ROUTE_GONE,
                                     .route = route_of(ifindex, prefix, len) };
        size_t i = find_route(fake, &event.route);

        assert(i < fake->routes.n);
        ARRAY_CUT(&fake->routes, i);
        fake_push(fake, &event);
}

/* Links */

static size_t find_link(const struct fake *fake, int32_t ifindex) {
        size_t i = 0;

        while (i < fake->links.n && fake->links.items[i].is.ifindex != ifindex)
                i++;
        return i;
}

static void push_link(struct fake *fake, enum event_type type, const struct link_event *link) {
        const struct event event = { .type = type, .link = *link };

        fake_push(fake, &event);
}

static void drop_addresses(struct fake *fake, int32_t ifindex, bool v4) {
        for (size_t i = fake->addresses.n; i-- > 0;) {
                const struct event event = { .type = EVENT_ADDRESS_GONE,
                                             .address = fake->addresses.items[i] };

                if (event.address.ifindex != ifindex ||
                    (event.address.address.family == AF_INET && !v4))
                        continue;
                ARRAY_CUT(&fake->addresses, i);
                fake_push(fake, &event);
        }
}

void fake_link(struct kern *kern, int32_t ifindex, const char *name, bool up, bool loopback) {
        struct fake *fake = fake_of(kern);
        struct fake_link link = { .is = { .ifindex = ifindex, .up = up, .loopback = loopback },
                                  .admin = up };
        size_t i = find_link(fake, ifindex);

        snprintf(link.is.name, sizeof(link.is.name), "%s", name);
        if (i < fake->links.n)
                fake->links.items[i] = link;
        else
                FAKE_APPEND(&fake->links, link);
        push_link(fake, EVENT_LINK, &link.is);
        if (up)
                return;
        drop_addresses(fake, ifindex, false);
        drop_routes(fake, ifindex, AF_INET);
        drop_routes(fake, ifindex, AF_INET6);
}

void fake_carrier(struct kern *kern, int32_t ifindex, bool up) {
        struct fake *fake = fake_of(kern);
        size_t i = find_link(fake, ifindex);

        assert(i < fake->links.n);
        fake->links.items[i].is.up = up && fake->links.items[i].admin;
        push_link(fake, EVENT_LINK, &fake->links.items[i].is);
}

void fake_link_gone(struct kern *kern, int32_t ifindex) {
        struct fake *fake = fake_of(kern);
        size_t i = find_link(fake, ifindex);
        struct link_event gone;

        assert(i < fake->links.n);
        gone = fake->links.items[i].is;
        ARRAY_CUT(&fake->links, i);
        drop_addresses(fake, ifindex, true);
        drop_routes(fake, ifindex, AF_INET);
        drop_routes(fake, ifindex, AF_INET6);
        push_link(fake, EVENT_LINK_GONE, &gone);
}

/* Connections */

static struct fake_connection *known(struct fake *fake, uint32_t token) {
        struct fake_connection *connection = fake_find(fake, token);

        if (!connection)
                abort();
        return connection;
}

static void push_connection(struct fake *fake, enum event_type type,
                            const struct fake_connection *connection) {
        const struct event event = {
                .type = type,
                .mptcp = {
                        .token = connection->is.token,
                        .flags = connection->flags,
                        .local = connection->is.local,
                        .remote = connection->is.remote,
                },
        };

        fake_push(fake, &event);
}

static void add_initial(struct fake_connection *connection) {
        const struct snapshot_subflow initial = {
                .token = connection->is.token,
                .flags = FAKE_MCAP_REM | FAKE_CONNECTED |
                         (connection->flags & EVENT_MPTCP_SERVER ? 0 : SNAPSHOT_MCAP_LOC),
                .state = FAKE_TCP_ESTABLISHED,
                .local = connection->is.local,
                .remote = connection->is.remote,
        };
        const struct fake_remote remote = { .address = connection->is.remote };

        FAKE_APPEND(&connection->subflows, initial);
        FAKE_APPEND(&connection->remotes, remote);
}

static struct fake_connection *add_connection(struct fake *fake, uint32_t token, const char *local,
                                              const char *remote, uint32_t flags) {
        struct fake_connection connection = {
                .is = {
                        .token = token,
                        .uid = DEFAULT_UID,
                        .state = FAKE_TCP_ESTABLISHED,
                        .local = fake_parse(local),
                        .remote = fake_parse(remote),
                },
                .flags = flags,
        };

        assert(!fake_find(fake, token));
        assert(connection.is.local.port && connection.is.remote.port);
        add_initial(&connection);
        FAKE_APPEND(&fake->connections, connection);
        return &fake->connections.items[fake->connections.n - 1];
}

void fake_connect_flags(struct kern *kern, uint32_t token, const char *local, const char *remote,
                        uint32_t flags) {
        struct fake *fake = fake_of(kern);

        if (fake->deny)
                flags |= EVENT_MPTCP_DENY_JOIN_INITIAL;
        push_connection(fake, EVENT_CREATED, add_connection(fake, token, local, remote, flags));
}

void fake_connect_plain(struct kern *kern, uint32_t token, const char *local, const char *remote) {
        (void)add_connection(fake_of(kern), token, local, remote, 0);
        fake_fallback(kern, token);
}

void fake_connect(struct kern *kern, uint32_t token, const char *local, const char *remote,
                  bool server) {
        fake_connect_flags(kern, token, local, remote, server ? EVENT_MPTCP_SERVER : 0);
}

void fake_establish(struct kern *kern, uint32_t token) {
        struct fake_connection *connection = known(fake_of(kern), token);

        connection->established = true;
        for (size_t i = 0; i < connection->subflows.n; i++)
                connection->subflows.items[i].flags |= SNAPSHOT_FULLY_EST;
        push_connection(fake_of(kern), EVENT_ESTABLISHED, connection);
}

void fake_fastclose(struct kern *kern, uint32_t token) {
        struct fake *fake = fake_of(kern);
        struct fake_connection *connection = known(fake, token);

        fake_connection_done(connection);
        ARRAY_CUT(&fake->connections, (size_t)(connection - fake->connections.items));
}

void fake_close(struct kern *kern, uint32_t token) {
        const struct event event = { .type = EVENT_CLOSED, .mptcp = { .token = token } };

        fake_fastclose(kern, token);
        fake_push(fake_of(kern), &event);
}

void fake_fallback(struct kern *kern, uint32_t token) {
        struct fake_connection *connection = known(fake_of(kern), token);

        connection->is.flags |= SNAPSHOT_FALLBACK;
        for (size_t i = 0; i < connection->subflows.n; i++)
                connection->subflows.items[i].flags &= ~(FAKE_MCAP_REM | SNAPSHOT_FULLY_EST);
}

void fake_kernel_pm(struct kern *kern, uint32_t token) {
        known(fake_of(kern), token)->kernel_pm = true;
}

void fake_owner(struct kern *kern, uint32_t token, uint32_t uid) {
        known(fake_of(kern), token)->is.uid = uid;
}

void fake_listen(struct kern *kern, const char *local, bool open) {
        const struct event event = {
                .type = open ? EVENT_LISTENER_CREATED : EVENT_LISTENER_CLOSED,
                .mptcp = { .local = fake_parse(local) },
        };

        struct fake *fake = fake_of(kern);

        if (open)
                FAKE_APPEND(&fake->programs, event.mptcp.local);
        for (size_t i = 0; i < fake->programs.n && !open; i++)
                if (address_equal(&fake->programs.items[i], &event.mptcp.local))
                        ARRAY_REMOVE(&fake->programs, i);
        fake_push(fake, &event);
}

bool fake_has(const struct mptcpize_address *items, size_t n,
              const struct mptcpize_address *address) {
        for (size_t i = 0; i < n; i++)
                if (address_equal(&items[i], address))
                        return true;
        return false;
}

bool fake_listens(struct kern *kern, const char *local) {
        const struct mptcpize_address address = fake_parse(local);
        const struct fake *fake = fake_of(kern);

        return fake_has(fake->programs.items, fake->programs.n, &address) ||
               fake_has(fake->held.items, fake->held.n, &address);
}

/* Subflows */

static struct snapshot_subflow *known_subflow(struct fake_connection *connection, const char *local,
                                              const char *remote) {
        struct mptcpize_address from = fake_parse(local), to = fake_parse(remote);
        struct snapshot_subflow *subflow = fake_find_subflow(connection, &from, &to);

        if (!subflow)
                abort();
        return subflow;
}

/* The kernel numbers an address that a peer joins by itself. */
static uint8_t implicit_id(struct fake_connection *connection,
                           const struct mptcpize_address *local) {
        struct entry entry = { .address = address_without_port(local),
                               .id = 1,
                               .flags = ENTRY_IMPLICIT };

        if (address_same_host(local, &connection->is.local))
                return 0;
        for (size_t i = 0; i < connection->entries.n; i++) {
                if (address_same_host(&connection->entries.items[i].address, local))
                        return connection->entries.items[i].id;
                if (connection->entries.items[i].id >= entry.id)
                        entry.id = connection->entries.items[i].id + 1;
        }
        FAKE_APPEND(&connection->entries, entry);
        return entry.id;
}

static void learn_remote(struct fake_connection *connection, const struct mptcpize_address *address,
                         uint8_t id) {
        const struct fake_remote remote = { .address = *address, .id = id };

        for (size_t i = 0; i < connection->remotes.n; i++)
                if (connection->remotes.items[i].id == id)
                        return;
        FAKE_APPEND(&connection->remotes, remote);
}

void fake_peer_join_id(struct kern *kern, uint32_t token, const char *local, const char *remote,
                       uint8_t id) {
        struct fake_connection *connection = known(fake_of(kern), token);
        struct snapshot_subflow subflow = {
                .token = token,
                .local = fake_parse(local),
                .remote = fake_parse(remote),
                .remote_id = id,
        };

        assert(subflow.local.port && subflow.remote.port);
        subflow.local_id = implicit_id(connection, &subflow.local);
        learn_remote(connection, &subflow.remote, subflow.remote_id);
        FAKE_APPEND(&connection->subflows, subflow);
        fake_sub_established(fake_of(kern),
                             &connection->subflows.items[connection->subflows.n - 1]);
}

void fake_peer_join(struct kern *kern, uint32_t token, const char *local, const char *remote) {
        const struct mptcpize_address address = fake_parse(remote);

        fake_peer_join_id(kern, token, local, remote,
                          fake_remote_id(known(fake_of(kern), token), &address));
}

void fake_peer_announce(struct kern *kern, uint32_t token, uint8_t id, const char *address) {
        struct fake_connection *connection = known(fake_of(kern), token);
        struct event event = {
                .type = EVENT_ANNOUNCED,
                .mptcp = { .token = token, .remote_id = id, .remote = fake_parse(address) },
        };

        if (!event.mptcp.remote.port)
                event.mptcp.remote.port = connection->is.remote.port;
        learn_remote(connection, &event.mptcp.remote, id);
        fake_push(fake_of(kern), &event);
}

static void forget_remote(struct fake_connection *connection, uint8_t id) {
        for (size_t i = connection->remotes.n; i-- > 0;)
                if (connection->remotes.items[i].id == id && id != 0)
                        ARRAY_CUT(&connection->remotes, i);
}

void fake_peer_remove(struct kern *kern, uint32_t token, uint8_t id) {
        struct fake *fake = fake_of(kern);
        struct fake_connection *connection = known(fake, token);
        const struct event event = { .type = EVENT_REMOVED,
                                     .mptcp = { .token = token, .remote_id = id } };

        fake_push(fake, &event);
        forget_remote(connection, id);
        for (size_t i = connection->subflows.n; i-- > 0;)
                if (connection->subflows.items[i].remote_id == id)
                        fake_sub_closed(fake, connection, &connection->subflows.items[i], 0);
}

void fake_peer_reset(struct kern *kern, uint32_t token, const char *local, const char *remote,
                     int error) {
        struct fake_connection *connection = known(fake_of(kern), token);

        assert(error >= 0);
        fake_sub_closed(fake_of(kern), connection, known_subflow(connection, local, remote), error);
}

void fake_peer_accept(struct kern *kern, uint32_t token, const char *local, const char *remote) {
        struct fake_connection *connection = known(fake_of(kern), token);
        struct snapshot_subflow *subflow = known_subflow(connection, local, remote);

        assert(subflow->state == FAKE_TCP_SYN_SENT);
        subflow->remote_id = fake_remote_id(connection, &subflow->remote);
        fake_sub_established(fake_of(kern), subflow);
}

void fake_peer_backup(struct kern *kern, uint32_t token, const char *local, const char *remote,
                      bool backup) {
        struct fake_connection *connection = known(fake_of(kern), token);
        struct snapshot_subflow *subflow = known_subflow(connection, local, remote);
        const struct event event = {
                .type = EVENT_SUB_PRIORITY,
                .mptcp = {
                        .token = token,
                        .local = subflow->local,
                        .remote = subflow->remote,
                        .local_id = subflow->local_id,
                        .remote_id = subflow->remote_id,
                        .ifindex = subflow->ifindex,
                        .backup = backup,
                },
        };

        subflow->flags &= ~SNAPSHOT_BKUP_REM;
        if (backup)
                subflow->flags |= SNAPSHOT_BKUP_REM;
        fake_push(fake_of(kern), &event);
}

void fake_measure(struct kern *kern, uint32_t token, const char *local, const char *remote,
                  const struct measure *measure) {
        struct snapshot_subflow *subflow =
                        known_subflow(known(fake_of(kern), token), local, remote);
        const uint32_t remote_token = subflow->measure.remote_token;

        subflow->measure = *measure;
        subflow->measure.remote_token = remote_token;
}
