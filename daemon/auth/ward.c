#include "ward.h"

#include <stdlib.h>

#define FIRST_BUCKETS 64u

static struct ward **wards_slot(const struct wards *wards, uint32_t token) {
        struct ward **slot = &wards->buckets[token & (wards->n_buckets - 1)]; /* it is random */

        while (*slot && (*slot)->token != token)
                slot = &(*slot)->next;
        return slot;
}

struct ward *wards_find(const struct wards *wards, uint32_t token) {
        return wards->n_buckets ? *wards_slot(wards, token) : NULL;
}

/* Without memory for more buckets it goes on with longer ones. */
static bool wards_grow(struct wards *wards) {
        struct wards grown = { .n = wards->n };

        if (wards->n < wards->n_buckets)
                return true;
        grown.n_buckets = wards->n_buckets ? wards->n_buckets * 2 : FIRST_BUCKETS;
        grown.buckets = calloc(grown.n_buckets, sizeof(*grown.buckets));
        if (!grown.buckets)
                return wards->n_buckets > 0;
        for (size_t i = 0; i < wards->n_buckets; i++)
                for (struct ward *ward = wards->buckets[i], *next; ward; ward = next) {
                        struct ward **slot = wards_slot(&grown, ward->token);

                        next = ward->next;
                        ward->next = NULL;
                        *slot = ward;
                }
        free(wards->buckets);
        *wards = grown;
        return true;
}

struct ward *wards_add(struct wards *wards, uint32_t token) {
        struct ward *ward;

        if (wards->n >= LIMIT_CONNECTIONS || !wards_grow(wards))
                return NULL;
        ward = calloc(1, sizeof(*ward));
        if (!ward)
                return NULL;
        ward->token = token;
        *wards_slot(wards, token) = ward;
        wards->n++;
        return ward;
}

void wards_remove(struct wards *wards, struct ward *ward) {
        *wards_slot(wards, ward->token) = ward->next;
        wards->n--;
        ARRAY_DONE(&ward->seen);
        free(ward->without);
        free(ward);
}

void wards_each(struct wards *wards, void (*fn)(struct ward *ward, void *userdata),
                void *userdata) {
        for (size_t i = 0; i < wards->n_buckets; i++)
                for (struct ward *ward = wards->buckets[i], *next; ward; ward = next) {
                        next = ward->next;
                        fn(ward, userdata);
                }
}

void wards_done(struct wards *wards) {
        for (size_t i = 0; i < wards->n_buckets; i++)
                while (wards->buckets[i])
                        wards_remove(wards, wards->buckets[i]);
        free(wards->buckets);
        *wards = WARDS_NULL;
}
