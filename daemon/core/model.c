#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_BUCKETS_MIN 256u
#define MODEL_MAIN_TABLE  254u /* RT_TABLE_MAIN of Linux rtnetlink.h */

int model_init(struct model *model) {
        struct connection **buckets = calloc(MODEL_BUCKETS_MIN, sizeof(*buckets));

        if (!buckets)
                return -ENOMEM;
        *model = (struct model){ .buckets = buckets, .n_buckets = MODEL_BUCKETS_MIN };
        return 0;
}

static void model_free_connection(struct connection *connection, void *userdata) {
        model_remove(userdata, connection);
}

void model_done(struct model *model) {
        if (model->buckets)
                model_each(model, model_free_connection, model);
        free(model->buckets);
        ARRAY_DONE(&model->links);
        ARRAY_DONE(&model->addresses);
        ARRAY_DONE(&model->routes);
        ARRAY_DONE(&model->rules);
        ARRAY_DONE(&model->filters);
        heap_done(&model->deadlines);
        heap_done(&model->measurements);
        *model = (struct model){ 0 };
}

/* Links */

const struct link *model_find_link(const struct model *model, int32_t ifindex) {
        for (size_t i = 0; i < model->links.n; i++)
                if (model->links.items[i].is.ifindex == ifindex)
                        return &model->links.items[i];
        return NULL;
}

int model_link(struct model *model, const struct link_event *event) {
        struct link entry = { .is = *event, .seen = true };
        int r;

        for (size_t i = 0; i < model->links.n; i++) {
                struct link *link = &model->links.items[i];

                if (link->is.ifindex != event->ifindex)
                        continue;
                r = link->is.up != event->up || strcmp(link->is.name, event->name) != 0;
                *link = entry;
                return r;
        }
        r = ARRAY_APPEND(&model->links, entry, LIMIT_LINKS);
        return r < 0 ? r : 1;
}

static void model_filter_gone(struct model *model, int32_t ifindex) {
        for (size_t i = 0; i < model->filters.n; i++)
                if (model->filters.items[i].is.ifindex == ifindex) {
                        ARRAY_CUT(&model->filters, i);
                        return;
                }
}

int model_link_gone(struct model *model, int32_t ifindex) {
        for (size_t i = 0; i < model->links.n; i++)
                if (model->links.items[i].is.ifindex == ifindex) {
                        ARRAY_CUT(&model->links, i);
                        model_filter_gone(model, ifindex);
                        return 1;
                }
        return 0;
}

/* Addresses */

static struct address *model_address_entry(struct model *model, const struct address_event *event) {
        for (size_t i = 0; i < model->addresses.n; i++) {
                struct address *address = &model->addresses.items[i];

                if (address->is.ifindex == event->ifindex &&
                    address_same_host(&address->is.address, &event->address))
                        return address;
        }
        return NULL;
}

static bool model_link_up(const struct model *model, int32_t ifindex) {
        const struct link *link = model_find_link(model, ifindex);

        return link && link->is.up;
}

const struct address *model_find_address(const struct model *model,
                                         const struct mptcpize_address *address) {
        const struct address *found = NULL;

        for (size_t i = 0; i < model->addresses.n; i++) {
                const struct address *entry = &model->addresses.items[i];

                if (!address_same_host(&entry->is.address, address))
                        continue;
                if (model_link_up(model, entry->is.ifindex))
                        return entry;
                found = entry;
        }
        return found;
}

int model_address(struct model *model, const struct address_event *event) {
        struct address *known = model_address_entry(model, event);
        struct address entry = { .is = *event, .seen = true };
        int r;

        if (known) {
                r = known->is.usable != event->usable || known->is.prefix_len != event->prefix_len;
                *known = entry;
                return r;
        }
        r = ARRAY_APPEND(&model->addresses, entry, LIMIT_ADDRESSES);
        return r < 0 ? r : 1;
}

int model_address_gone(struct model *model, const struct address_event *event) {
        struct address *known = model_address_entry(model, event);

        if (!known)
                return 0;
        ARRAY_CUT(&model->addresses, (size_t)(known - model->addresses.items));
        return 1;
}

/* Routes */

static struct route *model_route_entry(struct model *model, const struct route_event *event) {
        for (size_t i = 0; i < model->routes.n; i++) {
                struct route *route = &model->routes.items[i];

                if (route->is.ifindex == event->ifindex && route->is.table == event->table &&
                    route->is.metric == event->metric &&
                    route->is.prefix_len == event->prefix_len &&
                    address_same_host(&route->is.prefix, &event->prefix) &&
                    address_same_host(&route->is.gateway, &event->gateway))
                        return route;
        }
        return NULL;
}

