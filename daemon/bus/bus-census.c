/*
 * Counts over all connections: one walk for all of them, which is kept for twenty times as long as
 * it took. So whoever asks over and over costs path management a twentieth of its time at most.
 */
#include "bus-private.h"

#include "../util/clock.h"

#define CENSUS_KEPT 20 /* times what the walk took */

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

static void census_visit(struct connection *connection, void *userdata) {
        struct census *census = userdata;

        census->subflows += connection->subflows.n;
        /* Found alive, and what the plugin wants waits for their address ids. */
        census->undecided += connection->ids_wanted && !connection->ids_known &&
                             connection->state <= CONNECTION_ESTABLISHED;
        if (connection->plugin)
                census_count(&census->plugins, (uintptr_t)connection->plugin, 1);
        for (size_t i = 0; i < connection->subflows.n; i++)
                census_count(&census->links, (uint32_t)connection->subflows.items[i].is.ifindex, 1);
}

const struct census *bus_census(struct bus *bus) {
        struct census *census = &bus->census;
        const uint64_t started = clock_usec();

        if (started < census->until_usec)
                return census;
        census->subflows = census->undecided = census->links.n = census->plugins.n = 0;
        model_each(&bus->host.engine->model, census_visit, census);
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
