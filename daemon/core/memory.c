/*
 * What is to be remembered, and what becomes of it after a restart. See memory.h.
 *
 * While nothing is known of what a peer said, joins to its first address are made. If it denies
 * them, which servers behind load balancers do, another host answers with a reset, which costs one
 * SYN and is remembered as a refusal; not to make them would cost every connection that a daemon
 * finds without a memory, most of which have no other address to join, all of its paths.
 */
#include "engine.h"

#include <stdio.h>
#include <string.h>

#include "../util/hash.h"

#define LULL_BATCH     16u /* of one lull: some 30 us */
#define LULL_QUESTIONS 64u /* of them under way */
#define OVERDUE_USEC   1000000u
#define KEPT_CAP       1024u /* of a list that is empty */

/* Marking */

/* Of those that are gone again nothing is to be kept. */
static void engine_prune_changed(struct engine *engine) {
        size_t n = 0;

        for (size_t i = 0; i < engine->changed.n; i++) {
                uint32_t token = engine->changed.items[i];

                if (model_find(&engine->model, token))
                        engine->changed.items[n++] = token;
        }
        engine->changed.n = n;
}

void engine_touch(struct engine *engine, struct connection *connection) {
        if (!engine->memory.ops || connection->changed || connection->state == CONNECTION_LOCAL)
                return;
        if (engine->changed.n == LIMIT_CONNECTIONS)
                engine_prune_changed(engine);
        if (ARRAY_APPEND(&engine->changed, connection->token, LIMIT_CONNECTIONS) < 0)
                return;
        connection->changed = true;
        if (!engine->changed_usec)
                engine->changed_usec = engine->now_usec;
}

void engine_forget(struct engine *engine, uint32_t slot) {
        if (slot)
                engine->memory.ops->drop(engine->memory.userdata, slot);
}

/* Writing */

uint64_t memo_name(const char *name) {
        return name[0] ? hash_more(HASH_NULL, name, strlen(name)) : 0;
}

static void memo_set_profile(struct memo *memo, const struct engine *engine,
                             const struct advice *advice) {
        memo->cookie = advice->cookie;
        if (advice->assigned)
                memo->flags |= MEMO_ASSIGNED;
        memo->program = advice->program;
        memo->user_timeout_msec = advice->user_timeout_msec;
        if (advice->profile)
                snprintf(memo->profile, sizeof(memo->profile), "%s",
                         engine->profiles[advice->profile].conf->name);
        memo->guard = memo_name(engine->profiles[advice->guard].conf->name);
}

static void memo_add(struct memo *memo, const struct mptcpize_address *address, uint8_t id,
                     bool own) {
        if (memo->n_addresses < LIMIT_MEMO_ADDRESSES)
                memo->addresses[memo->n_addresses++] =
                                (struct memo_address){ .address = *address, .id = id, .own = own };
        else if (!own)
                memo->flags &= ~MEMO_HEARD;
}

static struct memo memo_of_connection(const struct engine *engine,
                                      const struct connection *connection) {
        struct memo memo = {
                .kind = MEMO_CONNECTION,
                .token = connection->token,
                .local = connection->local,
                .remote = connection->remotes.items[0].address,
        };

        if (connection->flags & MPTCPIZE_VIEW_DENY_JOIN_INITIAL)
                memo.flags |= MEMO_DENY_JOIN_INITIAL;
        if (!(connection->flags & MPTCPIZE_VIEW_SERVER))
                memo.flags |= MEMO_CLIENT;
        if (connection->heard)
                memo.flags |= MEMO_HEARD;
        if (connection->state == CONNECTION_KERNEL)
                memo.flags |= MEMO_KERNEL;
        else if (connection->ids_known || connection->ours)
                memo.flags |= MEMO_OURS;
        memo_set_profile(&memo, engine, &connection->advice);
        for (size_t i = 1; i < connection->remotes.n; i++)
                memo_add(&memo, &connection->remotes.items[i].address,
                         connection->remotes.items[i].id, false);
        for (size_t i = 0; i < connection->ids.n; i++)
                if (connection->ids.items[i].id)
                        memo_add(&memo, &connection->ids.items[i].address,
                                 connection->ids.items[i].id, true);
        return memo;
}

static struct memo memo_of_listener(const struct engine *engine, const struct listener *listener) {
        struct memo memo = {
                .kind = MEMO_LISTENER,
                .flags = listener->ipv6_only ? MEMO_IPV6_ONLY : 0,
                .local = listener->local,
        };

        memo_set_profile(&memo, engine, &listener->advice);
        return memo;
}

/* Whether it is ours at all has to be known first, or it would be shown wrongly for ever. */
static void engine_keep(struct engine *engine, struct connection *connection) {
        struct memo memo;

        connection->changed = false;
        if (!connection->ids_known && !connection->ours && connection->state < CONNECTION_KERNEL) {
                engine_ask_ids(engine, connection);
                return;
        }
        memo = memo_of_connection(engine, connection);
        (void)engine->memory.ops->keep(engine->memory.userdata, &memo, &connection->slot);
}

