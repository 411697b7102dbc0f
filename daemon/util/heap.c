#include "heap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int heap_reserve(struct heap *heap, size_t n) {
        struct heap_node **nodes;
        size_t want = heap->cap ? heap->cap : 16;

        while (want < n)
                want *= 2;
        if (want == heap->cap)
                return 0;
        nodes = realloc(heap->nodes, want * sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;
        heap->nodes = nodes;
        heap->cap = want;
        return 0;
}

static void heap_put(struct heap *heap, size_t i, struct heap_node *node) {
        heap->nodes[i] = node;
        node->index = i;
}

static void heap_sift_up(struct heap *heap, struct heap_node *node) {
        size_t i = node->index;

        while (i > 0 && heap->nodes[(i - 1) / 2]->key > node->key) {
                heap_put(heap, i, heap->nodes[(i - 1) / 2]);
                i = (i - 1) / 2;
        }
        heap_put(heap, i, node);
}

static void heap_sift_down(struct heap *heap, struct heap_node *node) {
        size_t i = node->index;

        for (;;) {
                size_t child = 2 * i + 1;

                if (child + 1 < heap->n && heap->nodes[child + 1]->key < heap->nodes[child]->key)
                        child++;
                if (child >= heap->n || heap->nodes[child]->key >= node->key)
                        break;
                heap_put(heap, i, heap->nodes[child]);
                i = child;
        }
        heap_put(heap, i, node);
}

void heap_set(struct heap *heap, struct heap_node *node, uint64_t key) {
        if (node->index == HEAP_NONE) {
                assert(heap->n < heap->cap);
                heap_put(heap, heap->n++, node);
        }
        node->key = key;
        heap_sift_up(heap, node);
        heap_sift_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node) {
        struct heap_node *last;

        if (node->index == HEAP_NONE)
                return;
        last = heap->nodes[--heap->n];
        if (last != node) {
                heap_put(heap, node->index, last);
                heap_sift_up(heap, last);
                heap_sift_down(heap, last);
        }
        node->index = HEAP_NONE;
}

struct heap_node *heap_first(const struct heap *heap) {
        return heap->n ? heap->nodes[0] : NULL;
}

void heap_done(struct heap *heap) {
        free(heap->nodes);
        *heap = HEAP_NULL;
}
