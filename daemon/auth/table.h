/*
 * A hash table of objects by a number of 64 bits that strangers may choose: where one goes depends
 * on a seed that nobody else knows. Links are embedded in their objects. It grows, and never
 * shrinks; without memory to grow it goes on, only slower.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table_link {
        struct table_link *next;
        uint64_t key;
};

struct table {
        struct table_link **buckets;
        size_t n, size; /* size: 0 or a power of two */
        uint64_t seed;
};

/* A mixture of both in which each bit counts. */
uint64_t table_hash(uint64_t seed, uint64_t key);

/* 0; or -ENOMEM, of the first one only: it is not in then. Keys may be there more than once. */
int table_add(struct table *table, struct table_link *link, uint64_t key);
/* It must be in. */
void table_remove(struct table *table, struct table_link *link);
/* The first with that key, and the next after link; NULL: none. */
struct table_link *table_find(const struct table *table, uint64_t key);
struct table_link *table_next(const struct table_link *link);
/* All, in no order: the first, and the one behind link, which must be in; NULL: none. */
struct table_link *table_begin(const struct table *table);
struct table_link *table_behind(const struct table *table, const struct table_link *link);
void table_done(struct table *table);
