/*
 * Which profile a connection has, and what hints change.
 *
 * A hint comes by another way than the kernel's events: before the connection is known (a connect()
 * that doesn't wait), after joins have begun (one that does), or instead of it, for the listening
 * socket of which the kernel will make connections before any program sees them. So what was said
 * of a token that is not there yet is kept for a while, what was said of a listener until it is
 * closed, and a connection that learns late what it should have been is handed to its new plugin as
 * if it had been found alive. The first hint that has a say in a connection is the one that counts.
 *
 * Nothing depends on a hint: one that is lost, or forgotten for want of room, leaves a connection
 * with the profile of the host's own configuration.
 */
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define EXPECT_USEC 180000000u /* longer than connect() tries */
#define EXPECT_WAYS 8u         /* places in which a token may be */

_Static_assert((LIMIT_ADVICE & (LIMIT_ADVICE - 1)) == 0, "tokens are spread by a mask");

/* Profiles */

int engine_init_profiles(struct engine *engine) {
        engine->expectations = calloc(LIMIT_ADVICE, sizeof(*engine->expectations));
        return engine->expectations ? 0 : -ENOMEM;
}

void engine_done_profiles(struct engine *engine) {
        for (size_t i = 0; i < engine->n_profiles; i++)
                ARRAY_DONE(&engine->profiles[i].locals);
        ARRAY_DONE(&engine->listeners);
        free(engine->expectations);
}

const struct profile *engine_profile(const struct engine *engine,
                                     const struct connection *connection) {
        return &engine->profiles[connection->advice.profile];
}

const struct locals *engine_locals(const struct engine *engine,
                                   const struct connection *connection) {
        const struct profile *profile = engine_profile(engine, connection);

        return profile->conf->roles.n ? &profile->locals : &engine->profiles[0].locals;
}

/* Index of the profile of that name; 0, the first one, if there is none. */
static uint16_t profile_find(const struct conf_profile *profiles, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(profiles[i].name, name) == 0)
                        return (uint16_t)i;
        return 0;
}

uint16_t engine_find_profile(const struct engine *engine, const char *name) {
        for (size_t i = 1; i < engine->n_profiles; i++)
                if (strcmp(engine->profiles[i].conf->name, name) == 0)
                        return (uint16_t)i;
        return 0;
}

/* What has become of the profiles: new index by old one. */
struct succession {
        uint16_t of[LIMIT_PROFILES];
};

static void advice_succeed(struct advice *advice, const struct succession *succession) {
        advice->profile = succession->of[advice->profile];
        advice->guard = succession->of[advice->guard];
}

static void succession_of_connection(struct connection *connection, void *userdata) {
        const struct succession *succession = userdata;

        advice_succeed(&connection->advice, succession);
}

static void engine_succeed(struct engine *engine, struct succession *succession) {
        model_each(&engine->model, succession_of_connection, succession);
        for (size_t i = 0; i < LIMIT_ADVICE; i++)
                advice_succeed(&engine->expectations[i].advice, succession);
        for (size_t i = 0; i < engine->listeners.n; i++)
                advice_succeed(&engine->listeners.items[i].advice, succession);
}

void engine_set_profiles(struct engine *engine, const struct configured_event *configured) {
        size_t n = configured->n_profiles < LIMIT_PROFILES ? configured->n_profiles
                                                           : LIMIT_PROFILES;
        struct succession succession = { { 0 } };

        assert(n > 0);
        for (size_t i = 1; i < engine->n_profiles; i++) {
                succession.of[i] = profile_find(configured->profiles, n,
                                                engine->profiles[i].conf->name);
                ARRAY_DONE(&engine->profiles[i].locals);
        }
        for (size_t i = 0; i < n; i++)
                engine->profiles[i].conf = &configured->profiles[i];
        engine->n_profiles = n;
        engine->guarding = false;
        for (size_t i = 0; i < n; i++)
                engine->guarding |= configured->profiles[i].auth == CONF_AUTH_REQUIRE;
        engine_succeed(engine, &succession);
}

/* What is over the limit */

