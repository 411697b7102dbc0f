/*
 * What a table was kept for, and whether that is still so: for --restore and the next start. See
 * gate.h.
 */
#include "gate.h"

#include <errno.h>
#include "gate-kernel.h"
#include "gate-nft.h"
#include "gate-table.h"

struct restore {
        const struct gate_lives *lives;
        int n; /* that live */
};

static int on_token(uint32_t token, void *userdata) {
        struct restore *restore = userdata;

        restore->n += restore->lives->token(token, restore->lives->userdata);
        return 0;
}

static int on_listener(const struct gate_listener *listener, void *userdata) {
        struct restore *restore = userdata;

        restore->n += restore->lives->listener(listener, restore->lives->userdata);
        return 0;
}

static int restore_remove(void) {
        _cleanup_(gate_nft_freep) struct gate_nft *nft = NULL;
        char reason[LIMIT_REASON];
        int r;

        r = gate_nft_new(&nft, reason);
        return r < 0 ? r : gate_nft_run(nft, GATE_TEXT_REMOVE, reason);
}

int gate_restore(const struct gate_lives *lives) {
        _cleanup_(netlink_freep) struct netlink *netlink = NULL;
        struct restore restore = { .lives = lives };
        int r;

        r = netlink_new(NETLINK_NETFILTER, &netlink);
        if (r == 0)
                r = gate_kernel_present(netlink);
        if (r <= 0)
                return r;
        r = lives->look ? lives->look(lives->userdata) : 0;
        if (r < 0)
                return r;
        r = gate_kernel_tokens(netlink, on_token, &restore);
        if (r == 0)
                r = gate_kernel_listeners(netlink, on_listener, &restore);
        /* Without the sets it is none that protects anything. */
        if (r < 0 && r != -ENOENT)
                return r;
        return restore.n > 0 ? restore.n : restore_remove();
}

/* A kernel that can't load nf_tables says EINVAL. What else goes wrong comes up when it is used. */
bool gate_is_possible(void) {
        _cleanup_(netlink_freep) struct netlink *netlink = NULL;
        uint32_t generation;

        return netlink_new(NETLINK_NETFILTER, &netlink) == 0 &&
               gate_kernel_generation(netlink, &generation) != -EINVAL;
}
