/*
 * The work of the gate's thread. See gate-keeper.h.
 */
#include "gate-keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gate-kernel.h"
#include "gate-nft.h"
#include "gate-table.h"
#include "gate-watch.h"
#include "../util/clock.h"

#define NEVER UINT64_MAX
/* Somebody who changes the table again and again gets it written as often, but no faster; and one
 * that takes long, not for more than a tenth of the time. */
#define REWRITE_USEC   100000
#define REWRITE_FACTOR 10
#define RETRY_USEC     1000000 /* after a failure; twice as long after each */
#define RETRY_MAX_USEC 64000000
#define REMOVE_USEC    5000000 /* an empty table stays so long: another connection may come */
#define COUNT_USEC     5000000
/* News of longer transactions than this may not all have room. */
#define LONG_BYTES 65536u

struct gate_keeper {
        struct gate_table *table;
        struct gate_nft *nft;
        struct netlink *reader;
        struct gate_watch *watch;
        bool settled;
        bool written;          /* the kernel has what gate_table_written() was told of */
        bool touched;          /* by somebody else, since */
        uint64_t rewrite_usec; /* not before */
        uint64_t retry_usec, retry_after_usec;
        uint64_t remove_usec;
        uint64_t count_usec;
        uint64_t counted; /* the kernel's counter, the last time */
        uint64_t dropped, rewritten;
        int error;
        char failure[LIMIT_REASON];
        char blame[LIMIT_REASON]; /* who has changed the table, the last time */
};

int gate_keeper_new(struct gate_keeper **ret_keeper) {
        _cleanup_(gate_keeper_freep) struct gate_keeper *keeper = calloc(1, sizeof(*keeper));
        int r;

        if (!keeper)
                return -ENOMEM;
        keeper->retry_usec = keeper->remove_usec = keeper->count_usec = NEVER;
        r = gate_table_new(&keeper->table);
        if (r < 0)
                return r;
        *ret_keeper = TAKE_PTR(keeper);
        return 0;
}

void gate_keeper_free(struct gate_keeper *keeper) {
        if (!keeper)
                return;
        gate_watch_free(keeper->watch);
        netlink_free(keeper->reader);
        gate_nft_free(keeper->nft);
        gate_table_free(keeper->table);
        free(keeper);
}

int gate_keeper_want(struct gate_keeper *keeper, const struct gate_request *request) {
        return gate_table_want(keeper->table, request, clock_usec());
}

void gate_keeper_want_listeners(struct gate_keeper *keeper, struct gate_listeners *listeners) {
        gate_table_want_listeners(keeper->table, listeners);
}

/* The sockets */

static int keeper_open_reader(struct gate_keeper *keeper) {
        if (keeper->reader)
                return 0;
        return netlink_new(NETLINK_NETFILTER, &keeper->reader);
}

static int keeper_open(struct gate_keeper *keeper) {
        int r = 0;

        if (!keeper->nft)
                r = gate_nft_new(&keeper->nft, keeper->failure);
        if (r == 0)
                r = keeper_open_reader(keeper);
        if (r == 0 && !keeper->watch)
                r = gate_watch_new(&keeper->watch);
        return r;
}

/* The counter */

static void keeper_count(struct gate_keeper *keeper, uint64_t now) {
        uint64_t packets;

        if (gate_kernel_dropped(keeper->reader, &packets) == 0) {
                /* Somebody may have reset it. */
                keeper->dropped += packets - (packets < keeper->counted ? 0 : keeper->counted);
                keeper->counted = packets;
        }
        keeper->count_usec = now + COUNT_USEC;
}

/* A table of the daemon before */

static int on_token(uint32_t token, void *userdata) {
        struct gate_keeper *keeper = userdata;

        return gate_table_inherit_token(keeper->table, token);
}

static int on_listener(const struct gate_listener *listener, void *userdata) {
        struct gate_keeper *keeper = userdata;

        return gate_table_inherit_listener(keeper->table, listener);
}

