#include "connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void connection_learn_uid(struct connection *connection, uint32_t uid) {
        if (uid != UINT32_MAX)
                connection->uid = uid;
}

const char *connection_joins_reason(const struct connection *connection) {
        return connection->joins_reason ? connection->joins_reason : "";
}

const char *connection_state_name(enum connection_state state) {
        static const char *const names[] = {
                [CONNECTION_NEW] = "new",           [CONNECTION_ESTABLISHED] = "established",
                [CONNECTION_FALLBACK] = "fallback", [CONNECTION_KERNEL] = "kernel",
                [CONNECTION_LOCAL] = "local",       [CONNECTION_ENDING] = "ending",
        };

        return names[state];
}

const char *subflow_state_name(uint32_t state) {
        static const char *const names[] = {
                [MPTCPIZE_SUBFLOW_PENDING] = "pending",
                [MPTCPIZE_SUBFLOW_ESTABLISHED] = "established",
                [MPTCPIZE_SUBFLOW_DEAD] = "dead",
                [MPTCPIZE_SUBFLOW_CLOSING] = "closing",
        };

        return names[state];
}

void connection_free(struct connection *connection) {
        if (!connection)
                return;
        ARRAY_DONE(&connection->subflows);
        ARRAY_DONE(&connection->remotes);
        ARRAY_DONE(&connection->ids);
        ARRAY_DONE(&connection->refusals);
        ARRAY_DONE(&connection->unheard);
        ARRAY_DONE(&connection->listeners);
        free(connection->probe);
        free(connection->joins_reason);
        free(connection);
}

static bool subflow_is(const struct subflow *subflow, const struct mptcpize_address *local,
                       const struct mptcpize_address *remote) {
        return address_equal(&subflow->is.local, local) &&
               address_equal(&subflow->is.remote, remote);
}

bool connection_uses_port(const struct connection *connection, const struct mptcpize_address *local,
                          const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->subflows.n && local->port; i++)
                if (subflow_is(&connection->subflows.items[i], local, remote))
                        return true;
        return false;
}

/* A join has no local port yet, so the first event with one must find it. */
static bool subflow_may_be(const struct subflow *subflow, const struct mptcpize_address *local,
                           const struct mptcpize_address *remote) {
        if (subflow->is.state != MPTCPIZE_SUBFLOW_PENDING && !subflow->expired)
                return false;
        if (subflow->is.local.port && local->port && subflow->is.local.port != local->port)
                return false;
        /* The kernel gives no remote port when a pending one is destroyed. */
        return address_same_host(&subflow->is.local, local) &&
               (remote->port ? address_equal(&subflow->is.remote, remote)
                             : address_same_host(&subflow->is.remote, remote));
}

static struct subflow *connection_search(struct connection *connection,
                                         const struct mptcpize_address *local,
                                         const struct mptcpize_address *remote, bool ended) {
        struct subflow *second = NULL;

        for (size_t i = 0; i < connection->subflows.n; i++)
                if (subflow_is(&connection->subflows.items[i], local, remote))
                        return &connection->subflows.items[i];
        for (size_t i = 0; i < connection->subflows.n; i++) {
                struct subflow *subflow = &connection->subflows.items[i];

                if (!subflow_may_be(subflow, local, remote))
                        continue;
                if (subflow->expired == ended)
                        return subflow;
                if (!second)
                        second = subflow;
        }
        return second;
}

struct subflow *connection_find_subflow(struct connection *connection,
                                        const struct mptcpize_address *local,
                                        const struct mptcpize_address *remote) {
        return connection_search(connection, local, remote, false);
}

struct subflow *connection_find_ended(struct connection *connection,
                                      const struct mptcpize_address *local,
                                      const struct mptcpize_address *remote) {
        return connection_search(connection, local, remote, true);
}

