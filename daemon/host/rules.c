#include "rules.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../core/model.h"
#include "../util/cleanup.h"
#include "policy/compile.h"
#include "policy/store.h"

struct rules {
        const char *const *dirs;
        size_t n_dirs;
        const char *database;
        struct policy_store *store;
        struct policy_sources sources;   /* as they were read last */
        struct policy_networks networks; /* that the database was written for */
        struct policy_blackhole blackholes[LIMIT_BLACKHOLES];
        size_t n_blackholes;
        uint32_t policies;
        ARRAY_OF(char *) errors;
};

DEFINE_CLEANUP(struct rules *, rules_free)

/* What the last writer has put into the database. */
static void rules_recall_blackholes(struct rules *rules) {
        const struct policy_blackhole *row;
        struct policy_read read;

        if (!policy_store_read(rules->store, &read))
                return;
        while (rules->n_blackholes < LIMIT_BLACKHOLES &&
               (row = policy_blackhole_at(&read, (uint32_t)rules->n_blackholes)))
                rules->blackholes[rules->n_blackholes++] = *row;
}

int rules_new(const char *const *dirs, size_t n_dirs, const char *database,
              struct rules **ret_rules) {
        _cleanup_(rules_freep) struct rules *rules = calloc(1, sizeof(*rules));
        int r;

        if (!rules)
                return -ENOMEM;
        rules->dirs = dirs;
        rules->n_dirs = n_dirs;
        rules->database = database;
        r = policy_store_open(database, true, &rules->store);
        if (r < 0)
                return r;
        rules_recall_blackholes(rules);
        *ret_rules = TAKE_PTR(rules);
        return 0;
}

static void rules_forget_errors(struct rules *rules) {
        for (size_t i = 0; i < rules->errors.n; i++)
                free(rules->errors.items[i]);
        ARRAY_DONE(&rules->errors);
}

void rules_free(struct rules *rules) {
        if (!rules)
                return;
        policy_store_close(rules->store);
        policy_sources_done(&rules->sources);
        ARRAY_DONE(&rules->networks.list);
        rules_forget_errors(rules);
        free(rules);
}

void rules_status(const struct rules *rules, struct rules_status *ret_status) {
        *ret_status = (struct rules_status){
                .database = rules->database,
                .dirs = rules->dirs,
                .n_dirs = rules->n_dirs,
                .policies = rules->policies,
                .generation = policy_store_generation(rules->store),
                .errors = rules->errors.items,
                .n_errors = rules->errors.n,
        };
}

/* Networks */

/*
 * A link-local network is on every interface, and to which one an address of it belongs can't be
 * told from the address; so it counts as no more than the address itself.
 */
static void network_init(struct policy_network *network, const struct address_event *address,
                         const struct link *link) {
        const bool is4 = address->address.family == AF_INET;

        memset(network, 0, sizeof(*network)); /* what is between members is compared, too */
        network->address.family = network->network.family = is4 ? 4 : 6;
        memcpy(network->address.bytes, address->address.bytes, is4 ? 4 : 16);
        memcpy(network->network.bytes, address->address.bytes, is4 ? 4 : 16);
        network->network.len = address->prefix_len;
        if (address_is_link_local(&address->address))
                network->network.len = is4 ? 32 : 128;
        if (link)
                memcpy(network->ifname, link->is.name, sizeof(network->ifname));
}

_Static_assert(LIMIT_POLICY_NETWORKS >= LIMIT_ADDRESSES, "all addresses of the model fit");

static int networks_collect(const struct model *model, struct policy_networks *networks) {
        int r = 0;

        for (size_t i = 0; i < model->addresses.n && r == 0; i++) {
                const struct address_event *address = &model->addresses.items[i].is;
                struct policy_network network;

                network_init(&network, address, model_find_link(model, address->ifindex));
                r = ARRAY_APPEND(&networks->list, network, LIMIT_POLICY_NETWORKS);
        }
        return r;
}

static bool networks_equal(const struct policy_networks *a, const struct policy_networks *b) {
        return a->list.n == b->list.n &&
               (a->list.n == 0 ||
                memcmp(a->list.items, b->list.items, a->list.n * sizeof(a->list.items[0])) == 0);
}

/* Compiling */

/* What it takes to write a database, until it has become the rules'. */
struct attempt {
        struct policy_sources sources;
        struct policy_networks networks;
        struct policy_errors errors;
};

static void attempt_done(struct attempt *attempt) {
        policy_sources_done(&attempt->sources);
        ARRAY_DONE(&attempt->networks.list);
        policy_errors_done(&attempt->errors);
}

/* What is to be done with a reading. */
struct wish {
        bool strict; /* only if there is no mistake */
        rules_prepare_fn prepare;
        void *userdata;
};

static int rules_prepare(const struct wish *wish, const void *half) {
        const struct policy_header header = { .generation = 1, .whole = { [1] = 1 } };
        const struct policy_read read = { .header = &header, .half = half, .generation = 1 };

        return wish->prepare ? wish->prepare(&read, wish->userdata) : 0;
}