/* What it dropped before is not ours. A set that is missing: it's not from us, and is replaced. */
static int keeper_inherit(struct gate_keeper *keeper) {
        int r;

        r = gate_kernel_present(keeper->reader);
        if (r <= 0)
                return r;
        (void)gate_kernel_dropped(keeper->reader, &keeper->counted);
        r = gate_kernel_tokens(keeper->reader, on_token, keeper);
        if (r == 0)
                r = gate_kernel_listeners(keeper->reader, on_listener, keeper);
        return r == -ENOENT ? 0 : r;
}

/* Writing */

static void keeper_explain(struct gate_keeper *keeper, int error) {
        const char *remedy = gate_nft_remedy(error);

        if (remedy)
                (void)snprintf(keeper->failure, LIMIT_REASON, "%s", remedy);
        else if (keeper->failure[0] == '\0')
                (void)snprintf(keeper->failure, LIMIT_REASON, "%s", strerror(-error));
}

static void keeper_blame(struct gate_keeper *keeper) {
        const char *who = gate_watch_who(keeper->watch);

        keeper->touched = true;
        (void)snprintf(keeper->blame, LIMIT_REASON,
                       "%s had changed the table; it was written again", who[0] ? who : "somebody");
}

static uint32_t keeper_generation(const struct gate_keeper *keeper) {
        uint32_t generation = 0;

        (void)gate_kernel_generation(keeper->reader, &generation);
        return generation;
}

/* One transaction that changes the table. */
static int keeper_run(struct gate_keeper *keeper, const char *text) {
        const bool is_long = strlen(text) > LONG_BYTES;
        const uint32_t before = is_long ? keeper_generation(keeper) : 0;
        bool alone;
        int r;

        r = gate_nft_run(keeper->nft, text, keeper->failure);
        if (r < 0)
                return r;
        alone = is_long && keeper_generation(keeper) == before + 1;
        if (gate_watch_own(keeper->watch, alone))
                keeper_blame(keeper);
        return 0;
}

static int keeper_write_all(struct gate_keeper *keeper) {
        const uint64_t start = clock_usec();
        _cleanup_(freep) char *text = NULL;
        uint64_t end;
        int r;

        if (keeper->written)
                keeper_count(keeper, start);
        r = gate_table_all(keeper->table, start, &text);
        if (r < 0)
                return r;
        keeper->touched = false;
        r = keeper_run(keeper, text);
        if (r < 0)
                return r;
        end = clock_usec();
        keeper->counted = 0;
        keeper->written = true;
        keeper->rewrite_usec = end + REWRITE_USEC + REWRITE_FACTOR * (end - start);
        gate_table_written(keeper->table, end);
        return 0;
}

/* What was heard until now is of changes that this undoes. */
static int keeper_write_again(struct gate_keeper *keeper) {
        int r;

        if (!keeper->touched) {
                (void)gate_watch_look(keeper->watch);
                keeper_blame(keeper);
        }
        r = keeper_write_all(keeper);
        if (r == 0)
                keeper->rewritten++;
        return r;
}

static int keeper_write_changes(struct gate_keeper *keeper, uint64_t now) {
        _cleanup_(freep) char *text = NULL;
        int r;

        r = gate_table_changes(keeper->table, now, &text);
        if (r == 0 && text)
                r = keeper_run(keeper, text);
        if (r < 0)
                return keeper_write_again(keeper);
        gate_table_written(keeper->table, now);
        return 0;
}

static int keeper_remove(struct gate_keeper *keeper) {
        int r = keeper_open(keeper);

        if (r == 0)
                r = gate_nft_run(keeper->nft, GATE_TEXT_REMOVE, keeper->failure);
        if (r < 0)
                return r;
        (void)gate_watch_own(keeper->watch, true);
        keeper->written = keeper->touched = false;
        keeper->remove_usec = keeper->count_usec = NEVER;
        keeper->counted = 0;
        return 0;
}

/* A table that nobody needs any more, of the daemon before. */
static int keeper_remove_left(struct gate_keeper *keeper) {
        int r = keeper_open_reader(keeper);

        if (r == 0)
                r = gate_kernel_present(keeper->reader);
        return r > 0 ? keeper_remove(keeper) : r;
}