void engine_trim(struct engine *engine, struct connection *connection) {
        const size_t max = engine_max_subflows(engine, connection);
        size_t live;

        engine_destroy_surplus(engine, connection);
        engine_destroy_unpermitted(engine, connection);
        live = connection_count(connection, SUBFLOWS_LIVE, NULL);
        if (connection->state != CONNECTION_ESTABLISHED || live <= max ||
            !engine_may_act(engine, connection))
                return;
        for (size_t i = connection->subflows.n; i-- > 0 && live > max;) {
                struct subflow *subflow = &connection->subflows.items[i];

                if (subflow->is.state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
                    subflow->is.flags & MPTCPIZE_SUBFLOW_OURS &&
                    !(subflow->is.flags & MPTCPIZE_SUBFLOW_INITIAL) &&
                    engine_close(engine, connection, subflow, ACTION_DESTROY,
                                 "more subflows than the policy allows"))
                        live--;
        }
}

/* Advice */

static void engine_note_profile(struct engine *engine, const struct connection *connection) {
        const struct conf_profile *profile = engine_profile(engine, connection)->conf;
        char text[LIMIT_REASON];

        snprintf(text, sizeof(text), "policy %.24s: plugin %.24s, at most %u subflows",
                 profile->name[0] ? profile->name : "none",
                 profile->plugin ? profile->plugin->name : "none",
                 engine_max_subflows(engine, connection));
        engine_trace_note(engine, connection, NULL, text);
}

/*
 * Hands a connection over to the plugin that it should have had from its start. What is under way
 * can be judged only when it is there.
 */
static void engine_switch(struct engine *engine, struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++)
                connection->subflows.items[i].former =
                                connection->subflows.items[i].is.state == MPTCPIZE_SUBFLOW_PENDING;
        engine_stop_plugin(engine, connection);
        engine_start_plugin(engine, connection);
        engine_judge_paths(engine, connection);
        engine_trim(engine, connection);
        if (connection->state == CONNECTION_ESTABLISHED)
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_ADOPTED);
        engine_schedule(engine, connection);
}

/* What somebody has chosen by hand stays. */
static void connection_set_advice(struct connection *connection, const struct advice *advice) {
        const uint16_t before = connection->advice.profile;
        const bool assigned = connection->advice.assigned;

        connection->advice = *advice;
        connection->advice.assigned |= assigned;
        if (assigned && !advice->assigned)
                connection->advice.profile = before;
}

static void engine_advise(struct engine *engine, struct connection *connection,
                          const struct advice *advice) {
        const uint16_t before = connection->advice.profile;
        bool permit;

        connection_set_advice(connection, advice);
        engine_touch(engine, connection);
        engine_schedule_measurement(engine, connection);
        engine_note_profile(engine, connection);
        permit = advice->cookie && engine_end_grace(connection);
        permit |= engine_check_permit(engine, connection);
        if (connection->advice.profile != before && connection->state <= CONNECTION_ESTABLISHED)
                engine_switch(engine, connection);
        else if (permit)
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_LOCALS_CHANGED);
}

/* Owners */

/* What is known without a hint; one that comes later counts more. */
void engine_on_owner(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->owner.token);
        struct advice advice;

        if (!connection)
                return;
        connection_learn_uid(connection, event->owner.uid);
        if (connection->advice.cookie)
                return;
        advice = connection->advice;
        advice.assigned = false;
        advice.owner = event->owner.uid == UINT32_MAX && advice.owner == OWNER_UNASKED
                                       ? OWNER_UNKNOWN
                                       : OWNER_SETTLED;
        advice.program.uid = event->owner.uid;
        advice.profile = advice.guard = engine_find_profile(engine, event->owner.profile);
        if (advice.profile || connection->advice.profile || connection->advice.guard)
                engine_advise(engine, connection, &advice);
        else
                connection_set_advice(connection, &advice);
}

/* By hand */

static int engine_find_plugin(const struct engine *engine, const char *plugin) {
        for (size_t i = 0; i < engine->n_profiles; i++) {
                const struct conf_profile *profile = engine->profiles[i].conf;

                if (profile->plugin && strcmp(profile->plugin->name, plugin) == 0)
                        return (int)i;
        }
        return -ENOENT;
}

int engine_meant_profile(const struct engine *engine, const char *word) {
        char name[LIMIT_NAME];
        uint16_t profile;

        if (strcmp(word, "default") == 0)
                return 0;
        snprintf(name, sizeof(name), CONF_PROFILE_MODE "%s", word);
        profile = engine_find_profile(engine, name);
        if (!profile)
                profile = engine_find_profile(engine, word);
        snprintf(name, sizeof(name), CONF_PROFILE_PLUGIN "%s", word);
        if (!profile)
                profile = engine_find_profile(engine, name);
        return profile ? profile : engine_find_plugin(engine, word);
}