/* All routes that event has taken the place of; itself stays. */
static bool model_replace(struct model *model, const struct route_event *event) {
        const struct route *same = model_route_entry(model, event);
        const size_t before = model->routes.n;

        for (size_t i = model->routes.n; i-- > 0;) {
                const struct route *route = &model->routes.items[i];

                if (route == same || route->is.table != event->table ||
                    route->is.metric != event->metric ||
                    route->is.prefix_len != event->prefix_len ||
                    !address_same_host(&route->is.prefix, &event->prefix))
                        continue;
                ARRAY_CUT(&model->routes, i);
                if (same > route)
                        same--;
        }
        return model->routes.n != before;
}

int model_route(struct model *model, const struct route_event *event) {
        struct route entry = { .is = *event, .seen = true };
        const bool replaced = event->replaces && model_replace(model, event);
        struct route *known = model_route_entry(model, event);
        int r;

        if (known) {
                *known = entry;
                return replaced;
        }
        r = ARRAY_APPEND(&model->routes, entry, LIMIT_ROUTES);
        if (r == -ENOBUFS)
                model->routes_unknown = true;
        return r < 0 ? r : 1;
}

int model_route_gone(struct model *model, const struct route_event *event) {
        struct route *known = model_route_entry(model, event);

        if (!known)
                return 0;
        ARRAY_CUT(&model->routes, (size_t)(known - model->routes.items));
        return 1;
}

bool model_has_route(const struct model *model, int32_t ifindex,
                     const struct mptcpize_address *destination) {
        if (model->routes_unknown)
                return true;
        for (size_t i = 0; i < model->routes.n; i++) {
                const struct route_event *route = &model->routes.items[i].is;

                if (route->ifindex == ifindex &&
                    address_in_prefix(destination, &route->prefix, route->prefix_len))
                        return true;
        }
        return false;
}

static bool model_is_better_route(const struct route_event *route, const struct route_event *than) {
        const bool main_table = route->table == MODEL_MAIN_TABLE;

        if (!than || main_table != (than->table == MODEL_MAIN_TABLE))
                return !than || main_table;
        if (route->prefix_len != than->prefix_len)
                return route->prefix_len > than->prefix_len;
        return route->metric < than->metric;
}

int32_t model_route_ifindex(const struct model *model, const struct mptcpize_address *destination) {
        const struct route_event *best = NULL;

        for (size_t i = 0; i < model->routes.n && !model->routes_unknown; i++) {
                const struct route_event *route = &model->routes.items[i].is;

                if (address_in_prefix(destination, &route->prefix, route->prefix_len) &&
                    model_is_better_route(route, best))
                        best = route;
        }
        return best ? best->ifindex : 0;
}

/* Rules and filters */

static struct rule *model_rule_entry(struct model *model, const struct rule_event *event) {
        for (size_t i = 0; i < model->rules.n; i++) {
                struct rule *rule = &model->rules.items[i];

                if (rule->is.priority == event->priority && rule->is.table == event->table &&
                    rule->is.from_len == event->from_len && rule->is.protocol == event->protocol &&
                    address_same_host(&rule->is.from, &event->from))
                        return rule;
        }
        return NULL;
}

int model_rule(struct model *model, const struct rule_event *event) {
        struct rule *known = model_rule_entry(model, event);
        const struct rule entry = { .is = *event, .seen = true };
        int r;

        if (known) {
                known->seen = true;
                return 0;
        }
        r = ARRAY_APPEND(&model->rules, entry, LIMIT_RULES);
        return r < 0 ? r : 1;
}

int model_rule_gone(struct model *model, const struct rule_event *event) {
        struct rule *known = model_rule_entry(model, event);

        if (!known)
                return 0;
        ARRAY_CUT(&model->rules, (size_t)(known - model->rules.items));
        return 1;
}

int model_filter(struct model *model, const struct filter_event *event) {
        const struct filter entry = { .is = *event, .seen = true };
        int r;

        for (size_t i = 0; i < model->filters.n; i++) {
                struct filter *filter = &model->filters.items[i];

                if (filter->is.ifindex != event->ifindex)
                        continue;
                r = filter->is.rp_filter != event->rp_filter;
                *filter = entry;
                return r;
        }
        r = ARRAY_APPEND(&model->filters, entry, LIMIT_LINKS + 1);
        return r < 0 ? r : 1;
}

bool model_is_strict(const struct model *model, int32_t ifindex) {
        uint8_t value = 0;

        for (size_t i = 0; i < model->filters.n; i++) {
                const struct filter_event *filter = &model->filters.items[i].is;

                if ((filter->ifindex == ifindex || filter->ifindex == FILTER_ALL) &&
                    filter->rp_filter > value)
                        value = filter->rp_filter;
        }
        return value == 1;
}

/* Listing */

void model_net_begin(struct model *model) {
        for (size_t i = 0; i < model->links.n; i++)
                model->links.items[i].seen = false;
        for (size_t i = 0; i < model->addresses.n; i++)
                model->addresses.items[i].seen = false;
        for (size_t i = 0; i < model->routes.n; i++)
                model->routes.items[i].seen = false;
        for (size_t i = 0; i < model->rules.n; i++)
                model->rules.items[i].seen = false;
        for (size_t i = 0; i < model->filters.n; i++)
                model->filters.items[i].seen = false;
        model->routes_unknown = false;
}

