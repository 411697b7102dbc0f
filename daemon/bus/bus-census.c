/*
 * Counts over all connections: one walk for all of them, which is kept for twenty times as long as
 * it took. So whoever asks over and over costs path management a twentieth of its time at most.
 *
 * A walk takes as long as the memory of the connections takes to come from far away. So what is
 * needed a few connections later is fetched ahead.
 */
#include "bus-private.h"

#include "../util/clock.h"

#define CENSUS_KEPT     20 /* times what the walk took */
#define CENSUS_AHEAD    8u /* buckets; their number is a power of two */
#define CENSUS_SUBFLOWS 4u /* of each connection */

/* Without memory a row is left out. */
static void census_count(struct census_rows *rows, uint64_t key, uint32_t n) {
        const struct census_row row = { .key = key };
        const size_t at = ARRAY_LOWER_BOUND(rows, key, key);

        if (at == rows->n || rows->items[at].key != key) {
                if (ARRAY_APPEND(rows, row, LIMIT_LINKS) < 0)
                        return;
                memmove(&rows->items[at + 1], &rows->items[at],
                        (rows->n - 1 - at) * sizeof(rows->items[0]));
                rows->items[at] = row;
        }
        rows->items[at].n += n;
}

static uint32_t census_of(const struct census_rows *rows, uint64_t key) {
        const size_t at = ARRAY_LOWER_BOUND(rows, key, key);

        return at < rows->n && rows->items[at].key == key ? rows->items[at].n : 0;
}

static void census_add(struct census *census, const struct connection *connection) {
        census->subflows += connection->subflows.n;
        /* Found alive, and what the plugin wants waits for their address ids. */
        census->undecided += connection->ids_wanted && !connection->ids_known &&
                             connection->state <= CONNECTION_ESTABLISHED;
        if (connection->plugin)
                census_count(&census->plugins, (uintptr_t)connection->plugin, 1);
        for (size_t i = 0; i < connection->subflows.n; i++)
                census_count(&census->links, (uint32_t)connection->subflows.items[i].is.ifindex, 1);
}

/* The first ones of a bucket: there are hardly ever more. */
static void census_fetch(const struct model *model, size_t bucket) {
        const struct connection *far =
                        model->buckets[(bucket + 2 * CENSUS_AHEAD) & (model->n_buckets - 1)];
        const struct connection *near =
                        model->buckets[(bucket + CENSUS_AHEAD) & (model->n_buckets - 1)];

        if (far) {
                __builtin_prefetch(&far->token);
                __builtin_prefetch(&far->plugin);
                __builtin_prefetch(&far->subflows);
        }
        for (size_t i = 0; near && i < near->subflows.n && i < CENSUS_SUBFLOWS; i++)
                __builtin_prefetch(&near->subflows.items[i].is.ifindex);
}

static void census_walk(struct census *census, const struct model *model) {
        for (size_t i = 0; i < model->n_buckets; i++) {
                census_fetch(model, i);
                for (const struct connection *at = model->buckets[i]; at; at = at->hash_next)
                        census_add(census, at);
        }
}

const struct census *bus_census(struct bus *bus) {
        struct census *census = &bus->census;
        const uint64_t started = clock_usec();

        if (started < census->until_usec)
                return census;
        census->subflows = census->undecided = census->links.n = census->plugins.n = 0;
        census_walk(census, &bus->host.engine->model);
        census->until_usec = started + CENSUS_KEPT * (clock_usec() - started);
        return census;
}

uint32_t bus_census_link(struct bus *bus, int32_t ifindex) {
        return census_of(&bus_census(bus)->links, (uint32_t)ifindex);
}

uint32_t bus_census_plugin(struct bus *bus, const struct mptcpize_plugin *plugin) {
        return census_of(&bus_census(bus)->plugins, (uintptr_t)plugin);
}

void bus_census_done(struct bus *bus) {
        ARRAY_DONE(&bus->census.links);
        ARRAY_DONE(&bus->census.plugins);
}