void connection_note_unheard(struct connection *connection, const struct mptcpize_subflow *gone) {
        const struct unheard entry = { .local = gone->local, .remote = gone->remote };

        /* The oldest has had its time. */
        if (connection->unheard.n == LIMIT_UNHEARD)
                ARRAY_CUT(&connection->unheard, 0);
        (void)ARRAY_APPEND(&connection->unheard, entry, LIMIT_UNHEARD);
}

bool connection_take_unheard(struct connection *connection, const struct mptcpize_address *local,
                             const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->unheard.n; i++) {
                const struct unheard *entry = &connection->unheard.items[i];

                if (!address_equal(&entry->local, local) || !address_equal(&entry->remote, remote))
                        continue;
                ARRAY_CUT(&connection->unheard, i);
                if (!connection->unheard.n)
                        ARRAY_DONE(&connection->unheard);
                return true;
        }
        return false;
}

int connection_add_subflow(struct connection *connection, const struct subflow *subflow,
                           struct subflow **ret_subflow) {
        int r = ARRAY_APPEND(&connection->subflows, *subflow, LIMIT_SUBFLOWS);

        if (r < 0)
                return r;
        *ret_subflow = &connection->subflows.items[connection->subflows.n - 1];
        return 0;
}

void connection_remove_subflow(struct connection *connection, struct subflow *subflow) {
        ARRAY_CUT(&connection->subflows, (size_t)(subflow - connection->subflows.items));
}

size_t connection_count(const struct connection *connection, uint32_t states,
                        const struct subflow *except) {
        size_t n = 0;

        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *subflow = &connection->subflows.items[i];

                n += subflow != except && states & 1u << subflow->is.state;
        }
        return n;
}

static uint8_t connection_free_id(const struct connection *connection) {
        for (unsigned int id = 1; id <= UINT8_MAX; id++) {
                size_t i = 0;

                while (i < connection->ids.n && connection->ids.items[i].id != id)
                        i++;
                if (i == connection->ids.n)
                        return (uint8_t)id;
        }
        return 0;
}

static bool connection_uses_id(const struct connection *connection, uint8_t id) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].is.local_id == id)
                        return true;
        return false;
}

/* Addresses come and go, and a connection may outlive more of them than there are ids. */
static void connection_reclaim_id(struct connection *connection) {
        for (size_t i = 0; i < connection->ids.n; i++)
                if (connection->ids.items[i].id && connection->ids.items[i].free &&
                    !connection_uses_id(connection, connection->ids.items[i].id)) {
                        ARRAY_CUT(&connection->ids, i);
                        return;
                }
}

int connection_local_id(struct connection *connection, const struct mptcpize_address *address,
                        uint8_t *ret_id) {
        struct local_id entry = { .address = *address };
        int r;

        for (size_t i = 0; i < connection->ids.n; i++) {
                if (!address_equal(&connection->ids.items[i].address, address))
                        continue;
                connection->ids.items[i].free = false;
                *ret_id = connection->ids.items[i].id;
                return 0;
        }
        if (connection->ids.n == LIMIT_IDS)
                connection_reclaim_id(connection);
        /* RFC 8684, 3.2: id 0 is the address of the initial subflow and no other. */
        if (address->port || !address_same_host(address, &connection->local)) {
                entry.id = connection_free_id(connection);
                if (!entry.id)
                        return -ENOBUFS;
        }
        r = ARRAY_APPEND(&connection->ids, entry, LIMIT_IDS);
        if (r < 0)
                return r;
        *ret_id = entry.id;
        return 0;
}

struct local_id *connection_find_id(struct connection *connection, uint8_t id) {
        for (size_t i = 0; i < connection->ids.n; i++)
                if (connection->ids.items[i].id == id)
                        return &connection->ids.items[i];
        return NULL;
}

struct local_id *connection_find_address(struct connection *connection,
                                         const struct mptcpize_address *address) {
        for (size_t i = 0; i < connection->ids.n; i++)
                if (address_equal(&connection->ids.items[i].address, address))
                        return &connection->ids.items[i];
        return NULL;
}

