/*
 * Joins that need permission, and subflows that have none.
 *
 * Whether a connection may have joins is decided elsewhere (auth/, which talks to the peer); here
 * it is obeyed. One whose policy says "auth" begins with JOINS_WAIT, from its first event on, and
 * so does one that gets such a policy later, or a stricter one: nothing is tried before somebody
 * has said EVENT_JOINS. Waiting is no refusal, and a plugin is asked anew when it is over.
 *
 * The word of a program (a hint) may come behind the kernel's. So where any policy requires
 * permission, a connection that this host has opened, and of which no hint has spoken, waits for
 * one for a moment, too.
 *
 * A join that was asked for while joins were free may be none that the peer likes by now. Still
 * under way, it is given up, to be asked for again with permission. Established, it goes if the
 * policy requires permission, as soon as another subflow carries the connection; with "prefer" that
 * is up to the peer, and what the peer closes for that is no refusal (retry.c).
 *
 * What is called an intruder is closed whatever it carries: who has broken in may have cut all
 * else.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOBODY     "nobody has admitted it"
#define GRACE_USEC 200000u /* a hint leaves with the SYN; its reader may be busy */

bool engine_may_join(const struct connection *connection) {
        return connection->joins == JOINS_FREE || connection->joins == JOINS_ASK;
}

const struct conf_profile *engine_auth_profile(const struct engine *engine,
                                               const struct connection *connection) {
        const struct conf_profile *paths = engine->profiles[connection->advice.profile].conf;
        const struct conf_profile *guard = engine->profiles[connection->advice.guard].conf;

        return paths->auth > guard->auth ? paths : guard;
}

/* Joins */

static void permit_note(struct engine *engine, const struct connection *connection) {
        static const char *const words[] = {
                [JOINS_FREE] = "joins are free",
                [JOINS_WAIT] = "joins wait",
                [JOINS_ASK] = "joins need the peer's permission",
                [JOINS_BARRED] = "no joins from here",
        };
        const char *reason = connection_joins_reason(connection);
        char text[LIMIT_REASON];

        snprintf(text, sizeof(text), "%s%s%s", words[connection->joins], reason[0] ? ": " : "",
                 reason);
        engine_trace_note(engine, connection, NULL, text);
}

static const char *join_is_unpermitted(const struct engine *engine,
                                       const struct connection *connection,
                                       const struct subflow *join) {
        (void)engine, (void)connection;
        return join->free ? "it needs permission now" : NULL;
}

/* Without memory for the reason there is none; the state counts. */
static void permit_set(struct engine *engine, struct connection *connection, enum joins joins,
                       const char *reason) {
        free(connection->joins_reason);
        connection->joins_reason = reason && reason[0] ? strndup(reason, LIMIT_REASON - 1) : NULL;
        connection->joins = joins;
        permit_note(engine, connection);
        if (joins != JOINS_FREE)
                engine_give_up_joins(engine, connection, join_is_unpermitted, EACCES);
        engine_destroy_unpermitted(engine, connection);
        if (!engine_may_join(connection))
                return;
        engine_pardon_permitted(engine, connection);
        engine_hope_again(engine, connection);
}

static bool connection_is_managed(const struct connection *connection) {
        return connection->state != CONNECTION_LOCAL && connection->state != CONNECTION_KERNEL;
}

bool engine_check_permit(struct engine *engine, struct connection *connection) {
        const uint8_t before = connection->auth;
        const bool grace = connection->grace_usec != 0;

        if (!connection_is_managed(connection))
                return false;
        connection->auth = (uint8_t)engine_auth_profile(engine, connection)->auth;
        if (connection->auth == before)
                return false;
        connection->grace_usec = 0;
        if (connection->auth == CONF_AUTH_OFF)
                permit_set(engine, connection, JOINS_FREE, "the policy asks for no authentication");
        else if (connection->auth > before && (connection->joins == JOINS_FREE || grace))
                permit_set(engine, connection, JOINS_WAIT, "nothing is agreed with the peer yet");
        else
                return false;
        return true;
}

/* Not told of: it's the rule for programs without a word of their own. */
void engine_begin_permit(struct engine *engine, struct connection *connection) {
        (void)engine_check_permit(engine, connection);
        if (!engine->guarding || connection->auth || connection->advice.cookie ||
            connection->flags & MPTCPIZE_VIEW_SERVER || !connection_is_managed(connection))
                return;
        connection->joins = JOINS_WAIT;
        connection->joins_reason = strdup("its program is not known yet");
        connection->grace_usec = engine->now_usec + GRACE_USEC;
}

