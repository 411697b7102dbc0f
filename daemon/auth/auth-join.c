/*
 * Joins of our own that wait for the peer's permission.
 *
 * They are on their way to the kernel, as the engine sees it, and come back by their outcome: made,
 * or refused by the peer instead of by the kernel. What the engine wants of them meanwhile does not
 * reach the kernel, which knows nothing of them.
 */
#include "auth-private.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "../util/clock.h"

/* Outcomes */

static void auth_conclude(const struct auth *auth, const struct action *action, int error,
                          const char *reason) {
        struct event event = { .type = EVENT_OUTCOME, .usec = clock_usec() };

        event.outcome.action = *action;
        event.outcome.error = error;
        snprintf(event.outcome.message, sizeof(event.outcome.message), "%s", reason);
        auth->host.feed(&event, auth->host.userdata);
}

/* Its outcome comes from here, with the next flush. */
static int auth_refuse(struct auth *auth, const struct action *action, int error,
                       const char *reason) {
        struct decision decision = { .type = DECISION_ANSWER,
                                     .number = action->serial,
                                     .error = error };
        struct asked *asked;

        if (askeds_add(&auth->asked, action, &asked) < 0)
                return -EAGAIN;
        snprintf(decision.reason, sizeof(decision.reason), "%s", reason);
        auth_decide(auth, &decision);
        return 0;
}

void auth_answer(struct auth *auth, uint32_t serial, int error, const char *reason) {
        struct asked *asked = askeds_find(&auth->asked, serial);
        struct action action;

        if (!asked)
                return;
        if (error == 0) {
                askeds_set_ready(&auth->asked, asked, true);
                return;
        }
        action = asked->action;
        askeds_remove(&auth->asked, asked);
        auth_conclude(auth, &action, error, reason);
}

/* In their order; what the kernel has no room for waits for the next flush. */
void auth_hand_over_ready(struct auth *auth) {
        struct kern *kern = auth->host.kern;
        struct asked *asked;

        while ((asked = auth->asked.first) && kern->ops->submit(kern, &asked->action) >= 0)
                askeds_remove(&auth->asked, asked);
}

/* Asking */

/* So many are enough for one turn of the loop, for which others wait. The next comes by itself. */
static int auth_ask_next_turn(struct auth *auth) {
        (void)sd_event_source_set_enabled(auth->turn, SD_EVENT_ONESHOT);
        return -EAGAIN;
}

static int auth_ask(struct auth *auth, const struct action *action) {
        const struct protocol_join join = {
                .token = action->token,
                .serial = action->serial,
                .local = action->local,
                .remote = action->remote,
                .ifindex = action->ifindex,
                .local_id = action->local_id,
                .backup = action->backup,
        };
        struct asked *asked;
        int r;

        if (askeds_count(&auth->asked) >= LIMIT_AUTH_ASKS)
                return auth_refuse(auth, action, -ENOBUFS, "too many joins wait for their peers");
        if (auth->n_asked >= LIMIT_AUTH_TURN)
                return auth_ask_next_turn(auth);
        /* before the question, whose answer may come at once */
        if (askeds_add(&auth->asked, action, &asked) < 0)
                return -EAGAIN;
        auth->n_asked++;
        r = protocol_ask(auth->protocol, &join, clock_usec());
        if (r != 0)
                askeds_remove(&auth->asked, asked);
        return r;
}

/*
 * One that has to be protected, but is not known here, has yet to be looked at. And for what the
 * kernel would refuse anyway the peer is not asked, because it would wait for that join instead of
 * another one.
 */
static int auth_submit_create(struct auth *auth, const struct action *action) {
        const struct connection *connection = model_find(&auth->host.engine->model, action->token);
        const struct ward *ward = wards_find(&auth->wards, action->token);
        int r;

        if (!connection)
                return 1;
        if (ward && ward->ipv4 && action->remote.family == AF_INET6)
                return auth_refuse(auth, action, -EINVAL, "families mismatch");
        if (!ward)
                return connection->joins == JOINS_FREE
                                       ? 1
                                       : auth_refuse(auth, action, -EACCES,
                                                     "the connection can't be protected");
        r = auth_ask(auth, action);
        return r < 0 && r != -EAGAIN ? auth_refuse(auth, action, r, "the peer can't be asked") : r;
}

/* Cancelling */

/* The one that an ABORT is for, which the kernel has not got. */
static struct asked *auth_find_aborted(const struct auth *auth, const struct action *abort) {
        struct asked *asked = askeds_first(&auth->asked, abort->token);

        while (asked && !(asked->action.type == ACTION_CREATE &&
                          address_same_host(&asked->action.local, &abort->local) &&
                          address_equal(&asked->action.remote, &abort->remote)))
                asked = askeds_next(asked);
        return asked;
}

static void auth_cancel(struct auth *auth, struct asked *asked, int error, const char *reason) {
        struct decision decision = { .type = DECISION_ANSWER,
                                     .number = asked->action.serial,
                                     .error = error };

        (void)protocol_cancel(auth->protocol, asked->action.serial);
        askeds_set_ready(&auth->asked, asked, false);
        snprintf(decision.reason, sizeof(decision.reason), "%s", reason);
        auth_decide(auth, &decision);
}

static int auth_submit_abort(struct auth *auth, const struct action *action) {
        struct asked *asked = action->local.port ? NULL : auth_find_aborted(auth, action);

        if (!asked)
                return 1;
        auth_cancel(auth, asked, -ECANCELED, "given up");
        return auth_refuse(auth, action, -ENOENT, "the peer was not asked to the end");
}

/* The kernel would give the id to the join again. */
static int auth_submit_withdraw(struct auth *auth, const struct action *action) {
        for (struct asked *asked = askeds_first(&auth->asked, action->token); asked;
             asked = askeds_next(asked))
                if (asked->action.type == ACTION_CREATE &&
                    asked->action.local_id == action->local_id)
                        auth_cancel(auth, asked, -ECANCELED, "its address was withdrawn");
        return 1;
}

void auth_forget_joins(struct auth *auth, uint32_t token) {
        for (struct asked *asked = askeds_first(&auth->asked, token); asked;
             asked = askeds_next(asked))
                auth_cancel(auth, asked, -ESRCH, "the connection has ended");
}

int auth_submit(struct auth *auth, const struct action *action) {
        if (!auth || !auth->enabled)
                return 1;
        switch (action->type) {
        case ACTION_CREATE:
                return auth_submit_create(auth, action);
        case ACTION_ABORT:
                return auth_submit_abort(auth, action);
        case ACTION_WITHDRAW:
                return auth_submit_withdraw(auth, action);
        case ACTION_DESTROY:
        case ACTION_BACKUP:
        case ACTION_ANNOUNCE:
        case ACTION_QUERY:
        case ACTION_SNAPSHOT:
        case ACTION_MEASURE:
        case ACTION_RELEASE:
        case _ACTION_MAX:
                return 1;
        }
        return 1;
}