void gate_keeper_settle(struct gate_keeper *keeper) {
        keeper->settled = true;
        gate_table_settle(keeper->table);
        if (!gate_table_needed(keeper->table) && !keeper->written)
                (void)keeper_remove_left(keeper);
}

static int keeper_begin(struct gate_keeper *keeper) {
        int r = keeper_open(keeper);

        if (r == 0 && !keeper->settled)
                r = keeper_inherit(keeper);
        return r == 0 ? keeper_write_all(keeper) : r;
}

static int keeper_write(struct gate_keeper *keeper, uint64_t now) {
        if (!keeper->written)
                return keeper_begin(keeper);
        if (keeper->touched && now >= keeper->rewrite_usec)
                return keeper_write_again(keeper);
        return keeper_write_changes(keeper, now);
}

static void keeper_fail(struct gate_keeper *keeper, int error, uint64_t now) {
        uint64_t *after = &keeper->retry_after_usec;

        keeper_explain(keeper, error);
        keeper->written = false;
        *after = *after == 0 ? RETRY_USEC : *after * 2;
        if (*after > RETRY_MAX_USEC)
                *after = RETRY_MAX_USEC;
        keeper->retry_usec = now + *after;
}

static void keeper_rest(struct gate_keeper *keeper, uint64_t now) {
        if (gate_table_needed(keeper->table))
                keeper->remove_usec = NEVER;
        else if (keeper->remove_usec == NEVER)
                keeper->remove_usec = now + REMOVE_USEC;
        else if (keeper->remove_usec <= now)
                (void)keeper_remove(keeper);
        if (keeper->written && keeper->count_usec <= now)
                keeper_count(keeper, now);
        else if (keeper->written && keeper->count_usec == NEVER)
                keeper->count_usec = now + COUNT_USEC;
}

int gate_keeper_work(struct gate_keeper *keeper) {
        const uint64_t now = clock_usec();

        keeper->failure[0] = '\0';
        if (keeper->watch && gate_watch_look(keeper->watch) && keeper->written)
                keeper_blame(keeper);
        if (!keeper->written && !gate_table_needed(keeper->table)) {
                gate_table_written(keeper->table, now);
                keeper->retry_usec = NEVER;
                return keeper->error = 0;
        }
        keeper->error = keeper_write(keeper, now);
        if (keeper->error < 0) {
                keeper_fail(keeper, keeper->error, now);
                return keeper->error;
        }
        keeper->retry_usec = NEVER;
        keeper->retry_after_usec = 0;
        keeper_rest(keeper, now);
        return 0;
}

static uint64_t min_usec(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

uint64_t gate_keeper_due(const struct gate_keeper *keeper) {
        uint64_t due = min_usec(keeper->retry_usec, keeper->remove_usec);

        if (keeper->written)
                due = min_usec(due, keeper->count_usec);
        if (keeper->written && keeper->touched)
                due = min_usec(due, keeper->rewrite_usec);
        return due;
}

int gate_keeper_fd(const struct gate_keeper *keeper) {
        return keeper->watch ? gate_watch_fd(keeper->watch) : -1;
}

void gate_keeper_status(const struct gate_keeper *keeper, struct gate_status *ret_status) {
        *ret_status = (struct gate_status){
                .works = keeper->error == 0,
                .wanted = gate_table_needed(keeper->table),
                .dropped = keeper->dropped,
                .rewritten = keeper->rewritten,
                .guarded = gate_table_guarded(keeper->table),
                .listeners = gate_table_listeners(keeper->table),
        };
        memcpy(ret_status->reason, keeper->error < 0 ? keeper->failure : keeper->blame,
               LIMIT_REASON);
}

void gate_keeper_end(struct gate_keeper *keeper, bool keep) {
        if (keep && gate_table_needed(keeper->table)) {
                if (keeper->written &&
                    gate_nft_run(keeper->nft, GATE_TEXT_CLOSE, keeper->failure) < 0)
                        (void)keeper_write_all(keeper);
        } else if (keeper->written) {
                (void)keeper_remove(keeper);
        } else if (!keep) {
                (void)keeper_remove_left(keeper);
        }
}
