/*
 * Orders. See order.h.
 *
 * Each is checked here, becomes an action like those of plugins, and leaves a mark in the model
 * that decide.c respects: of a subflow (ordered, pinned), of an address id (held, barred), or of a
 * pair of addresses (a refusal that is ordered).
 */
#include "order.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct task {
        struct engine *engine;
        struct connection *connection;
        const struct order *order;
        char *reason; /* LIMIT_REASON bytes */
};

__attribute__((format(printf, 3, 4))) static int task_fail(const struct task *task, int error,
                                                           const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(task->reason, LIMIT_REASON, format, args);
        va_end(args);
        return error;
}

/* The connection */

static int task_check_state(const struct task *task) {
        switch (task->connection->state) {
        case CONNECTION_ESTABLISHED:
                return 0;
        case CONNECTION_NEW:
                return task_fail(task, -EPERM, "it is not established yet");
        case CONNECTION_FALLBACK:
                return task_fail(task, -EPERM, "it fell back to TCP");
        case CONNECTION_KERNEL:
                return task_fail(task, -EPERM, "the kernel's own path manager has it");
        case CONNECTION_LOCAL:
                return task_fail(task, -EPERM, "its peer is this host");
        case CONNECTION_ENDING:
        default:
                return task_fail(task, -EPERM, "it is ending");
        }
}

/* Does the connection live without it, and the other ones with its id? */
static bool connection_can_spare(const struct connection *connection, const struct subflow *subflow,
                                 uint8_t id) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *other = &connection->subflows.items[i];

                if (other != subflow && other->is.state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    (!id || other->is.local_id != id))
                        return true;
        }
        return false;
}

/* Local addresses */

/* Why none of this host's addresses will do. */
static int task_explain_local(const struct task *task) {
        const struct engine *engine = task->engine;
        const struct order *order = task->order;
        const struct address *address =
                        order->local.family ? model_find_address(&engine->model, &order->local)
                                            : NULL;
        const struct link *link = model_find_link(&engine->model,
                                                  order->ifindex || !address ? order->ifindex
                                                                             : address->is.ifindex);

        if (order->local.family && !address)
                return task_fail(task, -ENOENT, "this host has no such address");
        if (order->ifindex && !link)
                return task_fail(task, -ENOENT, "there is no such interface");
        if (!link)
                return task_fail(task, -ENOENT, "this host has no usable address");
        if (!link->is.up)
                return task_fail(task, -ENOENT, "the link of %s is down", link->is.name);
        if (engine_role(engine, engine_profile(engine, task->connection)->conf, link->is.name,
                        NULL) == MPTCPIZE_ROLE_OFF)
                return task_fail(task, -EACCES, "the role of %s is off", link->is.name);
        if (engine_leaving(engine, link->is.name))
                return task_fail(task, -EACCES, "%s is about to go: %s", link->is.name,
                                 engine_leaving(engine, link->is.name));
        return task_fail(task, -ENOENT, "no usable address of this host fits");
}

static bool task_wants_local(const struct task *task, const struct mptcpize_local *local) {
        const struct order *order = task->order;

        return (!order->ifindex || order->ifindex == local->ifindex) &&
               (!order->local.family || address_same_host(&order->local, &local->address));
}

/* ADD */

static int task_check_permit(const struct task *task) {
        const char *reason = connection_joins_reason(task->connection);

        if (engine_may_join(task->connection))
                return 0;
        if (task->connection->joins == JOINS_WAIT)
                return task_fail(task, -EACCES, "not authenticated yet: %s", reason);
        return task_fail(task, -EACCES, "%s", reason[0] ? reason : "it may have no joins");
}

static int task_check_remote(const struct task *task, const struct mptcpize_address *remote) {
        const struct connection *connection = task->connection;

        if (!address_is_host(remote) || address_is_link_local(remote) ||
            engine_is_own(task->engine, remote))
                return task_fail(task, -ENOENT, "the remote address leads to no other host");
        if (connection->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL &&
            address_equal(remote, &connection->remotes.items[0].address))
                return task_fail(task, -EACCES, "the peer denies joins to its first address");
        return 0;
}

static bool connection_has_pair(const struct connection *connection,
                                const struct mptcpize_address *local,
                                const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *is = &connection->subflows.items[i].is;

                if (is->state <= MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    address_same_host(&is->local, local) &&
                    (!local->port || local->port == is->local.port) &&
                    address_equal(&is->remote, remote))
                        return true;
        }
        return false;
}