int connection_learn_id(struct connection *connection, const struct mptcpize_address *address,
                        uint8_t id) {
        struct local_id entry = { .address = *address, .id = id };

        for (size_t i = connection->ids.n; i-- > 0;) {
                const struct local_id *known = &connection->ids.items[i];
                const bool same = address_equal(&known->address, address);

                if (!same && known->id != id)
                        continue;
                entry.held |= same && known->held;
                entry.barred |= same && known->barred;
                ARRAY_CUT(&connection->ids, i);
        }
        return ARRAY_APPEND(&connection->ids, entry, LIMIT_IDS);
}

struct mptcpize_remote *connection_find_remote(struct connection *connection, uint8_t id) {
        for (size_t i = 0; i < connection->remotes.n; i++)
                if (connection->remotes.items[i].id == id)
                        return &connection->remotes.items[i];
        return NULL;
}

int connection_add_remote(struct connection *connection, const struct mptcpize_remote *remote) {
        struct mptcpize_remote *known = connection_find_remote(connection, remote->id);
        int r;

        if (known) {
                if (address_equal(&known->address, &remote->address))
                        return 0;
                *known = *remote;
                return 1;
        }
        r = ARRAY_APPEND(&connection->remotes, *remote, LIMIT_REMOTES);
        return r < 0 ? r : 1;
}

void connection_remove_remote(struct connection *connection, uint8_t id) {
        for (size_t i = 1; i < connection->remotes.n; i++)
                if (connection->remotes.items[i].id == id) {
                        ARRAY_CUT(&connection->remotes, i);
                        return;
                }
}

struct refusal *connection_find_refusal(struct connection *connection,
                                        const struct mptcpize_address *local,
                                        const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->refusals.n; i++)
                if (address_same_host(&connection->refusals.items[i].local, local) &&
                    address_equal(&connection->refusals.items[i].remote, remote))
                        return &connection->refusals.items[i];
        return NULL;
}

void connection_forget_refusal(struct connection *connection, const struct mptcpize_address *local,
                               const struct mptcpize_address *remote) {
        const struct refusal *refusal = connection_find_refusal(connection, local, remote);

        if (refusal)
                ARRAY_REMOVE(&connection->refusals, (size_t)(refusal - connection->refusals.items));
}

bool connection_forget_orders(struct connection *connection) {
        bool found = false;

        for (size_t i = connection->refusals.n; i-- > 0;)
                if (connection->refusals.items[i].ordered) {
                        ARRAY_REMOVE(&connection->refusals, i);
                        found = true;
                }
        return found;
}

void connection_drop_orders(struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                connection->subflows.items[i].ordered = false;
                connection->subflows.items[i].pinned = false;
        }
}

/* An entry that refuses nothing: it only keeps the log from repeating itself. */
static struct refusal *connection_idle_refusal(const struct connection *connection) {
        struct refusal *items = connection->refusals.items;

        for (size_t i = 0; items && i < connection->refusals.n; i++)
                if (!items[i].tries)
                        return &items[i];
        return NULL;
}

bool connection_has_refusal_room(const struct connection *connection) {
        return connection->refusals.n < LIMIT_REFUSALS || connection_idle_refusal(connection);
}

struct refusal *connection_get_refusal(struct connection *connection,
                                       const struct mptcpize_address *local,
                                       const struct mptcpize_address *remote) {
        struct refusal fresh = { .local = address_without_port(local), .remote = *remote };
        struct refusal *entry = connection_find_refusal(connection, local, remote);

        if (entry)
                return entry;
        assert(!connection->refusals.cap || connection->refusals.items);
        if (ARRAY_APPEND(&connection->refusals, fresh, LIMIT_REFUSALS) == 0)
                return &connection->refusals.items[connection->refusals.n - 1];
        entry = connection_idle_refusal(connection);
        if (entry)
                *entry = fresh;
        return entry;
}
