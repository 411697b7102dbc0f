/*
 * Actions and the queue that they wait in. See action.h.
 *
 * Invariant of the ring: n <= cap, the oldest is items[head], the next free place is
 * (head + n) % cap. cap is a power of two up to LIMIT_ACTIONS. What a storm has made it grow to is
 * given back when it is empty again.
 */
#include "action.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_FIRST_CAP 16u
#define QUEUE_KEPT_CAP  1024u /* of an empty ring */

static const char *const names[_ACTION_MAX] = {
        [ACTION_CREATE] = "create",     [ACTION_DESTROY] = "destroy",   [ACTION_BACKUP] = "backup",
        [ACTION_ANNOUNCE] = "announce", [ACTION_WITHDRAW] = "withdraw", [ACTION_QUERY] = "query",
        [ACTION_SNAPSHOT] = "snapshot", [ACTION_MEASURE] = "measure",   [ACTION_ABORT] = "abort",
        [ACTION_RELEASE] = "release",
};

_Static_assert((LIMIT_ACTIONS & (LIMIT_ACTIONS - 1)) == 0, "a doubled ring must meet the limit");

const char *action_name(enum action_type type) {
        return (unsigned int)type < _ACTION_MAX ? names[type] : "unknown";
}

/* Doubles the ring; the oldest action moves to the front. */
static int queue_grow(struct action_queue *queue) {
        uint32_t cap = queue->cap ? queue->cap * 2 : QUEUE_FIRST_CAP;
        uint32_t first = queue->cap - queue->head; /* up to the old end; the rest had wrapped */
        struct action *items;

        if (queue->n >= LIMIT_ACTIONS)
                return -ENOBUFS;
        items = calloc(cap, sizeof(*items));
        if (!items)
                return -ENOMEM;
        if (queue->items) {
                memcpy(items, queue->items + queue->head, first * sizeof(*items));
                memcpy(items + first, queue->items, queue->head * sizeof(*items));
        }
        free(queue->items);
        *queue = (struct action_queue){ .items = items, .n = queue->n, .cap = cap };
        return 0;
}

int action_queue_push(struct action_queue *queue, const struct action *action) {
        struct action copy = *action; /* it may be in the ring that is about to move */

        if (queue->n == queue->cap) {
                int r = queue_grow(queue);

                if (r < 0)
                        return r;
        }
        queue->items[(queue->head + queue->n++) % queue->cap] = copy;
        return 0;
}

int action_queue_push_first(struct action_queue *queue, const struct action *action) {
        int r = action_queue_push(queue, action);
        struct action copy;

        if (r < 0)
                return r;
        copy = queue->items[(queue->head + queue->n - 1) % queue->cap];
        queue->head = (queue->head + queue->cap - 1) % queue->cap;
        queue->items[queue->head] = copy;
        return 0;
}

const struct action *action_queue_peek(const struct action_queue *queue) {
        return queue->n ? &queue->items[queue->head] : NULL;
}

void action_queue_done(struct action_queue *queue) {
        free(queue->items);
        *queue = ACTION_QUEUE_NULL;
}

void action_queue_pop(struct action_queue *queue) {
        if (queue->n == 0)
                return;
        queue->head = (queue->head + 1) % queue->cap;
        queue->n--;
        if (queue->n == 0 && queue->cap > QUEUE_KEPT_CAP)
                action_queue_done(queue);
}
