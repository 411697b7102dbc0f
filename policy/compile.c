#include "compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "blob.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/limits.h"
#include "parse.h"

#define IS_READ "what is written is read"

_Static_assert(LIMIT_POLICIES <= POLICY_TABLE_MAX, IS_READ);
_Static_assert(LIMIT_POLICY_RULES <= POLICY_TABLE_MAX, IS_READ);
_Static_assert(LIMIT_POLICY_PREFIXES <= POLICY_TABLE_MAX, IS_READ);
_Static_assert(LIMIT_POLICY_NETWORKS <= POLICY_TABLE_MAX, IS_READ);
_Static_assert(LIMIT_BLACKHOLES <= POLICY_TABLE_MAX, IS_READ);

void policy_errors_done(struct policy_errors *errors) {
        for (size_t i = 0; i < errors->list.n; i++)
                free(errors->list.items[i].file);
        ARRAY_DONE(&errors->list);
        errors->left_out = 0;
}

void policy_error_print(const struct policy_error *error, char text[static POLICY_ERROR_TEXT]) {
        const struct json_place *place = &error->what.place;

        if (place->line)
                snprintf(text, POLICY_ERROR_TEXT, "%.*s:%u:%u: %s", 700, error->file, place->line,
                         place->column, error->what.text);
        else
                snprintf(text, POLICY_ERROR_TEXT, "%.*s: %s", 700, error->file, error->what.text);
}

/* Order */

/* What makes a policy come before others. */
struct rank {
        int best;        /* of its matchers, 0: it matches every program */
        size_t matchers; /* how many */
        struct policy_text name;
        bool is_last; /* default.json */
};

struct entry {
        struct policy_app app;
        struct rank rank;
};

static struct policy_text span_text(const struct blob *blob, struct policy_span span) {
        return (struct policy_text){ blob->bytes + span.offset, span.n };
}

static bool text_is(struct policy_text text, const char *word) {
        return text.n == strlen(word) && memcmp(text.bytes, word, text.n) == 0;
}

/* exe > app without glob > unit > uid > app with glob > all. */
static struct rank entry_rank(const struct blob *blob, const struct policy_app *app) {
        const struct policy_text name = span_text(blob, app->app);
        const bool all = name.n == 0 || text_is(name, "*");
        const bool glob = !all &&
                          (memchr(name.bytes, '*', name.n) || memchr(name.bytes, '?', name.n));
        const bool by_user = app->uid != POLICY_ANY_UID;
        struct rank rank = { .name = span_text(blob, app->name) };

        rank.is_last = text_is(rank.name, "default");
        rank.matchers = (size_t)(app->exe.n > 0) + !all + (app->unit.n > 0) + by_user;
        rank.best = app->exe.n > 0    ? 5
                    : !all && !glob   ? 4
                    : app->unit.n > 0 ? 3
                    : by_user         ? 2
                                      : glob;
        return rank;
}

static int entry_compare(const void *a, const void *b) {
        const struct rank *x = &((const struct entry *)a)->rank,
                          *y = &((const struct entry *)b)->rank;
        size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
        int names;

        if (x->is_last != y->is_last)
                return x->is_last ? 1 : -1;
        if (x->best != y->best)
                return y->best - x->best;
        if (x->matchers != y->matchers)
                return x->matchers > y->matchers ? -1 : 1;
        /* the later name wins, so that 90-mine.json comes before 10-theirs.json */
        names = memcmp(y->name.bytes, x->name.bytes, n);
        return names ? names : x->name.n > y->name.n ? -1 : 1;
}

/* Compiling */

/* Addresses of this host: the connections to them are loopback, too. */
static int compile_own(struct blob *blob, const struct policy_networks *networks,
                       struct policy_span *ret_own) {
        ARRAY_OF(struct policy_prefix) own = { 0 };
        int r = 0;

        for (size_t i = 0; i < networks->list.n && r == 0; i++)
                r = ARRAY_APPEND(&own, policy_prefix_of(&networks->list.items[i].address),
                                 LIMIT_POLICY_NETWORKS);
        if (r == 0)
                *ret_own = blob_table(blob, own.items, sizeof(*own.items), own.n);
        ARRAY_DONE(&own);
        return r;
}

static int compile_sources(struct blob *blob, const struct policy_sources *sources,
                           const struct policy_networks *networks, struct policy_errors *errors,
                           struct entry *entries, size_t *ret_n) {
        size_t n = 0;

        for (size_t i = 0; i < sources->list.n; i++) {
                const struct blob before = *blob;
                int r;

                if (!sources->list.items[i].text)
                        continue;
                blob->reserved += sizeof(struct policy_app);
                r = parse_source(&sources->list.items[i], networks, blob, errors, &entries[n].app);
                if (r < 0)
                        return r;
                if (r > 0) /* as if it had never been there */
                        *blob = before;
                else
                        n++;
        }
        *ret_n = n;
        return 0;
}

/* The table of policies, in the order in which they count. */
static struct policy_span compile_order(struct blob *blob, struct entry *entries, size_t n) {
        for (size_t i = 0; i < n; i++)
                entries[i].rank = entry_rank(blob, &entries[i].app);
        qsort(entries, n, sizeof(*entries), entry_compare);
        blob->reserved = 0;
        /* packed in place: the ranks have done their work */
        for (size_t i = 0; i < n; i++)
                memmove((struct policy_app *)entries + i, &entries[i].app, sizeof(entries[i].app));
        return blob_table(blob, entries, sizeof(struct policy_app), n);
}

static void compile_finish(struct blob *blob, const struct policy_half *head, void **ret_half,
                           size_t *ret_size) {
        struct policy_half half = *head;

        half.bytes = (blob->n + 7u) & ~7u;
        memset(blob->bytes + blob->n, 0, half.bytes - blob->n);
        memcpy(blob->bytes, &half, sizeof(half));
        *ret_size = half.bytes;
        *ret_half = TAKE_PTR(blob->bytes);
}

int policy_compile(const struct policy_sources *sources, const struct policy_networks *networks,
                   void **ret_half, size_t *ret_size, struct policy_errors *errors) {
        const size_t before = errors->list.n + errors->left_out;
        _cleanup_(freep) struct entry *entries = NULL;
        struct policy_half half = { 0 };
        struct blob blob;
        size_t n = 0;
        int r = blob_init(&blob);

        if (r < 0)
                return r;
        entries = calloc(sources->list.n + 1, sizeof(*entries));
        r = entries ? compile_own(&blob, networks, &half.own) : -ENOMEM;
        if (r == 0)
                half.blackholes = blob_table(&blob, networks->blackholes,
                                             sizeof(*networks->blackholes), networks->n_blackholes);
        if (r == 0)
                r = compile_sources(&blob, sources, networks, errors, entries, &n);
        if (r == 0) {
                half.apps = compile_order(&blob, entries, n);
                compile_finish(&blob, &half, ret_half, ret_size);
        }
        blob_done(&blob);
        if (r < 0)
                return r;
        return errors->list.n + errors->left_out > before ? 1 : 0;
}
