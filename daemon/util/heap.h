/*
 * A binary min-heap of deadlines. Nodes are embedded in their objects and know their place, so
 * moving and removing one costs O(log n).
 *
 * Invariant: heap->nodes[i]->index == i; a node that is in no heap has HEAP_NONE.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HEAP_NONE SIZE_MAX

struct heap_node {
        uint64_t key;
        size_t index;
};

#define HEAP_NODE_INIT ((struct heap_node){ .key = 0, .index = HEAP_NONE })

struct heap {
        struct heap_node **nodes;
        size_t n, cap;
};

#define HEAP_NULL ((struct heap){ 0 })

/*
 * Makes room for n nodes in all, so that heap_set() can't fail up to there. 0 or -ENOMEM.
 */
int heap_reserve(struct heap *heap, size_t n);

/* Puts node in with key, or moves it there. Room must have been reserved. */
void heap_set(struct heap *heap, struct heap_node *node, uint64_t key);
void heap_remove(struct heap *heap, struct heap_node *node);

/* The node with the least key, or NULL. */
struct heap_node *heap_first(const struct heap *heap);
void heap_done(struct heap *heap);