static int task_check_pair(const struct task *task, const struct mptcpize_local *local,
                           const struct mptcpize_address *from,
                           const struct mptcpize_address *remote) {
        struct connection *connection = task->connection;
        int r;

        if (from->family != remote->family)
                return task_fail(task, -EAFNOSUPPORT, "IPv4 and IPv6 don't go together");
        r = task_check_remote(task, remote);
        if (r < 0)
                return r;
        if (connection_has_pair(connection, from, remote))
                return task_fail(task, -EEXIST, "there is such a subflow already");
        if (connection_uses_port(connection, from, remote))
                return task_fail(task, -EEXIST, "a subflow that is ending has that port");
        if (!model_has_route(&task->engine->model, local->ifindex, remote))
                return task_fail(task, -ENETUNREACH, "no route leads there from %s", local->ifname);
        if (!connection_find_refusal(connection, from, remote) &&
            !connection_has_refusal_room(connection))
                return task_fail(task, -ENOBUFS, "too many subflows have failed");
        return 0;
}

/* The one that is known for an address of the peer's, else that of the first one. */
static uint16_t connection_port(const struct connection *connection,
                                const struct mptcpize_address *remote) {
        for (size_t i = 0; i < connection->remotes.n; i++)
                if (address_same_host(&connection->remotes.items[i].address, remote))
                        return connection->remotes.items[i].address.port;
        return connection->remotes.items[0].address.port;
}

/* Where remote number i is, with its port; false: there are no more of them. */
static bool task_remote(const struct task *task, size_t i, struct mptcpize_address *ret_remote) {
        const struct connection *connection = task->connection;

        if (!task->order->remote.family) {
                if (i < connection->remotes.n)
                        *ret_remote = connection->remotes.items[i].address;
                return i < connection->remotes.n;
        }
        *ret_remote = task->order->remote;
        if (!ret_remote->port)
                ret_remote->port = connection_port(connection, ret_remote);
        return i == 0;
}

/*
 * The best pair of addresses that can be joined. If none can: why the best one can't, where a
 * mismatch of families counts least.
 */
static int task_find_pair(const struct task *task, struct action *action) {
        const struct locals *locals = engine_locals(task->engine, task->connection);
        char first[LIMIT_REASON] = "";
        int error = 0;

        for (size_t i = 0; i < locals->n; i++) {
                const struct mptcpize_local *local = &locals->items[i].is;

                action->local = local->address;
                action->local.port = task->order->local.port;
                action->ifindex = local->ifindex;
                for (size_t k = 0;
                     task_wants_local(task, local) && task_remote(task, k, &action->remote); k++) {
                        int r = task_check_pair(task, local, &action->local, &action->remote);

                        if (r == 0)
                                return 0;
                        if (error && error != -EAFNOSUPPORT)
                                continue;
                        error = r;
                        memcpy(first, task->reason, sizeof(first));
                }
        }
        return error ? task_fail(task, error, "%s", first) : task_explain_local(task);
}

static int task_check_room(const struct task *task) {
        const struct engine *engine = task->engine;
        const struct connection *connection = task->connection;
        const uint32_t max = engine_max_subflows(engine, connection);

        if (!engine_has_hope(engine, connection))
                return task_fail(task, -EBUSY, "it has no subflow left, and the kernel may end it");
        if (connection_count(connection, SUBFLOWS_LIVE, NULL) >= max)
                return task_fail(task, -ENOBUFS, "no more than %u subflows are allowed", max);
        if (engine_has_joins_enough(engine, connection, 0))
                return task_fail(task, -ENOBUFS, "as many joins are under way as may be");
        return 0;
}

static int order_add(const struct task *task, uint32_t *ret_serial) {
        struct action action = { .type = ACTION_CREATE,
                                 .token = task->order->token,
                                 .backup = task->order->backup,
                                 .ordered = true,
                                 .reason = "added by the operator" };
        int r = task_check_permit(task);

        if (r == 0)
                r = task_find_pair(task, &action);
        if (r == 0)
                r = task_check_room(task);
        if (r < 0)
                return r;
        r = engine_act(task->engine, task->connection, &action);
        if (r < 0)
                return task_fail(task, r, "%s",
                                 r == -ENOBUFS ? "no address id is free" : strerror(-r));
        connection_forget_refusal(task->connection, &action.local, &action.remote);
        engine_schedule(task->engine, task->connection);
        *ret_serial = action.serial;
        return 0;
}

/* REMOVE, BACKUP */

static bool address_fits(const struct mptcpize_address *address,
                         const struct mptcpize_address *wanted) {
        return !wanted->family || (address_same_host(address, wanted) &&
                                   (!wanted->port || wanted->port == address->port));
}

