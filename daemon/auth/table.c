#include "table.h"

#include <errno.h>
#include <stdlib.h>

#define TABLE_FIRST 64u

/* splitmix64's finisher. */
uint64_t table_hash(uint64_t seed, uint64_t key) {
        uint64_t x = key ^ seed;

        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9) + (seed >> 32 | seed << 32);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        return x ^ x >> 31;
}

static struct table_link **table_bucket(const struct table *table, uint64_t key) {
        return &table->buckets[table_hash(table->seed, key) & (table->size - 1)];
}

static void table_push(struct table *table, struct table_link *link) {
        struct table_link **bucket = table_bucket(table, link->key);

        link->next = *bucket;
        *bucket = link;
}

static int table_grow(struct table *table) {
        struct table was = *table;

        if (table->n < table->size)
                return 0;
        table->size = was.size ? was.size * 2 : TABLE_FIRST;
        table->buckets = calloc(table->size, sizeof(*table->buckets));
        if (!table->buckets) {
                *table = was;
                return was.size ? 0 : -ENOMEM;
        }
        for (size_t i = 0; i < was.size; i++)
                while (was.buckets[i]) {
                        struct table_link *link = was.buckets[i];

                        was.buckets[i] = link->next;
                        table_push(table, link);
                }
        free(was.buckets);
        return 0;
}

int table_add(struct table *table, struct table_link *link, uint64_t key) {
        int r = table_grow(table);

        if (r < 0)
                return r;
        link->key = key;
        table_push(table, link);
        table->n++;
        return 0;
}

void table_remove(struct table *table, struct table_link *link) {
        struct table_link **at = table_bucket(table, link->key);

        while (*at != link)
                at = &(*at)->next;
        *at = link->next;
        link->next = NULL;
        table->n--;
}

static struct table_link *table_match(struct table_link *link, uint64_t key) {
        while (link && link->key != key)
                link = link->next;
        return link;
}

struct table_link *table_find(const struct table *table, uint64_t key) {
        return table->n ? table_match(*table_bucket(table, key), key) : NULL;
}

struct table_link *table_next(const struct table_link *link) {
        return table_match(link->next, link->key);
}

/* The first one from that bucket on. */
static struct table_link *table_scan(const struct table *table, size_t i) {
        while (i < table->size && !table->buckets[i])
                i++;
        return i < table->size ? table->buckets[i] : NULL;
}

struct table_link *table_begin(const struct table *table) {
        return table_scan(table, 0);
}

struct table_link *table_behind(const struct table *table, const struct table_link *link) {
        const size_t i = (size_t)(table_bucket(table, link->key) - table->buckets);

        return link->next ? link->next : table_scan(table, i + 1);
}

void table_done(struct table *table) {
        free(table->buckets);
        table->buckets = NULL;
        table->n = table->size = 0;
}
