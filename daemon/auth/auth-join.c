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
        const struct asked asked = { .action = *action };

        if (ARRAY_APPEND(&auth->asked, asked, LIMIT_ACTIONS) < 0)
                return -EAGAIN;
        snprintf(decision.reason, sizeof(decision.reason), "%s", reason);
        auth_decide(auth, &decision);
        return 0;
}

static struct asked *auth_find_asked(struct auth *auth, uint32_t serial) {
        for (size_t i = 0; i < auth->asked.n; i++)
                if (auth->asked.items[i].action.serial == serial)
                        return &auth->asked.items[i];
        return NULL;
}

void auth_answer(struct auth *auth, uint32_t serial, int error, const char *reason) {
        struct asked *asked = auth_find_asked(auth, serial);
        struct action action;

        if (!asked)
                return;
        if (error == 0) {
                asked->ready = true;
                return;
        }
        action = asked->action;
        ARRAY_CUT(&auth->asked, (size_t)(asked - auth->asked.items));
        auth_conclude(auth, &action, error, reason);
}

/* In their order; what the kernel has no room for waits for the next flush. */
void auth_hand_over_ready(struct auth *auth) {
        struct kern *kern = auth->host.kern;

        for (size_t i = 0; i < auth->asked.n;) {
                if (!auth->asked.items[i].ready) {
                        i++;
                        continue;
                }
                if (kern->ops->submit(kern, &auth->asked.items[i].action) < 0)
                        return;
                ARRAY_CUT(&auth->asked, i);
        }
}

/* Asking */

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
        const struct asked asked = { .action = *action };
        int r;

        if (auth->asked.n >= LIMIT_AUTH_ASKED)
                return auth_refuse(auth, action, -ENOBUFS, "too many joins wait for their peers");
        /* before the question, whose answer may come at once */
        if (ARRAY_APPEND(&auth->asked, asked, LIMIT_ACTIONS) < 0)
                return -EAGAIN;
        r = protocol_ask(auth->protocol, &join, clock_usec());
        if (r != 0)
                auth->asked.n--;
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
static struct asked *auth_find_aborted(struct auth *auth, const struct action *abort) {
        for (size_t i = 0; i < auth->asked.n; i++) {
                const struct action *action = &auth->asked.items[i].action;

                if (action->type == ACTION_CREATE && action->token == abort->token &&
                    address_same_host(&action->local, &abort->local) &&
                    address_equal(&action->remote, &abort->remote))
                        return &auth->asked.items[i];
        }
        return NULL;
}

static void auth_cancel(struct auth *auth, struct asked *asked, int error, const char *reason) {
        struct decision decision = { .type = DECISION_ANSWER,
                                     .number = asked->action.serial,
                                     .error = error };

        (void)protocol_cancel(auth->protocol, asked->action.serial);
        asked->ready = false;
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
        for (size_t i = 0; i < auth->asked.n; i++) {
                struct asked *asked = &auth->asked.items[i];

                if (asked->action.token == action->token && asked->action.type == ACTION_CREATE &&
                    asked->action.local_id == action->local_id)
                        auth_cancel(auth, asked, -ECANCELED, "its address was withdrawn");
        }
        return 1;
}

void auth_forget_joins(struct auth *auth, uint32_t token) {
        for (size_t i = 0; i < auth->asked.n; i++)
                if (auth->asked.items[i].action.token == token)
                        auth_cancel(auth, &auth->asked.items[i], -ESRCH,
                                    "the connection has ended");
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