/* Writes the database and puts its number of policies into the rules. */
static int rules_write(struct rules *rules, const void *half, size_t size) {
        int r = policy_store_write(rules->store, half, size);

        if (r == 0)
                rules->policies = ((const struct policy_half *)half)->apps.n;
        return r;
}

/* Compiles and writes. 0 or a negative errno. */
static int rules_compile(struct rules *rules, const struct policy_sources *sources,
                         const struct policy_networks *networks, const struct wish *wish,
                         struct policy_errors *errors) {
        struct policy_networks all = *networks;
        _cleanup_(freep) void *half = NULL;
        size_t size;
        int r;

        all.blackholes = rules->blackholes;
        all.n_blackholes = rules->n_blackholes;
        r = policy_compile(sources, &all, &half, &size, errors);
        if (r >= 0 && wish->strict && errors->list.n > 0)
                return -EINVAL;
        if (r >= 0)
                r = rules_prepare(wish, half);
        return r < 0 ? r : rules_write(rules, half, size);
}

/* Shows the errors from now on; if there is no room for them, none. */
static void rules_show(struct rules *rules, const struct policy_errors *errors) {
        char text[POLICY_ERROR_TEXT];

        rules_forget_errors(rules);
        for (size_t i = 0; i < errors->list.n; i++) {
                char *copy;

                policy_error_print(&errors->list.items[i], text);
                copy = strdup(text);
                if (!copy || ARRAY_APPEND(&rules->errors, copy, LIMIT_POLICY_ERRORS) < 0)
                        free(copy);
        }
}

static int rules_read(struct rules *rules, const struct model *model, const struct wish *wish) {
        _cleanup_(attempt_done) struct attempt attempt = { 0 };
        int r = policy_load_dirs(&attempt.sources, rules->dirs, rules->n_dirs, POLICY_SYSTEM,
                                 &attempt.errors);

        if (r == 0 || r == -EINVAL)
                r = networks_collect(model, &attempt.networks);
        if (r == 0)
                r = rules_compile(rules, &attempt.sources, &attempt.networks, wish,
                                  &attempt.errors);
        rules_show(rules, &attempt.errors);
        if (r < 0)
                return r;
        SWAP(rules->sources, attempt.sources);
        SWAP(rules->networks, attempt.networks);
        return rules->errors.n > 0;
}

int rules_start(struct rules *rules, const struct model *model) {
        return rules_read(rules, model, &(struct wish){ .strict = false });
}

int rules_reload(struct rules *rules, const struct model *model, rules_prepare_fn prepare,
                 void *userdata) {
        const struct wish wish = { .strict = true, .prepare = prepare, .userdata = userdata };

        return rules_read(rules, model, &wish);
}

int rules_follow(struct rules *rules, const struct model *model) {
        _cleanup_(attempt_done) struct attempt attempt = { 0 };
        int r = networks_collect(model, &attempt.networks);

        if (r < 0 || networks_equal(&rules->networks, &attempt.networks))
                return r;
        r = rules_compile(rules, &rules->sources, &attempt.networks, &(struct wish){ 0 },
                          &attempt.errors);
        if (r == 0)
                SWAP(rules->networks, attempt.networks);
        return r;
}

/* Blackholes */

size_t rules_blackholes(const struct rules *rules,
                        struct policy_blackhole ret_rows[static LIMIT_BLACKHOLES]) {
        memcpy(ret_rows, rules->blackholes, rules->n_blackholes * sizeof(*ret_rows));
        return rules->n_blackholes;
}

int rules_set_blackholes(struct rules *rules, const struct policy_blackhole *rows, size_t n) {
        _cleanup_(attempt_done) struct attempt attempt = { 0 };

        assert(n <= LIMIT_BLACKHOLES);
        memcpy(rules->blackholes, rows, n * sizeof(*rows));
        rules->n_blackholes = n;
        return rules_compile(rules, &rules->sources, &rules->networks, &(struct wish){ 0 },
                             &attempt.errors);
}

int rules_check(const char *const *dirs, size_t n_dirs, void (*on_error)(const char *error)) {
        _cleanup_(attempt_done) struct attempt attempt = { 0 };
        _cleanup_(freep) void *half = NULL;
        char text[POLICY_ERROR_TEXT];
        size_t size;
        int r = policy_load_dirs(&attempt.sources, dirs, n_dirs, POLICY_SYSTEM, &attempt.errors);

        if (r == 0 || r == -EINVAL)
                r = policy_compile(&attempt.sources, &attempt.networks, &half, &size,
                                   &attempt.errors);
        for (size_t i = 0; i < attempt.errors.list.n; i++) {
                policy_error_print(&attempt.errors.list.items[i], text);
                on_error(text);
        }
        return r < 0 ? r : attempt.errors.list.n > 0 ? -EINVAL : 0;
}
