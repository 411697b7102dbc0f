/*
 * Secrets of connections: of their programs, by hints, and of keys that policies share.
 *
 * The first one counts. What comes before its connection is known, or is known to be protected,
 * waits for it: a hint can be read before the kernel's event that it has overtaken.
 */
#include "auth-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../util/clock.h"
#include "../util/log.h"

#define EARLY_USEC  10000000u /* that a key waits for its connection */
#define UNSURE_USEC 50000u    /* between two questions for sequence numbers that are moving */
#define TRIES       40u       /* of them: two seconds */
#define READINGS    8u        /* in one of them */

/* Keys of programs */

static void auth_give_key(struct auth *auth, struct ward *ward, const uint8_t *secret) {
        int r = protocol_key(auth->protocol, ward->token, secret, clock_usec());

        store_seal(ward->record);
        ward->keyed |= r == 0 || r == -EEXIST;
        if (r == -ENOMEM)
                auth->host.engine->counters[COUNTER_HINTS_DROPPED]++;
}

/* The oldest makes room. */
static struct early *auth_early_place(struct auth *auth, uint64_t now) {
        struct early *oldest = &auth->vault->early[0];

        for (size_t i = 0; i < LIMIT_AUTH_KEYS; i++) {
                struct early *early = &auth->vault->early[i];

                if (!early->token || now - early->usec > EARLY_USEC)
                        return early;
                if (early->usec < oldest->usec)
                        oldest = early;
        }
        return oldest;
}

static struct early *auth_early_find(const struct auth *auth, uint32_t token, uint64_t cookie) {
        for (size_t i = 0; i < LIMIT_AUTH_KEYS; i++)
                if (auth->vault->early[i].token == token && auth->vault->early[i].cookie == cookie)
                        return &auth->vault->early[i];
        return NULL;
}

void auth_check_early(struct auth *auth) {
        const uint64_t now = clock_usec();

        for (size_t i = 0; i < LIMIT_AUTH_KEYS; i++) {
                struct early *early = &auth->vault->early[i];

                if (early->token && now - early->usec > EARLY_USEC)
                        secret_cleanse(early, sizeof(*early));
        }
}

static void auth_keep_early(struct auth *auth, const struct hint_event *hint) {
        const uint64_t now = clock_usec();
        struct early *early;

        if (auth_early_find(auth, hint->token, hint->cookie)) /* the first one counts */
                return;
        early = auth_early_place(auth, now);
        early->token = hint->token;
        early->cookie = hint->cookie;
        early->usec = now;
        memcpy(early->key, hint->key, sizeof(early->key));
}

/* It is of another connection, which had the token before, or by a program that has it wrong. */
static bool ward_is_of(const struct ward *ward, uint64_t cookie) {
        return ward->record->cookie == cookie;
}

void auth_on_key(struct auth *auth, const struct hint_event *hint) {
        struct ward *ward = wards_find(&auth->wards, hint->token);

        if (!ward)
                auth_keep_early(auth, hint);
        else if (ward_is_of(ward, hint->cookie))
                auth_give_key(auth, ward, hint->key);
        else
                log_info("a key of %s was refused: the connection %08x is not that of its socket",
                         hint->program.name[0] ? hint->program.name : "a program that has ended",
                         hint->token);
}

static void auth_take_early(struct auth *auth, struct ward *ward) {
        struct early *early = auth_early_find(auth, ward->token, ward->record->cookie);

        if (!early)
                return;
        if (clock_usec() - early->usec <= EARLY_USEC)
                auth_give_key(auth, ward, early->key);
        secret_cleanse(early, sizeof(*early));
}

/* Shared keys */

static void auth_do_without(struct auth *auth, struct ward *ward, const char *reason) {
        ward->keyless = true;
        protocol_keyless(auth->protocol, ward->token, reason, clock_usec());
}

static void auth_share(struct auth *auth, struct ward *ward, size_t n,
                       const struct ownership *owner) {
        const uint64_t client = ward->server ? owner->idsn_remote : owner->idsn_local;
        const uint64_t server = ward->server ? owner->idsn_local : owner->idsn_remote;

        keys_share(auth->vault->psk, n, client, server, auth->vault->secret);
        auth_give_key(auth, ward, auth->vault->secret);
        secret_cleanse(auth->vault->secret, sizeof(auth->vault->secret));
}

static bool auth_has_spent(const struct auth *auth, uint32_t token) {
        const size_t i = ARRAY_LOWER_BOUND(&auth->spent, token, token);

        return i < auth->spent.n && auth->spent.items[i].token == token;
}

/* In order of token: a reload may spend those of all connections. */
void auth_spend_key(struct auth *auth, const struct ward *ward) {
        const struct spent spent = { .token = ward->token };
        const size_t i = ARRAY_LOWER_BOUND(&auth->spent, token, spent.token);

        if (!ward->server || !ward->keyed || auth_has_spent(auth, spent.token) ||
            ARRAY_APPEND(&auth->spent, spent, LIMIT_AUTH_SESSIONS) < 0)
                return;
        memmove(&auth->spent.items[i + 1], &auth->spent.items[i],
                (auth->spent.n - i - 1) * sizeof(spent));
        auth->spent.items[i] = spent;
}

void auth_check_spent(struct auth *auth) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < auth->spent.n; i++)
                if (model_find(&auth->host.engine->model, auth->spent.items[i].token))
                        auth->spent.items[n++] = auth->spent.items[i];
        auth->spent.n = n;
}

/*
 * How far the peer's sequence numbers were is not known any more: whoever recorded its requests
 * could repeat them, and each lets in where it comes from (see window.h).
 */
