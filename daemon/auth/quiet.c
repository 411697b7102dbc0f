#include "quiet.h"

#include <stddef.h>

#define QUIET_USEC UINT64_C(600000000)

static size_t quiet_index(const struct quiet *quiet, uint64_t peer) {
        size_t i = 0;

        while (i < LIMIT_AUTH_QUIET &&
               (quiet->peers[i].kind == QUIET_NO || quiet->peers[i].peer != peer))
                i++;
        return i;
}

enum quiet_kind quiet_find(const struct quiet *quiet, uint64_t peer, uint64_t now_usec) {
        const size_t i = quiet_index(quiet, peer);

        if (i == LIMIT_AUTH_QUIET || now_usec >= quiet->peers[i].until_usec)
                return QUIET_NO;
        return quiet->peers[i].kind;
}

/* Its own place, or that of the one that ends first; free places have ended at 0. */
static struct quiet_peer *quiet_place(struct quiet *quiet, uint64_t peer) {
        struct quiet_peer *first = &quiet->peers[0];
        const size_t i = quiet_index(quiet, peer);

        if (i < LIMIT_AUTH_QUIET)
                return &quiet->peers[i];
        for (size_t k = 1; k < LIMIT_AUTH_QUIET; k++)
                if (quiet->peers[k].until_usec < first->until_usec)
                        first = &quiet->peers[k];
        return first;
}

void quiet_learn(struct quiet *quiet, uint64_t peer, enum quiet_kind kind, uint64_t now_usec) {
        *quiet_place(quiet, peer) = (struct quiet_peer){
                .peer = peer,
                .until_usec = now_usec + QUIET_USEC,
                .kind = kind,
        };
}

void quiet_forget(struct quiet *quiet, uint64_t peer) {
        const size_t i = quiet_index(quiet, peer);

        if (i < LIMIT_AUTH_QUIET)
                quiet->peers[i] = (struct quiet_peer){ 0 };
}