static size_t engine_keep_listeners(struct engine *engine, size_t n) {
        size_t i;

        for (i = 0; i < engine->listeners.n && n > 0; i++) {
                struct listener *listener = &engine->listeners.items[i];
                struct memo memo;

                if (listener->kept)
                        continue;
                memo = memo_of_listener(engine, listener);
                listener->kept = true;
                (void)engine->memory.ops->keep(engine->memory.userdata, &memo, &listener->slot);
                n--;
        }
        engine->listeners_changed = i < engine->listeners.n;
        return n;
}

/* What the last daemon has left is of no more use when everything was compared and kept anew. */
static void engine_end_lull(struct engine *engine) {
        engine->changed_usec = 0;
        if (engine->changed.cap > KEPT_CAP)
                ARRAY_DONE(&engine->changed);
        if (engine->settled || !engine->compared || engine->n_questions > 0)
                return;
        engine->settled = true;
        engine->memory.ops->settled(engine->memory.userdata);
}

bool engine_is_changed(const struct engine *engine) {
        if (!engine->memory.ops || engine->n_questions >= LULL_QUESTIONS)
                return false;
        return engine->changed.n > 0 || engine->listeners_changed ||
               (engine->compared && !engine->settled && !engine->n_questions);
}

bool engine_is_overdue(const struct engine *engine) {
        return engine->changed_usec && engine->now_usec > engine->changed_usec + OVERDUE_USEC &&
               engine_is_changed(engine);
}

void engine_lull(struct engine *engine) {
        size_t n = LULL_BATCH;

        if (!engine->memory.ops)
                return;
        if (engine->listeners_changed)
                n = engine_keep_listeners(engine, n);
        for (; n > 0 && engine->changed.n > 0; n--) {
                uint32_t token = engine->changed.items[--engine->changed.n];
                struct connection *connection = model_find(&engine->model, token);

                if (connection && connection->changed)
                        engine_keep(engine, connection);
        }
        if (!engine->changed.n && !engine->listeners_changed)
                engine_end_lull(engine);
}

/* Recalling */

static uint16_t engine_recall_guard(const struct engine *engine, uint64_t name) {
        for (size_t i = 1; name && i < engine->n_profiles; i++)
                if (memo_name(engine->profiles[i].conf->name) == name)
                        return (uint16_t)i;
        return 0;
}

static struct advice advice_of_memo(const struct engine *engine, const struct memo *memo) {
        return (struct advice){
                .cookie = memo->cookie,
                .assigned = (memo->flags & MEMO_ASSIGNED) != 0,
                .profile = engine_find_profile(engine, memo->profile),
                .guard = engine_recall_guard(engine, memo->guard),
                .program = memo->program,
                .user_timeout_msec = memo->user_timeout_msec,
        };
}

static void connection_take_address(struct connection *connection,
                                    const struct memo_address *from) {
        struct mptcpize_remote remote = { .size = sizeof(remote),
                                          .address = from->address,
                                          .id = from->id };

        if (from->own)
                (void)connection_learn_id(connection, &from->address, from->id);
        else if (from->id)
                (void)connection_add_remote(connection, &remote);
}

void engine_recall(struct engine *engine, struct connection *connection) {
        const struct memory *memory = &engine->memory;
        struct memo memo;

        if (!memory->ops || engine->settled ||
            memory->ops->recall(memory->userdata, connection->token, &connection->local,
                                &connection->remotes.items[0].address, &memo) < 0)
                return;
        connection->advice = advice_of_memo(engine, &memo);
        connection->heard = memo.flags & MEMO_HEARD;
        connection->ours = memo.flags & MEMO_OURS;
        if (memo.flags & MEMO_KERNEL)
                connection->state = CONNECTION_KERNEL;
        if (memo.flags & MEMO_CLIENT)
                connection->flags &= ~MPTCPIZE_VIEW_SERVER;
        if (memo.flags & MEMO_DENY_JOIN_INITIAL)
                connection->flags |= MPTCPIZE_VIEW_DENY_JOIN_INITIAL;
        for (size_t i = 0; i < memo.n_addresses; i++)
                connection_take_address(connection, &memo.addresses[i]);
        engine_route_remotes(engine, connection);
}

/* Whether it still listens is seen by the first comparison. */
static void engine_recall_listener(const struct memo *memo, void *userdata) {
        struct engine *engine = userdata;

        engine_add_listener(engine, &(struct listener){
                                                    .local = memo->local,
                                                    .ipv6_only = memo->flags & MEMO_IPV6_ONLY,
                                                    .advice = advice_of_memo(engine, memo),
                                    });
}

void engine_set_memory(struct engine *engine, const struct memory *memory) {
        engine->memory = *memory;
        memory->ops->listeners(memory->userdata, engine_recall_listener, engine);
}
