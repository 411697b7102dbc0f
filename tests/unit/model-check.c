#include "model-check.h"

#include <assert.h>

/* Connections in their table, and in the heaps */

static void check_heap(const struct heap *heap) {
        for (size_t i = 0; i < heap->n; i++) {
                assert(heap->nodes[i]->index == i);
                assert(!i || heap->nodes[(i - 1) / 2]->key <= heap->nodes[i]->key);
        }
}

static bool is_in_heap(const struct heap *heap, const struct heap_node *node) {
        return node->index < heap->n && heap->nodes[node->index] == node;
}

/* How many of them there are, in all connections. */
struct census {
        size_t connections, deadlines, measurements, listeners;
};

static void check_place(const struct model *model, const struct connection *at, size_t bucket) {
        assert((uint64_t)at->token * model->n_buckets >> 32 == bucket);
        assert(!at->hash_next || at->token < at->hash_next->token);
        assert(model_find(model, at->token) == at);
}

static void count(struct census *census, const struct model *model, const struct connection *at) {
        census->connections++;
        census->deadlines += is_in_heap(&model->deadlines, &at->deadline);
        census->measurements += is_in_heap(&model->measurements, &at->measurement);
        census->listeners += at->listeners.n;
}

/* One connection */

static void check_subflows(const struct connection *connection) {
        assert(connection->subflows.n <= LIMIT_SUBFLOWS);
        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *a = &connection->subflows.items[i];

                assert(a->is.size == sizeof(a->is));
                assert(a->is.state <= MPTCPIZE_SUBFLOW_CLOSING);
                assert(!a->asked || a->serial);
                assert(!a->expired || a->is.state == MPTCPIZE_SUBFLOW_CLOSING);
                for (size_t k = 0; k < i; k++) {
                        const struct subflow *b = &connection->subflows.items[k];

                        assert(!a->serial || a->serial != b->serial);
                        assert(!a->is.local.port || !address_equal(&a->is.local, &b->is.local) ||
                               !address_equal(&a->is.remote, &b->is.remote));
                }
        }
}

/* RFC 8684, 3.2: id 0 is the address of the initial subflow, and no other. */
static void check_ids(const struct connection *connection) {
        assert(connection->ids.n <= LIMIT_IDS);
        for (size_t i = 0; i < connection->ids.n; i++) {
                const struct local_id *a = &connection->ids.items[i];

                assert(a->id ||
                       (!a->address.port && address_same_host(&a->address, &connection->local)));
                for (size_t k = 0; k < i; k++) {
                        assert(a->id != connection->ids.items[k].id);
                        assert(!address_equal(&a->address, &connection->ids.items[k].address));
                }
        }
}

static void check_remotes(const struct connection *connection) {
        assert(connection->remotes.n >= 1 && connection->remotes.n <= LIMIT_REMOTES);
        for (size_t i = 0; i < connection->remotes.n; i++) {
                const struct mptcpize_remote *remote = &connection->remotes.items[i];

                assert(!i == !remote->id);
                assert(!i == !!(remote->flags & MPTCPIZE_REMOTE_INITIAL));
                for (size_t k = 0; k < i; k++)
                        assert(remote->id != connection->remotes.items[k].id);
        }
}

static void check_refusals(const struct connection *connection) {
        assert(connection->refusals.n <= LIMIT_REFUSALS);
        for (size_t i = 0; i < connection->refusals.n; i++) {
                const struct refusal *a = &connection->refusals.items[i];

                assert(!a->local.port && a->error <= 0);
                assert(!a->final || a->until_usec == UINT64_MAX || !a->tries);
                for (size_t k = 0; k < i; k++)
                        assert(!address_equal(&a->local, &connection->refusals.items[k].local) ||
                               !address_equal(&a->remote, &connection->refusals.items[k].remote));
        }
}

static bool comes_in_time(const struct engine *engine, const struct connection *connection,
                          uint64_t usec) {
        const struct heap_node *node = &connection->deadline;

        return usec <= engine->now_usec || usec == UINT64_MAX ||
               (node->index != HEAP_NONE && node->key <= usec);
}

/* Nothing is waited for in vain. */
static void check_times(const struct engine *engine, const struct connection *connection) {
        assert(comes_in_time(engine, connection, connection->timer_usec));
        assert(comes_in_time(engine, connection, connection->orphan_usec));
        assert(comes_in_time(engine, connection, connection->grace_usec));
        assert(comes_in_time(engine, connection, engine_join_deadline(engine, connection)));
        for (size_t i = 0; i < connection->refusals.n; i++)
                assert(comes_in_time(engine, connection, connection->refusals.items[i].until_usec));
        assert(!connection->pace_usec || connection->measurement.index != HEAP_NONE);
}

static bool is_alien(const struct connection *connection) {
        return connection->state == CONNECTION_FALLBACK || connection->state == CONNECTION_KERNEL ||
               connection->state == CONNECTION_LOCAL;
}

