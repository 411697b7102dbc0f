#include "ward.h"

#include <stdlib.h>

#include "../util/cleanup.h"

struct ward *wards_find(const struct wards *wards, uint32_t token) {
        struct table_link *link = table_find(&wards->by_token, token);

        return link ? CONTAINER_OF(link, struct ward, by_token) : NULL;
}

struct ward *wards_add(struct wards *wards, uint32_t token) {
        struct ward *ward;

        if (wards->by_token.n >= LIMIT_CONNECTIONS)
                return NULL;
        ward = calloc(1, sizeof(*ward));
        if (!ward || table_add(&wards->by_token, &ward->by_token, token) < 0) {
                free(ward);
                return NULL;
        }
        ward->token = token;
        return ward;
}

void wards_remove(struct wards *wards, struct ward *ward) {
        table_remove(&wards->by_token, &ward->by_token);
        ARRAY_DONE(&ward->seen);
        free(ward);
}

void wards_each(struct wards *wards, void (*fn)(struct ward *ward, void *userdata),
                void *userdata) {
        struct table_link *next;

        for (struct table_link *link = table_begin(&wards->by_token); link; link = next) {
                next = table_behind(&wards->by_token, link);
                fn(CONTAINER_OF(link, struct ward, by_token), userdata);
        }
}

static void on_done(struct ward *ward, void *userdata) {
        wards_remove(userdata, ward);
}

void wards_done(struct wards *wards) {
        wards_each(wards, on_done, wards);
        table_done(&wards->by_token);
}