bool engine_is_assignable(const struct connection *connection) {
        return connection->state <= CONNECTION_ESTABLISHED;
}

void engine_on_assigned(struct engine *engine, const struct event *event) {
        struct connection *connection = model_find(&engine->model, event->assigned.token);
        const int profile = engine_meant_profile(engine, event->assigned.profile);
        struct advice advice;

        if (!connection || profile < 0 || !engine_is_assignable(connection))
                return;
        advice = connection->advice;
        advice.assigned = true;
        connection_drop_orders(connection);
        advice.profile = (uint16_t)profile;
        engine_trace_note(engine, connection, NULL, "given another policy by hand");
        engine_advise(engine, connection, &advice);
}

/* Expectations: a small table in which the oldest of a few places makes room. */

static struct expectation *expectation_at(const struct engine *engine, uint32_t token,
                                          unsigned int way) {
        return &engine->expectations[(token * EXPECT_WAYS + way) & (LIMIT_ADVICE - 1)];
}

static struct expectation *expectation_find(const struct engine *engine, uint32_t token) {
        for (unsigned int way = 0; way < EXPECT_WAYS; way++) {
                struct expectation *entry = expectation_at(engine, token, way);

                if (entry->token == token && entry->usec + EXPECT_USEC > engine->now_usec)
                        return entry;
        }
        return NULL;
}

static void engine_expect(struct engine *engine, uint32_t token, const struct advice *advice) {
        struct expectation *oldest = expectation_at(engine, token, 0);

        for (unsigned int way = 1; way < EXPECT_WAYS; way++)
                if (expectation_at(engine, token, way)->usec < oldest->usec)
                        oldest = expectation_at(engine, token, way);
        if (oldest->token && oldest->usec + EXPECT_USEC > engine->now_usec)
                engine->counters[COUNTER_HINTS_DROPPED]++;
        *oldest = (struct expectation){ .token = token,
                                        .usec = engine->now_usec,
                                        .advice = *advice };
}

/* Listeners */

/* How well it fits a connection that came in at local: 0 not, 3 best. */
static int listener_fits(const struct listener *listener, const struct mptcpize_address *local) {
        if (listener->local.port != local->port)
                return 0;
        if (address_equal(&listener->local, local))
                return 3;
        if (!address_is_any(&listener->local))
                return 0;
        if (listener->local.family == local->family)
                return 2;
        /*
         * One for IPv6 takes IPv4, too, but not the other way round; and if it doesn't, somebody
         * else may have the port for IPv4.
         */
        return local->family == AF_INET && !listener->ipv6_only;
}

static const struct listener *listener_find(const struct engine *engine,
                                            const struct mptcpize_address *local) {
        const struct listener *best = NULL;
        int fits = 0;

        for (size_t i = engine->listeners.n; i-- > 0;)
                if (listener_fits(&engine->listeners.items[i], local) > fits) {
                        best = &engine->listeners.items[i];
                        fits = listener_fits(best, local);
                }
        return best;
}

/*
 * Sockets may share an address (SO_REUSEPORT), and the kernel doesn't say which of them is closed:
 * so each is in the table by its cookie, and a comparison tells which one is gone. Linux before 6.2
 * doesn't tell of closed ones at all; theirs stay until there is no more room, and the youngest of
 * an address counts.
 */
static void engine_cut_listener(struct engine *engine, size_t i) {
        engine_forget(engine, engine->listeners.items[i].slot);
        ARRAY_CUT(&engine->listeners, i);
}

void engine_add_listener(struct engine *engine, const struct listener *listener) {
        for (size_t i = 0; i < engine->listeners.n; i++)
                if (engine->listeners.items[i].advice.cookie == listener->advice.cookie) {
                        engine_cut_listener(engine, i);
                        break;
                }
        if (engine->listeners.n == LIMIT_LISTENERS) {
                engine_cut_listener(engine, 0);
                engine->counters[COUNTER_HINTS_DROPPED]++;
        }
        if (ARRAY_APPEND(&engine->listeners, *listener, LIMIT_LISTENERS) < 0)
                engine->counters[COUNTER_HINTS_DROPPED]++;
        engine->listeners_changed = engine->memory.ops != NULL;
}