bool engine_end_grace(struct connection *connection) {
        if (!connection->grace_usec)
                return false;
        connection->grace_usec = 0;
        free(connection->joins_reason);
        connection->joins_reason = NULL;
        connection->joins = JOINS_FREE;
        return true;
}

void engine_on_joins(struct engine *engine, const struct event *event) {
        const struct joins_event *joins = &event->joins;
        struct connection *connection = model_find(&engine->model, joins->token);
        const char *reason = joins->reason ? joins->reason : "";
        enum joins before;

        if (!connection || connection->auth == CONF_AUTH_OFF || joins->joins > JOINS_BARRED)
                return;
        before = connection->joins;
        if (before == joins->joins &&
            strncmp(connection_joins_reason(connection), reason, LIMIT_REASON - 1) == 0)
                return;
        permit_set(engine, connection, joins->joins, reason);
        if (joins->joins != before)
                engine_decide_simple(engine, connection, MPTCPIZE_EVENT_LOCALS_CHANGED);
}

/* Subflows */

static bool subflow_is_free(const struct connection *connection, const struct subflow *subflow) {
        return connection->auth == CONF_AUTH_REQUIRE && subflow->free &&
               subflow->is.state == MPTCPIZE_SUBFLOW_ESTABLISHED &&
               connection_count(connection, SUBFLOWS_CARRYING, subflow);
}

/* One that the kernel would not destroy counts as dead. */
static bool subflow_is_intruder(const struct subflow *subflow) {
        return subflow->intruder && SUBFLOWS_KEPT & 1u << subflow->is.state;
}

static void engine_expel(struct engine *engine, struct connection *connection,
                         struct subflow *subflow, const char *reason) {
        const bool dead = subflow->is.state == MPTCPIZE_SUBFLOW_DEAD;

        if (engine_close(engine, connection, subflow, dead ? ACTION_ABORT : ACTION_DESTROY,
                         reason) &&
            !dead)
                engine->counters[COUNTER_INTRUDERS]++;
}

void engine_destroy_unpermitted(struct engine *engine, struct connection *connection) {
        for (size_t i = 0; i < connection->subflows.n; i++) {
                struct subflow *subflow = &connection->subflows.items[i];
                const bool intruder = subflow_is_intruder(subflow);

                if (!intruder && !subflow_is_free(connection, subflow))
                        continue;
                if (!engine_may_act(engine, connection))
                        return;
                engine_expel(engine, connection, subflow,
                             intruder ? NOBODY : "it was joined before there was permission");
        }
}

/* Ours, as when another host has answered: not at once again. */
static void engine_refuse_intruder(struct engine *engine, struct connection *connection,
                                   const struct mptcpize_subflow *is) {
        if (is->flags & MPTCPIZE_SUBFLOW_OURS)
                engine_refuse(engine, connection, &is->local, &is->remote, -EKEYREJECTED, 0);
}

/* An event of it was lost, and no comparison has found it yet; but a probe's is never seen here. */
static void engine_expel_unseen(struct engine *engine, struct connection *connection,
                                const struct intruder_event *intruder, const char *reason) {
        if (engine_is_probe(engine, connection, &intruder->local, &intruder->remote) ||
            !engine_may_act(engine, connection) ||
            engine_push_close(engine, connection, ACTION_DESTROY, &intruder->local,
                              &intruder->remote, 0, reason) < 0)
                return;
        engine->counters[COUNTER_INTRUDERS]++;
}

void engine_on_intruder(struct engine *engine, const struct event *event) {
        const struct intruder_event *intruder = &event->intruder;
        struct connection *connection = model_find(&engine->model, intruder->token);
        const char *reason = intruder->reason ? intruder->reason : NOBODY;
        struct mptcpize_subflow is;
        struct subflow *subflow;

        if (!connection)
                return;
        subflow = connection_find_subflow(connection, &intruder->local, &intruder->remote);
        if (!subflow) {
                engine_expel_unseen(engine, connection, intruder, reason);
                return;
        }
        if (subflow->is.flags & MPTCPIZE_SUBFLOW_INITIAL ||
            !(SUBFLOWS_KEPT & 1u << subflow->is.state))
                return;
        is = subflow->is;
        subflow->intruder = true;
        if (engine_may_act(engine, connection))
                engine_expel(engine, connection, subflow, reason);
        engine_refuse_intruder(engine, connection, &is);
        engine_check_probe(engine, connection, NULL);
}