static int task_select(const struct task *task, uint32_t states, struct subflow **ret_subflow) {
        const struct order *order = task->order;
        struct subflow *found = NULL;
        unsigned int n = 0;

        for (size_t i = 0; i < task->connection->subflows.n; i++) {
                struct subflow *subflow = &task->connection->subflows.items[i];

                if (!(states & 1u << subflow->is.state) ||
                    (order->ifindex && order->ifindex != subflow->is.ifindex) ||
                    !address_fits(&subflow->is.local, &order->local) ||
                    !address_fits(&subflow->is.remote, &order->remote))
                        continue;
                found = subflow;
                n++;
        }
        if (n > 1) {
                (void)task_fail(task, 0, "%u subflows fit: say both addresses and ports", n);
                return -ENOTUNIQ;
        }
        if (!found) {
                (void)task_fail(task, 0, "it has no such subflow");
                return -ENOENT;
        }
        *ret_subflow = found;
        return 0;
}

/* A refusal that neither time nor another network ends. */
static int task_refuse(const struct task *task, const struct mptcpize_subflow *subflow) {
        struct refusal *refusal =
                        connection_get_refusal(task->connection, &subflow->local, &subflow->remote);

        if (!refusal)
                return task_fail(task, -ENOBUFS, "too many subflows have failed");
        *refusal = (struct refusal){
                .local = refusal->local,
                .remote = refusal->remote,
                .error = -ECANCELED,
                .tries = 1,
                .final = true,
                .ordered = true,
                .since_usec = task->engine->now_usec,
                .until_usec = UINT64_MAX,
        };
        return 0;
}

#define REMOVED "removed by the operator"

/* A join under way ends at once for the plugin, as any that is given up. */
static int task_drop_join(const struct task *task, struct subflow *subflow, uint32_t *ret_serial) {
        int r = engine_give_up_join(task->engine, task->connection, subflow, REMOVED);
        const struct mptcpize_subflow gone = subflow->is;

        *ret_serial = task->engine->serial;
        subflow->unwanted = true;
        engine_decide_subflow(task->engine, task->connection, MPTCPIZE_EVENT_SUBFLOW_CLOSED, &gone,
                              ECANCELED);
        return r;
}

static int task_drop(const struct task *task, struct subflow *subflow, uint32_t *ret_serial) {
        const bool dead = subflow->is.state == MPTCPIZE_SUBFLOW_DEAD;

        if (subflow->is.state == MPTCPIZE_SUBFLOW_PENDING)
                return task_drop_join(task, subflow, ret_serial);
        if (!engine_close(task->engine, task->connection, subflow,
                          dead ? ACTION_ABORT : ACTION_DESTROY, REMOVED))
                return -ENOBUFS;
        *ret_serial = task->engine->serial;
        engine_check_probe(task->engine, task->connection, NULL);
        return 0;
}

static int order_remove(const struct task *task, uint32_t *ret_serial) {
        struct connection *connection = task->connection;
        struct mptcpize_subflow is;
        struct subflow *subflow;
        int r = task_select(task, SUBFLOWS_LIVE | SUBFLOWS_LOST, &subflow);

        if (r < 0)
                return r;
        if (!connection_can_spare(connection, subflow, 0))
                return task_fail(task, -EBUSY, "no other subflow carries the connection");
        is = subflow->is;
        if (is.flags & MPTCPIZE_SUBFLOW_OURS)
                r = task_refuse(task, &is);
        if (r < 0)
                return r;
        r = task_drop(task, subflow, ret_serial);
        if (r < 0) {
                connection_forget_refusal(connection, &is.local, &is.remote);
                return task_fail(task, r, "%s", strerror(-r));
        }
        engine_schedule(task->engine, connection);
        return 0;
}

void engine_end_unwanted(struct engine *engine, struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                struct subflow *subflow = &connection->subflows.items[i];

                if (!subflow->unwanted || subflow->is.state != MPTCPIZE_SUBFLOW_ESTABLISHED)
                        continue;
                subflow->unwanted = false;
                if (connection_can_spare(connection, subflow, 0) &&
                    engine_may_act(engine, connection))
                        (void)engine_close(engine, connection, subflow, ACTION_DESTROY, REMOVED);
        }
}

static int order_backup(const struct task *task, uint32_t *ret_serial) {
        struct action action = { .type = ACTION_BACKUP,
                                 .token = task->order->token,
                                 .backup = task->order->backup,
                                 .ordered = true };
        struct subflow *subflow;
        int r = task_select(task, SUBFLOWS_KEPT, &subflow);

        if (r < 0)
                return r;
        action.local = subflow->is.local;
        action.remote = subflow->is.remote;
        snprintf(action.reason, sizeof(action.reason), "made %s by the operator",
                 action.backup ? "backup" : "a normal subflow");
        /* Also if it is one: the plugin may have asked for something else a moment ago. */
        r = engine_act(task->engine, task->connection, &action);
        if (r < 0)
                return task_fail(task, r, "%s", strerror(-r));
        subflow->pinned = true;
        subflow->told = false;
        *ret_serial = action.serial;
        return 0;
}

/* ANNOUNCE, WITHDRAW */