static void engine_hint_listener(struct engine *engine, const struct hint_event *hint,
                                 const struct advice *advice) {
        const struct listener listener = { .local = hint->local,
                                           .ipv6_only = hint->ipv6_only,
                                           .usec = engine->now_usec,
                                           .advice = *advice };

        engine_add_listener(engine, &listener);
}

static bool snapshot_listens(const struct snapshot *snapshot, uint64_t cookie) {
        for (size_t i = 0; i < snapshot->listeners.n; i++)
                if (snapshot->listeners.items[i].cookie == cookie)
                        return true;
        return false;
}

/* A hint comes from a socket that listens, so one that is older than the snapshot is in it. */
void engine_check_listeners(struct engine *engine, const struct snapshot *snapshot) {
        for (size_t i = engine->listeners.n; i-- > 0;) {
                const struct listener *listener = &engine->listeners.items[i];

                if (listener->usec < snapshot->started_usec &&
                    !snapshot_listens(snapshot, listener->advice.cookie))
                        engine_cut_listener(engine, i);
        }
}

void engine_on_listener_closed(struct engine *engine, const struct event *event) {
        size_t n = 0, last = 0;

        for (size_t i = 0; i < engine->listeners.n; i++)
                if (address_equal(&engine->listeners.items[i].local, &event->mptcp.local)) {
                        last = i;
                        n++;
                }
        if (n == 1)
                engine_cut_listener(engine, last);
        else if (n > 1)
                engine_compare(engine);
}

/* Hints */

static struct advice advice_of(const struct engine *engine, const struct hint_event *hint) {
        const bool named = hint->policy && hint->policy[0];

        return (struct advice){
                .cookie = hint->cookie,
                .profile = engine_find_profile(engine, hint->profile),
                .guard = engine_find_profile(engine, named ? hint->policy : hint->profile),
                .program = hint->program,
                .user_timeout_msec = hint->user_timeout_msec,
        };
}

/* An option may be set again and again; whose a connection is, is settled once. */
static void engine_hint_connection(struct engine *engine, const struct hint_event *hint,
                                   const struct advice *advice) {
        struct connection *connection = model_find(&engine->model, hint->token);
        struct expectation *expectation = expectation_find(engine, hint->token);

        if (!hint->token)
                return;
        if (connection && !connection->advice.cookie) {
                engine_advise(engine, connection, advice);
        } else if (connection && hint->kind == HINT_OPTION) {
                connection->advice.user_timeout_msec = hint->user_timeout_msec;
                engine_touch(engine, connection);
                engine_schedule_measurement(engine, connection);
        } else if (!connection && !expectation) {
                engine_expect(engine, hint->token, advice);
        } else if (!connection && hint->kind == HINT_OPTION) {
                expectation->advice.user_timeout_msec = hint->user_timeout_msec;
        }
}

void engine_on_hint(struct engine *engine, const struct event *event) {
        const struct hint_event *hint = &event->hint;
        struct advice advice;

        engine->counters[COUNTER_HINTS]++;
        switch (hint->kind) {
        case HINT_CONNECT:
        case HINT_OPTION:
        case HINT_KEY: /* its key is none of the engine's */
                advice = advice_of(engine, hint);
                engine_hint_connection(engine, hint, &advice);
                break;
        case HINT_LISTEN:
                advice = advice_of(engine, hint);
                engine_hint_listener(engine, hint, &advice);
                break;
        case HINT_DEMOTED:
                engine->counters[COUNTER_SOCKETS_DEMOTED]++;
                break;
        case HINT_FELL_BACK:
                engine->counters[COUNTER_SOCKETS_FELL_BACK]++;
                break;
        default:
                engine->counters[COUNTER_HINTS_REFUSED]++;
        }
}

void engine_take_advice(struct engine *engine, struct connection *connection) {
        struct expectation *expectation = expectation_find(engine, connection->token);
        const struct listener *listener = NULL;

        engine_recall(engine, connection);
        if (connection->flags & MPTCPIZE_VIEW_SERVER)
                listener = listener_find(engine, &connection->local);
        if (expectation) {
                connection_set_advice(connection, &expectation->advice);
                expectation->token = 0;
        } else if (listener && !connection->advice.cookie) {
                connection_set_advice(connection, &listener->advice);
        }
        if (connection->advice.cookie)
                engine_note_profile(engine, connection);
}
