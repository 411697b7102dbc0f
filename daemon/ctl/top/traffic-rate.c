/*
 * Rates from two readings. See traffic.h.
 */
#include "traffic.h"

static int compare(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

static int on_compare(const void *a, const void *b) {
        const struct traffic_row *one = a, *other = b;
        int order = compare(one->token, other->token);

        return order ? order : compare(one->cookie, other->cookie);
}

void traffic_sort(struct traffic *traffic) {
        if (traffic->rows.n > 0)
                qsort(traffic->rows.items, traffic->rows.n, sizeof(*traffic->rows.items),
                      on_compare);
}

/* Bytes a second. A counter that went back is that of another socket. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t usec) {
        return now > before ? (uint64_t)((double)(now - before) * 1e6 / (double)usec) : 0;
}

void traffic_rate(struct traffic *traffic, const struct traffic *before) {
        static const struct traffic_row none = { .cookie = 0 };
        uint64_t usec = traffic->usec - before->usec;
        size_t i, k = 0;

        traffic->rated = before->usec != 0 && traffic->usec > before->usec;
        for (i = 0; traffic->rated && i < traffic->rows.n; i++) {
                struct traffic_row *row = &traffic->rows.items[i];
                const struct traffic_row *old = &none;

                while (k < before->rows.n && on_compare(&before->rows.items[k], row) < 0)
                        k++;
                if (k < before->rows.n && on_compare(&before->rows.items[k], row) == 0)
                        old = &before->rows.items[k];
                row->up = rate(row->sent, old->sent, usec);
                row->down = rate(row->received, old->received, usec);
        }
}

size_t traffic_find(const struct traffic *traffic, uint32_t token) {
        return ARRAY_LOWER_BOUND(&traffic->rows, token, token);
}

void traffic_done(struct traffic *traffic) {
        ARRAY_DONE(&traffic->rows);
        traffic->usec = 0;
        traffic->rated = false;
}