static const struct mptcpize_local *task_local(const struct task *task) {
        const struct locals *locals = engine_locals(task->engine, task->connection);

        for (size_t i = 0; i < locals->n && task->order->local.family; i++)
                if (task_wants_local(task, &locals->items[i].is))
                        return &locals->items[i].is;
        return NULL;
}

static int order_announce(const struct task *task, uint32_t *ret_serial) {
        const struct mptcpize_local *local = task_local(task);
        struct action action = { .type = ACTION_ANNOUNCE,
                                 .token = task->order->token,
                                 .local = task->order->local,
                                 .ordered = true,
                                 .reason = "announced by the operator" };
        struct local_id *id;
        int r;

        if (!local)
                return task_explain_local(task);
        if (!action.local.port && address_same_host(&action.local, &task->connection->local))
                return task_fail(task, -EEXIST, "the connection began there: the peer knows it");
        action.ifindex = local->ifindex;
        r = engine_act(task->engine, task->connection, &action);
        if (r < 0)
                return task_fail(task, r, "%s",
                                 r == -ENOBUFS ? "no address id is free" : strerror(-r));
        id = connection_find_id(task->connection, action.local_id);
        id->held = true;
        id->barred = false;
        *ret_serial = action.serial;
        return 0;
}

/* The peer closes all that it has at an address that is withdrawn. */
static int task_check_users(const struct task *task, uint8_t id) {
        const struct connection *connection = task->connection;

        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct mptcpize_subflow *is = &connection->subflows.items[i].is;

                if (is->local_id != id || is->state == MPTCPIZE_SUBFLOW_CLOSING)
                        continue;
                if (is->flags & MPTCPIZE_SUBFLOW_OURS)
                        return task_fail(task, -EBUSY,
                                         "a subflow of this host's begins there: remove it first");
                if (!connection_can_spare(connection, NULL, id))
                        return task_fail(task, -EBUSY, "no other subflow carries the connection");
        }
        return 0;
}

static int order_withdraw(const struct task *task, uint32_t *ret_serial) {
        struct action action = { .type = ACTION_WITHDRAW,
                                 .token = task->order->token,
                                 .local = task->order->local,
                                 .ordered = true,
                                 .reason = "withdrawn by the operator" };
        struct local_id *id = connection_find_address(task->connection, &action.local);
        int r;

        if (!id || !id->id || id->free)
                return task_fail(task, -ENOENT, "it is not announced");
        r = task_check_users(task, id->id);
        if (r < 0)
                return r;
        r = engine_act(task->engine, task->connection, &action);
        if (r < 0)
                return task_fail(task, r, "%s", strerror(-r));
        id->held = false;
        id->barred = true;
        *ret_serial = action.serial;
        return 0;
}

/* All */

bool order_has_failed(const struct outcome_event *outcome) {
        switch (outcome->action.type) {
        case ACTION_DESTROY:
        case ACTION_ABORT:
                return outcome->error && outcome->error != -ESRCH && outcome->error != -ENOENT;
        case ACTION_WITHDRAW: /* the kernel has forgotten the id: outcome.c tells the peer */
                return outcome->error && outcome->error != -EINVAL;
        case ACTION_CREATE:
        case ACTION_BACKUP:
        case ACTION_ANNOUNCE:
        case ACTION_QUERY:
        case ACTION_SNAPSHOT:
        case ACTION_MEASURE:
        case ACTION_RELEASE:
        case _ACTION_MAX:
        default:
                return outcome->error != 0;
        }
}

int engine_order(struct engine *engine, const struct order *order, uint32_t *ret_serial,
                 char reason[static LIMIT_REASON]) {
        static int (*const fns[])(const struct task *task, uint32_t *ret_serial) = {
                [ORDER_ADD] = order_add,           [ORDER_REMOVE] = order_remove,
                [ORDER_BACKUP] = order_backup,     [ORDER_ANNOUNCE] = order_announce,
                [ORDER_WITHDRAW] = order_withdraw,
        };
        const struct task task = { .engine = engine,
                                   .connection = model_find(&engine->model, order->token),
                                   .order = order,
                                   .reason = reason };
        uint32_t serial = 0;
        int r;

        if (!task.connection)
                return task_fail(&task, -ENOENT, "there is no such connection");
        r = task_check_state(&task);
        if (r < 0)
                return r;
        if (!engine_may_act(engine, task.connection))
                return task_fail(&task, -EAGAIN, "its address ids are being asked for");
        if (engine->queue.n >= LIMIT_ACTIONS)
                return task_fail(&task, -ENOBUFS, "too much is waiting for the kernel");
        r = fns[order->type](&task, &serial);
        if (r < 0)
                return r;
        engine_touch(engine, task.connection);
        *ret_serial = serial;
        return 0;
}