static bool auth_is_spent(const struct auth *auth, const struct ward *ward) {
        return ward->server && (!ward->fresh || auth_has_spent(auth, ward->token));
}

/*
 * While much arrives the numbers are not to be had, or the kernel has none. Time counts, and not
 * what happens meanwhile: that may be somebody else's doing.
 */
static void auth_ask_later(struct auth *auth, struct ward *ward) {
        if (ward->tries++ >= TRIES) {
                auth_do_without(auth, ward,
                                "the kernel does not say initial data sequence numbers (Linux "
                                "6.5 does)");
                return;
        }
        if (ARRAY_APPEND(&auth->unsure, ward->token, LIMIT_CONNECTIONS) < 0)
                return;
        ward->unsure = true;
        if (auth->unsure_usec == UINT64_MAX)
                auth->unsure_usec = clock_usec() + UNSURE_USEC;
}

/*
 * The kernel counts data that came with the SYN, which has no sequence numbers (Linux 6.18,
 * mptcp_fastopen_subflow_synack_set_params()). Then the number is the first subflow's to know, as
 * long as no other can have carried anything. 0 or -ENODATA.
 */
static int auth_mend_number(const struct auth *auth, const struct ward *ward,
                            struct ownership *owner) {
        const struct connection *connection = model_find(&auth->host.engine->model, ward->token);
        struct kern *kern = auth->host.kern;
        const struct mptcpize_subflow *first;
        struct measure measure;

        if (!ward->server || connection->subflows.n == 0)
                return 0;
        first = &connection->subflows.items[0].is;
        if (kern->ops->measure(kern, &first->local, &first->remote, first->ifindex, &measure) < 0 ||
            !measure.idsn_remote)
                return 0;
        if (connection->subflows.n > 1)
                return -ENODATA;
        owner->idsn_remote = measure.idsn_remote;
        return 0;
}

/* Its numbers are 0 if they have not been the same twice running, see there. */
static int auth_read_owner(struct auth *auth, uint32_t token, struct ownership *ret_owner) {
        struct kern *kern = auth->host.kern;
        struct ownership before, owner;
        int r = kern->ops->owner(kern, token, &before);

        for (unsigned int i = 0; r == 0 && before.idsn_local && i < READINGS; i++) {
                r = kern->ops->owner(kern, token, &owner);
                if (r == 0 && owner.idsn_remote == before.idsn_remote) {
                        *ret_owner = owner;
                        return 0;
                }
                before = owner;
        }
        *ret_owner = (struct ownership){ .idsn_local = 0 };
        return r;
}

static void auth_find_psk(struct auth *auth, struct ward *ward, const char *psk) {
        char error[SECRET_ERROR];
        struct ownership owner;
        ssize_t n;

        if (auth_is_spent(auth, ward)) {
                auth_do_without(auth, ward, "what was known of its key is lost");
                return;
        }
        if (auth_read_owner(auth, ward->token, &owner) < 0)
                return;
        if (!owner.idsn_local || !owner.idsn_remote) {
                auth_ask_later(auth, ward);
                return;
        }
        if (auth_mend_number(auth, ward, &owner) < 0) {
                auth_do_without(auth, ward,
                                "data came with the SYN (TCP Fast Open), and other subflows since");
                return;
        }
        n = secret_read(psk, auth->vault->psk, error);
        if (n < 0)
                auth_do_without(auth, ward, error);
        else
                auth_share(auth, ward, (size_t)n, &owner);
        secret_cleanse(auth->vault->psk, sizeof(auth->vault->psk));
}

void auth_find_key(struct auth *auth, struct ward *ward) {
        const struct connection *connection = model_find(&auth->host.engine->model, ward->token);
        const char *psk;

        if (!connection || ward->keyed)
                return;
        auth_take_early(auth, ward);
        psk = engine_auth_profile(auth->host.engine, connection)->psk;
        if (!ward->keyed && !ward->keyless && !ward->unsure && psk[0] && ward->established)
                auth_find_psk(auth, ward, psk);
}

void auth_ask_again(struct auth *auth) {
        const size_t n = auth->unsure.n;

        auth->unsure_usec = UINT64_MAX;
        /* those that are still unsure come behind these */
        for (size_t i = 0; i < n; i++) {
                struct ward *ward = wards_find(&auth->wards, auth->unsure.items[i]);

                if (!ward)
                        continue;
                ward->unsure = false;
                auth_find_key(auth, ward);
        }
        memmove(auth->unsure.items, auth->unsure.items + n,
                (auth->unsure.n - n) * sizeof(*auth->unsure.items));
        auth->unsure.n -= (uint32_t)n;
}

/* Policies */

static void auth_check_psk(struct auth *auth, const struct policy_read *policies,
                           const struct policy_app *app) {
        const struct policy_text file = policy_text(policies, &app->file);
        const struct policy_text psk = policy_text(policies, &app->psk);
        char name[LIMIT_PATH], error[SECRET_ERROR];

        snprintf(name, sizeof(name), "%.*s", (int)psk.n, psk.bytes);
        if (secret_read(name, auth->vault->psk, error) < 0)
                log_error("%.*s:%u: %s; its connections are not authenticated", (int)file.n,
                          file.bytes, app->line, error);
        secret_cleanse(auth->vault->psk, sizeof(auth->vault->psk));
}

void auth_check_psks(struct auth *auth, const struct policy_read *policies) {
        const struct policy_app *app;

        for (uint32_t i = 0;
             policies && (app = policy_at(policies, &policies->half->apps, i, sizeof(*app))); i++)
                if (app->auth != POLICY_AUTH_OFF && app->psk.n)
                        auth_check_psk(auth, policies, app);
}