static void check_connection(const struct engine *engine, const struct connection *connection) {
        check_subflows(connection);
        check_ids(connection);
        check_remotes(connection);
        check_refusals(connection);
        check_times(engine, connection);
        assert(connection->unheard.n <= LIMIT_UNHEARD && connection->listeners.n <= LIMIT_IDS);
        assert(!connection->plugin_state || connection->plugin);
        assert(connection->advice.profile < engine->n_profiles);
        assert(connection->advice.guard < engine->n_profiles);
        for (size_t i = 0; i < connection->listeners.n; i++)
                assert(connection->listeners.items[i].port);
}

/* What waits for the kernel's answer */

typedef bool (*action_fn)(const struct action *action, const void *what);

static bool is_snapshot(const struct action *action, const void *what) {
        (void)what;
        return action->type == ACTION_SNAPSHOT;
}

static bool is_question(const struct action *action, const void *what) {
        (void)what;
        return action->type == ACTION_QUERY;
}

static bool is_question_of(const struct action *action, const void *connection) {
        return action->type == ACTION_QUERY &&
               action->token == ((const struct connection *)connection)->token;
}

static bool is_create(const struct action *action, const void *serial) {
        return action->type == ACTION_CREATE && action->serial == *(const uint32_t *)serial;
}

static bool is_measurement(const struct action *action, const void *subflow) {
        const struct mptcpize_subflow *is = &((const struct subflow *)subflow)->is;

        return action->type == ACTION_MEASURE && address_equal(&action->local, &is->local) &&
               address_equal(&action->remote, &is->remote);
}

static size_t under_way(const struct model_check *check, action_fn fn, const void *what) {
        const struct action_queue *queue = &check->engine->queue;
        size_t n = 0;

        for (uint32_t i = 0; i < check->asked.n; i++)
                n += fn(&check->asked.items[i], what);
        for (uint32_t i = 0; i < queue->n; i++)
                n += fn(&queue->items[(queue->head + i) % queue->cap], what);
        return n;
}

static void check_answers(const struct model_check *check, const struct connection *connection) {
        const struct probe *probe = connection->probe;

        for (size_t i = 0; i < connection->subflows.n; i++) {
                const struct subflow *subflow = &connection->subflows.items[i];

                if (subflow->asked && subflow->is.state == MPTCPIZE_SUBFLOW_PENDING)
                        assert(under_way(check, is_create, &subflow->serial) == 1);
                if (subflow->measuring)
                        assert(under_way(check, is_measurement, subflow) > 0);
        }
        if (connection->ids_asked)
                assert(under_way(check, is_question_of, connection) > 0);
        if (probe && probe->asked)
                assert(under_way(check, is_create, &probe->serial) == 1);
}

/* Each listener that kern/ was asked for is let go of exactly once. */
static long listeners_under_way(const struct model_check *check) {
        const struct action_queue *queue = &check->engine->queue;
        long n = check->listeners;

        for (uint32_t i = 0; i < queue->n; i++) {
                const struct action *action = &queue->items[(queue->head + i) % queue->cap];

                n += action->listen - (action->type == ACTION_RELEASE);
        }
        return n;
}

/* Actions */

static bool is_probe(const struct action *action) {
        return strncmp(action->reason, "a probe", 7) == 0;
}

static const struct mptcpize_local *usable(const struct engine *engine,
                                           const struct connection *connection,
                                           const struct action *action) {
        const struct locals *locals = engine_locals(engine, connection);

        for (size_t i = 0; i < locals->n; i++)
                if (address_same_host(&locals->items[i].is.address, &action->local))
                        return &locals->items[i].is;
        return NULL;
}

static size_t joins_under_way(const struct connection *connection) {
        size_t n = 0;

        for (size_t i = 0; i < connection->subflows.n; i++)
                n += connection->subflows.items[i].serial &&
                     connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_PENDING;
        return n;
}

static void check_create(const struct engine *engine, struct connection *connection,
                         const struct action *action) {
        const struct refusal *refusal =
                        connection_find_refusal(connection, &action->local, &action->remote);
        const struct local_id *id = connection_find_address(connection, &action->local);

        assert(action->local.family == action->remote.family && action->remote.port);
        assert(engine_may_join(connection));
        assert(!(connection->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL) ||
               !address_equal(&action->remote, &connection->remotes.items[0].address));
        if (is_probe(action))
                return;
        assert(connection->state == CONNECTION_ESTABLISHED);
        assert(usable(engine, connection, action));
        assert(id && id->id == action->local_id && !id->free);
        assert(action->ordered || !refusal || !refusal->ordered);
        assert(connection_count(connection, SUBFLOWS_LIVE, NULL) <=
               engine_max_subflows(engine, connection));
        assert(joins_under_way(connection) < engine->limits.max_joins); /* without this one */
}

static void check_announce(const struct engine *engine, struct connection *connection,
                           const struct action *action) {
        const struct local_id *id = connection_find_address(connection, &action->local);

        assert(id && id->id == action->local_id && id->id);
        if (id->renewed)
                return;
        assert(usable(engine, connection, action));
        assert(action->ordered || !id->barred);
}