#define MODEL_SWEEP(array)                                                    \
        ({                                                                    \
                size_t _before = (array)->n, _kept = 0;                       \
                for (size_t _j = 0; _j < _before; _j++)                       \
                        if ((array)->items[_j].seen)                          \
                                (array)->items[_kept++] = (array)->items[_j]; \
                (array)->n = _kept;                                           \
                _before != _kept;                                             \
        })

int model_net_end(struct model *model) {
        bool changed = MODEL_SWEEP(&model->links);

        changed |= MODEL_SWEEP(&model->addresses);
        changed |= MODEL_SWEEP(&model->routes);
        changed |= MODEL_SWEEP(&model->rules);
        changed |= MODEL_SWEEP(&model->filters);
        return changed;
}

/* Connections */

static struct connection **model_bucket(const struct model *model, uint32_t token) {
        /* Tokens are hashes already (RFC 8684, 3.2), so their high bits are as good as any, and
         * keep the buckets in the order of the tokens. */
        return &model->buckets[(uint64_t)token * model->n_buckets >> 32];
}

struct connection *model_find(const struct model *model, uint32_t token) {
        struct connection *connection = *model_bucket(model, token);

        while (connection && connection->token != token)
                connection = connection->hash_next;
        return connection;
}

static void model_link_bucket(struct model *model, struct connection *connection) {
        struct connection **at = model_bucket(model, connection->token);

        while (*at && (*at)->token < connection->token)
                at = &(*at)->hash_next;
        connection->hash_next = *at;
        *at = connection;
}

const struct connection *model_from(const struct model *model, uint32_t token) {
        struct connection **bucket = model_bucket(model, token);

        for (; bucket < model->buckets + model->n_buckets; bucket++)
                for (struct connection *at = *bucket; at; at = at->hash_next)
                        if (at->token >= token)
                                return at;
        return NULL;
}

/* Doubles the table when it is full; without memory it stays as it is, only slower. */
static void model_grow(struct model *model) {
        struct connection **old = model->buckets, **buckets;
        size_t n = model->n_buckets;

        if (model->n_connections < n)
                return;
        buckets = calloc(n * 2, sizeof(*buckets));
        if (!buckets)
                return;
        model->buckets = buckets;
        model->n_buckets = n * 2;
        for (size_t i = 0; i < n; i++)
                while (old[i]) {
                        struct connection *connection = old[i];

                        old[i] = connection->hash_next;
                        model_link_bucket(model, connection);
                }
        free(old);
}

static struct connection *connection_new(uint32_t token, const struct mptcpize_address *local,
                                         const struct mptcpize_address *remote) {
        struct connection *connection = calloc(1, sizeof(*connection));
        struct mptcpize_remote initial = {
                .size = sizeof(initial),
                .address = *remote,
                .flags = MPTCPIZE_REMOTE_INITIAL,
        };

        if (!connection)
                return NULL;
        connection->token = token;
        connection->local = *local;
        connection->deadline = HEAP_NODE_INIT;
        connection->measurement = HEAP_NODE_INIT;
        connection->uid = connection->advice.program.uid = UINT32_MAX;
        /* And room for the initial subflow: without it nothing would be right. */
        if (connection_add_remote(connection, &initial) < 0 ||
            array_reserve(&connection->subflows.items, 0, &connection->subflows.cap,
                          sizeof(*connection->subflows.items), LIMIT_SUBFLOWS) < 0) {
                connection_free(connection);
                return NULL;
        }
        return connection;
}

int model_add(struct model *model, uint32_t token, const struct mptcpize_address *local,
              const struct mptcpize_address *remote, struct connection **ret_connection) {
        struct connection *connection = model_find(model, token);

        if (connection) {
                *ret_connection = connection;
                return -EEXIST;
        }
        if (heap_reserve(&model->deadlines, model->n_connections + 1) < 0 ||
            heap_reserve(&model->measurements, model->n_connections + 1) < 0)
                return -ENOMEM;
        connection = connection_new(token, local, remote);
        if (!connection)
                return -ENOMEM;
        model_grow(model);
        model_link_bucket(model, connection);
        model->n_connections++;
        *ret_connection = connection;
        return 0;
}

void model_remove(struct model *model, struct connection *connection) {
        struct connection **at = model_bucket(model, connection->token);

        while (*at != connection)
                at = &(*at)->hash_next;
        *at = connection->hash_next;
        model->n_connections--;
        heap_remove(&model->deadlines, &connection->deadline);
        heap_remove(&model->measurements, &connection->measurement);
        connection_free(connection);
}

void model_each(struct model *model, void (*fn)(struct connection *connection, void *userdata),
                void *userdata) {
        for (size_t i = 0; i < model->n_buckets; i++)
                for (struct connection *next, *at = model->buckets[i]; at; at = next) {
                        next = at->hash_next;
                        fn(at, userdata);
                }
}
