#include "asked.h"

#include <errno.h>
#include <stdlib.h>

#include "../util/cleanup.h"
#include "../util/limits.h"

size_t askeds_count(const struct askeds *askeds) {
        return askeds->by_serial.n;
}

int askeds_add(struct askeds *askeds, const struct action *action, struct asked **ret_asked) {
        struct asked *asked;
        int r;

        if (askeds_count(askeds) >= LIMIT_ACTIONS)
                return -ENOBUFS;
        asked = calloc(1, sizeof(*asked));
        if (!asked)
                return -ENOMEM;
        asked->action = *action;
        r = table_add(&askeds->by_serial, &asked->by_serial, action->serial);
        if (r == 0) {
                r = table_add(&askeds->by_token, &asked->by_token, action->token);
                if (r < 0)
                        table_remove(&askeds->by_serial, &asked->by_serial);
        }
        if (r < 0) {
                free(asked);
                return r;
        }
        *ret_asked = asked;
        return 0;
}

static void askeds_enqueue(struct askeds *askeds, struct asked *asked) {
        asked->before = askeds->last;
        asked->behind = NULL;
        if (askeds->last)
                askeds->last->behind = asked;
        else
                askeds->first = asked;
        askeds->last = asked;
}

static void askeds_dequeue(struct askeds *askeds, struct asked *asked) {
        if (asked->before)
                asked->before->behind = asked->behind;
        else
                askeds->first = asked->behind;
        if (asked->behind)
                asked->behind->before = asked->before;
        else
                askeds->last = asked->before;
        asked->before = asked->behind = NULL;
}

void askeds_set_ready(struct askeds *askeds, struct asked *asked, bool ready) {
        if (asked->ready == ready)
                return;
        asked->ready = ready;
        if (ready)
                askeds_enqueue(askeds, asked);
        else
                askeds_dequeue(askeds, asked);
}

void askeds_remove(struct askeds *askeds, struct asked *asked) {
        askeds_set_ready(askeds, asked, false);
        table_remove(&askeds->by_serial, &asked->by_serial);
        table_remove(&askeds->by_token, &asked->by_token);
        free(asked);
}

static struct asked *asked_of_token(struct table_link *link) {
        return link ? CONTAINER_OF(link, struct asked, by_token) : NULL;
}

struct asked *askeds_find(const struct askeds *askeds, uint32_t serial) {
        struct table_link *link = table_find(&askeds->by_serial, serial);

        return link ? CONTAINER_OF(link, struct asked, by_serial) : NULL;
}

struct asked *askeds_first(const struct askeds *askeds, uint32_t token) {
        return asked_of_token(table_find(&askeds->by_token, token));
}

struct asked *askeds_next(const struct asked *asked) {
        return asked_of_token(table_next(&asked->by_token));
}

void askeds_done(struct askeds *askeds) {
        struct table_link *next;

        for (struct table_link *link = table_begin(&askeds->by_serial); link; link = next) {
                next = table_behind(&askeds->by_serial, link);
                askeds_remove(askeds, CONTAINER_OF(link, struct asked, by_serial));
        }
        table_done(&askeds->by_serial);
        table_done(&askeds->by_token);
}