/* Is it one that the model has, or that it has been told of this moment? */
static void check_close(const struct model_check *check, struct connection *connection,
                        const struct action *action) {
        const struct subflow *subflow =
                        connection_find_subflow(connection, &action->local, &action->remote);

        assert(subflow || check->strange || connection->probe ||
               (address_equal(&action->local, &connection->local) &&
                address_equal(&action->remote, &connection->remotes.items[0].address)));
}

static void check_backup(struct connection *connection, const struct action *action) {
        const struct subflow *subflow =
                        connection_find_subflow(connection, &action->local, &action->remote);

        assert(subflow && action->local.port && action->remote.port);
        assert(action->ordered || !subflow->pinned);
}

static void check_withdraw(struct connection *connection, const struct action *action) {
        const struct local_id *id = connection_find_id(connection, action->local_id);

        for (size_t i = 0; i < connection->subflows.n; i++)
                if (connection->subflows.items[i].is.local_id == action->local_id)
                        return;
        assert(id && address_same_host(&id->address, &action->local));
}

static void check_action(const struct model_check *check, struct connection *connection,
                         const struct action *action) {
        assert(action->serial && action->reason[0] && memchr(action->reason, 0, LIMIT_REASON));
        assert(!is_alien(connection));
        assert(connection->ids_known);
        switch (action->type) {
        case ACTION_CREATE:
                check_create(check->engine, connection, action);
                break;
        case ACTION_ANNOUNCE:
                check_announce(check->engine, connection, action);
                break;
        case ACTION_BACKUP:
                check_backup(connection, action);
                break;
        case ACTION_WITHDRAW:
                check_withdraw(connection, action);
                break;
        case ACTION_DESTROY:
        case ACTION_ABORT:
                check_close(check, connection, action);
                break;
        case ACTION_QUERY:
        case ACTION_SNAPSHOT:
        case ACTION_MEASURE:
        case ACTION_RELEASE:
        case _ACTION_MAX:
        default:
                assert(!"shown");
        }
}

/* Actions are shown when they have been put into the queue, and before anything else happens. */
static void on_line(const struct trace_line *line, void *userdata) {
        const struct model_check *check = userdata;
        const struct action_queue *queue = &check->engine->queue;
        struct connection *connection = model_find(&check->engine->model, line->token);

        assert(memchr(line->reason, 0, LIMIT_REASON));
        assert(line->kind != TRACE_REFUSED || line->error < 0);
        if (line->kind != TRACE_ACTION)
                return;
        assert(connection && queue->n && queue->n <= LIMIT_ACTIONS);
        check_action(check, connection, &queue->items[(queue->head + queue->n - 1) % queue->cap]);
}

/* All */

void model_check_begin(struct model_check *check, struct engine *engine) {
        *check = (struct model_check){ .engine = engine };
        engine_set_tap(engine, on_line, check);
}

void model_check_done(struct model_check *check) {
        ARRAY_DONE(&check->asked);
}

bool model_check_take(struct model_check *check) {
        const struct action *next = engine_next_action(check->engine);

        if (!next)
                return false;
        check->listeners += next->listen - (next->type == ACTION_RELEASE);
        if (ARRAY_APPEND(&check->asked, *next, SIZE_MAX) < 0)
                abort();
        action_queue_pop(&check->engine->queue);
        return true;
}

void model_check_answer(struct model_check *check, uint32_t i) {
        ARRAY_REMOVE(&check->asked, i);
}

static struct census check_connections(const struct model_check *check) {
        const struct model *model = &check->engine->model;
        struct census census = { 0 };

        for (size_t i = 0; i < model->n_buckets; i++)
                for (const struct connection *at = model->buckets[i]; at; at = at->hash_next) {
                        check_place(model, at, i);
                        check_connection(check->engine, at);
                        check_answers(check, at);
                        count(&census, model, at);
                }
        return census;
}

void model_check(const struct model_check *check) {
        const struct engine *engine = check->engine;
        const struct model *model = &engine->model;
        const struct census census = check_connections(check);

        assert(census.connections == model->n_connections);
        assert(census.connections <= LIMIT_CONNECTIONS);
        assert(census.deadlines == model->deadlines.n);
        assert(census.measurements == model->measurements.n);
        assert((long)census.listeners == listeners_under_way(check));
        check_heap(&model->deadlines);
        check_heap(&model->measurements);
        assert(under_way(check, is_snapshot, NULL) == engine->comparing);
        assert(under_way(check, is_question, NULL) >= engine->n_questions);
        assert(engine->gone.n <= LIMIT_GONE && engine->strays.n <= LIMIT_STRAYS);
        assert(engine->listeners.n <= LIMIT_LISTENERS && engine->roles.n <= LIMIT_SET_ROLES);
        for (size_t i = 0; i < engine->n_profiles; i++)
                assert(engine->profiles[i].locals.n <= LIMIT_LOCALS);
}
